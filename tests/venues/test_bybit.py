"""Bybit's oddities: newest first, a ban by 403, one answer for many topics; and its real frames."""

from __future__ import annotations

import json

import pytest

from btfeeds import venues
from btfeeds.errors import RateLimited, UnknownSymbol, UnsupportedTimeframe
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import Accepted, Alive, BarUpdate, ClosingRule, HttpResponse, Rejected, TradeUpdate
from btfeeds.venues.bybit import Bybit
from tests.shared import shared

MINUTE = Timeframe.parse("1m")


def read(name: str) -> bytes:
    return shared(f"bybit/nautilus/{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("host", "symbol", "native"),
    [
        ("bybit", "BTC/USDT", "BTCUSDT"),
        ("bybitlinear", "BTC/USDT:USDT", "BTCUSDT"),
        ("bybitlinear", "BTC/USDT", "BTCUSDT"),
        ("bybitlinear", "ETH/USDC:USDC", "ETHPERP"),
        ("bybitinverse", "BTC/USD:BTC", "BTCUSD"),
    ],
)
def test_each_category_has_symbols_of_its_own(host: str, symbol: str, native: str) -> None:
    assert Bybit(host).native_symbol(Symbol(symbol)) == native


@pytest.mark.parametrize(
    ("host", "symbol"),
    [("bybit", "BTC/USDT:USDT"), ("bybitlinear", "BTC/USD:BTC"), ("bybitinverse", "BTC/USDT:USDT"), ("bybit", "AAPL")],
)
def test_symbols_of_another_category_are_refused(host: str, symbol: str) -> None:
    with pytest.raises(UnknownSymbol, match="does not list"):
        Bybit(host).native_symbol(Symbol(symbol))


def test_the_category_is_in_path_and_request() -> None:
    venue = Bybit("bybitinverse")
    assert venue.endpoint([]) == "wss://stream.bybit.com/v5/public/inverse"
    request = venue.bars_request(Symbol("BTC/USD:BTC"), MINUTE, TimeRange(60_000, 180_000))
    assert dict(request.params) == {
        "category": "inverse", "symbol": "BTCUSD", "interval": "1", "start": 60_000, "end": 179_999, "limit": 1000,
    }  # fmt: skip


def test_the_testnet_is_another_host() -> None:
    venue = venues.venue("bybitlineartestnet")
    assert (venue.rest_url, venue.stream_url) == ("https://api-testnet.bybit.com", "wss://stream-testnet.bybit.com")
    assert venue.endpoint([]).endswith("/v5/public/linear")


def test_a_message_takes_ten_topics() -> None:
    messages = [json.loads(text) for text in Bybit().subscribe([f"kline.1.S{n}" for n in range(23)], 5)]
    assert [(message["req_id"], len(message["args"])) for message in messages] == [("5", 10), ("6", 10), ("7", 3)]


@pytest.mark.parametrize("timeframe", ["7m", "45s"])
def test_bars_it_does_not_stream_are_made_of_trades(timeframe: str) -> None:
    subscription = Subscription("bybit", Symbol("BTC/USDT"), Timeframe.parse(timeframe))
    assert Bybit().channel(subscription) == "publicTrade.BTCUSDT"
    assert Bybit().closing_rule(subscription) is ClosingRule.FROM_TRADES


def test_nobody_hears_all_trades_of_days() -> None:
    with pytest.raises(UnsupportedTimeframe):
        Bybit().channel(Subscription("bybit", Symbol("BTC/USDT"), Timeframe.parse("3d")))


def test_a_ban_of_the_address_lasts_ten_minutes() -> None:
    with pytest.raises(RateLimited) as caught:
        Bybit().check(HttpResponse(403, b"access too frequent"))
    assert caught.value.retry_after == 600


def test_a_symbol_that_is_not_listed_is_named() -> None:
    url = "https://api.bybit.com/v5/market/kline?category=spot&symbol=NONEUSDT&interval=1"
    with pytest.raises(UnknownSymbol, match="does not list NONEUSDT"):
        Bybit().check(HttpResponse(200, b'{"retCode":10001,"retMsg":"Not supported symbols","result":{}}', url=url))


def test_a_refusal_names_every_topic_it_can() -> None:
    words = "Invalid symbol :[kline.1.NOUSDT,publicTrade.NOUSDT]"
    said = f'{{"success":false,"ret_msg":"{words}","req_id":"3","op":"subscribe"}}'
    [event] = Bybit().parse_frame(said)
    assert isinstance(event, Rejected)
    assert (event.request, event.channels, event.fatal) == (3, ("kline.1.NOUSDT", "publicTrade.NOUSDT"), True)


def test_the_published_shapes_are_understood() -> None:
    venue = Bybit("bybitlinear")
    bar = Bar(1672324800000, 16649.5, 16677.0, 16608.0, 16677.0, 2.081)
    assert list(venue.parse_frame(read("ws_kline"))) == [BarUpdate("kline.5.BTCUSDT", bar, False, 1672324988882)]
    assert list(venue.parse_frame(read("ws_public_trade"))) == [Alive()]  # a topic of another generation
    assert list(venue.parse_frame(read("ws_subscription_ack"))) == [Accepted()]
    [refused] = venue.parse_frame(read("ws_subscription_failure"))
    assert isinstance(refused, Rejected)
    answer = HttpResponse(200, read("http_get_klines_linear"))
    venue.check(answer)
    assert venue.parse_bars(answer, MINUTE) == [Bar(1709891679000, 27450.0, 27460.0, 27440.0, 27455.0, 123.45)]


def test_the_frames_of_2026_are_understood() -> None:
    lines = shared("_live_frames/live_frames_2026.jsonl").read_text(encoding="utf-8").splitlines()
    frames = {said["kind"]: said["raw"] for said in map(json.loads, lines) if said["venue"] == "bybit"}
    events = {kind: next(iter(Bybit("bybitlinear").parse_frame(raw))) for kind, raw in frames.items()}
    assert len(events) == 3
    trades = events["trades (linear)"]
    assert isinstance(trades, TradeUpdate) and [trade.quantity for trade in trades.trades] == [0.001, 0.01]
    bar = events["open kline (testnet linear)"]
    assert isinstance(bar, BarUpdate) and not bar.closed and bar.bar.close == 77256.8
    assert isinstance(events["nack"], Rejected)
