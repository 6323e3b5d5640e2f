"""Replayed bars: backtrader's own, and of trades that share an instant."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import pytest

from btfeeds.clock import ManualClock
from btfeeds.market import TICK, Bar, Trade
from tests.fakes import DELAYED, END, LIVE, NOON, FakeFeed, FakeStream, bar, feed


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
