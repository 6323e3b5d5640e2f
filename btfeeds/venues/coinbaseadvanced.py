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
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading, rows
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
    spelling = "{base}-{quote}"
    says = ("error", "message", "error_details")
    problems = {**reading.CROWDED, "^404 NOT_FOUND ": "symbol"}
    assets = ("crypto",)
    free = "everything, without a key"
    docs = "https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis"
    closing = base.ClosingRule.FLAG
    streams = {_CANDLE: "candles"}
    bars_channel = "candles:{symbol}"
    trades_channel = "market_trades:{symbol}"
    one_kind = True
    heartbeat = base.Heartbeat(idle_ms=10_000)  # one a second, which is subscribed first

    # --- Get Public Product Candles -----------------------------------------------------------------------------------

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"granularity": self._native_timeframe(timeframe)}
        params |= {"start": span.start // 1000, "end": timeframe.floor(span.end - 1) // 1000}  # inclusive
        path = f"/api/v3/brokerage/market/products/{self.native_symbol(symbol)}/candles"
        return HttpRequest(path, params, {"Cache-Control": "no-cache"})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        candles: list[_Candle] = reading.inside(list[_Candle], response.body, "candles")
        return reading.ascending(row.bar(row.start * 1000) for row in candles)

    # --- Candles Channel, Market Trades Channel -----------------------------------------------------------------------

    def login(self) -> list[str]:
        # Without them most channels are closed after a minute or so without trades.
        return [reading.text({"type": "subscribe", "channel": "heartbeats"})]

    def streamed_symbol(self, symbol: Symbol) -> str:
        # What is quoted in USDC is one book with USD, and streams under that name.
        return re.sub("-USDC$", "-USD", self.native_symbol(symbol))

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        products = [name.partition(":")[2] for name in channels]
        return {"type": action, "product_ids": products, "channel": channels[0].partition(":")[0]}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.read(_Frame, frame)
        if message.channel == "candles":
            time = reading.instant(message.timestamp)
            candles = [row for event in reading.lenient(list[_CandleEvent], message.events) for row in event.candles]
            return [self._candle(row, time) for row in sorted(candles, key=lambda row: row.start)]
        if message.channel == "market_trades":
            events = reading.lenient(list[_TradeEvent], message.events)
            trades = (row for event in events for row in event.trades)  # a snapshot comes newest first
            return reading.traded_apart((f"market_trades:{row.product_id}", row.trade()) for row in trades)
        if message.channel == "subscriptions":
            # It lists everything that is subscribed now.
            said = [event.subscriptions for event in reading.read(list[_SubscriptionEvent], message.events)]
            names = [f"{kind}:{name}" for kinds in said for kind, products in kinds.items() for name in products]
            return (base.Accepted(channels=tuple(names)),)
        if message.type == "error":
            # It does not say what it is about: what stays unconfirmed is asked for again.
            return (base.Rejected(message.message[:200]),)
        return (reading.alive(message.channel, message.events),)

    def _candle(self, row: _ProductCandle, time: int) -> Event:
        bar, channel = row.bar(row.start * 1000), f"candles:{row.product_id}"
        return self.bar_update(channel, "candles", bar, time >= _CANDLE.close(bar.open_time) + _EVERY_MS, time)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Candle(rows.Named):
    start: Count


class _ProductCandle(_Candle):
    product_id: str


class _Match(rows.Match):
    product_id: str


class _Frame(msgspec.Struct):
    channel: str = ""
    timestamp: str = ""
    events: msgspec.Raw = msgspec.Raw(b"{}")
    type: str = ""
    message: str = ""


class _CandleEvent(msgspec.Struct):
    candles: list[_ProductCandle]


class _TradeEvent(msgspec.Struct):
    trades: list[_Match]


class _SubscriptionEvent(msgspec.Struct):
    subscriptions: dict[str, list[str]]
