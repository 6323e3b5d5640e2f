"""Larger bars put together from the venue's own smaller ones, as they are closed and corrected.

A bar is whole when every one of its pieces has come. Where one is missing, nobody traded in it, or it was lost: which
of the two, nothing here can tell, and history gives the bar. So it is with the bar that was under way when the stream
came up.
"""

from __future__ import annotations

from collections.abc import Sequence

from btfeeds.history.ranges import merge
from btfeeds.live.ring import Revised
from btfeeds.market import Bar, Timeframe, TimeRange

_KEPT = 2  # bars that are known, the one under way among them, at least


class MergedBars:
    """Bars of `timeframe` from those of `piece`, of which it holds a whole number.

    `late_ms`: for so long behind its end the venue may correct a piece.
    """

    def __init__(self, timeframe: Timeframe, piece: Timeframe, late_ms: int = 0) -> None:
        self.timeframe = timeframe
        self.piece = piece
        self.late = 0  # corrections of what is forgotten
        self._kept = max(_KEPT, 2 + late_ms // timeframe.ms)
        self._pieces: dict[int, dict[int, Bar]] = {}  # by the opening times of bar and piece
        self._given: dict[int, Bar] = {}  # what was told of a bar at last

    def add(self, piece: Bar) -> Sequence[Bar | Revised]:
        """A piece is closed, or the venue has another word about it; returns what that makes known."""
        opened = self.timeframe.floor(piece.open_time)
        pieces = self._pieces.get(opened)
        if pieces is None:
            if len(self._pieces) == self._kept and opened < min(self._pieces):
                self.late += 1
                return ()
            pieces = self._pieces[opened] = {}
            self._forget()
        pieces[piece.open_time] = piece
        span = TimeRange(opened, self.timeframe.close(opened))
        if len(pieces) < self.piece.count_in(span):
            return ()
        [bar] = merge((pieces[time] for time in sorted(pieces)), self.timeframe, span)
        known, self._given[opened] = self._given.get(opened), bar
        if known is None:
            return (bar,)
        return () if bar == known else (Revised(bar),)

    def _forget(self) -> None:
        if len(self._pieces) > self._kept:
            oldest = min(self._pieces)
            del self._pieces[oldest]
            self._given.pop(oldest, None)
