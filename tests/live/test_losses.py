"""What close codes and statuses mean for the next try."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from btfeeds.errors import Banned, ProxyRefused, RegionBlocked
from btfeeds.live.effects import Loss
from btfeeds.live.losses import bad_status, closed
from btfeeds.venues import venue
from btfeeds.venues.base import HttpResponse


def refused(status: int, headers: Mapping[str, str] = MappingProxyType({}), by: str = "okx", body: bytes = b"") -> Loss:
    return bad_status(HttpResponse(status, body, headers, "wss://venue.test/ws"), venue(by).check)


def test_a_policy_close_asks_to_stay_away_for_a_minute_and_may_end_it() -> None:
    loss = closed(struct.pack("!H", 1008) + b"Too many requests")
    assert loss.not_before_ms == 60_000
    assert loss.error is not None and not loss.error.fatal and "1008 Too many requests" in loss.error.what


def test_try_again_later_is_half_a_minute_later() -> None:
    assert closed(struct.pack("!H", 1013)).not_before_ms == 30_000


def test_a_close_frame_without_a_code_is_1005() -> None:
    assert closed(b"").detail == "1005"


@pytest.mark.parametrize("status", [418, 429])
def test_too_many_requests_close_the_whole_host(status: int) -> None:
    loss = refused(status, {"retry-after": "7"})
    assert (loss.not_before_ms, loss.closed, loss.error) == (7_000, True, None)


def test_a_ban_is_a_matter_for_somebody_to_look_at() -> None:
    alarm = refused(418, {"retry-after": "120"}).alarm
    assert isinstance(alarm, Banned) and alarm.retry_after == 120 and str(alarm).count("\n") == 2
    assert refused(429, {"retry-after": "120"}).alarm is None


@pytest.mark.parametrize(
    ("by", "body", "wait"),
    [("bybit", b"<html><body>access too frequent</body></html>", 600_000), ("binance", b"", 60_000),
     ("kraken", b"error code: 1015", 60_000)],
)  # fmt: skip
def test_where_403_means_too_many_requests_it_is_no_region(by: str, body: bytes, wait: int) -> None:
    loss = refused(403, by=by, body=body)
    assert (loss.not_before_ms, loss.closed, loss.error) == (wait, True, None)


@pytest.mark.parametrize("by", ["bybit", "binance", "kraken"])
def test_and_a_region_is_known_by_its_words(by: str) -> None:
    assert isinstance(refused(403, by=by, body=b"configured to block access from your country").error, RegionBlocked)


def test_without_a_time_a_minute_is_waited() -> None:
    assert refused(429).not_before_ms == 60_000


@pytest.mark.parametrize(
    ("said", "wait"),
    [("1.5", 1_500), ("0", 0), ("-1", 60_000), ("²", 60_000), ("soon", 60_000),
     ("999999999", 604_800_000), ("99999999999999999999", 60_000),
     ("Wed, 21 Oct 2026 07:30:00 GMT", 120_000), ("Wed, 21 Oct 2099 07:28:00 GMT", 604_800_000)],
)  # fmt: skip
def test_nobody_is_sent_away_for_more_than_a_week_nor_by_what_is_no_time(said: str, wait: int) -> None:
    loss = refused(429, {"retry-after": said, "date": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert (loss.not_before_ms, loss.closed) == (wait, True)


@pytest.mark.parametrize(("status", "error"), [(403, RegionBlocked), (451, RegionBlocked), (407, ProxyRefused)])
def test_what_cannot_be_helped_ends_it(status: int, error: type[Exception]) -> None:
    found = refused(status).error
    assert isinstance(found, error) and found.fatal
