"""What the commands of the warehouse share."""

from __future__ import annotations

from pathlib import Path

import pytest

from btfeeds.cli.series import existing, named, size, words
from btfeeds.errors import ConfigError, WarehouseError
from btfeeds.warehouse import Warehouse


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


def test_a_venue_has_a_name() -> None:
    with pytest.raises(ConfigError, match="The venue has no name"):
        named(" ", "aapl", "1d")


def test_a_venue_may_be_any_name() -> None:
    assert str(named("Polygon", "aapl", "60m")) == "massive AAPL 1h"
    assert str(named("My File", "aapl", "1d")) == "my file AAPL 1d"


@pytest.mark.parametrize("venue", ["auto", " Auto", ""])
def test_the_word_for_whoever_has_it_is_no_series_name(venue: str) -> None:
    with pytest.raises(ConfigError):
        named(venue, "BTC/USDT", "1m")


def test_a_warehouse_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="There is no warehouse"):
        existing(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    Warehouse(tmp_path).close()
    existing(str(tmp_path)).close()
