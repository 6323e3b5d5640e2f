"""KuCoin's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import pytest

from btfeeds.errors import BadFrame, RateLimited, UnknownSymbol, UnsupportedTimeframe
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import ClosingRule, HttpResponse
from btfeeds.venues.kucoin import KuCoin

BTC = Symbol("BTC/USDT")
TICKET = (
    b'{"code":"200000","data":{"token":"a-b_c==","instanceServers":[{"endpoint":"wss://ws-api-spot.kucoin.com/"}]}}'
)


def answer(body: bytes, status: int = 200, **headers: str) -> HttpResponse:
    return HttpResponse(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_token_is_asked_for_by_post() -> None:
    request = KuCoin().ticket_request()
    assert (request.method, request.path) == ("POST", "/api/v1/bullet-public")


def test_the_venue_says_where_to_connect_unless_a_host_was_set() -> None:
    here = "?token=a-b_c==&connectId=btfeeds"
    assert KuCoin().endpoint([], answer(TICKET)) == f"wss://ws-api-spot.kucoin.com/{here}"
    assert KuCoin(stream_url="ws://127.0.0.1:8000").endpoint([], answer(TICKET)) == f"ws://127.0.0.1:8000/{here}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"code":"200000","data":{}}',
        b'{"code":"200000","data":{"token":""}}',
        b'{"code":"200000","data":{"token":"a b"}}',
        TICKET.replace(b"wss://", b"ws://"),
        TICKET.replace(b"wss://", b"file://"),
    ],
)
def test_what_is_no_ticket_is_not_used(body: bytes) -> None:
    with pytest.raises(BadFrame):
        KuCoin().endpoint([], answer(body))


def test_a_span_is_asked_for_so_that_either_reading_of_its_bounds_gives_the_same_bars() -> None:
    request = KuCoin().bars_request(BTC, Timeframe.parse("1m"), TimeRange(1_700_000_100_000, 1_700_000_280_000))
    assert (request.params["startAt"], request.params["endAt"]) == (1_700_000_099, 1_700_000_279)


def test_the_wait_until_the_budget_is_full_again_is_in_ms() -> None:
    with pytest.raises(RateLimited) as caught:
        KuCoin().check(answer(b'{"code":"429000","msg":"Too many requests"}', 429, gw_ratelimit_reset="4200"))
    assert caught.value.retry_after == 4.2


@pytest.mark.parametrize(("timeframe", "rule"), [("1m", ClosingRule.ROLL_OVER), ("7m", ClosingRule.FROM_TRADES)])
def test_what_is_not_streamed_is_made_of_trades(timeframe: str, rule: ClosingRule) -> None:
    assert KuCoin().closing_rule(Subscription("kucoin", BTC, Timeframe.parse(timeframe))) is rule


def test_nobody_hears_all_trades_of_days() -> None:
    with pytest.raises(UnsupportedTimeframe):
        KuCoin().channel(Subscription("kucoin", BTC, Timeframe.parse("3d")))


@pytest.mark.parametrize("symbol", ["BTC", "BTC/USDT:USDT", "B.C/USDT"])
def test_a_symbol_it_cannot_have_is_unknown(symbol: str) -> None:
    with pytest.raises(UnknownSymbol):
        KuCoin().native_symbol(Symbol(symbol))


def test_its_weeks_open_on_thursdays_so_ours_are_made_of_days() -> None:
    assert KuCoin().base_timeframe(Timeframe.parse("1w")) == Timeframe.parse("1d")
    with pytest.raises(UnsupportedTimeframe, match="resampledata"):
        KuCoin().channel(Subscription("kucoin", BTC, Timeframe.parse("1w")))
