"""One hub per venue host and clock, shared by every feed of the process: it spreads channels over sockets.

    Shard     one socket's worth of channels (the venue limits how many)
    Hub       shards of one venue, and the taps that listen to its channels
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from btfeeds import bans, monitor
from btfeeds.clock import Clock
from btfeeds.live.backfill import Backfill
from btfeeds.live.budget import Budget
from btfeeds.live.connection import Connection
from btfeeds.live.effects import Data, Doubt
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.shard import Shard, host_of
from btfeeds.live.skew import Skew
from btfeeds.live.tap import Ear
from btfeeds.live.worker import Worker
from btfeeds.venues.base import BarRevised, BarUpdate, TradesSeen, TradeUpdate, Venue

_FIVE_MINUTES = 300_000
_LEAVE_S = 1.0  # the longest wait for threads to end, for all hubs that close one behind the other
_LEAST_S = 0.1  # and the least for each
_TOGETHER_S = 0.25  # hubs close one behind the other when so little time lies between them


@dataclass
class Hub:
    """All sockets of one venue host in this process. Get one with `hub_for`."""

    venue: Venue
    clock: Clock
    backfill: Backfill
    policy: ConnectionPolicy
    ca_file: str | None = None
    skew: Skew = field(init=False)

    def __post_init__(self) -> None:
        self.skew = Skew(floor_ms=self.policy.floor_ms // 4)
        # Guards _taps, _shards and closed. Who holds it may take a shard's lock, and never the other way round.
        self._lock = monitor.Hushed()
        self._abandoned: deque[Callable[[], None]] = deque()  # what finalizers leave to be done
        self.closed = False  # the last tap has gone: this hub takes no other
        self._taps: dict[str, tuple[Ear, ...]] = {}  # replaced, never changed: read without the lock
        self._shards: list[Shard] = []
        self._numbers = itertools.count(1)

    def now(self) -> int:
        """The venue's clock, as well as we know it (epoch ms)."""
        return self.clock.now() + self.skew.value

    def taps(self, channel: str) -> tuple[Ear, ...]:
        return self._taps.get(channel, ())

    def attach(self, tap: Ear) -> bool:
        """Bring a stream's bars to it. Never blocks. False: this hub has just closed, another one is needed."""
        self._sweep()
        with self._lock:
            if self.closed:
                return False
            self._taps[tap.channel] = (*self.taps(tap.channel), tap)
            shard = self._shard(tap.channel)
            if shard is None:
                shard = next((shard for shard in self._shards if shard.room() > 0), None)
                if shard is None:
                    shard = Shard(self)
                    self._shards.append(shard)
                shard.want(tap.channel)
            else:
                shard.welcome(tap)
            return True

    def detach(self, tap: Ear) -> None:
        """Forget a stream; the last one of a channel ends the subscription, the last of all ends the sockets."""
        with self._lock:
            rest = tuple(other for other in self.taps(tap.channel) if other is not tap)
            if rest:
                self._taps[tap.channel] = rest
                return
            self._taps.pop(tap.channel, None)
            if self._taps:
                if shard := self._shard(tap.channel):
                    shard.unwant(tap.channel)
                return
            self.closed = True
        _close(self)

    def abandon(self, leave: Callable[[], None]) -> None:
        """Have `leave` called soon, on a thread that holds no lock. For finalizers: the garbage collector runs them on
        any thread, in the midst of anything, so this takes none itself.
        """
        self._abandoned.append(leave)
        any(shard.errand(self._sweep) for shard in list(self._shards))

    def _sweep(self) -> None:
        while self._abandoned:
            with contextlib.suppress(IndexError):  # another thread was quicker
                self._abandoned.popleft()()

    def prove(self, channel: str) -> None:
        """History knows this symbol: the stream's silence about it is no refusal."""
        if shard := self._shard(channel):
            shard.prove(channel)

    def renew(self, channel: str) -> None:
        """A mute subscription: ask for it again."""
        if shard := self._shard(channel):
            shard.renew(channel)

    def reconnect(self, channel: str) -> None:
        """A subscription that stays mute: bring a new socket into service."""
        if shard := self._shard(channel):
            shard.replace("silent")

    def heard(self, channel: str) -> int:
        """Up to when all is handed on that came for this channel, and something came (monotonic clock, ms); 0: none."""
        shard = self._shard(channel)
        return shard.heard(channel) if shard else 0

    def prod(self, channel: str) -> None:
        """Have the venue say something on this channel's sockets."""
        if shard := self._shard(channel):
            shard.prod(channel)

    def data(self, event: Data) -> None:
        """On a worker's thread: hand an event to the taps of its channel."""
        name = self.venue.name
        if type(event) is BarUpdate:
            if not self._believes(event.channel, event.time, event.bar.open_time):
                return
            for tap in self._taps.get(event.channel, ()):
                tap.bar(name, event, 0 if event.time else self.now())
        elif type(event) is TradeUpdate:
            believed = self._believes(event.channel, 0, max((trade.time for trade in event.trades), default=0))
            now = self.now()
            for tap in self._taps.get(event.channel, ()):
                tap.trades(name, event, now) if believed else tap.doubt()
        elif type(event) is BarRevised:
            for tap in self._taps.get(event.channel, ()):
                tap.again(name, event.bar)
        elif type(event) is TradesSeen:
            if not self._believes(event.channel, event.time):
                return
            for tap in self._taps.get(event.channel, ()):
                tap.trades_seen(name, event.last_id, event.time)
        elif type(event) is Doubt:
            for channel in event.channels:
                for tap in self._taps.get(channel, ()):
                    tap.doubt()

    def _believes(self, channel: str, made: int, happened: int = 0) -> bool:
        """Whether a frame can have been made then (0: it does not say), or tell of what happened then."""
        skew, now = self.skew, self.clock.now()
        believes = skew.told(made, now) if made else not skew.early(happened, now)
        if not believes:
            monitor.publish(monitor.FrameRejected(self.venue.name, "future", f"{channel} {made or happened}"))
        return believes

    def new_worker(self, shard: Shard) -> Worker:
        connection = Connection(self.venue, _budget(self.venue, self.clock), jitter=random.random, policy=self.policy)
        return Worker(connection, shard, self.clock, next(self._numbers), ca_file=self.ca_file)

    def stop(self, seconds: float = _LEAVE_S) -> None:
        """End every socket and thread; waits at most so long for them, all together."""
        end = time.monotonic() + seconds
        with self._lock:
            self.closed = True
            workers = [worker for shard in self._shards for worker in shard.stop()]
            self._shards.clear()
        self.backfill.close()
        for worker in workers:
            worker.join(max(0.0, end - time.monotonic()))
        self.backfill.join(max(0.0, end - time.monotonic()))

    def _shard(self, channel: str) -> Shard | None:
        return next((shard for shard in self._shards if channel in shard.channels), None)


# One hub per (process, venue, hosts, clock, policy): a child after a fork has none of its parent's threads.
_hubs: dict[tuple[object, ...], Hub] = {}
_budgets: dict[tuple[int, str], Budget] = {}
_registry = threading.RLock()  # guards _hubs, _budgets, _leaving; under it no other lock is taken
_leaving = _left = 0.0  # until when hubs that close now may wait, and when the last one had closed (monotonic, s)


def _start_over() -> None:
    """In a child after a fork: its parent's threads are not here, and one of them may have held the lock."""
    global _registry
    _registry = threading.RLock()
    _hubs.clear()
    _budgets.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)


def hub_for(
    venue: Venue, clock: Clock, policy: ConnectionPolicy, make: Callable[[], Backfill], ca_file: str | None
) -> Hub:
    """The hub of this venue host and clock; made when it is the first time."""
    key = (os.getpid(), venue.name, venue.rest_url, venue.stream_url, clock, policy, ca_file)
    with _registry:
        if key not in _hubs or _hubs[key].closed:
            _hubs[key] = Hub(venue, clock, make(), policy, ca_file)
        return _hubs[key]


def _at_exit() -> None:
    """Streams that nobody has closed: say goodbye for them."""
    for hub in list(_hubs.values()):
        hub.stop(_patience())


atexit.register(_at_exit)


def _close(hub: Hub) -> None:
    with _registry:
        for key in [key for key, known in _hubs.items() if known is hub]:
            del _hubs[key]
    hub.stop(_patience())
    global _left
    _left = time.monotonic()


def _patience() -> float:
    """How long a hub that closes now waits (s). Ten venues that close at the end of a run share one wait."""
    global _leaving
    with _registry:
        now = time.monotonic()
        if now > _left + _TOGETHER_S:  # the closings before were another run's
            _leaving = now + _LEAVE_S
        return max(_LEAST_S, _leaving - now)


def _budget(venue: Venue, clock: Clock) -> Budget:
    host = host_of(venue)
    with _registry:
        key = (os.getpid(), host)
        if key not in _budgets:
            budget = Budget(venue.limits.connects_per_5_minutes, _FIVE_MINUTES, threading.Lock())
            if closed := bans.left(host, clock):
                budget.hold(clock.monotonic() + closed)
            _budgets[key] = budget
        return _budgets[key]


def policy_for(clock: Clock, backoff_ms: tuple[int, ...] | None = None) -> ConnectionPolicy:
    """The default patience. On a fast clock an answer still needs a second of the wall."""
    floor = int(1_000 * clock.speed) if clock.speed > 1 else 0
    if backoff_ms is None:
        return ConnectionPolicy(floor_ms=floor)
    return ConnectionPolicy(floor_ms=floor, backoff_ms=backoff_ms)
