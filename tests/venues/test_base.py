"""What every venue shares, shown on a small one."""

from __future__ import annotations

import pytest

from btfeeds.errors import ConfigError, UnknownSymbol, UnsupportedTimeframe
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import ClosingRule, Host, HttpRequest, Limits, Venue

MINUTE, FIVE, HOUR, DAY = map(Timeframe.parse, ("1m", "5m", "1h", "1d"))


class Small(Venue):
    """Two hosts of one dialect; the second has another limit."""

    hosts = {
        "small": Host("Small", "https://small", "wss://small"),
        "other": Host("Other", "https://other", "wss://other", {"limits": Limits(7, 1)}),
    }
    timeframes = {MINUTE: "1", FIVE: "5", DAY: "D"}
    limits = Limits(bars_per_request=100, weight_per_minute=60)
    closing = ClosingRule.FLAG


def test_the_first_host_is_the_default() -> None:
    small = Small()
    assert (small.name, small.title, small.rest_url, small.stream_url) == (
        "small",
        "Small",
        "https://small",
        "wss://small",
    )


def test_a_second_host_is_a_second_instance_with_facts_of_its_own() -> None:
    assert Small("other").limits.bars_per_request == 7
    assert Small("small").limits.bars_per_request == 100


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(ConfigError, match="Choose one of: small, other"):
        Small("third")


def test_urls_lose_their_last_slash() -> None:
    small = Small(rest_url="http://127.0.0.1:1/", stream_url="ws://127.0.0.1:1/")
    assert (small.rest_url, small.stream_url) == ("http://127.0.0.1:1", "ws://127.0.0.1:1")


@pytest.mark.parametrize(
    ("wanted", "base"), [("1m", "1m"), ("15m", "5m"), ("7m", "1m"), ("1h", "5m"), ("1w", "1d"), ("1M", "1d")]
)
def test_a_timeframe_is_made_from_the_largest_that_fits(wanted: str, base: str) -> None:
    assert Small().base_timeframe(Timeframe.parse(wanted)) == Timeframe.parse(base)


def test_a_timeframe_that_nothing_fits_is_refused() -> None:
    with pytest.raises(UnsupportedTimeframe, match="Choose one of 1m, 5m, 1d"):
        Small().base_timeframe(Timeframe.parse("10s"))


def test_only_its_own_timeframes_are_asked_of_a_venue() -> None:
    assert Small()._native_timeframe(FIVE) == "5"
    with pytest.raises(UnsupportedTimeframe, match="It has: 1m, 5m, 1d"):
        Small()._native_timeframe(HOUR)


def test_bars_the_venue_does_not_stream_are_made_from_trades() -> None:
    symbol = Symbol("BTC/USDT")
    assert Small().closing_rule(Subscription("small", symbol, MINUTE)) is ClosingRule.FLAG
    assert Small().closing_rule(Subscription("small", symbol, HOUR)) is ClosingRule.FROM_TRADES


def test_trades_are_not_offered_unless_the_venue_says_so() -> None:
    assert Small().trades_request(Symbol("BTC/USDT"), TimeRange(0, 1)) is None


class Joined(Small):
    """Writes BTC/USDT as BTCUSDT, and tickers as they are."""

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol or symbol.base == "NONE":
            raise UnknownSymbol("no")
        return symbol.base + symbol.quote


class Dashed(Small):
    def native_symbol(self, symbol: Symbol) -> str:
        return symbol.replace("/", "-")


@pytest.mark.parametrize(
    ("native", "symbol"),
    [("BTCUSDT", "BTC/USDT"), ("ETHBTC", "ETH/BTC"), ("BTCUSD", "BTC/USD"), ("BTCTUSD", "BTC/TUSD"), ("AAPL", "AAPL")],
)
def test_the_venues_spelling_is_parted_at_a_quote_currency(native: str, symbol: str) -> None:
    assert Joined().unified_symbol(native) == symbol


def test_the_venues_spelling_is_parted_where_it_says_so() -> None:
    assert Dashed().unified_symbol("ABC-XYZ") == "ABC/XYZ"


@pytest.mark.parametrize("native", ["NONE", "", "btcusdt", "BTC/USDT", "a b"])
def test_what_the_venue_would_not_spell_so_is_no_symbol_of_it(native: str) -> None:
    with pytest.raises(UnknownSymbol, match="spells no symbol"):
        Joined().unified_symbol(native)


def test_history_is_there_where_smaller_bars_or_trades_are() -> None:
    class Trading(Small):
        def trades_request(self, *args: object) -> HttpRequest:
            return HttpRequest("/trades")

    symbol, odd = Symbol("BTC/USDT"), Timeframe.parse("45s")
    assert Small().has_history(symbol, Timeframe.parse("7m")) and not Small().has_history(symbol, odd)
    assert Trading().has_history(symbol, odd)
