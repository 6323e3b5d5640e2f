"""Single trades of one symbol from end to end: the same hub, sockets and words as bars, and no bars in between.

A stream of ticks belongs to one consumer thread, which pulls, and never blocks. What its trades are to the strategy is
decided in live.tickline. History has no part in them; it is asked for minutes only, to learn whether the venue has the
symbol at all, and whether a silence of the stream is one of the market.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable

from btfeeds import monitor
from btfeeds.clock import Clock
from btfeeds.errors import BtfeedsError
from btfeeds.history.downloader import Downloader
from btfeeds.live import forks
from btfeeds.live.backfill import Backfill
from btfeeds.live.hub import Hub, hub_for, policy_for
from btfeeds.live.items import Delivery, Notice, Remedy, SplicePolicy, Summary
from btfeeds.live.questions import Questions
from btfeeds.live.ring import Answer, Failure
from btfeeds.live.silence import Silence
from btfeeds.live.stream import abandon, detach, forked
from btfeeds.live.tickline import TickLine
from btfeeds.market import Bar, Subscription, Timeframe, TimeRange
from btfeeds.venues import reading
from btfeeds.venues.base import BarUpdate, TradeUpdate, Venue

_MINUTE = Timeframe(1, "m")


class TickTap:
    """What a stream of ticks listens to. Called on sockets' threads."""

    def __init__(self, channel: str, line: TickLine, clock: Clock, wake: Callable[[], None]) -> None:
        self.channel = channel
        self.heard = -1  # when the newest trade was, by the venue's clock; -1: never
        self.since = -1  # when the channel was confirmed, by ours; -1: it is not
        self._line, self._clock, self._wake = line, clock, wake

    def trades(self, venue: str, event: TradeUpdate, now: int = 0) -> None:
        if event.revoked is not None:  # a bar that was handed out stays, so one that was not yet does, too
            monitor.publish(monitor.FrameRejected(venue, "revoked", f"{self._line.name} {event.revoked}"))
            return
        told = self._line.add(event.trades, self._clock.monotonic())
        self.heard = max(self.heard, *(trade.time for trade in event.trades), -1)
        self._wake()
        for happening in told:
            monitor.publish(happening)

    def trades_seen(self, venue: str, last_id: int, time: int) -> None:
        self._line.seen(last_id)

    def bar(self, venue: str, event: BarUpdate, now: int = 0) -> None:
        """Bars are others'."""

    def again(self, venue: str, bar: Bar) -> None:
        """As `bar`."""

    def up(self, time: int, skew: int = 0) -> None:
        self.since = time - skew
        self._line.up(time)
        self._wake()

    def down(self, reason: str) -> None:
        self.since = -1
        self._line.down(reason)
        self._wake()

    def doubt(self) -> None:
        self._line.doubt()

    def seam(self) -> None:
        self._line.doubt()

    def refused(self, error: BtfeedsError) -> None:
        self._line.refused(error)
        self._wake()


class TickStream:
    """Every trade from now on. What a feed needs of a stream (cerebro.wake.Source).

    Parameters
    ----------
    start: has to be None: there is no history of ticks.
    until: trades later than this (epoch ms) are not wanted; the stream ends there.
    capacity: how many trades may wait for the consumer before the oldest is dropped, and the gap declared.
    backoff_ms, ca_file, downloader, hub: as for live.stream.Stream.
    """

    def __init__(
        self,
        venue: Venue,
        subscription: Subscription,
        *,
        clock: Clock,
        start: int | None = None,
        until: int | None = None,
        capacity: int = 4_096,
        backoff_ms: tuple[int, ...] | None = None,
        ca_file: str | None = None,
        downloader: Callable[[], Downloader] | None = None,
        hub: Hub | None = None,
    ) -> None:
        self.venue = venue
        self.subscription = subscription
        self.clock = clock
        self._start = start
        self._backoff_ms = backoff_ms
        self._ca_file = ca_file
        self._downloader = downloader or (lambda: Downloader(venue, clock=clock))
        floor = int(250 * clock.speed) if clock.speed > 1 else 0  # as for bars: on a fast clock the wire is not faster
        self._lag_ms = max(venue.lag_ms, 2 * floor)
        self._line = TickLine(
            threading.Lock(),
            name=str(subscription),
            venue=venue.name,
            counted=venue.counts_trades,
            capacity=capacity,
            grace_ms=max(venue.grace_ms, floor),
            behind_ms=max(1_000, floor),
            until=until,
        )
        self._silence = Silence()
        self._questions = Questions(SplicePolicy().retry_ms)
        self._skew = 0  # how far ahead of ours the venue's clock was taken to be
        self._cleared = -1  # until then nobody traded but what came, says history
        self._replies: deque[Answer | Failure] = deque()  # of history's threads; appending needs no lock
        self._given_hub = hub
        self._hub: Hub | None = None
        self._tap: TickTap | None = None
        self._wake: Callable[[], None] = lambda: None
        self._closed = False
        self._finalizer: weakref.finalize[..., TickStream] | None = None
        self._generation = forks.generation

    # --- life --------------------------------------------------------------------------------------------------------

    def open(self, wake: Callable[[], None]) -> None:
        """Begin. Never blocks. `wake` is called from other threads whenever `pull` may have something new."""
        self._wake = wake
        try:
            self.venue.native_symbol(self.subscription.symbol)
            channel = self.venue.channel(self.subscription)
            if self._start is not None:
                raise reading.live_only(self.venue, self.subscription.timeframe)
        except BtfeedsError as error:
            self._line.refuse(error)
            return
        tap = TickTap(channel, self._line, self.clock, wake)
        hub = self._given_hub or self._hub_of_this_process()
        while not hub.attach(tap):  # its last stream has left it this instant
            hub = self._hub_of_this_process()
        self._hub, self._tap, self._skew = hub, tap, hub.skew.value
        # A stream that is dropped without close() must not leave its socket behind.
        self._finalizer = weakref.finalize(self, abandon, hub, tap, self._generation)
        self._think(self.now())

    def close(self) -> None:
        """End: from any thread, any number of times; then DISCONNECTED."""
        self._closed = True
        if self._finalizer is not None and self._finalizer.detach() and self._hub is not None and self._tap is not None:
            detach(self._hub, self._tap, self._generation)
        if forks.generation == self._generation:  # a child's copy of the lock may be held for ever
            self._line.stop("closed")
        self._wake()

    def abandon(self) -> None:
        """As `close`, from a finalizer: soon, and without a wait or a lock."""
        self._closed = True
        if self._finalizer is not None:
            self._finalizer()

    # --- the consumer's thread ---------------------------------------------------------------------------------------

    def pull(self) -> Delivery | Notice | None:
        """The next thing in order, or None when there is nothing now."""
        if forks.generation != self._generation:
            return self._in_a_child()
        self._follow_clock()
        now = self.now()
        self._think(now)
        item = self._line.take(now, self.clock.monotonic())
        if isinstance(item, Delivery):
            self._silence.spoke()
        self._publish()
        return item

    @property
    def waiting(self) -> bool:
        """Whether `pull` would return something now, or has something to look at."""
        if self.finished:
            return False  # whatever a venue still sends
        return self._line.waiting or len(self._replies) > 0 or forks.generation != self._generation

    @property
    def backlog(self) -> int:
        """How many trades wait."""
        return self._line.backlog

    @property
    def deadline(self) -> int | None:
        """When (epoch ms of the clock) `pull` should be called again although nothing woke."""
        if self.finished:
            return None
        self._follow_clock()  # another stream may have set it right
        times = [time for time in (self._line.deadline(), self._question_due()) if time is not None]
        if not times:
            return None
        return min(times) - (self._hub.skew.value if self._hub is not None else 0)

    @property
    def settled(self) -> int:
        """Every trade from before this (epoch ms) was pulled or will never come."""
        return self._line.settled(self.now())

    @property
    def finished(self) -> bool:
        """After DISCONNECTED was pulled: nothing will come any more."""
        return self._line.finished

    @property
    def error(self) -> BtfeedsError | None:
        """Why the stream ended, when it was not asked to."""
        return self._line.error

    @property
    def live(self) -> bool:
        """Whether LIVE was the last word."""
        return self._line.live

    @property
    def summary(self) -> Summary:
        """Counts so far."""
        return self._line.summary

    def now(self) -> int:
        """The venue's clock, as well as it is known (epoch ms)."""
        return self._hub.now() if self._hub else self.clock.now()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _in_a_child(self) -> Delivery | Notice | None:
        """After a fork: the threads that bring trades stayed in the parent, and so did the line, with its lock."""
        self._generation = forks.generation
        self._hub = self._tap = None
        self._line = TickLine(threading.Lock(), name=str(self.subscription), venue=self.venue.name)
        self._line.refuse(forked(self.subscription))
        return self.pull()

    def _hub_of_this_process(self) -> Hub:
        policy = policy_for(self.clock, self._backoff_ms)
        return hub_for(self.venue, self.clock, policy, lambda: Backfill(self._downloader()), self._ca_file)

    def _publish(self) -> None:
        happenings = self._line.happenings
        while happenings:
            monitor.publish(happenings.pop(0))

    def _follow_clock(self) -> None:
        """The venue's time may be known better now. What history said of a time that has not come is nothing."""
        if self._hub is not None and self._hub.skew.value != self._skew:
            moved, self._skew = self._hub.skew.value - self._skew, self._hub.skew.value
            now = self.now()
            self._questions.clock_moved(moved)
            self._cleared = min(self._cleared, _MINUTE.floor(now - self._lag_ms))
            self._line.clock_moved(now)

    # --- is the symbol there, and is it the market that is silent? ---------------------------------------------------

    def _think(self, now: int) -> None:
        """Hear what history answers, and ask what it should be asked."""
        while self._replies:
            self._hear(self._replies.popleft(), now)
        due, hub = self._question_due(), self._hub
        if due is None or now < due or hub is None:
            return
        if self._line.proven:
            span = TimeRange(self._silent_from(), _MINUTE.floor(now - self._lag_ms))
        else:
            span = TimeRange(_MINUTE.back(_MINUTE.floor(now), 1), _MINUTE.floor(now))
        ask = self._questions.put(span, "check")
        replies, wake = self._replies, self._wake

        def reply(answer: Answer | Failure) -> None:
            replies.append(answer)
            wake()

        minutes = Subscription(self.subscription.venue, self.subscription.symbol, _MINUTE)
        hub.backfill.ask(minutes, ask, reply, lambda: self._closed)

    def _silent_from(self) -> int:
        """Since when (whole minutes of open hours) nothing came, and history was not asked why."""
        assert self._tap is not None and self._hub is not None
        silent = _MINUTE.ceil(max(self._tap.heard, self._tap.since + self._hub.skew.value, self._cleared))
        return _MINUTE.ceil(self.venue.next_open(self.subscription.symbol, silent))

    def _question_due(self) -> int | None:
        """When history should be asked next, on the venue's clock."""
        if self._questions.open or self._tap is None or self._closed or self._line.error:
            return None
        if not self._line.proven:
            return self._questions.not_before
        if self._tap.since < 0:
            return None
        return max(self._questions.not_before, self._silent_from() + _MINUTE.ms + self._lag_ms)

    def _hear(self, reply: Answer | Failure, now: int) -> None:
        hub, tap = self._hub, self._tap
        if hub is None or tap is None:
            return
        if isinstance(reply, Failure):
            self._questions.open = None
            if reply.error.fatal and not self._line.proven:
                self._line.refuse(reply.error)
                return
            pause = self._questions.in_vain(now)
            monitor.publish(
                monitor.BackfillFailed(self.venue.name, str(self.subscription), reply.error.line(), pause)
            )
            return
        if not self._line.proven:
            self._line.prove()
            hub.prove(tap.channel)
        if reply.took:
            hub.skew.sample_date(reply.venue_time, reply.took)
            self._follow_clock()
            now = self.now()
        if reply.done:
            self._questions.open, self._questions.vain = None, 0
            self._cleared = min(reply.ask.span.end, _MINUTE.floor(now - self._lag_ms))
        self._silence.seen = _MINUTE.floor(tap.heard) if tap.heard >= 0 else -1
        self._silence.online_since = tap.since + hub.skew.value if tap.since >= 0 else now
        for bar in reply.bars:
            if remedy := self._silence.judge(bar, reply.ask.number):
                self._cure(hub, tap, bar, remedy)

    def _cure(self, hub: Hub, tap: TickTap, bar: Bar, remedy: Remedy) -> None:
        """The market traded and the stream was mute."""
        self._line.doubt()
        monitor.publish(
            monitor.SilentSubscription(self.venue.name, str(self.subscription), bar.open_time, remedy.value)
        )
        if remedy is Remedy.RESUBSCRIBE:
            hub.renew(tap.channel)
        else:
            hub.reconnect(tap.channel)
