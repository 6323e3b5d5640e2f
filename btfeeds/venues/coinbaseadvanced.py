"""Coinbase Advanced Trade: bars of 5 minutes from its candles, all others made of its trades, in exchange time.

A candle has no flag and is sent once a second, so the last one before a later one begins may lack a second: it counts
as closed when a frame shows it a second behind its end, and else history is asked. Numbers of trades are contiguous for
each product. History comes newest first and has no row for a time without trades.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public/get-public-product-candles
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_CANDLE = Timeframe.parse("5m")
_EVERY_MS = 1_000  # candles are sent so often
_TIMEFRAMES = (
    "1m=ONE_MINUTE 5m=FIVE_MINUTE 15m=FIFTEEN_MINUTE 30m=THIRTY_MINUTE "
    "1h=ONE_HOUR 2h=TWO_HOUR 4h=FOUR_HOUR 6h=SIX_HOUR 1d=ONE_DAY"
)


class CoinbaseAdvanced(Venue):
    """Advanced Trade's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "coinbaseadvanced": Host(
            "Coinbase Advanced Trade", "https://api.coinbase.com", "wss://advanced-trade-ws.coinbase.com"
        )
    }
    timeframes = reading.timeframes(_TIMEFRAMES)
    # 350 buckets, counted differently at different times; 10 requests a second, of which we allow ourselves half;
    # 8 messages a second.
    limits = Limits(300, 300, streams_per_connection=100, streams_per_message=50, requests_per_second=5.0)

    paging = base.Paging.WINDOW
    assets = ("crypto",)
    free = "everything, without a key"
    docs = "https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis"
    closing = base.ClosingRule.FLAG
    streams = {_CANDLE: "candles"}
    bars_channel, trades_channel = "candles:{symbol}", "market_trades:{symbol}"
    heartbeat = base.Heartbeat(idle_ms=10_000)  # one a second, which is subscribed first

    # --- Get Public Product Candles -----------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol or not symbol.quote or not re.fullmatch(r"[A-Z0-9]+", symbol.base):
            raise reading.unknown_symbol(self, symbol)
        return symbol.replace("/", "-")

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"granularity": self._native_timeframe(timeframe)}
        params |= {"start": span.start // 1000, "end": timeframe.floor(span.end - 1) // 1000}  # inclusive
        path = f"/api/v3/brokerage/market/products/{self.native_symbol(symbol)}/candles"
        return HttpRequest(path, params, {"Cache-Control": "no-cache"})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        rows: list[_Candle] = reading.lenient(_Answer, response.body).candles
        return [_bar(row) for row in sorted(rows, key=lambda row: row.start)]

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and response.body.lstrip()[:1] == b"{":
            return
        problem: _Problem = reading.attempt(_Problem, response.body)
        said = f"{problem.error} {problem.message or problem.error_details}".strip()[:200]
        kind = "symbol" if response.status == 404 and problem.error == "NOT_FOUND" else ""
        if response.status == 403:
            kind = "region" if re.search(r"country|region", reading.plain(response.body)) else "rate"
        raise reading.refusal(self, response, said and f"{response.status} {said}", kind)

    # --- Candles Channel, Market Trades Channel -----------------------------------------------------------------------

    def login(self) -> list[str]:
        # Without them most channels are closed after a minute or so without trades.
        return [reading.text({"type": "subscribe", "channel": "heartbeats"})]

    def channel(self, subscription: Subscription) -> str:
        # What is quoted in USDC is one book with USD, and streams under that name.
        return re.sub("-USDC$", "-USD", super().channel(subscription))

    def control(self, method: str, channels: Sequence[str], request: int) -> list[str]:
        """A message for each kind of channel."""
        return [
            reading.text({"type": method, "product_ids": [name.partition(":")[2] for name in part], "channel": kind})
            for kind, group in groupby(sorted(channels), key=lambda channel: channel.partition(":")[0])
            for part in reading.messages(list(group), self.limits.streams_per_message)
        ]

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.read(_Frame, frame)
        if message.channel == "candles":
            time = reading.instant(message.timestamp)
            rows = [row for event in reading.lenient(list[_CandleEvent], message.events) for row in event.candles]
            rows.sort(key=lambda row: row.start)
            return [_update(row, time) for row in rows]
        if message.channel == "market_trades":
            events = reading.lenient(list[_TradeEvent], message.events)
            trades = sorted((row for event in events for row in event.trades), key=lambda row: row.trade_id)
            products = dict.fromkeys(row.product_id for row in trades)  # a snapshot comes newest first
            return [_traded(name, [row for row in trades if row.product_id == name]) for name in products]
        if message.channel == "subscriptions":
            # It lists everything that is subscribed now.
            said = [event.subscriptions for event in reading.read(list[_SubscriptionEvent], message.events)]
            names = [f"{kind}:{name}" for kinds in said for kind, products in kinds.items() for name in products]
            return (base.Accepted(channels=tuple(names)),)
        if message.type == "error":
            # It does not say what it is about: what stays unconfirmed is asked for again.
            return (base.Rejected(message.message[:200]),)
        if not message.channel and bytes(message.events)[:1] == b"[":
            raise reading.schema("Data came without a channel.")
        return (base.Alive(),)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Candle(msgspec.Struct, gc=False):
    start: Count
    low: float
    high: float
    open: float
    close: float
    volume: float


class _ProductCandle(_Candle):
    product_id: str


class _Trade(msgspec.Struct, gc=False):
    trade_id: Count
    product_id: str
    price: float
    size: float
    time: str


class _Answer(msgspec.Struct):
    candles: list[_Candle]


class _Problem(msgspec.Struct):
    error: str = ""
    message: str = ""
    error_details: str = ""


class _Frame(msgspec.Struct):
    channel: str = ""
    timestamp: str = ""
    events: msgspec.Raw = msgspec.Raw(b"{}")
    type: str = ""
    message: str = ""


class _CandleEvent(msgspec.Struct):
    candles: list[_ProductCandle]


class _TradeEvent(msgspec.Struct):
    trades: list[_Trade]


class _SubscriptionEvent(msgspec.Struct):
    subscriptions: dict[str, list[str]]


def _bar(row: _Candle) -> Bar:
    return Bar(row.start * 1000, row.open, row.high, row.low, row.close, row.volume)


def _update(row: _ProductCandle, time: int) -> Event:
    channel = f"candles:{row.product_id}"
    bar = reading.checked(_bar(row), _CANDLE, channel)
    return base.BarUpdate(channel, bar, time >= _CANDLE.close(bar.open_time) + _EVERY_MS, time)


def _traded(product: str, rows: list[_Trade]) -> Event:
    channel = f"market_trades:{product}"
    made = (Trade(reading.instant(row.time), row.price, row.size, row.trade_id) for row in rows)
    return base.TradeUpdate(channel, tuple(reading.checked_trade(trade, channel) for trade in made))
