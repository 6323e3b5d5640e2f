"""Tells trades apart by their numbers: which one comes for the first time.

Two sockets overlap, frames are repeated, and venues send the last trades again after a break. Where a symbol's trades
are numbered without holes, what was stepped over is remembered: only that is new when it comes later. Elsewhere the
numbers themselves are, as long as they may come twice, and whole trades where one key may be several trades'.
"""

from __future__ import annotations

from btfeeds.market import Trade

_ANEW_MS = 60_000
_HOLES = 16
_NUMBERS = 4_096  # what comes twice comes soon


class Numbering:
    """The numbers of one symbol's trades. `counted`: they have no holes."""

    def __init__(self, *, counted: bool) -> None:
        self.counted = counted
        self.newest = self._forgotten = -1
        self._newest_time = 0
        self._stepped_over: list[range] = []
        self._known: dict[int | Trade, int] = {}

    def begins_anew(self, trade: Trade) -> bool:
        """Whether the venue counts from the beginning again: a smaller number, of a trade so much later."""
        anew = trade.id <= self.newest and trade.time > self._newest_time + _ANEW_MS
        if anew:
            self.newest = self._forgotten = -1
            self._stepped_over.clear()
            self._known.clear()
        return anew

    def is_new(self, trade: Trade) -> bool:
        """Whether this trade comes for the first time; from now on it is known."""
        number, newest = trade.id, self.newest
        if number > newest:
            self.newest, self._newest_time = number, trade.time
        if not self.counted:
            return self._remember(trade)
        if number > newest:
            if 0 <= newest < number - 1:
                self._stepped_over.append(range(newest + 1, number))
                del self._stepped_over[:-_HOLES]
            return True
        for index, hole in enumerate(self._stepped_over):
            if number in hole:
                rest = (range(hole.start, number), range(number + 1, hole.stop))
                self._stepped_over[index : index + 1] = [part for part in rest if part]
                return True
        return False

    def _remember(self, trade: Trade) -> bool:
        """Returns False for one that is known."""
        known = trade if trade.key else trade.id
        if known in self._known or 0 <= trade.id <= self._forgotten:
            return False
        self._known[known] = trade.id
        if len(self._known) > _NUMBERS:
            oldest = next(iter(self._known))
            self._forgotten = max(self._forgotten, self._known.pop(oldest))
        return True
