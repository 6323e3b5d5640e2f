"""What close codes and statuses mean for the next try."""

from __future__ import annotations

import struct

import pytest

from btfeeds.errors import ProxyRefused, RegionBlocked
from btfeeds.live.losses import bad_status, closed


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
    loss = bad_status(status, {"retry-after": "7"}, "wss://venue.test/ws")
    assert (loss.not_before_ms, loss.closed, loss.error) == (7_000, True, None)


def test_without_a_time_a_minute_is_waited() -> None:
    assert bad_status(429, {}, "wss://venue.test/ws").not_before_ms == 60_000


@pytest.mark.parametrize(("status", "error"), [(403, RegionBlocked), (451, RegionBlocked), (407, ProxyRefused)])
def test_what_cannot_be_helped_ends_it(status: int, error: type[Exception]) -> None:
    found = bad_status(status, {}, "wss://venue.test/ws").error
    assert isinstance(found, error) and found.fatal
