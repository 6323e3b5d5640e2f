"""FMP's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import json

import httpx2
import pytest

from btfeeds.errors import BadRequest, Banned, BtfeedsError, ConfigError
from btfeeds.market import Symbol, Timeframe, TimeRange, to_ms
from btfeeds.venues.base import HttpResponse
from btfeeds.venues.fmp import FMP
from tests.venues.fake import FakeHost

KEY = "ABCDEFGH12345678"
APPLE = Symbol("AAPL")
MINUTE, DAY = Timeframe.parse("1m"), Timeframe.parse("1d")


def fmp() -> FMP:
    return FMP(key=KEY)


def row(date: str) -> dict[str, object]:
    return {"date": date, "open": 10, "high": 12, "low": 9, "close": 11, "volume": 5}


@pytest.mark.parametrize(
    ("text", "utc"), [("2025-02-04 15:59:00", "2025-02-04T20:59Z"), ("2025-07-01 09:30:00", "2025-07-01T13:30Z")]
)
def test_times_are_those_of_new_york(text: str, utc: str) -> None:
    [bar] = fmp().parse_bars(HttpResponse(200, json.dumps([row(text)]).encode()), MINUTE)
    assert bar.open_time == to_ms(utc)


def test_minutes_are_asked_for_by_days_of_new_york() -> None:
    span = TimeRange(to_ms("2025-02-05T02:00Z"), to_ms("2025-02-05T06:00Z"))
    request = fmp().bars_request(APPLE, MINUTE, span)
    assert request.path == "/stable/historical-chart/1min"
    assert dict(request.params) == {"symbol": "AAPL", "from": "2025-02-04", "to": "2025-02-05", "apikey": KEY}


def test_days_have_a_place_of_their_own() -> None:
    request = fmp().bars_request(APPLE, DAY, TimeRange(to_ms("2025-02-04"), to_ms("2025-02-06")))
    assert request.path == "/stable/historical-price-eod/full"
    assert (request.params["from"], request.params["to"]) == ("2025-02-04", "2025-02-05")


def test_hours_are_made_of_half_hours() -> None:
    assert str(fmp().base_timeframe(Timeframe.parse("1h"))) == "30m"


def test_rows_beside_the_span_are_no_bars_and_no_error() -> None:
    rows = [row("2025-02-04 15:59:00"), row("2025-02-04 09:30:00")]
    fake = FakeHost(to_ms("2025-03-01"), lambda request: httpx2.Response(200, json=rows))
    with fake.downloader(fmp()) as downloader:
        night = TimeRange(to_ms("2025-02-05T01:00Z"), to_ms("2025-02-05T04:00Z"))
        [page] = downloader.pages("AAPL", "1m", night)
        assert (page.span, page.bars) == (night, [])
        assert len(downloader.bars("AAPL", "1m", TimeRange(to_ms("2025-02-04"), to_ms("2025-02-05")))) == 2


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (403, "Legacy Endpoint : Due to Legacy endpoints being no longer supported", BadRequest),
        (401, f"Invalid API KEY {KEY}. Feel free to create a Free API Key", ConfigError),
        (429, "Limit Reach . Please upgrade your plan", Banned),
        (200, "Limit Reach . Please upgrade your plan", Banned),
    ],
)
def test_every_no_has_its_name_and_never_the_key(status: int, said: str, kind: type[BtfeedsError]) -> None:
    with pytest.raises(BtfeedsError) as caught:
        fmp().check(HttpResponse(status, json.dumps({"Error Message": said}).encode()))
    assert type(caught.value) is kind and KEY not in str(caught.value)
