"""Bars on disk: what was fetched once is there for every backtest, also in larger timeframes.

    python examples/warehouse_backtest.py
"""

from __future__ import annotations

import tempfile

import backtrader as bt
from market import HISTORY, START, simulated

import btfeeds


class Cross(bt.Strategy):
    def __init__(self):
        self.signal = bt.ind.CrossOver(self.data.close, bt.ind.SMA(period=15))

    def next(self):
        if self.signal > 0 and not self.position:
            self.buy(size=0.1)
        elif self.signal < 0 and self.position:
            self.close()


def backtest(folder, timeframe):
    cerebro = bt.Cerebro()
    cerebro.addstrategy(Cross)
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.adddata(btfeeds.HistoryFeed(dataname="BTC/USDT", venue="binance", timeframe=timeframe, warehouse=folder))
    [strategy] = cerebro.run()
    trades = strategy.analyzers.trades.get_analysis().total.total
    print(f"{timeframe}: {len(strategy)} bars, {trades} trades, worth {cerebro.broker.getvalue():,.2f}")


span = btfeeds.TimeRange(START, START + HISTORY * 60_000)

with simulated("BTC/USDT") as venue, tempfile.TemporaryDirectory() as folder:

    def download(name):
        hosts = {"rest_url": venue.hosts["rest_url"], "clock": venue.hosts["clock"]}
        return btfeeds.DataDownloaderFactory.create(name, **hosts)

    with btfeeds.DataManager(folder, clock=venue.hosts["clock"], create=download) as manager:
        for _ in range(2):  # the second time everything is there
            pages = manager.fill("binance", "BTC/USDT", "1m", span)
            print(f"fetched {sum(len(had.page.bars) for had in pages)} bars")
    for timeframe in ("1m", "5m"):
        backtest(folder, timeframe)
