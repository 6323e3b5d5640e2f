"""The ring between the thread that owns a socket and the thread that runs the strategy: lock-guarded, bounded.

Closed bars are bounded by `capacity`: when the strategy is that far behind, the oldest waiting bar makes room, and the
splice, which sees a gap, gets it from history. Everything else (the stream came up, went down, an answer of history)
keeps its place between the bars and is never dropped; a break that was mended while nobody looked is one break.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass

import msgspec

from btfeeds.errors import BtfeedsError
from btfeeds.live.items import Ask
from btfeeds.market import EMPTY, Bar, TimeRange


@dataclass(frozen=True, slots=True)
class Up:
    """The stream is confirmed at `time`, by what was taken for the venue's clock: `skew` ms ahead of ours."""

    time: int
    skew: int = 0


@dataclass(frozen=True, slots=True)
class Down:
    """The stream is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class Doubted:
    """A frame could not be read: it may have been the last word about a bar."""


@dataclass(frozen=True, slots=True)
class Revised:
    """The venue corrects a closed bar. `gone`: of its trades none is left, so that it has no such bar; the prices are
    those of before, and the volume is 0.
    """

    bar: Bar
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Quiet:
    """The stream proves that no bar opened in `span` but those it has sent: nobody traded there."""

    span: TimeRange


@dataclass(frozen=True, slots=True)
class Refusal:
    """The subscription is refused for good."""

    error: BtfeedsError


class Answer(msgspec.Struct, frozen=True):
    """History answered a piece of `ask`; the last one is `done`."""

    ask: Ask
    span: TimeRange
    bars: tuple[Bar, ...]
    done: bool
    venue_time: int = 0  # the venue's clock at the answer
    took: TimeRange = EMPTY  # when it was under way by ours; empty where that says nothing of the venue's
    asked: bool = True  # the venue was asked: what comes from a warehouse alone says nothing about the venue now


@dataclass(frozen=True, slots=True)
class Failure:
    """History could not answer `ask`. `unreadable`: it did, but in this piece it has what cannot be bars."""

    ask: Ask
    error: BtfeedsError
    unreadable: TimeRange = EMPTY


Entry = Bar | Up | Down | Doubted | Revised | Quiet | Refusal | Answer | Failure


class Ring:
    """Bounded first-in first-out. `lock` guards everything inside (it comes from the thread that owns the ring)."""

    def __init__(self, capacity: int, lock: AbstractContextManager[object]) -> None:
        self.capacity = capacity
        self.overflows = 0
        self._lock = lock
        self._entries: deque[Entry] = deque()
        self._bars = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bars(self) -> int:
        """How many closed bars wait."""
        return self._bars

    def put_bar(self, bar: Bar) -> bool:
        """Add a closed bar; returns False when the oldest one had to make room."""
        with self._lock:
            self._entries.append(bar)
            self._bars += 1
            if self._bars <= self.capacity:
                return True
            for index, entry in enumerate(self._entries):
                if type(entry) is Bar:
                    del self._entries[index]
                    break
            self._bars -= 1
            self.overflows += 1
            return False

    def put(self, entry: Up | Down | Doubted | Revised | Quiet | Refusal | Answer | Failure) -> None:
        """Add anything but a bar."""
        with self._lock:
            entries = self._entries
            if type(entry) is Down and entries:
                if type(entries[-1]) is Down:
                    return  # still gone
                if len(entries) >= 2 and type(entries[-1]) is Up and type(entries[-2]) is Down:
                    entries.pop()  # came up and broke again, and nothing arrived in between
                    return
            last = entries[-1] if entries else None
            if type(entry) is Doubted and type(last) is Doubted:
                return
            if type(entry) is Quiet and type(last) is Quiet and last.span.end == entry.span.start:
                entries[-1] = Quiet(TimeRange(last.span.start, entry.span.end))  # a quiet night is one entry
                return
            entries.append(entry)

    def get(self) -> Entry | None:
        """The oldest entry, or None. Called by one thread only."""
        if not self._entries:  # mostly: without the lock, for nobody else takes any
            return None
        with self._lock:
            entry = self._entries.popleft()
            if type(entry) is Bar:
                self._bars -= 1
            return entry
