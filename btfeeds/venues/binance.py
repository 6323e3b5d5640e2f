"""Binance: spot, Binance.US and USDⓈ-M futures, three hosts of one dialect.

Bars stream as klines that say themselves when they are closed; a bar without trades is a flat row in history. Keys
differ by case only (`t`/`T`, `l`/`L`, `v`/`V`), prices are text, times are ms, or µs where somebody asked for them.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
https://docs.binance.us
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf as _INF
from typing import Annotated, Any, ClassVar

import msgspec

from btfeeds import errors
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base
from btfeeds.venues.base import BarUpdate, Event, Host, HttpRequest, HttpResponse, Limits, Venue

# `3d` is listed too; where its bars open is not documented, so it is left out.
_FUTURES = "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w 1M"
_SPOT = f"1s {_FUTURES}"
_FUTURES_WEIGHT = ((99, 1), (499, 2), (1000, 5), (1500, 10))  # (up to so many bars, costs so much)


def _timeframes(names: str) -> Mapping[Timeframe, str]:
    return {Timeframe.parse(name): name for name in names.split()}


# native name → (length, first opening) in ms; months have no length and go the long way
_WEEK = Timeframe.parse("1w")
_GRID = {
    name: (0, 0) if timeframe.unit == "M" else (timeframe.ms, _WEEK.close(_WEEK.floor(0)) if timeframe == _WEEK else 0)
    for timeframe, name in _timeframes(_SPOT).items()
}

_MICROSECONDS_FROM = 100_000_000_000_000  # as ms that is the year 5138
_SHORTEST_MONTH = 28 * 86_400_000
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)  # a frame can be nested deeply, or be no text
_NOT_USED = "It was not used; the bar is asked for over REST."
_RETRY_AFTER_S, _BAN_S = 60.0, 120.0  # where it does not say: budgets are per minute, no ban is shorter than two


def _facts(
    timeframes: str, api: str, stream_path: str, *, weight: int, bars: tuple[tuple[int, int], ...], trades: int
) -> dict[str, object]:
    return {
        "timeframes": _timeframes(timeframes),
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


class Binance(Venue):
    """Binance's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "binance": Host("Binance", "https://api.binance.com", "wss://stream.binance.com:9443", _GLOBAL),
        "binanceus": Host("Binance.US", "https://api.binance.us", "wss://stream.binance.us:9443", _US),
        "binanceusdm": Host("Binance USDⓈ-M futures", "https://fapi.binance.com", "wss://fstream.binance.com", _USDM),
    }
    api: str
    stream_path: str
    bars_weight: tuple[tuple[int, int], ...]
    trades_weight: int

    omits_empty_bars = False  # a minute without trades is a flat row
    closing = base.ClosingRule.FLAG
    # The server pings every 20 s (spot) or 3 min (the others); our own ping when idle notices a dead link sooner.
    serves, free, docs = "not the USA", "everything, without a key", "https://developers.binance.com/docs"

    # --- REST: klines, aggregate trades -------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        native, settle = symbol.base + symbol.quote, symbol.partition(":")[2]
        if not re.fullmatch(r"[A-Z0-9_]+", native) or (settle and (self.name, settle) != ("binanceusdm", symbol.quote)):
            advice = "Write BTC/USDT or, on binanceusdm only, BTC/USDT:USDT."
            raise errors.UnknownSymbol(f"{self.title} cannot list {symbol}.", "Nothing was asked of the venue.", advice)
        return native

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native = self._native_timeframe(timeframe)
        bars = -(-(span.end - span.start) // (_SHORTEST_MONTH if timeframe.unit == "M" else timeframe.ms))
        limit = max(1, min(self.limits.bars_per_request, bars))
        params: dict[str, str | int] = {"symbol": self.native_symbol(symbol), "interval": native}
        params |= {"startTime": span.start, "endTime": span.end - 1, "limit": limit}  # inclusive here
        weight = next(weight for up_to, weight in self.bars_weight if limit <= up_to)
        return HttpRequest(f"{self.api}/klines", params, weight=weight)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        rows: list[_BarRow] = _read(_bar_rows.decode, response.body)
        return [Bar(_milliseconds(r.open_time), r.open, r.high, r.low, r.close, r.volume, r.trades) for r in rows]

    def trades_request(self, symbol: Symbol, span: TimeRange, after: Trade | None = None) -> HttpRequest:
        params: dict[str, str | int] = {"symbol": self.native_symbol(symbol)}
        if after is None:
            params |= {"startTime": span.start, "endTime": span.end - 1}  # inclusive here
        else:
            params["fromId"] = after.id + 1
        return HttpRequest(f"{self.api}/aggTrades", params | {"limit": 1000}, weight=self.trades_weight)

    def parse_trades(self, response: HttpResponse) -> list[Trade]:
        rows: list[_AggTradeRow] = _read(_trade_rows.decode, response.body)
        return [trade for row in rows if (trade := _agg_trade(row)) is not None]

    def used_weight(self, response: HttpResponse) -> int | None:
        used = response.headers.get("x-mbx-used-weight-1m", "")
        return int(used) if re.fullmatch(r"\d{1,9}", used) else None

    def check(self, response: HttpResponse) -> None:
        status, first = response.status, response.body.lstrip()[:1]
        if status == 200 and first == b"[":
            return
        problem = _problem(response.body)
        if status == 200 and first != b"{":
            what = f"{self.title} answered something that is not JSON ({len(response.body)} bytes)."
            advice = "If a proxy or a login page of a network stands in between, pass it first."
            raise errors.BadFrame(what, "The answer was not used.", advice)
        if status != 200 or problem.code < 0:
            raise self._refuse(response, problem)

    def _refuse(self, response: HttpResponse, problem: _Problem) -> errors.BtfeedsError:
        status, code, name = response.status, problem.code, self.title
        said = " ".join(f"{status} {code or ''} {problem.msg[:200]}".split())
        wait = base.retry_after(response)
        if status == 418:
            seconds = _BAN_S if wait is None else wait
            what = f"{name} has banned this address for {seconds:.0f} s ({said})."
            did, advice = "No request goes to it until then.", "Run fewer programs: going on makes the ban longer."
            return errors.Banned(what, did, advice, retry_after=seconds)
        if status == 451 or (status == 403 and re.search(r"restricted location|your country", problem.msg)):
            what = f"{name} does not serve the region of this address ({said})."
            advice = f"In the USA use binanceus; or name a host you may use in BTFEEDS_{self.name.upper()}_REST_URL."
            return errors.RegionBlocked(what, "It is not asked again.", advice)
        if status in (403, 429) or code == -1003:
            seconds = _RETRY_AFTER_S if wait is None else wait
            what, did = f"{name} wants fewer requests ({said}).", f"All requests to it wait for {seconds:.0f} s."
            advice = "Nothing needs to be done, unless other programs share this address."
            return errors.RateLimited(what, did, advice, retry_after=seconds)
        did = "Nothing was subscribed or loaded."
        if code == -1121:
            asked = re.search(r"[?&]symbol=([A-Z0-9_]+)", response.url)
            what = f"{name} does not list {asked[1] if asked else 'this symbol'}."
            return errors.UnknownSymbol(what, did, "Check the spelling; symbols are written like BTC/USDT.")
        if code == -1120:
            what = f"{name} does not know this timeframe ({said})."
            return errors.UnsupportedTimeframe(what, did, f"It has: {', '.join(map(str, self.timeframes))}.")
        if 400 <= status < 500 or status == 200:
            advice = "Check symbol and times; if they are right, the venue has changed."
            return errors.BadRequest(f"{name} rejects the request ({said}).", "It is not repeated.", advice)
        what, advice = f"{name} has an error of its own ({said}).", "See the venue's status page if it lasts."
        return errors.VenueUnavailable(what, "It is asked again later.", advice)

    # --- streams: <symbol>@kline_<interval>, <symbol>@aggTrade --------------------------------------------------------

    def channel(self, subscription: Subscription) -> str:
        symbol = self.native_symbol(subscription.symbol).lower()
        timeframe = subscription.timeframe
        if timeframe in self.timeframes:
            return f"{symbol}@kline_{self.timeframes[timeframe]}"
        if timeframe.unit in "dwM":
            what = f"{self.title} streams no bars of {timeframe}, and none of days or longer are made from trades."
            advice = f"Choose one of {', '.join(map(str, self.timeframes))}, or resample in backtrader."
            raise errors.UnsupportedTimeframe(what, "Nothing was subscribed.", advice)
        return f"{symbol}@aggTrade"

    def control(self, action: str, channels: Sequence[str], request: int) -> list[str]:
        size = self.limits.streams_per_message
        parts = (channels[at : at + size] for at in range(0, len(channels), size))
        messages = ({"method": action.upper(), "params": part, "id": request + n} for n, part in enumerate(parts))
        return [msgspec.json.encode(message).decode() for message in messages]

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        try:
            message = _frames.decode(frame)
        except msgspec.ValidationError as error:
            return (_other(frame, error),)
        except _UNREADABLE as error:
            raise _unreadable(error) from None
        return (_event(message.stream, message.data),)


# --- what answers hold: only the fields we use, in the venue's order --------------------------------------------------

_Count = Annotated[int, msgspec.Meta(ge=-1, lt=2**53)]  # what counts or numbers trades; -1: there are none


class _BarRow(msgspec.Struct, array_like=True, gc=False):
    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
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


class _AggTradeRow(_AggTrade, tag_field=None, tag=None):
    """The same over REST, where no event names it."""


class _Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    E: int
    s: str
    t: _Count
    p: float
    q: float
    T: int


class _K(msgspec.Struct, gc=False):
    t: int
    i: str
    o: float
    c: float
    h: float
    l: float  # noqa: E741  # the venue's name
    v: float
    n: _Count
    x: bool


class _Kline(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    E: int
    s: str
    k: _K


class _Frame(msgspec.Struct, gc=False):
    stream: str
    data: _Kline | _AggTrade | _Trade


class _Problem(msgspec.Struct):
    code: int = 0
    msg: str = ""


_frames = msgspec.json.Decoder(_Frame, strict=False)
_bar_rows = msgspec.json.Decoder(list[_BarRow], strict=False)
_trade_rows = msgspec.json.Decoder(list[_AggTradeRow], strict=False)
_ours = {"kline": _Kline, "aggTrade": _AggTrade, "trade": _Trade}


def _event(stream: str, data: _Kline | _AggTrade | _Trade) -> Event:
    """What a frame of one of our channels means. `stream` is "" where the venue sends the event alone."""
    if isinstance(data, _Kline):
        k = data.k
        channel = f"{data.s.lower()}@kline_{k.i}"
        if stream and stream != channel:
            raise errors.BadFrame(f"A bar of {channel} came as {stream}.", _NOT_USED, reason="schema")
        bar = Bar(_opening(k.t, k.i), k.o, k.h, k.l, k.c, k.v, k.n)
        # the comparisons say what Bar.fault() says, at a third of its price; NaN fails every one of them
        if not (0.0 < k.l <= k.o <= k.h < _INF and k.l <= k.c <= k.h and 0.0 <= k.v < _INF):
            raise errors.BadFrame(f"A bar of {channel} cannot be one: {bar}", _NOT_USED, reason=bar.fault())
        return BarUpdate(channel, bar, k.x, _milliseconds(data.E))
    name, trade = ("aggTrade", _agg_trade(data)) if isinstance(data, _AggTrade) else ("trade", _trade(data))
    channel = stream or f"{data.s.lower()}@{name}"
    return base.TradeUpdate(channel, (trade,), _milliseconds(data.E)) if trade else base.Alive()


def _agg_trade(row: _AggTrade) -> Trade | None:
    # a number that the venue has lost the trade of is a row of zeros without trades
    return _checked(Trade(_milliseconds(row.T), row.p, row.q, row.a, row.l - row.f + 1)) if row.l >= 0 else None


def _trade(data: _Trade) -> Trade | None:
    # the futures venue reports what its insurance fund does as trades of nothing
    return _checked(Trade(_milliseconds(data.T), data.p, data.q, data.t)) if data.p or data.q else None


def _checked(trade: Trade) -> Trade:
    price, quantity = trade.price, trade.quantity
    if 0.0 < price < _INF and 0.0 < quantity < _INF and trade.count > 0 <= trade.time < _MICROSECONDS_FROM:
        return trade
    # a bar of this one trade has the same fault, unless numbers or time are wrong
    reason = Bar(trade.time, price, price, price, price, quantity).fault() or "schema"
    raise errors.BadFrame(f"A trade cannot be one ({reason}): {trade}", _NOT_USED, reason=reason)


def _other(frame: bytes | str, error: msgspec.ValidationError) -> Event:
    """What is JSON but no combined bar or trade: acks, errors, announcements, events alone, or damaged."""
    message = _read(msgspec.json.decode, frame)
    if not isinstance(message, dict):
        if isinstance(message, list):
            return base.Alive()
        raise _unreadable(error)
    stream = str(message.get("stream", ""))
    data = message.get("data") if stream else message
    name = data.get("e") if isinstance(data, dict) else None
    if "serverShutdown" in (name, stream.removeprefix("!")):
        return base.Leaving("serverShutdown")
    if isinstance(name, str) and name in _ours:
        if stream:
            raise _unreadable(error)
        return _event("", _read(partial(msgspec.convert, type=_ours[name], strict=False), data))
    if re.search(r"@(kline_|aggTrade$|trade$)", stream):
        raise _unreadable(error)  # one of our channels, and its event lost its name
    return _answer(message)


def _answer(message: dict[str, Any]) -> Event:
    """Answers to control messages: both shapes of errors, acks; everything else is a sign of life."""
    number = str(message.get("id"))
    request = int(number) if re.fullmatch(r"\d{1,18}", number) else None
    problem = message.get("error", message)
    if isinstance(problem, dict) and "code" in problem and ("error" in message or "msg" in problem):
        code = problem["code"]
        # 0 to 3 say that the message itself is wrong: the same one cannot be right later
        return base.Rejected(f"{str(problem.get('msg', ''))[:200]} (code {code})", request, fatal=code in (0, 1, 2, 3))
    if request is not None and "result" in message and message["result"] is None:
        return base.Accepted(request)
    return base.Alive()


def _opening(time: int, native: str) -> int:
    """A bar's opening time in ms. Raises BadFrame when no bar of this timeframe opens then."""
    length, first = _GRID.get(native, (-1, 0))
    if length < 0:
        raise errors.BadFrame(f"{native[:20]!r} is not a timeframe of Binance.", _NOT_USED, reason="schema")
    open_time = _milliseconds(time)
    on_grid = 0 <= open_time < _MICROSECONDS_FROM
    if on_grid:
        on_grid = (open_time - first) % length == 0 if length else Timeframe.parse(native).aligned(open_time)
    # what a finer unit holds below the millisecond is off the grid, too
    if not on_grid or (time != open_time and time not in (open_time * 1_000, open_time * 1_000_000)):
        raise errors.BadFrame(f"No bar of {native} opens at {time}.", _NOT_USED, reason="off_grid")
    return open_time


def _milliseconds(time: int) -> int:
    """ms from ms, µs or ns, told by their size."""
    if time < _MICROSECONDS_FROM:
        return time
    return time // 1_000 if time < _MICROSECONDS_FROM * 1_000 else time // 1_000_000


def _read(decode: Callable[[Any], Any], data: Any) -> Any:
    try:
        return decode(data)
    except _UNREADABLE as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> errors.BadFrame:
    text = str(error)[:200]
    if not isinstance(error, msgspec.ValidationError):
        return errors.BadFrame(f"It is not JSON: {text}", _NOT_USED)
    reason = "not_finite" if "out of range" in text else "schema"
    return errors.BadFrame(f"It is not what the venue documents: {text}", _NOT_USED, reason=reason)


def _problem(body: bytes) -> _Problem:
    """The venue's own words about an error; for a page of a proxy, its first words."""
    try:
        return msgspec.json.decode(body, type=_Problem, strict=False)
    except _UNREADABLE:
        return _Problem(msg=" ".join(re.sub(r"<[^>]*>", " ", body[:2_000].decode("utf-8", "replace")).split()))
