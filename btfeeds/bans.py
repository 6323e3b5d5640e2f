"""Hosts that have closed their doors to us for a while (Retry-After, a ban), kept on disk: a program that is started
again during a ban must not ask, because asking makes the ban longer.

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
from btfeeds.errors import ConfigError

logger = logging.getLogger("btfeeds")

_LONGEST_MS = 7 * 86_400_000  # Binance bans for up to three days; what says more is no deadline
_LOCK_S = 2.0


def left(host: str, clock: Clock) -> int:
    """For how many ms more nothing may go to `host`; 0 when it is open."""
    if not isinstance(clock, SystemClock):
        return 0
    try:
        ms = _read(_file()).get(host, 0) - _now()
    except (OSError, ConfigError):
        return 0
    return ms if 0 < ms <= _LONGEST_MS else 0


def remember(host: str, ms: float, clock: Clock) -> None:
    """Nothing may go to `host` for `ms`. Where that cannot be written down it is said, and nothing else happens."""
    if not isinstance(clock, SystemClock) or ms <= 0:
        return
    try:
        path = _file()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=_LOCK_S):
            now = _now()
            known = {name: until for name, until in _read(path).items() if until > now}
            known[host] = max(known.get(host, 0), now + int(ms))
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps(known), encoding="utf-8")
            fresh.replace(path)
    except (OSError, Timeout, ConfigError) as error:
        logger.warning("until when %s is closed cannot be kept over a restart: %s", host, error)


def _file() -> Path:
    return settings.state() / "closed.json"


def _now() -> int:
    return time.time_ns() // 1_000_000  # the wall's: another process reads it


def _read(path: Path) -> dict[str, int]:
    try:
        said = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}  # a file that is damaged has no deadlines
    if not isinstance(said, dict):
        return {}
    return {host: until for host, until in said.items() if isinstance(until, int)}
