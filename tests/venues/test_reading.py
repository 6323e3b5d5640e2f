"""What dialects share: decoding that raises one thing only, checks of bars and trades, refusals by status."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import msgspec
import pytest

from btfeeds import errors
from btfeeds.market import Bar, Timeframe, Trade
from btfeeds.venues import reading
from btfeeds.venues.base import HttpResponse
from btfeeds.venues.bybit import Bybit

MINUTE = Timeframe.parse("1m")
NOON = 1_709_294_400_000


@pytest.mark.parametrize(("data", "reason"), [(b"[", "malformed"), (b"\xff", "malformed"), (b'{"a":1}', "schema")])
def test_whatever_cannot_be_read_is_a_bad_frame(data: bytes, reason: str) -> None:
    with pytest.raises(errors.BadFrame) as caught:
        reading.decode(msgspec.json.Decoder(list[int]), data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        (Bar(NOON + 1, 1.0, 2.0, 0.5, 1.5, 1.0), "off_grid"),
        (Bar(NOON // 1000 // 60 * 60, 1.0, 2.0, 0.5, 1.5, 1.0), "off_grid"),
        (Bar(NOON * 1000, 1.0, 2.0, 0.5, 1.5, 1.0), "off_grid"),
        (Bar(NOON, 1.0, 0.9, 0.5, 1.5, 1.0), "high_low"),
        (Bar(NOON, float("nan"), 2.0, 0.5, 1.5, 1.0), "not_finite"),
    ],
)
def test_a_bar_that_cannot_be_one_is_a_bad_frame(bar: Bar, reason: str) -> None:
    with pytest.raises(errors.BadFrame) as caught:
        reading.checked(bar, MINUTE, "x")
    assert caught.value.reason == reason


@pytest.mark.parametrize("trade", [Trade(NOON, 1.0, 0.0), Trade(NOON // 1000, 1.0, 1.0), Trade(NOON, -1.0, 1.0)])
def test_a_trade_that_cannot_be_one_is_a_bad_frame(trade: Trade) -> None:
    with pytest.raises(errors.BadFrame):
        reading.checked_trade(trade, "x")


def test_what_can_be_is_passed_on() -> None:
    bar, trade = Bar(NOON, 1.0, 2.0, 0.5, 1.5, 0.0), Trade(NOON + 7, 1.0, 1.0)
    assert reading.checked(bar, MINUTE, "x") is bar and reading.checked_trade(trade, "x") is trade


class Row(msgspec.Struct):
    price: float = -1.0


def test_numbers_written_as_texts_are_read_where_the_venue_writes_them_so() -> None:
    assert reading.lenient(Row, b'{"price":"1.5"}') == Row(1.5) == reading.read(Row, b'{"price":1.5}')
    with pytest.raises(errors.BadFrame):
        reading.read(Row, b'{"price":"1.5"}')


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"price":[]}', b'{"pri'])
def test_what_is_no_answer_says_nothing(body: bytes) -> None:
    assert reading.attempt(Row, body) == Row()


def test_a_timeframe_that_no_history_has_is_offered_without_history() -> None:
    refused = reading.live_only(Bybit(), Timeframe.parse("45s"))
    assert "no history of 45s" in refused.what and "history=None" in refused.advice


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.BadRequest), (401, errors.ConfigError), (418, errors.Banned), (429, errors.RateLimited),
        (451, errors.RegionBlocked), (500, errors.VenueUnavailable), (503, errors.VenueUnavailable),
        (200, errors.BadFrame),
    ],
)  # fmt: skip
def test_a_status_has_its_error_in_three_lines(status: int, error: type[errors.BtfeedsError]) -> None:
    made = reading.refusal(Bybit(), HttpResponse(status, b"<html><b>words</b></html>"))
    assert type(made) is error and len(str(made).splitlines()) == 3
    assert "<" not in str(made)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate", errors.RateLimited), ("ban", errors.Banned), ("region", errors.RegionBlocked),
        ("key", errors.ConfigError), ("symbol", errors.UnknownSymbol), ("timeframe", errors.UnsupportedTimeframe),
        ("down", errors.VenueUnavailable), ("quota", errors.Banned),
    ],
)  # fmt: skip
def test_the_venues_own_code_comes_before_the_status(kind: str, error: type[errors.BtfeedsError]) -> None:
    assert type(reading.refusal(Bybit(), HttpResponse(200, b"{}"), "said", kind)) is error


@pytest.mark.parametrize(("body", "said"), [(b"", ""), (b"{}", ""), (b'{"code":"0","da', ""), (b'{"code":7}', "7 ?")])
def test_a_200_that_no_code_explains_came_damaged_and_is_asked_for_again(body: bytes, said: str) -> None:
    made = reading.refusal(Bybit(), HttpResponse(200, body), said)
    assert isinstance(made, errors.BadFrame) and not made.fatal and said in made.what


def test_a_wait_that_is_told_is_kept() -> None:
    limited = reading.refusal(Bybit(), HttpResponse(429, b"", {"retry-after": "7"}))
    assert isinstance(limited, errors.RateLimited) and limited.retry_after == 7


def test_timeframes_are_written_with_the_venues_name_where_it_differs() -> None:
    assert reading.timeframes("1m=1min 1h") == {MINUTE: "1min", Timeframe.parse("1h"): "1h"}


def test_days_are_written_by_timeframe() -> None:
    assert reading.days("1m=30 1h=730") == {MINUTE: 30, Timeframe.parse("1h"): 730}


def test_requests_that_are_used_up_come_back_in_an_hour_where_nobody_says() -> None:
    spent = reading.refusal(Bybit(), HttpResponse(200, b"{}"), "25 requests per day", "quota")
    assert isinstance(spent, errors.Banned) and spent.retry_after == 3_600
    assert "25 requests per day" in spent.what and "plan" in spent.advice


@pytest.mark.parametrize(
    ("text", "zone", "time"),
    [
        ("2024-03-01 07:00:00", "America/New_York", NOON),
        ("2024-03-01 12:00:00", "UTC", NOON),
        ("2024-03-01 21:00:00", "Asia/Tokyo", NOON),
        ("2024-07-01 08:00:00", "America/New_York", 1_719_835_200_000),  # summer time
        ("2024-11-03 01:30:00", "America/New_York", 1_730_611_800_000),  # comes twice: the first
        ("1969-12-31 19:00:00", "America/New_York", 0),
    ],
)
def test_a_time_of_a_wall_clock_becomes_utc(text: str, zone: str, time: int) -> None:
    assert reading.local(text, ZoneInfo(zone)) == time


@pytest.mark.parametrize("text", ["", "noon", "2024-03-01T07:00:00Z", "2024-13-01 07:00:00", "2024-03-01 07:00+01:00"])
def test_what_is_no_time_of_a_wall_clock_is_a_bad_frame(text: str) -> None:
    with pytest.raises(errors.BadFrame):
        reading.local(text, reading.NEW_YORK)


def test_a_date_is_midnight_utc_of_it() -> None:
    assert reading.day("2024-03-01") == NOON - 12 * 3_600_000


@pytest.mark.parametrize("text", ["", "20240301", "2024-W09-5", "2024-02-30", "2024-03-01 00:00:00"])
def test_what_is_no_date_is_a_bad_frame(text: str) -> None:
    with pytest.raises(errors.BadFrame):
        reading.day(text)


def test_an_instant_has_a_date_in_every_zone() -> None:
    early = NOON - 10 * 3_600_000
    assert reading.date(early) == dt.date(2024, 3, 1)
    assert reading.date(early, reading.NEW_YORK) == dt.date(2024, 2, 29)
    assert reading.date(-1) == dt.date(1969, 12, 31)
