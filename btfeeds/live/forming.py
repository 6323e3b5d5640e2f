"""A bar that is being made of trades: what each of them moves, and what becomes of one that the venue takes back."""

from __future__ import annotations

import math
from itertools import chain

import msgspec

from btfeeds.market import HIGH_LOW, OPEN_CLOSE, Bar, Timeframe, Trade


class Forming:
    """A bar that trades are added to. `lacks`: holes in the numbering that may have been its trades."""

    __slots__ = (
        "close", "count", "end", "given", "high", "lacks", "low", "newest", "oldest", "open", "open_time",
        "quantities", "whole",
    )  # fmt: skip

    def __init__(self, timeframe: Timeframe, open_time: int, *, whole: bool = False) -> None:
        self.open_time = open_time
        self.end = timeframe.close(open_time)
        self.whole = whole  # it was heard from its beginning on
        self.given: Bar | None = None  # what was told of it at last
        self.lacks: list[set[int]] = []
        self.open = self.close = 0.0
        self.high, self.low = 0.0, math.inf
        self.oldest, self.newest = math.inf, -math.inf
        self.quantities: list[float] = []
        self.count = 0  # 0: it is no bar

    @property
    def forgot(self) -> bool:
        """Whether a trade of it may be taken back that is not known any more."""
        return False

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


class _Piece:
    """What the venue makes a bar of: it is one when a trade has opened it."""

    __slots__ = ("close", "count", "high", "low", "newest", "oldest", "open", "quantities", "trades")

    def __init__(self, trades: list[Trade] | None) -> None:
        self.trades = trades  # None: they are not remembered
        self.clear()

    def clear(self) -> None:
        self.open = self.close = 0.0
        self.high, self.low = 0.0, math.inf
        self.oldest, self.newest = math.inf, -math.inf
        self.quantities: list[float] = []
        self.count = 0

    @property
    def opened(self) -> bool:
        return self.oldest < math.inf

    def add(self, trade: Trade) -> None:
        moves, price = trade.moves, trade.price
        if moves & HIGH_LOW:
            if price > self.high:
                self.high = price
            if price < self.low:
                self.low = price
        if moves & OPEN_CLOSE:
            place = _place(trade)
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
            self.add(one)
        return True


class Selective(Forming):
    """A bar whose trades move what their conditions let them.

    Larger bars are made of the venue's bars of `piece_ms`: what moves volume only counts with a trade that opens such a
    bar, and a piece without one adds nothing. `remember_ms`: for so long after a piece's end trades of it may be taken
    back, and are kept (0: none is).
    """

    __slots__ = ("piece_ms", "pieces", "remember_ms")

    def __init__(
        self, timeframe: Timeframe, open_time: int, *, whole: bool = False, piece_ms: int, remember_ms: int = 0
    ) -> None:
        super().__init__(timeframe, open_time, whole=whole)
        self.piece_ms = piece_ms
        self.remember_ms = remember_ms
        self.pieces: dict[int, _Piece] = {}

    @property
    def forgot(self) -> bool:
        return self.remember_ms > 0 and any(piece.trades is None for piece in self.pieces.values())

    def add(self, trade: Trade) -> None:
        number = (trade.time - self.open_time) // self.piece_ms
        piece = self.pieces.get(number)
        if piece is None:
            self._forget(trade.time)
            piece = self.pieces[number] = _Piece([] if self.remember_ms else None)
        if piece.trades is not None:
            piece.trades.append(trade)
        before = piece.count if piece.opened else 0
        piece.add(trade)
        if piece.opened:
            self.count += piece.count - before

    def correct(self, revoked: Trade, trade: Trade | None) -> bool:
        if not any(piece.correct(revoked, trade) for piece in reversed(self.pieces.values())):
            return False
        self.count = sum(piece.count for piece in self.pieces.values() if piece.opened)
        return True

    def bar(self) -> Bar:
        made = [piece for _, piece in sorted(self.pieces.items()) if piece.opened]
        volume = round(math.fsum(chain.from_iterable(piece.quantities for piece in made)), 10)
        high, low = max(piece.high for piece in made), min(piece.low for piece in made)
        return Bar(self.open_time, made[0].open, high, low, made[-1].close, volume, self.count)

    def _forget(self, now: int) -> None:
        """A trade of `now` begins a piece: of those that ended long before nothing will be taken back any more."""
        for number, piece in self.pieces.items():
            if self.open_time + (number + 1) * self.piece_ms + self.remember_ms <= now:
                piece.trades = None


def begun(
    timeframe: Timeframe, open_time: int, piece: Timeframe | None, *, whole: bool = False, remember_ms: int = 0
) -> Forming:
    """A bar without trades yet. `piece`: see Selective; None: every trade moves everything."""
    if piece is None:
        return Forming(timeframe, open_time, whole=whole)
    return Selective(timeframe, open_time, whole=whole, piece_ms=piece.ms, remember_ms=remember_ms)


def _place(trade: Trade) -> int:
    """Where a trade stands among those of its bar: by number, where there is one."""
    return trade.id if trade.id >= 0 else trade.time
