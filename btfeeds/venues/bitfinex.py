"""Bitfinex v2. Frames carry the number that the confirmation gave to a channel, and nothing else that names it.

A bar has no flag: it is final when a row of a later one comes, and the one before may be sent once more. Rows are open,
CLOSE, HIGH, LOW; a subscription begins with a snapshot, newest first. A bar without trades has no row. Rows may grow.

https://docs.bitfinex.com/reference/ws-public-candles
https://docs.bitfinex.com/reference/ws-public-trades
https://docs.bitfinex.com/reference/rest-public-candles
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from btfeeds import errors
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading
from btfeeds.venues.base import BarUpdate, Event, Host, HttpRequest, HttpResponse, Limits, TradeUpdate, Venue
from btfeeds.venues.reading import Count

# Bars of 14 days are listed too; where they open is not documented, so they are left out.
_TIMEFRAMES = "1m 5m 15m 30m 1h 3h 6h 12h 1d=1D 1w=1W 1M"
_MINUTE = Timeframe.parse("1m")
_NAMES = {"USDT": "UST", "USDC": "UDC"}
_LEAVING = {20051: "restart", 20061: "the end of a maintenance"}  # subscriptions do not outlive either
_CODES = {10020: "request", 10100: "key", 11010: "rate", 20060: "down"}  # REST


class Bitfinex(Venue):
    """Bitfinex' dialect. An alias is the number of a channel ("343351")."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "bitfinex": Host("Bitfinex", "https://api-pub.bitfinex.com", "wss://api-pub.bitfinex.com"),
    }
    timeframes = reading.timeframes(_TIMEFRAMES)
    # 30 requests for candles a minute; 25 channels a connection; 20 connections a minute, of which we take a quarter.
    limits = Limits(10_000, 30, 25, messages_per_second=5.0, streams_per_message=1, connects_per_5_minutes=25)

    paging = base.Paging.FORWARD  # with sort=1 the oldest first
    assets = ("crypto",)
    free = "everything, without a key"
    docs = "https://docs.bitfinex.com"
    stream_path = "/ws/2"
    closing = base.ClosingRule.ROLL_OVER
    bars_channel = "trade:{timeframe}:{symbol}"
    trades_channel = "trades:{symbol}"
    aliases = True
    counts_trades = False  # numbers are of all symbols together
    settles_ms = 2_000  # `?`: the row of the bar before comes once more behind the first row of a new one
    heartbeat = base.Heartbeat(idle_ms=20_000, ping='{"event":"ping","cid":1}')  # each channel has an "hb" every 15 s

    # --- Candles ------------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol or not symbol.quote or not re.fullmatch(r"[A-Z0-9]+", symbol.base):
            raise reading.unknown_symbol(self, symbol)
        names = [_NAMES.get(name, name) for name in (symbol.base, symbol.quote)]
        return "t" + (":" if any(len(name) > 3 for name in names) else "").join(names)

    def readings(self, native: str) -> Iterable[str]:
        pair = native.removeprefix("t")
        names = pair.split(":") if ":" in pair else (pair[:3], pair[3:])
        ours = {theirs: name for name, theirs in _NAMES.items()}
        return ("/".join(ours.get(name, name) for name in names),)

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        path = f"/v2/candles/trade:{self._native_timeframe(timeframe)}:{self.native_symbol(symbol)}/hist"
        params: dict[str, str | int] = {"start": span.start, "end": span.end - 1}  # inclusive here
        return HttpRequest(path, params | {"limit": self.limits.bars_per_request, "sort": 1})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        return sorted(map(_bar, reading.read(list[_Row], response.body)), key=lambda bar: bar.open_time)

    def check(self, response: HttpResponse) -> None:
        try:
            said: list[Any] = reading.read(list[Any], response.body)
        except errors.BadFrame:
            said = ["", 0, ""]
        if response.status == 200 and (not said or isinstance(said[0], list)):
            return
        code, words = (said[1], str(said[2])[:200]) if said[:1] == ["error"] and len(said) > 2 else (0, "")
        kind = _CODES.get(code, "") if isinstance(code, int) else ""
        if "symbol: invalid" in words or "key: invalid" in words:
            kind = "symbol"
        raise reading.refusal(self, response, f"{code} {words}" if words else "", kind)

    # --- candles, trades ----------------------------------------------------------------------------------------------

    def subscribe(self, channels: Sequence[str], request: int) -> list[str]:
        return [reading.text({"event": "subscribe", **_named(channel)}) for channel in channels]

    def unsubscribe(self, channels: Sequence[str], request: int) -> list[str]:
        # one that has no number yet is not subscribed
        return [reading.text({"event": "unsubscribe", "chanId": int(n)}) for n in channels if n.isdigit()]

    def resolved(self, event: BarUpdate | TradeUpdate, channel: str) -> BarUpdate | TradeUpdate:
        timeframe = _BY_NATIVE.get(channel.split(":")[1])
        if isinstance(event, BarUpdate) != (timeframe is not None):
            raise reading.schema(f"{channel} brought something else.")
        if isinstance(event, BarUpdate) and timeframe is not None:
            reading.checked(event.bar, timeframe, channel)
        return super().resolved(event, channel)

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message = reading.read(Any, frame)
        if isinstance(message, dict):
            return (_said(message),)
        # [number, rows] or [number, row] or [number, "te", trade]; a sequence number may follow
        if not isinstance(message, list) or len(message) < 2 or type(message[0]) is not int or message[0] <= 0:
            raise reading.schema("It is no message of a channel.")
        channel, what = str(message[0]), message[1]
        if what == "te" and len(message) > 2:  # "tu" says the same once more
            return (_trades(channel, [message[2]]),)
        if isinstance(what, str):
            return (base.Alive(),)
        one = isinstance(what, list) and what and not isinstance(what[0], list)
        if not isinstance(what, list) or (one and len(what) < _CANDLE):  # a trade alone comes with its "te"
            raise reading.schema("It is no message of a channel.")
        return _data(channel, [what] if one else what)


# --- what answers hold ------------------------------------------------------------------------------------------------

_BY_NATIVE = {native: timeframe for timeframe, native in Bitfinex.timeframes.items()}
_CANDLE = 6  # columns at least; trades have fewer


class _Row(msgspec.Struct, array_like=True, gc=False):
    time: Count
    open: float
    close: float
    high: float
    low: float
    volume: float


class _Trade(msgspec.Struct, array_like=True, gc=False):
    id: Count
    time: Count
    amount: float
    price: float


def _bar(row: _Row) -> Bar:
    return Bar(row.time, row.open, row.high, row.low, row.close, row.volume)


def _named(channel: str) -> dict[str, str]:
    """What a subscription names: "trade:1m:tBTCUSD" is the key of candles, "trades:tBTCUSD" has a symbol."""
    kind, _, symbol = channel.partition(":")
    return {"channel": "trades", "symbol": symbol} if kind == "trades" else {"channel": "candles", "key": channel}


def _said(message: dict[str, Any]) -> Event:
    """Greetings, confirmations, refusals, announcements."""
    event, code = message.get("event"), message.get("code")
    key, symbol = message.get("key"), message.get("symbol")
    channel = key if isinstance(key, str) else f"trades:{symbol}" if isinstance(symbol, str) else ""
    if event == "subscribed" and channel and type(message.get("chanId")) is int:
        return base.Accepted(None, (channel,), alias=str(message["chanId"]))
    if event == "error":
        words = str(message.get("msg", ""))[:200]
        return base.Rejected(f"{words} (code {code})", None, (channel,) if channel else (), fatal="invalid" in words)
    if event == "info" and type(code) is int and code in _LEAVING:
        return base.Leaving(_LEAVING[code])
    return base.Alive()


def _data(channel: str, rows: list[Any]) -> Iterable[Event]:
    if not rows:
        return (base.Alive(),)
    if not all(isinstance(row, list) for row in rows):
        raise reading.schema(f"The rows of channel {channel} are none.")
    if len(rows[0]) < _CANDLE:
        return (_trades(channel, rows),)
    bars = sorted(map(_bar, _converted(rows, list[_Row])), key=lambda bar: bar.open_time)
    return [BarUpdate(channel, reading.checked(bar, _MINUTE, channel), False) for bar in bars]


def _trades(channel: str, rows: list[Any]) -> TradeUpdate:
    trades = [Trade(row.time, row.price, abs(row.amount), row.id) for row in _converted(rows, list[_Trade])]
    trades.sort(key=lambda trade: trade.id)
    return TradeUpdate(channel, tuple(reading.checked_trade(trade, channel) for trade in trades))


def _converted(rows: list[Any], kind: Any) -> Any:
    try:
        return msgspec.convert(rows, kind)
    except msgspec.ValidationError as error:
        raise reading.unreadable(error) from None
