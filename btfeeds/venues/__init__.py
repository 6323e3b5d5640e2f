"""The registry of venues. Adding one is a file in this folder and an entry here (docs/adding-a-venue.md)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import NamedTuple

from btfeeds.errors import ConfigError
from btfeeds.venues.base import Provider, Venue


class Entry(NamedTuple):
    """Where a host's dialect is, and what its feed is called: `<feed>LiveDataFeed` ("": history only)."""

    module: str
    dialect: str
    feed: str


# Modules are imported when asked for, so that one venue costs one import.
_REGISTRY: dict[str, Entry] = {
    "binance": Entry("binance", "Binance", "Binance"),
    "binanceus": Entry("binance", "Binance", "BinanceUS"),
    "binanceusdm": Entry("binance", "Binance", "BinanceFutures"),
    "binancedata": Entry("binance", "Binance", "BinanceData"),
    "binancedemo": Entry("binance", "Binance", "BinanceDemo"),
    "binancetestnet": Entry("binance", "Binance", "BinanceTestnet"),
    "bybit": Entry("bybit", "Bybit", "Bybit"),
    "bybitlinear": Entry("bybit", "Bybit", "BybitLinear"),
    "bybitinverse": Entry("bybit", "Bybit", "BybitInverse"),
    "bybittestnet": Entry("bybit", "Bybit", "BybitTestnet"),
    "bybitlineartestnet": Entry("bybit", "Bybit", "BybitLinearTestnet"),
    "bybitinversetestnet": Entry("bybit", "Bybit", "BybitInverseTestnet"),
    "okx": Entry("okx", "OKX", "OKX"),
    "okxdemo": Entry("okx", "OKX", "OKXDemo"),
    "alpaca": Entry("alpaca", "Alpaca", "Alpaca"),
    "alpacasip": Entry("alpaca", "Alpaca", "AlpacaSIP"),
    "alpacatest": Entry("alpaca", "Alpaca", "AlpacaTest"),
    "alpacacrypto": Entry("alpaca", "Alpaca", "AlpacaCrypto"),
    "kraken": Entry("kraken", "Kraken", "Kraken"),
    "krakenbeta": Entry("kraken", "Kraken", "KrakenBeta"),
    "coinbase": Entry("coinbase", "Coinbase", "Coinbase"),
    "coinbasesandbox": Entry("coinbase", "Coinbase", "CoinbaseSandbox"),
    "coinbaseadvanced": Entry("coinbaseadvanced", "CoinbaseAdvanced", "CoinbaseAdvanced"),
    "kucoin": Entry("kucoin", "KuCoin", "KuCoin"),
    "bitfinex": Entry("bitfinex", "Bitfinex", "Bitfinex"),
    "gemini": Entry("gemini", "Gemini", "Gemini"),
    "geminisandbox": Entry("gemini", "Gemini", "GeminiSandbox"),
    "bitstamp": Entry("bitstamp", "Bitstamp", "Bitstamp"),
    "massive": Entry("massive", "Massive", "Massive"),
    "massivedelayed": Entry("massive", "Massive", "MassiveDelayed"),
    "yahoo": Entry("yahoo", "Yahoo", ""),
    "alphavantage": Entry("alphavantage", "AlphaVantage", ""),
    "alphavantagefree": Entry("alphavantage", "AlphaVantage", ""),
    "fmp": Entry("fmp", "FMP", ""),
    "coingecko": Entry("coingecko", "CoinGecko", ""),
    "coingeckopro": Entry("coingecko", "CoinGecko", ""),
    "stooq": Entry("stooq", "Stooq", ""),
    "twelvedata": Entry("twelvedata", "TwelveData", ""),
    "binancearchive": Entry("binancearchive", "BinanceArchive", ""),
    "binancearchiveusdm": Entry("binancearchive", "BinanceArchive", ""),
}
_ALIASES = {
    "binancefutures": "binanceusdm",
    "binance-us": "binanceus",
    "binance_usdm": "binanceusdm",
    "polygon": "massive",
    "yf": "yahoo",
    "yfinance": "yahoo",
    "yahoo finance": "yahoo",
    "yahoofinance": "yahoo",
    "av": "alphavantage",
    "alpha vantage": "alphavantage",
    "alpha_vantage": "alphavantage",
    "financialmodelingprep": "fmp",
    "financial modeling prep": "fmp",
    "cg": "coingecko",
    "twelve data": "twelvedata",
    "twelve_data": "twelvedata",
    "12data": "twelvedata",
    "binancevision": "binancearchive",
    "data.binance.vision": "binancearchive",
}


def names() -> Iterator[str]:
    """The names of all venues, in registry order."""
    return iter(_REGISTRY)


def feed_classes() -> dict[str, str]:
    """The names of the feed classes, each with its venue's name."""
    return {f"{entry.feed}LiveDataFeed": name for name, entry in _REGISTRY.items() if entry.feed}


def canonical(name: str) -> str:
    """The registry's name of a venue. Raises ConfigError for an unknown one."""
    key = _ALIASES.get(name.strip().lower(), name.strip().lower())
    if key not in _REGISTRY:
        raise ConfigError(
            f"There is no venue {name!r}.",
            "Nothing was started.",
            f"Choose one of: {', '.join(_REGISTRY)}.",
        )
    return key


def provider(name: str, *, rest_url: str = "", stream_url: str = "", key: str = "", secret: str = "") -> Provider:
    """The venue or history-only provider of that name, on its own hosts or on the ones given.

    Raises ConfigError for one that needs a key and gets none.
    """
    name = canonical(name)
    entry = _REGISTRY[name]
    dialect = getattr(importlib.import_module(f"btfeeds.venues.{entry.module}"), entry.dialect)
    given = {"rest_url": rest_url, "key": key, "secret": secret}
    if issubclass(dialect, Venue):
        given["stream_url"] = stream_url
    made: Provider = dialect(name, **given)
    if made.needs_key and not key:
        raise ConfigError(
            f"{made.title} needs a key.",
            "Nothing was started.",
            f"Set BTFEEDS_{name.upper()}_API_KEY (and …_API_SECRET where there is one), in the environment or .env.",
        )
    return made


def venue(name: str, *, rest_url: str = "", stream_url: str = "", key: str = "", secret: str = "") -> Venue:
    """As `provider`, for one that has a stream. Raises ConfigError for one that has none."""
    made = provider(name, rest_url=rest_url, stream_url=stream_url, key=key, secret=secret)
    if not isinstance(made, Venue):
        raise ConfigError(
            f"{made.title} has history only.",
            "Nothing was started.",
            "Use a venue with a stream; `btfeeds venues` lists them.",
        )
    return made
