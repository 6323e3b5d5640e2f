from __future__ import annotations

import datetime as dt
import random

import backtrader as bt
import numpy as np
import pytest

from btfeeds.cerebro import stamps
from btfeeds.errors import ConfigError
from btfeeds.market import TICK, Timeframe

EPOCH = dt.datetime(1970, 1, 1)


def test_days_are_the_bits_of_date2num() -> None:
    rng = random.Random(7)
    for _ in range(2000):
        ms = rng.randrange(-2_000_000_000_000, 4_000_000_000_000)
        assert stamps.days(ms) == bt.date2num(EPOCH + dt.timedelta(milliseconds=ms))


def test_a_column_has_the_same_bits_as_its_single_values() -> None:
    rng = random.Random(8)
    us = [rng.randrange(-(10**15), 4 * 10**15) for _ in range(2000)]
    column = stamps.days_of(np.array(us, dtype=np.int64))
    assert column.tolist() == [bt.date2num(EPOCH + dt.timedelta(microseconds=time)) for time in us]


def test_days_go_back_to_the_same_millisecond() -> None:
    rng = random.Random(9)
    for _ in range(2000):
        ms = rng.randrange(0, 4_000_000_000_000)
        assert stamps.ms_of(stamps.days(ms)) == ms


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("1s", (bt.TimeFrame.Seconds, 1)),
        ("5m", (bt.TimeFrame.Minutes, 5)),
        ("4h", (bt.TimeFrame.Minutes, 240)),
        ("1d", (bt.TimeFrame.Days, 1)),
        ("1w", (bt.TimeFrame.Weeks, 1)),
        ("1M", (bt.TimeFrame.Months, 1)),
    ],
)
def test_timeframes_are_backtraders_pairs_in_both_directions(text: str, pair: tuple[int, int]) -> None:
    assert stamps.pair(Timeframe.parse(text)) == pair
    assert stamps.timeframe(*pair) == Timeframe.parse(text)


def test_a_year_is_twelve_months() -> None:
    assert stamps.timeframe(bt.TimeFrame.Years, 1) == Timeframe(12, "M")


@pytest.mark.parametrize("pair", [(bt.TimeFrame.Ticks, 0), (bt.TimeFrame.Minutes, 0), ("1m", 1)])
def test_what_is_no_timeframe_of_bars_is_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(ConfigError):
        stamps.timeframe(*pair)


@pytest.mark.parametrize("pair", [(bt.TimeFrame.Ticks, 5), (bt.TimeFrame.MicroSeconds, 1)])
def test_what_is_smaller_than_a_second_and_no_trade_is_refused_by_name(pair: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=r"(Tick|MicroSecond)s? with compression=\d is not supported.\n.*\n.*Ticks"):
        stamps.timeframe(*pair)


def test_a_tick_is_a_timeframe_of_its_own() -> None:
    assert stamps.timeframe(bt.TimeFrame.Ticks, 1) == stamps.parsed("tick") == TICK
    assert stamps.pair(TICK) == (bt.TimeFrame.Ticks, 1)
    assert stamps.parsed("1m") == Timeframe.parse("1m")


def test_utc_is_naive() -> None:
    assert stamps.utc(1_709_294_400_000) == dt.datetime(2024, 3, 1, 12)
