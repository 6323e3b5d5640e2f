"""Bitstamp's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import pytest

from btfeeds.errors import UnsupportedTimeframe
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import ClosingRule
from btfeeds.venues.bitstamp import Bitstamp

BTC = Symbol("BTC/USD")


@pytest.mark.parametrize("timeframe", ["1m", "7m", "45s", "1h"])
def test_every_live_bar_is_made_of_trades(timeframe: str) -> None:
    subscription = Subscription("bitstamp", BTC, Timeframe.parse(timeframe))
    assert Bitstamp().closing_rule(subscription) is ClosingRule.FROM_TRADES
    assert Bitstamp().channel(subscription) == "live_trades_btcusd"


@pytest.mark.parametrize("timeframe", ["1w", "1M"])
def test_what_takes_weeks_is_not_begun(timeframe: str) -> None:
    with pytest.raises(UnsupportedTimeframe):
        Bitstamp().channel(Subscription("bitstamp", BTC, Timeframe.parse(timeframe)))


def test_a_span_is_asked_for_so_that_either_reading_of_its_bounds_gives_the_same_bars() -> None:
    request = Bitstamp().bars_request(BTC, Timeframe.parse("1m"), TimeRange(1_700_000_100_000, 1_700_000_280_000))
    assert dict(request.params) == {"step": "60", "limit": 1000, "start": 1_700_000_099, "end": 1_700_000_279}
