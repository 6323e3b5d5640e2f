"""The default patience with a venue, as promised."""

from __future__ import annotations

from btfeeds.live.patience import ConnectionPolicy


def test_waits_double_from_five_seconds_to_a_minute() -> None:
    assert ConnectionPolicy().backoff_ms == (5_000, 10_000, 20_000, 40_000, 60_000)


def test_backoff_starts_over_after_a_minute_of_data() -> None:
    assert ConnectionPolicy().healthy_ms == 60_000
