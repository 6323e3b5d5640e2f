"""Filling a warehouse with one series, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from btfeeds import venues
from btfeeds.errors import ConfigError, NetworkError, WarehouseUnwritable
from btfeeds.fetching import Fetched, Wish, check_larger, fetch, interrupted, left_over, note
from btfeeds.manager import DataManager, series_venue
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.binance import Binance
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.gapreport import Cause
from tests.history.venue import NOON, FakeVenue, M, Row

BTC = Symbol("BTC/USDT")
MINUTE, FIVE, HOUR = map(Timeframe.parse, ("1m", "5m", "1h"))


def span(start: int, end: int) -> TimeRange:
    """Minutes from noon."""
    return TimeRange(NOON + start * M, NOON + end * M)


def wish(start: int, end: int, *larger: Timeframe, provider: str = "binance") -> Wish:
    return Wish(provider, BTC, MINUTE, span(start, end), larger)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "bars") as made:
        yield made


def manager(venue: FakeVenue, warehouse: Warehouse) -> DataManager:
    return DataManager(
        warehouse, rules="crypto=binance,binanceus", clock=venue.clock,
        create=lambda name: venue.downloader(venues.provider(name)),
    )  # fmt: skip


def run(venue: FakeVenue, warehouse: Warehouse, wanted: Wish, **options: Any) -> Fetched:
    with manager(venue, warehouse) as asked:
        return fetch(asked, warehouse, wanted, **options)


def test_what_was_had_is_counted_and_how_far_it_is_is_told(warehouse: Warehouse) -> None:
    heard: list[tuple[int, int, float]] = []
    venue = FakeVenue(2_000)
    result = run(venue, warehouse, wish(0, 2_000), report=lambda one: heard.append((one.pages, one.bars, one.done)))
    assert heard == [(1, 1_000, 0.5), (2, 2_000, 1.0), (2, 2_000, 1.0)]
    assert (result.origin, result.missing, result.error) == ([(span(0, 2_000), "binance")], [], None)
    assert result.gaps is not None and result.gaps.gaps == ()
    assert result.quality is not None and result.quality.sound


def test_gaps_that_are_the_sources_own_are_told_as_such(warehouse: Warehouse) -> None:
    venue = FakeVenue(1_000)
    venue.rows = [row for row in venue.rows if not NOON + 10 * M <= row[0] < NOON + 13 * M]
    result = run(venue, warehouse, wish(0, 900))
    assert result.gaps is not None
    own = Cause.SOURCE if not venues.provider("binance").omits_empty_bars else Cause.NO_TRADE
    assert [(gap.span, gap.cause) for gap in result.gaps.gaps] == [(span(10, 13), own)]
    assert result.json()["gaps"][own.value] == 3


def test_larger_bars_are_made_and_continued(warehouse: Warehouse) -> None:
    venue = FakeVenue(130)
    assert run(venue, warehouse, wish(0, 62, FIVE, HOUR)).larger == {"5m": 12, "1h": 1}
    assert run(venue, warehouse, wish(0, 125, FIVE)).larger == {"5m": 13}
    assert run(venue, warehouse, wish(0, 130)).larger == {}
    for timeframe, count in ((FIVE, 26), (HOUR, 2)):  # they are followed without being named again
        assert len(warehouse.bars(Subscription("binance", BTC, timeframe), span(0, 200))) == count


def test_an_end_that_was_not_reached_is_told_and_can_be_resumed(warehouse: Warehouse) -> None:
    def down(params: dict[str, str], rows: list[Row]) -> Any:
        return httpx2.Response(503) if int(params["startTime"]) >= NOON + 1_000 * M else rows

    venue = FakeVenue(2_500, change=down)
    result = run(venue, warehouse, wish(0, 2_500))
    assert result.error is not None and "503" in str(result.error)
    assert (result.bars, result.missing, round(result.done, 1)) == (1_000, [span(1_000, 2_500)], 0.4)
    assert interrupted(warehouse, "binance", BTC, MINUTE) == span(0, 2_500)
    venue.change = None
    assert run(venue, warehouse, wish(0, 2_500)).bars == 1_500
    with pytest.raises(ConfigError, match="No fetch of binance BTC/USDT 1m was interrupted"):
        interrupted(warehouse, "binance", BTC, MINUTE)


def test_larger_bars_that_an_interrupted_fetch_was_to_make_are_remembered(warehouse: Warehouse) -> None:
    def down(params: dict[str, str], rows: list[Row]) -> Any:
        return httpx2.Response(503) if int(params["startTime"]) >= NOON + 1_000 * M else rows

    run(FakeVenue(2_500, change=down), warehouse, wish(0, 2_500, FIVE, HOUR))
    assert left_over(warehouse, "binance", BTC, MINUTE) == wish(0, 2_500, FIVE, HOUR)


def leave(warehouse: Warehouse, wanted: Wish) -> None:
    """A fetch that ended at once."""
    assert run(FakeVenue(2_500, change=lambda *_: httpx2.Response(503)), warehouse, wanted).error is not None


def left(warehouse: Warehouse) -> Wish | None:
    try:
        return left_over(warehouse, "binance", BTC, MINUTE)
    except ConfigError:
        return None


def test_what_an_earlier_fetch_has_left_over_stays_to_be_resumed_until_it_is_had(warehouse: Warehouse) -> None:
    leave(warehouse, wish(0, 2_000, HOUR))
    run(FakeVenue(2_500), warehouse, wish(1_900, 2_500, HOUR))
    assert left(warehouse) == wish(0, 2_000, HOUR)
    run(FakeVenue(2_500), warehouse, wish(0, 1_900))  # all minutes, but no hours
    assert left(warehouse) == wish(0, 2_000, HOUR)
    run(FakeVenue(2_500), warehouse, wish(0, 1_900, HOUR, FIVE))
    assert left(warehouse) is None


def test_of_two_fetches_that_did_not_come_to_their_end_both_are_resumed(warehouse: Warehouse) -> None:
    leave(warehouse, wish(500, 1_000, HOUR))
    leave(warehouse, wish(800, 2_000, FIVE))
    assert left(warehouse) == wish(500, 2_000, HOUR, FIVE)


def test_what_waits_for_others_can_be_resumed_too(warehouse: Warehouse) -> None:
    note(warehouse, [wish(500, 1_000, HOUR)])
    assert left(warehouse) == wish(500, 1_000, HOUR)
    note(warehouse, [wish(0, 10)])
    assert left(warehouse) == wish(500, 1_000, HOUR)  # it is the fetch that joins them


def test_days_of_shares_are_not_made_of_minutes() -> None:
    check_larger(MINUTE, [HOUR], [Symbol("AAPL")])
    check_larger(MINUTE, [Timeframe.parse("1d")], [BTC])
    with pytest.raises(ConfigError, match="Bars of 1d of AAPL cannot be made of its minutes"):
        check_larger(MINUTE, [Timeframe.parse("1d")], [BTC, Symbol("AAPL")])


def test_single_bars_that_cannot_be_had_are_named(warehouse: Warehouse) -> None:
    def spoilt(params: dict[str, str], rows: list[Row]) -> list[Row]:
        return [[*row[:2], "1", *row[3:]] if row[0] == NOON + 3 * M else row for row in rows]

    result = run(FakeVenue(10, change=spoilt), warehouse, wish(0, 10))
    assert (result.bars, result.missing) == (9, [span(3, 4)])
    assert result.error is not None and result.error.exit_code == 6


def test_whose_bars_they_are_is_told_under_auto(warehouse: Warehouse) -> None:
    result = run(FakeVenue(10), warehouse, wish(0, 10, provider="auto"))
    assert result.json()["origin"] == [{"start": NOON, "end": NOON + 10 * M, "provider": "binance"}]
    assert result.json()["provider"] == "auto"


def test_the_bars_of_an_archive_are_its_venues(warehouse: Warehouse) -> None:
    venue, archive = FakeVenue(60), Binance()  # its files are read elsewhere: here it answers as its venue does
    archive.name, archive.bars_of = "binancearchive", "binance"
    with DataManager(warehouse, clock=venue.clock, create=lambda _: venue.downloader(archive)) as asked:
        result = fetch(asked, warehouse, wish(0, 30, FIVE, provider="binancearchive"))
    assert (result.bars, result.larger, result.origin) == (30, {"5m": 6}, [(span(0, 30), "binance")])
    assert result.gaps is not None and result.gaps.present == 30
    assert [str(one.subscription) for one in warehouse.series()] == ["binance BTC/USDT 1m", "binance BTC/USDT 5m"]
    minutes = Subscription("binance", BTC, MINUTE)
    assert [one.provider for _, one in warehouse.origin(minutes, span(0, 30))] == ["binancearchive"]
    venue.requests.clear()
    assert run(venue, warehouse, wish(0, 60)).bars == 30  # from the venue itself, behind it
    assert [int(request["startTime"]) for request in venue.requests] == [NOON + 30 * M]
    assert [one.provider for _, one in warehouse.origin(minutes, span(0, 60))] == ["binancearchive", "binance"]
    assert series_venue("data.binance.vision") == "binance"


@pytest.mark.parametrize(
    ("delay", "unpublished"), [(20 * M, [(40, 60)]), (60 * M, [(0, 60)]), (0, [])], ids=["some", "all", "none"]
)
def test_what_is_not_published_yet_is_told(
    warehouse: Warehouse, delay: int, unpublished: list[tuple[int, int]]
) -> None:
    venue, late = FakeVenue(60), Binance()
    late.delay_ms = delay  # type: ignore[misc]
    with DataManager(warehouse, clock=venue.clock, create=lambda _: venue.downloader(late)) as asked:
        result = fetch(asked, warehouse, Wish("binance", BTC, MINUTE, TimeRange(NOON, venue.clock.now())))
    assert result.unpublished == [span(*one) for one in unpublished]
    assert (result.bars, result.missing, result.error) == (60 - sum(b - a for a, b in unpublished), [], None)
    assert result.json()["unpublished"] == [{"start": NOON + a * M, "end": NOON + b * M} for a, b in unpublished]


def test_larger_bars_are_made_of_what_is_there_under_auto_too(warehouse: Warehouse) -> None:
    venue = FakeVenue(30)
    run(venue, warehouse, wish(0, 30))
    assert run(venue, warehouse, wish(0, 30, FIVE, provider="auto")).larger == {"5m": 6}


def test_a_warehouse_that_cannot_be_written_ends_it(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise WarehouseUnwritable("The disk is full.")

    monkeypatch.setattr(warehouse, "add", full)
    with pytest.raises(WarehouseUnwritable):
        run(FakeVenue(10), warehouse, wish(0, 10))


def test_who_gives_up_hears_of_it(warehouse: Warehouse) -> None:
    with pytest.raises(NetworkError):
        run(FakeVenue(10), warehouse, wish(0, 10), cancelled=lambda: True)


@pytest.mark.parametrize(("timeframe", "larger"), [(FIVE, HOUR), (MINUTE, MINUTE), (MINUTE, Timeframe.parse("1s"))])
def test_larger_bars_are_made_of_minutes_only(timeframe: Timeframe, larger: Timeframe) -> None:
    check_larger(MINUTE, [FIVE, Timeframe.parse("1M")])
    with pytest.raises(ConfigError, match="cannot be made of"):
        check_larger(timeframe, [larger])
