"""Binance: spot, Binance.US and USDⓈ-M futures, three hosts of one dialect.

Bars stream as klines that say themselves when they are closed; a bar without trades is a flat row in history. Keys
differ by case only (`t`/`T`, `l`/`L`, `v`/`V`), prices are text, times are ms, or µs where somebody asked for them.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
https://docs.binance.us
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue

# `3d` is listed too; where its bars open is not documented, so it is left out.
_FUTURES = "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w 1M"
_SPOT = f"1s {_FUTURES}"
_FUTURES_WEIGHT = ((99, 1), (499, 2), (1000, 5), (1500, 10))  # (up to so many bars, costs so much)
_SHORTEST_MONTH = 28 * 86_400_000


def _facts(
    timeframes: str, api: str, stream_path: str, *, weight: int, bars: tuple[tuple[int, int], ...], trades: int
) -> dict[str, object]:
    return {
        "timeframes": reading.timeframes(timeframes),
        "limits": Limits(bars[-1][0], weight, streams_per_connection=1024, connection_life_ms=24 * 3_600_000),
        **{"api": api, "stream_path": stream_path},
        "assets": ("crypto futures",) if api.startswith("/fapi") else ("crypto",),
        "bars_weight": bars,
        "trades_weight": trades,
    }


# "IP limits": so much weight a minute. "WebSocket limits": 1,024 streams, 5 messages a second and 24 hours a
# connection; 300 connects in 5 minutes, of which we allow ourselves 30.
_GLOBAL = _facts(_SPOT, "/api/v3", "/stream", weight=6000, bars=((1000, 2),), trades=4)
_US = _facts(_FUTURES, "/api/v3", "/stream", weight=1200, bars=((1000, 1),), trades=1) | {"serves": "the USA"}
# Bars and trades of futures are routed below /market: elsewhere they are accepted and never sent.
_USDM = _facts(_FUTURES, "/fapi/v1", "/market/stream", weight=2400, bars=_FUTURES_WEIGHT, trades=20)
_USDM |= {"symbols": r"[A-Z0-9_]+(/([A-Z0-9]+)(:\2)?)?"}  # what is settled in the quote currency


class Binance(Venue):
    """Binance's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "binance": Host("Binance", "https://api.binance.com", "wss://stream.binance.com:9443", _GLOBAL),
        "binanceus": Host("Binance.US", "https://api.binance.us", "wss://stream.binance.us:9443", _US),
        "binanceusdm": Host("Binance USDⓈ-M futures", "https://fapi.binance.com", "wss://fstream.binance.com", _USDM),
        # market data only; play money at the market's prices; play money at prices of its own, wiped once a month
        "binancedata": Host(
            "Binance, data only", "https://data-api.binance.vision", "wss://data-stream.binance.vision", _GLOBAL
        ),
        "binancedemo": Host("Binance demo", "https://demo-api.binance.com", "wss://demo-stream.binance.com", _GLOBAL),
        "binancetestnet": Host(
            "Binance testnet", "https://testnet.binance.vision", "wss://stream.testnet.binance.vision", _GLOBAL
        ),
    }
    api: str
    stream_path: str
    bars_weight: tuple[tuple[int, int], ...]
    trades_weight: int

    symbols = "[A-Z0-9_]+(/[A-Z0-9]+)?"
    written = "symbols are written like BTC/USDT or, on binanceusdm only, BTC/USDT:USDT"
    elsewhere = "In the USA use binanceus."
    problems = {
        "^418 ": "ban",
        "^451 ": "region",
        "^403 .*(restricted location|your country)": "region",
        "^403 ": "rate",
        "^429 | -1003 ": "rate",
        " -1121 ": "symbol",
        " -1120 ": "timeframe",
        "^(200|401) ": "request",
    }
    earliest = 0  # units are told by their size: none is taken for another
    omits_empty_bars = False  # a minute without trades is a flat row
    closing = base.ClosingRule.FLAG
    bars_channel = "{symbol}@kline_{timeframe}"
    trades_channel = "{symbol}@aggTrade"
    # The server pings every 20 s (spot) or 3 min (the others); our own ping when idle notices a dead link sooner.
    serves, free, docs = "not the USA", "everything, without a key", "https://developers.binance.com/docs"

    # --- REST: klines, aggregate trades -------------------------------------------------------------------------------

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native = self._native_timeframe(timeframe)
        bars = -(-(span.end - span.start) // (_SHORTEST_MONTH if timeframe.unit == "M" else timeframe.ms))
        limit = max(1, min(self.limits.bars_per_request, bars))
        params: dict[str, str | int] = {"symbol": self.native_symbol(symbol), "interval": native}
        params |= {"startTime": span.start, "endTime": span.end - 1, "limit": limit}  # inclusive here
        weight = next(weight for up_to, weight in self.bars_weight if limit <= up_to)
        return HttpRequest(f"{self.api}/klines", params, weight=weight)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        found: list[_BarRow] = reading.lenient(list[_BarRow], response.body)
        return [row.bar(reading.milliseconds(row.time), row.trades) for row in found]

    def trades_request(self, symbol: Symbol, span: TimeRange, after: Trade | None = None) -> HttpRequest:
        params: dict[str, str | int] = {"symbol": self.native_symbol(symbol)}
        if after is None:
            params |= {"startTime": span.start, "endTime": span.end - 1}  # inclusive here
        else:
            params["fromId"] = after.id + 1
        return HttpRequest(f"{self.api}/aggTrades", params | {"limit": 1000}, weight=self.trades_weight)

    def parse_trades(self, response: HttpResponse) -> list[Trade]:
        found: list[_AggTradeRow] = reading.lenient(list[_AggTradeRow], response.body)
        return reading.checked_trades((trade for row in found if (trade := row.trade())), earliest=self.earliest)

    def used_weight(self, response: HttpResponse) -> int | None:
        used = response.headers.get("x-mbx-used-weight-1m", "")
        return int(used) if re.fullmatch(r"\d{1,9}", used) else None

    def check(self, response: HttpResponse) -> None:
        first = response.body.lstrip()[:1]
        if response.status == 200 and first == b"[":
            return
        code, words = reading.said(response.body, "code", "msg")
        if response.status != 200 or code.startswith("-"):
            raise reading.refusal(self, response, words if code == "0" else f"{code} {words}")
        if first != b"{":
            raise reading.refusal(self, response, kind="damaged")

    # --- streams: <symbol>@kline_<interval>, <symbol>@aggTrade --------------------------------------------------------

    def streamed_symbol(self, symbol: Symbol) -> str:
        return self.native_symbol(symbol).lower()

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        return {"method": action.upper(), "params": channels, "id": request}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        try:
            message = _frames.decode(frame)
        except msgspec.ValidationError as error:
            return (self._other(frame, error),)
        except reading.UNREADABLE as error:
            raise reading.unreadable(error) from None
        return (self._event(message.stream, message.data),)

    def _event(self, stream: str, data: _Kline | _AggTrade | _Trade) -> Event:
        """What a frame of one of our channels means. `stream` is "" where the venue sends the event alone."""
        time = reading.milliseconds(data.E)
        if isinstance(data, _Kline):
            k = data.k
            channel = f"{data.s.lower()}@kline_{k.i}"
            if stream and stream != channel:
                raise reading.schema(f"A bar of {channel} came as {stream}.")
            opened = reading.milliseconds(k.t)
            if opened != k.t and k.t not in (opened * 1_000, opened * 1_000_000):
                opened = k.t  # what a finer unit holds below the millisecond is off the grid, and so is its number
            return self.bar_update(channel, k.i, k.bar(opened, k.n), k.x, time)
        trade = data.trade()
        channel = stream or f"{data.s.lower()}@{data.__struct_config__.tag}"
        return reading.traded(channel, (trade,), time, self.earliest) if trade else base.Alive()

    def _other(self, frame: bytes | str, error: msgspec.ValidationError) -> Event:
        """What is JSON but no combined bar or trade: acks, errors, announcements, events alone, or damaged."""
        message = reading.read(Any, frame)
        if isinstance(message, list):
            return base.Alive()
        if not isinstance(message, dict):
            raise reading.unreadable(error)
        stream = str(message.get("stream", ""))
        data = message.get("data") if stream else message
        name = data.get("e") if isinstance(data, dict) else None
        if "serverShutdown" in (name, stream.removeprefix("!")):
            return base.Leaving("serverShutdown")
        if isinstance(name, str) and name in _OURS and not stream:
            return self._event("", reading.converted(_OURS[name], data, strict=False))
        if (isinstance(name, str) and name in _OURS) or re.search(r"@(kline_|aggTrade$|trade$)", stream):
            raise reading.unreadable(error)  # ours, and damaged, or its event lost its name
        return _answer(message)


# --- what answers hold: only the fields we use, in the venue's order --------------------------------------------------

_Count = Annotated[int, msgspec.Meta(ge=-1, lt=2**53)]  # what counts or numbers trades; -1: there are none


class _BarRow(rows.Row):
    time: int
    close_time: int
    quote_volume: float
    trades: _Count
    taker_volume: float  # not used, but a row that lacks a column has every one behind it in the wrong place
    taker_quote_volume: float
    ignored: float


class _AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    a: _Count
    p: float
    q: float
    f: _Count
    l: _Count  # noqa: E741  # the venue's name
    T: int
    E: int = 0
    s: str = ""

    def trade(self) -> Trade | None:
        # a number that the venue has lost the trade of is a row of zeros without trades
        return Trade(reading.milliseconds(self.T), self.p, self.q, self.a, self.l - self.f + 1) if self.l >= 0 else None


class _AggTradeRow(_AggTrade, tag_field=None, tag=None):
    """The same over REST, where no event names it."""


class _Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    E: int
    s: str
    t: _Count
    p: float
    q: float
    T: int

    def trade(self) -> Trade | None:
        # the futures venue reports what its insurance fund does as trades of nothing
        return Trade(reading.milliseconds(self.T), self.p, self.q, self.t) if self.p or self.q else None


class _K(rows.Letters):
    t: int
    i: str
    n: _Count
    x: bool


class _Kline(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    E: int
    s: str
    k: _K


class _Frame(msgspec.Struct, gc=False):
    stream: str
    data: _Kline | _AggTrade | _Trade


_frames = msgspec.json.Decoder(_Frame, strict=False)
_OURS = {"kline": _Kline, "aggTrade": _AggTrade, "trade": _Trade}


def _answer(message: dict[str, Any]) -> Event:
    """Answers to control messages: both shapes of errors, acks; everything else is a sign of life."""
    request = reading.number(str(message.get("id")))
    problem = message.get("error", message)
    if isinstance(problem, dict) and "code" in problem and ("error" in message or "msg" in problem):
        code = problem["code"]
        # 0 to 3 say that the message itself is wrong: the same one cannot be right later
        return base.Rejected(f"{str(problem.get('msg', ''))[:200]} (code {code})", request, fatal=code in (0, 1, 2, 3))
    if request is not None and "result" in message and message["result"] is None:
        return base.Accepted(request)
    return base.Alive()
