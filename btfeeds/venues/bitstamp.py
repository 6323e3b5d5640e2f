"""Bitstamp. It streams trades only, so that live bars are made of them; history has bars.

https://www.bitstamp.net/websocket/v2/
https://www.bitstamp.net/api/#tag/Market-info/operation/GetOHLCData
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading, rows
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
    problems = {"^404 ": "symbol", " 400.002 |(?i:rate limit)": "rate"}
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
        return super().native_symbol(symbol).lower()

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        # Whether the bar that opens at a bound is in the answer is not documented: a second before it tells nothing.
        params: dict[str, str | int] = {"step": self._native_timeframe(timeframe)}
        params |= {"limit": self.limits.bars_per_request, "start": span.start // 1000 - 1}
        return HttpRequest(f"/api/v2/ohlc/{self.native_symbol(symbol)}/", params | {"end": (span.end - 1) // 1000})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        found: list[_Row] = reading.inside(list[_Row], response.body, "data", "ohlc")
        return reading.ascending(row.bar(row.timestamp * 1000) for row in found)

    def check(self, response: HttpResponse) -> None:
        said: _Problem = reading.attempt(_Problem, response.body)
        if response.status == 200 and said.data is not msgspec.UNSET and not said.code:
            return
        raise reading.refusal(self, response, f"{said.code} {said.reason}")

    # --- Live ticker --------------------------------------------------------------------------------------------------

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        return {"event": f"bts:{action}", "data": {"channel": channels[0]}}  # one channel a message

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.read(_Frame, frame)
        if message.event == "trade" and message.channel.startswith(_TRADES):
            row: _Trade = reading.lenient(_Trade, message.data)
            trade = Trade(row.microtimestamp // 1000, row.price, row.amount, row.id)
            return (reading.traded(message.channel, [trade], trade.time),)
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


class _Row(rows.Named):
    timestamp: Seconds


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
