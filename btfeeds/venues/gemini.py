"""Gemini, market data v2.

A bar has no flag: it is final when a row of a later one comes. The first message of a subscription is its history,
newest first, and the only confirmation. REST gives the whole recent window, whatever is asked for, and nothing older.
Trades come with the book, which is not read. Its first message repeats the last trades: they are left to history, as
all is that was before a subscription.

https://docs.gemini.com/websocket/market-data/v2/candles-data-feed
https://docs.gemini.com/websocket/market-data/v2/level-2-data
https://docs.gemini.com/rest/market-data#list-candles
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_UPDATES = "_updates"


class Gemini(Venue):
    """Gemini's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "gemini": Host("Gemini", "https://api.gemini.com", "wss://api.gemini.com"),
        "geminisandbox": Host("Gemini sandbox", "https://api.sandbox.gemini.com", "wss://api.sandbox.gemini.com"),
    }
    # Days open at 04:00 UTC, so they are left out, as those of 6 hours are: where these open is not documented.
    timeframes = reading.timeframes("1m 5m 15m 30m 1h=1hr")  # REST's names
    streams = reading.timeframes("1m 5m 15m 30m 1h")
    # An answer is the whole window (a day of minutes). 120 requests a minute, of which we allow ourselves half.
    limits = Limits(100_000, 60, messages_per_second=2.0, connects_per_5_minutes=10)

    paging = base.Paging.WINDOW
    whole_window = True
    omits_empty_bars = False  # a bar that is not there is declared: the window has an end
    says, begins = ("reason", "message"), b"["
    problems = {
        r"(?i)^40[04] .*\bsymbol\b|^... InvalidSymbol ": "symbol",
        "^... RateLimit ": "rate",
        "^... (Maintenance|System) ": "down",
    }
    assets = ("crypto",)
    depth = "one window: 1m about a day"
    free = "everything, without a key"
    docs = "https://docs.gemini.com"
    stream_path = "/v2/marketdata"
    closing = base.ClosingRule.ROLL_OVER
    bars_channel = "candles_{timeframe}:{symbol}"
    trades_channel = "l2:{symbol}"
    counts_trades = False  # numbers are of all events together
    settles_ms = 1_000
    heartbeat = base.Heartbeat(idle_ms=12_000)  # theirs comes every 5 s

    # --- List candles -------------------------------------------------------------------------------------------------

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native = self._native_timeframe(timeframe)
        return HttpRequest(f"/v2/candles/{self.native_symbol(symbol).lower()}/{native}")

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        return reading.ascending(row.bar(row.time) for row in reading.read(list[_Row], response.body))

    # --- candles_1m … candles_1h, l2 ----------------------------------------------------------------------------------

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        symbols: dict[str, list[str]] = {}
        for name, _, symbol in (channel.partition(":") for channel in channels):
            symbols.setdefault(name, []).append(symbol)
        named = [{"name": name, "symbols": those} for name, those in symbols.items()]
        return {"type": action, "subscriptions": named}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.read(_Frame, frame)
        kind, symbol = message.type, message.symbol
        bars = kind.startswith("candles_") and kind.endswith(_UPDATES)
        if not bars and kind not in ("l2_updates", "trade"):
            if message.changes:
                raise reading.schema(f"Data came as {kind[:40]!r}.")
            return (base.Rejected(message.reason[:200]) if message.result == "error" else base.Alive(),)
        if not symbol:
            raise reading.schema(f"{kind[:40]!r} is of no symbol.")
        if kind == "l2_updates":
            return (base.Accepted(channels=(f"l2:{symbol}",)),)
        if kind == "trade":
            row: _Trade = reading.lenient(_Trade, frame)
            trade = Trade(row.timestamp, row.price, row.quantity, row.event_id)
            return (reading.traded(f"l2:{symbol}", [trade], trade.time),)
        name = kind.removesuffix(_UPDATES)
        channel, native = f"{name}:{symbol}", name.removeprefix("candles_")
        found: list[_Row] = reading.read(list[_Row], message.changes)
        ascending = reading.ascending(row.bar(row.time) for row in found)
        return [self.bar_update(channel, native, bar, False) for bar in ascending]


# --- what answers hold ------------------------------------------------------------------------------------------------


class _Row(rows.Row, forbid_unknown_fields=True):
    """Of this width, and no other."""


class _Trade(msgspec.Struct, gc=False):
    event_id: Count
    timestamp: Count
    price: float
    quantity: float


class _Frame(msgspec.Struct):
    type: str = ""
    symbol: str = ""
    changes: msgspec.Raw = msgspec.Raw(b"")
    result: str = ""
    reason: str = ""
