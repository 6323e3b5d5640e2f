"""Twelve Data's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import json

import pytest

from btfeeds.errors import BadFrame, Banned, RateLimited
from btfeeds.market import Symbol, Timeframe, TimeRange, to_ms
from btfeeds.venues.base import HttpResponse
from btfeeds.venues.twelvedata import TwelveData

KEY = "ABCDEFGH12345678"
MINUTE = Timeframe.parse("1m")


def made() -> TwelveData:
    return TwelveData(key=KEY)


def answer(**fields: object) -> HttpResponse:
    return HttpResponse(200, json.dumps(fields).encode())


def row(volume: str | None = "5") -> dict[str, str]:
    fields = {"datetime": "2023-11-14 22:15:00", "open": "10", "high": "12", "low": "9", "close": "11"}
    return fields if volume is None else fields | {"volume": volume}


def test_it_is_asked_in_utc_and_the_key_travels_in_a_header() -> None:
    span = TimeRange(to_ms("2023-11-14T22:15Z"), to_ms("2023-11-14T22:20Z"))
    request = made().bars_request(Symbol("AAPL"), MINUTE, span)
    assert dict(request.params) == {
        "symbol": "AAPL", "interval": "1min", "start_date": "2023-11-14 22:15:00", "end_date": "2023-11-14 22:19:59",
        "outputsize": 5000, "timezone": "UTC", "order": "ASC",
    }
    assert request.headers == {"Authorization": f"apikey {KEY}"}


def test_volumes_are_all_there_or_none_is() -> None:
    [one, two] = made().parse_bars(answer(status="ok", values=[row(None), row(None)]), MINUTE)
    assert one.volume == two.volume == 0.0
    with pytest.raises(BadFrame, match="no volume"):
        made().parse_bars(answer(status="ok", values=[row(), row(None)]), MINUTE)


def test_a_span_without_data_is_an_empty_answer() -> None:
    said = "No data is available on the specified dates. Try setting different start/end dates."
    response = answer(status="error", code=400, message=said)
    made().check(response)
    assert made().parse_bars(response, MINUTE) == []


def test_the_credits_of_a_minute_come_back_sooner_than_those_of_a_day() -> None:
    said = "You have run out of API credits for the"
    with pytest.raises(RateLimited) as minute:
        made().check(answer(status="error", code=429, message=f"{said} current minute."))
    with pytest.raises(Banned) as day:
        made().check(answer(status="error", code=429, message=f"{said} day."))
    assert (minute.value.retry_after, day.value.retry_after) == (60, 3_600)


def test_a_key_that_comes_back_is_masked() -> None:
    with pytest.raises(Exception, match=r"\*\*\*") as caught:
        made().check(answer(status="error", code=401, message=f"apikey {KEY} is incorrect"))
    assert KEY not in str(caught.value)
