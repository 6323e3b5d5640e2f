"""Mending a series: what is damaged is had again, what the source does not have is left and said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from btfeeds import venues
from btfeeds.manager import DataManager
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.mending import lost, mend
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.gapreport import Cause
from tests.history.venue import NOON, FakeVenue, M, row

SERIES = Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))
FEBRUARY, MARCH = to_ms("2024-02-01"), to_ms("2024-03-01")


def span(start: int, end: int) -> TimeRange:
    """Minutes from noon."""
    return TimeRange(NOON + start * M, NOON + end * M)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "bars") as made:
        yield made


def manager(venue: FakeVenue, warehouse: Warehouse) -> DataManager:
    return DataManager(
        warehouse, clock=venue.clock, create=lambda name: venue.downloader(venues.provider(name))
    )


def fill(venue: FakeVenue, warehouse: Warehouse, *spans: TimeRange) -> None:
    with manager(venue, warehouse) as asked:
        for one in spans:
            list(asked.fill("binance", SERIES.symbol, SERIES.timeframe, one))
    venue.requests.clear()


def test_what_nobody_was_asked_for_between_the_first_and_the_last_bar_is_had(warehouse: Warehouse) -> None:
    venue = FakeVenue(100)
    fill(venue, warehouse, span(0, 10), span(40, 50))
    with manager(venue, warehouse) as asked:
        mended = mend(asked, warehouse, SERIES)
        assert mended is not None and mended.whole
        assert (mended.missing, mended.left, mended.gaps.gaps) == ((span(10, 40),), (), ())
        again = mend(asked, warehouse, SERIES)
    assert again is not None and again.fetched is None
    assert len(venue.requests) == 1
    assert mended.json()["bars"] == 30


def test_a_damaged_file_is_set_aside_and_its_bars_are_had_again(warehouse: Warehouse) -> None:
    venue = FakeVenue(0, now=MARCH + 1_000 * M)
    venue.rows = [row(time) for time in range(FEBRUARY, MARCH + 100 * M, M)]
    whole = TimeRange(FEBRUARY, MARCH)
    fill(venue, warehouse, whole)
    before = warehouse.bars(SERIES, whole)
    [(_, file)] = warehouse.files()
    path = warehouse.root / file.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with manager(venue, warehouse) as asked:
        mended = mend(asked, warehouse, SERIES)
    assert mended is not None
    assert [one.kind for one in mended.damage] == ["file_damaged"]
    assert (mended.missing, mended.whole) == ((whole,), True)
    assert warehouse.bars(SERIES, whole) == before
    assert lost(warehouse.quarantined()) == {SERIES: [whole]}


def test_what_was_set_aside_before_is_had_again_too(warehouse: Warehouse) -> None:
    venue = FakeVenue(0, now=MARCH + 1_000 * M)
    venue.rows = [row(time) for time in range(FEBRUARY, MARCH, M)]
    fill(venue, warehouse, TimeRange(FEBRUARY, MARCH))
    [(_, file)] = warehouse.files()
    (warehouse.root / file.path).write_bytes(b"")
    warehouse.verify(repair=True)
    assert warehouse.get(SERIES).rows == 0  # type: ignore[union-attr]
    with manager(venue, warehouse) as asked:
        mended = mend(asked, warehouse, SERIES)
    assert mended is not None and mended.whole
    assert len(warehouse.bars(SERIES, TimeRange(FEBRUARY, MARCH))) == 29 * 1_440


def test_gaps_of_the_source_are_left_unless_it_is_to_be_asked_again(warehouse: Warehouse) -> None:
    venue = FakeVenue(100)
    late = venue.rows.pop(20)
    fill(venue, warehouse, span(0, 50))
    with manager(venue, warehouse) as asked:
        mended = mend(asked, warehouse, SERIES)
        assert mended is not None and mended.fetched is None
        assert [gap.span for gap in mended.gaps.gaps] == [span(20, 21)]
        assert mended.gaps.gaps[0].cause in (Cause.SOURCE, Cause.NO_TRADE)
        venue.rows.insert(20, late)
        again = mend(asked, warehouse, SERIES, again=True)
    assert again is not None and again.gaps.gaps == ()
    assert len(venue.requests) == 1


def test_all_gaps_of_the_source_are_given_up_with_one_rewriting(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[tuple[TimeRange, ...]] = []
    forget = warehouse.forget
    monkeypatch.setattr(
        warehouse, "forget", lambda series, *spans: (given_up.append(spans), forget(series, *spans))
    )
    venue = FakeVenue(100)
    del venue.rows[20], venue.rows[29]
    fill(venue, warehouse, span(0, 50))
    with manager(venue, warehouse) as asked:
        mended = mend(asked, warehouse, SERIES, again=True)
        assert given_up == [(span(20, 21), span(30, 31))]
        assert mended is not None and mended.missing == (span(20, 21), span(30, 31))
        venue.rows = [row(NOON + minute * M, 100.0 + minute) for minute in range(100)]
        mend(asked, warehouse, SERIES, again=True)
        mend(asked, warehouse, SERIES, again=True)  # there is none to give up
    assert len(given_up) == 2


def test_who_does_not_answer_is_told_and_what_is_missing_stays_named(warehouse: Warehouse) -> None:
    venue = FakeVenue(100)
    fill(venue, warehouse, span(0, 10), span(40, 50))
    venue.change = lambda *_: httpx2.Response(451)
    with manager(venue, warehouse) as asked:
        mended = mend(asked, warehouse, SERIES)
    assert mended is not None and not mended.whole
    assert mended.left == (span(10, 40),)
    assert "451" in mended.json()["error"]


def test_a_fetch_that_was_interrupted_can_still_be_resumed_behind_a_repair(warehouse: Warehouse) -> None:
    venue = FakeVenue(100)
    fill(venue, warehouse, span(0, 10), span(40, 50))
    key, noted = "fetch binance BTC/USDT 1m", {"start": NOON, "end": NOON + 90 * M, "larger": []}
    warehouse.set_checkpoint(key, noted)
    with manager(venue, warehouse) as asked:
        mended = mend(asked, warehouse, SERIES)
        assert mended is not None and mended.missing == (span(10, 40),)
        assert warehouse.checkpoint(key) == noted
        warehouse.set_checkpoint(key, None)
        warehouse.forget(SERIES, span(0, 5))
        venue.change = lambda *_: httpx2.Response(451)
        mend(asked, warehouse, SERIES)
    assert warehouse.checkpoint(key) is None  # a repair that fails is no fetch to be resumed


def test_a_series_of_nobodys_is_checked_and_left(warehouse: Warehouse) -> None:
    mine = Subscription("my file", SERIES.symbol, SERIES.timeframe)
    bars = [Bar(NOON + minute * M, 1.0, 1.0, 1.0, 1.0, 1.0) for minute in (0, 1, 5)]
    warehouse.add(mine, bars, provider="import")
    with manager(FakeVenue(1), warehouse) as asked:
        mended = mend(asked, warehouse, mine)
        assert mend(asked, warehouse, SERIES) is None
    assert mended is not None
    assert (mended.fetched, mended.left) == (None, (span(2, 5),))


def test_notes_that_are_not_ours_are_passed_over() -> None:
    assert lost(["", "a\nb\nbars: x .. y\n"]) == {}
