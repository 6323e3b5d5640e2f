"""What the tests of ccxt against the simulators share: its clients with other URLs, and the bars as it gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from btfeeds import barfile
from btfeeds.market import Bar
from btfeeds.simulator import Simulator
from tests.shared import shared

MINUTE = 60_000

_ROUTES = {  # where ccxt goes → what takes its place; the first that fits counts
    "https://api.{hostname}": "rest_url",
    "https://{hostname}": "rest_url",
    "https://api.binance.com": "rest_url",
    "https://fapi.binance.com": "rest_url",
    "https://dapi.binance.com": "rest_url",
    "https://api.kraken.com": "rest_url",
    "https://api.coinbase.com": "rest_url",
    "https://api.exchange.coinbase.com": "rest_url",
    "https://api.pro.coinbase.com": "rest_url",
    "wss://stream.{hostname}": "stream_url",
    "wss://ws.okx.com:443": "stream_url",
    "wss://ws.kraken.com": "stream_url",
    "wss://stream.binance.com:9443": "stream_url",
    "wss://fstream.binance.com": "stream_url",
    "wss://dstream.binance.com": "stream_url",
    "wss://advanced-trade-ws.coinbase.com": "stream_url",
    "wss://ws-feed.exchange.coinbase.com": "stream_url",
}


def real_minutes() -> tuple[Bar, ...]:
    """Three weeks of BTC/USDT at Binance.US."""
    return barfile.read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")).bars


def redirected(made: Any, sim: Simulator) -> Any:
    """A client of ccxt that talks to `sim`; nothing else is changed in it."""
    made.urls["api"] = _routed(made.urls["api"], sim)
    return made


def _routed(urls: Any, sim: Simulator) -> Any:
    if isinstance(urls, dict):
        return {name: _routed(url, sim) for name, url in urls.items()}
    host = next((host for host in _ROUTES if isinstance(urls, str) and urls.startswith(host)), None)
    return urls if host is None else getattr(sim, _ROUTES[host]) + urls.removeprefix(host)


def rows_of(bars: Sequence[Bar]) -> list[list[float]]:
    """Bars as ccxt gives them."""
    return [[bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume] for bar in bars]


async def watched(client: Any, symbol: str, count: int) -> dict[int, list[float]]:
    """The last content of each of the first bars that were watched to their end, by opening time."""
    seen: dict[int, list[float]] = {}
    try:
        while len(seen) <= count:
            seen |= {row[0]: row for row in await client.watch_ohlcv(symbol, "1m")}
    finally:
        await client.close()
    return dict(sorted(seen.items())[:count])
