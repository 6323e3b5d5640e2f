"""Kraken spot: WebSocket v2 and the public REST.

A bar has no flag: it is final when a row of a later one comes, and in a minute without trades none comes. History has
flat rows for such minutes and reaches back 720 bars; what is older is made of trades, which REST gives from any
instant on. REST says no inside answers of HTTP 200, and knows bitcoin as XBT, the stream as BTC.

https://docs.kraken.com/api/docs/websocket-v2/ohlc
https://docs.kraken.com/api/docs/websocket-v2/trade
https://docs.kraken.com/api/docs/rest-api/get-ohlc-data
https://docs.kraken.com/api/docs/rest-api/get-recent-trades
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_REST_NAMES, _STREAM_NAMES = {"BTC": "XBT", "DOGE": "XDG"}, {"XBT": "BTC", "XDG": "DOGE"}
_ROUNDED_NS = 100_000  # rows have at least four decimals of a second, mostly seven
_PROBLEMS = {
    **reading.CROWDED,
    "^... EQuery:(Unknown|Invalid) asset": "symbol",
    "Too many requests|Rate limit|Throttled": "rate",
    "Temporary lockout": "ban",
    "^... EService|Internal error": "down",
    "^... EGeneral:Invalid arguments": "request",
}


class Kraken(Venue):
    """Kraken's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "kraken": Host("Kraken", "https://api.kraken.com", "wss://ws.kraken.com"),
        "krakenbeta": Host("Kraken beta", "https://api.kraken.com", "wss://beta-ws.kraken.com"),
    }
    # Bars of 7 and 15 days are listed too; where they open is not documented, so they are left out.
    timeframes = reading.timeframes("1m=1 5m=5 15m=15 30m=30 1h=60 4h=240 1d=1440")
    # About one public request a second. How much a connection carries is not documented; 150 connects in 10 minutes.
    limits = Limits(
        720,
        60,
        streams_per_connection=200,
        streams_per_message=50,
        messages_per_second=2.0,
        requests_per_second=1.0,
    )

    problems = _PROBLEMS
    asked_symbol = r"[?&]pair=(\w+)"
    paging = base.Paging.FORWARD
    omits_empty_bars = False
    bars_reach = 720
    trades_window_ms = 6 * 3_600_000
    assets = ("crypto",)
    depth = "720 bars; older ones are made of trades"
    free = "everything, without a key"
    docs = "https://docs.kraken.com/api/"
    stream_path = "/v2"
    closing = base.ClosingRule.ROLL_OVER
    bars_channel = "ohlc-{timeframe}:{symbol}"
    trades_channel = "trade:{symbol}"
    one_kind = True
    # It sends heartbeats where there is nothing else, and hangs up on who is idle for a minute; any request counts.
    heartbeat = base.Heartbeat(idle_ms=15_000, ping='{"method":"ping"}')

    # --- Get OHLC Data, Get Recent Trades -----------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol or not symbol.quote or not re.fullmatch(r"[A-Z0-9.]+", symbol.base):
            raise reading.unknown_symbol(self, symbol)
        return "/".join(_STREAM_NAMES.get(name, name) for name in (symbol.base, symbol.quote))

    def _pair(self, symbol: Symbol) -> str:
        """The symbol as REST has it: XBTUSD."""
        return "".join(_REST_NAMES.get(name, name) for name in self.native_symbol(symbol).split("/"))

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        # Whether the bar that opens at `since` belongs to the answer is not documented: a second before it does.
        since = timeframe.floor(span.start) // 1000 - 1
        interval = self._native_timeframe(timeframe)
        return HttpRequest("/0/public/OHLC", {"pair": self._pair(symbol), "interval": interval, "since": since})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        bars: list[_BarRow] = reading.lenient(list[_BarRow], _result(response))
        return [Bar(1000 * t, o, high, low, c, v, count) for t, o, high, low, c, _, v, count in sorted(bars)]

    def trades_request(self, symbol: Symbol, span: TimeRange, after: Trade | None = None) -> HttpRequest:
        # Behind that instant, in ns. A trade's own is known to the ms here: what follows a page, `next_page` tells.
        since = max(0, (span.start if after is None else after.time) * 1_000_000 - 1)
        return HttpRequest("/0/public/Trades", {"pair": self._pair(symbol), "since": since, "count": 1000})

    def next_page(self, request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
        """Behind a page of trades: the answer names the instant of the last one, which other trades may share."""
        if "count" not in request.params or not (trades := reading.lenient(list[_TradeRow], _result(response))):
            return None
        shown = int(trades[-1][2] * 1_000_000_000)
        said = bytes(reading.read(_Answer, response.body).result.get("last", b"")).strip(b'"')
        last = int(said) if said.isdigit() else 0
        since = (last if abs(last - shown) < _ROUNDED_NS else shown - 100) - 1
        return HttpRequest(request.path, {**request.params, "since": since})

    def parse_trades(self, response: HttpResponse) -> list[Trade]:
        trades: list[_TradeRow] = reading.lenient(list[_TradeRow], _result(response))
        made = (Trade(_ms(time), price, quantity, number) for price, quantity, time, _, _, _, number in trades)
        return reading.checked_trades(made)

    def check(self, response: HttpResponse) -> None:
        said = reading.attempt(_Answer, response.body).error
        if response.status != 200 or said != []:
            raise reading.refusal(self, response, "; ".join(said or ()))

    # --- Candles (OHLC), Trades ---------------------------------------------------------------------------------------

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        # kinds of channels: an interval, or trades
        name, _, interval = channels[0].partition(":")[0].partition("-")
        params: dict[str, object] = {"channel": name, "symbol": [channel.partition(":")[2] for channel in channels]}
        params |= {"interval": int(interval)} if interval else {}
        return {"method": action, "params": params, "req_id": request}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.read(_Frame, frame)
        if message.channel == "ohlc":
            time = reading.instant(message.timestamp) if message.timestamp else 0
            return [self._bar(row, time) for row in reading.lenient(list[_Ohlc], message.data)]
        if message.channel == "trade":
            trades: list[_Traded] = reading.lenient(list[_Traded], message.data)
            return reading.traded_apart((f"trade:{row.symbol}", row.trade()) for row in trades)
        alive = reading.alive(message.channel, message.data)
        return (self._answer(message) if message.method or message.Error else alive,)

    def _bar(self, row: _Ohlc, time: int) -> Event:
        bar = row.bar(reading.instant(row.interval_begin), row.trades)
        return self.bar_update(f"ohlc-{row.interval}:{row.symbol}", str(row.interval), bar, False, time)

    def _answer(self, message: _Frame) -> Event:
        """Answers to control messages: one for each symbol. A refusal names the symbol and not the channel."""
        said = message.error or message.Error
        if message.method == "subscribe" and message.success:
            done = message.result
            kind = f"{done.channel}-{done.interval}" if done.interval else done.channel
            return base.Accepted(channels=(f"{kind}:{done.symbol}",))
        if message.Error or (message.method == "subscribe" and message.success is False):
            kinds = (*(f"ohlc-{interval}" for interval in self.streamed.values()), "trade")
            named = tuple(f"{kind}:{message.symbol}" for kind in kinds) if message.symbol else ()
            if said == "Already subscribed":  # the other symbols of the message have answers of their own
                return base.Accepted(channels=named)
            fatal = bool(named) and re.search(r"not supported|not found|[Ii]nvalid|[Uu]nknown", said) is not None
            return base.Rejected(said[:200], message.req_id, named, fatal=fatal)
        return base.Alive()


# --- what answers hold: only the fields we use ------------------------------------------------------------------------

# time, open, high, low, close, average, volume, count
_BarRow = tuple[Count, float, float, float, float, float, float, Count]
# price, quantity, time (a float would take 59.9999999 for 60), buy or sell, market or limit, "", number
_TradeRow = tuple[float, float, Decimal, str, str, str, Count]


class _Answer(msgspec.Struct):
    error: list[str] | None = None
    result: dict[str, msgspec.Raw] = {}


class _Ohlc(rows.Named):
    symbol: str
    trades: Count
    interval_begin: str
    interval: int


class _Traded(msgspec.Struct, gc=False):
    symbol: str
    price: float
    qty: float
    trade_id: Count
    timestamp: str

    def trade(self) -> Trade:
        return Trade(reading.instant(self.timestamp), self.price, self.qty, self.trade_id)


class _Subscribed(msgspec.Struct):
    channel: str = ""
    symbol: str = ""
    interval: int = 0


class _Frame(msgspec.Struct):
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    timestamp: str = ""
    method: str = ""
    success: bool | None = None
    result: _Subscribed = msgspec.field(default_factory=_Subscribed)
    error: str = ""
    Error: str = ""
    symbol: str = ""
    req_id: int | None = None


def _result(response: HttpResponse) -> bytes:
    """The rows of an answer: it names them by the pair, and not always as the pair was asked for."""
    pairs = [raw for name, raw in reading.read(_Answer, response.body).result.items() if name != "last"]
    if len(pairs) != 1:
        raise reading.schema(f"An answer about one pair holds {len(pairs)}.")
    return bytes(pairs[0])


def _ms(seconds: Decimal) -> int:
    if not seconds.is_finite() or not 0 <= seconds < 1e10:
        raise reading.schema(f"{seconds} is not a time.")
    return int(seconds * 1000)
