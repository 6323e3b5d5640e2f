"""What dialects share: decoding that raises one thing only, checks of bars and trades, refusals by status."""

from __future__ import annotations

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
        ("down", errors.VenueUnavailable),
    ],
)  # fmt: skip
def test_the_venues_own_code_comes_before_the_status(kind: str, error: type[errors.BtfeedsError]) -> None:
    assert type(reading.refusal(Bybit(), HttpResponse(200, b"{}"), "said", kind)) is error


def test_a_wait_that_is_told_is_kept() -> None:
    limited = reading.refusal(Bybit(), HttpResponse(429, b"", {"retry-after": "7"}))
    assert isinstance(limited, errors.RateLimited) and limited.retry_after == 7


def test_timeframes_are_written_with_the_venues_name_where_it_differs() -> None:
    assert reading.timeframes("1m=1min 1h") == {MINUTE: "1min", Timeframe.parse("1h"): "1h"}
