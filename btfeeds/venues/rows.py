"""Rows of bars and trades as most venues have them: by the order of their columns, or by the names of their fields.

A dialect adds what its rows hold besides: when a bar opens, how many trades it has, columns behind these.
"""

from __future__ import annotations

import msgspec

from btfeeds.market import PRICES, Bar, Trade
from btfeeds.venues import reading
from btfeeds.venues.reading import Count


class Priced:
    """What has four prices and a volume."""

    __slots__ = ()
    open: float
    high: float
    low: float
    close: float
    volume: float

    def bar(self, time: int, trades: int = -1) -> Bar:
        """The bar that opens at `time` (ms) and has so many trades (-1: nobody says)."""
        return Bar(time, self.open, self.high, self.low, self.close, self.volume, trades)


class Named(msgspec.Struct, Priced, gc=False):
    """{"open": …, "high": …, "low": …, "close": …, "volume": …}, in any order."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class Letters(msgspec.Struct, gc=False):
    """{"o": …, "h": …, "l": …, "c": …, "v": …}, in any order."""

    o: float
    h: float
    l: float  # noqa: E741  # the venues' name
    c: float
    v: float

    def bar(self, time: int, trades: int = -1) -> Bar:
        """The bar that opens at `time` (ms) and has so many trades (-1: nobody says)."""
        return Bar(time, self.o, self.h, self.l, self.c, self.v, trades)


class CutLetters(Letters):
    """As Letters, where `v` is cut to whole shares, and `dv` tells all of it."""

    dv: str | float | None = None

    def bar(self, time: int, trades: int = -1) -> Bar:
        return Bar(time, self.o, self.h, self.l, self.c, exact(self.dv, self.v), trades)


class Row(msgspec.Struct, Priced, array_like=True, gc=False):
    """[time, open, high, low, close, volume, …]."""

    time: Count
    open: float
    high: float
    low: float
    close: float
    volume: float


class CloseRow(msgspec.Struct, Priced, array_like=True, gc=False):
    """[time, open, CLOSE, high, low, volume, …]."""

    time: Count
    open: float
    close: float
    high: float
    low: float
    volume: float


class TradeRow(msgspec.Struct, array_like=True, gc=False):
    """[number, time, amount, price], where what was sold to a bid has an amount below 0."""

    number: Count
    time: Count
    amount: float
    price: float

    def trade(self) -> Trade:
        return Trade(self.time, self.price, abs(self.amount), self.number)


class Match(msgspec.Struct, gc=False):
    """{"trade_id": …, "price": …, "size": …, "time": "2024-01-31T19:59:00.123456Z"}, in any order."""

    trade_id: Count
    price: float
    size: float
    time: str

    def trade(self) -> Trade:
        """The trade. Raises BadFrame when its time is none."""
        return Trade(reading.instant(self.time), self.price, self.size, self.trade_id)


class Sold(msgspec.Struct, gc=False):
    """{"p": price, "s": size}, in any order."""

    p: float
    s: float

    def sold(self, time: int, key: str, moves: int | None = PRICES) -> Trade | None:
        """The trade that the venue calls `key`; None where a price is reported, and nothing was sold."""
        return None if moves is None or not self.s else Trade(time, self.p, self.s, key=key, moves=moves)


class CutSold(Sold):
    """As Sold, where `s` is cut to whole shares, and `ds` tells all of it."""

    ds: str | float | None = None

    def sold(self, time: int, key: str, moves: int | None = PRICES) -> Trade | None:
        return Sold(self.p, exact(self.ds, self.s)).sold(time, key, moves)


def exact(number: str | float | None, otherwise: float) -> float:
    """What is told to all its digits, as a text mostly; `otherwise` where it is not. Raises BadFrame."""
    return otherwise if number is None else float(reading.converted(float, number, strict=False))
