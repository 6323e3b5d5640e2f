"""A client that others wrote agrees with the simulator of Kraken: ccxt, with nothing changed in it but its URLs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from btfeeds import barfile
from btfeeds.market import Bar
from btfeeds.simulator import Simulator, serve
from tests.shared import shared

ccxt = pytest.importorskip("ccxt")

HISTORY = 3_000
MINUTE = 60_000


@pytest.fixture(scope="module")
def bars() -> tuple[Bar, ...]:
    return barfile.read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")).bars


@pytest.fixture
def sim(bars: tuple[Bar, ...]) -> Iterator[Simulator]:
    with serve("kraken", bars, history=HISTORY, speed=300) as sim:
        yield sim


def _client(made: Any, sim: Simulator) -> Any:
    api = made.urls["api"]
    api["public"] = api["public"].replace("https://api.kraken.com", sim.rest_url)
    if "ws" in api:
        api["ws"]["publicV2"] = api["ws"]["publicV2"].replace("wss://ws.kraken.com", sim.stream_url)
    return made


def _rows(bars: tuple[Bar, ...]) -> list[list[float]]:
    return [[bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume] for bar in bars]


def test_markets_are_loaded_under_the_old_names_of_coins(sim: Simulator) -> None:
    markets = _client(ccxt.kraken(), sim).load_markets()
    assert list(markets) == ["BTC/USDT"]
    assert (markets["BTC/USDT"]["id"], markets["BTC/USDT"]["precision"]["price"]) == ("XBTUSDT", 0.01)


def test_the_newest_720_bars_come_in_pages_and_no_older_ones(bars: tuple[Bar, ...]) -> None:
    with serve("kraken", bars, history=HISTORY, speed=0.001) as sim:
        client = _client(ccxt.kraken({"enableRateLimit": False}), sim)
        rows: list[list[float]] = []
        since = bars[0].open_time
        while since < sim.start:
            page = client.fetch_ohlcv("BTC/USDT", "1m", since=since, limit=200)
            rows += page
            since = page[-1][0] + MINUTE
    # the bar under way is the newest of the 720
    assert rows[:-1] == _rows(bars[HISTORY - 719 : HISTORY])
    assert rows[-1][0] == sim.start


def test_trades_from_any_instant_on_add_up_to_their_bar(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    trades = _client(ccxt.kraken(), sim).fetch_trades("BTC/USDT", since=bars[0].open_time)
    bar = next(bar for bar in bars if bar.volume > 0)
    inside = [trade for trade in trades if bar.open_time <= trade["timestamp"] < bar.open_time + MINUTE]
    assert len(inside) == bar.trades if bar.trades > 0 else inside
    assert sum(trade["amount"] for trade in inside) == pytest.approx(bar.volume, abs=1e-9)
    assert [inside[0]["price"], inside[-1]["price"]] == [bar.open, bar.close]


def test_errors_in_good_answers_are_understood(sim: Simulator) -> None:
    client = _client(ccxt.kraken(), sim)
    client.load_markets()
    with pytest.raises(ccxt.ExchangeError, match="Unknown asset pair"):
        client.publicGetOHLC({"pair": "NONESUCH"})
    sim.fault("rate_limit:1h")
    with pytest.raises(ccxt.DDoSProtection):
        client.publicGetTime()


async def _watched(client: Any, count: int) -> list[list[float]]:
    """The last content of each of the first bars that were watched to their end."""
    seen: dict[int, list[float]] = {}
    try:
        while len(seen) <= count:
            for row in await client.watch_ohlcv("BTC/USDT", "1m"):
                seen[row[0]] = row
    finally:
        await client.close()
    return [seen[time] for time in sorted(seen)[:count]]


def test_live_bars_are_those_of_the_file(bars: tuple[Bar, ...]) -> None:
    import ccxt.pro

    with serve("kraken", bars, history=HISTORY, speed=300) as sim:
        seen = asyncio.run(asyncio.wait_for(_watched(_client(ccxt.pro.kraken(), sim), 14), 30))
    truth = {row[0]: row for row in _rows(bars)}
    assert seen == [truth[int(row[0])] for row in seen]
    assert all(row[5] > 0 for row in seen), "minutes without trades are skipped"
