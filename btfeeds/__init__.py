"""Live and historical market data for backtrader.

Every strategy sees each closed bar of its venue exactly once, in order, none missing and none unfinished: from the
first bar of history, through the switch to live, through any number of disconnections.

    cerebro.adddata(btfeeds.live("binance", "BTC/USDT", "1m", history="30d"))

The names below are imported when they are first used, so that `import btfeeds` costs next to nothing.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import btfeeds.live as _live

if TYPE_CHECKING:
    from btfeeds import errors, settings, simulator
    from btfeeds.cerebro.historyfeed import HistoryFeed
    from btfeeds.feeds import (
        BaseLiveDataFeed,
        BinanceFuturesLiveDataFeed,
        BinanceLiveDataFeed,
        BinanceUSLiveDataFeed,
    )
    from btfeeds.history.downloader import DataDownloaderFactory
    from btfeeds.manager import DataManager
    from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
    from btfeeds.warehouse import Warehouse

__version__ = "0.1.0"

__all__ = [
    "Bar",
    "BaseLiveDataFeed",
    "BinanceFuturesLiveDataFeed",
    "BinanceLiveDataFeed",
    "BinanceUSLiveDataFeed",
    "DataDownloaderFactory",
    "DataManager",
    "HistoryFeed",
    "Subscription",
    "Symbol",
    "TimeRange",
    "Timeframe",
    "Trade",
    "Warehouse",
    "errors",
    "live",
    "settings",
    "simulator",
]

_HOMES = {
    "btfeeds.cerebro.historyfeed": ("HistoryFeed",),
    "btfeeds.history.downloader": ("DataDownloaderFactory",),
    "btfeeds.manager": ("DataManager",),
    "btfeeds.market": ("Bar", "Subscription", "Symbol", "TimeRange", "Timeframe", "Trade"),
    "btfeeds.warehouse": ("Warehouse",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


class _Live(ModuleType):
    """`btfeeds.live` is the package of live data and, called, the feed of one symbol."""

    def __call__(self, venue: str, symbol: str, timeframe: str, **params: Any) -> BaseLiveDataFeed:
        """A feed ready for `cerebro.adddata`."""
        feeds = importlib.import_module("btfeeds.feeds")
        feed: BaseLiveDataFeed = feeds.live(venue, symbol, timeframe, **params)
        return feed


live = _live
live.__class__ = _Live


def __getattr__(name: str) -> Any:
    if name in ("errors", "settings", "simulator"):
        return importlib.import_module(f"btfeeds.{name}")
    if name.endswith("LiveDataFeed"):
        value = getattr(importlib.import_module("btfeeds.feeds"), name)
        globals()[name] = value
        return value
    if name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'btfeeds' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
