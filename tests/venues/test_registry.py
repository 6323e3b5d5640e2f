"""The registry: from a name to a venue."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from btfeeds import venues
from btfeeds.errors import ConfigError
from btfeeds.venues.base import Limits, Provider


@pytest.mark.parametrize("name", list(venues.names()))
def test_every_name_makes_a_venue_of_that_name(name: str) -> None:
    made = venues.provider(name, key="key", secret="secret")
    assert made.name == name
    assert made.title
    assert made.rest_url.startswith("https://")


@pytest.mark.parametrize("written", ["binance", "Binance", " BINANCE "])
def test_a_name_may_be_written_in_any_case(written: str) -> None:
    assert venues.canonical(written) == "binance"


def test_a_venue_may_have_other_names() -> None:
    assert venues.canonical("binance-us") == "binanceus"
    assert venues.canonical("binancefutures") == "binanceusdm"


@pytest.mark.parametrize(
    ("written", "name"),
    [("av", "alphavantage"), ("YF", "yahoo"), ("Yahoo Finance", "yahoo"), ("polygon", "massive"), ("cg", "coingecko")],
)
def test_providers_of_history_are_known_by_their_short_names(written: str, name: str) -> None:
    assert venues.canonical(written) == name


def test_every_other_name_leads_to_a_venue() -> None:
    assert set(venues._ALIASES.values()) <= set(venues.names())
    assert not set(venues._ALIASES) & set(venues.names())


@pytest.mark.parametrize("name", ["yahoo", "alphavantage", "fmp", "coingecko", "stooq", "twelvedata", "binancearchive"])
def test_a_provider_of_history_is_none_to_stream_from(name: str) -> None:
    with pytest.raises(ConfigError, match="has history only"):
        venues.venue(name, key="key")


@pytest.mark.parametrize("name", ["alphavantage", "fmp", "twelvedata", "coingeckopro"])
def test_a_key_that_is_missing_is_noticed_before_anything_is_asked(name: str) -> None:
    with pytest.raises(ConfigError, match=f"BTFEEDS_{name.upper()}_API_KEY"):
        venues.provider(name)


def test_an_unknown_name_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigError, match=r"Choose one of: .*binanceus"):
        venues.venue("binanze")


def test_hosts_can_be_given() -> None:
    made = venues.venue("binance", rest_url="http://127.0.0.1:1/", stream_url="ws://127.0.0.1:2/")
    assert (made.rest_url, made.stream_url) == ("http://127.0.0.1:1", "ws://127.0.0.1:2")


def test_a_provider_without_a_stream_is_no_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    from btfeeds.venues import base

    class History(Provider):
        hosts = {"paper": base.Host("Paper", "https://paper", "")}
        limits = Limits(1, 1)

    monkeypatch.setitem(venues._REGISTRY, "paper", venues.Entry("base", "History", ""))
    monkeypatch.setattr(base, "History", History, raising=False)
    assert venues.provider("paper", stream_url="wss://unused").title == "Paper"
    with pytest.raises(ConfigError, match="has history only"):
        venues.venue("paper")


# --- a venue is a small file ------------------------------------------------------------------------------------------


def _lengths(streaming: bool) -> dict[str, int]:
    """The lines of each dialect's file, by its module: of all, or of those with a stream."""
    entries = [entry for entry in venues._REGISTRY.values() if entry.feed or not streaming]
    folder = Path(venues.__file__).parent
    return {
        entry.module: len((folder / f"{entry.module}.py").read_text(encoding="utf-8").splitlines()) for entry in entries
    }


@pytest.mark.parametrize("streaming", [False, True], ids=["all", "with a stream"])
def test_the_file_of_a_venue_has_150_lines_at_the_median(streaming: bool) -> None:
    lengths = _lengths(streaming)
    assert len(lengths) >= (12 if streaming else 19)
    assert median(lengths.values()) <= 150, dict(sorted(lengths.items(), key=lambda item: item[1]))
