"""Alpaca's oddities: a login, closed minutes and corrections, answers broken off, sessions; its real answers."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import BadFrame, ConfigError, RateLimited, UnknownSymbol, UnsupportedTimeframe
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.market import PRICES, Bar, Subscription, Symbol, Timeframe, TimeRange, Trade, iso, to_ms
from btfeeds.venues.alpaca import Alpaca
from btfeeds.venues.base import Alive, BarRevised, BarUpdate, ClosingRule, HttpResponse, TradeUpdate, TurnedAway
from tests.history.venue import Unread
from tests.shared import shared

MINUTE = Timeframe.parse("1m")
M = 60_000
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC


def venue(host: str = "alpaca") -> Alpaca:
    return Alpaca(host, key="key", secret="secret")


@pytest.mark.parametrize(
    ("host", "stream", "feed"),
    [
        ("alpaca", "wss://stream.data.alpaca.markets/v2/iex", "iex"),
        ("alpacasip", "wss://stream.data.alpaca.markets/v2/sip", "sip"),
        ("alpacatest", "wss://stream.data.alpaca.markets/v2/test", "iex"),
        ("alpacacrypto", "wss://stream.data.alpaca.markets/v1beta3/crypto/us", None),
    ],
)
def test_each_feed_is_a_host(host: str, stream: str, feed: str | None) -> None:
    symbol = Symbol("BTC/USD" if host == "alpacacrypto" else "AAPL")
    request = venue(host).bars_request(symbol, MINUTE, TimeRange(NOON, NOON + M))
    assert venue(host).endpoint([]) == stream
    assert request.params.get("feed") == feed
    assert (request.params["start"], request.params["end"]) == ("2024-03-01T12:00:00Z", "2024-03-01T12:00:59.999Z")


def test_the_key_goes_into_headers_and_never_into_the_url() -> None:
    request = venue().bars_request(Symbol("AAPL"), MINUTE, TimeRange(NOON, NOON + M))
    assert request.headers == {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
    assert "secret" not in str(request.params)


def test_stocks_and_crypto_have_symbols_of_their_own() -> None:
    assert venue().native_symbol(Symbol("BRK.B")) == "BRK.B"
    assert venue("alpacacrypto").native_symbol(Symbol("BTC/USD")) == "BTC/USD"
    for host, symbol in (("alpaca", "BTC/USD"), ("alpacacrypto", "AAPL")):
        with pytest.raises(UnknownSymbol):
            venue(host).native_symbol(Symbol(symbol))


@pytest.mark.parametrize(
    ("timeframe", "kind", "rule"),
    [
        ("1m", "bars", ClosingRule.CLOSED_ONLY),
        ("5m", "bars", ClosingRule.CLOSED_ONLY),
        ("7m", "bars", ClosingRule.CLOSED_ONLY),
        ("1h", "bars", ClosingRule.CLOSED_ONLY),
        ("45s", "trades", ClosingRule.FROM_TRADES),
        ("90s", "trades", ClosingRule.FROM_TRADES),
    ],
)
def test_only_minutes_are_streamed_larger_bars_hold_them_and_others_are_made_of_trades(
    timeframe: str, kind: str, rule: ClosingRule
) -> None:
    assert list(venue().streamed) == [MINUTE]
    for host, symbol in (("alpaca", "AAPL"), ("alpacacrypto", "BTC/USD")):
        subscription = Subscription(host, Symbol(symbol), Timeframe.parse(timeframe))
        assert venue(host).channel(subscription) == f"{kind}:{symbol}"
        assert venue(host).closing_rule(subscription) is rule


def test_outside_of_the_sessions_of_stocks_nothing_is_due() -> None:
    saturday = to_ms("2024-03-02T12:00Z")
    assert iso(venue().next_open(Symbol("AAPL"), saturday)) == "2024-03-04T09:00:00Z"
    for host in ("alpacacrypto", "alpacatest"):
        assert venue(host).next_open(Symbol("X"), saturday) == saturday


def test_a_minute_that_comes_again_is_a_correction() -> None:
    numbers = '"o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.062'
    said = f'[{{"T":"%s","S":"SPY",{numbers},"t":"2021-02-22T19:15:00Z"}}]'
    bar = Bar(1_614_021_300_000, 388.985, 389.13, 388.975, 389.12, 49378.0, 461)
    assert list(venue().parse_frame(said % "b")) == [BarUpdate("bars:SPY", bar, True)]
    assert list(venue().parse_frame(said % "u")) == [BarRevised("bars:SPY", bar)]
    with pytest.raises(BadFrame):
        venue().parse_frame((said % "b").replace("19:15:00Z", "19:15:07Z"))


SALE = '"S":"AAPL","i":7,"x":"V","p":10.5,"s":3,"t":"2024-03-01T12:00:00.5Z"'


def sold(host: str, *conditions: str, tape: str = "C") -> list[Any]:
    listed = json.dumps(conditions)
    return list(venue(host).parse_frame(f'[{{"T":"t",{SALE},"c":{listed},"z":"{tape}"}}]'))


def test_conditions_of_shares_say_what_a_trade_moves_and_coins_have_none() -> None:
    def moves(host: str, *conditions: str, tape: str = "C") -> int:
        [event] = sold(host, *conditions, tape=tape)
        [trade] = event.trades
        assert (event.channel, trade.key, trade.id, trade.quantity) == ("trades:AAPL", "V7", -1, 3.0)
        return int(trade.moves)

    assert moves("alpaca", "@") == moves("alpacasip", "@", "T") == moves("alpaca", " ", "F", tape="A") == PRICES
    assert moves("alpaca", "@", "I") == moves("alpacasip", " ", "B", tape="A") == moves("alpaca", "new") == 0
    assert sold("alpaca", "@", "M") == sold("alpaca", "Q", tape="A") == [Alive()]
    [coin] = venue("alpacacrypto").parse_frame(f'[{{"T":"t",{SALE},"tks":"B"}}]')
    assert isinstance(coin, TradeUpdate) and coin.trades == (Trade(NOON + 500, 10.5, 3.0, key="7"),)


def test_one_trade_without_a_list_of_conditions_does_not_cost_the_others() -> None:
    one, other = (f'{{"T":"t",{SALE},"c":{listed},"z":"C"}}' for listed in ("null", '["@"]'))
    moved = [event.trades[0].moves for event in venue().parse_frame(f"[{one},{other}]")]  # type: ignore[union-attr]
    assert moved == [0, PRICES]


def test_a_size_of_nothing_is_no_trade() -> None:
    frame = f'[{{"T":"t",{SALE},"c":["@"],"z":"C"}}]'.replace('"s":3', '"s":0')
    assert list(venue().parse_frame(frame)) == [Alive()]


@pytest.mark.parametrize("lost", ['"c":["@"],', ',"z":"C"', '"x":"V",'])
def test_a_trade_of_a_share_that_does_not_say_what_it_is_is_not_used(lost: str) -> None:
    frame = f'[{{"T":"t",{SALE},"c":["@"],"z":"C"}}]'
    assert lost in frame
    with pytest.raises(BadFrame):
        list(venue().parse_frame(frame.replace(lost, "")))


def test_a_correction_says_what_a_trade_was_and_what_it_is() -> None:
    numbers = '"oi":7,"op":10.5,"os":3,"oc":["@","I"],"ci":8,"cp":10.6,"cs":300,"cc":["@"]'
    said = f'[{{"T":"c","S":"AAPL","x":"V",{numbers},"z":"C","t":"2024-03-01T12:00:09Z"}}]'
    once, now = Trade(NOON + 9_000, 10.5, 3.0, key="V7", moves=0), Trade(NOON + 9_000, 10.6, 300.0, key="V8")
    assert list(venue().parse_frame(said)) == [TradeUpdate("trades:AAPL", (now,), revoked=once)]
    # that it is no trade at all takes it back; that a report of a price was wrong is nothing
    assert list(venue().parse_frame(said.replace('"cc":["@"]', '"cc":["@","M"]'))) == [
        TradeUpdate("trades:AAPL", (), revoked=once)
    ]
    reports = said.replace('"cc":["@"]', '"cc":["M"]').replace('"oc":["@","I"]', '"oc":["M"]')
    assert list(venue().parse_frame(reports)) == [Alive()]
    # a report that was a trade after all: one is lacking, and when it was nobody says
    assert list(venue().parse_frame(reports.replace('"cc":["M"]', '"cc":["@"]'))) == [TradeUpdate("trades:AAPL", ())]
    with pytest.raises(BadFrame):
        list(venue().parse_frame(said.replace('"op":10.5,', "")))


@pytest.mark.parametrize("action", ["C", "E"])
def test_a_cancelled_trade_and_an_error_are_taken_back(action: str) -> None:
    said = f'[{{"T":"x",{SALE},"a":"{action}","z":"C"}}]'
    once = Trade(NOON + 500, 10.5, 3.0, key="V7", moves=0)
    assert list(venue().parse_frame(said)) == [TradeUpdate("trades:AAPL", (), revoked=once)]
    assert list(venue().parse_frame(said.replace('"s":3', '"s":0'))) == [Alive()]


def test_bars_and_trades_are_subscribed_in_one_message_and_ended_in_another() -> None:
    channels = ["trades:AAPL", "bars:AAPL", "trades:IBM"]
    lists = {"bars": ["AAPL"], "updatedBars": ["AAPL"], "trades": ["AAPL", "IBM"]}
    assert list(map(json.loads, venue().subscribe(channels, 1))) == [{"action": "subscribe", **lists}]
    assert json.loads(venue().unsubscribe(["trades:IBM"], 1)[0]) == {"action": "unsubscribe", "trades": ["IBM"]}


def test_coins_are_neither_corrected_nor_conditional() -> None:
    shares, coins = venue(), venue("alpacacrypto")
    assert (shares.conditions, shares.corrects_trades) == (True, True)
    assert (coins.conditions, coins.corrects_trades) == (False, False)
    assert (shares.settles_ms, shares.late_ms, shares.lag_ms, shares.grace_ms) == (1_000, 30_000, 30_000, 32_000)
    assert (coins.late_ms, coins.lag_ms, coins.grace_ms) == (0, 10_000, 15_000)


def test_there_is_history_of_what_minutes_make_and_of_nothing_shorter() -> None:
    assert venue().has_history(Symbol("AAPL"), Timeframe.parse("7m"))
    assert not venue().has_history(Symbol("AAPL"), Timeframe.parse("45s"))


@pytest.mark.parametrize(("code", "error"), [(402, ConfigError), (406, RateLimited), (409, ConfigError)])
def test_a_connection_that_is_not_wanted_says_why(code: int, error: type[Exception]) -> None:
    [event] = venue().parse_frame(f'[{{"T":"error","code":{code},"msg":"no"}}]')
    assert isinstance(event, TurnedAway) and isinstance(event.error, error)
    assert event.error.advice and "secret" not in str(event.error)


def test_what_was_logged_in_before_is_no_error() -> None:
    assert list(venue().parse_frame('[{"T":"error","code":403,"msg":"already authenticated"}]')) == [Alive()]


def test_an_answer_is_followed_to_its_last_page() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        token = request.url.params.get("page_token", "")
        asked.append(token)
        assert request.headers["APCA-API-KEY-ID"] == "key"
        numbers, following = {"": ([0, 1], "two=="), "two==": ([], "three"), "three": ([2, 4], None)}[token]
        rows = [{"t": iso(NOON + n * M), "o": 1, "h": 2, "l": 1, "c": 1.5, "v": 10, "n": 2, "vw": 1.2} for n in numbers]
        body: dict[str, Any] = {"bars": {"AAPL": rows} if rows else {}, "next_page_token": following}
        return httpx2.Response(200, content=json.dumps(body).encode())

    clock = ManualClock(NOON + 60 * M)
    with Downloader(venue(), HttpClient(clock, transport=Unread(answer)), clock) as downloader:
        bars = downloader.bars("AAPL", "1m", TimeRange(NOON, NOON + 5 * M))
    assert [(bar.open_time - NOON) // M for bar in bars] == [0, 1, 2, 4]
    assert asked == ["", "two==", "three"]


@pytest.mark.parametrize(("host", "symbol", "sure_after"), [("alpaca", "AAPL", 30), ("alpacacrypto", "BTC/USD", 1)])
def test_that_a_minute_has_no_trades_is_believed_when_late_ones_would_be_there(
    host: str, symbol: str, sure_after: int
) -> None:
    def answered(second: int) -> int:
        """Up to when minutes are answered, so long after the end of the third, which has no row; the fourth has."""
        rows = [{"t": iso(NOON + n * M), "o": 1, "h": 2, "l": 1, "c": 1.5, "v": 10, "n": 2} for n in (0, 1, 3)]
        body = json.dumps({"bars": {symbol: rows}, "next_page_token": None}).encode()
        clock = ManualClock(NOON + 3 * M + second * 1_000)
        http = HttpClient(clock, transport=Unread(lambda request: httpx2.Response(200, content=body)))
        with Downloader(venue(host), http, clock) as downloader:
            pages = downloader.pages(Symbol(symbol), MINUTE, TimeRange(NOON, NOON + 4 * M))
            return (max(page.span.end for page in pages) - NOON) // M

    assert (answered(sure_after - 1), answered(sure_after)) == (2, 3)


def test_an_answer_without_end_is_no_answer() -> None:
    body = b'{"bars":{},"next_page_token":"again"}'
    transport = Unread(lambda request: httpx2.Response(200, content=body))
    clock = ManualClock(NOON + 60 * M)
    with (
        Downloader(venue(), HttpClient(clock, transport=transport), clock) as downloader,
        pytest.raises(BadFrame, match="without end"),
    ):
        downloader.bars("AAPL", "1m", TimeRange(NOON, NOON + 5 * M))


@pytest.mark.parametrize(
    ("name", "count", "more"),
    [
        ("test_get_bars_1", 2, True),
        ("test_get_bars_desc_1", 3, True),
        ("test_get_bars_multi_empty_response_1", 0, False),
        ("test_get_bars_single_empty_response_1", 0, False),
        ("test_multisymbol_get_bars_1", 2, False),
    ],
)
def test_recorded_answers_are_understood(name: str, count: int, more: bool) -> None:
    body = json.loads(shared(f"alpaca/alpaca-py/{name}.json").read_bytes())["body"]
    answer = HttpResponse(200, json.dumps(body).encode())
    venue().check(answer)
    bars = venue().parse_bars(answer, Timeframe.parse("1d"))
    assert len(bars) == count and [bar.fault() for bar in bars] == [""] * count
    opens = [bar.open_time for bar in bars]
    assert opens == sorted(opens)
    request = venue().bars_request(Symbol("AAPL"), MINUTE, TimeRange(NOON, NOON + M))
    assert (venue().next_page(request, answer) is not None) is more


@pytest.mark.parametrize(
    ("opens", "day"),
    [
        ("2024-01-31T05:00:00Z", "2024-01-31"),
        ("2024-03-11T04:00:00Z", "2024-03-11"),
        ("2024-11-04T05:00:00Z", "2024-11-04"),
    ],
)
def test_a_day_of_stocks_is_named_by_its_date_in_new_york(opens: str, day: str) -> None:
    row = {"t": opens, "o": 10, "h": 12, "l": 9, "c": 11, "v": 100, "n": 7, "vw": 10.5}
    answer = HttpResponse(200, json.dumps({"bars": {"AAPL": [row]}, "next_page_token": None}).encode())
    [bar] = venue().parse_bars(answer, Timeframe.parse("1d"))
    assert bar.open_time == to_ms(day)
    asked = venue().bars_request(Symbol("AAPL"), Timeframe.parse("1d"), TimeRange(to_ms(day), to_ms(day) + 86_400_000))
    assert (asked.params["timeframe"], asked.params["start"] < opens < asked.params["end"]) == ("1Day", True)


def test_days_of_stocks_are_the_venues_own_and_those_of_crypto_are_made_of_hours() -> None:
    days = Timeframe.parse("1d")
    assert venue().base_timeframe(days) == venue().base_timeframe(Timeframe.parse("1w")) == days
    assert venue("alpacacrypto").base_timeframe(days) == Timeframe.parse("1h")
    with pytest.raises(UnsupportedTimeframe):
        venue().channel(Subscription("alpaca", Symbol("AAPL"), days))


def test_a_day_of_stocks_is_over_when_it_is_in_new_york() -> None:
    span, days = TimeRange(to_ms("2024-01-29"), to_ms("2024-02-05")), Timeframe.parse("1d")
    assert venue().page(days, span, to_ms("2024-02-01T04:59:59Z")) == TimeRange(span.start, to_ms("2024-01-31"))
    assert venue().page(days, span, to_ms("2024-02-01T05:00:00Z")) == TimeRange(span.start, to_ms("2024-02-01"))
    hours = Timeframe.parse("1h")
    assert venue().page(hours, span, to_ms("2024-02-01T04:59:59Z")) == span
