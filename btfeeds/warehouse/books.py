"""What is written into the catalogue, and read from it: bars, coverage, origins and the rest. SQL and nothing else.

Every function works within the transaction that its connection is in. Times are epoch ms; spans exclude their end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import numpy as np

from btfeeds.history.ranges import subtract, union
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse.items import DeadLetter, Provenance, Revision, SealedFile, Series
from btfeeds.warehouse.rows import NOTHING, Rows

Connection = sqlite3.Connection
_HOUR = 3_600_000

# --- series ----------------------------------------------------------------------------------------------------------


def series_id(db: sqlite3.Connection, subscription: Subscription) -> int | None:
    """The number of a series, or None for one that was never heard of."""
    row = db.execute("SELECT id FROM series WHERE venue = ? AND symbol = ? AND timeframe = ?", _key(subscription))
    found = row.fetchone()
    return int(found[0]) if found else None


def make_series(db: sqlite3.Connection, subscription: Subscription) -> int:
    """The number of a series, known or not."""
    found = series_id(db, subscription)
    if found is not None:
        return found
    db.execute("INSERT INTO series (venue, symbol, timeframe) VALUES (?, ?, ?)", _key(subscription))
    (number,) = db.execute("SELECT last_insert_rowid()").fetchone()
    return int(number)


def all_series(db: sqlite3.Connection, number: int | None = None) -> list[Series]:
    """Every series (or the one with `number`), by venue, symbol and length of a bar."""
    where, arguments = ("", ()) if number is None else ("WHERE s.id = ?", (number,))
    rows = db.execute(
        "SELECT venue, symbol, timeframe, first, last, rows, (SELECT coalesce(sum(bytes), 0) FROM file WHERE series = "
        f"s.id), (SELECT count(*) FROM file WHERE series = s.id), validated, score FROM series s {where}",
        arguments,
    )
    found = [
        Series(_subscription(*row[:3]), row[3] or 0, row[4] or 0, row[5], row[6], row[7], row[8], row[9])
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.subscription.venue, one.subscription.symbol,
                                          one.subscription.timeframe.ms))  # fmt: skip


def timeframes(db: sqlite3.Connection, venue: str, symbol: Symbol) -> list[Timeframe]:
    """The timeframes of which there is a series of `symbol`, by length."""
    found = db.execute("SELECT timeframe FROM series WHERE venue = ? AND symbol = ?", (venue, str(symbol)))
    return sorted((Timeframe.parse(text) for (text,) in found), key=lambda one: one.ms)


def count_more(db: sqlite3.Connection, number: int, rows: int, first: int, last: int) -> None:
    """`rows` new bars from `first` to `last` belong to a series."""
    db.execute(
        "UPDATE series SET rows = rows + ?, first = min(coalesce(first, ?), ?), last = max(coalesce(last, ?), ?) "
        "WHERE id = ?",
        (rows, first, first, last, last, number),
    )


def count_again(db: sqlite3.Connection, number: int) -> None:
    """Work out a series' totals from its files and the bars that are in none."""
    db.execute(
        "UPDATE series SET (rows, first, last) = (SELECT coalesce(sum(rows), 0), min(first), max(last) FROM ("
        "SELECT rows, first, last FROM file WHERE series = :id UNION ALL "
        "SELECT sum(over = 0), min(time), max(time) FROM bar WHERE series = :id)) WHERE id = :id",
        {"id": number},
    )


def count_anew(db: sqlite3.Connection, number: int) -> int:
    """How many bars a series should have by its files and the bars that are in none."""
    (rows,) = db.execute(
        "SELECT (SELECT coalesce(sum(rows), 0) FROM file WHERE series = :id) + "
        "(SELECT count(*) FROM bar WHERE series = :id AND over = 0)",
        {"id": number},
    ).fetchone()
    return int(rows)


def totals(db: sqlite3.Connection, number: int) -> int:
    """How many bars a series has."""
    (rows,) = db.execute("SELECT rows FROM series WHERE id = ?", (number,)).fetchone()
    return int(rows)


def mark_validated(db: sqlite3.Connection, number: int, time: int, score: int) -> None:
    db.execute("UPDATE series SET validated = ?, score = ? WHERE id = ?", (time, score, number))


# --- bars that are in no file ----------------------------------------------------------------------------------------


class DamagedRows(Exception):
    """Bars that opened at `times` are not what was written."""

    def __init__(self, times: list[int]) -> None:
        super().__init__(times)
        self.times = times


def rows(db: sqlite3.Connection, number: int, span: TimeRange) -> Rows:
    """The bars that open in `span`, ascending. Raises DamagedRows."""
    found = db.execute(
        "SELECT time, open, high, low, close, volume, trades, origin, digest FROM bar "
        "WHERE series = ? AND time >= ? AND time < ? ORDER BY time",
        (number, span.start, span.end),
    ).fetchall()
    if not found:
        return NOTHING
    held = Rows.of([row[:8] for row in found])
    whole = held.digests() == np.array([row[8] for row in found], dtype=np.int64)
    if not whole.all():
        raise DamagedRows(held.times[~whole].tolist())
    return held


def count_rows(db: sqlite3.Connection, number: int, span: TimeRange) -> int:
    (count,) = db.execute(
        "SELECT count(*) FROM bar WHERE series = ? AND time >= ? AND time < ?", (number, span.start, span.end)
    ).fetchone()
    return int(count)


def put(db: sqlite3.Connection, number: int, held: Rows, over: frozenset[int]) -> None:
    """Write bars; `over` are the times of which a file has an older row."""
    db.executemany(
        "INSERT INTO bar (time, open, high, low, close, volume, trades, origin, digest, series, over) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (series, time) DO UPDATE SET open = excluded.open, "
        "high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, "
        "trades = excluded.trades, origin = excluded.origin, digest = excluded.digest",
        (
            (*row, digest, number, row[0] in over)
            for row, digest in zip(held.tuples(), held.digests().tolist(), strict=True)
        ),
    )


def set_over(db: sqlite3.Connection, number: int, span: TimeRange, over: Iterable[int]) -> None:
    """Of the bars that open in `span`, those of which a file has an older row are `over`, and no others."""
    db.execute(
        "UPDATE bar SET over = 0 WHERE series = ? AND time >= ? AND time < ? AND over", (number, span.start, span.end)
    )
    db.executemany("UPDATE bar SET over = 1 WHERE series = ? AND time = ?", ((number, time) for time in over))


def span_of_rows(db: sqlite3.Connection, number: int) -> TimeRange | None:
    """From the first bar that is in no file to the last, both included; None where there is none."""
    first, last = db.execute("SELECT min(time), max(time) FROM bar WHERE series = ?", (number,)).fetchone()
    return None if first is None else TimeRange(first, last + 1)


def take_row(db: sqlite3.Connection, number: int, time: int) -> list[str]:
    """Drop the bar that opens at `time` unless it is whole; its text, if it was dropped."""
    try:
        rows(db, number, TimeRange(time, time + 1))
    except DamagedRows:
        key = (number, time)
        found = db.execute("SELECT * FROM bar WHERE series = ? AND time = ?", key).fetchall()
        db.execute("DELETE FROM bar WHERE series = ? AND time = ?", key)
        return [str(row) for row in found]
    return []


def remove_rows(db: sqlite3.Connection, number: int, span: TimeRange) -> int:
    """Drop the bars that open in `span`; returns how many."""
    return db.execute(
        "DELETE FROM bar WHERE series = ? AND time >= ? AND time < ?", (number, span.start, span.end)
    ).rowcount


# --- coverage --------------------------------------------------------------------------------------------------------


def coverage(db: sqlite3.Connection, number: int, span: TimeRange) -> list[TimeRange]:
    """The spans that were asked and answered and share an instant with `span`, as they are kept: joined, ascending."""
    return [
        TimeRange(start, stop)
        for start, stop in db.execute(
            "SELECT start, stop FROM coverage WHERE series = :id AND start < :stop AND start >= coalesce("
            "(SELECT max(start) FROM coverage WHERE series = :id AND start <= :start), :start) AND stop > :start "
            "ORDER BY start",
            {"id": number, "start": span.start, "stop": span.end},
        )
    ]


def cover(db: sqlite3.Connection, number: int, spans: Iterable[TimeRange]) -> list[TimeRange]:
    """These spans were asked and answered. Returns the spans, joined with what touches them, that are so now."""
    covered = []
    for span in union(spans):
        # one instant more at each side: spans that touch become one
        old = coverage(db, number, TimeRange(span.start - 1, span.end + 1))
        (joined,) = union([*old, span])
        covered.append(joined)
        if old == [joined]:
            continue
        if len(old) == 1 and old[0].start == joined.start:
            db.execute("UPDATE coverage SET stop = ? WHERE series = ? AND start = ?",
                       (joined.end, number, joined.start))  # fmt: skip
            continue
        db.executemany("DELETE FROM coverage WHERE series = ? AND start = ?", ((number, one.start) for one in old))
        db.execute("INSERT INTO coverage VALUES (?, ?, ?)", (number, joined.start, joined.end))
    return covered


def uncover(db: sqlite3.Connection, number: int, span: TimeRange) -> None:
    """This span is to be asked for again."""
    old = coverage(db, number, span)
    db.executemany("DELETE FROM coverage WHERE series = ? AND start = ?", ((number, one.start) for one in old))
    db.executemany(
        "INSERT INTO coverage VALUES (?, ?, ?)", ((number, left.start, left.end) for left in subtract(old, [span]))
    )


# --- origins ---------------------------------------------------------------------------------------------------------


def origin_id(db: sqlite3.Connection, provider: str, adjusted: bool, now: int) -> int:
    """The number of a provenance; bars that one provider gives within an hour share it."""
    hour = now - now % _HOUR
    key = (provider, hour, int(adjusted))
    found = db.execute("SELECT id FROM origin WHERE provider = ? AND hour = ? AND adjusted = ?", key).fetchone()
    if found is None:
        db.execute("INSERT INTO origin (provider, hour, adjusted, fetched) VALUES (?, ?, ?, ?)", (*key, now))
        found = db.execute("SELECT last_insert_rowid()").fetchone()
    return int(found[0])


def origins(db: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, Provenance]:
    """The provenances with these numbers."""
    found = {}
    for number in set(numbers):
        row = db.execute("SELECT provider, fetched, adjusted FROM origin WHERE id = ?", (number,)).fetchone()
        if row is not None:
            found[number] = Provenance(row[0], row[1], bool(row[2]))
    return found


# --- files -----------------------------------------------------------------------------------------------------------

_FILE = "path, start, stop, rows, first, last, checksum, bytes, sealed"


def files(db: sqlite3.Connection, number: int, span: TimeRange | None = None) -> list[SealedFile]:
    """A series' files, by time; with `span`, only those with bars that open in it."""
    where, arguments = "series = ?", [number]
    if span is not None:
        where, arguments = "series = ? AND first < ? AND last >= ?", [number, span.end, span.start]
    found = db.execute(f"SELECT {_FILE} FROM file WHERE {where} ORDER BY first", arguments)
    return [SealedFile(row[0], TimeRange(row[1], row[2]), *row[3:]) for row in found]


def any_file(db: sqlite3.Connection) -> bool:
    """Whether there is a file of any series."""
    return db.execute("SELECT 1 FROM file LIMIT 1").fetchone() is not None


def put_file(db: sqlite3.Connection, number: int, file: SealedFile) -> None:
    db.execute(
        f"INSERT INTO file (series, {_FILE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, file.path, file.span.start, file.span.end, file.rows, file.first, file.last, file.checksum,
         file.bytes, file.sealed),
    )  # fmt: skip


def remove_file(db: sqlite3.Connection, file: SealedFile) -> bool:
    """Take a file off the list; False when it was not on it."""
    return db.execute("DELETE FROM file WHERE path = ? AND checksum = ?", (file.path, file.checksum)).rowcount > 0


# --- revisions, dead letters, checkpoints ----------------------------------------------------------------------------


def put_revisions(
    db: sqlite3.Connection, number: int, before: Iterable[tuple[Bar, int]], now: int, provider: str
) -> None:
    """Keep bars, with their origin each, as they were before `provider` corrected them."""
    db.executemany(
        "INSERT INTO revision (series, time, open, high, low, close, volume, trades, origin, revised, provider) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (number, bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades, origin, now,
             provider)
            for bar, origin in before
        ),
    )  # fmt: skip


def revisions(db: sqlite3.Connection, number: int, subscription: Subscription, span: TimeRange) -> list[Revision]:
    found = db.execute(
        "SELECT r.time, open, high, low, close, volume, trades, coalesce(o.provider, ''), revised, r.provider "
        "FROM revision r LEFT JOIN origin o ON o.id = r.origin WHERE series = ? AND r.time >= ? AND r.time < ? "
        "ORDER BY r.time, r.id",
        (number, span.start, span.end),
    )
    return [Revision(subscription, Bar(*row[:7]), row[7], row[8], row[9]) for row in found]


def put_dead_letters(
    db: sqlite3.Connection, number: int, letters: Iterable[tuple[int | None, str, str]], now: int, provider: str
) -> None:
    """(open time, reason, raw text) of rows that could not be bars."""
    db.executemany(
        "INSERT INTO dead_letter (series, time, reason, raw, provider, met) VALUES (?, ?, ?, ?, ?, ?)",
        ((number, time, reason, raw, provider, now) for time, reason, raw in letters),
    )


def dead_letters(db: sqlite3.Connection, number: int | None, limit: int) -> list[DeadLetter]:
    """The latest dead letters, of one series or of all, the oldest of them first."""
    where, arguments = ("", [limit]) if number is None else ("WHERE series = ?", [number, limit])
    found = db.execute(
        "SELECT venue, symbol, timeframe, d.time, reason, raw, provider, met FROM dead_letter d "
        f"JOIN series s ON s.id = d.series {where} ORDER BY d.id DESC LIMIT ?",
        arguments,
    ).fetchall()
    return [DeadLetter(_subscription(*row[:3]), *row[3:]) for row in reversed(found)]


def checkpoint(db: sqlite3.Connection, key: str) -> str | None:
    found = db.execute("SELECT value FROM checkpoint WHERE key = ?", (key,)).fetchone()
    return str(found[0]) if found else None


def set_checkpoint(db: sqlite3.Connection, key: str, value: str | None) -> None:
    """Keep `value` (None: forget it)."""
    if value is None:
        db.execute("DELETE FROM checkpoint WHERE key = ?", (key,))
    else:
        db.execute("INSERT INTO checkpoint VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                   (key, value))  # fmt: skip


def _key(subscription: Subscription) -> tuple[str, str, str]:
    return (subscription.venue, str(subscription.symbol), str(subscription.timeframe))


def _subscription(venue: str, symbol: str, timeframe: str) -> Subscription:
    return Subscription(venue, Symbol(symbol), Timeframe.parse(timeframe))
