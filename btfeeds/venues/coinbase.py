"""Coinbase Exchange. It streams no bars: they are made of its matches here, in exchange time.

Numbers of trades are contiguous for each product, and a heartbeat a second says which was the last, so that a lost
match is noticed. Candles of history may lag behind by a minute, come newest first, have no row for a time without
trades, and give the low before the high and the open. Trades of history are asked for by number, newest first.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproductcandles
https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproducttrades
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade, iso
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_SANDBOX = "sandbox.exchange.coinbase.com"


class Coinbase(Venue):
    """Coinbase Exchange's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "coinbase": Host("Coinbase", "https://api.exchange.coinbase.com", "wss://ws-feed.exchange.coinbase.com"),
        "coinbasesandbox": Host("Coinbase sandbox", f"https://api-public.{_SANDBOX}", f"wss://ws-feed-public.{_SANDBOX}"),
    }
    timeframes = reading.timeframes("1m=60 5m=300 15m=900 1h=3600 6h=21600 1d=86400")
    # 10 requests a second for an address, of which we allow ourselves half; 8 connects a second.
    limits = Limits(300, 300, streams_per_connection=100, streams_per_message=50, requests_per_second=5.0)

    paging = base.Paging.WINDOW  # more than 300 are refused
    lag_ms = 60_000
    trades_back = True
    trades_window_ms = 6 * 3_600_000
    spelling = "{base}-{quote}"
    problems = {**reading.CROWDED, "Unsupported granularity": "timeframe"}
    assets = ("crypto",)
    free = "everything, without a key"
    docs = "https://docs.cdp.coinbase.com/exchange"
    closing = base.ClosingRule.FROM_TRADES
    trades_channel = "matches:{symbol}"
    heartbeat = base.Heartbeat(idle_ms=10_000)  # there is one a second for each product

    # --- Get product candles ------------------------------------------------------------------------------------------

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"granularity": self._native_timeframe(timeframe)}
        params |= {"start": iso(span.start), "end": iso(timeframe.floor(span.end - 1))}  # inclusive
        return HttpRequest(f"/products/{self.native_symbol(symbol)}/candles", params)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        found: list[_Row] = reading.lenient(list[_Row], response.body)
        return [Bar(time * 1000, o, high, low, c, volume) for time, low, high, o, c, volume in sorted(found)]

    def trades_request(self, symbol: Symbol, span: TimeRange, after: Trade | None = None) -> HttpRequest:
        older: dict[str, str | int] = {"after": after.id} if after else {}  # their "after" is behind it in the answer
        return HttpRequest(f"/products/{self.native_symbol(symbol)}/trades", older | {"limit": 1000})

    def parse_trades(self, response: HttpResponse) -> list[Trade]:
        matches: list[rows.Match] = reading.lenient(list[rows.Match], response.body)
        return reading.checked_trades(match.trade() for match in matches)

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and response.body.lstrip()[:1] == b"[":
            return
        [said] = reading.said(response.body, "message")
        raise reading.refusal(self, response, said, "symbol" if response.status == 404 and said else "")

    # --- Matches, Heartbeat -------------------------------------------------------------------------------------------

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        products = [name.partition(":")[2] for name in channels]
        return {"type": action, "product_ids": products, "channels": ["matches", "heartbeat"]}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        kind = reading.read(_Kind, frame).type
        if kind in ("match", "last_match"):
            match: _Match = reading.lenient(_Match, frame)
            return (reading.traded(f"matches:{match.product_id}", [match.trade()]),)
        if kind == "heartbeat":
            beat: _Beat = reading.lenient(_Beat, frame)
            time = reading.instant(beat.time) if beat.time else 0
            return (base.TradesSeen(f"matches:{beat.product_id}", beat.last_trade_id, time),)
        if kind == "subscriptions":
            # It lists everything that is subscribed now.
            said: _Subscriptions = reading.read(_Subscriptions, frame)
            matches = [name for channel in said.channels if channel.name == "matches" for name in channel.product_ids]
            return (base.Accepted(channels=tuple(f"matches:{name}" for name in matches)),)
        if kind == "error":
            # One bad product fails the whole message: only those that are named are refused, the others asked again.
            problem: _Problem = reading.read(_Problem, frame)
            named = tuple(f"matches:{name}" for name in re.findall(r"\b[A-Z0-9]+-[A-Z0-9]+\b", problem.reason))
            said_so = f"{problem.message} {problem.reason}".strip()[:200]
            return (base.Rejected(said_so, None, named, fatal=bool(named) and "not a valid product" in problem.reason),)
        return (base.Alive(),)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------

_Row = tuple[Count, float, float, float, float, float]  # time, low, high, open, close, volume


class _Kind(msgspec.Struct):
    type: str = ""


class _Match(rows.Match):
    product_id: str


class _Beat(msgspec.Struct, gc=False):
    last_trade_id: Count
    product_id: str
    time: str = ""


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class _Subscriptions(msgspec.Struct):
    channels: list[_Channel]


class _Problem(msgspec.Struct):
    message: str = ""
    reason: str = ""
