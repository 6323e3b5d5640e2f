"""Larger bars of a warehouse, made of its minutes, and only the ones that have to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.history.derived import Derived
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse
from tests.history.venue import NOON, M

SYMBOL = Symbol("BTC/USDT")
MINUTES = Subscription("binance", SYMBOL, Timeframe.parse("1m"))
FIVES = Subscription("binance", SYMBOL, Timeframe.parse("5m"))
HOURS = Subscription("binance", SYMBOL, Timeframe.parse("1h"))


def span(start: int, end: int) -> TimeRange:
    """Minutes from noon."""
    return TimeRange(NOON + start * M, NOON + end * M)


def bar(minute: int, price: float = 1.0, volume: float = 1.0) -> Bar:
    return Bar(NOON + minute * M, price, price, price, price, volume)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "bars") as made:
        yield made


def fill(warehouse: Warehouse, start: int, end: int, leave_out: tuple[int, ...] = ()) -> None:
    bars = [bar(minute) for minute in range(start, end) if minute not in leave_out]
    warehouse.add(MINUTES, bars, provider="binance", span=span(start, end))


def volumes(warehouse: Warehouse, series: Subscription = FIVES) -> list[tuple[int, float]]:
    return [((bar.open_time - NOON) // M, bar.volume) for bar in warehouse.bars(series, span(-100, 100_000))]


def test_a_larger_bar_is_made_where_all_of_its_minutes_were_asked_for(warehouse: Warehouse) -> None:
    fill(warehouse, 3, 18, leave_out=(7,))  # nobody traded then
    assert Derived(warehouse).make(FIVES, [span(0, 20)]) == 2
    assert volumes(warehouse) == [(5, 4.0), (10, 5.0)]
    assert warehouse.missing(FIVES, span(0, 20)) == [span(0, 5), span(15, 20)]


def test_a_time_without_any_trade_is_answered_without_a_bar(warehouse: Warehouse) -> None:
    warehouse.add(MINUTES, [bar(0)], provider="binance", span=span(0, 10))
    Derived(warehouse).make(FIVES, [span(0, 10)])
    assert volumes(warehouse) == [(0, 1.0)]
    assert warehouse.missing(FIVES, span(0, 10)) == []


def test_what_the_provider_gave_itself_is_not_made_again(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 15)
    warehouse.add(FIVES, [bar(5, volume=77.0)], provider="binance", span=span(5, 10))
    made = Derived(warehouse)
    assert made.make(FIVES, [span(0, 15)]) == 2
    made.follow(MINUTES, [span(0, 15)], [FIVES.timeframe])
    assert volumes(warehouse) == [(0, 5.0), (5, 77.0), (10, 5.0)]


def test_only_larger_bars_that_new_minutes_touch_are_made(warehouse: Warehouse) -> None:
    made = Derived(warehouse)
    fill(warehouse, 0, 8)
    assert made.follow(MINUTES, [span(0, 8)], [FIVES.timeframe]) == 1
    fill(warehouse, 8, 61)
    assert made.follow(MINUTES, [span(8, 61)], [HOURS.timeframe]) == 11 + 1  # the fives are followed from now on
    assert [minute for minute, _ in volumes(warehouse)] == list(range(0, 60, 5))
    assert volumes(warehouse, HOURS) == [(0, 60.0)]


def test_a_corrected_minute_corrects_what_stands_on_it(warehouse: Warehouse) -> None:
    made = Derived(warehouse)
    fill(warehouse, 0, 10)
    made.follow(MINUTES, [span(0, 10)], [FIVES.timeframe])
    warehouse.revise(MINUTES, bar(7, volume=3.0), provider="binance")
    made.follow(MINUTES, [span(7, 8)])
    assert volumes(warehouse) == [(0, 5.0), (5, 7.0)]
    assert [(one.before.volume, one.by) for one in warehouse.revisions(FIVES)] == [(5.0, "binance 1m")]


def test_a_corrected_minute_corrects_what_was_made_although_the_newest_bar_is_the_venues_own(
    warehouse: Warehouse,
) -> None:
    made = Derived(warehouse)
    fill(warehouse, 0, 10)
    made.make(FIVES, [span(0, 10)])
    warehouse.add(FIVES, [bar(10, volume=50.0)], provider="binance live")
    warehouse.add(MINUTES, [bar(7, 9.0, volume=3.0), bar(12, 9.0)], provider="binance", span=span(10, 15))
    assert made.correct(MINUTES, [span(7, 8), span(12, 13)]) == 1
    assert volumes(warehouse) == [(0, 5.0), (5, 7.0), (10, 50.0)]
    assert warehouse.bars(FIVES, span(5, 6))[0].high == 9.0


def test_what_was_not_made_before_is_not_made_by_a_correction(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 10)
    made = Derived(warehouse)
    made.make(FIVES, [span(0, 5)])
    assert made.correct(MINUTES, [span(0, 10)]) == 1
    assert warehouse.missing(FIVES, span(0, 10)) == [span(5, 10)]


def test_days_of_shares_are_not_made_of_minutes_and_hours_are(warehouse: Warehouse) -> None:
    minutes = Subscription("alpaca", Symbol("AAPL"), Timeframe.parse("1m"))
    days, hours = (Subscription("alpaca", Symbol("AAPL"), Timeframe.parse(text)) for text in ("1d", "1h"))
    warehouse.add(minutes, [bar(0), bar(1439)], provider="alpaca", span=span(-720, 2160))
    made = Derived(warehouse)
    assert made.make(days, [span(-720, 2160)]) == 0
    assert made.follow(minutes, [span(-720, 2160)], [days.timeframe]) == 0
    assert made.make(hours, [span(0, 1440)]) == 2
    assert warehouse.get(days) is None


SHARES = [Subscription("yahoo", Symbol("NVDA"), Timeframe.parse(text)) for text in ("1m", "1h")]


def test_larger_bars_of_minutes_with_splits_worked_in_have_them_worked_in(warehouse: Warehouse) -> None:
    minutes, hours = SHARES
    for first, adjusted in ((0, False), (60, False), (120, True), (180, True)):
        some = [bar(minute) for minute in range(first, first + 60)]
        warehouse.add(minutes, some, provider="yahoo", span=span(first, first + 60), adjusted=adjusted)
    warehouse.add(minutes, [bar(59)], provider="yahoo", adjusted=False)
    assert Derived(warehouse).make(hours, [span(0, 240)]) == 4
    assert [(where, origin.adjusted) for where, origin in warehouse.origin(hours, span(0, 240))] == [
        (span(0, 120), False), (span(120, 240), True)
    ]  # fmt: skip
    assert warehouse.missing(hours, span(0, 240)) == []


def test_a_series_that_fell_behind_is_continued_from_its_newest_bar_on(warehouse: Warehouse) -> None:
    made = Derived(warehouse)
    fill(warehouse, 0, 10)
    made.make(FIVES, [span(0, 10)])
    fill(warehouse, 10, 40)  # nobody made larger ones of these
    fill(warehouse, 40, 46)
    assert made.follow(MINUTES, [span(40, 46)]) == 7
    assert [minute for minute, _ in volumes(warehouse)] == list(range(0, 45, 5))


def test_what_late_minutes_left_out_is_made_up_for(warehouse: Warehouse) -> None:
    made = Derived(warehouse)
    fill(warehouse, 0, 7)
    fill(warehouse, 10, 15)
    made.make(FIVES, [span(0, 15)])
    fill(warehouse, 7, 10)  # by a question of a feed, which follows nothing
    fill(warehouse, 15, 20)
    assert made.follow(MINUTES, [span(15, 20)]) == 2
    assert [minute for minute, _ in volumes(warehouse)] == [0, 5, 10, 15]


def test_of_shares_old_minutes_make_no_larger_bars_behind_the_newest_one(warehouse: Warehouse) -> None:
    minutes, hours = SHARES
    warehouse.add(minutes, [bar(minute) for minute in range(300)], provider="yahoo", adjusted=True)
    made = Derived(warehouse)
    made.make(hours, [span(0, 60), span(120, 180)])
    assert made.follow(minutes, [span(240, 300)]) == 2
    assert volumes(warehouse, hours) == [(0, 60.0), (120, 60.0), (180, 60.0), (240, 60.0)]


def test_minute_by_minute_a_series_is_looked_at_only_when_one_of_its_bars_ends(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Derived(warehouse)
    fill(warehouse, 0, 15)
    made.make(FIVES, [span(0, 10)])
    with monkeypatch.context() as patched:
        patched.setattr(warehouse, "get", None)  # it would be asked for the newest bar
        for minute in range(10, 14):
            assert made.follow(MINUTES, [span(minute, minute + 1)], ended=True) == 0
    assert made.follow(MINUTES, [span(14, 15)], ended=True) == 1
    assert volumes(warehouse) == [(0, 5.0), (5, 5.0), (10, 5.0)]


def test_a_series_whose_newest_bar_is_the_venues_own_is_not_continued(warehouse: Warehouse) -> None:
    made = Derived(warehouse)
    fill(warehouse, 0, 20)
    made.make(FIVES, [span(0, 5)])
    warehouse.add(FIVES, [bar(5, volume=77.0)], provider="binance live")
    assert made.follow(MINUTES, [span(10, 20)]) == 0


def test_larger_bars_are_made_although_our_clock_is_hours_behind(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "late", clock=ManualClock(NOON - 180 * M)) as late:
        some = [bar(minute) for minute in range(60)]
        late.add(MINUTES, some, provider="binance live", venue_time=NOON + 60 * M)
        assert Derived(late).make(HOURS, [span(0, 60)]) == 1
        assert volumes(late, HOURS) == [(0, 60.0)]


def test_bars_that_do_not_consist_of_minutes_are_not_made(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 10)
    made = Derived(warehouse)
    assert made.make(Subscription("binance", SYMBOL, Timeframe.parse("1s")), [span(0, 10)]) == 0
    assert made.make(MINUTES, [span(0, 20)]) == 0
    assert made.follow(FIVES, [span(0, 10)], [HOURS.timeframe]) == 0


def test_a_series_without_minutes_gives_nothing(warehouse: Warehouse) -> None:
    assert Derived(warehouse).make(HOURS, [span(0, 60)]) == 0


def test_a_minute_is_corrected_without_a_look_at_every_other_series(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse, 0, 10)
    made = Derived(warehouse)
    made.make(FIVES, [span(0, 10)])
    warehouse.revise(MINUTES, bar(7, volume=3.0), provider="binance")
    monkeypatch.setattr(warehouse, "series", None)  # it lists hundreds of them
    assert made.correct(MINUTES, [span(7, 8)]) == 1
    assert volumes(warehouse) == [(0, 5.0), (5, 7.0)]
