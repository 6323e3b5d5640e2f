from __future__ import annotations

from typing import Any

import backtrader as bt

from tests.fakes import END, LIVE, MINUTE, NOON, bar, feed


class Cross(bt.Strategy):
    """Trades a crossing of averages, and writes down all it sees."""

    def __init__(self) -> None:
        fast, self.slow = bt.ind.SMA(period=5), bt.ind.SMA(period=30)
        self.cross = bt.ind.CrossOver(fast, self.slow)
        self.seen: list[Any] = []

    def next(self) -> None:
        data = self.data
        other = (len(self.data1), self.data1.close[0])
        self.seen.append((len(data), data.close[0], data.close[-20], self.slow[0], self.broker.getvalue(), other))
        if self.cross > 0:
            self.buy()
        elif self.cross < 0:
            self.close()


def price(n: int) -> float:
    return 100 + (n * n) % 17


def run(keep: int, bars: int = 1000, *, resampled: bool = True, strategy: Any = Cross) -> Any:
    items = [bar(NOON + n * MINUTE, price(n)) for n in range(bars)]
    other = [bar(NOON + n * MINUTE, price(n)) for n in range(0, bars, 3)]
    cerebro = bt.Cerebro()
    # live from the start: then nothing keeps the feeds in step, and Cerebro takes bars back that are too early
    data = feed(LIVE, *items, END, keep=keep, settled=NOON)
    cerebro.adddata(data)
    cerebro.adddata(feed(LIVE, *other, END, symbol="B/USDT", settled=10**15))
    if resampled:
        cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5)
    cerebro.addstrategy(strategy)
    return cerebro.run()[0]


def lines_of(owner: Any) -> list[Any]:
    children = [line for group in owner._lineiterators.values() for child in group for line in child.lines]
    return [*owner.lines, *children, *(line for data in owner.datas for line in data.lines)]


def test_a_strategy_sees_the_same_with_and_without_cutting() -> None:
    assert run(keep=50).seen == run(keep=0).seen


def test_lines_stay_short() -> None:
    strategy = run(keep=50)
    longest = max(len(line.array) for line in lines_of(strategy))
    assert 50 <= longest <= 2 * 50 + 2
    assert len(strategy.data) == 1000


def test_nothing_is_cut_by_default() -> None:
    assert len(run(keep=0).data.lines[0].array) == 1000


def test_indicators_keep_what_they_look_back_on() -> None:
    assert run(keep=1).seen == run(keep=0).seen
