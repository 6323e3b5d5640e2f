"""Three weeks of a real market, minutes without trades included: most of it history, the rest live."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from btfeeds.barfile import read
from btfeeds.market import iso
from btfeeds.simulator import serve
from tests.e2e.helpers import MINUTE, Diary, accepted, feed, rows, run
from tests.shared import shared

FILE = "binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz"
LIVE = 150
SPEED = 400.0


class Cross(bt.Strategy):  # type: ignore[misc]
    """Long while the quick average is above the slow one; every order that was filled."""

    def __init__(self) -> None:
        self.filled: list[tuple[Any, ...]] = []
        averages = bt.indicators.SMA
        self.cross = bt.indicators.CrossOver(averages(period=20), averages(period=60))

    def next(self) -> None:
        if self.cross[0] > 0 and not self.position:
            self.buy(size=0.1)
        elif self.cross[0] < 0 and self.position:
            self.close()

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            done = order.executed
            self.filled.append((bt.num2date(done.dt).replace(microsecond=0), done.size, done.price, done.comm))


class Both(Cross, Diary):
    """Trades, and writes down."""

    def __init__(self) -> None:
        Cross.__init__(self)
        Diary.__init__(self)

    def prenext(self) -> None:
        Diary.next(self)

    def next(self) -> None:
        Cross.next(self)
        Diary.next(self)


@pytest.mark.slow
def test_they_reach_the_strategy_row_for_row_and_it_trades_as_in_a_backtest() -> None:
    bars = read(shared(FILE)).bars
    assert len(bars) == 30_240
    assert sum(bar.volume == 0 for bar in bars) > 100
    assert sum(bar.volume == 0 for bar in bars[-LIVE:]) > 0
    end = bars[-1].open_time + MINUTE
    with serve("binance", shared(FILE), symbol="BTC/USDT", history=len(bars) - LIVE, speed=SPEED) as sim:
        met = run(feed(sim, fromdate=bars[0].open_time, todate=iso(end)), strategy=Both, seconds=50)
    assert met.rows["BTC/USDT"] == rows(bars)
    assert accepted(met.words["BTC/USDT"])
    assert "LIVE" in met.words["BTC/USDT"]

    index = pd.to_datetime([bar.open_time + MINUTE for bar in bars], unit="ms")  # stamped with the close, as ours
    names = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame({name: [getattr(bar, name) for bar in bars] for name in names}, index=index)
    plain = run(bt.feeds.PandasData(dataname=frame, timeframe=bt.TimeFrame.Minutes), strategy=Cross)
    assert len(plain.filled) > 100
    assert met.filled == plain.filled
    assert met.broker.getvalue() == plain.broker.getvalue()
