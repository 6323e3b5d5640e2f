"""How well providers have answered: remembered over restarts, and used to decide who is asked first.

What is remembered of one is a share of good answers and a time per answer, both of the last twenty or so; a bad
share is forgiven by half with every hour. The order of the rules stands, but for two: who answers less than half of
the time is asked after all who do, and so is who takes four times as long as the quickest and more than two seconds.

Only runs on the machine's own clock are remembered on disk. A file that cannot be read or written costs nothing but
the memory.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from btfeeds import settings
from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import ConfigError

logger = logging.getLogger("btfeeds")

_WEIGHT = 0.05  # of the newest answer among the ones before
_FORGIVEN_MS = 3_600_000
_SLOW_MS = 2_000
_MUCH_SLOWER = 4
_LOCK_S = 2.0


class Standing(msgspec.Struct, frozen=True):
    """What is known of one provider. `success` from 0 to 1; `ms` for an answer; `time` of the last one (epoch ms)."""

    asked: int = 0
    failed: int = 0
    success: float = 1.0
    ms: float = 0.0
    time: int = 0

    def at(self, now: int) -> float:
        """The share of good answers as it counts now."""
        hours = max(0, now - self.time) / _FORGIVEN_MS
        share: float = 1 - (1 - self.success) * 0.5**hours
        return share


def after(known: Standing, *, good: bool, ms: float, now: int) -> Standing:
    """What is known after one more answer, which took `ms`."""
    weight = max(_WEIGHT, 1 / (known.asked + 1))  # the first ones are an ordinary mean
    return Standing(
        asked=known.asked + 1,
        failed=known.failed + (not good),
        success=known.at(now) + weight * (good - known.at(now)),
        ms=known.ms + weight * (ms - known.ms),
        time=now,
    )


def ordered(names: Sequence[str], known: dict[str, Standing], now: int) -> list[str]:
    """`names`, with those that mostly fail, or are far slower than the others, behind the rest."""
    times = [known[name].ms for name in names if name in known and known[name].at(now) >= 0.5]
    slow = max(_SLOW_MS, _MUCH_SLOWER * min(times, default=0.0))

    def place(name: str) -> tuple[bool, bool]:
        one = known.get(name, Standing())
        return one.at(now) < 0.5, one.ms > slow

    return sorted(names, key=place)


class Reliability:
    """The standings of all providers. May be used from several threads and processes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards _known and _news
        self._known = _read() if isinstance(clock, SystemClock) else {}
        self._news: list[tuple[str, bool, float, int]] = []

    def standings(self) -> dict[str, Standing]:
        """What is known now."""
        with self._lock:
            return dict(self._known)

    def answered(self, name: str, *, good: bool, ms: float) -> None:
        """A provider has answered, or failed to, within `ms`."""
        now = self._clock.now()
        with self._lock:
            self._news.append((name, good, ms, now))
            self._known[name] = after(self._known.get(name, Standing()), good=good, ms=ms, now=now)

    def ordered(self, names: Sequence[str]) -> list[str]:
        """`names` in the order in which they should be asked."""
        return ordered(names, self.standings(), self._clock.now())

    def save(self) -> None:
        """Add what was learned since the last time to what all processes have learned."""
        with self._lock:
            news, self._news = self._news, []
        if not news or not isinstance(self._clock, SystemClock):
            return
        try:
            with _writing() as known:
                for name, good, ms, now in news:
                    known[name] = after(known.get(name, Standing()), good=good, ms=ms, now=now)
        except (OSError, Timeout, ConfigError) as error:
            logger.info("how providers have answered could not be written down: %s", error)


def _file() -> Path:
    return settings.state() / "providers.json"


@contextlib.contextmanager
def _writing() -> Iterator[dict[str, Standing]]:
    path = _file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=_LOCK_S):
        known = _read()
        yield known
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(msgspec.json.encode(known))
        fresh.replace(path)


def _read() -> dict[str, Standing]:
    """What the file says; nothing where it cannot be read or was damaged."""
    try:
        said = json.loads(_file().read_bytes())
        return {name: msgspec.convert(one, Standing) for name, one in said.items()}
    except (OSError, ValueError, AttributeError, ConfigError):
        return {}
