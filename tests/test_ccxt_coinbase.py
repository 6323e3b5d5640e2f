"""A client that others wrote agrees with the simulators of Coinbase: ccxt, with nothing changed in it but its URLs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from btfeeds.live.aggregate import bars_from_trades
from btfeeds.market import Bar, Timeframe, Trade
from btfeeds.simulator import serve
from tests.ccxtrig import MINUTE, real_minutes, redirected

ccxt = pytest.importorskip("ccxt")

HISTORY = 3_000
ONE = Timeframe.parse("1m")
# ours, and what ccxt calls it
NAMES = {"coinbase": "coinbaseexchange", "coinbaseadvanced": "coinbase"}
both = pytest.mark.parametrize("venue", list(NAMES))


def _rows(bars: Sequence[Bar]) -> list[list[float]]:
    """As its candles have them: none without trades."""
    return [[b.open_time, b.open, b.high, b.low, b.close, b.volume] for b in bars if b.volume > 0]


@pytest.fixture(scope="module")
def bars() -> tuple[Bar, ...]:
    return real_minutes()


@both
def test_markets_are_loaded(bars: tuple[Bar, ...], venue: str) -> None:
    with serve(venue, bars, symbol="BTC/USD", history=HISTORY) as sim:
        markets = redirected(getattr(ccxt, NAMES[venue])(), sim).load_markets()
    assert list(markets) == ["BTC/USD"]
    assert (markets["BTC/USD"]["id"], markets["BTC/USD"]["precision"]["price"]) == ("BTC-USD", 0.01)


@both
def test_history_in_pages_is_the_file_row_for_row(bars: tuple[Bar, ...], venue: str) -> None:
    rows: list[list[float]] = []
    with serve(venue, bars, symbol="BTC/USD", history=HISTORY) as sim:
        client = redirected(getattr(ccxt, NAMES[venue])({"enableRateLimit": False}), sim)
        for since in range(bars[0].open_time, sim.start, 300 * MINUTE):
            page = client.fetch_ohlcv("BTC/USD", "1m", since=since, limit=300)
            rows += [row for row in page if row[0] < min(sim.start, since + 300 * MINUTE)]
    assert rows == _rows(bars[:HISTORY])


@both
def test_errors_are_understood(bars: tuple[Bar, ...], venue: str) -> None:
    with serve(venue, bars, symbol="BTC/USD", history=HISTORY) as sim:
        client = redirected(getattr(ccxt, NAMES[venue])(), sim)
        client.load_markets()
        ask = {
            "coinbase": "publicGetProductsIdCandles",
            "coinbaseadvanced": "v3PublicGetBrokerageMarketProductsProductIdCandles",
        }[venue]
        product = {"id": "NONE-USD", "product_id": "NONE-USD", "granularity": "60"}
        with pytest.raises(ccxt.ExchangeError):
            getattr(client, ask)(product)
        sim.fault("rate_limit")
        with pytest.raises((ccxt.RateLimitExceeded, ccxt.DDoSProtection)):
            getattr(client, ask)(product)


async def _watched(client: Any, minutes: int) -> list[Trade]:
    """The trades of so many whole minutes, and a few more around them."""
    seen: dict[int, Trade] = {}
    try:
        while not seen or seen[max(seen)].time - seen[min(seen)].time < (minutes + 2) * MINUTE:
            for trade in await client.watch_trades("BTC/USD"):
                number = int(trade["id"])
                seen[number] = Trade(trade["timestamp"], trade["price"], trade["amount"], number)
    finally:
        await client.close()
    return [seen[number] for number in sorted(seen)]


@both
def test_live_trades_make_the_bars_of_the_file(bars: tuple[Bar, ...], venue: str) -> None:
    import ccxt.pro

    with serve(venue, bars, symbol="BTC/USD", history=HISTORY, speed=200) as sim:
        client = redirected(getattr(ccxt.pro, NAMES[venue])(), sim)
        trades = asyncio.run(asyncio.wait_for(_watched(client, 3), 30))
    numbers = [trade.id for trade in trades]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "contiguous"
    whole = bars_from_trades(trades, ONE)[1:-1]  # of the first and the last it has not seen all
    truth = {row[0]: row for row in _rows(bars)}
    assert len(whole) >= 1
    assert _rows(whole) == [truth[bar.open_time] for bar in whole]
