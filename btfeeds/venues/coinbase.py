"""Coinbase Exchange. It streams no bars: they are made of its matches here, in exchange time.

Numbers of trades are contiguous for each product, and a heartbeat a second says which was the last, so that a lost
match is noticed. Candles of history may lag behind by a minute, come newest first, have no row for a time without
trades, and give the low before the high and the open.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproductcandles
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar

import msgspec

from btfeeds import errors
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade, iso
from btfeeds.venues import base, reading
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue


class Coinbase(Venue):
    """Coinbase Exchange's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "coinbase": Host("Coinbase", "https://api.exchange.coinbase.com", "wss://ws-feed.exchange.coinbase.com"),
        "coinbasesandbox": Host(
            "Coinbase sandbox",
            "https://api-public.sandbox.exchange.coinbase.com",
            "wss://ws-feed-public.sandbox.exchange.coinbase.com",
        ),
    }
    timeframes = reading.timeframes("1m=60 5m=300 15m=900 1h=3600 6h=21600 1d=86400")
    # 10 requests a second for an address, of which we allow ourselves half; 8 connects a second.
    limits = Limits(300, 300, streams_per_connection=100, streams_per_message=50, requests_per_second=5.0)

    paging = base.Paging.WINDOW  # more than 300 are refused
    lag_ms = 60_000
    assets = ("crypto",)
    free = "everything, without a key"
    docs = "https://docs.cdp.coinbase.com/exchange"
    closing = base.ClosingRule.FROM_TRADES
    heartbeat = base.Heartbeat(idle_ms=10_000)  # there is one a second for each product

    # --- Get product candles ------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol or not symbol.quote or not re.fullmatch(r"[A-Z0-9]+", symbol.base):
            raise reading.unknown_symbol(self, symbol)
        return symbol.replace("/", "-")

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"granularity": self._native_timeframe(timeframe)}
        params |= {"start": iso(span.start), "end": iso(timeframe.floor(span.end - 1))}  # inclusive
        return HttpRequest(f"/products/{self.native_symbol(symbol)}/candles", params)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        rows: list[_Row] = reading.decode(_rows, response.body)
        return [Bar(time * 1000, o, high, low, c, volume) for time, low, high, o, c, volume in sorted(rows)]

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and response.body.lstrip()[:1] == b"[":
            return
        try:
            said = reading.decode(_problems, response.body).message[:200]
        except errors.BadFrame:
            said = ""
        kind = "symbol" if response.status == 404 and said else "timeframe" if said == "Unsupported granularity" else ""
        if response.status == 403:
            kind = "region" if re.search(r"country|region", reading.plain(response.body)) else "rate"
        raise reading.refusal(self, response, said and f"{response.status} {said}", kind)

    # --- Matches, Heartbeat -------------------------------------------------------------------------------------------

    @property
    def streamed(self) -> Mapping[Timeframe, str]:
        return {}

    def endpoint(self, channels: Sequence[str], ticket: HttpResponse | None = None) -> str:
        return self.stream_url

    def channel(self, subscription: Subscription) -> str:
        timeframe = subscription.timeframe
        if timeframe.unit in "dwM" and timeframe not in self.timeframes:
            raise reading.too_long(self, timeframe)
        return f"matches:{self.native_symbol(subscription.symbol)}"

    def subscribe(self, channels: Sequence[str], request: int) -> list[str]:
        return self._control("subscribe", channels)

    def unsubscribe(self, channels: Sequence[str], request: int) -> list[str]:
        return self._control("unsubscribe", channels)

    def _control(self, method: str, channels: Sequence[str]) -> list[str]:
        return [
            reading.text({
                "type": method,
                "product_ids": [channel.partition(":")[2] for channel in part],
                "channels": ["matches", "heartbeat"],
            })
            for part in reading.messages(channels, self.limits.streams_per_message)
        ]  # fmt: skip

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        kind = reading.decode(_kinds, frame).type
        if kind in ("match", "last_match"):
            match: _Match = reading.decode(_matches, frame)
            channel = f"matches:{match.product_id}"
            trade = Trade(reading.instant(match.time), match.price, match.size, match.trade_id)
            return (base.TradeUpdate(channel, (reading.checked_trade(trade, channel),)),)
        if kind == "heartbeat":
            beat: _Beat = reading.decode(_beats, frame)
            return (base.TradesSeen(f"matches:{beat.product_id}", beat.last_trade_id),)
        if kind == "subscriptions":
            # It lists everything that is subscribed now.
            said: _Subscriptions = reading.decode(_subscriptions, frame)
            matches = [name for channel in said.channels if channel.name == "matches" for name in channel.product_ids]
            return (base.Accepted(channels=tuple(f"matches:{name}" for name in matches)),)
        if kind == "error":
            # One bad product fails the whole message: only those that are named are refused, the others asked again.
            problem: _Problem = reading.decode(_problems, frame)
            named = tuple(f"matches:{name}" for name in re.findall(r"\b[A-Z0-9]+-[A-Z0-9]+\b", problem.reason))
            said_so = f"{problem.message} {problem.reason}".strip()[:200]
            return (base.Rejected(said_so, None, named, fatal=bool(named) and "not a valid product" in problem.reason),)
        return (base.Alive(),)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
_Row = tuple[_Count, float, float, float, float, float]  # time, low, high, open, close, volume


class _Kind(msgspec.Struct):
    type: str = ""


class _Match(msgspec.Struct, gc=False):
    trade_id: _Count
    size: float
    price: float
    product_id: str
    time: str


class _Beat(msgspec.Struct, gc=False):
    last_trade_id: _Count
    product_id: str


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class _Subscriptions(msgspec.Struct):
    channels: list[_Channel]


class _Problem(msgspec.Struct):
    message: str = ""
    reason: str = ""


_rows = msgspec.json.Decoder(list[_Row], strict=False)
_kinds = msgspec.json.Decoder(_Kind)
_matches = msgspec.json.Decoder(_Match, strict=False)
_beats = msgspec.json.Decoder(_Beat, strict=False)
_subscriptions = msgspec.json.Decoder(_Subscriptions)
_problems = msgspec.json.Decoder(_Problem)
