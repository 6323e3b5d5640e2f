"""Bybit v5: spot, linear and inverse contracts, and their testnets, as hosts of one dialect.

Bars stream with a flag that says when they are closed. REST sends the newest bar first, and says no inside answers
of HTTP 200; HTTP 403 means that this address asks too much. The volume of inverse contracts is in USD.
The EU, Kazakhstan and Turkey have hosts of their own, which BTFEEDS_BYBIT_REST_URL and _STREAM_URL name.

https://bybit-exchange.github.io/docs/v5/websocket/public/kline
https://bybit-exchange.github.io/docs/v5/market/kline
https://bybit-exchange.github.io/docs/v5/rate-limit
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_BAN_S = 600.0  # "HTTP 403, access too frequent": to be left alone for ten minutes


def _host(title: str, category: str, net: str = "") -> Host:
    assets = ("crypto",) if category == "spot" else ("crypto futures",)
    facts = {"category": category, "assets": assets, "stream_path": f"/v5/public/{category}"}
    return Host(f"Bybit {title}", f"https://api{net}.bybit.com", f"wss://stream{net}.bybit.com", facts)


class Bybit(Venue):
    """Bybit's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "bybit": _host("spot", "spot"),
        "bybitlinear": _host("linear", "linear"),
        "bybitinverse": _host("inverse", "inverse"),
        "bybittestnet": _host("testnet spot", "spot", "-testnet"),
        "bybitlineartestnet": _host("testnet linear", "linear", "-testnet"),
        "bybitinversetestnet": _host("testnet inverse", "inverse", "-testnet"),
    }
    category: str
    timeframes = reading.timeframes("1m=1 3m=3 5m=5 15m=15 30m=30 1h=60 2h=120 4h=240 6h=360 12h=720 1d=D 1w=W 1M=M")
    # 600 requests in 5 s for an address, of which we allow ourselves a sixth; 10 args in a message (said of spot).
    limits = Limits(1000, 1200, 200, messages_per_second=5.0, streams_per_message=10, requests_per_second=20.0)

    problems = {
        **reading.CROWDED,
        " (10006|10018|10429) ": "rate",  # too many visits, … of this IP, … in all
        " (10009|10024) ": "region",  # service restricted, compliance rules
        " (10000|10016) ": "down",  # timeout, internal error
        "(?i) 10001 .*symbol": "symbol",
        " 10001 ": "request",
    }
    paging = base.Paging.WINDOW  # which rows come when there are more than the limit is not documented
    assets = ("crypto",)
    serves = "not the USA"
    free = "everything, without a key"
    docs = "https://bybit-exchange.github.io/docs/v5"
    closing = base.ClosingRule.FLAG
    bars_channel = "kline.{timeframe}.{symbol}"
    trades_channel = "publicTrade.{symbol}"
    counts_trades = False  # they have no numbers
    # Who sends nothing for ten minutes may be cut off: a ping every 20 s is advised.
    heartbeat = base.Heartbeat(idle_ms=18_000, ping='{"op":"ping"}', steady=True)

    # --- Get Kline ----------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        settle = symbol.partition(":")[2]
        fits = {"spot": not settle, "linear": settle in ("", symbol.quote), "inverse": settle in ("", symbol.base)}
        if not symbol.quote or not re.fullmatch(r"[A-Z0-9]+", symbol.base) or not fits[self.category]:
            raise reading.unknown_symbol(self, symbol)
        perpetual = self.category == "linear" and symbol.quote == "USDC"
        return symbol.base + ("PERP" if perpetual else symbol.quote)

    def readings(self, native: str) -> Iterable[str]:
        perpetual = native.endswith("PERP")
        return (f"{native.removesuffix('PERP')}/USDC",) if perpetual else super().readings(native)

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"category": self.category, "symbol": self.native_symbol(symbol)}
        params |= {"interval": self._native_timeframe(timeframe), "start": span.start, "end": span.end - 1}  # inclusive
        return HttpRequest("/v5/market/kline", params | {"limit": self.limits.bars_per_request})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        found: list[_Row] = reading.inside(list[_Row], response.body, "result", "list")
        return reading.ascending(row.bar(row.time) for row in found)  # newest first here

    def check(self, response: HttpResponse) -> None:
        code, words = reading.said(response.body, "retCode", "retMsg")
        if response.status != 200 or code != "0":
            raise reading.refusal(self, response, f"{code} {words}", wait=_BAN_S if response.status == 403 else 0.0)

    # --- kline.{interval}.{symbol}, publicTrade.{symbol} --------------------------------------------------------------

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        return {"req_id": str(request), "op": action, "args": channels}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.read(_Frame, frame)
        kind, _, rest = message.topic.partition(".")
        if kind == "kline":
            interval = rest.partition(".")[0]
            bars: list[_Kline] = reading.lenient(list[_Kline], message.data)
            if any(bar.interval != interval for bar in bars):
                raise reading.schema(f"A bar of another timeframe came as {message.topic[:60]!r}.")
            return [self.bar_update(message.topic, interval, k.bar(k.start), k.confirm, message.ts) for k in bars]
        if kind == "publicTrade":
            trades: list[_Trade] = reading.lenient(list[_Trade], message.data)
            return (reading.traded(message.topic, [Trade(t.T, t.p, t.v) for t in trades], message.ts),)
        alive = reading.alive(message.topic, message.data)
        return (alive if message.topic else _answer(message),)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Row(rows.Row):
    turnover: float


class _Kline(rows.Named):
    start: Count
    interval: str
    confirm: bool


class _Trade(msgspec.Struct, gc=False):
    T: Count
    v: float
    p: float


class _Frame(msgspec.Struct):
    topic: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    ts: Count = 0
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


def _answer(message: _Frame) -> Event:
    """Answers to control messages. Some refusals have no number; the topic is in their words."""
    if message.op != "subscribe" or message.success is None:
        return base.Alive()
    request = reading.number(message.req_id)
    if message.success:
        return base.Accepted(request)
    # One bad topic fails the whole request: only those that are named are refused, the others are asked for again.
    named = tuple(re.findall(r"(?:kline\.\w+|publicTrade)\.\w+", message.ret_msg))
    return base.Rejected(message.ret_msg[:200], request, named, fatal=bool(named))
