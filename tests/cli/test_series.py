"""What the commands of the warehouse share."""

from __future__ import annotations

import pytest

from btfeeds.cli.series import named, size, words
from btfeeds.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "count"), [("500M", 500_000_000), ("2g", 2_000_000_000), ("1.5 GB", 1_500_000_000), ("100", 100)]
)
def test_sizes_may_be_written(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "G", "much", "-1M"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigError):
        size(text)


def test_sizes_are_read_by_people() -> None:
    assert [words(count) for count in (0, 999, 20_480, 1_500_000, 2_000_000_000)] == [
        "0 B", "999 B", "20.5 kB", "1.5 MB", "2.0 GB",
    ]  # fmt: skip


def test_a_venue_may_be_any_name() -> None:
    assert str(named("Polygon", "aapl", "60m")) == "massive AAPL 1h"
    assert str(named("My File", "aapl", "1d")) == "my file AAPL 1d"
