"""One question to history at a time, and growing pauses behind those that brought nothing.

Times are epoch ms of the venue's clock.
"""

from __future__ import annotations

from btfeeds.live.items import Ask
from btfeeds.market import TimeRange


class Questions:
    """`open` is the one that waits for its answer; before `not_before` no other is to be put."""

    def __init__(self, retry_ms: tuple[int, ...]) -> None:
        self.open: Ask | None = None
        self.vain = 0  # how many in a row brought nothing
        self.not_before = 0
        self._retry_ms = retry_ms
        self._number = 0
        self._damaged, self._times = -1, 0

    def put(self, span: TimeRange, reason: str) -> Ask:
        self._number += 1
        self.open = Ask(self._number, span, reason)
        return self.open

    def waits_for(self, ask: Ask) -> bool:
        """Whether an answer to `ask` is still wanted: a late one to an older question is not."""
        return self.open is not None and ask.number == self.open.number

    def in_vain(self, now: int) -> int:
        """The last one brought nothing: for how many ms none is put."""
        self.vain += 1
        pause = self._retry_ms[min(self.vain, len(self._retry_ms)) - 1]
        self.not_before = now + pause
        return pause

    def damaged(self, due: int) -> int:
        """What was asked for is there and cannot be a bar: how often that was so of the one that opens at `due`."""
        self._times = self._times + 1 if due == self._damaged else 1
        self._damaged = due
        return self._times

    def clock_moved(self, ms: int) -> None:
        """The venue's time is later by so much than was thought; a pause stays as long as it is."""
        if self.not_before:
            self.not_before += ms

    def begin_anew(self) -> None:
        """What was in vain counts no more."""
        self.vain = self.not_before = 0
