"""Virtual time and everything that happens in it: the product's own hub, machines, ring, splice and downloader.

Replaced are only the thread with its socket (`VirtualWorker`), the threads that ask history, and the HTTP client.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from btfeeds.errors import BadFrame, BtfeedsError, RateLimited
from btfeeds.history.downloader import Downloader
from btfeeds.live.budget import Budget
from btfeeds.live.connection import Connection
from btfeeds.live.effects import Dial, Loss
from btfeeds.live.hub import Hub
from btfeeds.live.items import Delivery, Notice
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.ring import Answer, Failure
from btfeeds.live.shard import Shard
from btfeeds.live.states import State
from btfeeds.live.stream import Stream
from btfeeds.live.worker import Worker
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import BarUpdate, HttpRequest, HttpResponse, Provider
from tests.virtual.schedule import HISTORY_MINUTES, IDLE_MS, LIVE_MINUTES, MINUTE, PONG_MS, START, Schedule
from tests.virtual.venue import Link, VirtualVenue

_BOOT = START - 60 * MINUTE  # when our machine was started: its monotonic clock counts from there


class VirtualClock:
    """Our machine's clock: the venue's, but for its skew."""

    speed = 1.0

    def __init__(self, world: World, skew_ms: int) -> None:
        self._world = world
        self._skew_ms = skew_ms

    def now(self) -> int:
        return self._world.now + self._skew_ms

    def monotonic(self) -> int:
        return self._world.now - _BOOT

    def sleep(self, ms: float) -> None:
        raise AssertionError("nothing waits in a simulation")


class VirtualWorker(Worker):
    """A worker without thread and socket: the world calls it."""

    def __init__(self, world: World, connection: Connection, shard: Shard, number: int) -> None:
        self.number = number
        self.heard_at = 0
        self.connection = connection
        self.venue = connection.venue
        self._world = world
        self._listener = shard
        self._clock = world.clock
        self._link: Link | None = None
        self._transport = None
        self._tick_at: int | None = None
        self._ended = False

    @property
    def alive(self) -> bool:
        return not self._ended

    def start(self) -> None:
        self.ask(lambda connection, now: connection.start(now))

    def ask(self, command: Callable[..., list[object]]) -> None:  # type: ignore[override]
        self._world.at(self._world.now, lambda: self._act(lambda now: command(self.connection, now)))

    def stop(self) -> None:
        self._world.at(self._world.now, lambda: self._act(lambda now: self.connection.stop()))

    def join(self, seconds: float) -> bool:
        return True

    def _act(self, decide: Callable[[int], list[object]]) -> None:
        if not self._ended:
            self._did(decide(self._clock.monotonic()))

    def _did(self, effects: list[object]) -> None:
        self._do(effects)  # type: ignore[arg-type]
        if self.connection.state is State.CLOSED:
            self._ended = True
            self._hang_up()
            self._listener.ended(self)
            return
        self._wait_until(self.connection.deadline())

    def _wait_until(self, deadline: int | None) -> None:
        if deadline is not None and (self._tick_at is None or deadline < self._tick_at):
            self._tick_at = deadline
            self._world.at(_BOOT + deadline, lambda: self._tick(deadline))

    def _tick(self, set_for: int) -> None:
        if self._tick_at != set_for:
            return
        self._tick_at = None
        deadline = self.connection.deadline()
        if deadline is None or deadline <= set_for:
            self._act(self.connection.tick)  # type: ignore[arg-type]
        else:  # what was waited for has come meanwhile
            self._wait_until(deadline)

    def _dial(self, effect: Dial) -> None:
        self._hang_up()
        link: Link

        def frame(text: str) -> None:
            if self._link is link and not self._ended:
                now = self._clock.monotonic()
                effects = self._frame(text, now)
                if len(effects) == 1 and type(effects[0]) is BarUpdate:  # mostly, and then no time comes nearer
                    self._do(effects)  # type: ignore[arg-type]
                else:
                    self._did(effects)
                self.heard_at = now

        def dropped(reason: str, detail: str) -> None:
            if self._link is link:
                self._act(lambda now: self.connection.lost(Loss(reason, detail), now))  # type: ignore[arg-type,return-value]

        def opened(_: Link) -> None:
            if self._link is link:
                self._act(self.connection.opened)  # type: ignore[arg-type]

        def failed(reason: str, wait: int) -> None:
            if self._link is link:
                self._act(lambda now: self.connection.lost(Loss(reason, "", wait), now))  # type: ignore[arg-type,return-value]

        link = Link(self._world.venue, frame, dropped)
        self._link = link
        self._transport = _Wire(link, self)  # type: ignore[assignment]
        self._world.venue.dial(opened, failed, link)

    def _frame(self, text: str, now: int) -> list[object]:
        try:
            return self.connection.received(self.venue.parse_frame(text.encode()), now)  # type: ignore[return-value]
        except BadFrame as error:
            self._world.seen.add("unreadable")
            self.connection.heard(now)
            return self.connection.unreadable(error.what, now)  # type: ignore[return-value]

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        self._transport = None
        if link is not None:
            carried = link.carries()
            link.open = False
            links = self._world.venue.links
            naked = carried and not any(other.carries() for other in links)
            # in the very millisecond in which the other one is cut nobody can know of it
            if naked and self.connection.state is State.CLOSED and self._world.venue.cut_at != self._world.now:
                self._world.venue.naked.append(self._world.now)


class _Wire:
    """What a worker sends through."""

    def __init__(self, link: Link, worker: VirtualWorker) -> None:
        self._link = link
        self._worker = worker

    def send(self, text: str) -> None:
        world = self._link.venue.world
        world.at(world.now + self._link.venue.latency(), lambda: self._link.hear(text))

    def ping(self) -> None:
        worker = self._worker

        def pong() -> None:
            if worker._link is self._link:
                worker.heard_at = worker._clock.monotonic()
                worker.connection.heard(worker.heard_at)

        self._link.ping(pong)


class VirtualHttp:
    """The HTTP client without its retries: what fails is told at once, and asked again by the splice."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._not_before = 0

    def send(self, provider: Provider, request: HttpRequest, cancelled: object = None) -> HttpResponse:
        if self._world.now < self._not_before:
            raise RateLimited("held back", retry_after=1.0)
        response = self._world.venue.answer(request)
        try:
            provider.check(response)
        except RateLimited as error:
            self._not_before = self._world.now + int(error.retry_after * 1000)
            raise
        return response

    def close(self) -> None:
        pass


class VirtualBackfill:
    """Answers questions after a while, from what the venue's history held when the question arrived."""

    def __init__(self, world: World, downloader: Downloader) -> None:
        self._world = world
        self._downloader = downloader

    def ask(self, subscription: Subscription, ask: object, reply: Callable[..., None], cancelled: object,
        stored: object = None,
    ) -> None:
        world = self._world
        world.at(world.now + world.venue.latency(), lambda: self._arrive(subscription, ask, reply))

    def _arrive(self, subscription: Subscription, ask: object, reply: Callable[..., None]) -> None:
        world = self._world
        covered = ask.span.start  # type: ignore[attr-defined]
        answers: list[Answer | Failure] = []
        try:
            for page in self._downloader.pages(subscription.symbol, subscription.timeframe, ask.span):  # type: ignore[attr-defined]
                covered = page.span.end
                answers.append(Answer(ask, page.span, tuple(page.bars), False, page.venue_time, page.took))  # type: ignore[arg-type]
            answers.append(Answer(ask, TimeRange(covered, covered), (), True))  # type: ignore[arg-type]
        except BtfeedsError as error:
            world.seen.add(type(error).__name__)
            answers.append(Failure(ask, error))  # type: ignore[arg-type]
        *pages, last = answers
        together = [[page] for page in pages[:-1]] + [[*pages[-1:], last]]  # that it was the last one follows at once
        at = world.now + world.venue.latency()
        for some in together:
            world.at(at, lambda some=some: [reply(answer) for answer in some])  # type: ignore[misc]
            at += world.venue.latency() // 10

    def close(self) -> None:
        pass

    def join(self, seconds: float) -> bool:
        return True


class VirtualHub(Hub):
    """The product's hub with virtual workers."""

    world: World

    def new_worker(self, shard: Shard) -> Worker:
        connection = Connection(self.venue, self.world.budget, jitter=self.world.dice.random, policy=self.policy)
        return VirtualWorker(self.world, connection, shard, next(self._numbers))


class _NoLock:
    """There is one thread: nothing to guard."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: object) -> None:
        pass


@dataclass
class World:
    """One run. `log` is what the strategy met, in order: [time, "bar", open_time, o, h, l, c, v, source] or
    [time, "status", word] or [time, "gap", start, end]."""

    plan: Schedule
    now: int = START - 5_000
    log: list[list[object]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    slow: bool = False
    woken: bool = False  # for who waits with `go_on`

    def __post_init__(self) -> None:
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        self._pull_at: int | None = None
        self.dice = random.Random(f"client {self.plan.seed}")
        self.budget = Budget(30, 300_000, _NoLock())
        self.clock = VirtualClock(self, self.plan.skew_ms)
        self.venue = VirtualVenue(self, self.plan)
        speaker = self.venue.speaker
        dialect = self.dialect = speaker.dialect()
        dialect.heartbeat = replace(dialect.heartbeat, idle_ms=IDLE_MS, timeout_ms=PONG_MS)
        downloader = Downloader(dialect, VirtualHttp(self), self.clock)  # type: ignore[arg-type]
        self.hub = VirtualHub(dialect, self.clock, VirtualBackfill(self, downloader), ConnectionPolicy())  # type: ignore[arg-type]
        self.hub.world = self
        self.start = START - HISTORY_MINUTES * MINUTE if self.plan.history else None
        self.stream = Stream(
            dialect,
            Subscription(speaker.host, Symbol(speaker.symbol), Timeframe.parse("1m")),
            clock=self.clock,
            start=self.start,
            capacity=self.plan.capacity,
            gaps=self.plan.gaps,
            hub=self.hub,
        )
        for fault in self.plan.faults:
            self.at(START + fault.at, lambda kind=fault.kind: self.venue.begin(kind))
            if fault.lasts:
                self.at(START + fault.at + fault.lasts, lambda kind=fault.kind: self.venue.end(kind))

    def at(self, time: int, do: Callable[[], None]) -> None:
        """Have something happen at `time`; what is due at the same time happens in the order it was said."""
        self._number = number = self._number + 1
        heapq.heappush(self._events, (time if time > self.now else self.now, number, do))

    def wake(self) -> None:
        """Something may be new for the strategy: it looks at once."""
        if self._pull_at is None or self._pull_at > self.now:
            self._pull_at = self.now
            self.at(self.now, self._pull)

    def run(self, until: int = START + LIVE_MINUTES * MINUTE) -> World:
        self.stream.open(self.wake)
        self.wake()
        events = self._events
        while events and events[0][0] <= until:  # as `step`, without its calls
            self.now, _, do = heapq.heappop(events)
            do()
        self.now = until
        return self

    def go_on(self, due: int, until: int) -> None:
        """Let things happen until something woke the strategy that is not slow, or it is `due`, or `until`."""
        events = self._events
        while not self.woken or self.slow:
            time = events[0][0] if events else 1 << 62
            if (not self.slow and time > due) or time > until:
                self.now = until if self.slow else min(due, until)
                return
            self.now, _, do = heapq.heappop(events)
            do()

    def step(self, until: int) -> bool:
        """Let the next thing happen; False when there is none before `until`."""
        if not self._events or self._events[0][0] > until:
            self.now = until
            return False
        time, _, do = heapq.heappop(self._events)
        self.now = time
        do()
        return True

    def _pull(self) -> None:
        if self._pull_at != self.now:
            return
        self._pull_at = None
        if self.slow:
            return
        while (item := self.stream.pull()) is not None:
            self.note(item)
        deadline = self.stream.deadline
        if deadline is not None:
            self._look_at(max(deadline - self.plan.skew_ms, self.now + 200))

    def _look_at(self, due: int) -> None:
        """Pull then, although nothing woke, if nothing does before."""
        if self._pull_at is None or due < self._pull_at:
            self._pull_at = due
            self.at(due, self._on_time)

    def _on_time(self) -> None:
        """As `_pull`, unless what was waited for has come meanwhile."""
        if self._pull_at != self.now:
            return
        deadline = self.stream.deadline
        if not self.slow and deadline is not None and (due := deadline - self.plan.skew_ms) > self.now:
            self._pull_at = None
            self._look_at(due)
        else:
            self._pull()

    def note(self, item: Delivery | Notice) -> None:
        if isinstance(item, Delivery):
            bar = item.bar
            self.log.append(
                [self.now, "bar", bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, item.source]
            )
        elif hasattr(item.payload, "start"):
            self.log.append([self.now, "gap", item.payload.start, item.payload.end])
        else:
            self.log.append([self.now, "status", item.status.name])

    def text(self) -> str:
        """The log as JSON lines."""
        return "\n".join(json.dumps(line) for line in self.log)
