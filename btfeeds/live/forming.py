"""A bar that is being made of trades: what each of them moves, and what becomes of one that the venue takes back."""

from __future__ import annotations

import math

import msgspec

from btfeeds.market import HIGH_LOW, OPEN_CLOSE, PRICES, Bar, Timeframe, Trade


class Forming:
    """A bar that trades are added to. `lacks`: holes in the numbering that may have been its trades."""

    __slots__ = (
        "close", "count", "end", "given", "high", "lacks", "low", "newest", "oldest", "open", "open_time",
        "quantities", "whole",
    )  # fmt: skip

    def __init__(self, timeframe: Timeframe, open_time: int, *, whole: bool = False) -> None:
        self.open_time = open_time
        self.end = timeframe.close(open_time)
        self.whole = whole  # the trade before its first one was heard, too
        self.given = False
        self.lacks: list[set[int]] = []
        self.clear()

    def clear(self) -> None:
        """No trades."""
        self.open = self.close = 0.0
        self.high, self.low = 0.0, math.inf
        self.oldest, self.newest = math.inf, -math.inf
        self.quantities: list[float] = []
        self.count = 0  # 0: it is no bar

    def add(self, trade: Trade) -> None:
        price, place = trade.price, _place(trade)
        if price > self.high:
            self.high = price
        if price < self.low:
            self.low = price
        if place >= self.newest:
            self.close, self.newest = price, place
        if place < self.oldest:
            self.open, self.oldest = price, place
        self.quantities.append(trade.quantity)
        self.count += trade.count

    def correct(self, revoked: Trade, trade: Trade | None) -> bool:
        """Take a trade out, and put another one in its place; False: it is not here."""
        return False

    def bar(self) -> Bar:
        # fsum is exact; the rounding takes the sum of decimal fractions to the nearest decimal fraction again
        volume = round(math.fsum(self.quantities), 10)
        return Bar(self.open_time, self.open, self.high, self.low, self.close, volume, self.count)


class Selective(Forming):
    """A bar whose trades move what their conditions let them.

    Larger bars are made of the venue's bars of `piece_ms`: what moves volume only counts with a trade that opens such a
    bar, and a piece without one adds nothing. `remembers`: trades may be taken back.
    """

    __slots__ = ("aside", "piece_ms", "pieces", "trades")

    def __init__(
        self, timeframe: Timeframe, open_time: int, *, whole: bool = False, piece_ms: int, remembers: bool = False
    ) -> None:
        self.piece_ms = piece_ms
        self.trades: list[Trade] | None = [] if remembers else None
        super().__init__(timeframe, open_time, whole=whole)

    def clear(self) -> None:
        super().clear()
        self.pieces: set[int] = set()  # those that are bars
        self.aside: dict[int, list[Trade]] = {}  # trades of those that are none yet

    def add(self, trade: Trade) -> None:
        if self.trades is not None:
            self.trades.append(trade)
        self._count(trade)

    def _count(self, trade: Trade) -> None:
        piece = (trade.time - self.open_time) // self.piece_ms
        if piece in self.pieces:
            self._move(trade)
        elif trade.moves & OPEN_CLOSE:
            self.pieces.add(piece)
            for one in (*self.aside.pop(piece, ()), trade):
                self._move(one)
        else:
            self.aside.setdefault(piece, []).append(trade)

    def _move(self, trade: Trade) -> None:
        if trade.moves == PRICES:
            super().add(trade)
            return
        price, place = trade.price, _place(trade)
        if trade.moves & HIGH_LOW:
            self.high, self.low = max(self.high, price), min(self.low, price)
        if trade.moves & OPEN_CLOSE:
            if place >= self.newest:
                self.close, self.newest = price, place
            if place < self.oldest:
                self.open, self.oldest = price, place
        self.quantities.append(trade.quantity)
        self.count += trade.count

    def correct(self, revoked: Trade, trade: Trade | None) -> bool:
        known = self.trades or []
        same = (revoked.key, revoked.price, revoked.quantity)
        at = next((n for n, one in enumerate(known) if (one.key, one.price, one.quantity) == same), -1)
        if at < 0:
            return False
        # when a correction says that it was made is not documented: the trade was when it was
        known[at : at + 1] = [] if trade is None else [msgspec.structs.replace(trade, time=known[at].time)]
        self.clear()
        for one in known:
            self._count(one)
        return True


def begun(
    timeframe: Timeframe, open_time: int, piece: Timeframe | None, *, whole: bool = False, remembers: bool = False
) -> Forming:
    """A bar without trades yet. `piece`: see Selective; None: every trade moves everything."""
    if piece is None:
        return Forming(timeframe, open_time, whole=whole)
    return Selective(timeframe, open_time, whole=whole, piece_ms=piece.ms, remembers=remembers)


def _place(trade: Trade) -> int:
    """Where a trade stands among those of its bar: by number, where there is one."""
    return trade.id if trade.id >= 0 else trade.time
