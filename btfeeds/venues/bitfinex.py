"""Bitfinex v2. Frames carry the number that the confirmation gave to a channel, and nothing else that names it.

A bar has no flag: it is final when a row of a later one comes, and the one before may be sent once more. Rows are open,
CLOSE, HIGH, LOW; a subscription begins with a snapshot, newest first. A bar without trades has no row. Rows may grow.

https://docs.bitfinex.com/reference/ws-public-candles
https://docs.bitfinex.com/reference/ws-public-trades
https://docs.bitfinex.com/reference/rest-public-candles
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import BarUpdate, Event, Host, HttpRequest, HttpResponse, Limits, TradeUpdate, Venue

_CANDLE = 6  # columns at least; trades have fewer
_MINUTE = Timeframe.parse("1m")
_NAMES = {"USDT": "UST", "USDC": "UDC"}
_LEAVING = {"20051": "restart", "20061": "the end of a maintenance"}  # subscriptions do not outlive either


class Bitfinex(Venue):
    """Bitfinex' dialect. An alias is the number of a channel ("343351")."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "bitfinex": Host("Bitfinex", "https://api-pub.bitfinex.com", "wss://api-pub.bitfinex.com"),
    }
    # Bars of 7 and 14 days are listed too; where they open is not documented, so they are left out.
    timeframes = reading.timeframes("1m 5m 15m 30m 1h 3h 6h 12h 1d=1D 1M")
    # 30 requests for candles a minute; 25 channels a connection; 20 connections a minute, of which we take a quarter.
    limits = Limits(10_000, 30, 25, messages_per_second=5.0, streams_per_message=1, connects_per_5_minutes=25)

    problems = {"(symbol|key): invalid": "symbol", " 10020 ": "request"}
    problems |= {" 10100 ": "key", " 11010 ": "rate", " 20060 ": "down"}
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
        super().native_symbol(symbol)  # raises UnknownSymbol
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
        return reading.ascending(row.bar(row.time) for row in reading.read(list[rows.CloseRow], response.body))

    def check(self, response: HttpResponse) -> None:
        said: list[Any] = reading.attempt(list[Any], response.body)
        if response.status != 200 or response.body.lstrip()[:1] != b"[" or said[:1] == ["error"]:
            raise reading.refusal(self, response, " ".join(map(str, said[1:3])))  # ["error", code, words]

    # --- candles, trades ----------------------------------------------------------------------------------------------

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        [name] = channels  # one a message: "trade:1m:tBTCUSD" is the key of candles, "trades:tBTCUSD" has a symbol
        if name.startswith("trades:"):
            return {"event": action, "channel": "trades", "symbol": name.removeprefix("trades:")}
        return {"event": action, "channel": "candles", "key": name}

    def unsubscribe(self, channels: Sequence[str], request: int) -> list[str]:
        # one that has no number yet is not subscribed
        return [reading.text({"event": "unsubscribe", "chanId": int(n)}) for n in channels if n.isdigit()]

    def resolved(self, event: BarUpdate | TradeUpdate, channel: str) -> BarUpdate | TradeUpdate:
        native = channel.split(":")[1]
        if isinstance(event, BarUpdate):
            return self.bar_update(channel, native, event.bar, event.closed, event.time)
        if native in self._streaming:
            raise reading.schema(f"{channel} brought something else.")
        return super().resolved(event, channel)

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message = reading.read(Any, frame)
        if isinstance(message, dict):
            return (_told(frame),)
        # [number, rows] or [number, row] or [number, "te", trade]; a sequence number may follow
        if not isinstance(message, list) or len(message) < 2 or type(message[0]) is not int or message[0] <= 0:
            raise reading.schema("It is no message of a channel.")
        channel, what = str(message[0]), message[1]
        if what == "te" and len(message) > 2:  # "tu" says the same once more
            return (_traded(channel, [message[2]]),)
        if isinstance(what, str) or what == []:
            return (base.Alive(),)
        one = isinstance(what, list) and not isinstance(what[0], list)
        if not isinstance(what, list) or (one and len(what) < _CANDLE):  # a trade alone comes with its "te"
            raise reading.schema("It is no message of a channel.")
        return _data(channel, [what] if one else what)


# --- what answers hold ------------------------------------------------------------------------------------------------


def _told(frame: bytes | str) -> Event:
    """Greetings, confirmations, refusals, announcements."""
    event, code, key, symbol, number, words = reading.said(frame, "event", "code", "key", "symbol", "chanId", "msg")
    channel = key or (f"trades:{symbol}" if symbol else "")
    if event == "subscribed" and channel and number.isdigit():
        return base.Accepted(None, (channel,), alias=number)
    if event == "error":
        named = (channel,) if channel else ()
        return base.Rejected(f"{words[:200]} (code {code})", None, named, fatal="invalid" in words)
    if event == "info" and code in _LEAVING:
        return base.Leaving(_LEAVING[code])
    return base.Alive()


def _data(channel: str, data: list[Any]) -> Iterable[Event]:
    if len(data[0]) < _CANDLE:
        return (_traded(channel, data),)
    bars = reading.ascending(row.bar(row.time) for row in reading.converted(list[rows.CloseRow], data))
    return [BarUpdate(channel, reading.checked(bar, _MINUTE, channel), False) for bar in bars]


def _traded(channel: str, data: list[Any]) -> TradeUpdate:
    trades: list[rows.TradeRow] = reading.converted(list[rows.TradeRow], data)
    return reading.traded(channel, [row.trade() for row in trades])
