"""Replayed bars: backtrader's own, and of trades that share an instant."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import ConfigError
from btfeeds.market import TICK, Bar, Trade, to_ms
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, FakeFeed, FakeStream, bar, feed


class Last(bt.Strategy):  # type: ignore[misc]
    def __init__(self) -> None:
        self.bars: dict[int, tuple[float, ...]] = {}
        self.steps: list[float] = []

    def next(self) -> None:
        data = self.data
        self.steps.append(data.close[0])
        self.bars[len(data)] = (data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0])


def replayed(data: Any, compression: int, plain: bool = False) -> Any:
    cerebro = bt.Cerebro(stdstats=False)
    if plain:
        cerebro.adddata(data, name="plain")
    cerebro.replaydata(data, timeframe=bt.TimeFrame.Minutes, compression=compression)
    cerebro.addstrategy(Last)
    return cerebro.run()[0]


def ticks(*trades: Trade) -> FakeFeed:
    bars = [Bar(one.time, *[one.price] * 4, one.quantity) for one in trades]  # type: ignore[call-arg,misc]
    stream = FakeStream([DELAYED, LIVE, *bars, END])
    stream.timeframe = TICK
    made: FakeFeed = FakeFeed(dataname="BTC/USDT", stream=stream, timeframe="tick", clock=ManualClock(NOON))
    return made


def test_minutes_are_replayed_as_ever() -> None:
    strategy = replayed(feed(DELAYED, *[bar(NOON + n * 60_000) for n in range(4)], LIVE, END), 2)
    assert [bar[4] for bar in strategy.bars.values()] == [2, 2]


@pytest.mark.parametrize("gap_ms", [0, 1])
def test_trades_of_one_instant_do_not_move_the_end_of_a_bar(gap_ms: int) -> None:
    # backtrader's own would take the second of a pair for late, and the minute for over
    times = [NOON + 100, NOON + 59_950, NOON + 59_950 + gap_ms, NOON + 60_010, NOON + 60_020, NOON + 120_500]
    prices = [10.0, 14.0, 9.0, 11.0, 12.0, 20.0]
    strategy = replayed(ticks(*(Trade(time, price, 1.0) for time, price in zip(times, prices, strict=True))), 1)
    assert strategy.steps == prices
    assert list(strategy.bars.values()) == [(10, 14, 9, 9, 3), (11, 12, 11, 12, 2), (20, 20, 20, 20, 1)]


# --- live as in history ----------------------------------------------------------------------------------------------

EVENING = to_ms("2024-02-26T22:00Z")


def volumes(minutes: range, *, live: bool, stamp: str = "close", quiet: int = -1, **options: Any) -> list[float]:
    """The volumes of the replayed bars. Live the clock goes on minute by minute, and Cerebro has an idle round."""
    clock = ManualClock(EVENING)
    items: list[Any] = [LIVE if live else DELAYED]
    for minute in minutes:
        if live:
            items.append(lambda close=EVENING + (minute + 1) * MINUTE + 300: clock.set(close))
        if minute != quiet:
            items.append(bar(EVENING + minute * MINUTE))
    data = feed(*items, LIVE, END, settled=EVENING, clock=clock, stamp=stamp)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.replaydata(data, **options)
    cerebro.addstrategy(Last)
    return [one[4] for one in cerebro.run()[0].bars.values()]


@pytest.mark.parametrize("live", [False, True], ids=["history", "live"])
@pytest.mark.parametrize(("stamp", "expected"), [("open", [120, 1440, 10]), ("close", [119, 1440, 11])])
def test_a_replayed_day_ends_with_the_day(live: bool, stamp: str, expected: list[float]) -> None:
    minutes = range(120 + 1440 + 10)
    assert volumes(minutes, live=live, stamp=stamp, timeframe=bt.TimeFrame.Days) == expected


@pytest.mark.parametrize("live", [False, True], ids=["history", "live"])
def test_a_replayed_hour_ends_at_midnight_though_nobody_traded_in_its_last_minute(live: bool) -> None:
    options = {"timeframe": bt.TimeFrame.Minutes, "compression": 60}
    assert volumes(range(240), live=live, quiet=119, **options) == [60, 59, 60, 60]


@pytest.mark.parametrize("live", [False, True], ids=["history", "live"])
def test_a_replayed_bar_with_its_time_adjusted_has_its_last_minute(live: bool) -> None:
    options = {"timeframe": bt.TimeFrame.Minutes, "compression": 5, "adjbartime": True}
    assert volumes(range(15), live=live, **options) == [5, 5, 5]


# --- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [1, 7])
def test_what_is_no_multiple_cannot_be_replayed(compression: int) -> None:
    with pytest.raises(ConfigError, match=f"Bars of {compression}m cannot be replayed from bars of 5m"):
        replayed(feed(timeframe="5m"), compression)


@pytest.mark.parametrize("again", ["resampledata", "replaydata"])
def test_nothing_is_made_of_the_unfinished_bars_of_a_replayed_feed(again: str) -> None:
    cerebro = bt.Cerebro(stdstats=False)
    data = feed()
    cerebro.replaydata(data, timeframe=bt.TimeFrame.Minutes, compression=5)
    with pytest.raises(ConfigError, match="BTC/USDT is replayed"):
        getattr(cerebro, again)(data, timeframe=bt.TimeFrame.Minutes, compression=15)
