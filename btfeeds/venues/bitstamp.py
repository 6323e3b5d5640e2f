"""Bitstamp. It streams trades only, so that live bars are made of them; history has bars.

https://www.bitstamp.net/websocket/v2/
https://www.bitstamp.net/api/#tag/Market-info/operation/GetOHLCData
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count, Seconds

# The steps in seconds. Bars of 3 days are listed too; where they open is not documented, so they are left out.
_TIMEFRAMES = "1m=60 3m=180 5m=300 15m=900 30m=1800 1h=3600 2h=7200 4h=14400 6h=21600 12h=43200 1d=86400"
_TRADES = "live_trades_"


class Bitstamp(Venue):
    """Bitstamp's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "bitstamp": Host("Bitstamp", "https://www.bitstamp.net", "wss://ws.bitstamp.net"),
    }
    timeframes = reading.timeframes(_TIMEFRAMES)
    # 10,000 requests in 10 minutes, of which we allow ourselves a third; connections live for 90 days.
    limits = Limits(1000, 300, streams_per_message=1, connection_life_ms=90 * 86_400_000)

    paging = base.Paging.WINDOW  # which rows come when there are more than the limit is not documented
    assets = ("crypto",)
    free = "everything, without a key"
    docs = "https://www.bitstamp.net/api/"
    closing = base.ClosingRule.FROM_TRADES
    trades_channel = "live_trades_{symbol}"
    counts_trades = False  # numbers are of all pairs together
    settles_ms = 1_000
    heartbeat = base.Heartbeat(ping='{"event":"bts:heartbeat"}')

    # --- OHLC data ----------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol or not re.fullmatch(r"[A-Z0-9]+/[A-Z0-9]+", symbol):
            raise reading.unknown_symbol(self, symbol)
        return (symbol.base + symbol.quote).lower()

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        # Whether the bar that opens at a bound is in the answer is not documented: a second before it tells nothing.
        params: dict[str, str | int] = {"step": self._native_timeframe(timeframe)}
        params |= {"limit": self.limits.bars_per_request, "start": span.start // 1000 - 1}
        return HttpRequest(f"/api/v2/ohlc/{self.native_symbol(symbol)}/", params | {"end": (span.end - 1) // 1000})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        rows: list[_Row] = reading.lenient(_Answer, response.body).data.ohlc
        bars = [Bar(row.timestamp * 1000, row.open, row.high, row.low, row.close, row.volume) for row in rows]
        return sorted(bars, key=lambda bar: bar.open_time)

    def check(self, response: HttpResponse) -> None:
        said: _Problem = reading.attempt(_Problem, response.body)
        if response.status == 200 and said.data is not msgspec.UNSET and not said.code:
            return
        kind = "rate" if said.code == "400.002" or "rate limit" in said.reason.lower() else ""
        if response.status == 404:
            kind = "symbol"
        raise reading.refusal(self, response, f"{said.code} {said.reason[:200]}".strip(), kind)

    # --- Live ticker --------------------------------------------------------------------------------------------------

    def control(self, action: str, channels: Sequence[str], request: int) -> list[str]:
        return [reading.text({"event": f"bts:{action}", "data": {"channel": name}}) for name in channels]

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.read(_Frame, frame)
        if message.event == "trade" and message.channel.startswith(_TRADES):
            row: _Trade = reading.lenient(_Trade, message.data)
            trade = Trade(row.microtimestamp // 1000, row.price, row.amount, row.id)
            trades = (reading.checked_trade(trade, message.channel),)
            return (base.TradeUpdate(message.channel, trades, trade.time),)
        if message.event == "trade" or (message.channel.startswith(_TRADES) and not message.event):
            raise reading.schema("A trade came without its channel or its event.")
        if message.event == "bts:subscription_succeeded":
            return (base.Accepted(None, (message.channel,)),)
        if message.event == "bts:request_reconnect":
            return (base.Leaving("it asks to reconnect"),)
        if message.event == "bts:error":
            words = bytes(message.data).decode("utf-8", "replace")[:200]
            channels = (message.channel,) if message.channel else ()
            return (base.Rejected(words, None, channels, fatal="channel" in words.lower()),)
        return (base.Alive(),)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Row(msgspec.Struct, gc=False):
    timestamp: Seconds
    open: float
    high: float
    low: float
    close: float
    volume: float


class _Ohlc(msgspec.Struct):
    ohlc: list[_Row]


class _Answer(msgspec.Struct):
    data: _Ohlc


class _Problem(msgspec.Struct):
    code: str = ""
    reason: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Trade(msgspec.Struct, gc=False):
    id: Count
    microtimestamp: Count
    amount: float
    price: float


class _Frame(msgspec.Struct):
    event: str = ""
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
