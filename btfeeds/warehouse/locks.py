"""Locks between processes. The kernel frees them when their holder dies, so a dead process is never in the way.

A live one is waited for, a few seconds at most; then the error says who it is. That is looked up where the system
tells (`/proc/locks` on Linux): a note left by the holder could be one of a holder long dead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from btfeeds.errors import WarehouseLocked, WarehouseUnwritable

PATIENCE_S = 4.5  # then a process that waits says so: within five seconds
_POLL_S = 0.001  # filelock's own 0.05 s make a queue of writers wait 50 to 100 ms each


@contextmanager
def held(path: Path, what: str, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock file `path`, made if need be. Raises WarehouseLocked, naming `what` and who holds it."""
    lock = FileLock(path, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience_s, poll_interval=_POLL_S)
    except Timeout:
        raise locked(what, path) from None
    except OSError as error:
        raise WarehouseUnwritable(
            f"{path} cannot be written: {error.strerror}.",
            "Nothing was changed; what was there is whole.",
            "Make room or make it writable, or name another folder with BTFEEDS_WAREHOUSE.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def locked(what: str, path: Path) -> WarehouseLocked:
    """The error for a lock on `path` that another process does not let go of."""
    pid = holder(path)
    who = f"process {pid} ({_command(pid)})" if pid else "another process"
    advice = f"Wait until it is done, or end it: kill {pid}" if pid else "Wait until it is done, or end it."
    return WarehouseLocked(f"{what[:1].upper()}{what[1:]} is in use by {who}.", "Nothing was changed.", advice)


def holder(path: Path) -> int:
    """The process that holds a lock for writing on `path`; 0 where there is none, or where the system does not tell."""
    try:
        found = path.stat()
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    # "7: POSIX  ADVISORY  WRITE 1234 fe:00:5678 120 120"; a waiting process has "->" behind its number
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        words = line.split()
        if "->" not in words and len(words) > 5 and words[3] == "WRITE" and words[5] == device:
            return max(0, int(words[4]))
    return 0


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "unknown"
    text = " ".join(word.decode(errors="replace") for word in words if word)
    return text if len(text) <= 120 else f"{text[:117]}..."
