"""A client that others wrote agrees with the simulator: ccxt, with nothing changed in it but its URLs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from btfeeds.market import Bar
from btfeeds.simulator import Simulator, serve
from tests.ccxtrig import MINUTE, real_minutes, redirected, rows_of, watched

ccxt = pytest.importorskip("ccxt")

HISTORY = 3_000


@pytest.fixture(scope="module")
def bars() -> tuple[Bar, ...]:
    return real_minutes()


@pytest.fixture
def sim(bars: tuple[Bar, ...]) -> Iterator[Simulator]:
    with serve("binance", bars, history=HISTORY, speed=300) as sim:
        yield sim


def _paged(client: Any, symbol: str, timeframe: str, start: int, end: int) -> list[list[float]]:
    rows: list[list[float]] = []
    while start < end:
        page = client.fetch_ohlcv(symbol, timeframe, since=start, limit=1000)
        rows += [row for row in page if row[0] < end]
        start = page[-1][0] + MINUTE
    return rows


def test_markets_are_loaded(sim: Simulator) -> None:
    markets = redirected(ccxt.binance(), sim).load_markets()
    assert list(markets) == ["BTC/USDT"]
    assert markets["BTC/USDT"]["precision"]["price"] == 0.01


def test_history_in_pages_is_the_file_row_for_row(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    client = redirected(ccxt.binance(), sim)
    assert _paged(client, "BTC/USDT", "1m", bars[0].open_time, sim.start) == rows_of(bars[:HISTORY])


def test_all_30_240_real_minutes_come_back(bars: tuple[Bar, ...]) -> None:
    with serve("binance", bars, history=len(bars) - 1, speed=1) as sim:
        client = redirected(ccxt.binance({"enableRateLimit": False}), sim)
        rows = _paged(client, "BTC/USDT", "1m", bars[0].open_time, sim.start)
    assert rows == rows_of(bars[:-1])


def test_hours_are_made_of_the_minutes(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    rows = redirected(ccxt.binance(), sim).fetch_ohlcv("BTC/USDT", "1h", since=bars[0].open_time, limit=10)
    for number, row in enumerate(rows):
        hour = bars[number * 60 : number * 60 + 60]
        extremes = [max(bar.high for bar in hour), min(bar.low for bar in hour)]
        assert row[:5] == [hour[0].open_time, hour[0].open, *extremes, hour[-1].close]
        assert row[5] == pytest.approx(sum(bar.volume for bar in hour), abs=1e-12)


def test_errors_are_understood(sim: Simulator) -> None:
    client = redirected(ccxt.binance(), sim)
    client.load_markets()
    with pytest.raises(ccxt.BadSymbol):
        client.publicGetKlines({"symbol": "NONESUCH", "interval": "1m"})
    sim.fault("rate_limit")
    with pytest.raises(ccxt.DDoSProtection, match="429"):
        client.publicGetTime()
    sim.fault("ban")
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        client.publicGetTime()


@pytest.mark.parametrize(("name", "symbol"), [("binance", "BTC/USDT"), ("binanceusdm", "BTC/USDT:USDT")])
def test_live_bars_are_those_of_the_file(bars: tuple[Bar, ...], name: str, symbol: str) -> None:
    import ccxt.pro

    with serve(name, bars, symbol=symbol, history=HISTORY, speed=300) as sim:
        client = redirected(getattr(ccxt.pro, name)(), sim)
        seen = asyncio.run(asyncio.wait_for(watched(client, symbol, 4), 30))
    truth = {row[0]: row for row in rows_of(bars)}
    # ccxt joins in the middle of the first bar, and still ends with its true content
    assert seen == {time: truth[time] for time in seen}
