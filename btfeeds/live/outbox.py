"""What is ready for the strategy: bars and words in one line, so that every word stands in its place between the bars.

Two words are kept apart: `word`, the last one put in line, which decides what may follow, and `spoken`, the last one
handed out, which decides whether a waiting backlog has to be admitted.
"""

from __future__ import annotations

from collections import deque

from btfeeds.errors import BtfeedsError, UnsupportedTimeframe
from btfeeds.live.items import Delivery, Notice
from btfeeds.live.status import Status
from btfeeds.market import Bar

_NO_BACKLOG = 2  # bars at hand that are no backlog yet: the one handed over, and one behind it


class Outbox:
    """First in, first out."""

    def __init__(self) -> None:
        self.word: Status | None = None
        self.spoken: Status | None = None
        self.delivered = 0
        self.line: deque[Delivery | Notice] = deque()
        self._bars = 0

    def __len__(self) -> int:
        return len(self.line)

    @property
    def finished(self) -> bool:
        """Whether DISCONNECTED was handed out."""
        return self.spoken is Status.DISCONNECTED

    def say(self, status: Status, reason: str = "", payload: object = None) -> None:
        """Put a word in line; behind DISCONNECTED there is none."""
        if self.word is Status.DISCONNECTED:
            return
        if status is not Status.UNKNOWN:
            self.word = status
        self.line.append(Notice(status, reason, payload))

    def say_now(self, status: Status) -> Notice:
        """Say a word when the line is empty."""
        self.word = self.spoken = status
        return Notice(status)

    def refuse(self, error: BtfeedsError) -> None:
        """Say that there is nothing to be had. The end has to be said behind it."""
        if isinstance(error, UnsupportedTimeframe) and self.spoken is None:
            self.unsay()  # NOTSUPPORTED_TF is a first word only, and an opening DELAYED was not heard yet
            self.say(Status.NOTSUPPORTED_TF, error.what, error)
        elif self.word is not Status.CONNBROKEN:  # from there the automaton knows only CONNECTED and DISCONNECTED
            self.say(Status.NOTSUBSCRIBED, error.what, error)

    def end(self, reason: str, payload: object = None) -> None:
        """Say the last word, once."""
        self.say(Status.DISCONNECTED, reason, payload)

    def put(self, bar: Bar, source: str) -> None:
        """Put a bar in line; behind DISCONNECTED there is nothing."""
        if self.word is not Status.DISCONNECTED:
            self.line.append(Delivery(bar, source))
            self._bars += 1

    def unsay(self) -> None:
        """Forget what is in line: nobody has heard it."""
        self.line.clear()
        self._bars = 0

    def take(self, behind: int = 0) -> Delivery | Notice | None:
        """The next thing. `behind` more bars wait elsewhere: LIVE is not kept with a backlog."""
        line = self.line
        while line:
            item = line[0]
            if isinstance(item, Delivery):
                if self.spoken is Status.LIVE and behind + self._bars > _NO_BACKLOG:
                    self.spoken = Status.DELAYED
                    if self.word is Status.LIVE:
                        self.word = Status.DELAYED
                    return Notice(Status.DELAYED, "behind")
                self.delivered += 1
                self._bars -= 1
                line.popleft()
                return item
            line.popleft()
            if item.status is Status.UNKNOWN:
                return item
            if item.status is not self.spoken:  # DELAYED may have been said early, for being behind
                self.spoken = item.status
                return item
        return None

    def next_open(self) -> int | None:
        """When the next bar in line opens."""
        return next((item.bar.open_time for item in self.line if isinstance(item, Delivery)), None)
