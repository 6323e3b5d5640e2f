"""Trades to bars, in exchange time, for timeframes and venues without a stream of bars.

A trade belongs to the bar in whose span its own time lies; the first trade of a later bar closes the one before. The
bar that was under way when the stream began, broke or lost a trade is never trusted: it is left out, and history
gives it. Volumes are summed without rounding errors, so that a bar equals the venue's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from btfeeds.market import Bar, Timeframe, Trade


class _Forming:
    """The bar under way."""

    __slots__ = ("close", "count", "high", "low", "open", "open_time", "quantities")

    def __init__(self, open_time: int, trade: Trade) -> None:
        self.open_time = open_time
        self.open = self.high = self.low = self.close = trade.price
        self.quantities = [trade.quantity]
        self.count = trade.count

    def add(self, trade: Trade) -> None:
        price = trade.price
        if price > self.high:
            self.high = price
        if price < self.low:
            self.low = price
        self.close = price
        self.quantities.append(trade.quantity)
        self.count += trade.count

    def bar(self) -> Bar:
        # fsum is exact; the rounding takes the sum of decimal fractions to the nearest decimal fraction again
        volume = round(math.fsum(self.quantities), 10)
        return Bar(self.open_time, self.open, self.high, self.low, self.close, volume, self.count)


class TradeBars:
    """Bars of one timeframe from the trades of one symbol."""

    def __init__(self, timeframe: Timeframe, *, counted: bool = True) -> None:
        """`counted`: the venue numbers a symbol's trades without holes, so that a jump means that one was lost."""
        self.timeframe = timeframe
        self._counted = counted
        self.late = 0  # trades that came after their bar was closed
        self.lost = 0  # jumps in the venue's numbering
        self._forming: _Forming | None = None
        self._trusted = False
        self._close = 0
        self._last_id = -1
        self._doubted = False

    def broken(self) -> None:
        """The stream broke: the bar under way lacks trades, and so may the next one we hear of."""
        self._forming = None

    def seen(self, last_id: int) -> None:
        """The venue's last trade has this number: when we have not heard it, the bar under way lacks something."""
        if 0 <= self._last_id < last_id:
            self.lost += 1
            self._trusted = False

    def doubt(self) -> None:
        """A trade may be lost. Where trades are numbered contiguously the next one tells; elsewhere nothing would."""
        self._doubted = True

    def add(self, trade: Trade) -> Bar | None:
        """Take one trade in the venue's order; returns the bar it closes, if it closes one that can be trusted."""
        jumped = self._doubted and (trade.id < 0 or not self._counted)
        self._doubted = False
        if trade.id >= 0:
            if trade.id <= self._last_id:
                return None  # two connections overlap, or the venue repeats itself
            if self._counted:
                jumped = 0 <= self._last_id < trade.id - 1
            self.lost += jumped
            self._last_id = trade.id
        forming = self._forming
        if forming is not None:
            if trade.time < forming.open_time:
                self.late += 1
                return None
            if jumped:
                self._trusted = False
            if trade.time < self._close:
                forming.add(trade)
                return None
        closed = forming.bar() if forming is not None and self._trusted else None
        # A bar is whole when the trade before its first one was heard too.
        self._trusted = forming is not None and not jumped
        self._forming = _Forming(self.timeframe.floor(trade.time), trade)
        self._close = self.timeframe.close(self._forming.open_time)
        return closed


def bars_from_trades(trades: Iterable[Trade], timeframe: Timeframe) -> list[Bar]:
    """The bars of trades in time order, ascending; the first and the last hold only the trades that were given."""
    bars: list[Bar] = []
    forming: _Forming | None = None
    for trade in trades:
        open_time = timeframe.floor(trade.time)
        if forming is not None and forming.open_time == open_time:
            forming.add(trade)
            continue
        if forming is not None:
            bars.append(forming.bar())
        forming = _Forming(open_time, trade)
    if forming is not None:
        bars.append(forming.bar())
    return bars
