"""Orders only while the feed is LIVE: the network breaks twice, and no order is made on old bars.

    python examples/status_words.py
"""

from __future__ import annotations

import backtrader as bt
from market import simulated

import btfeeds


class Careful(bt.Strategy):
    def __init__(self):
        self.live = False
        self.held_back = 0

    def notify_data(self, data, status, *args, **kwargs):
        self.live = status == data.LIVE
        print(f"{data._getstatusname(status)} after {len(data)} bars", *args[:1])

    def next(self):
        if not self.live:
            self.held_back += 1  # history, or what was missed while the connection was broken
        elif not self.position:
            self.buy(size=0.1)
        else:
            self.close()

    def stop(self):
        print(f"{self.held_back} bars were no time for orders, {len(self) - self.held_back} were")


with simulated("BTC/USDT", faults=("cut@10m", "close@20m:1012")) as venue:
    cerebro = bt.Cerebro()
    cerebro.addstrategy(Careful)
    end = venue.until(minutes=40)
    cerebro.adddata(btfeeds.live("binance", "BTC/USDT", "1m", history="1h", todate=end, **venue.hosts))
    cerebro.run()
