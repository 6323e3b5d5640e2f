"""One alarm clock for all feeds of a Cerebro.

Cerebro asks its feeds one after another, and a feed with nothing to give would make all others wait. So the feeds of
one Cerebro share a `Wake`: they wait together, at most once in a round of Cerebro's loop, never in a round that has
delivered something, and a bar of any of them ends the wait.

It also keeps the feeds in step. While histories are still coming in, no feed runs ahead of another. Afterwards, when
asked to (`align`), a bar waits a moment for the bars of the other symbols that closed at the same instant.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from btfeeds.clock import Clock
from btfeeds.errors import BtfeedsError
from btfeeds.live.items import Delivery, Notice
from btfeeds.market import Timeframe

# A feed whose history has not moved for so long (wall seconds) no longer keeps the others from going on; nor does one
# of a venue that has not given anything yet, be it that it hangs or that it is slow. Feeds of one venue take turns.
PATIENCE_S = 60.0
FIRST_PAGE_S = 2.0
_LEAST_S = 0.005  # a deadline that has passed does not make the loop spin
_SLICE_S = 0.5  # `cerebro.runstop()` is noticed at least so often


class Source(Protocol):
    """What a feed needs of a stream (live.stream.Stream, or a test's)."""

    @property
    def waiting(self) -> bool:
        """Whether there may be something to pull."""

    @property
    def deadline(self) -> int | None:
        """When (epoch ms of the clock) to pull again although nothing woke."""

    @property
    def settled(self) -> int:
        """Every bar that opens before this was pulled or will never come."""

    @property
    def finished(self) -> bool:
        """Nothing will come any more."""

    @property
    def live(self) -> bool:
        """LIVE was the last word."""

    @property
    def error(self) -> BtfeedsError | None:
        """Why the stream ended."""

    @property
    def summary(self) -> Any:
        """Counts so far."""

    def open(self, wake: Callable[[], None]) -> None:
        """Begin; `wake` is called from other threads whenever there may be something to pull."""

    def pull(self) -> Delivery | Notice | None:
        """The next thing in order, or None."""

    def now(self) -> int:
        """The venue's clock, as well as it is known (epoch ms)."""
        ...

    def close(self) -> None:
        """End, promptly."""


class Seat:
    """A feed's place at the Wake: its stream, and the bar it was given but has not handed over yet.

    It knows nothing of the feed, so that Wake, Cerebro and feed form no chain that keeps them alive.
    """

    def __init__(
        self,
        stream: Source,
        timeframe: Timeframe,
        clock: Clock,
        align_ms: int,
        *,
        host: str = "",
        turn_ms: float = 0.0,
        wall: Callable[[], float] = time.monotonic,
    ) -> None:
        """`host` is the venue's name, `turn_ms` the time it wants between two requests; `wall` counts seconds."""
        self.stream = stream
        self.timeframe = timeframe
        self.clock = clock
        self.align_ms = align_ms
        self.held: Delivery | None = None
        self.in_history = True  # until LIVE was said for the first time
        self.host = host
        self.wall = wall
        self.moved = False  # history has given something, or said that there is nothing
        self.moved_at = wall()
        self.first_page_s = FIRST_PAGE_S + self.seconds(turn_ms)
        self._settled = stream.settled
        self._dry = False  # the last pull gave nothing
        self._due: int | None = None  # the stream's deadline

    def pull(self) -> Delivery | Notice | None:
        """The stream's next thing; None costs next to nothing while nothing came and no deadline has passed."""
        if self.resting:
            return None
        item = self.stream.pull()
        self._dry = item is None
        if self._dry:
            self.deadline()
        if self.in_history and self.stream.settled != self._settled:
            self._settled, self.moved, self.moved_at = self.stream.settled, True, self.wall()
        return item

    @property
    def resting(self) -> bool:
        """Whether a pull would give nothing."""
        return self._dry and not self.stream.waiting and (self._due is None or self.clock.now() < self._due)

    def deadline(self) -> int | None:
        """The stream's deadline, as it is now."""
        self._due = self.stream.deadline
        return self._due

    def owes(self, instant: int) -> bool:
        """Whether a bar that closed at `instant` or before is still to come."""
        if self.held is not None or self.stream.finished:
            return False
        frame = self.timeframe
        return self.stream.settled <= frame.back(frame.floor(instant), 1)

    def seconds(self, ms: float) -> float:
        """Milliseconds of the feed's clock as seconds of the wall."""
        return ms / 1000 / (self.clock.speed or 1.0)


class Wake:
    """Where the feeds of one Cerebro wait. Everything but `push` is called by Cerebro's thread."""

    def __init__(self) -> None:
        self.seats: list[Seat] = []
        self.delivered = False
        self._waited = False
        self._leader: Seat | None = None
        self._since: dict[int, int] = {}  # instant → when its first bar came, on the clock, in ms
        self._condition = threading.Condition()  # guards _pushed
        self._pushed = False

    def join(self, seat: Seat) -> None:
        self.seats.append(seat)
        self._leader = None

    def leave(self, seat: Seat) -> None:
        if seat in self.seats:
            self.seats.remove(seat)
        self._leader = None

    def push(self) -> None:
        """Something came. Called by any thread."""
        with self._condition:
            self._pushed = True
            self._condition.notify()

    def ask(self, seat: Seat) -> bool:
        """Cerebro is about to ask this feed. Returns True at the start of a round: the first feed comes round again."""
        if self._leader is None:
            self._leader = seat
        if seat is not self._leader:
            return False
        self.delivered = self._waited = False
        return True

    @property
    def spent(self) -> bool:
        """Whether nobody waits any more in this round."""
        return self.delivered or self._waited

    def wait(self, seat: Seat, seconds: float, stopped: Callable[[], bool]) -> bool:
        """Wait until something comes to any feed, at most `seconds`. False: this is not the time to wait."""
        if self.spent:
            return False
        self._waited = True
        if any(other.held is None and other.stream.waiting for other in self.seats):
            return False
        for other in self.seats:
            if other.held is None:
                deadline = other.deadline()
                left = seconds if deadline is None else other.seconds(deadline - other.clock.now())
            else:
                left = other.seconds(self._left(other, self._close(other))) if other.align_ms else seconds
            seconds = min(seconds, max(left, _LEAST_S))
        end = time.monotonic() + seconds
        with self._condition:
            while not self._pushed and not stopped():
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(min(left, _SLICE_S))
            self._pushed = False
        return True

    def must_hold(self, seat: Seat) -> bool:
        """Whether the bar this feed holds has to wait for bars of other feeds that belong before or beside it."""
        if len(self.seats) == 1 or seat.held is None:
            return False
        history = [other for other in self.seats if other.in_history and other is not seat]
        if not history and not seat.align_ms:
            return False
        instant = self._close(seat)
        if any(other.owes(instant) and not self._stuck(other) for other in history):
            return True
        if not seat.align_ms or not (seat.stream.live or seat.held.source == "live"):
            return False
        if any(other.owes(instant) for other in self.seats if other.stream.live and other is not seat):
            return self._left(seat, instant) > 0
        self._since = {held: since for held, since in self._since.items() if held > instant}
        return False

    def _stuck(self, seat: Seat) -> bool:
        """Whether this feed's history has not moved for too long: its own, or in the beginning that of its venue."""
        now = seat.wall()
        if seat.moved:
            return now - seat.moved_at > PATIENCE_S
        return now - max(other.moved_at for other in self.seats if other.host == seat.host) > seat.first_page_s

    def _close(self, seat: Seat) -> int:
        assert seat.held is not None
        return seat.timeframe.close(seat.held.bar.open_time)

    def _left(self, seat: Seat, instant: int) -> float:
        now = seat.clock.monotonic()
        return seat.align_ms - (now - self._since.setdefault(instant, now))


_WAKES: weakref.WeakKeyDictionary[Any, Wake] = weakref.WeakKeyDictionary()


def wake_of(cerebro: Any) -> Wake:
    """The Wake of a Cerebro. It is kept here and not on the Cerebro, because locks cannot be pickled."""
    return _WAKES.setdefault(cerebro, Wake())
