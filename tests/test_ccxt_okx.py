"""ccxt agrees with the simulator of OKX, with nothing changed in it but its URLs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from btfeeds.market import Bar
from btfeeds.simulator import Simulator, serve
from tests.ccxtrig import MINUTE, real_minutes, redirected, rows_of, watched

ccxt = pytest.importorskip("ccxt")

HISTORY = 2_500


@pytest.fixture(scope="module")
def bars() -> tuple[Bar, ...]:
    return real_minutes()


@pytest.fixture
def sim(bars: tuple[Bar, ...]) -> Iterator[Simulator]:
    with serve("okx", bars, history=HISTORY, speed=300) as sim:
        yield sim


def test_history_in_pages_is_the_file_row_for_row(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    client = redirected(ccxt.okx({"enableRateLimit": False}), sim)
    rows: list[list[float]] = []
    start = bars[0].open_time
    while start < sim.start:
        page = client.fetch_ohlcv("BTC/USDT", "1m", since=start, limit=300)
        rows += [row for row in page if row[0] < sim.start]
        start = page[-1][0] + MINUTE
    assert rows == rows_of(bars[:HISTORY])


def test_hours_open_where_those_of_the_file_do(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    rows = redirected(ccxt.okx(), sim).fetch_ohlcv("BTC/USDT", "1h", since=bars[0].open_time, limit=10)
    assert [row[:2] for row in rows] == [[bars[at].open_time, bars[at].open] for at in range(0, 600, 60)]


def test_errors_are_understood(sim: Simulator) -> None:
    client = redirected(ccxt.okx({"enableRateLimit": False}), sim)
    client.load_markets()
    with pytest.raises(ccxt.BadSymbol, match="51001"):
        client.publicGetMarketCandles({"instId": "NONE-SUCH", "bar": "1m"})
    sim.fault("rate_limit:1h")
    with pytest.raises(ccxt.RateLimitExceeded, match="50011"):
        client.publicGetPublicTime()


@pytest.mark.parametrize(("name", "symbol"), [("okx", "BTC/USDT"), ("okx", "BTC/USDT:USDT")])
def test_live_bars_are_those_of_the_file(bars: tuple[Bar, ...], name: str, symbol: str) -> None:
    import ccxt.pro

    with serve(name, bars, symbol=symbol, history=HISTORY, speed=300) as sim:
        seen = asyncio.run(asyncio.wait_for(watched(redirected(ccxt.pro.okx(), sim), symbol, 4), 30))
    truth = {row[0]: row for row in rows_of(bars)}
    assert seen == {time: truth[time] for time in seen}
