"""The tables of `catalogue.sqlite`, and the way from each earlier version to this one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from btfeeds.warehouse.rows import Rows

VERSION = 2
APPLICATION = 0x62746664  # "btfd": this is a warehouse, whatever it is called

# Times are epoch ms UTC; `start` is included, `stop` is not. `bar` holds what is in no file yet, and corrections of
# what is (`over` is 1: a file has an older row of that time); SQLite does not notice a changed bit, so each row has a
# digest. `series` has totals over both, so that a listing opens no file. An origin is a provenance; its hour makes the
# many bars of a live feed share one.
_TABLES = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY, venue TEXT NOT NULL, symbol TEXT NOT NULL, timeframe TEXT NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0, first INTEGER, last INTEGER,
    validated INTEGER NOT NULL DEFAULT 0, score INTEGER NOT NULL DEFAULT -1,
    UNIQUE (venue, symbol, timeframe));
CREATE TABLE origin (
    id INTEGER PRIMARY KEY, provider TEXT NOT NULL, hour INTEGER NOT NULL, adjusted INTEGER NOT NULL,
    fetched INTEGER NOT NULL, UNIQUE (provider, hour, adjusted));
CREATE TABLE bar (
    series INTEGER NOT NULL, time INTEGER NOT NULL, open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL,
    close REAL NOT NULL, volume REAL NOT NULL, trades INTEGER NOT NULL, origin INTEGER NOT NULL,
    over INTEGER NOT NULL DEFAULT 0, digest INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (series, time)) WITHOUT ROWID;
CREATE TABLE coverage (
    series INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    PRIMARY KEY (series, start)) WITHOUT ROWID;
CREATE TABLE file (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, path TEXT NOT NULL UNIQUE, start INTEGER NOT NULL,
    stop INTEGER NOT NULL, rows INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    checksum TEXT NOT NULL, bytes INTEGER NOT NULL, sealed INTEGER NOT NULL);
CREATE INDEX file_of_series ON file (series, first);
CREATE TABLE revision (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, time INTEGER NOT NULL, open REAL NOT NULL, high REAL NOT NULL,
    low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL, trades INTEGER NOT NULL, origin INTEGER NOT NULL,
    revised INTEGER NOT NULL, provider TEXT NOT NULL);
CREATE INDEX revision_of_series ON revision (series, time);
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, time INTEGER, reason TEXT NOT NULL, raw TEXT NOT NULL,
    provider TEXT NOT NULL, met INTEGER NOT NULL);
CREATE INDEX dead_letter_of_series ON dead_letter (series, id);
CREATE TABLE checkpoint (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def version(connection: sqlite3.Connection) -> int:
    """The version of the tables that are there; 0 where there are none."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an earlier version up to date, within the transaction that is open."""
    found = version(connection)
    if found == 0:
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
    for step in _STEPS[found - 1 :] if found else ():
        step(connection)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _digests(connection: sqlite3.Connection) -> None:
    """1 to 2: every bar that is in no file gets a digest."""
    connection.execute("ALTER TABLE bar ADD COLUMN digest INTEGER NOT NULL DEFAULT 0")
    at = (-(2**62), -(2**62))
    while rows := connection.execute(
        "SELECT time, open, high, low, close, volume, trades, origin, series FROM bar WHERE (series, time) > (?, ?) "
        "ORDER BY series, time LIMIT 50000",
        at,
    ).fetchall():
        digests = Rows.of([row[:8] for row in rows]).digests().tolist()
        connection.executemany(
            "UPDATE bar SET digest = ? WHERE series = ? AND time = ?",
            ((digest, row[8], row[0]) for digest, row in zip(digests, rows, strict=True)),
        )
        at = (rows[-1][8], rows[-1][0])


# from version 1 to 2, from 2 to 3, and so on
_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_digests,)
