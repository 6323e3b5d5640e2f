"""Prices far out of the ordinary, and prices that do not move."""

from __future__ import annotations

import numpy as np
import pytest

from btfeeds.columns import Columns
from btfeeds.market import Bar, Timeframe
from btfeeds.warehouse.strange import Policy, no_trade, outliers, stuck

M = 60_000
MINUTE = Timeframe.parse("1m")
POLICY = Policy()


def bar(minute: int, price: float, volume: float = 1.0) -> Bar:
    return Bar(minute * M, price, price, price, price, volume)


def walk(start: int, end: int, price: float = 100.0, size: float = 0.1) -> list[Bar]:
    """A price that goes up and down by some `size`; the median move is three quarters of it."""
    return [bar(minute, price + size * (0.0, 1.0, 0.5, -0.5)[minute % 4]) for minute in range(start, end)]


def quiet(count: int) -> list[Bar]:
    """Moves of about a thousandth, so that 20 σ are 2.2 %."""
    return walk(0, count)


def found(bars: list[Bar], policy: Policy = POLICY) -> list[int]:
    """The minutes that are outliers."""
    columns = Columns.from_bars(bars)
    return (columns.open_time[outliers(columns, MINUTE, policy)] // M).tolist()


def test_a_quiet_series_has_no_outliers() -> None:
    assert found(quiet(100)) == []


@pytest.mark.parametrize("price", [10.0, 1000.0, 106.0, 94.0])
def test_a_spike_is_found_and_the_way_back_is_not(price: float) -> None:
    bars = quiet(100)
    bars[50] = bar(50, price)
    assert found(bars) == [50]


def test_a_wick_is_found_although_open_and_close_are_ordinary() -> None:
    bars = quiet(100)
    bars[50] = Bar(50 * M, 100.0, 100.1, 90.0, 100.1, 1.0)
    bars[70] = Bar(70 * M, 100.0, 110.0, 100.0, 100.1, 1.0)
    assert found(bars) == [50, 70]


def test_a_price_that_stays_elsewhere_is_found_once() -> None:
    assert found(quiet(50) + walk(50, 100, price=25.0, size=0.02)) == [50]


def test_a_move_below_the_least_is_never_an_outlier() -> None:
    still = [bar(minute, 100.0) for minute in range(100)]  # no σ at all
    still[50] = bar(50, 101.9)
    assert found(still) == []
    still[50] = bar(50, 102.1)
    assert found(still) == [50]


def test_where_prices_move_much_a_jump_must_be_larger() -> None:
    wild = walk(0, 100, size=1.0)  # 20 σ are 22 %
    wild[50] = bar(50, 120.0)
    assert found(wild) == []
    wild[50] = bar(50, 140.0)
    assert found(wild) == [50]


def test_over_a_gap_prices_may_go_further() -> None:
    assert found(quiet(50) + walk(450, 500, price=103.0)) == []
    assert found(quiet(50) + walk(50, 100, price=103.0)) == [50]


def test_what_is_ordinary_is_asked_of_the_window() -> None:
    bars = walk(0, 300) + walk(300, 500, size=6.0)
    assert found(bars, Policy(window=249)) == []
    assert len(found(bars, Policy(window=500))) == 100  # all that go up or down by 6 %


def test_too_few_bars_have_no_ordinary() -> None:
    few = quiet(30)
    few[15] = bar(15, 1000.0)
    assert found(few) == []
    assert found([*few, bar(30, 100.0)]) == [15]
    assert found([]) == []


def test_ten_bars_with_the_same_prices_and_volume_are_stuck() -> None:
    same = [Bar(minute * M, 1.0, 3.0, 1.0, 2.0, 5.0 + minute) for minute in range(10)]
    assert stuck(Columns.from_bars([*same, bar(10, 9.0)]), POLICY).tolist() == [True] * 10 + [False]
    assert not stuck(Columns.from_bars([*same[:9], bar(10, 9.0)]), POLICY).any()


def test_a_run_ends_with_a_bar_without_volume() -> None:
    same = [bar(minute, 2.0, 0.0 if minute == 6 else 1.0) for minute in range(15)]
    assert not stuck(Columns.from_bars(same), POLICY).any()
    same += [bar(minute, 2.0) for minute in range(15, 17)]
    assert np.flatnonzero(stuck(Columns.from_bars(same), POLICY)).tolist() == list(range(7, 17))


def test_a_long_time_without_trades_is_not_stuck() -> None:
    assert not stuck(Columns.from_bars([bar(minute, 2.0, 0.0) for minute in range(50)]), POLICY).any()
    assert stuck(Columns.from_bars([]), POLICY).tolist() == []


def test_no_trade_is_no_volume_at_one_price() -> None:
    bars = [bar(0, 2.0, 0.0), bar(1, 2.0, 0.1), Bar(2 * M, 1.0, 2.0, 1.0, 2.0, 0.0)]
    assert no_trade(Columns.from_bars(bars)).tolist() == [True, False, False]
