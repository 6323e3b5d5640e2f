"""Gemini, market data v2.

A bar has no flag: it is final when a row of a later one comes. The first message of a subscription is its history,
newest first, and the only confirmation. REST gives the whole recent window, whatever is asked for, and nothing older.
Of other timeframes there is nothing: the trades come with the whole book.

https://docs.gemini.com/websocket/market-data/v2/candles-data-feed
https://docs.gemini.com/rest/market-data#list-candles
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_TIMEFRAMES = "1m 5m 15m 30m 1h=1hr 6h=6hr 1d=1day"  # REST's names
_PROBLEMS = {"RateLimit": "rate", "InvalidSymbol": "symbol", "Maintenance": "down", "System": "down"}
_UPDATES = "_updates"


class Gemini(Venue):
    """Gemini's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "gemini": Host("Gemini", "https://api.gemini.com", "wss://api.gemini.com"),
        "geminisandbox": Host("Gemini sandbox", "https://api.sandbox.gemini.com", "wss://api.sandbox.gemini.com"),
    }
    timeframes = reading.timeframes(_TIMEFRAMES)
    # An answer is the whole window (a day of minutes). 120 requests a minute, of which we allow ourselves half.
    limits = Limits(100_000, 60, messages_per_second=2.0, connects_per_5_minutes=10)

    paging = base.Paging.WINDOW
    whole_window = True
    omits_empty_bars = False  # a bar that is not there is declared: the window has an end
    assets = ("crypto",)
    depth = "one window: 1m about a day"
    free = "everything, without a key"
    docs = "https://docs.gemini.com"
    stream_path = "/v2/marketdata"
    closing = base.ClosingRule.ROLL_OVER
    heartbeat = base.Heartbeat(idle_ms=12_000)  # theirs comes every 5 s

    # --- List candles -------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol or not re.fullmatch(r"[A-Z0-9]+/[A-Z0-9]+", symbol):
            raise reading.unknown_symbol(self, symbol)
        return symbol.base + symbol.quote

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native = self._native_timeframe(timeframe)
        return HttpRequest(f"/v2/candles/{self.native_symbol(symbol).lower()}/{native}")

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        return sorted(map(_bar, reading.read(list[_Row], response.body)), key=lambda bar: bar.open_time)

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and response.body.lstrip()[:1] == b"[":
            return
        said: _Problem = reading.attempt(_Problem, response.body)
        kind = _PROBLEMS.get(said.reason, "")
        if response.status in (400, 404) and re.search(r"\bsymbol\b", said.message, re.IGNORECASE):
            kind = "symbol"
        raise reading.refusal(self, response, f"{said.reason} {said.message[:200]}".strip(), kind)

    # --- candles_1m … candles_1d --------------------------------------------------------------------------------------

    def channel(self, subscription: Subscription) -> str:
        self._native_timeframe(subscription.timeframe)
        return f"candles_{subscription.timeframe}:{self.native_symbol(subscription.symbol)}"

    def control(self, kind: str, channels: Sequence[str], request: int) -> list[str]:
        texts = []
        for part in reading.messages(channels, self.limits.streams_per_message):
            symbols: dict[str, list[str]] = {}
            for name, _, symbol in (channel.partition(":") for channel in part):
                symbols.setdefault(name, []).append(symbol)
            named = [{"name": name, "symbols": those} for name, those in symbols.items()]
            texts.append(reading.text({"type": kind, "subscriptions": named}))
        return texts

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.read(_Frame, frame)
        if not (message.type.startswith("candles_") and message.type.endswith(_UPDATES)):
            if message.changes:
                raise reading.schema(f"Bars came as {message.type[:40]!r}.")
            return (base.Rejected(message.reason[:200]) if message.result == "error" else base.Alive(),)
        name = message.type.removesuffix(_UPDATES)
        timeframe = _BY_STREAM.get(name)
        if timeframe is None or not message.symbol:
            raise reading.schema(f"{message.type[:40]!r} is no stream of bars.")
        channel = f"{name}:{message.symbol}"
        bars = sorted(map(_bar, message.changes or ()), key=lambda bar: bar.open_time)
        return [base.BarUpdate(channel, reading.checked(bar, timeframe, channel), False) for bar in bars]


# --- what answers hold ------------------------------------------------------------------------------------------------

_BY_STREAM = {f"candles_{timeframe}": timeframe for timeframe in Gemini.timeframes}


class _Row(msgspec.Struct, array_like=True, gc=False, forbid_unknown_fields=True):
    time: Count
    open: float
    high: float
    low: float
    close: float
    volume: float


class _Problem(msgspec.Struct):
    reason: str = ""
    message: str = ""


class _Frame(msgspec.Struct):
    type: str = ""
    symbol: str = ""
    changes: list[_Row] | None = None
    result: str = ""
    reason: str = ""


def _bar(row: _Row) -> Bar:
    return Bar(row.time, row.open, row.high, row.low, row.close, row.volume)
