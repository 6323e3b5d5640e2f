"""Kraken's oddities, and its own recorded bars rebuilt from its own recorded trades."""

from __future__ import annotations

import contextlib
import json
from email.utils import formatdate
from itertools import groupby

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
M = 60_000
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
    market = Market(minutes=900)
    clock = ManualClock(market.start + 800 * M)
    market.slow = {1: 30 * M}  # the first question takes half an hour
    found = market.bars(clock, TimeRange(market.start, market.start + 300 * M))
    assert [kind for kind, _ in groupby(market.asked)] == ["Trades", "OHLC"] and market.asked[-1] == "OHLC"
    assert [bar.volume for bar in found] == [2.0] * 300


# --- bars that are older than the 720 -----------------------------------------------------------------------------


class Market:
    """Kraken's REST: a trade of 2.0 in every minute in `traded` (None: in all), rows for all of them, the youngest 720.

    `slow`: how long the answer to one question after the other takes; `ahead`: so far its clock is ahead of ours.
    """

    def __init__(self, minutes: int, traded: range | None = None, ahead: int = 0) -> None:
        self.start = 1_709_251_200_000
        when = range(minutes) if traded is None else traded
        self.trades = [(self.start + n * M + 2_000, 0, 10.0 + n, 1_000 + n) for n in when]  # ms, ns, price, number
        self.minutes = minutes
        self.ahead = ahead
        self.slow: dict[int, int] = {}
        self.asked: list[str] = []
        self.cap = 1_000

    def bars(self, clock: ManualClock, span: TimeRange, timeframe: Timeframe = MINUTE) -> list[Bar]:
        transport = Unread(lambda request: self._answer(request, clock))
        with Downloader(KRAKEN, HttpClient(clock, transport=transport), clock) as downloader:
            return downloader.bars(BTC, timeframe, span)

    def _answer(self, request: httpx2.Request, clock: ManualClock) -> httpx2.Response:
        kind, since = request.url.path.rpartition("/")[2], int(request.url.params["since"])
        self.asked.append(kind)
        clock.advance(self.slow.get(len(self.asked), 0))
        now = clock.now() + self.ahead
        rows: list[object]
        last = "0"
        if kind == "Trades":
            shown = [one for one in self.trades if one[0] * 1_000_000 + one[1] > since and one[0] <= now][: self.cap]
            rows = [[f"{p}", "2.0", f"{t / 1000:.3f}{ns // 100:04d}", "b", "m", "", n] for t, ns, p, n in shown]
            last = str(shown[-1][0] * 1_000_000 + shown[-1][1]) if shown else str(since)
        else:
            opens = [self.start + n * M for n in range(self.minutes) if self.start + n * M <= now][-720:]
            rows = [[t // 1000, "10", "10", "10", "10", "10", "2.0", 1] for t in opens if t // 1000 > since]
        headers = {"Date": formatdate(now / 1000, usegmt=True)}
        return httpx2.Response(200, headers=headers, json={"error": [], "result": {"XXBTZUSD": rows, "last": last}})


def test_more_trades_of_one_ms_than_fit_into_an_answer_are_all_counted() -> None:
    market = Market(minutes=60)
    sweep = [(market.start + 10 * M + 1_000, 200 * n, 9.0, 5_000 + n) for n in range(1_200)]
    later = [(t, ns, p, n + 10_000) for t, ns, p, n in market.trades[10:]]
    market.trades = [*market.trades[:10], *sweep, *later]
    found = market.bars(ManualClock(market.start + 2_000 * M), TimeRange(market.start, market.start + 60 * M))
    assert [bar.trades for bar in found] == [*[1] * 10, 1_201, *[1] * 49]
    assert found[10].volume == 2_402.0 and found[10].low == 9.0


def test_trades_that_share_an_instant_are_not_lost_where_a_page_ends_among_them() -> None:
    market = Market(minutes=60)
    sweep = [(market.start + 10 * M + 1_000, 123_456, 9.0, 5_000 + n) for n in range(40)]
    later = [(t, ns, p, n + 10_000) for t, ns, p, n in market.trades[10:]]
    market.trades, market.cap = [*market.trades[:10], *sweep, *later], 45
    found = market.bars(ManualClock(market.start + 2_000 * M), TimeRange(market.start, market.start + 60 * M))
    assert [bar.trades for bar in found] == [*[1] * 10, 41, *[1] * 49]


def test_a_page_of_trades_that_never_goes_on_is_no_end() -> None:
    market = Market(minutes=60)
    market.trades = [(market.start + M, 500, 9.0, 5_000 + n) for n in range(1_500)]
    with pytest.raises(BadFrame, match="the same 1000 trades again"):
        market.bars(ManualClock(market.start + 2_000 * M), TimeRange(market.start, market.start + 60 * M))


def test_fewer_trades_than_were_asked_for_are_not_the_end_of_them() -> None:
    market = Market(minutes=400)
    market.cap = 50
    found = market.bars(ManualClock(market.start + 2_000 * M), TimeRange(market.start, market.start + 400 * M))
    assert [bar.volume for bar in found] == [2.0] * 400


@pytest.mark.parametrize("behind", [0, 1, 3, 30, 180])
def test_a_clock_that_is_behind_loses_no_bar_at_the_edge_of_the_window(behind: int) -> None:
    market = Market(minutes=1_600, ahead=behind * M)
    clock = ManualClock(market.start + (1_600 - behind) * M + 30_000)
    found = market.bars(clock, TimeRange(market.start, market.start + 1_500 * M))
    assert [(bar.open_time - market.start) // M for bar in found] == list(range(1_500))
    assert {bar.volume for bar in found} == {2.0}


def test_an_answer_that_comes_late_loses_no_bar_at_the_edge_of_the_window() -> None:
    market = Market(minutes=900)
    market.slow = {1: 10 * M}
    clock = ManualClock(market.start + 717 * M + 30_000)
    found = market.bars(clock, TimeRange(market.start, market.start + 717 * M))
    assert market.asked[0] == "OHLC" and "Trades" in market.asked
    assert [(bar.open_time - market.start) // M for bar in found] == list(range(717))


def test_larger_bars_lose_none_of_their_pieces_at_the_edge_of_the_window() -> None:
    market = Market(minutes=1_600, ahead=30 * M)
    clock = ManualClock(market.start + 1_570 * M + 30_000)
    found = market.bars(clock, TimeRange(market.start, market.start + 1_500 * M), Timeframe(3, "m"))
    assert [bar.volume for bar in found] == [6.0] * 500


def test_a_quiet_minute_at_the_seam_of_two_questions_has_its_flat_bar() -> None:
    market = Market(minutes=2_000, traded=range(5, 2_000, 37))
    clock = ManualClock(market.start + 2_000 * M)
    first = market.bars(clock, TimeRange(market.start, market.start + 50 * M))
    second = market.bars(clock, TimeRange(market.start + 50 * M, market.start + 100 * M))
    times = [(bar.open_time - market.start) // M for bar in first + second]
    assert times == list(range(5, 100)), "before the first trade there is no price"
    assert [second[0].close, second[0].volume, second[28].close, second[29].close] == [52.0, 0.0, 52.0, 89.0]


@pytest.mark.parametrize("silence", [8, 100, 900])
def test_the_price_before_a_span_is_the_last_one_however_long_ago(silence: int) -> None:
    busy = 1_000 - silence
    market = Market(minutes=2_000, traded=range(busy))
    # three trades a second in the minutes before: more than one answer holds
    more = [(market.start + busy * M - 600_000 + 300 * n, 0, 50.0 + n, 100_000 + n) for n in range(2_000)]
    market.trades = [*market.trades[: busy - 10], *more, (market.start + 1_010 * M, 0, 7.0, 999_999)]
    clock = ManualClock(market.start + 2_000 * M)
    found = market.bars(clock, TimeRange(market.start + 1_000 * M, market.start + 1_012 * M))
    assert [bar.close for bar in found] == [*[2_049.0] * 10, 7.0, 7.0]
    assert len(market.asked) < 30
