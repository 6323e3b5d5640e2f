"""The connection to `catalogue.sqlite`: opening, transactions, and SQLite's errors in our words.

WAL with synchronous FULL: what a transaction wrote is on the disk when it returns, whatever ends the process or the
machine, and readers and the one writer do not wait for each other. One connection serves all threads of a process.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from btfeeds.errors import WarehouseDamaged, WarehouseError, WarehouseTooNew, WarehouseUnwritable
from btfeeds.warehouse import locks, schema

NAME = "catalogue.sqlite"
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
               sqlite3.SQLITE_PERM}  # fmt: skip
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_given_up: list[sqlite3.Connection] = []  # never closed: see _drop and _connected


class Catalogue:
    """`catalogue.sqlite` of the warehouse in the folder `root`. Raises the Warehouse errors."""

    def __init__(self, root: Path, *, readonly: bool = False) -> None:
        self.path = root / NAME
        self.readonly = readonly
        self.lock = threading.RLock()  # guards the connection, and the transaction that is open on it
        self._connection: sqlite3.Connection | None = None
        self._pid = os.getpid()
        self._suspect = False
        self._closed = False
        if readonly and not self.path.is_file():
            raise WarehouseError(
                f"There is no warehouse in {root}.", "Nothing was read.", "Check the path, or fetch something first."
            )
        if not readonly:
            self._make_folder(root)
        with self.lock, self._translated():
            self._open()

    def close(self) -> None:
        """Let go of the file. May be called again."""
        with self.lock:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is not None and self._pid == os.getpid():
                connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk when this returns; nothing of it remains when it fails."""
        with self.lock, self._translated():
            connection = self._connected()
            if self.readonly:
                raise WarehouseUnwritable(
                    f"The warehouse {self.path.parent} can only be read.", "Nothing was changed.",
                    "Make the folder writable for you, or name another with BTFEEDS_WAREHOUSE.",
                )  # fmt: skip
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Everything read in here is of the same instant."""
        with self.lock, self._translated():
            connection = self._connected()
            nested = connection.in_transaction
            if not nested:
                connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if not nested and connection.in_transaction:
                    connection.execute("COMMIT")

    def copy(self, to: Path) -> None:
        """Write the catalogue, as it is now, to the file `to`: one file that is complete without others beside it."""
        with self._translated(to):
            # connections of their own: an error of the copy is none of the catalogue's
            source, into = self._connect("ro"), sqlite3.connect(to)
            try:
                source.backup(into)
                into.execute("PRAGMA journal_mode = DELETE").fetchall()
            finally:
                into.close()
                source.close()

    # --- opening -----------------------------------------------------------------------------------------------------

    def _make_folder(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(root, error.strerror or str(error)) from None

    def _connected(self) -> sqlite3.Connection:
        if self._closed:
            raise WarehouseError("The warehouse is closed.", "Nothing was done.", "Open it again.")
        if self._pid != os.getpid():  # after a fork: SQLite forbids even closing what the parent opened
            if self._connection is not None:
                _given_up.append(self._connection)
            self._connection, self._pid = None, os.getpid()
        if self._connection is None:
            self._open()
        assert self._connection is not None
        return self._connection

    def _open(self) -> None:
        if not self.readonly and not os.access(self.path if self.path.exists() else self.path.parent, os.W_OK):
            self._read_only_from_now(f"{self.path} is not writable for you")
        if self.readonly:
            connection = self._connect_readonly()
        else:
            try:
                connection = self._connect("rwc")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _UNWRITABLE:
                    raise
                self._read_only_from_now(str(error))
                connection = self._connect_readonly()
        try:
            check_version(schema.version(connection), self.path.parent)
            if schema.version(connection) < schema.VERSION:  # only where it is read-only
                raise WarehouseError(
                    f"The warehouse {self.path.parent} is of an earlier format.", "Nothing was read or changed.",
                    "Open it once where it can be written: that brings it up to date.",
                )  # fmt: skip
        except WarehouseError:
            connection.close()
            raise
        if self._suspect:
            # The disk once refused a sync: what it was to write is in memory only, and asking the same file again
            # would be answered with "done". Moving it into the main file writes it anew.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._suspect = False
        self._connection = connection

    def _connect(self, mode: str, more: str = "") -> sqlite3.Connection:
        # as_uri escapes what has a meaning in a URI: a folder may be called "50%?"
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}{more}", uri=True, timeout=locks.PATIENCE_S,
            isolation_level=None, check_same_thread=False, cached_statements=256,
        )  # fmt: skip
        try:
            connection.execute("PRAGMA synchronous = FULL")
            if schema.version(connection) < schema.VERSION and mode == "rwc":
                with locks.held(self.path.with_name(f"{NAME}.lock"), f"the warehouse {self.path.parent}"):
                    _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_readonly(self) -> sqlite3.Connection:
        try:
            return self._connect("ro")
        except sqlite3.OperationalError:
            if self.path.with_name(f"{NAME}-wal").exists():
                raise
            # a medium nobody can write to: SQLite wants to be told, since it cannot make its files beside this one
            return self._connect("ro", "&immutable=1")

    def _read_only_from_now(self, why: str) -> None:
        """What is there can still be read; without anything there, nothing can be done."""
        if not self.path.is_file() or not self.path.stat().st_size:
            raise _unwritable(self.path.parent, why)
        self.readonly = True

    def _drop(self) -> None:
        """After an input/output error: the next use opens the file anew, and this descriptor is never synced again."""
        if self._connection is not None:
            _given_up.append(self._connection)
            self._connection = None
        self._suspect = True

    @contextmanager
    def _translated(self, path: Path | None = None) -> Iterator[None]:
        """SQLite's errors in our words; of another file than the catalogue if `path` says so."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_IOERR and path is None:
                self._drop()
            translated = _words(path or self.path, code, error)
            if translated is None:
                raise
            raise translated from None


def check_version(found: int, root: Path) -> None:
    """Raises WarehouseTooNew for what only a later btfeeds understands."""
    if found > schema.VERSION:
        raise WarehouseTooNew(
            f"The warehouse {root} has format {found}; this btfeeds knows formats up to {schema.VERSION}.",
            "Nothing was read or changed.",
            "Update btfeeds: pip install --upgrade btfeeds",
        )


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring older ones up to date; under the lock of the catalogue."""
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    try:
        if schema.version(connection) < schema.VERSION:
            schema.prepare(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _words(path: Path, code: int, error: sqlite3.DatabaseError) -> WarehouseError | None:
    makers: list[tuple[set[int], Callable[[], WarehouseError]]] = [
        (_LOCKED, lambda: locks.locked(f"the warehouse {path.parent}", path.with_name(f"{path.name}-shm"))),
        (_UNWRITABLE, lambda: _unwritable(path.parent, str(error))),
        (_DAMAGED, lambda: WarehouseDamaged(
            f"{path} is damaged: {error}.", "Nothing was changed.",
            "Restore it with `btfeeds warehouse restore`, or move it away and fetch anew.")),
    ]  # fmt: skip
    return next((make() for codes, make in makers if code in codes), None)


def _unwritable(root: Path, why: str) -> WarehouseUnwritable:
    return WarehouseUnwritable(
        f"The warehouse {root} cannot be written: {why}.",
        "Nothing was changed; what was there is whole.",
        "Make room or make it writable, or name another folder with BTFEEDS_WAREHOUSE.",
    )
