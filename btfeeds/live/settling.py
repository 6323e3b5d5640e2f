"""Closed bars that wait a moment, because the venue may say their last word behind the first of the next bar.

Bars keep their order. What is held when the stream breaks may lack that last word: it is let go, and history gives it.
The moment is counted from when the bar came, on the monotonic clock: the venue's time is not known well enough.
"""

from __future__ import annotations

from collections import deque

from btfeeds.market import Bar


class Settling:
    """Holds each bar for `hold_ms`. `now` is the monotonic clock in ms."""

    def __init__(self, hold_ms: int) -> None:
        self._hold_ms = hold_ms
        self._held: deque[tuple[int, Bar]] = deque()  # until when, and which

    def hold(self, bar: Bar, now: int) -> bool:
        """Keep a closed bar, when it must wait; False: it may go on at once."""
        if self._hold_ms:
            self._held.append((now + self._hold_ms, bar))
        return self._hold_ms > 0

    def revise(self, bar: Bar) -> bool:
        """Put a later word about a bar in the place of the one that is held; False: none is."""
        for index, (until, held) in enumerate(self._held):
            if held.open_time == bar.open_time:
                self._held[index] = (until, bar)
                return True
        return False

    def ripe(self, now: int) -> list[Bar]:
        """The bars that need not wait any more, in their order."""
        ripe = []
        while self._held and now >= self._held[0][0]:
            ripe.append(self._held.popleft()[1])
        return ripe

    def broken(self) -> None:
        """The stream broke: the last word about what is held may not come."""
        self._held.clear()

    @property
    def deadline(self) -> int | None:
        """When the next bar need not wait any more; None: none waits."""
        return self._held[0][0] if self._held else None
