"""One live feed of minutes, and five minutes and hours made of it: each larger bar comes with its last minute.

    python examples/resample.py
"""

from __future__ import annotations

import backtrader as bt
from market import simulated

import btfeeds


class Watch(bt.Strategy):
    def __init__(self):
        self.seen = [0] * len(self.datas)

    def prenext(self):
        self.next()

    def next(self):
        for number, data in enumerate(self.datas):
            if len(data) > self.seen[number]:
                self.seen[number] = len(data)
                if number:
                    closed = data.datetime.datetime(0)
                    print(f"{data.opened():%H:%M} to {closed:%H:%M} {data._name} at {data.close[0]:.2f}")

    def stop(self):
        print(*(f"{data._name}: {len(data)} bars" for data in self.datas), sep=", ")


with simulated("BTC/USDT") as venue:
    cerebro = bt.Cerebro()
    cerebro.addstrategy(Watch)
    minutes = btfeeds.live("binance", "BTC/USDT", "1m", history="2h", todate=venue.until(minutes=20), **venue.hosts)
    cerebro.adddata(minutes, name="1m")
    cerebro.resampledata(minutes, name="5m", timeframe=bt.TimeFrame.Minutes, compression=5)
    cerebro.resampledata(minutes, name="1h", timeframe=bt.TimeFrame.Minutes, compression=60)
    cerebro.run()
