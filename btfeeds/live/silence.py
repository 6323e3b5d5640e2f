"""Tells a mute subscription from a quiet market: history has a traded bar that the stream never spoke of."""

from __future__ import annotations

from btfeeds.live.items import Remedy
from btfeeds.market import EMPTY, Bar, TimeRange


class Silence:
    """What is known of one subscription's stream. Times are opening times of bars, or epoch ms of the venue's clock."""

    def __init__(self) -> None:
        self.seen = -1  # the newest bar the stream has said anything about, finished or not
        self.online_since = 0
        self.quiet = EMPTY  # the last time that the stream proves to be without bars
        self._proofs = 0
        self._judged = 0  # the question of the last proof

    def spoke(self) -> None:
        """The stream has sent a finished bar: whatever was held against it is forgotten."""
        self._proofs = 0

    def proved(self, span: TimeRange) -> None:
        """The stream proves that nobody traded in `span`."""
        self.quiet = TimeRange(self.quiet.start if self.quiet.end == span.start else span.start, span.end)
        self.spoke()

    def judge(self, bar: Bar, question: int) -> Remedy | None:
        """History has this bar and the stream, overdue, has not sent it: what to do, if that proves anything.

        It does not when nobody traded, when the stream came up after the bar began, or when it showed the bar forming.
        The first proof asks for the subscription again, the next ones for a new connection. The answer to one question
        proves once, however many bars it brings: after a night's sleep it brings hundreds, and all say the same.
        """
        if bar.volume <= 0 or bar.open_time < self.online_since or bar.open_time <= self.seen:
            return None
        if question == self._judged:
            return None
        self._judged = question
        self._proofs += 1
        return Remedy.RESUBSCRIBE if self._proofs == 1 else Remedy.RECONNECT
