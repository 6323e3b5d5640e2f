"""OKX's oddities: bounds that exclude, two places for history, text pings, notices; and its real frames."""

from __future__ import annotations

import json
from collections import Counter
from email.utils import formatdate

import httpx2
import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import UnknownSymbol, UnsupportedTimeframe
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import Alive, BarUpdate, HttpResponse, Leaving, Rejected, TradeUpdate
from btfeeds.venues.okx import OKX
from tests.history.venue import Unread
from tests.shared import shared

MINUTE = Timeframe.parse("1m")
M = 60_000
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC


def test_both_bounds_of_a_request_lie_outside_of_the_span() -> None:
    request = OKX().bars_request(Symbol("BTC/USDT"), MINUTE, TimeRange(NOON, NOON + 3 * M))
    wanted = {"instId": "BTC-USDT", "bar": "1m", "before": NOON - 1, "after": NOON + 3 * M, "limit": 300}
    assert dict(request.params) == wanted


def test_older_bars_are_asked_for_in_the_archive_and_newer_ones_are_not() -> None:
    asked: list[tuple[str, int]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        before, after = (int(request.url.params[name]) for name in ("before", "after"))
        asked.append((request.url.path.rpartition("/")[2], (after - NOON) // M))
        rows = [[str(time), "1", "2", "0.5", "1.5", "3", "3", "3", "1"] for time in range(before + 1, after, M)]
        return httpx2.Response(200, content=json.dumps({"code": "0", "msg": "", "data": rows[::-1]}).encode())

    clock = ManualClock(NOON)
    http = HttpClient(clock, transport=Unread(answer))
    with Downloader(OKX(), http, clock) as downloader:
        bars = downloader.bars("BTC/USDT", "1m", TimeRange(NOON - 1_800 * M, NOON - 60 * M))
    assert [bar.open_time for bar in bars] == list(range(NOON - 1_800 * M, NOON - 60 * M, M))
    places = [place for place, _ in asked]
    assert places == sorted(places, reverse=True), "the archive comes first"
    assert Counter(places) == {"history-candles": 2, "candles": 4}


def test_bars_that_are_out_of_reach_although_our_clock_says_otherwise_come_from_the_archive() -> None:
    venue_now = NOON + 180 * M
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        place = request.url.path.rpartition("/")[2]
        asked.append(place)
        before, after = (int(request.url.params[name]) for name in ("before", "after"))
        oldest = venue_now - 1_439 * M if place == "candles" else 0
        times = [time for time in range(before + 1, after, M) if time >= oldest]
        rows = [[str(time), "1", "2", "0.5", "1.5", "3", "3", "3", "1"] for time in times]
        date = {"Date": formatdate(venue_now / 1000, usegmt=True)}
        return httpx2.Response(200, headers=date, json={"code": "0", "msg": "", "data": rows[::-1]})

    clock = ManualClock(NOON)
    with Downloader(OKX(), HttpClient(clock, transport=Unread(answer)), clock) as downloader:
        bars = downloader.bars("BTC/USDT", "1m", TimeRange(NOON - 1_400 * M, NOON - 1_000 * M))
    assert [bar.open_time for bar in bars] == list(range(NOON - 1_400 * M, NOON - 1_000 * M, M))
    assert asked == ["candles", "history-candles", "candles"]


def test_bars_of_six_hours_and_more_open_by_utc() -> None:
    names = {str(timeframe): native for timeframe, native in OKX().timeframes.items()}
    assert [names[name] for name in ("4h", "6h", "12h", "1d", "1w", "1M")] == [
        "4H", "6Hutc", "12Hutc", "1Dutc", "1Wutc", "1Mutc",
    ]  # fmt: skip


def test_bars_come_on_business_only() -> None:
    assert OKX().endpoint(["candle1m:BTC-USDT"]) == "wss://ws.okx.com:8443/ws/v5/business"
    assert OKX("okxdemo").endpoint([]) == "wss://wspap.okx.com:8443/ws/v5/business"


def test_the_demo_says_so_in_a_header() -> None:
    span = TimeRange(NOON, NOON + M)
    assert OKX("okxdemo").bars_request(Symbol("BTC/USDT"), MINUTE, span).headers == {"x-simulated-trading": "1"}
    assert OKX("okxdemo").archive_request(Symbol("BTC/USDT"), MINUTE, span).headers == {"x-simulated-trading": "1"}


def test_pings_are_text() -> None:
    assert OKX().heartbeat.ping == "ping" and OKX().heartbeat.idle_ms < 30_000
    assert list(OKX().parse_frame("pong")) == list(OKX().parse_frame(b"pong")) == [Alive()]


@pytest.mark.parametrize("symbol", ["AAPL", "BTC/USDT:ETH", "BTC-X/USDT"])
def test_what_is_no_pair_is_not_listed(symbol: str) -> None:
    with pytest.raises(UnknownSymbol):
        OKX().native_symbol(Symbol(symbol))


@pytest.mark.parametrize(("symbol", "timeframe"), [("BTC/USDT", "2d"), ("BTC/USDT:USDT", "7m")])
def test_bars_that_would_be_wrong_are_not_made_of_trades(symbol: str, timeframe: str) -> None:
    with pytest.raises(UnsupportedTimeframe, match="resample"):
        OKX().channel(Subscription("okx", Symbol(symbol), Timeframe.parse(timeframe)))


def test_swaps_count_coins_not_contracts() -> None:
    url = "https://www.okx.com/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=1m"
    body = b'{"code":"0","msg":"","data":[["1709294400000","1","2","0.5","1.5","700","7","10.5","1"]]}'
    [swap] = OKX().parse_bars(HttpResponse(200, body, url=url), MINUTE)
    [spot] = OKX().parse_bars(HttpResponse(200, body, url=url.replace("-SWAP", "")), MINUTE)
    assert (swap.volume, spot.volume) == (7.0, 700.0)


def test_a_notice_that_the_connection_will_close_is_leaving() -> None:
    [event] = OKX().parse_frame('{"event":"notice","code":"64008","msg":"soon","connId":"a4d3ae55"}')
    assert event == Leaving("64008 soon")
    assert list(OKX().parse_frame('{"event":"notice","code":"1","msg":"hello"}')) == [Alive()]


def test_recorded_answers_are_understood() -> None:
    full = HttpResponse(200, shared("okx/nautilus/http_get_candlesticks_full.json").read_bytes())
    OKX().check(full)
    assert OKX().parse_bars(full, MINUTE) == [
        Bar(1747093980000, 102806.0, 102820.5, 102783.1, 102806.1, 7164.04),
        Bar(1747094040000, 102806.1, 102820.4, 102806.1, 102820.4, 1040.37),
    ]
    short = HttpResponse(200, shared("okx/nautilus/http_get_candlesticks.json").read_bytes())
    assert [bar.open_time for bar in OKX().parse_bars(short, MINUTE)] == [1625097600000, 1625097660000]
    [trades] = OKX().parse_frame(shared("okx/nautilus/ws_trades.json").read_bytes())
    assert isinstance(trades, TradeUpdate) and trades.trades[0].id == 130639474


def test_every_frame_of_a_recorded_session_is_understood() -> None:
    kinds: Counter[str] = Counter()
    for line in shared("okx/cryptofeed/OKX.ws.1.0").read_text(encoding="utf-8").splitlines():
        if not line.startswith("wss:"):
            kinds.update(type(event).__name__ for event in OKX().parse_frame(line.partition(": ")[2]))
    assert kinds == {"Alive": 318, "TradeUpdate": 74, "Accepted": 18}


def test_the_frames_of_2026_are_understood() -> None:
    lines = shared("_live_frames/live_frames_2026.jsonl").read_text(encoding="utf-8").splitlines()
    frames = [said["raw"] for said in map(json.loads, lines) if said["venue"] == "okx"]
    trades, refused, bar = (next(iter(OKX().parse_frame(raw))) for raw in frames)
    assert isinstance(trades, TradeUpdate) and trades.trades[0].count == 8
    assert isinstance(refused, Rejected) and refused.fatal and refused.channels == ("candle1m:BTC-USDT",)
    assert isinstance(bar, BarUpdate) and not bar.closed and bar.bar.volume == 1.5784361


@pytest.mark.parametrize("quiet", [frozenset(), frozenset({0, 1, 2, 50, 199, 250})])
def test_an_archive_that_gives_100_rows_only_is_asked_for_the_older_ones(quiet: frozenset[int]) -> None:
    asked: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        before, after = (int(request.url.params[name]) for name in ("before", "after"))
        asked.append((after - NOON) // M)
        times = [time for time in range(before + 1, after, M) if (time - NOON) // M not in quiet]
        rows = [[str(time), "1", "2", "0.5", "1.5", "3", "3", "3", "1"] for time in times[-100:]]
        return httpx2.Response(200, content=json.dumps({"code": "0", "msg": "", "data": rows[::-1]}).encode())

    clock = ManualClock(NOON + 100_000 * M)
    with Downloader(OKX(), HttpClient(clock, transport=Unread(answer)), clock) as downloader:
        bars = downloader.bars("BTC/USDT", "1m", TimeRange(NOON, NOON + 299 * M))
    assert [(bar.open_time - NOON) // M for bar in bars] == [n for n in range(299) if n not in quiet]
    assert len(asked) == 3
