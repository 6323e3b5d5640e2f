"""Two moving averages that cross: history first, so that they are warm, then live bars.

    python examples/sma_cross_live.py

It runs on a venue of its own, on this machine, at high speed. For the real one leave out what `market` gives.
"""

from __future__ import annotations

import backtrader as bt
from market import simulated

import btfeeds


class SmaCross(bt.Strategy):
    params = (("quick", 5), ("slow", 15))

    def __init__(self):
        self.cross = bt.ind.CrossOver(bt.ind.SMA(period=self.p.quick), bt.ind.SMA(period=self.p.slow))

    def notify_data(self, data, status, *args, **kwargs):
        print(data._name, data._getstatusname(status))

    def notify_order(self, order):
        if order.status == order.Completed:
            side = "bought" if order.isbuy() else "sold"
            print(f"{self.data.datetime.datetime(0):%H:%M} {side} at {order.executed.price:.2f}")

    def next(self):
        if self.cross[0] > 0 and not self.position:
            self.buy(size=0.1)
        elif self.cross[0] < 0 and self.position:
            self.close()


with simulated("BTC/USDT") as venue:
    cerebro = bt.Cerebro()
    cerebro.broker.setcash(100_000)
    cerebro.addstrategy(SmaCross)
    end = venue.until(minutes=30)
    cerebro.adddata(btfeeds.live("binance", "BTC/USDT", "1m", history="2h", todate=end, **venue.hosts))
    cerebro.run()
    print(f"the account is worth {cerebro.broker.getvalue():,.2f}")
