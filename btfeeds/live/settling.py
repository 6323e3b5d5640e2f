"""Closed bars that wait a moment, because the venue may say their last word behind the first of the next bar.

Bars keep their order. What is held when the stream breaks may lack that last word: it is let go, and history gives it.
So is a bar held beyond its moment until the venue is heard again: a link may have died within that moment, and nobody
knows of it yet. The moment is counted from when the bar came, on the monotonic clock: the venue's time is not known
well enough.
"""

from __future__ import annotations

from collections import deque

from btfeeds.market import Bar

_LOOK_MS = 50  # so often one looks whether the venue was heard
_PATIENT_MS = 250  # where others are talked of on the same socket it is, without being asked
_AGAIN_MS = 1_000


class Settling:
    """Holds each bar for `hold_ms`. All times are of the monotonic clock, in ms."""

    def __init__(self, hold_ms: int) -> None:
        self._hold_ms = hold_ms
        self._held: deque[tuple[int, Bar]] = deque()  # until when, and which
        self._doubted = self._look_at = self._ask_at = 0

    def hold(self, bar: Bar, now: int) -> bool:
        """Keep a closed bar, when it must wait; False: it may go on at once."""
        if self._hold_ms:
            self._held.append((now + self._hold_ms, bar))
        return self._hold_ms > 0

    def revise(self, bar: Bar, *, gone: bool = False) -> bool:
        """Put a later word about a bar in the place of the one that is held; False: none is. `gone`: there is no such
        bar, says the venue, and it is let go: what comes in its place, history tells.
        """
        for index, (until, held) in enumerate(self._held):
            if held.open_time == bar.open_time:
                self._held[index] = (until, bar)
                if gone:
                    del self._held[index]
                return True
        return False

    def ripe(self, heard: int) -> list[Bar]:
        """The bars that need not wait any more, in their order: the venue was heard then, behind their moment."""
        ripe = []
        while self._held and heard >= self._held[0][0]:
            ripe.append(self._held.popleft()[1])
        return ripe

    def doubts(self, now: int) -> bool:
        """Whether the venue should be made to say something now, for a bar whose moment is over."""
        if not self._held or now < self._held[0][0]:
            return False
        self._look_at, until = now + _LOOK_MS, self._held[0][0]
        if until != self._doubted:
            self._doubted, self._ask_at = until, until + _PATIENT_MS
        if now < self._ask_at:
            return False
        self._ask_at = now + _AGAIN_MS
        return True

    def broken(self) -> None:
        """The stream broke: the last word about what is held may not come."""
        self._held.clear()

    @property
    def deadline(self) -> int | None:
        """When the next bar need not wait any more, or when to look again whether it must; None: none waits."""
        return max(self._held[0][0], self._look_at) if self._held else None
