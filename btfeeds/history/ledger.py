"""What the processes of this machine spend at each host, in one file: together they keep to one budget.

A small SQLite table, opened for each entry: a process that is killed leaves the lock to the others and half an entry
to nobody, and a file that is removed is made anew. The package pyrate-limiter has such a table, too, but with a row
for every unit of weight (thousands a minute on Binance), never a turn for a request that costs more than everything,
and a lock it waits for without an end: one process stopped in the middle would stop them all.

Times in the file are the wall's, because days outlive the machine's start. A step of that clock makes what others have
spent look older or newer than it is, for one window; what this process has spent is kept on its own clock.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from btfeeds import settings
from btfeeds.errors import ConfigError
from btfeeds.history.pacing import Pacer

logger = logging.getLogger("btfeeds")

_LOCK_S = 2.0
_ASIDE_MS = 60_000  # so long a file that could not be used is left alone
_TABLES = (
    "CREATE TABLE IF NOT EXISTS spent (id INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, time INTEGER NOT NULL,"
    " until INTEGER NOT NULL, weight INTEGER NOT NULL, requests INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS spent_until ON spent (until)",
)

_told: set[Path] = set()  # files that cannot be used, each said once
_lock = threading.Lock()  # guards _told


class Ledger:
    """Reads and writes the file for one owner, who holds a lock. `name` says whose budget it is.

    Where the file cannot be used this is said once, and the pacer decides by what this process has spent alone.
    """

    def __init__(self) -> None:
        self._path = Path()
        self._seen: dict[str, int] = {}  # the last entry of each name that its pacer knows of
        self._aside_until = 0

    def take(self, name: str, pacer: Pacer, weight: int, now: int) -> int:
        """`pacer.take`, by what all processes have spent. Blocks for up to two seconds."""
        with self._shared(name, pacer, now) as spent:
            wait = pacer.take(weight, now)
            if not wait:
                spent.append((weight, 1))
        return wait

    def learn(self, name: str, pacer: Pacer, used: int, now: int) -> None:
        """`pacer.learn`, by what all processes have spent. Blocks for up to two seconds."""
        with self._shared(name, pacer, now) as spent:
            more = pacer.learn(used, now)
            if more:
                spent.append((more, 0))

    @contextlib.contextmanager
    def _shared(self, name: str, pacer: Pacer, now: int) -> Iterator[list[tuple[int, int]]]:
        """The pacer knows what others have spent; what is put into the list is told to them. They wait meanwhile."""
        spent: list[tuple[int, int]] = []
        with contextlib.ExitStack() as stack:
            db = None
            try:
                if now >= self._aside_until:
                    db = stack.enter_context(self._open())
                    self._read(db, name, pacer, now)
            except (sqlite3.Error, OSError, ConfigError) as error:
                db = None
                self._put_aside(error, now)
            yield spent
            try:
                if db and spent:
                    self._write(db, name, pacer, spent)
            except sqlite3.Error as error:
                self._put_aside(error, now)

    def _open(self) -> contextlib.closing[sqlite3.Connection]:
        self._path = settings.state() / "budgets.db"
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return contextlib.closing(sqlite3.connect(self._path, timeout=_LOCK_S, isolation_level=None))

    def _read(self, db: sqlite3.Connection, name: str, pacer: Pacer, now: int) -> None:
        db.execute("PRAGMA synchronous = OFF")  # a power cut may cost the file: it is worth no wait for the disk
        db.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            db.execute(table)
        last = db.execute("SELECT seq FROM sqlite_sequence").fetchone()
        if (last[0] if last else 0) < self._seen.get(name, 0):  # another file than before
            self._seen.clear()
        wall = _wall()
        rows = db.execute(
            "SELECT id, time, weight, requests FROM spent WHERE id > ? AND host = ? AND until > ? ORDER BY id",
            (self._seen.get(name, 0), name, wall),
        ).fetchall()
        for number, at, weight, requests in rows:
            pacer.count(weight, requests, now - max(0, wall - at))
            self._seen[name] = number

    def _write(self, db: sqlite3.Connection, name: str, pacer: Pacer, spent: list[tuple[int, int]]) -> None:
        wall = _wall()
        db.execute("DELETE FROM spent WHERE until <= ?", (wall,))
        for weight, requests in spent:
            entry = (name, wall, wall + pacer.memory_ms, weight, requests)
            done = db.execute("INSERT INTO spent (host, time, until, weight, requests) VALUES (?, ?, ?, ?, ?)", entry)
            self._seen[name] = done.lastrowid or 0
        db.execute("COMMIT")

    def _put_aside(self, error: Exception, now: int) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            logger.warning("%s is damaged (%s) and is made anew", self._path, error)
            for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                with contextlib.suppress(OSError):
                    path.unlink()
            return
        self._aside_until = now + _ASIDE_MS
        with _lock:
            new = self._path not in _told
            _told.add(self._path)
        if new:
            logger.warning(
                "What other processes ask of the same venues is not known: %s cannot be used (%s). "
                "This process keeps to the venues' limits alone. "
                "Make the folder writable, or name another in BTFEEDS_STATE.",
                self._path,
                error,
            )


def _wall() -> int:
    return time.time_ns() // 1_000_000  # another process reads it
