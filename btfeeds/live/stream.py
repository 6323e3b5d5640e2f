"""One subscription from end to end: ring → splice, with history asked in the background.

A stream belongs to one consumer thread, which pulls; it never blocks and never touches the network. Sockets, history
and other threads only put things into the ring and call `wake`. This is what a backtrader feed stands on, and what
anything else that wants gap-free bars can stand on too.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from btfeeds import monitor
from btfeeds.clock import Clock
from btfeeds.errors import BtfeedsError, FeedStopped, UnknownSymbol, UnsupportedTimeframe
from btfeeds.history.downloader import Downloader
from btfeeds.live import forks
from btfeeds.live.backfill import Backfill
from btfeeds.live.hub import Hub, hub_for, policy_for
from btfeeds.live.items import Delivery, Notice, Remedy, SplicePolicy, Summary
from btfeeds.live.ring import Answer, Doubted, Down, Entry, Failure, Quiet, Refusal, Revised, Ring, Up
from btfeeds.live.settling import Settling
from btfeeds.live.splice import Splice
from btfeeds.live.status import Status
from btfeeds.live.tap import Ear, Tap
from btfeeds.market import Bar, Subscription, Timeframe
from btfeeds.venues import reading
from btfeeds.venues.base import ClosingRule, Provider, Venue

if TYPE_CHECKING:
    from btfeeds.live.stored import Stored


class Stream:
    """History from `start` (epoch ms; None: from now on), then live bars, each once and in order.

    Parameters
    ----------
    until: bars that open at or after this are not wanted; the stream ends there.
    backfill: repair gaps from history; without it a gap is declared and stepped over.
    gaps: what to do about bars the venue does not have. "mark" tells (UNKNOWN with a Gap) and goes on; "fill" puts flat
        bars in their place, also for bars without trades where the venue leaves those out; "hold" waits until they are
        there; "stop" ends the stream with an error.
    reckoned_at: the clock's now from which `start` was reckoned back: it follows when the venue's time is known.
    after: the last bar that an earlier run handed over: this one continues behind it, whatever `start` says before it.
    capacity: how many closed bars may wait for the consumer before the oldest is dropped (and fetched again later).
    backoff_ms: waits before a reconnection, where the default is not wanted.
    ca_file: certificates to trust instead of the machine's.
    stored: the share of a warehouse that history is read from first, and that live bars are kept in; closed with this.
    downloader, hub: where history and the stream come from, when not from this process's hub of the venue.
    """

    def __init__(
        self,
        venue: Venue,
        subscription: Subscription,
        *,
        clock: Clock,
        start: int | None,
        until: int | None = None,
        backfill: bool = True,
        gaps: str = "mark",
        after: Bar | None = None,
        reckoned_at: int | None = None,
        capacity: int = 4_096,
        backoff_ms: tuple[int, ...] | None = None,
        ca_file: str | None = None,
        stored: Stored | None = None,
        downloader: Callable[[], Downloader] | None = None,
        hub: Hub | None = None,
    ) -> None:
        self.venue = venue
        self.subscription = subscription
        self.clock = clock
        self._backoff_ms = backoff_ms
        self._ca_file = ca_file
        self._stored = stored
        self._unopened = weakref.finalize(self, stored.close) if stored is not None else None
        self._downloader = downloader or (lambda: Downloader(venue, clock=clock))
        # On a fast clock the wire is not faster: a quarter of a second of the wall is the least patience.
        floor = int(250 * clock.speed) if clock.speed > 1 else 0
        self._has_history, self._start = has_history(venue, subscription), start
        policy = SplicePolicy(grace_ms=max(venue.grace_ms, floor), lag_ms=max(venue.lag_ms, 2 * floor))
        self._splice = Splice(
            subscription.timeframe,
            start,
            name=str(subscription),
            venue=venue.name,
            until=until,
            omits_empty=omits_empty(venue, subscription.timeframe),
            backfill=backfill and self._has_history,
            gaps=gaps,
            after=after,
            reckoned_at=None if after else reckoned_at,
            policy=policy,
            next_open=lambda time: venue.next_open(subscription.symbol, time),
        )
        self._skew = 0  # of the venue's clock, as far as the splice knows it
        self._settling = Settling(0)  # how long bars are held: see open()
        self._ring = Ring(capacity, threading.Lock())
        self._given_hub = hub
        self._hub: Hub | None = None
        self._tap: Tap | None = None
        self._closed = False
        self._proven = False  # history has answered, so the venue has the symbol
        self._wake: Callable[[], None] = lambda: None
        self._finalizer: weakref.finalize[..., Stream] | None = None
        self._generation = forks.generation

    # --- life --------------------------------------------------------------------------------------------------------

    def open(self, wake: Callable[[], None]) -> None:
        """Begin. Never blocks. `wake` is called from other threads whenever `pull` may have something new."""
        self._wake = wake
        try:
            self.venue.native_symbol(self.subscription.symbol)
            self.venue.channel(self.subscription)
            if self._start is not None and not self._has_history:
                raise reading.live_only(self.venue, self.subscription.timeframe)
            self._settling = Settling(settles_ms(self.venue, self.subscription))
        except BtfeedsError as error:
            self._splice.refuse(error)
            return
        tap = Tap(self.venue, self.subscription, self._ring, wake)
        hub = self._given_hub or self._hub_of_this_process()
        while not hub.attach(tap):  # its last stream has left it this instant
            hub = self._hub_of_this_process()
        self._hub, self._tap = hub, tap
        # A stream that is dropped without close() must not leave its socket behind.
        self._finalizer = weakref.finalize(self, abandon, hub, tap, self._generation, self._stored)
        if self._unopened is not None:
            self._unopened.detach()
        self._follow_clock()
        now = self.now()
        self._splice.begin(now)
        self._think(now)

    def close(self) -> None:
        """End: from any thread, any number of times. What is ready can still be pulled; then DISCONNECTED."""
        self._closed = True  # `pull` says so on its own thread
        if self._finalizer is not None and self._finalizer.detach() and self._hub is not None and self._tap is not None:
            detach(self._hub, self._tap, self._generation)
        if self._stored is not None:
            self._stored.close()
        self._wake()

    def abandon(self) -> None:
        """As `close`, from a finalizer: soon, and without a wait or a lock."""
        self._closed = True
        if self._finalizer is not None:
            self._finalizer()

    # --- the consumer's thread ---------------------------------------------------------------------------------------

    def pull(self) -> Delivery | Notice | None:
        """The next thing in order, or None when there is nothing now."""
        if self._forked:
            return self._in_a_child()
        item = self._next()
        if item is not None and self._stored is not None:
            self._stored.keep(item)
        return item

    def _next(self) -> Delivery | Notice | None:
        splice, ring = self._splice, self._ring
        if self._closed:
            splice.stop("closed")
        self._follow_clock()
        heard = self._heard() if self._settling.deadline is not None else 0  # before one looks what there is to hear
        while True:
            if splice.ready and (item := splice.take(ring.bars)) is not None:
                return item
            entry = ring.get()
            if entry is None:
                break
            self._absorb(entry)
        now = self.now()
        if self._settling.deadline is not None:
            self._let_go(now, heard)
        self._think(now)
        return (splice.take() if splice.ready else None) or (None if len(ring) else splice.settle(now))

    @property
    def waiting(self) -> bool:
        """Whether `pull` would return something now."""
        splice = self._splice
        if splice.ready or len(self._ring) > 0 or self._closed or self._forked:
            return not splice.finished  # whatever a venue still sends
        return False

    @property
    def backlog(self) -> int:
        """How many closed bars wait to be looked at."""
        return self._ring.bars

    @property
    def deadline(self) -> int | None:
        """When (epoch ms of the clock) `pull` should be called again although nothing woke."""
        if self.finished:
            return None
        self._follow_clock()  # another stream may have set it right
        first, settles = self._splice.deadline(), self._settling.deadline
        if first is not None and self._hub is not None:
            first -= self._hub.skew.value
        if settles is not None:
            settles += self.clock.now() - self.clock.monotonic()
            return settles if first is None else min(first, settles)
        return first

    @property
    def settled(self) -> int:
        """Every bar that opens before this (epoch ms) was pulled or will never come."""
        return self._splice.settled

    @property
    def finished(self) -> bool:
        """After DISCONNECTED was pulled: nothing will come any more."""
        return self._splice.finished

    @property
    def error(self) -> BtfeedsError | None:
        """Why the stream ended, when it was not asked to."""
        return self._splice.error

    @property
    def live(self) -> bool:
        """Whether LIVE was the last word."""
        return self._splice.word is Status.LIVE

    @property
    def summary(self) -> Summary:
        """Counts so far."""
        return self._splice.summary

    def now(self) -> int:
        """The venue's clock, as well as it is known (epoch ms)."""
        return self._hub.now() if self._hub else self.clock.now()

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _forked(self) -> bool:
        return forks.generation != self._generation

    def _in_a_child(self) -> Delivery | Notice | None:
        """After a fork: the threads that bring bars stayed in the parent, and the ring's lock may be held for ever."""
        self._splice.refuse(forked(self.subscription))
        return self._splice.take()

    def _hub_of_this_process(self) -> Hub:
        policy = policy_for(self.clock, self._backoff_ms)
        return hub_for(
            self.venue, self.clock, policy, lambda: Backfill(self._downloader()), self._ca_file
        )

    def _absorb(self, entry: Entry) -> None:
        splice = self._splice
        if type(entry) is Bar:
            if not self._settling.hold(entry, self.clock.monotonic()):
                splice.live(entry, self.now())
        elif isinstance(entry, Answer):
            if entry.asked and not self._proven and self._hub is not None and self._tap is not None:
                self._proven = True
                self._hub.prove(self._tap.channel)
            if entry.took and self._hub is not None:
                self._hub.skew.sample_date(entry.venue_time, entry.took)
                self._follow_clock()
            if self._tap is not None:
                splice.silence.seen = self._tap.seen
            splice.answered(entry.ask, entry.span, entry.bars, self.now(), done=entry.done)
        elif isinstance(entry, Up):
            splice.connected(entry.time - entry.skew + self._skew)
        elif isinstance(entry, Down):
            self._settling.broken()
            splice.broken(entry.reason)
        elif isinstance(entry, Failure):
            splice.refused(entry.ask, entry.error, self.now(), entry.unreadable)
        elif isinstance(entry, Doubted):
            self._settling.broken()
        elif isinstance(entry, Revised):
            if not self._settling.revise(entry.bar, gone=entry.gone):
                splice.revised(entry.bar, gone=entry.gone)
        elif isinstance(entry, Quiet):
            if splice.omits_empty:  # elsewhere history has a row for it
                splice.quiet(entry.span, self.now())
        elif isinstance(entry, Refusal):
            splice.refuse(entry.error)

    def _follow_clock(self) -> None:
        """The venue's time may be known better now."""
        if self._hub is not None and self._hub.skew.value != self._skew:
            moved, self._skew = self._hub.skew.value - self._skew, self._hub.skew.value
            self._splice.clock_moved(moved)

    def _heard(self) -> int:
        return self._hub.heard(self._tap.channel) if self._hub is not None and self._tap is not None else 0

    def _let_go(self, now: int, heard: int) -> None:
        """Give the splice the bars whose last word has come."""
        splice = self._splice
        for bar in self._settling.ripe(heard):
            if splice.due is None or bar.open_time >= splice.due:  # else history has given it meanwhile
                splice.live(bar, now)
        if self._settling.doubts(self.clock.monotonic()) and self._hub is not None and self._tap is not None:
            self._hub.prod(self._tap.channel)

    def _think(self, now: int) -> None:
        """Ask what the splice wants asked, and carry out what else it decided."""
        splice, hub, tap = self._splice, self._hub, self._tap
        if splice.happenings:
            happenings, splice.happenings = splice.happenings, []
            for happening in happenings:
                monitor.publish(happening)
        if hub is None or tap is None or self._closed:
            return
        while splice.remedies:
            remedy = splice.remedies.pop(0)
            tap.distrust(now)
            if remedy is Remedy.RESUBSCRIBE:
                hub.renew(tap.channel)
            else:
                hub.reconnect(tap.channel)
        ask = splice.ask(now)
        if ask is not None:
            ring, wake = self._ring, self._wake

            def reply(answer: Answer | Failure) -> None:
                ring.put(answer)
                wake()

            hub.backfill.ask(self.subscription, ask, reply, lambda: self._closed, self._stored)


def settles_ms(venue: Venue, subscription: Subscription) -> int:
    """How long a bar of this subscription is held, until the venue has said its last word about it."""
    rule = venue.closing_rule(subscription)
    told = rule in (ClosingRule.FLAG, ClosingRule.CLOSED_ONLY)
    return 0 if told or (rule is ClosingRule.FROM_TRADES and venue.counts_trades) else venue.settles_ms


def omits_empty(venue: Provider, timeframe: Timeframe) -> bool:
    """Whether history has no row for a bar without trades: made of trades, it never has."""
    try:
        venue.base_timeframe(timeframe)
    except UnsupportedTimeframe:
        return True
    return venue.omits_empty_bars


def has_history(venue: Provider, subscription: Subscription) -> bool:
    """Whether history has bars of this timeframe; without it they are live only, and gaps are declared."""
    try:
        return venue.has_history(subscription.symbol, subscription.timeframe)
    except UnknownSymbol:
        return True  # which is said when it is subscribed


def forked(subscription: Subscription) -> FeedStopped:
    """Why a feed ends in a child process."""
    return FeedStopped(
        f"{subscription}: this process was forked from the one that runs the feed.",
        "The feed was stopped here, because nothing would ever come; in the parent it goes on.",
        'Make feeds in the process that runs them, or start processes with the method "spawn".',
    )


def abandon(hub: Hub, tap: Ear, generation: int, stored: Stored | None = None) -> None:
    """Have the hub let go of a stream that is dropped."""

    def leave() -> None:
        detach(hub, tap, generation)
        if stored is not None:
            stored.close()

    if forks.generation == generation:
        hub.abandon(leave)


def detach(hub: Hub, tap: Ear, generation: int) -> None:
    """Let go of the hub; a child after a fork leaves its parent's alone."""
    if forks.generation == generation:
        hub.detach(tap)
