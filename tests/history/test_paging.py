"""What is asked next, and for which span an answer is the whole truth."""

from __future__ import annotations

import dataclasses
from email.utils import formatdate

import httpx2
import pytest

from btfeeds import monitor, venues
from btfeeds.clock import ManualClock
from btfeeds.errors import BadFrame, HistoryIncomplete, NetworkError, UnknownSymbol, UnsupportedTimeframe
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.history.paging import Page
from btfeeds.market import Timeframe, TimeRange, Trade
from btfeeds.venues import reading
from btfeeds.venues.base import Limits, Paging
from btfeeds.venues.binance import Binance
from tests.history.venue import NOON, FakeVenue, M, Row, Unread, row


def span(minutes: float, start: float = 0) -> TimeRange:
    return TimeRange(int(NOON + start * M), int(NOON + minutes * M))


def pages(venue: FakeVenue, minutes: float, timeframe: str = "1m", **options: Binance) -> list[Page]:
    return list(venue.downloader(**options).pages("BTC/USDT", timeframe, span(minutes)))


def minutes(page: Page) -> list[int]:
    return [(bar.open_time - NOON) // M for bar in page.bars]


def limited(**changes: int) -> Binance:
    """Binance with smaller limits."""
    provider = Binance()
    provider.limits = dataclasses.replace(provider.limits, **changes)
    return provider


def test_one_answer_covers_the_whole_span() -> None:
    venue = FakeVenue(10)
    (page,) = pages(venue, 5)
    assert (page.span, minutes(page)) == (span(5), [0, 1, 2, 3, 4])
    assert len(venue.requests) == 1


def test_a_full_answer_covers_until_its_last_bar() -> None:
    venue = FakeVenue(10)
    found = pages(venue, 7, provider=limited(bars_per_request=3))
    assert [page.span for page in found] == [span(3), span(6, 3), span(7, 6)]
    assert [minutes(page) for page in found] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(venue.requests) == 3


def test_a_venue_that_gives_fewer_than_asked_is_asked_on() -> None:
    venue = FakeVenue(10)
    venue.cap = 4
    assert [minutes(page) for page in pages(venue, 10)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_an_empty_answer_covers_the_span() -> None:
    venue = FakeVenue(0, now=NOON + 100 * M)
    assert pages(venue, 5) == [Page(span(5), [], NOON + 100 * M)]


class Omitting(Binance):
    """Has no rows for bars without trades."""

    omits_empty_bars = True


def test_where_empty_bars_have_no_rows_what_follows_the_last_one_is_asked_for_twice() -> None:
    venue = FakeVenue(3, now=NOON + 100 * M)
    found = pages(venue, 50, provider=Omitting())
    assert [(page.span, minutes(page)) for page in found] == [(span(3), [0, 1, 2]), (span(50, 3), [])]
    assert len(venue.requests) == 3


def test_where_empty_bars_have_no_rows_a_venue_that_gives_fewer_than_asked_is_asked_on() -> None:
    venue = FakeVenue(40, now=NOON + 100 * M)
    venue.cap = 15
    found = pages(venue, 40, provider=Omitting())
    assert [minute for page in found for minute in minutes(page)] == list(range(40))


def test_where_empty_bars_have_no_rows_one_empty_answer_is_not_believed() -> None:
    venue = FakeVenue(40, now=NOON + 100 * M)
    venue.change = lambda params, rows: [] if len(venue.requests) == 1 else rows
    assert [minute for page in pages(venue, 40, provider=Omitting()) for minute in minutes(page)] == list(range(40))


def test_a_few_quiet_bars_are_asked_for_once() -> None:
    venue = FakeVenue(0, now=NOON + 100 * M)
    (page,) = pages(venue, 4, provider=Omitting())
    assert (page.span, page.bars, len(venue.requests)) == (span(4), [], 1)


# --- where every bar has a row, an answer without any ----------------------------------------------------------------


def test_one_empty_answer_in_the_midst_is_asked_for_again() -> None:
    venue = FakeVenue(40)
    venue.change = lambda params, rows: [] if len(venue.requests) == 3 else rows
    found = pages(venue, 40, provider=limited(bars_per_request=10))
    assert [minute for page in found for minute in minutes(page)] == list(range(40))


def test_one_empty_answer_at_the_beginning_is_asked_for_again() -> None:
    venue = FakeVenue(40)
    venue.change = lambda params, rows: [] if len(venue.requests) == 1 else rows
    assert [minute for page in pages(venue, 40) for minute in minutes(page)] == list(range(40))


def test_that_there_is_nothing_behind_bars_is_not_believed_while_the_bar_before_is_not_there_either() -> None:
    venue = FakeVenue(40)
    venue.change = lambda params, rows: rows if len(venue.requests) < 3 else []
    found: list[Page] = []
    with pytest.raises(BadFrame, match="has a row for every bar"):
        for page in venue.downloader(limited(bars_per_request=10)).pages("BTC/USDT", "1m", span(40)):
            found.append(page)
    assert [page.span for page in found] == [span(10), span(20, 10)]
    assert len(venue.requests) == 5


def test_what_lies_before_the_first_bar_of_all_is_empty_because_later_bars_are_there() -> None:
    venue = FakeVenue(90)
    del venue.rows[:60]
    (page,) = pages(venue, 50)
    assert (page.span, page.bars, len(venue.requests)) == (span(50), [], 2)


def test_where_bars_ended_long_ago_the_last_one_proves_that_there_are_no_more() -> None:
    venue = FakeVenue(10, now=NOON + 5_000 * M)
    found = pages(venue, 4_000)
    assert [(page.span, len(page.bars)) for page in found] == [(span(10), 10), (span(4_000, 10), 0)]
    assert len(venue.requests) == 3


def test_where_nothing_proves_it_that_there_is_nothing_is_believed_for_one_page_only() -> None:
    venue = FakeVenue(0, now=NOON + 5_000 * M)
    found: list[Page] = []
    with pytest.raises(BadFrame, match="has a row for every bar"):
        for page in venue.downloader().pages("BTC/USDT", "1m", span(4_000)):
            found.append(page)
    assert [page.span for page in found] == [span(1_000)]


def test_a_bad_bar_is_not_explained_by_an_empty_answer() -> None:
    venue = FakeVenue(10)
    venue.change = lambda params, rows: [row(NOON, l=-1), *rows[1:]] if len(venue.requests) == 1 else []
    with pytest.raises(HistoryIncomplete) as caught:
        pages(venue, 5)
    assert caught.value.missing == ((NOON, NOON + M),)


def test_a_windowed_venue_is_never_asked_for_more_than_fits() -> None:
    class Windowed(Omitting):
        paging = Paging.WINDOW

        def __init__(self) -> None:
            super().__init__()
            self.limits = Limits(3, 6000)

    venue = FakeVenue(10)
    del venue.rows[4:6]
    found = pages(venue, 7, provider=Windowed())
    assert [page.span for page in found] == [span(3), span(6, 3), span(7, 6)]
    assert [minutes(page) for page in found] == [[0, 1, 2], [3], [6]]
    assert [(int(r["startTime"]) - NOON) // M for r in venue.requests] == [0, 3, 6]


def test_a_full_answer_of_a_windowed_venue_covers_its_window() -> None:
    class Windowed(Binance):
        paging = Paging.WINDOW

    venue = FakeVenue(10, change=lambda params, rows: [*rows, rows[-1]])
    del venue.rows[2]
    provider = Windowed()
    provider.limits = Limits(3, 6000)
    assert [minutes(page) for page in pages(venue, 3, provider=provider)] == [[0, 1]]
    assert len(venue.requests) == 1


def test_the_end_is_excluded_and_a_start_between_bars_begins_with_the_next() -> None:
    venue = FakeVenue(10)
    (page,) = venue.downloader().pages("BTC/USDT", "1m", span(3, 0.5))
    assert minutes(page) == [1, 2]


def test_duplicates_overlaps_and_disorder_are_put_right() -> None:
    def shuffled(params: dict[str, str], rows: list[Row]) -> list[Row]:
        return [*reversed(rows), rows[1], row(NOON - M), row(NOON + 5 * M)]

    (page,) = pages(FakeVenue(10, change=shuffled), 5)
    assert (page.span, minutes(page)) == (span(5), [0, 1, 2, 3, 4])


# --- the forming bar --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "closed"),
    [(0, [0, 1]), (0.999, [0, 1]), (1, [0, 1, 2]), (59, [0, 1, 2])],
)
def test_a_bar_counts_as_closed_one_second_after_its_close(seconds: float, closed: list[int]) -> None:
    venue = FakeVenue(10, now=int(NOON + 3 * M + seconds * 1000))
    (page,) = pages(venue, 10)
    assert (page.span, minutes(page)) == (span(len(closed)), closed)


@pytest.mark.parametrize(
    ("provider", "seconds", "closed"),
    [
        (Omitting(), 9.999, [0, 1]),
        (Omitting(), 10, [0, 1, 2]),
        (Binance(), 29.999, [0, 1]),  # the row of the minute that has begun should be there
        (Binance(), 30, [0, 1, 2]),
    ],
)
def test_the_youngest_row_counts_when_it_can_no_longer_be_an_old_picture(
    provider: Binance, seconds: float, closed: list[int]
) -> None:
    # no later row shows that it is finished
    venue = FakeVenue(3, now=int(NOON + 3 * M + seconds * 1000))
    page, *_ = pages(venue, 10, provider=provider)
    assert (page.span, minutes(page)) == (span(len(closed)), closed)


@pytest.mark.parametrize("wrong", [-3_600_000, 3_600_000])
def test_the_venue_s_clock_decides_not_ours(wrong: int) -> None:
    venue = FakeVenue(10, now=NOON + 3 * M + 30_000 + wrong)
    venue.date = NOON + 3 * M + 30_000
    (page,) = pages(venue, 10)
    assert (page.span, minutes(page)) == (span(3), [0, 1, 2])


@pytest.mark.parametrize(("hour", "closed"), [(3, 0), (4.9, 0), (5.1, 1)])
def test_a_day_that_is_named_by_a_zone_s_date_is_over_when_it_is_over_there(hour: float, closed: int) -> None:
    class Dated(Binance):
        dates_of = reading.NEW_YORK

    midnight = NOON + 720 * M  # 2 March; New York is five hours behind
    venue = FakeVenue(0, now=midnight + 10 * 1_440 * M)  # our clock is far ahead
    venue.date = midnight + int(hour * 60 * M)
    venue.rows = [row(midnight - 1_440 * M), row(midnight)]
    found = list(venue.downloader(Dated()).pages("BTC/USDT", "1d", TimeRange(midnight - 1_440 * M, midnight)))
    assert [bar.open_time for page in found for bar in page.bars] == [midnight - 1_440 * M] * closed


def test_rows_of_a_time_that_cannot_be_do_no_harm() -> None:
    venue = FakeVenue(1, now=NOON + 10_000_000 * M)
    venue.rows = [row(1_709_251_200_000), row(1_711_929_600_000)]  # March and April 2024
    venue.change = lambda params, rows: [*venue.rows, row(10**17)]
    spring = TimeRange(1_709_251_200_000, 1_714_521_600_000)
    (page,) = venue.downloader().pages("BTC/USDT", "1M", spring)
    assert (page.span, len(page.bars)) == (spring, 2)


def test_a_date_that_cannot_be_read_leaves_our_own_clock() -> None:
    venue = FakeVenue(10, now=NOON + 3 * M + 30_000)
    venue.change = lambda params, rows: httpx2.Response(200, headers={"Date": "soon"}, json=rows)
    (page,) = pages(venue, 10)
    assert page.span == span(3)


def test_nothing_closed_is_no_page() -> None:
    assert pages(FakeVenue(10, now=NOON + 30_000), 5) == []


def test_nothing_closed_tells_the_venues_time_all_the_same() -> None:
    venue_now, ours = NOON + 600_000, NOON + 690_000

    def answer(request: httpx2.Request) -> httpx2.Response:
        headers = {"date": formatdate(venue_now // 1000, usegmt=True)}
        return httpx2.Response(200, json={"code": "0", "msg": "", "data": []}, headers=headers)

    clock = ManualClock(ours)
    with Downloader(venues.venue("okx"), HttpClient(clock, transport=Unread(answer)), clock) as loader:
        got = list(loader.pages("BTC/USDT", "1m", TimeRange(ours - 90_000, ours - 30_000)))
    assert [(page.bars, page.venue_time) for page in got] == [([], venue_now)]
    assert not got[0].span and got[0].took


# --- what cannot be right ---------------------------------------------------------------------------------------------


@pytest.fixture
def rejected(request: pytest.FixtureRequest) -> list[str]:
    """The reasons of every frame rejected during the test."""
    reasons: list[str] = []

    def sink(happening: monitor.Happening) -> None:
        if isinstance(happening, monitor.FrameRejected):
            reasons.append(happening.reason)

    monitor.add(sink)
    request.addfinalizer(lambda: monitor.remove(sink))
    return reasons


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (row(NOON + 2 * M, l=0), "price_not_positive"),
        (row(NOON + 2 * M, h=1), "high_low"),
        (row(NOON + 2 * M, v="nan"), "not_finite"),
        (row(NOON + 2 * M + 1), "off_grid"),
    ],
)
def test_a_bad_bar_is_asked_for_again(spoiled: Row, reason: str, rejected: list[str]) -> None:
    venue = FakeVenue(10)
    first = lambda: len(venue.requests) == 1  # noqa: E731
    venue.change = lambda params, rows: [spoiled if first() and r[0] == NOON + 2 * M else r for r in rows]
    (page,) = pages(venue, 5)
    assert (page.span, minutes(page)) == (span(5), [0, 1, 2, 3, 4])
    assert rejected == [reason]
    # with the bar behind it, which proves that it is final
    assert [(int(r["startTime"]), int(r["endTime"])) for r in venue.requests[1:]] == [(NOON + 2 * M, NOON + 4 * M - 1)]


def test_a_bar_that_stays_bad_is_reported_and_never_covered() -> None:
    venue = FakeVenue(10)
    venue.change = lambda params, rows: [row(r[0], l=-1) if r[0] == NOON + 2 * M else r for r in rows]
    found: list[Page] = []
    with pytest.raises(HistoryIncomplete) as caught:
        for page in venue.downloader().pages("BTC/USDT", "1m", span(5)):
            found.append(page)
    assert caught.value.missing == ((NOON + 2 * M, NOON + 3 * M),)
    assert [page.span for page in found] == [span(2), span(5, 3)]
    assert len(venue.requests) == 3


def test_a_good_bar_beside_a_bad_one_of_the_same_time_is_taken() -> None:
    venue = FakeVenue(10, change=lambda params, rows: [row(NOON, l=-1), *rows])
    (page,) = pages(venue, 3)
    assert minutes(page) == [0, 1, 2]
    assert len(venue.requests) == 1


def test_an_answer_of_another_time_is_not_taken_for_nothing() -> None:
    venue = FakeVenue(5, change=lambda params, rows: [row(1_000_000 * M + n * M) for n in range(3)])
    with pytest.raises(BadFrame):
        pages(venue, 3)
    assert len(venue.requests) == 3


def test_an_unreadable_answer_is_asked_for_again() -> None:
    venue = FakeVenue(5)
    venue.change = lambda params, rows: [["?"]] if len(venue.requests) == 1 else rows
    (page,) = pages(venue, 3)
    assert minutes(page) == [0, 1, 2]


def test_a_page_that_fails_is_told_at_once() -> None:
    no = httpx2.Response(400, json={"code": -1121, "msg": "Invalid symbol."})
    venue = FakeVenue(5, change=lambda params, rows: no)
    with pytest.raises(UnknownSymbol):
        pages(venue, 3)
    assert len(venue.requests) == 1


def test_nobody_waiting_ends_it() -> None:
    venue = FakeVenue(10)
    found = venue.downloader(limited(bars_per_request=2)).pages(
        "BTC/USDT", "1m", span(10), cancelled=lambda: len(venue.requests) >= 2
    )
    assert minutes(next(found)) == [0, 1]
    assert minutes(next(found)) == [2, 3]
    with pytest.raises(NetworkError):
        next(found)


# --- bars of smaller bars, bars of trades -----------------------------------------------------------------------------


def test_a_timeframe_the_venue_lacks_is_made_of_smaller_bars() -> None:
    venue = FakeVenue(70)
    found = pages(venue, 21, "7m", provider=limited(bars_per_request=10))
    # buckets count from 1970: at 12:00 one of seven minutes is four minutes old
    assert {r["interval"] for r in venue.requests} == {"1m"}
    opens = [bar.open_time for page in found for bar in page.bars]
    assert [(time - NOON) // M for time in opens] == [3, 10, 17]
    first = found[0].bars[0]
    assert (first.open, first.high, first.low, first.close) == (103, 111, 101, 110)
    assert (first.volume, first.trades) == (10.5, 21)
    assert [page.span.start for page in found[1:]] == [page.span.end for page in found[:-1]]


def test_a_large_bar_is_closed_when_its_last_small_one_is() -> None:
    venue = FakeVenue(20, now=NOON + 9 * M + 30_000)
    (page,) = pages(venue, 20, "2m")
    assert (page.span, minutes(page)) == (span(8), [0, 2, 4, 6])


def test_a_small_bar_that_stays_bad_takes_its_large_one_with_it() -> None:
    venue = FakeVenue(10)
    venue.change = lambda params, rows: [row(r[0], l=-1) if r[0] == NOON + 3 * M else r for r in rows]
    found: list[Page] = []
    with pytest.raises(HistoryIncomplete) as caught:
        for page in venue.downloader().pages("BTC/USDT", "2m", span(8)):
            found.append(page)
    assert caught.value.missing == ((NOON + 2 * M, NOON + 4 * M),)
    assert [(page.span, minutes(page)) for page in found] == [(span(2), [0]), (span(8, 4), [4, 6])]


def test_without_bars_small_enough_they_are_made_of_trades() -> None:
    venue = FakeVenue(10)
    venue.trades = [Trade(NOON + n * 1_000, 100.0 + n, 0.1, 500 + n) for n in range(0, 240)]
    found = pages(venue, 3, "30s", provider=Binance("binanceus"))
    bars = [bar for page in found for bar in page.bars]
    assert [(bar.open_time - NOON) // 1000 for bar in bars] == [0, 30, 60, 90, 120, 150]
    assert (bars[0].open, bars[0].high, bars[0].low, bars[0].close) == (100, 129, 100, 129)
    assert (bars[0].volume, bars[0].trades) == (3.0, 30)
    assert [page.span for page in found] == [span(3)]


def test_more_trades_than_fit_are_asked_for_by_number() -> None:
    venue = FakeVenue(10)
    venue.trades = [Trade(NOON + n * 50, 100.0, 0.1, 500 + n) for n in range(3_000)]
    (page,) = pages(venue, 2, "30s", provider=Binance("binanceus"))
    assert [bar.trades for bar in page.bars] == [600, 600, 600, 600]
    assert [r.get("fromId") for r in venue.requests] == [None, "1500", "2500"]


def test_bars_of_trades_end_with_the_last_closed_one() -> None:
    venue = FakeVenue(0, now=NOON + 75_000)
    venue.trades = [Trade(NOON + n * 1_000, 100.0, 0.1, 500 + n) for n in range(75)]
    (page,) = pages(venue, 5, "30s", provider=Binance("binanceus"))
    assert page.span == span(1)
    assert [bar.trades for bar in page.bars] == [30, 30]


def test_a_venue_with_neither_says_so() -> None:
    class NoTrades(Binance):
        def trades_request(self, *args: object) -> None:  # type: ignore[override]
            return None

    with pytest.raises(UnsupportedTimeframe):
        pages(FakeVenue(1), 1, "30s", provider=NoTrades("binanceus"))


def test_the_youngest_bar_is_not_trusted_while_history_may_lag() -> None:
    venue = FakeVenue(5, now=NOON + 5 * M + 9_000)
    (page,) = pages(venue, 5)
    assert (page.span, minutes(page)) == (span(4), [0, 1, 2, 3])


def test_the_youngest_bar_is_trusted_when_the_next_one_has_begun() -> None:
    venue = FakeVenue(6, now=NOON + 5 * M + 9_000)
    (page,) = pages(venue, 5)
    assert (page.span, minutes(page)) == (span(5), [0, 1, 2, 3, 4])


def test_the_youngest_bar_is_trusted_when_it_is_old_enough() -> None:
    venue = FakeVenue(5, now=NOON + 5 * M + 30_000)
    (page,) = pages(venue, 5)
    assert (page.span, minutes(page)) == (span(5), [0, 1, 2, 3, 4])


# --- what a provider has not, or not yet ------------------------------------------------------------------------------


class Late(Binance):
    """Has bars of two days only, shows them five minutes late, and gives pages of whole hours."""

    delay_ms = 5 * M
    days_back = reading.days("1m=2")
    paging = Paging.WINDOW

    def page(self, timeframe: Timeframe, span: TimeRange, now: int) -> TimeRange:
        return TimeRange(span.start, min(span.end, span.start - span.start % (60 * M) + 60 * M))


def test_what_is_not_there_yet_is_left_out() -> None:
    venue = FakeVenue(10)
    (page,) = pages(venue, 10, provider=Late())
    assert (page.span, minutes(page)) == (span(5), [0, 1, 2, 3, 4])


def test_where_nothing_is_there_yet_nobody_is_asked() -> None:
    venue = FakeVenue(3)
    assert pages(venue, 3, provider=Late()) == [] and venue.requests == []


def test_a_provider_chooses_what_one_request_is_for() -> None:
    venue = FakeVenue(130, now=NOON + 300 * M)
    found = list(venue.downloader(Late()).pages("BTC/USDT", "1m", span(130, 30)))
    assert [page.span for page in found] == [span(60, 30), span(120, 60), span(130, 120)]


def test_a_provider_whose_next_page_is_not_there_is_not_asked_on() -> None:
    class First(Late):
        def page(self, timeframe: Timeframe, span: TimeRange, now: int) -> TimeRange:
            piece = super().page(timeframe, span, now)
            return piece if piece.start < NOON + 60 * M else TimeRange(piece.start, piece.start)

    venue = FakeVenue(130, now=NOON + 300 * M)
    found = list(venue.downloader(First()).pages("BTC/USDT", "1m", span(130)))
    assert [page.span for page in found] == [span(60)] and len(venue.requests) == 1


def test_what_a_provider_has_no_longer_is_missing_and_the_rest_is_loaded() -> None:
    two_days = 2 * 1_440 * M
    venue = FakeVenue(10, now=NOON + two_days + 4 * M + 1)
    frame = venue.downloader(Late()).download("BTC/USDT", "1m", NOON, NOON + 10 * M, partial=True)
    # the minute in which the two days begin is not whole, and one more goes while it is asked for
    assert frame.attrs["missing"] == ((NOON, NOON + 6 * M),)
    assert [stamp.minute for stamp in frame.index] == [6, 7, 8, 9]


def test_what_a_provider_has_no_longer_is_said_before_anything_is_asked() -> None:
    venue = FakeVenue(10, now=NOON + 10 * 1_440 * M)
    with pytest.raises(HistoryIncomplete, match="of the last 2 days only") as caught:
        pages(venue, 10, provider=Late())
    assert venue.requests == [] and caught.value.missing == ((NOON, NOON + 10 * M),)
    assert "Start at 2024-03-09T12:01:00Z or later" in str(caught.value)


def test_larger_bars_reach_as_far_back_as_those_they_are_made_of() -> None:
    venue = FakeVenue(120, now=NOON + 2 * 1_440 * M + 30 * M)
    frame = venue.downloader(Late()).download("BTC/USDT", "7m", NOON, NOON + 120 * M, partial=True)
    # bars of 7 minutes open 3, 10 … 31, 38 minutes after noon
    assert frame.attrs["missing"] == ((NOON + 3 * M, NOON + 38 * M),)
    assert frame.index[0].value // 1_000_000 == NOON + 38 * M


def test_the_last_trades_of_a_bar_may_not_be_shown_yet() -> None:
    venue = FakeVenue(0, now=NOON + 65_000)
    venue.date = NOON + 65_000
    venue.trades = [Trade(NOON + n * 1_000, 100.0, 0.1, 500 + n) for n in range(57)]
    (page,) = pages(venue, 5, "30s", provider=Binance("binanceus"))
    assert [bar.open_time - NOON for bar in page.bars] == [0], "the second half minute ended five seconds ago"
    venue.clock.advance(5_000)
    venue.date += 5_000
    (page,) = pages(venue, 5, "30s", provider=Binance("binanceus"))
    assert [bar.trades for bar in page.bars] == [30, 27]


def test_answers_of_trades_tell_the_venues_time_too() -> None:
    venue = FakeVenue(0, now=NOON + 100_000)
    venue.date = NOON + 10_000  # our clock is far ahead
    (page,) = pages(venue, 1, "30s", provider=Binance("binanceus"))
    assert (page.bars, page.span, page.venue_time) == ([], span(0), NOON + 10_000)
    assert page.took == TimeRange(NOON + 100_000, NOON + 100_001)
