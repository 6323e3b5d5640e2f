"""Yahoo's oddities, and downloads of it; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import httpx2
import pytest

from btfeeds.errors import BadFrame, BadRequest, HistoryIncomplete, UnknownSymbol, UnsupportedTimeframe
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.venues.base import HttpResponse
from btfeeds.venues.yahoo import Yahoo
from tests.venues.fake import PAGE, FakeHost

APPLE = Symbol("AAPL")
MINUTE, DAY = Timeframe.parse("1m"), Timeframe.parse("1d")
M, DAY_MS = 60_000, 86_400_000
OPEN = to_ms("2023-11-14T14:30Z")  # 09:30 in New York


def chart(rows: list[tuple[int, Any]], timeframe: str = "1m", zone: str = "America/New_York") -> bytes:
    """An answer; a row is a second and a price, or None for a minute without trades."""
    prices = [price for _, price in rows]
    quote: dict[str, list[Any]] = {name: list(prices) for name in ("open", "high", "low", "close")}
    quote["volume"] = [None if price is None else 10 for price in prices]
    result: dict[str, Any] = {
        "meta": {"dataGranularity": timeframe, "exchangeTimezoneName": zone}, "indicators": {"quote": [quote]}
    }
    if rows:
        result["timestamp"] = [second for second, _ in rows]
    else:
        result["indicators"] = {"quote": [{}]}
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def bars(body: bytes, timeframe: Timeframe = MINUTE) -> list[Bar]:
    return Yahoo().parse_bars(HttpResponse(200, body), timeframe)


def seconds(text: str) -> int:
    return to_ms(text) // 1000


# --- what rows mean ---------------------------------------------------------------------------------------------------


def test_minutes_without_trades_are_left_out() -> None:
    start = OPEN // 1000
    found = bars(chart([(start, 10.0), (start + 60, None), (start + 120, 12.0)]))
    assert [(bar.open_time, bar.open) for bar in found] == [(OPEN, 10.0), (OPEN + 2 * M, 12.0)]


def test_the_price_of_this_moment_is_no_bar() -> None:
    start = OPEN // 1000
    assert len(bars(chart([(start, 10.0), (start + 91, 11.0)]))) == 1


@pytest.mark.parametrize(
    ("zone", "opened", "date"),
    [
        ("America/New_York", "2024-07-01T13:30Z", "2024-07-01"),  # in summer
        ("America/New_York", "2024-12-02T14:30Z", "2024-12-02"),  # in winter
        ("Asia/Tokyo", "2024-07-01T00:00Z", "2024-07-01"),
        ("Australia/Sydney", "2024-12-01T23:00Z", "2024-12-02"),  # before the midnight UTC it is named by
        ("Europe/London", "2024-06-30T23:00Z", "2024-07-01"),  # currencies begin at midnight there
        ("UTC", "2024-07-01T00:00Z", "2024-07-01"),
    ],
)
def test_a_day_is_named_by_its_date_where_the_exchange_is(zone: str, opened: str, date: str) -> None:
    [bar] = bars(chart([(seconds(opened), 10.0)], "1d", zone), DAY)
    assert bar.open_time == to_ms(date)


def test_the_request_for_days_reaches_around_their_names() -> None:
    span = TimeRange(to_ms("2024-12-02"), to_ms("2024-12-03"))
    params = Yahoo().bars_request(APPLE, DAY, span).params
    assert (params["period1"], params["period2"]) == (seconds("2024-12-01"), seconds("2024-12-04"))


def test_of_two_rows_of_a_day_the_first_counts() -> None:
    rows = [(seconds("2024-12-02T14:30Z"), 10.0), (seconds("2024-12-02T20:15Z"), 99.0)]
    assert [bar.open for bar in bars(chart(rows, "1d"), DAY)] == [10.0]


def test_days_before_1970_are_read() -> None:
    [bar] = bars(chart([(-1_325_583_000, 17.66)], "1d"), DAY)
    assert dt.date(1927, 12, 30) == (dt.date(1970, 1, 1) + dt.timedelta(milliseconds=bar.open_time))


def test_bars_of_another_length_than_asked_for_are_refused() -> None:
    with pytest.raises(BadFrame, match="'1d' came"):
        bars(chart([(OPEN // 1000, 10.0)], "1d"))


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume", "timestamp"])
def test_columns_of_different_lengths_are_refused(column: str) -> None:
    answer = json.loads(chart([(OPEN // 1000, 10.0), (OPEN // 1000 + 60, 11.0)]))
    result = answer["chart"]["result"][0]
    (result if column == "timestamp" else result["indicators"]["quote"][0])[column].pop()
    with pytest.raises(BadFrame, match="differ in length"):
        bars(json.dumps(answer).encode())


def test_hours_and_weeks_are_made_of_smaller_bars() -> None:
    yahoo = Yahoo()
    assert [str(yahoo.base_timeframe(Timeframe.parse(text))) for text in ("1h", "4h", "1w", "1M")] == [
        "30m", "30m", "1d", "1d"
    ]
    with pytest.raises(UnsupportedTimeframe):
        yahoo.base_timeframe(Timeframe.parse("30s"))


def test_a_future_settled_in_coins_is_none_of_its() -> None:
    with pytest.raises(UnknownSymbol):
        Yahoo().native_symbol(Symbol("BTC/USDT:USDT"))


def test_a_span_without_data_is_an_empty_answer() -> None:
    problem = {"code": "Bad Request", "description": "Data doesn't exist for startDate = 1, endDate = 2"}
    response = HttpResponse(400, json.dumps({"chart": {"result": None, "error": problem}}).encode())
    Yahoo().check(response)
    assert Yahoo().parse_bars(response, MINUTE) == []


def test_it_is_asked_as_a_browser_is() -> None:
    request = Yahoo().bars_request(APPLE, MINUTE, TimeRange(OPEN, OPEN + M))
    assert request.headers["User-Agent"].startswith("Mozilla/5.0")


# --- downloads --------------------------------------------------------------------------------------------------------


def served(request: httpx2.Request) -> httpx2.Response:
    """Every minute of what is asked for, the minute at its end too."""
    start, end = (int(request.url.params[name]) for name in ("period1", "period2"))
    return httpx2.Response(200, content=chart([(time, 10.0) for time in range(start, end + 1, 60)]))


def host(*first: httpx2.Response, now: int = OPEN + 20 * DAY_MS) -> FakeHost:
    return FakeHost(now, served, *first)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx2.Response(429, content=b"Too Many Requests\r\n"),
        httpx2.Response(429, content=b"Too Many Requests\r\n", headers={"Retry-After": "7"}),
        httpx2.Response(503, content=b"<html><body>Will be right back</body></html>"),
        httpx2.Response(502),
        PAGE,
        httpx2.Response(200, content=chart([(OPEN // 1000, 1.0)])[:-20]),
        httpx2.Response(200, content=chart([(OPEN // 1000, 1.0)], "1d")),
    ],
)
def test_a_download_outlives_an_answer_that_is_none(trouble: httpx2.Response) -> None:
    fake = host(trouble)
    with fake.downloader(Yahoo()) as downloader:
        found = downloader.bars("AAPL", "1m", TimeRange(OPEN, OPEN + 5 * M))
    assert [bar.open_time for bar in found] == [OPEN + n * M for n in range(5)]
    assert {bar.open for bar in found} == {10.0} and len(fake.requests) == 2


def test_minutes_come_by_weeks_and_rows_that_come_twice_count_once() -> None:
    fake = host()
    with fake.downloader(Yahoo()) as downloader:
        frame = downloader.download("AAPL", "1m", OPEN, OPEN + 10 * DAY_MS)
    assert len(frame) == 10 * 1_440 and frame.index.is_unique and frame.index.is_monotonic_increasing
    spans = [int(one.url.params["period2"]) - int(one.url.params["period1"]) for one in fake.requests]
    assert spans[0] == 7 * 86_400 and max(spans) <= 8 * 86_400 and len(spans) == 2


def test_an_answer_with_fewer_rows_says_that_there_were_no_others() -> None:
    short = httpx2.Response(200, content=chart([(OPEN // 1000 + 120, 10.0)]))
    with host(short).downloader(Yahoo()) as downloader:
        [page] = downloader.pages("AAPL", "1m", TimeRange(OPEN, OPEN + 5 * M))
    assert page.span == TimeRange(OPEN, OPEN + 5 * M)
    assert [bar.open_time for bar in page.bars] == [OPEN + 2 * M]


def test_an_answer_of_another_time_is_not_taken_for_nothing() -> None:
    wrong = httpx2.Response(200, content=chart([(OPEN // 1000 - 86_400, 10.0)]))
    fake = FakeHost(OPEN + DAY_MS, lambda request: wrong)
    with fake.downloader(Yahoo()) as downloader, pytest.raises(HistoryIncomplete):
        downloader.download("AAPL", "1m", OPEN, OPEN + 5 * M)


def test_minutes_older_than_it_keeps_are_missing_and_the_others_come() -> None:
    fake = host(now=OPEN + 35 * DAY_MS)
    with fake.downloader(Yahoo()) as downloader:
        frame = downloader.download("AAPL", "1m", OPEN, OPEN + 8 * DAY_MS, partial=True)
        assert frame.attrs["missing"] == ((OPEN, OPEN + 6 * DAY_MS + M),)
        assert frame.index[0].value // 1_000_000 == OPEN + 6 * DAY_MS + M
        with pytest.raises(HistoryIncomplete, match="of the last 29 days only"):
            downloader.download("AAPL", "1m", OPEN, OPEN + 8 * DAY_MS)


def test_what_is_shown_late_is_left_out_until_it_is_there() -> None:
    fake = host(now=OPEN + 60 * M)
    with fake.downloader(Yahoo()) as downloader:
        pages = list(downloader.pages("AAPL", "1m", TimeRange(OPEN, OPEN + 120 * M)))
    assert pages[-1].span.end == OPEN + 40 * M and pages[-1].bars[-1].open_time == OPEN + 39 * M


def test_hours_are_made_of_half_hours() -> None:
    def halves(request: httpx2.Request) -> httpx2.Response:
        start = seconds("2023-11-14T14:30Z")
        rows = [(start, 10.0), (start + 1_800, 12.0), (start + 3_600, 11.0)]
        return httpx2.Response(200, content=chart(rows, "30m"))

    fake = FakeHost(OPEN + DAY_MS, halves)
    with fake.downloader(Yahoo()) as downloader:
        found = downloader.bars("AAPL", "1h", TimeRange(OPEN - 30 * M, OPEN + 90 * M))
    assert [(bar.open_time, bar.open, bar.close) for bar in found] == [
        (to_ms("2023-11-14T14:00Z"), 10.0, 10.0), (to_ms("2023-11-14T15:00Z"), 12.0, 11.0)
    ]


def test_a_symbol_it_does_not_know_is_asked_for_once() -> None:
    problem = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    no = httpx2.Response(404, content=json.dumps({"chart": {"result": None, "error": problem}}).encode())
    fake = host(no)
    with fake.downloader(Yahoo()) as downloader, pytest.raises(UnknownSymbol, match="does not list AAPX"):
        downloader.download("AAPX", "1d", "2023-11-01", "2023-11-14", partial=True)
    assert len(fake.requests) == 1


def test_what_it_says_about_a_span_is_told() -> None:
    problem = {"code": "Unprocessable Entity", "description": "The requested range must be within the last 30 days."}
    no = httpx2.Response(422, content=json.dumps({"chart": {"result": None, "error": problem}}).encode())
    with host(no).downloader(Yahoo()) as downloader, pytest.raises(BadRequest, match="within the last 30 days"):
        downloader.bars("AAPL", "1m", TimeRange(OPEN, OPEN + M))
