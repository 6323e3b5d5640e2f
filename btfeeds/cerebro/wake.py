"""One alarm clock for all feeds of a Cerebro.

Cerebro asks its feeds one after another, and a feed with nothing to give would make all others wait. So the feeds of
one Cerebro share a `Wake`: they wait together, at most once in a round of Cerebro's loop, never in a round that has
delivered something, and a bar of any of them ends the wait.

It also keeps the feeds in step. While histories are still coming in, no feed runs ahead of another, be it live or a
backtest's. Afterwards, when asked to (`align`), a bar waits a moment for the bars of the other symbols that closed at
the same instant, and what is repaired after a break comes in step, too.
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
from btfeeds.live.status import Status
from btfeeds.market import Timeframe

# A history that does not move for so long (wall seconds) no longer keeps the others from going on. What is history
# itself can wait for long; a feed that has been LIVE cannot, and nobody waits long for a venue that has not given
# anything yet, be it that it hangs or that it is slow. Feeds of one venue take turns.
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

    def abandon(self) -> None:
        """As `close`, from a finalizer: soon, and without a wait or a lock."""


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
        self.repairs = False  # a break is being repaired: DELAYED was said after LIVE
        self.host = host
        self.wall = wall
        self.moved = False  # history has given something, or said that there is nothing
        self.moved_at = self.back_at = wall()  # back: when the connection was there again
        self.moves: dict[str, float] = {}  # of the Wake: when a history of each venue moved last
        self.first_page_s = FIRST_PAGE_S + self.seconds(turn_ms)
        self.gave = False  # the last pull gave something, so the next one may
        self._broken = False
        self._reach = timeframe.floor(clock.now())  # history brings what opens before this, connected or not
        self._settled = stream.settled
        self._dry = False  # the last pull gave nothing
        self._paged = False  # it gave bars since it gave nothing
        self._due: int | None = None  # the stream's deadline

    def pull(self) -> Delivery | Notice | None:
        """The stream's next thing; None costs next to nothing while nothing came and no deadline has passed."""
        if self.resting:
            return None
        item = self.stream.pull()
        gave, self.gave = self.gave, item is not None
        self._dry = item is None
        self._paged = self._paged or isinstance(item, Delivery)
        if self.in_history or self.repairs:
            if self.stream.settled != self._settled:
                self._settled, self.moved = self.stream.settled, True
                if not gave:  # a page has come; to hand over what is at hand is no movement of the venue's
                    self._move()
            if self._dry and self._paged:
                # The next page is asked for now, however long the strategy took for this one. Words are no page.
                self._move()
        if self._dry:
            self._paged = False
            self.deadline()
        return item

    def hear(self, status: Status) -> None:
        """A word of this feed was said: what there is to wait for has changed."""
        if status is Status.CONNBROKEN:  # history goes on; what would have come live does not
            self._broken, self.repairs = True, False
        elif status is Status.CONNECTED:
            self._broken, self._reach = False, self.timeframe.floor(self.clock.now())
            if self.moved_at >= self.back_at:  # else a link that comes and goes would be patience without end
                self.back_at = self.wall()
        elif status is Status.DELAYED:
            if not self.in_history:
                self.repairs = True
                self._move()
        elif status is not Status.UNKNOWN:  # LIVE, or the end
            self.in_history = self.repairs = self._broken = False

    def _move(self) -> None:
        self.moved_at = self.moves[self.host] = self.wall()

    @property
    def instant(self) -> int:
        """When the bar that is held closed. Only to be asked while one is."""
        assert self.held is not None
        return self.timeframe.close(self.held.bar.open_time)

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
        frame, settled = self.timeframe, self.stream.settled
        if self._broken and settled >= self._reach:
            return False
        return settled <= frame.back(frame.floor(instant), 1)

    def seconds(self, ms: float) -> float:
        """Milliseconds of the feed's clock as seconds of the wall."""
        return ms / 1000 / (self.clock.speed or 1.0)


class Guest(Protocol):
    """The place of a feed whose bars are all at hand: a backtest's, beside live ones whose history comes in."""

    instant: int | None  # when the bar closed that had to be put off

    @property
    def waits(self) -> bool:
        """Whether a bar was put off, and its turn has not come yet."""

    @property
    def ready(self) -> bool:
        """Whether it gives a bar when it is asked."""


class Wake:
    """Where the feeds of one Cerebro wait. Everything but `push` is called by Cerebro's thread."""

    def __init__(self) -> None:
        self.seats: list[Seat] = []
        self.guests: list[Guest] = []
        self.delivered = False
        self._waited = False
        self._leader: Seat | None = None
        self._moves: dict[str, float] = {}  # by venue: when a history of it moved last, in wall seconds
        self._since: dict[int, int] = {}  # instant → when its first bar came, on the clock, in ms
        self._condition = threading.Condition()  # guards _pushed
        self._pushed = False

    def join(self, seat: Seat, former: Seat | None = None) -> None:
        """Take a place; in the midst of a round that of a `former` seat of the same feed."""
        seat.moves = self._moves
        self._moves[seat.host] = max(seat.moved_at, self._moves.get(seat.host, seat.moved_at))
        if former is None:
            self.seats.append(seat)
            return
        self.seats[self.seats.index(former)] = seat
        if self._leader is former:
            self._leader = seat

    def leave(self, seat: Seat) -> None:
        """Give up the place. A round that another feed has begun goes on."""
        if seat in self.seats:
            self.seats.remove(seat)
        if self._leader is seat:
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
        if any(not guest.waits for guest in self.guests) or self._any_may_move():
            return False
        for other in self.seats:
            if other.held is None:
                deadline = other.deadline()
                left = seconds if deadline is None else other.seconds(deadline - other.clock.now())
            else:  # which has to wait until its time is over, or for a history that is given up at some time
                left = other.seconds(self._left(other, other.instant)) if other.align_ms else 0.0
                left = min(left, _SLICE_S) if left > 0 else _SLICE_S
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
        if seat.held is None or len(self.seats) + len(self.guests) == 1:
            return False
        instant = seat.instant
        if self.kept(instant, seat):
            return True
        if not seat.align_ms:
            return False
        mends = any(other is not seat and other.repairs and self._mends(other, instant, seat) for other in self.seats)
        if mends and seat.repairs and seat.held.source != "live":
            return True
        if not (seat.stream.live or seat.held.source == "live"):
            return False
        if mends or any(other.owes(instant) for other in self.seats if other.stream.live and other is not seat):
            return self._left(seat, instant) > 0
        self._since = {held: since for held, since in self._since.items() if held > instant}
        return False

    def behind(self, instant: int, seat: Seat | None) -> bool:
        """Whether another history has yet to give what closed at `instant` or before. `seat`: who asks, or None."""
        return self.owed(instant, seat) or self._held_before(instant + 1, seat)

    def kept(self, instant: int, seat: Seat | None = None) -> bool:
        """Whether a bar that closed at `instant` has to wait for another history, to come in its turn."""
        return self.owed(instant, seat) or self._held_before(instant, seat)

    def owed(self, instant: int, seat: Seat | None) -> bool:
        """Whether another history is waited for, because a bar that closed at `instant` or before is still to come."""
        return any(
            other.in_history and other is not seat and other.owes(instant) and not self._stuck(other, seat)
            for other in self.seats
        )

    def _held_before(self, instant: int, seat: Seat | None) -> bool:
        """Whether another history holds a bar that closed before `instant` and goes as soon as it is asked.

        One that is kept back itself says nothing: what keeps it, and for how long, everybody judges for himself.
        """
        return any(
            other.in_history
            and other is not seat
            and other.held is not None
            and other.instant < instant
            and not self.owed(other.instant, other)
            for other in self.seats
        ) or any(guest.instant is not None and guest.instant < instant and guest.ready for guest in self.guests)

    def _mends(self, other: Seat, instant: int, seat: Seat) -> bool:
        """Whether a feed that repairs a break has yet to give what belongs before or beside a bar of `instant`."""
        if other.held is not None:
            return other.instant < instant
        return other.owes(instant) and not self._stuck(other, seat)

    def _any_may_move(self) -> bool:
        """Whether a feed has something to give when it is asked. One that is live and holds a bar waits for others,
        and these wake everybody.
        """
        behind = bool(self.guests) or any(seat.in_history or seat.repairs for seat in self.seats)
        return any(
            seat.stream.waiting if seat.held is None else behind and not self.must_hold(seat) for seat in self.seats
        )

    def _stuck(self, other: Seat, seat: Seat | None) -> bool:
        """Whether this feed's history has not moved for too long for `seat`, or for who has none: a backtest's feed.

        That one is as patient as the histories beside it, and more so only where none of them has begun.
        """
        if other.gave or other.stream.waiting:
            return False
        now = other.wall()
        history = seat is None or seat.in_history
        alone = seat is None and not any(one.moved and one.in_history for one in self.seats)
        if history and (other.moved or alone):
            return now - max(other.moved_at, other.back_at) > PATIENCE_S
        return now - self._moves[other.host] > other.first_page_s

    def _left(self, seat: Seat, instant: int) -> float:
        now = seat.clock.monotonic()
        return seat.align_ms - (now - self._since.setdefault(instant, now))


_WAKES: weakref.WeakKeyDictionary[Any, Wake] = weakref.WeakKeyDictionary()


def wake_of(cerebro: Any) -> Wake:
    """The Wake of a Cerebro. It is kept here and not on the Cerebro, because locks cannot be pickled."""
    return _WAKES.setdefault(cerebro, Wake())
