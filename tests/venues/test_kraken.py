"""Kraken's oddities, and its own recorded bars rebuilt from its own recorded trades."""

from __future__ import annotations

import contextlib
import json

import httpx2
import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import BadFrame, UnknownSymbol, UnsupportedTimeframe
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.live.aggregate import TradeBars, bars_from_trades
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.base import Accepted, Alive, BarUpdate, HttpResponse, Rejected, TradeUpdate
from btfeeds.venues.kraken import Kraken
from tests.history.venue import Unread
from tests.shared import shared

KRAKEN = Kraken()
MINUTE = Timeframe.parse("1m")
BTC = Symbol("BTC/USD")


def recorded(name: str) -> HttpResponse:
    return HttpResponse(200, shared(f"kraken/nautilus/{name}.json").read_bytes())


@pytest.mark.parametrize(("symbol", "stream", "rest"), [
    ("BTC/USD", "BTC/USD", "XBTUSD"),
    ("XBT/EUR", "BTC/EUR", "XBTEUR"),
    ("ETH/BTC", "ETH/BTC", "ETHXBT"),
    ("DOGE/USD", "DOGE/USD", "XDGUSD"),
])  # fmt: skip
def test_bitcoin_has_one_name_on_the_stream_and_another_over_rest(symbol: str, stream: str, rest: str) -> None:
    request = KRAKEN.bars_request(Symbol(symbol), MINUTE, TimeRange(0, 60_000))
    assert (KRAKEN.native_symbol(Symbol(symbol)), request.params["pair"]) == (stream, rest)


@pytest.mark.parametrize("symbol", ["AAPL", "BTC/USD:USD"])
def test_what_is_no_pair_is_unknown(symbol: str) -> None:
    with pytest.raises(UnknownSymbol):
        KRAKEN.native_symbol(Symbol(symbol))


def test_weeks_are_not_streamed_as_nobody_says_where_they_open() -> None:
    with pytest.raises(UnsupportedTimeframe, match="resample"):
        KRAKEN.channel(Subscription("kraken", BTC, Timeframe.parse("1w")))


def test_each_kind_of_channel_has_its_message_and_number() -> None:
    texts = KRAKEN.subscribe(["trade:BTC/USD", "ohlc-1:BTC/USD", "ohlc-60:ETH/USD", "ohlc-1:ETH/USD"], 3)
    said = [(m["req_id"], m["params"]) for m in map(json.loads, texts)]
    assert said == [
        (3, {"channel": "ohlc", "symbol": ["BTC/USD", "ETH/USD"], "interval": 1}),
        (4, {"channel": "ohlc", "symbol": ["ETH/USD"], "interval": 60}),
        (5, {"channel": "trade", "symbol": ["BTC/USD"]}),
    ]


def test_a_trade_at_the_very_end_of_a_minute_belongs_to_it() -> None:
    rows = [["1.0", "1.0", time, "b", "l", "", number] for number, time in enumerate((59.9999999, 60.0), 1)]
    body = json.dumps({"error": [], "result": {"X": rows}}).replace("59.9999999", "1700000159.9999999")
    (first, _) = KRAKEN.parse_trades(HttpResponse(200, body.replace("60.0", "1700000160.0").encode()))
    assert first.time == 1_700_000_159_999


def test_its_trades_rebuild_272_of_272_minutes_of_its_own_bars() -> None:
    bars = {bar.open_time: bar for bar in KRAKEN.parse_bars(recorded("http_ohlc"), MINUTE)}
    trades = KRAKEN.parse_trades(recorded("http_trades"))
    assert (len(bars), len(trades)) == (721, 1000)
    made = {bar.open_time: bar for bar in bars_from_trades(trades, MINUTE)[1:-1]}  # the outer two are not complete
    assert len(made) == 272
    assert {time: bars[time] for time in made} == made
    quiet = [bars[time] for time in range(min(made), max(made), 60_000) if time not in made]
    assert len(quiet) == 137
    assert all((bar.volume, bar.trades, bar.high) == (0.0, 0, bar.low) for bar in quiet)


def test_a_stream_of_those_trades_closes_the_same_bars() -> None:
    bars = {bar.open_time: bar for bar in KRAKEN.parse_bars(recorded("http_ohlc"), MINUTE)}
    building = TradeBars(MINUTE)
    told = [one for trade in KRAKEN.parse_trades(recorded("http_trades")) for one in building.add(trade)]
    closed = [one for one in told if isinstance(one, Bar)]
    assert len(closed) == 272
    assert closed == [bars[bar.open_time] for bar in closed]


def test_frames_of_2026_are_understood() -> None:
    lines = shared("_live_frames/live_frames_2026.jsonl").read_text(encoding="utf-8").splitlines()
    frames = {line["kind"]: line["raw"] for line in map(json.loads, lines) if line["venue"] == "kraken"}
    kinds = {kind: [type(event) for event in KRAKEN.parse_frame(raw)] for kind, raw in frames.items()}
    assert kinds == {
        "connect": [Alive],
        "ack": [Accepted],
        "nack": [Rejected],
        "heartbeat": [Alive],
        "snapshot": [BarUpdate] * 9,
        "update": [BarUpdate],
    }
    (update,) = KRAKEN.parse_frame(frames["update"])
    bar = Bar(1_789_061_700_000, 77499.9, 77509.2, 77467.5, 77509.2, 0.58051276, 15)
    assert update == BarUpdate("ohlc-1:BTC/USDT", bar, False, 1_789_061_752_114)
    snapshot = list(KRAKEN.parse_frame(frames["snapshot"]))
    opened = [(event.bar.open_time - bar.open_time) // 60_000 for event in snapshot if isinstance(event, BarUpdate)]
    assert opened == [-3, -2, -1, 0, 3, 4, 5, 6, 8], "minutes without trades are skipped"


@pytest.mark.parametrize("name", ["ws_ohlc_update", "ws_pong", "ws_subscribe_response", "ws_trade_update"])
def test_shapes_of_the_documentation_are_understood(name: str) -> None:
    events = list(KRAKEN.parse_frame(shared(f"kraken/nautilus/{name}.json").read_bytes()))
    expected = {"ws_ohlc_update": BarUpdate, "ws_trade_update": TradeUpdate, "ws_pong": Alive}
    assert [type(event) for event in events] == [expected.get(name, Accepted)]


def test_the_old_protocol_brings_nothing_and_breaks_nothing() -> None:
    said = 0
    for line in shared("kraken/cryptofeed/KRAKEN.ws.48.0").read_text(encoding="utf-8").splitlines():
        time, _, frame = line.partition(": ")
        if not time.replace(".", "").isdigit():
            continue
        said += 1
        with contextlib.suppress(BadFrame):
            assert all(isinstance(event, Alive) for event in KRAKEN.parse_frame(frame))
    assert said == 49


def test_bars_out_of_reach_are_made_of_trades_and_are_flat_where_nobody_traded() -> None:
    start = 1_709_251_200_000
    trades = [Trade(start + number * 180_000 + 5_000, 10.0 + number, 2.0, 100 + number) for number in range(4)]

    def answer(request: httpx2.Request) -> httpx2.Response:
        since = int(request.url.params["since"])
        if "Trades" in request.url.path:
            rows = [
                [f"{t.price}", f"{t.quantity}", t.time / 1000, "b", "m", "", t.id]
                for t in trades
                if t.time * 1_000_000 > since
            ]
            return httpx2.Response(200, json={"error": [], "result": {"XXBTZUSD": rows, "last": "0"}})
        return httpx2.Response(200, json={"error": [], "result": {"XXBTZUSD": [], "last": 0}})

    clock = ManualClock(start + 800 * 60_000)
    with Downloader(KRAKEN, HttpClient(clock, transport=Unread(answer)), clock) as downloader:
        found = downloader.bars(BTC, MINUTE, TimeRange(start, start + 6 * 60_000))
    assert [(bar.close, bar.volume, bar.trades) for bar in found] == [
        (10.0, 2.0, 1), (10.0, 0.0, 0), (10.0, 0.0, 0), (11.0, 2.0, 1), (11.0, 0.0, 0), (11.0, 0.0, 0),
    ]  # fmt: skip



def test_bars_that_go_out_of_reach_while_trades_are_loaded_are_made_of_trades_too() -> None:
    start = 1_709_251_200_000
    clock = ManualClock(start + 800 * 60_000)
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        what = request.url.path.rpartition("/")[2]
        asked.append(what)
        if asked == ["Trades"]:
            clock.advance(30 * 60_000)
        if what == "OHLC":
            assert int(request.url.params["since"]) * 1000 >= clock.now() - 720 * 60_000
        return httpx2.Response(200, json={"error": [], "result": {"XXBTZUSD": [], "last": 0}})

    with Downloader(KRAKEN, HttpClient(clock, transport=Unread(answer)), clock) as downloader:
        downloader.bars(BTC, MINUTE, TimeRange(start, start + 300 * 60_000))
    assert asked == ["Trades", "Trades", "OHLC"]
