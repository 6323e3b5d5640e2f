"""What every venue shares, shown on a small one."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from btfeeds.errors import BadFrame, ConfigError, UnknownSymbol, UnsupportedTimeframe, VenueUnavailable
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues import reading
from btfeeds.venues.base import BarUpdate, ClosingRule, Host, HttpRequest, HttpResponse, Limits, Venue

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


# --- what a dialect that says nothing else does -----------------------------------------------------------------------

NOON = 1_709_294_400_000


class Usual(Venue):
    """As most are."""

    hosts = {"usual": Host("Usual", "https://usual", "wss://usual")}
    timeframes = {MINUTE: "1", FIVE: "5"}
    limits = Limits(100, 60, streams_per_message=2)
    spelling = "{base}-{quote}"
    closing = ClosingRule.FLAG
    bars_channel = "bars{timeframe}:{symbol}"
    trades_channel = "trades:{symbol}"

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        return {"do": action, "of": channels, "id": request}


class Sorted(Usual):
    one_kind = True


class Coded(Usual):
    says = ("code", "msg")
    good = ("0", "1")


def test_a_symbol_is_spelled_as_the_pattern_says_and_read_back() -> None:
    assert Usual().native_symbol(Symbol("btc/usdt")) == "BTC-USDT"
    assert Usual().unified_symbol("BTC-USDT") == "BTC/USDT"


@pytest.mark.parametrize("symbol", ["AAPL", "BTC/USDT:USDT", "B.C/USDT"])
def test_a_symbol_that_the_venue_cannot_have_is_unknown(symbol: str) -> None:
    with pytest.raises(UnknownSymbol, match="does not list"):
        Usual().native_symbol(Symbol(symbol))


def test_days_are_made_of_trades_only_where_they_are_the_venues_own_and_open_at_midnight_utc() -> None:
    def channel(dialect: type[Usual], timeframe: str) -> str:
        return dialect().channel(Subscription("usual", Symbol("A/B"), Timeframe.parse(timeframe)))

    class Daily(Usual):
        timeframes = {MINUTE: "1", Timeframe.parse("1d"): "D"}
        streams = {MINUTE: "1"}

    class Dated(Daily):
        dates_of = reading.NEW_YORK

    assert channel(Daily, "1d") == channel(Dated, "7m") == "trades:A-B"
    for dialect, timeframe in ((Usual, "1d"), (Daily, "1w"), (Dated, "1d")):
        with pytest.raises(UnsupportedTimeframe, match="streams no bars"):
            channel(dialect, timeframe)


def test_messages_are_numbered_and_no_longer_than_allowed() -> None:
    channels = ["trades:A", "bars1:B", "trades:C"]
    assert list(map(json.loads, Usual().subscribe(channels, 7))) == [
        {"do": "subscribe", "of": ["trades:A", "bars1:B"], "id": 7},
        {"do": "subscribe", "of": ["trades:C"], "id": 8},
    ]
    assert json.loads(Usual().unsubscribe(["trades:A"], 3)[0]) == {"do": "unsubscribe", "of": ["trades:A"], "id": 3}
    assert Usual().subscribe([], 7) == []


def test_messages_name_channels_of_one_kind_where_the_venue_wants_it() -> None:
    channels = ["trades:A", "bars1:B", "trades:C", "trades:D"]
    assert [json.loads(text)["of"] for text in Sorted().subscribe(channels, 7)] == [
        ["bars1:B"],
        ["trades:A", "trades:C"],
        ["trades:D"],
    ]


def test_a_bar_of_a_frame_is_checked_by_the_timeframe_it_streams_as() -> None:
    bar = Bar(NOON + 60_000, 1.0, 2.0, 0.5, 1.5, 1.0)
    assert Usual().bar_update("bars1:A", "1", bar, True, 9) == BarUpdate("bars1:A", bar, True, 9)
    for native, reason in (("5", "off_grid"), ("7", "schema")):
        with pytest.raises(BadFrame) as caught:
            Usual().bar_update("bars1:A", native, bar, True)
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("venue", "body"), [(Usual(), b" {}"), (Coded(), b'{"code":"0"}'), (Coded(), b'{"code":1,"msg":"fine"}')]
)
def test_a_good_answer_is_told_by_its_beginning_or_its_code(venue: Venue, body: bytes) -> None:
    venue.check(HttpResponse(200, body))
    with pytest.raises(VenueUnavailable):
        venue.check(HttpResponse(500, body))


@pytest.mark.parametrize(
    ("venue", "body"), [(Usual(), b"[]"), (Usual(), b""), (Coded(), b"{}"), (Coded(), b'{"code":2,"msg":"no"}')]
)
def test_every_other_answer_is_none(venue: Venue, body: bytes) -> None:
    with pytest.raises(BadFrame, match="2 no" if b"2" in body else "not an answer"):
        venue.check(HttpResponse(200, body))
