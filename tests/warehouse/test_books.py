"""The catalogue's arithmetic: coverage, totals, origins."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Provenance, SealedFile, books, schema
from btfeeds.warehouse.rows import Rows
from tests.warehouse.bars import HOUR, MARCH, MINUTE, SERIES


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.prepare(connection)
    yield connection
    connection.close()


@pytest.fixture
def number(db: sqlite3.Connection) -> int:
    return books.make_series(db, SERIES)


def span(start: int, end: int) -> TimeRange:
    return TimeRange(start, end)


def test_a_series_has_one_number(db: sqlite3.Connection, number: int) -> None:
    assert books.make_series(db, SERIES) == books.series_id(db, SERIES) == number


def test_the_timeframes_of_a_symbol_are_told_by_length(db: sqlite3.Connection) -> None:
    for text in ("a X 1d", "a X 90m", "a X 1m", "a Y 4h", "b X 3m"):
        venue, symbol, timeframe = text.split()
        books.make_series(db, Subscription(venue, Symbol(symbol), Timeframe.parse(timeframe)))
    assert [str(one) for one in books.timeframes(db, "a", Symbol("X"))] == ["1m", "90m", "1d"]


def test_spans_that_touch_or_overlap_become_one(db: sqlite3.Connection, number: int) -> None:
    books.cover(db, number, [span(0, 10), span(20, 30), span(40, 50)])
    assert books.cover(db, number, [span(10, 20)]) == [span(0, 30)]
    assert books.cover(db, number, [span(45, 60)]) == [span(40, 60)]
    assert books.coverage(db, number, span(0, 100)) == [span(0, 30), span(40, 60)]
    assert books.coverage(db, number, span(30, 40)) == []
    assert books.coverage(db, number, span(29, 41)) == [span(0, 30), span(40, 60)]


def test_what_is_covered_already_changes_nothing(db: sqlite3.Connection, number: int) -> None:
    books.cover(db, number, [span(0, 100)])
    assert books.cover(db, number, [span(10, 20)]) == [span(0, 100)]


def test_uncovering_cuts_a_span_in_two(db: sqlite3.Connection, number: int) -> None:
    books.cover(db, number, [span(0, 100)])
    books.uncover(db, number, span(40, 60))
    assert books.coverage(db, number, span(0, 100)) == [span(0, 40), span(60, 100)]


def test_coverage_is_what_a_set_of_instants_would_be(db: sqlite3.Connection, number: int) -> None:
    rng = random.Random(5)
    instants: set[int] = set()
    for _ in range(400):
        start = rng.randrange(200)
        piece = span(start, start + rng.randrange(1, 20))
        if rng.random() < 0.6:
            books.cover(db, number, [piece])
            instants |= set(range(piece.start, piece.end))
        else:
            books.uncover(db, number, piece)
            instants -= set(range(piece.start, piece.end))
        found = books.coverage(db, number, span(-100, 1_000))
        assert {time for one in found for time in range(one.start, one.end)} == instants
        assert all(before.end < behind.start for before, behind in itertools.pairwise(found))


def row(time: int, origin: int = 1) -> tuple[int | float, ...]:
    return (time, 1.0, 4.0, 0.5, 2.0, 10.0, 7, origin)


def test_a_row_that_is_not_what_was_written_is_named(db: sqlite3.Connection, number: int) -> None:
    books.put(db, number, Rows.of([row(0), row(60), row(120)]), frozenset())
    db.execute("UPDATE bar SET high = 4.5 WHERE time = 60")
    with pytest.raises(books.DamagedRows) as damaged:
        books.rows(db, number, span(0, 1_000))
    assert damaged.value.times == [60]
    assert books.take_row(db, number, 0) == []
    assert len(books.take_row(db, number, 60)) == 1
    assert books.rows(db, number, span(0, 1_000)).times.tolist() == [0, 120]


def test_totals_count_a_bar_in_both_places_once(db: sqlite3.Connection, number: int) -> None:
    books.put_file(db, number, SealedFile("a", span(0, 600), 3, 0, 120, "c", 1_000, 0))
    books.put(db, number, Rows.of([row(60), row(660)]), frozenset([60]))
    books.count_again(db, number)
    (one,) = books.all_series(db)
    assert (one.rows, one.first, one.last, one.files, one.bytes) == (4, 0, 660, 1, 1_000)
    assert books.count_anew(db, number) == 4


def test_bars_of_one_provider_and_hour_share_an_origin(db: sqlite3.Connection) -> None:
    first = books.origin_id(db, "binance", False, MARCH + MINUTE)
    assert books.origin_id(db, "binance", False, MARCH + 59 * MINUTE) == first
    others = {books.origin_id(db, "binance", False, MARCH + HOUR), books.origin_id(db, "binance", True, MARCH),
              books.origin_id(db, "kraken", False, MARCH)}  # fmt: skip
    assert len(others | {first}) == 4
    assert books.origins(db, [first, 99]) == {first: Provenance("binance", MARCH + MINUTE, False)}


def test_files_are_found_by_the_bars_they_hold(db: sqlite3.Connection, number: int) -> None:
    files = [SealedFile(str(at), span(at, at + 100), 2, at + 10, at + 50, "c", 1, 0) for at in (0, 100)]
    for file in files:
        books.put_file(db, number, file)
    assert books.files(db, number) == files
    assert books.files(db, number, span(50, 110)) == [files[0]]
    assert books.files(db, number, span(51, 110)) == []
    assert books.remove_file(db, files[0])
    assert not books.remove_file(db, files[0])


def test_a_fresh_catalogue_and_an_old_one_have_the_same_tables(tmp_path: Path) -> None:
    from tests.warehouse.bars import GOLDEN

    def tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(row[1] for row in connection.execute(f"PRAGMA table_info({name})")) for name in names}

    fresh, old = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    schema.prepare(fresh)
    with sqlite3.connect(GOLDEN / "v1.sqlite") as golden:
        golden.backup(old)
    golden.close()
    schema.prepare(old)
    assert tables(fresh) == tables(old)
    for connection in (fresh, old):
        connection.close()
