"""The same script as a backtest: `historical=True` downloads the bars, and the run ends with the last of them.

    python examples/historical_backtest.py
"""

from __future__ import annotations

import backtrader as bt
from market import simulated

import btfeeds


class Reversal(bt.Strategy):
    params = (("period", 20),)

    def __init__(self):
        self.bands = bt.ind.BollingerBands(period=self.p.period)

    def next(self):
        if self.data.close[0] < self.bands.bot[0] and not self.position:
            self.buy(size=0.1)
        elif self.data.close[0] > self.bands.mid[0] and self.position:
            self.close()


with simulated("ETH/USDT") as venue:
    cerebro = bt.Cerebro()
    cerebro.addstrategy(Reversal)
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.adddata(btfeeds.live("binance", "ETH/USDT", "1m", history="4h", historical=True, **venue.hosts))
    [strategy] = cerebro.run()
    trades = strategy.analyzers.trades.get_analysis()
    print(f"{len(strategy)} bars, {trades.total.total} trades, worth {cerebro.broker.getvalue():,.2f}")
