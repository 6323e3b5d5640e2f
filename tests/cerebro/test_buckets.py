from __future__ import annotations

import zoneinfo

import pytest

from btfeeds.cerebro.buckets import Buckets
from btfeeds.cerebro.zones import zone
from btfeeds.market import Timeframe, to_ms

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "time", "opens", "closes"),
    [
        ("5m", "2024-03-01T12:04:59Z", "2024-03-01T12:00Z", "2024-03-01T12:05Z"),
        ("5m", "2024-03-01T12:05Z", "2024-03-01T12:05Z", "2024-03-01T12:10Z"),
        ("15m", "2024-03-01T23:59Z", "2024-03-01T23:45Z", "2024-03-02T00:00Z"),
        ("4h", "2024-03-01T03:59Z", "2024-03-01T00:00Z", "2024-03-01T04:00Z"),
        ("1d", "2024-03-01T23:59Z", "2024-03-01T00:00Z", "2024-03-02T00:00Z"),
        ("1w", "2024-03-03T23:59Z", "2024-02-26T00:00Z", "2024-03-04T00:00Z"),
        ("1M", "2024-02-29T23:59Z", "2024-02-01T00:00Z", "2024-03-01T00:00Z"),
        ("12M", "2024-02-29T23:59Z", "2024-01-01T00:00Z", "2025-01-01T00:00Z"),
    ],
)
def test_bounds_in_utc(text: str, time: str, opens: str, closes: str) -> None:
    assert Buckets(Timeframe.parse(text)).bounds(to_ms(time)) == (to_ms(opens), to_ms(closes))


@pytest.mark.parametrize(
    ("text", "time", "opens", "closes"),
    [
        ("1d", "2024-02-29T23:30Z", "2024-02-29T23:00Z", "2024-03-01T23:00Z"),
        ("1d", "2024-03-31T10:00Z", "2024-03-30T23:00Z", "2024-03-31T22:00Z"),  # the day summer time begins: 23 h
        ("1d", "2024-10-27T10:00Z", "2024-10-26T22:00Z", "2024-10-27T23:00Z"),  # the day it ends: 25 h
        ("1w", "2024-03-03T23:30Z", "2024-03-03T23:00Z", "2024-03-10T23:00Z"),
        ("1M", "2024-02-29T23:30Z", "2024-02-29T23:00Z", "2024-03-31T22:00Z"),
        ("1h", "2024-02-29T23:30Z", "2024-02-29T23:00Z", "2024-03-01T00:00Z"),
    ],
)
@pytest.mark.parametrize("tz", [BERLIN, zone("Europe/Berlin")], ids=["zoneinfo", "wrapped"])
def test_days_and_more_begin_at_midnight_of_the_zone(
    tz: zoneinfo.ZoneInfo, text: str, time: str, opens: str, closes: str
) -> None:
    assert Buckets(Timeframe.parse(text), tz).bounds(to_ms(time)) == (to_ms(opens), to_ms(closes))


def test_buckets_follow_each_other_without_gap() -> None:
    buckets = Buckets(Timeframe.parse("1d"), BERLIN)
    close = buckets.bounds(to_ms("2024-01-01T12:00Z"))[1]
    for _ in range(400):
        opens, following = buckets.bounds(close)
        assert opens == close
        close = following
