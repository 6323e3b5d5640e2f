"""What happened, said once. Parts publish frozen events; sinks count, log or alarm.

A sink is any callable that takes an event. It runs on the thread that publishes, so it must be quick; a sink that
raises is dropped with a log line rather than allowed to break a feed.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, fields

logger = logging.getLogger("btfeeds")


@dataclass(frozen=True, slots=True)
class Happening:
    """Base of all events. `venue` names the host; `feed` the subscription, where one is concerned."""

    venue: str


@dataclass(frozen=True, slots=True)
class Connected(Happening):
    """A socket is open and its subscriptions are confirmed."""

    connection: int


@dataclass(frozen=True, slots=True)
class Disconnected(Happening):
    """A socket is gone. `reason` is of a closed list: see live.connection.LOSSES."""

    connection: int
    reason: str
    detail: str
    retry_in_ms: int


@dataclass(frozen=True, slots=True)
class FrameRejected(Happening):
    """A frame could not be understood, or its bar could not be one."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class SubscriptionRefused(Happening):
    """The venue refused a channel."""

    channel: str
    reason: str


@dataclass(frozen=True, slots=True)
class GapOpened(Happening):
    """Bars between `start` and `end` are asked for."""

    feed: str
    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class GapClosed(Happening):
    """The gap is answered: `bars` came from history, the rest had no trades."""

    feed: str
    start: int
    end: int
    bars: int


@dataclass(frozen=True, slots=True)
class GapDeclared(Happening):
    """The venue has no bars for this span (or was not asked): the strategy was told, and goes on behind it."""

    feed: str
    start: int
    end: int
    bars: int
    reason: str


@dataclass(frozen=True, slots=True)
class BackfillFailed(Happening):
    """A question to history got no answer; it is asked again after `retry_in_ms`."""

    feed: str
    error: str
    retry_in_ms: int


@dataclass(frozen=True, slots=True)
class BarDuplicate(Happening):
    """A bar that was delivered already came again."""

    feed: str
    open_time: int


@dataclass(frozen=True, slots=True)
class BarCorrected(Happening):
    """The venue changed a bar that was delivered already. It is not delivered again."""

    feed: str
    open_time: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SilentSubscription(Happening):
    """History had a closed bar that the stream never sent."""

    feed: str
    open_time: int
    action: str


@dataclass(frozen=True, slots=True)
class PositionNotSaved(Happening):
    """The file a feed resumes from could not be written; it is tried again with the next bar."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class RingOverflowed(Happening):
    """The strategy is slower than the stream: the oldest waiting bar was dropped and will come from history."""

    feed: str


@dataclass(frozen=True, slots=True)
class ProviderChanged(Happening):
    """From `start` (epoch ms) on `to` is asked for bars instead of `venue`, because of `reason`."""

    feed: str
    to: str
    start: int
    reason: str


@dataclass(frozen=True, slots=True)
class WarehouseOut(Happening):
    """Bars on disk can be neither read nor kept for now. Feeds go on; what is not kept will be asked for again."""

    error: str


@dataclass(frozen=True, slots=True)
class WarehouseBack(Happening):
    """Bars on disk can be read and kept again, after so many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class CircuitOpened(Happening):
    """The venue's REST host did not answer `failures` times in a row; it is left alone for `retry_in_ms`."""

    failures: int
    retry_in_ms: int
    error: str


@dataclass(frozen=True, slots=True)
class CircuitClosed(Happening):
    """The venue's REST host answers again, `after_ms` after it was first left alone."""

    after_ms: int


@dataclass(frozen=True, slots=True)
class FileQuarantined(Happening):
    """A file of bars was damaged: it was moved aside, and what it held is to be asked for again."""

    feed: str
    path: str
    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class RowsRejected(Happening):
    """Rows could not be bars, or were damaged on the disk: they are dead letters now. `reason` is that of the first."""

    feed: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class SealFailed(Happening):
    """A closed period could not be moved into a file. Its bars are safe in the catalogue; it is tried again later."""

    feed: str
    error: str


@dataclass(frozen=True, slots=True)
class PricesRescaled(Happening):
    """The provider now gives `factor` times the prices that lie on disk: a split. Bars that open from `start` to `end`
    (epoch ms) were forgotten, to be asked for again (passed over, where it is only read); older ones it has no
    more, and they keep their former prices.
    """

    feed: str
    factor: float
    start: int
    end: int
    older: int  # how many bars keep their former prices


Sink = Callable[[Happening], None]
_sinks: list[Sink] = []
_lock = threading.Lock()  # guards _sinks and counts


class _Thread(threading.local):
    """What a thread knows of itself: how many hushed locks it holds, and what is to be told when it holds none."""

    def __init__(self) -> None:
        self.held = 0
        self.untold: deque[Happening] = deque()


_thread = _Thread()


class Hushed:
    """A reentrant lock under which nothing is told: a sink may want locks of its own, or take its time. What is
    published meanwhile is told in its order, as soon as the thread holds no such lock any more.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()
        _thread.held += 1

    def __exit__(self, *error: object) -> None:
        _thread.held -= 1
        self._lock.release()
        while _thread.untold and not _thread.held:
            publish(_thread.untold.popleft())


def publish(happening: Happening) -> None:
    """Tell every sink, now or (see Hushed) soon."""
    if _thread.held:
        _thread.untold.append(happening)
        return
    for sink in tuple(_sinks):
        try:
            sink(happening)
        except Exception:
            logger.exception("a monitoring sink failed and was removed: %r", sink)
            remove(sink)


def add(sink: Sink) -> Sink:
    """Register a sink; returns it, so that it can be removed again."""
    with _lock:
        _sinks.append(sink)
    return sink


def remove(sink: Sink) -> None:
    """Forget a sink; nothing happens when it is not there."""
    with _lock:
        if sink in _sinks:
            _sinks.remove(sink)


class Counts:
    """A sink that counts events by class name. `counts["Disconnected"]` is 0 for one never seen."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, happening: Happening) -> None:
        with _lock:
            self._counts[type(happening).__name__] += 1

    def __getitem__(self, name: str) -> int:
        return self._counts[name]


_LEVELS = {
    "FileQuarantined": logging.ERROR,
    "RowsRejected": logging.WARNING,
    "SealFailed": logging.WARNING,
    "PricesRescaled": logging.WARNING,
    "Disconnected": logging.WARNING,
    "SubscriptionRefused": logging.ERROR,
    "BackfillFailed": logging.WARNING,
    "FrameRejected": logging.WARNING,
    "SilentSubscription": logging.WARNING,
    "RingOverflowed": logging.WARNING,
    "BarCorrected": logging.WARNING,
    "GapDeclared": logging.WARNING,
    "PositionNotSaved": logging.ERROR,
    "CircuitOpened": logging.WARNING,
    "ProviderChanged": logging.WARNING,
    "WarehouseOut": logging.CRITICAL,
}


def log(happening: Happening) -> None:
    """The sink that writes to the logger "btfeeds"; a library adds no handlers of its own."""
    name = type(happening).__name__
    level = _LEVELS.get(name, logging.INFO)
    if logger.isEnabledFor(level):
        facts = " ".join(f"{f.name}={getattr(happening, f.name)}" for f in fields(happening))
        logger.log(level, "%s %s", name, facts)


add(log)
