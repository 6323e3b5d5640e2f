"""Alpha Vantage's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import json

import httpx2
import pytest

from btfeeds.errors import BadFrame, Banned, BtfeedsError, ConfigError, HistoryIncomplete, RateLimited
from btfeeds.market import Symbol, Timeframe, TimeRange, to_ms
from btfeeds.venues.alphavantage import AlphaVantage
from btfeeds.venues.base import HttpResponse
from tests.venues.fake import FakeHost

KEY = "ABCDEFGH12345678"
IBM = Symbol("IBM")
MINUTE, DAY = Timeframe.parse("1m"), Timeframe.parse("1d")
NUMBERS = {"1. open": "10", "2. high": "12", "3. low": "9", "4. close": "11", "5. volume": "5"}


def made(name: str = "alphavantage") -> AlphaVantage:
    return AlphaVantage(name, key=KEY)


def body(*times: str, timeframe: str = "1min", zone: str = "US/Eastern") -> bytes:
    meta = {"5. Time Zone" if timeframe == "Daily" else "6. Time Zone": zone}
    return json.dumps({"Meta Data": meta, f"Time Series ({timeframe})": dict.fromkeys(times, NUMBERS)}).encode()


def said(**words: str) -> HttpResponse:
    return HttpResponse(200, json.dumps({name.replace("_", " "): text for name, text in words.items()}).encode())


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-01-31 19:59:00", "2024-02-01T00:59Z"),  # winter: five hours behind
        ("2024-07-01 09:30:00", "2024-07-01T13:30Z"),  # summer: four
        ("2024-03-08 19:00:00", "2024-03-09T00:00Z"),  # the last Friday of winter time
        ("2024-03-11 04:00:00", "2024-03-11T08:00Z"),  # the first Monday of summer time
    ],
)
def test_times_are_those_of_new_york(text: str, utc: str) -> None:
    [bar] = made().parse_bars(HttpResponse(200, body(text)), MINUTE)
    assert bar.open_time == to_ms(utc)


def test_times_of_another_zone_are_not_guessed_at() -> None:
    for zone in ("UTC", ""):
        with pytest.raises(BadFrame, match="US/Eastern"):
            made().parse_bars(HttpResponse(200, body("2024-01-31 19:59:00", zone=zone)), MINUTE)


def test_bars_of_another_length_than_asked_for_are_refused() -> None:
    with pytest.raises(BadFrame, match=r"Time Series \(5min\)"):
        made().parse_bars(HttpResponse(200, body("2024-01-31 19:55:00")), Timeframe.parse("5m"))


def test_a_request_names_the_month_of_new_york() -> None:
    start = to_ms("2024-03-01T02:00Z")  # still February there
    request = made().bars_request(IBM, MINUTE, TimeRange(start, start + 60_000))
    assert request.path == "/query"
    assert dict(request.params) == {
        "symbol": "IBM", "outputsize": "full", "function": "TIME_SERIES_INTRADAY", "interval": "1min",
        "adjusted": "false", "month": "2024-02", "extended_hours": "true", "apikey": KEY,
    }


def test_a_page_ends_with_the_month_of_new_york() -> None:
    span = TimeRange(to_ms("2024-02-20"), to_ms("2024-04-20"))
    first = made().page(MINUTE, span, 0)
    assert first == TimeRange(span.start, to_ms("2024-03-01T05:00Z"))
    second = made().page(MINUTE, TimeRange(first.end, span.end), 0)
    assert second == TimeRange(first.end, to_ms("2024-04-01T04:00Z"))
    assert made().page(DAY, span, 0) == span


def test_without_a_plan_there_are_the_last_hundred_days_only() -> None:
    free = made("alphavantagefree")
    assert [str(timeframe) for timeframe in free.timeframes] == ["1d"]
    assert free.limits.requests_per_day == 25
    request = free.bars_request(IBM, DAY, TimeRange(to_ms("2024-03-01"), to_ms("2024-03-02")))
    assert (request.params["function"], request.params["outputsize"]) == ("TIME_SERIES_DAILY", "compact")
    answer = httpx2.Response(200, content=body("2024-03-01", timeframe="Daily"))
    fake = FakeHost(to_ms("2024-03-10"), lambda request: answer)
    with fake.downloader(free) as downloader:
        frame = downloader.download("IBM", "1d", "2023-10-01", partial=True)
        assert frame.attrs["missing"] == ((to_ms("2023-10-01"), to_ms("2023-10-27")),)
        with pytest.raises(HistoryIncomplete, match="of the last 136 days only"):
            downloader.download("IBM", "1d", "2023-10-01")
    assert [str(stamp.date()) for stamp in frame.index] == ["2024-03-01"]


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (said(Information="Thank you for using Alpha Vantage! This is a premium endpoint."), ConfigError),
        (said(Information=f"We have detected your API key as {KEY} and the limit is 25 requests per day."), Banned),
        (said(Information="Please spread out your free API requests more sparingly (1 per second)."), RateLimited),
        (said(Note="Our standard API call frequency is 5 calls per minute and 500 calls per day."), RateLimited),
        (said(Error_Message=f"the parameter apikey is invalid: {KEY}"), ConfigError),
    ],
)
def test_a_no_in_a_good_answer_has_its_name_and_never_the_key(response: HttpResponse, kind: type[BtfeedsError]) -> None:
    with pytest.raises(BtfeedsError) as caught:
        made().check(response)
    assert type(caught.value) is kind
    assert KEY not in str(caught.value) and KEY not in caught.value.line()


def test_a_key_that_is_shown_is_masked_even_when_it_is_not_ours() -> None:
    with pytest.raises(Banned, match=r"API key as \*\*\*"):
        made().check(said(Information="We have detected your API key as OTHERKEY, with 25 requests per day."))


def test_the_day_s_requests_are_over_at_once_and_nothing_is_tried_again() -> None:
    no = httpx2.Response(200, json={"Information": "Our standard API rate limit is 25 requests per day."})
    fake = FakeHost(to_ms("2024-03-10"), lambda request: no)
    with fake.downloader(made()) as downloader, pytest.raises(HistoryIncomplete, match="25 requests per day"):
        downloader.download("IBM", "1m", "2024-01-01", "2024-03-01")
    assert len(fake.requests) == 1


def test_two_months_are_two_requests() -> None:
    def month(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body(f"{request.url.params['month']}-15 10:00:00"))

    fake = FakeHost(to_ms("2024-06-01"), month)
    with fake.downloader(made()) as downloader:
        found = downloader.bars("IBM", "1m", TimeRange(to_ms("2024-02-10"), to_ms("2024-03-20")))
    assert [bar.open_time for bar in found] == [to_ms("2024-02-15T15:00Z"), to_ms("2024-03-15T14:00Z")]
    assert [one.url.params["month"] for one in fake.requests] == ["2024-02", "2024-03"]


def test_an_answer_that_was_cut_off_is_asked_for_again() -> None:
    good = body("2024-02-15 10:00:00")
    cut = httpx2.Response(200, content=good[:-9])
    fake = FakeHost(to_ms("2024-06-01"), lambda request: httpx2.Response(200, content=good), cut)
    with fake.downloader(made()) as downloader:
        assert len(downloader.bars("IBM", "1m", TimeRange(to_ms("2024-02-10"), to_ms("2024-02-20")))) == 1
    assert len(fake.requests) == 2
