"""Time as the rest of btfeeds sees it. Every timer of a live feed runs on one of these.

`now()` is wall-clock time in epoch ms; `monotonic()` is in ms and only ever grows, so a step of the wall clock
neither fires nor starves a timer. A `ScaledClock` runs N times faster than the wall: a run against a fast
simulator is the same run, only faster. A `ManualClock` moves when told.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What every clock can do. `speed` is how many of its seconds pass in one of the wall's."""

    speed: float

    def now(self) -> int:
        """Epoch milliseconds UTC."""
        ...

    def monotonic(self) -> int:
        """Milliseconds from an arbitrary start; never goes back, unmoved by changes of the wall clock."""
        ...

    def sleep(self, ms: float) -> None:
        """Return after `ms` of this clock."""
        ...


# After a laptop's sleep the timers of a dead connection must be long overdue. Linux's CLOCK_MONOTONIC stands still
# meanwhile and CLOCK_BOOTTIME does not; macOS's CLOCK_MONOTONIC goes on and its Python's time.monotonic() does not.
_ASLEEP_TOO = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def _monotonic_ns() -> int:
    return time.clock_gettime_ns(_ASLEEP_TOO) if _ASLEEP_TOO is not None else time.monotonic_ns()


_AT_START = time.time_ns() - _monotonic_ns()  # the wall clock is looked at once: steps of it are none of time


class SystemClock:
    """The machine's own clock as it was when the process began, and from then on every second as long as the last.

    A step of the wall clock moves nothing here; how far the venue's clock is ahead is learned from what it sends.
    There is only one system clock, so all instances are equal: feeds with one each share sockets.
    """

    speed = 1.0

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def now(self) -> int:
        return (_AT_START + _monotonic_ns()) // 1_000_000

    def monotonic(self) -> int:
        return _monotonic_ns() // 1_000_000

    def sleep(self, ms: float) -> None:
        time.sleep(max(0.0, ms) / 1000)


class ScaledClock:
    """Starts at `now` (epoch ms) and runs `speed` times as fast as the wall."""

    def __init__(self, now: int, speed: float = 1.0) -> None:
        self.speed = speed
        self._start = now
        self._origin = _monotonic_ns()

    def now(self) -> int:
        return self._start + self.monotonic()

    def monotonic(self) -> int:
        return int((_monotonic_ns() - self._origin) / 1_000_000 * self.speed)

    def sleep(self, ms: float) -> None:
        time.sleep(max(0.0, ms) / 1000 / self.speed)


class ManualClock:
    """Moves when told. `sleep` moves it, so that code which waits can be tested without waiting."""

    speed = 1.0

    def __init__(self, now: int = 0) -> None:
        self._lock = threading.Lock()  # guards _now: tests advance it while threads read it
        self._now = now
        self._origin = now

    def now(self) -> int:
        with self._lock:
            return self._now

    def monotonic(self) -> int:
        return self.now() - self._origin

    def advance(self, ms: float) -> None:
        """Move forward by `ms`."""
        with self._lock:
            self._now += int(ms)

    def set(self, now: int) -> None:
        """Move to the epoch ms `now`, which must not be in this clock's past."""
        self.advance(now - self.now())

    def sleep(self, ms: float) -> None:
        self.advance(ms)
