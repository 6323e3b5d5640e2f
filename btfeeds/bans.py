"""Hosts that have closed their doors to us for a while (Retry-After, a ban), kept on disk: a program that is started
again during a ban must not ask, because asking makes the ban longer.

A name is a host, or a host and the digest of a key where only that key is shut out. Deadlines are of the wall's clock,
because days outlive the machine's start. When each was written stands beside it (under "said at"): a clock that shows
an earlier time than that was set back meanwhile, and then the deadline is as far away as it was when it was written.

Only for the machine's own clock: a deadline of simulated time means nothing to the next run.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path

from filelock import FileLock, Timeout

from btfeeds import settings
from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import LONGEST_WAIT_S, ConfigError

logger = logging.getLogger("btfeeds")

_LONGEST_MS = int(1000 * LONGEST_WAIT_S)
_LOCK_S = 2.0
_SAID_AT = "said at"  # no host has a name with a space in it, and no digest is this

Deadlines = dict[str, tuple[int, int]]  # by name: when it was said, and until when it is


def left(name: str, clock: Clock) -> int:
    """For how many ms more nothing may go there; 0 when it is open. May block on the disk for up to two seconds."""
    if not isinstance(clock, SystemClock):
        return 0
    try:
        known = _read(_file())
        if name in known and known[name][0] > _now():
            known = _write()
    except (OSError, Timeout, ConfigError):
        return 0
    ms = known[name][1] - _now() if name in known else 0
    return ms if 0 < ms <= _LONGEST_MS else 0


def remember(name: str, ms: float, clock: Clock) -> None:
    """Nothing may go there for `ms`. Where that cannot be written down it is said, and nothing else happens."""
    if not isinstance(clock, SystemClock) or ms <= 0:
        return
    try:
        _file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(name, min(int(ms), _LONGEST_MS))
    except (OSError, Timeout, ConfigError) as error:
        logger.warning("until when %s is closed cannot be kept over a restart: %s", name.split()[0], error)


def _write(name: str = "", ms: int = 0) -> Deadlines:
    """Put the file in order by the wall's clock as it is now, with a new deadline where one is named."""
    path = _file()
    with FileLock(f"{path}.lock", timeout=_LOCK_S):
        now = _now()
        # what was said at a time that is yet to come was said before the clock was set back
        known = {
            each: (now, until - said + now) if said > now else (said, until)
            for each, (said, until) in _read(path).items()
        }
        if name and known.get(name, (0, 0))[1] < now + ms:
            known[name] = (now, now + ms)
        known = {each: (said, until) for each, (said, until) in known.items() if now < until <= now + _LONGEST_MS}
        fresh = path.with_suffix(f".{os.getpid()}")
        text = {each: until for each, (_, until) in known.items()}
        fresh.write_text(json.dumps({**text, _SAID_AT: {each: said for each, (said, _) in known.items()}}), "utf-8")
        fresh.replace(path)
        return known


def _file() -> Path:
    return settings.state() / "closed.json"


def _now() -> int:
    return time.time_ns() // 1_000_000  # the wall's: another process reads it


def _read(path: Path) -> Deadlines:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}  # a file that is damaged has no deadlines
    if not isinstance(found, dict):
        return {}
    said = found.pop(_SAID_AT, None)
    times = said if isinstance(said, dict) else {}
    known = {}
    for name, until in found.items():
        at = times.get(name, 0)  # 0: an earlier btfeeds did not write it down
        if isinstance(until, int) and isinstance(at, int):
            known[name] = (at, until)
    return known
