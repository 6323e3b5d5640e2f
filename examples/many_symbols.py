"""Three symbols in one strategy. With `align`, the bars of a minute come together, in one next().

    python examples/many_symbols.py
"""

from __future__ import annotations

import backtrader as bt
from market import simulated

import btfeeds

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")


class Strongest(bt.Strategy):
    """Which symbol rose most in the last ten minutes? Only a comparison of bars of the same minute tells."""

    def next(self):
        stamps = {data.datetime[0] for data in self.datas}
        rises = {data._name: data.close[0] / data.close[-10] - 1 for data in self.datas if len(data) > 10}
        if rises:
            best = max(rises, key=rises.get)
            together = "together" if len(stamps) == 1 else "apart"
            print(f"{self.datetime.datetime(0):%H:%M} {best} {rises[best]:+.2%} ({len(self.datas)} bars, {together})")


with simulated(*SYMBOLS, speed=120) as venue:
    cerebro = bt.Cerebro()
    cerebro.addstrategy(Strongest)
    for symbol in SYMBOLS:
        cerebro.adddata(
            btfeeds.live("binance", symbol, "1m", history=30, align=45.0, todate=venue.until(minutes=8), **venue.hosts)
        )
    cerebro.run()
