"""Closed bars that wait a moment, because the venue may say their last word behind the first of the next bar.

Bars keep their order. What is held when the stream breaks may lack that last word: it is let go, and history gives it.
"""

from __future__ import annotations

from collections import deque

from btfeeds.market import Bar, Timeframe


class Settling:
    """Holds each bar until `hold_ms` after its close, by the venue's clock."""

    def __init__(self, timeframe: Timeframe, hold_ms: int) -> None:
        self._timeframe = timeframe
        self._hold_ms = hold_ms
        self._held: deque[Bar] = deque()

    def hold(self, bar: Bar, now: int) -> bool:
        """Keep a closed bar, when it must wait; False: it may go on at once."""
        if not self._hold_ms or (not self._held and now >= self._ripe_at(bar)):
            return False
        self._held.append(bar)
        return True

    def revise(self, bar: Bar) -> bool:
        """Put a later word about a bar in the place of the one that is held; False: none is."""
        for index, held in enumerate(self._held):
            if held.open_time == bar.open_time:
                self._held[index] = bar
                return True
        return False

    def ripe(self, now: int) -> list[Bar]:
        """The bars that need not wait any more, in their order."""
        ripe = []
        while self._held and now >= self._ripe_at(self._held[0]):
            ripe.append(self._held.popleft())
        return ripe

    def broken(self) -> None:
        """The stream broke: the last word about what is held may not come."""
        self._held.clear()

    @property
    def deadline(self) -> int | None:
        """When the next bar need not wait any more; None: none waits."""
        return self._ripe_at(self._held[0]) if self._held else None

    def _ripe_at(self, bar: Bar) -> int:
        return self._timeframe.close(bar.open_time) + self._hold_ms
