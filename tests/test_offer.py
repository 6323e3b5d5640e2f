"""What every provider says of itself, in the words there are for it."""

from __future__ import annotations

import pytest

from btfeeds import venues
from btfeeds.history.ibkr import Ibkr
from btfeeds.offer import ADJUSTED, ASSETS, Offer
from btfeeds.venues.base import Provider

ALL = [*(venues.provider(name, key="key", secret="secret") for name in venues.names()), Ibkr()]


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.name)
def test_every_provider_says_what_it_has_and_where_that_is_documented(provider: Provider) -> None:
    assert provider.assets and set(provider.assets) <= set(ASSETS)
    assert len(set(provider.assets)) == len(provider.assets)
    assert provider.adjusted in ("", *ADJUSTED)
    assert provider.docs.startswith("https://") and " " not in provider.docs
    assert provider.free or provider.needs_key, "what it costs to begin"
    for text in (provider.depth, provider.free, provider.serves):
        assert len(text) <= 70 and text == text.strip() and not text.endswith(".")


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.name)
def test_prices_of_equities_are_said_to_be_adjusted_or_not(provider: Provider) -> None:
    known = provider.adjusted in ADJUSTED or provider.name == "stooq"  # it documents nothing
    assert known if "equities" in provider.assets else provider.adjusted == ""


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.name)
def test_how_far_back_a_timeframe_goes_is_said_of_those_there_are(provider: Provider) -> None:
    assert set(provider.days_back) <= set(provider.timeframes)
    assert all(days >= 1 for days in provider.days_back.values())
    assert not provider.days_back or provider.depth, "what is in numbers is in words, too"
    assert 0 <= provider.delay_ms <= 86_400_000


def test_an_archive_says_whose_bars_it_has() -> None:
    others = {provider.name: provider.bars_of for provider in ALL if provider.bars_of}
    assert others == {"binancearchive": "binance", "binancearchiveusdm": "binanceusdm"}


def test_what_nobody_says_is_empty() -> None:
    assert (Offer().assets, Offer().adjusted, Offer().depth, Offer().free, Offer().docs) == ((), "", "", "", "")
    assert Offer().has_volume and not Offer().needs_key
