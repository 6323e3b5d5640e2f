"""A warehouse between a provider and who asks: asked once, never again; nothing taken for answered that is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx2
import pytest

from btfeeds import monitor
from btfeeds.clock import ManualClock
from btfeeds.errors import (
    HistoryIncomplete,
    NetworkError,
    VenueUnavailable,
    WarehouseDamaged,
    WarehouseError,
    WarehouseUnwritable,
)
from btfeeds.history import stored
from btfeeds.history.outage import Outage
from btfeeds.history.paging import Page
from btfeeds.history.ranges import union
from btfeeds.history.reliability import Reliability
from btfeeds.history.stored import StoredHistory, certain, joined, pieces
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.binance import Binance
from btfeeds.warehouse import Warehouse
from tests.history.venue import NOON, FakeVenue, M, Row, row

MINUTE = Timeframe(1, "m")
SERIES = Subscription("binance", Symbol("BTC/USDT"), MINUTE)


def span(start: int, end: int) -> TimeRange:
    """Minutes from noon."""
    return TimeRange(NOON + start * M, NOON + end * M)


def bar(minute: int, price: float = 1.0) -> Bar:
    return Bar(NOON + minute * M, price, price, price, price, 1.0)


def minutes(pages: Iterator[Page]) -> list[int]:
    return [(bar.open_time - NOON) // M for page in pages for bar in page.bars]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "bars") as made:
        yield made


def history(venue: FakeVenue, warehouse: Warehouse | None, **options: Any) -> StoredHistory:
    return StoredHistory(venue.downloader(), warehouse, venue.clock, **options)


# --- decisions -------------------------------------------------------------------------------------------------------


def test_a_span_is_cut_into_what_is_there_and_what_is_not() -> None:
    assert list(pieces(span(0, 10), [span(2, 4), span(8, 10)])) == [
        (span(0, 2), True), (span(2, 4), False), (span(4, 8), True), (span(8, 10), False),
    ]  # fmt: skip
    assert list(pieces(span(0, 10), [])) == [(span(0, 10), True)]
    assert list(pieces(span(0, 10), [span(0, 10)])) == [(span(0, 10), False)]


def test_neighbours_that_fit_into_one_request_are_asked_for_in_one() -> None:
    assert joined([span(0, 2), span(4, 6), span(90, 95)], MINUTE, 10) == [span(0, 6), span(90, 95)]
    assert joined([span(0, 2), span(4, 11)], MINUTE, 10) == [span(0, 2), span(4, 11)]
    assert joined([span(0, 50), span(50, 90)], MINUTE, 10) == [span(0, 50), span(50, 90)]


def test_a_bar_that_is_there_is_final_and_one_that_is_not_may_be_late() -> None:
    now = NOON + 10 * M + 5_000
    full = Page(span(0, 10), [bar(minute) for minute in range(10)])
    lagging = Page(span(0, 10), [bar(minute) for minute in range(8)])
    nothing = Page(span(0, 10), [])
    assert certain(full, MINUTE, 10_000, now) == span(0, 10)
    assert certain(lagging, MINUTE, 10_000, now) == span(0, 9)  # what closed 5 s ago may still come
    assert certain(nothing, MINUTE, 10_000, now) == span(0, 9)
    assert certain(nothing, MINUTE, 600_000, now) == span(0, 0)


def test_the_venues_clock_counts_where_it_says_what_time_it_is() -> None:
    nothing = Page(span(0, 10), [], venue_time=NOON + 5 * M)
    assert certain(nothing, MINUTE, 10_000, NOON + 60 * M) == span(0, 4)


# --- asking once -----------------------------------------------------------------------------------------------------


def test_what_was_asked_once_is_not_asked_again(warehouse: Warehouse) -> None:
    venue = FakeVenue(2_500)
    one = history(venue, warehouse)
    first = one.bars("BTC/USDT", "1m", span(0, 2_500))
    asked = len(venue.requests)
    assert (len(first), asked) == (2_500, 3)
    assert one.bars("BTC/USDT", "1m", span(0, 2_500)) == first
    assert len(venue.requests) == asked


def test_only_what_is_missing_is_asked_for(warehouse: Warehouse) -> None:
    venue = FakeVenue(4_000)
    one = history(venue, warehouse)
    list(one.fill("BTC/USDT", "1m", span(1_200, 1_300)))
    venue.requests.clear()
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 4_000))) == list(range(4_000))
    starts = [(int(request["startTime"]) - NOON) // M for request in venue.requests]
    assert starts == [0, 1_000, 1_300, 2_300, 3_300]


def test_minutes_without_trades_are_an_answer_too(warehouse: Warehouse) -> None:
    venue = FakeVenue(1_000)
    venue.rows = [row for row in venue.rows if row[0] % (5 * M) == 0]
    one = history(venue, warehouse)
    assert len(one.bars("BTC/USDT", "1m", span(0, 900))) == 180
    asked = len(venue.requests)
    assert len(one.bars("BTC/USDT", "1m", span(0, 900))) == 180
    assert len(venue.requests) == asked
    assert one.missing("BTC/USDT", "1m", span(0, 900)) == []


def test_a_download_that_broke_off_goes_on_behind_its_last_page(warehouse: Warehouse) -> None:
    venue = FakeVenue(5_000)
    pages = history(venue, warehouse).fill("BTC/USDT", "1m", span(0, 5_000))
    next(pages)
    next(pages)
    pages.close()
    asked = [request["startTime"] for request in venue.requests]
    venue.requests.clear()
    list(history(venue, warehouse).fill("BTC/USDT", "1m", span(0, 5_000)))
    again = [request["startTime"] for request in venue.requests]
    assert set(asked) & set(again) == set()
    assert len(warehouse.bars(SERIES, span(0, 5_000))) == 5_000


def test_fill_gives_only_what_was_asked_for(warehouse: Warehouse) -> None:
    venue = FakeVenue(30)
    one = history(venue, warehouse)
    assert minutes(one.fill("BTC/USDT", "1m", span(0, 10))) == list(range(10))
    assert minutes(one.fill("BTC/USDT", "1m", span(0, 20))) == list(range(10, 20))


def test_a_minute_that_history_does_not_show_yet_is_asked_for_again(warehouse: Warehouse) -> None:
    venue = FakeVenue(10, now=NOON + 10 * M + 2_000)
    late = venue.rows.pop()
    one = history(venue, warehouse)
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 10))) == list(range(9))
    venue.rows.append(late)
    venue.clock.set(NOON + 11 * M)
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 10))) == list(range(10))


def test_without_a_warehouse_everything_is_asked_for() -> None:
    venue = FakeVenue(10)
    one = history(venue, None)
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 10))) == list(range(10))
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 10))) == list(range(10))
    assert len(venue.requests) == 2


def test_who_gave_the_bars_is_kept_with_them(warehouse: Warehouse) -> None:
    venue = FakeVenue(10)
    list(history(venue, warehouse).fill("BTC/USDT", "1m", span(0, 10)))
    assert [(where, origin.provider) for where, origin in warehouse.origin(SERIES, span(0, 10))] == [
        (span(0, 10), "binance")
    ]


def test_bars_that_cannot_be_bars_are_named_and_what_follows_is_had(warehouse: Warehouse) -> None:
    def spoilt(params: dict[str, str], rows: list[Row]) -> list[Row]:
        return [[*row[:2], "1", *row[3:]] if row[0] == NOON + 3 * M else row for row in rows]

    venue = FakeVenue(2_500, change=spoilt)
    one = history(venue, warehouse)
    list(one.fill("BTC/USDT", "1m", span(5, 10)))
    with pytest.raises(HistoryIncomplete) as told:
        list(one.fill("BTC/USDT", "1m", span(0, 2_500)))
    assert told.value.missing == ((NOON + 3 * M, NOON + 4 * M),)
    assert warehouse.missing(SERIES, span(0, 2_500)) == [span(3, 4)]
    (letter,) = warehouse.dead_letters(SERIES)
    assert (letter.reason, letter.open_time, letter.provider) == ("high_low", NOON + 3 * M, "binance")
    assert "high=1.0, low=101.0" in letter.raw


def test_an_answer_without_a_single_bar_that_could_be_one_is_set_aside_whole(warehouse: Warehouse) -> None:
    venue = FakeVenue(3, change=lambda params, rows: [[*row[:2], "nan", *row[3:]] for row in rows])
    with pytest.raises(HistoryIncomplete) as told:
        list(history(venue, warehouse).fill("BTC/USDT", "1m", span(0, 3)))
    assert told.value.missing == ((NOON, NOON + 3 * M),)
    assert [(one.reason, one.open_time) for one in warehouse.dead_letters()] == [
        ("not_finite", NOON + minute * M) for minute in range(3)
    ]
    assert warehouse.missing(SERIES, span(0, 3)) == [span(0, 3)]


class Short(Binance):
    """Keeps a day of minutes."""

    days_back = MappingProxyType({MINUTE: 1})


def test_what_is_older_than_the_provider_keeps_is_named_and_the_rest_is_had(warehouse: Warehouse) -> None:
    venue = FakeVenue(3_000)
    one = StoredHistory(venue.downloader(Short()), warehouse, venue.clock)
    # the last bar opens at 2,999; a day is 1,440
    had: list[int] = []
    with pytest.raises(HistoryIncomplete) as told:
        for page in one.fill("BTC/USDT", "1m", span(1_000, 3_000)):
            had += [(bar.open_time - NOON) // M for bar in page.bars]
    [(start, end)] = told.value.missing
    first = (end - NOON) // M
    assert (start, 1_555 <= first <= 1_565) == (NOON + 1_000 * M, True)
    assert had == list(range(first, 3_000))
    reach = one.reach(MINUTE)
    assert reach is not None and abs(reach - end) <= 4 * M
    assert StoredHistory(venue.downloader(), warehouse, venue.clock).reach(MINUTE) is None


# --- trouble ---------------------------------------------------------------------------------------------------------


def test_a_minute_that_history_tells_late_is_in_the_larger_bar_made_before(warehouse: Warehouse) -> None:
    hours = Subscription("binance", SERIES.symbol, Timeframe.parse("1h"))
    warehouse.add(SERIES, [bar(minute) for minute in range(60) if minute != 30], provider="binance", span=span(0, 60))
    warehouse.add(hours, [Bar(NOON, 1.0, 1.0, 1.0, 1.0, 59.0)], provider="binance 1m")
    warehouse.forget(SERIES, span(30, 31))  # as `repair --again` does
    list(history(FakeVenue(60), warehouse).fill("BTC/USDT", "1m", span(0, 60)))
    [hour] = warehouse.bars(hours, span(0, 60))
    assert (hour.high, hour.volume) == (132.0, 60.5)


def test_bars_are_kept_although_our_clock_is_hours_behind(tmp_path: Path) -> None:
    venue = FakeVenue(10)
    venue.date, clock = NOON + 10 * M + 30_000, ManualClock(NOON - 120 * M)
    with Warehouse(tmp_path / "bars", clock=clock) as late:
        list(StoredHistory(venue.downloader(), late, clock).fill("BTC/USDT", "1m", span(0, 10)))
        assert late.missing(SERIES, span(0, 10)) == []
        assert late.dead_letters() == []


def test_of_coins_nothing_is_asked_from_before_there_were_any(warehouse: Warehouse) -> None:
    venue, day, year_1900 = FakeVenue(0, now=20 * 86_400_000), 86_400_000, -2_208_988_800_000
    venue.rows = [row(number * day) for number in range(10)]
    one = history(venue, warehouse)
    assert one.missing("BTC/USDT", "1d", TimeRange(year_1900, 5 * day)) == [TimeRange(0, 5 * day)]
    assert len(one.bars("BTC/USDT", "1d", TimeRange(year_1900, 5 * day))) == 5
    assert [request["startTime"] for request in venue.requests] == ["0"]
    assert one.bars("BTC/USDT", "1d", TimeRange(year_1900, -day)) == []
    assert len(venue.requests) == 1


class Adjusting(Binance):
    """Gives prices with splits worked in."""

    adjusted = "splits"
    symbols = "[A-Z]+"
    spelling = "{base}"


def test_what_is_on_disk_is_not_continued_in_another_scale_after_a_split(tmp_path: Path) -> None:
    venue = FakeVenue(3_000)  # prices of 100 and more
    series = Subscription("binance", Symbol("NVDA"), MINUTE)
    old = [Bar(NOON + n * M, *(10.0 * (100 + n + more) for more in (0, 2, -2, 1)), 1.5) for n in range(10)]
    clock = ManualClock(NOON + 20 * M)
    with Warehouse(tmp_path / "bars", clock=clock) as warehouse:
        warehouse.add(series, old, provider="binance", span=span(0, 10), adjusted=True)
        one = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock)
        bars = one.bars("NVDA", "1m", span(0, 20))
    assert [bar.close for bar in bars] == [101.0 + n for n in range(20)]


def test_a_series_is_not_continued_while_nobody_says_which_scale_it_has(tmp_path: Path) -> None:
    def down_for_the_old(params: dict[str, str], rows: list[Row]) -> Any:
        return httpx2.Response(503) if int(params["startTime"]) < NOON + 10 * M else rows

    venue, clock = FakeVenue(3_000), ManualClock(NOON + 20 * M)
    series = Subscription("binance", Symbol("NVDA"), MINUTE)
    old = [Bar(NOON + n * M, *(10.0 * (100 + n + more) for more in (0, 2, -2, 1)), 1.5) for n in range(10)]
    with Warehouse(tmp_path / "bars", clock=clock) as warehouse:
        warehouse.add(series, old, provider="binance", span=span(0, 10), adjusted=True)
        venue.change = down_for_the_old
        one = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock)
        with pytest.raises(VenueUnavailable):
            list(one.fill("NVDA", "1m", span(0, 20)))
        assert len(warehouse.bars(series, span(0, 20))) == 10
        venue.change = None
        assert [bar.close for bar in one.bars("NVDA", "1m", span(0, 20))] == [101.0 + n for n in range(20)]


NVDA = Subscription("binance", Symbol("NVDA"), MINUTE)


def before_the_split(folder: Path, count: int = 10) -> None:
    """Minutes from noon at ten times the prices that a FakeVenue has, fetched a day and more ago."""
    prices = [[10.0 * (100 + n + more) for more in (0, 2, -2, 1)] for n in range(count)]
    with Warehouse(folder, clock=ManualClock(NOON + 20 * M)) as warehouse:
        bars = [Bar(NOON + n * M, *four, 1.5) for n, four in enumerate(prices)]
        venue_time = NOON + count * M
        warehouse.add(NVDA, bars, provider="binance", span=span(0, count), adjusted=True, venue_time=venue_time)


def torn_file(folder: Path) -> None:
    """What is in the warehouse is sealed, and the file torn."""
    with Warehouse(folder, clock=ManualClock(NOON + 90 * 24 * 60 * M)) as warehouse:
        warehouse.seal()
    [file] = folder.rglob("*.parquet")
    file.write_bytes(b"torn")


def closes(bars: list[Bar]) -> list[float]:
    return [bar.close for bar in bars]


def test_bars_of_before_a_split_in_a_warehouse_that_is_only_read_are_asked_for_anew(tmp_path: Path) -> None:
    before_the_split(tmp_path)
    venue = FakeVenue(3_000)
    with Warehouse(tmp_path, clock=venue.clock, readonly=True) as warehouse:
        one = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock)
        assert closes(one.bars("NVDA", "1m", span(0, 20))) == [101.0 + n for n in range(20)]
        venue.requests.clear()
        assert closes(one.bars("NVDA", "1m", span(5, 25))) == [106.0 + n for n in range(20)]
        assert [(int(request["startTime"]) - NOON) // M for request in venue.requests] == [5]  # one look is enough
        assert closes(warehouse.bars(NVDA, span(0, 20))) == [1010.0 + 10 * n for n in range(10)]


def test_a_damaged_file_of_a_series_with_splits_worked_in_is_asked_for_again(tmp_path: Path) -> None:
    before_the_split(tmp_path)
    torn_file(tmp_path)
    venue = FakeVenue(3_000)
    with Warehouse(tmp_path, clock=venue.clock) as warehouse:
        one = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock)
        assert closes(one.bars("NVDA", "1m", span(0, 20))) == [101.0 + n for n in range(20)]
        assert warehouse.missing(NVDA, span(0, 20)) == []


def test_a_damaged_file_that_cannot_be_looked_at_nor_moved_away_is_not_continued(tmp_path: Path) -> None:
    before_the_split(tmp_path)
    torn_file(tmp_path)
    venue = FakeVenue(3_000)
    with Warehouse(tmp_path, clock=venue.clock, readonly=True) as warehouse:
        one = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock)
        assert closes(one.bars("NVDA", "1m", span(0, 20))) == [101.0 + n for n in range(20)]


def test_a_damaged_file_that_cannot_be_moved_away_is_asked_for_although_nothing_else_is_missing(tmp_path: Path) -> None:
    before_the_split(tmp_path)
    torn_file(tmp_path)
    venue = FakeVenue(3_000)
    for _ in range(2):  # in each process
        with Warehouse(tmp_path, clock=venue.clock, readonly=True) as warehouse:
            one = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock)
            assert closes(one.bars("NVDA", "1m", span(0, 10))) == [101.0 + n for n in range(10)]


def test_a_split_that_is_noticed_at_a_damaged_file_before_anything_was_handed_out_is_no_error(tmp_path: Path) -> None:
    before_the_split(tmp_path)
    torn_file(tmp_path)
    later = [Bar(NOON + n * M, *(10.0 * (100 + n + more) for more in (0, 2, -2, 1)), 1.5) for n in range(10, 20)]
    venue = FakeVenue(3_000)
    with Warehouse(tmp_path, clock=ManualClock(NOON + 20 * M)) as warehouse:
        warehouse.add(NVDA, later, provider="binance", span=span(10, 20), adjusted=True)
    with Warehouse(tmp_path, clock=venue.clock) as warehouse:
        one = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock)
        assert closes(one.bars("NVDA", "1m", span(0, 20))) == [101.0 + n for n in range(20)]
        assert warehouse.missing(NVDA, span(0, 20)) == []


def test_a_damaged_file_behind_bars_that_were_handed_out_ends_a_reading_that_cannot_look_at_their_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_split(tmp_path, 20)
    monkeypatch.setattr(stored, "_CHUNK", 10)
    venue = FakeVenue(3_000)
    with Warehouse(tmp_path, clock=venue.clock, readonly=True) as warehouse:
        read = warehouse.bars

        def torn(subscription: Subscription, piece: TimeRange) -> list[Bar]:
            if piece.end > NOON + 10 * M:
                raise WarehouseDamaged("It was torn.", spans=((NOON + 10 * M, NOON + 20 * M),))
            return read(subscription, piece)

        monkeypatch.setattr(warehouse, "bars", torn)
        pages = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock).pages("NVDA", "1m", span(0, 20))
        assert len(next(pages).bars) == 10
        with pytest.raises(WarehouseError, match="a damaged file was met") as told:
            next(pages)
    assert "warehouse repair" in told.value.advice
    assert venue.requests == []


def test_coins_are_not_looked_at_however_they_are_written(tmp_path: Path) -> None:
    coin = Subscription("binance", Symbol("BTCUSDT"), MINUTE)
    venue = FakeVenue(3_000)
    clock = ManualClock(NOON + 20 * M)
    with Warehouse(tmp_path, clock=clock) as warehouse:
        list(StoredHistory(venue.downloader(), warehouse, clock).fill("BTCUSDT", "1m", span(0, 10)))
    venue.requests.clear()
    with Warehouse(tmp_path, clock=venue.clock) as warehouse:
        list(StoredHistory(venue.downloader(), warehouse, venue.clock).fill("BTCUSDT", "1m", span(0, 20)))
        assert [origin.adjusted for _, origin in warehouse.origin(coin, span(0, 20))] == [False, False]
    assert [(int(request["startTime"]) - NOON) // M for request in venue.requests] == [10]


def test_a_split_that_is_noticed_behind_bars_that_were_handed_out_ends_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_split(tmp_path, 20)
    monkeypatch.setattr(stored, "_CHUNK", 10)
    venue = FakeVenue(3_000)
    with Warehouse(tmp_path, clock=venue.clock) as warehouse:
        one = StoredHistory(venue.downloader(Adjusting()), warehouse, venue.clock)
        pages = one.pages("NVDA", "1m", span(0, 20))
        assert closes(next(pages).bars) == [1010.0 + 10 * n for n in range(10)]  # nobody looks while nothing is missing
        warehouse.forget(NVDA, span(15, 20))  # as a file in quarantine leaves the coverage
        with pytest.raises(WarehouseError, match="before a split"):
            next(pages)
        assert closes(one.bars("NVDA", "1m", span(0, 20))) == [101.0 + n for n in range(20)]


def test_prices_of_shares_of_which_the_provider_does_not_say_whether_splits_are_in_are_looked_at(
    tmp_path: Path,
) -> None:
    before_the_split(tmp_path)
    venue, silent = FakeVenue(3_000), Adjusting()
    silent.adjusted, silent.assets = "", ("equities",)
    with Warehouse(tmp_path, clock=venue.clock) as warehouse:
        one = StoredHistory(venue.downloader(silent), warehouse, venue.clock)
        assert closes(one.bars("NVDA", "1m", span(0, 20))) == [101.0 + n for n in range(20)]
        assert [origin.adjusted for _, origin in warehouse.origin(NVDA, span(0, 20))] == [True]


def test_what_is_on_disk_is_not_said_to_be_missing_where_the_provider_does_not_reach_any_more(
    warehouse: Warehouse,
) -> None:
    venue = FakeVenue(3 * 24 * 60)
    one = StoredHistory(venue.downloader(Short()), warehouse, venue.clock)
    warehouse.add(SERIES, [bar(minute) for minute in range(5, 15)], provider="binance", span=span(5, 15))
    had: list[int] = []
    with pytest.raises(HistoryIncomplete) as error:
        for page in one.pages("BTC/USDT", "1m", span(0, 20)):
            had += [(bar.open_time - NOON) // M for bar in page.bars]
    assert had == list(range(5, 15))
    assert union(TimeRange(*each) for each in error.value.missing) == [span(0, 5), span(15, 20)]


def test_bars_that_are_on_disk_only_are_handed_on_with_an_answer_that_lacks_them(warehouse: Warehouse) -> None:
    venue = FakeVenue(20)
    venue.rows = [row for row in venue.rows if row[0] != NOON + 7 * M]
    warehouse.add(SERIES, [bar(7)], provider="import mine.csv", span=span(5, 10))
    one = history(venue, warehouse)
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 15))) == list(range(15))
    assert len(venue.requests) == 1


class Answering:
    """Gives these pages, whatever is asked, and fails at the end if minutes were `bad`."""

    provider = Binance()

    def __init__(self, *pages: Page, bad: TimeRange | None = None) -> None:
        self.given, self.bad = pages, bad

    def pages(self, *_: Any, **__: Any) -> Iterator[Page]:
        yield from self.given
        if self.bad is not None:
            raise HistoryIncomplete("A bar cannot be one.", missing=((self.bad.start, self.bad.end),))

    def close(self) -> None: ...


def answer(start: int, end: int) -> Page:
    return Page(span(start, end), [bar(minute) for minute in range(start, end)])


def test_a_bar_on_disk_stands_in_for_the_one_that_came_badly_in_its_place(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, [bar(4), bar(5), bar(6)], provider="binance", span=span(4, 7))
    one = StoredHistory(Answering(answer(0, 5), answer(6, 10), bad=span(5, 6)), warehouse, ManualClock(NOON + 99 * M))
    pages = list(one.pages("BTC/USDT", "1m", span(0, 10)))
    assert [page.span for page in pages] == [span(0, 5), span(5, 6), span(6, 10)]
    assert minutes(iter(pages)) == list(range(10))


def test_of_a_hole_only_what_is_not_on_disk_is_said_to_be_missing(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, [bar(4), bar(5)], provider="binance", span=span(4, 6))
    source = Answering(answer(0, 3), answer(8, 10), bad=span(3, 8))
    had: list[int] = []
    with pytest.raises(HistoryIncomplete) as told:
        for page in StoredHistory(source, warehouse, ManualClock(NOON + 99 * M)).pages("BTC/USDT", "1m", span(0, 10)):
            had += [(bar.open_time - NOON) // M for bar in page.bars]
    assert had == [0, 1, 2, 4, 5, 8, 9]
    assert told.value.missing == ((NOON + 3 * M, NOON + 4 * M), (NOON + 6 * M, NOON + 8 * M))


def test_bars_that_were_heard_live_are_handed_on_behind_an_answer_that_lags(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, [bar(minute) for minute in range(1, 9)], provider="binance live", span=span(1, 9))
    one = StoredHistory(Answering(answer(0, 6)), warehouse, ManualClock(NOON + 10 * M))
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 10))) == list(range(9))


def test_a_damaged_file_is_asked_for_again(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = FakeVenue(30)
    one = history(venue, warehouse)
    list(one.fill("BTC/USDT", "1m", span(0, 30)))
    venue.requests.clear()
    read = warehouse.bars
    damaged = [True]

    def torn(subscription: Subscription, piece: TimeRange) -> list[Bar]:
        if damaged.pop() if damaged else False:
            warehouse.forget(subscription, span(0, 20))  # as a file in quarantine leaves the coverage
            raise WarehouseDamaged("It was torn.", spans=((NOON, NOON + 20 * M),))
        return read(subscription, piece)

    monkeypatch.setattr(warehouse, "bars", torn)
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 30))) == list(range(30))
    assert [(int(request["startTime"]) - NOON) // M for request in venue.requests] == [0]


def test_what_is_thrown_out_while_it_is_read_is_asked_for_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = FakeVenue(30)
    one = history(venue, warehouse)
    list(one.fill("BTC/USDT", "1m", span(0, 30)))
    read = warehouse.bars
    evicted = [True]

    def late(subscription: Subscription, piece: TimeRange) -> list[Bar]:
        if evicted.pop() if evicted else False:
            warehouse.forget(subscription, span(0, 30))
        return read(subscription, piece)

    monkeypatch.setattr(warehouse, "bars", late)
    assert minutes(one.pages("BTC/USDT", "1m", span(0, 30))) == list(range(30))


def _full(*_: Any, **__: Any) -> Any:
    raise WarehouseUnwritable("The disk is full.")


def test_a_download_ends_when_its_pages_cannot_be_kept(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "add", _full)
    with pytest.raises(WarehouseUnwritable):
        list(history(FakeVenue(10), warehouse).fill("BTC/USDT", "1m", span(0, 10)))


@pytest.mark.parametrize("broken", ["add", "bars", "missing"])
def test_a_feed_goes_on_without_a_warehouse_that_fails(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    venue = FakeVenue(10)
    list(history(venue, warehouse).fill("BTC/USDT", "1m", span(0, 5)))
    monkeypatch.setattr(warehouse, broken, _full)
    counts = monitor.Counts()
    monitor.add(counts)
    try:
        one = history(venue, warehouse, outage=Outage())
        assert minutes(one.pages("BTC/USDT", "1m", span(0, 10))) == list(range(10))
    finally:
        monitor.remove(counts)
    assert counts["WarehouseOut"] == 1


def test_how_the_provider_answers_is_remembered(warehouse: Warehouse) -> None:
    def down(params: dict[str, str], rows: list[Row]) -> Any:
        return httpx2.Response(503) if int(params["startTime"]) >= NOON + 1_000 * M else rows

    venue = FakeVenue(2_500, change=down)
    standings = Reliability(venue.clock)
    with pytest.raises(VenueUnavailable):
        list(history(venue, warehouse, reliability=standings).fill("BTC/USDT", "1m", span(0, 2_500)))
    assert (standings.standings()["binance"].asked, standings.standings()["binance"].failed) == (2, 1)


def test_a_download_that_was_given_up_says_nothing_about_the_provider(warehouse: Warehouse) -> None:
    venue = FakeVenue(10)
    standings = Reliability(venue.clock)
    one = history(venue, warehouse, reliability=standings)
    with pytest.raises(NetworkError):
        list(one.pages("BTC/USDT", "1m", span(0, 10), cancelled=lambda: True))
    assert standings.standings() == {}


# --- larger bars -----------------------------------------------------------------------------------------------------


def test_larger_bars_of_coins_are_made_of_the_minutes_that_are_there(warehouse: Warehouse) -> None:
    venue = FakeVenue(125)
    one = history(venue, warehouse)
    list(one.fill("BTC/USDT", "1m", span(0, 125)))
    venue.requests.clear()
    [first, second] = one.bars("BTC/USDT", "1h", span(0, 120))
    assert venue.requests == []
    # the minute n opens at 100 + n, closes a whole higher, and has 1.5 of volume in 3 trades
    assert first == Bar(NOON, 100.0, 161.0, 98.0, 160.0, 90.0, 180)
    assert second.open_time == NOON + 60 * M


def test_larger_bars_whose_minutes_are_damaged_are_asked_for(tmp_path: Path) -> None:
    venue = FakeVenue(125)
    with Warehouse(tmp_path) as warehouse:
        list(history(venue, warehouse).fill("BTC/USDT", "1m", span(0, 120)))
    torn_file(tmp_path)
    venue.requests.clear()
    with Warehouse(tmp_path) as warehouse:
        one = history(venue, warehouse)
        assert [bar.open_time for bar in one.bars("BTC/USDT", "1h", span(0, 120))] == [NOON, NOON + 60 * M]
        assert [request["interval"] for request in venue.requests] == ["1h"]
