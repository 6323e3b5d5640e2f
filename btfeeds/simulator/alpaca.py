"""Alpaca seen from inside: one feed of it, REST and stream, in JSON or MessagePack as the client asks.

Trades of shares have conditions. Some are at prices that no bar shows; some are wrong at first and corrected, or taken
back, when somebody trades again; some are reports of a price. What is left of them are the bars.

https://docs.alpaca.markets/docs/streaming-market-data
https://docs.alpaca.markets/reference/stockbars
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from btfeeds.errors import ConfigError
from btfeeds.market import Timeframe, TimeRange, iso, to_ms
from btfeeds.simulator.dialect import Ask, Defaults, Reply, Session, Stream
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick

_STREAMS = {"alpaca": "/v2/iex", "alpacasip": "/v2/sip", "alpacatest": "/v2/test", "alpacacrypto": "/v1beta3/crypto/us"}
_KINDS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "corrections", "cancelErrors")
_UNITS = {"Min": "m", "T": "m", "Hour": "h", "H": "h", "Day": "d", "D": "d", "Week": "w", "W": "w", "Month": "M"}
_PER_MINUTE = 200
_FREE_SYMBOLS = 30  # whose trades are streamed without a plan
_END_OF_TIME = 1 << 62
_ERRORS = {400: "invalid syntax", 401: "not authenticated", 402: "auth failed", 403: "already authenticated",
           404: "auth timeout", 405: "symbol limit exceeded", 406: "connection limit exceeded",
           409: "insufficient subscription"}  # fmt: skip


class Alpaca(Defaults):
    """One feed of Alpaca with the markets it lists. It takes any key but "wrong", and one connection at a time."""

    subscribe_within = 10_000
    forming = False
    batches = True

    def __init__(self, name: str, markets: Mapping[str, Market]) -> None:
        self.crypto = name == "alpacacrypto"
        self.markets = markets
        self._path = _STREAMS[name]
        self._api = "/v1beta3/crypto/us/" if self.crypto else "/v2/stocks/"
        self._keys = {str(market.symbol): key for key, market in markets.items()}
        self._asked: deque[int] = deque()
        self._session: Session | None = None  # the one that is authenticated

    # --- REST -----------------------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        if not ask.headers.get("apca-api-key-id") or "wrong" in ask.headers["apca-api-key-id"]:
            return Reply(401, '{"message": "unauthorized."}')
        while self._asked and self._asked[0] <= ask.now - 60_000:
            self._asked.popleft()
        self._asked.append(ask.now)
        headers = {"X-RateLimit-Limit": str(_PER_MINUTE), "X-RateLimit-Reset": str(ask.now // 1000 + 60),
                   "X-RateLimit-Remaining": str(max(0, _PER_MINUTE - len(self._asked)))}  # fmt: skip
        if len(self._asked) > _PER_MINUTE:
            return Reply(429, '{"message": "too many requests."}', headers)
        one = re.fullmatch(re.escape(self._api) + r"([^/]+)/(bars|trades)", ask.path)
        if not one and ask.path not in (f"{self._api}bars", f"{self._api}trades"):
            return Reply(404, '{"message": "endpoint not found."}', headers)
        try:
            body = self._pages(ask, [one[1]] if one else ask.query.get("symbols", "").split(","))
        except (ValueError, ConfigError) as error:
            return Reply(400, _compact({"code": 40010001, "message": f"invalid request: {error.args[0]}"}), headers)
        return Reply(200, _compact(body), headers)

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        match reason:
            case "rate_limit" | "ban":
                headers = {"Retry-After": str(retry_after), "X-RateLimit-Remaining": "0"}
                return Reply(429, '{"message": "too many requests."}', headers)
            case "region_block":
                return Reply(403, '{"message": "access from your country is not allowed."}')
        return Reply(503, "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>")

    def _pages(self, ask: Ask, symbols: list[str]) -> dict[str, Any]:
        """All symbols' rows in order, of which a page holds `limit`, or one less now and then; the token goes on."""
        query, kind = ask.query, ask.path.rpartition("/")[2]
        span = TimeRange(to_ms(query["start"]) if "start" in query else 0,
                         to_ms(query["end"]) + 1 if "end" in query else _END_OF_TIME)  # fmt: skip
        limit = int(query.get("limit", "1000"))
        if not 1 <= limit <= 10_000:
            raise ValueError("limit must be between 1 and 10000")
        rows: list[tuple[str, Any]] = []
        for symbol in sorted(symbol for symbol in symbols if symbol in self._keys):
            market = self.markets[self._keys[symbol]]
            found = self._bars(ask, market, span) if kind == "bars" else self._trades(ask, market, span)
            rows += [(symbol, row) for row in (reversed(found) if query.get("sort") == "desc" else found)]
        begin = int(base64.b64decode(query["page_token"]).decode()) if query.get("page_token") else 0
        page = rows[begin : begin + max(1, limit - (len(rows) > limit and limit > 10))]
        end = begin + len(page)
        token = base64.b64encode(str(end).encode()).decode() if end < len(rows) else None
        held: dict[str, list[Any]] = {}
        for symbol, row in page:
            held.setdefault(symbol, []).append(row)
        return {kind: held, "next_page_token": token}

    def _bars(self, ask: Ask, market: Market, span: TimeRange) -> list[dict[str, Any]]:
        match = re.fullmatch(r"(\d{1,2})([A-Za-z]+)", ask.query.get("timeframe", "1Min"))
        if not match or match[2] not in _UNITS:
            raise ValueError("invalid timeframe")
        timeframe = Timeframe.parse(f"{int(match[1])}{_UNITS[match[2]]}")
        if not timeframe.holds(market.timeframe):
            raise ValueError("invalid timeframe")
        rows = market.bars(timeframe, span, ask.seen, 1_000_000)
        # the minute under way is there once it has traded; one without trades never is
        return [self._row(market, row) for row in rows if row.trades]

    def _trades(self, ask: Ask, market: Market, span: TimeRange) -> list[dict[str, Any]]:
        ticks = islice(market.ticks_between(span.start, min(span.end, ask.seen + 1)), 100_000)
        return [trade for tick in ticks for trade in self._sold(market, tick)]

    # --- connections and control messages --------------------------------------------------------------------------

    def open(self, path: str, query: str) -> Session | None:
        return Session() if path == self._path else None

    def greet(self, session: Session) -> list[str]:
        greeting = [_compact([{"T": "success", "msg": "connected"}])]
        key = session.headers.get("apca-api-key-id", "")
        return greeting + self._login(session, key) if key else greeting

    def leave(self, session: Session) -> None:
        if self._session is session:
            self._session = None

    def message(self, session: Session, text: str) -> list[str]:
        try:
            message = json.loads(text)
            action = message["action"]
        except (ValueError, KeyError, TypeError):
            return [_error(400)]
        if action == "auth":
            return [_error(403)] if session.state else self._login(session, str(message.get("key", "")))
        if not session.state:
            return [_error(401)]
        wanted = {kind: message.get(kind, []) for kind in _KINDS}
        if action not in ("subscribe", "unsubscribe") or not all(isinstance(names, list) for names in wanted.values()):
            return [_error(400)]
        listening = sum(channel.startswith("trades:") for channel in session.channels)
        if action == "subscribe" and self._path == "/v2/iex" and listening + len(wanted["trades"]) > _FREE_SYMBOLS:
            return [_error(405)]
        for kind, names in wanted.items():
            for name in names:
                if action == "subscribe":
                    session.channels[f"{kind}:{name}"] = None
                else:
                    session.channels.pop(f"{kind}:{name}", None)
        lists: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        for channel in session.channels:
            kind, _, name = channel.partition(":")
            lists[kind].append(name)
        if not self.crypto:
            lists |= {"corrections": lists["trades"], "cancelErrors": lists["trades"]}
        return [_compact([{"T": "subscription", **lists}])]

    def _login(self, session: Session, key: str) -> list[str]:
        if not key or "wrong" in key:
            return [_error(402)]
        if self._session is not None:
            session.ending = 1000
            return [_error(406)]
        self._session, session.state = session, "authenticated"
        return [_compact([{"T": "success", "msg": "authenticated"}])]

    # --- what the streams carry ------------------------------------------------------------------------------------

    def stream(self, channel: str) -> Stream | None:
        kind, _, name = channel.partition(":")
        key = self._keys.get(name)
        if key is None or kind not in ("bars", "updatedBars", "trades"):
            return None
        return Stream(key, kind, Timeframe.parse("1m"))

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        market = self.markets[stream.symbol]
        return _compact({"T": "b", "S": market.symbol, **self._row(market, row)})

    def correction(self, stream: Stream, row: Row) -> tuple[str, str] | None:
        market = self.markets[stream.symbol]
        return f"updatedBars:{market.symbol}", _compact({"T": "u", "S": market.symbol, **self._row(market, row)})

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        if stream.kind != "trades":
            return []
        market = self.markets[stream.symbol]
        sold = [{"T": "t", "S": market.symbol, **trade} for trade in self._sold(market, tick)]
        return [_compact(message) for message in (sold if self.crypto else self._reported(market, tick, sold))]

    def _reported(self, market: Market, tick: Tick, sold: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is said at a tick: first what was wrong at the one before, then its own trades, some of them wrong."""
        before = next(market.ticks_from(group=tick.group - 1), tick)
        said: list[dict[str, Any]] = []
        if _is_wrong(before):
            right = {**self._sold(market, before)[0], "S": market.symbol}
            said.append(_correction(_wrong(right), right))
        if _is_invented(before):
            said.append({**_invented(market, before), "T": "x", "a": "C"})
        first = _wrong(sold[0]) if _is_wrong(tick) else sold[0]
        said += [first, *sold[1:]]
        if _is_invented(tick):
            said.append(_invented(market, tick))
        if tick.group % 8 == 0:
            said.append({**first, "i": tick.last_id, "x": "Q", "s": 0, "p": first["p"] / 2, "c": ["@", "M"]})
        return said

    def farewell(self, session: Session, time: int) -> str:
        return ""  # it says nothing

    def wrap(self, session: Session, channel: str, text: str) -> str:
        return f"[{text}]"

    def encode(self, session: Session, text: str) -> str | bytes:
        if "msgpack" not in session.headers.get("content-type", ""):
            return text
        messages = json.loads(text)
        for message in messages:
            if "t" in message:  # there a time is a time
                message["t"] = dt.datetime.fromisoformat(message["t"])
        return msgspec.msgpack.encode(messages)

    def decode(self, session: Session, data: bytes) -> str:
        try:
            return json.dumps(msgspec.msgpack.decode(data))
        except (msgspec.DecodeError, TypeError, ValueError):
            return ""

    def _row(self, market: Market, row: Row) -> dict[str, Any]:
        bar = market.as_bar(row)
        worth = row.turnover / max(row.volume, 1) / 10**market.price_digits
        return {"t": iso(row.open_time), "o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": bar.volume,
                "n": row.trades, "vw": round(worth, 6)}  # fmt: skip

    def _sold(self, market: Market, tick: Tick) -> list[dict[str, Any]]:
        """The trades of a tick. Only its first has its price for sure; a number is one of its exchange."""
        each, more = divmod(tick.quantity, tick.count)
        price, trades = tick.price / 10**market.price_digits, list[dict[str, Any]]()
        for n in range(tick.count):
            size = (each + (n < more)) / 10**market.volume_digits
            known = {"t": iso(tick.time), "p": price, "s": size, "i": tick.first_id + n}
            if self.crypto:
                trades.append({**known, "tks": "S" if tick.buyer_is_maker else "B"})
                continue
            letters, factor = (["@"], 1.0) if n == 0 else _UNPRICED[n % len(_UNPRICED)]
            known |= {"p": round(price * factor, 4), "i": tick.first_id + n - n % 2}
            trades.append({**known, "x": "VN"[n % 2], "c": letters, "z": "C"})
        return trades


# regular, an odd lot, an average price, contingent and out of hours: of the last three no price is in a bar
_UNPRICED = ((["@"], 1.0), (["@", "I"], 1.5), (["@", "W"], 0.5), (["@", "T", "V"], 1.2))


def _is_wrong(tick: Tick) -> bool:
    return tick.group % 8 == 3


def _wrong(trade: dict[str, Any]) -> dict[str, Any]:
    """The trade as it is said at first."""
    return {**trade, "i": trade["i"] + 1_000_000_000, "p": round(trade["p"] * 1.3, 4), "c": ["@", "F"]}


def _correction(once: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    of_both = {name: now[name] for name in ("S", "t", "x", "z")}
    said = {f"{prefix}{name}": trade[name] for prefix, trade in (("o", once), ("c", now)) for name in "ipsc"}
    return {"T": "c", **of_both, **said}


def _is_invented(tick: Tick) -> bool:
    return tick.group % 8 == 5


def _invented(market: Market, tick: Tick) -> dict[str, Any]:
    """A trade that never was."""
    price = round(tick.price / 10**market.price_digits * 0.7, 4)
    return {"T": "t", "S": market.symbol, "t": iso(tick.time), "p": price, "s": 700, "i": tick.first_id, "x": "D",
            "c": ["@"], "z": "C"}  # fmt: skip


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _error(code: int) -> str:
    return _compact([{"T": "error", "code": code, "msg": _ERRORS[code]}])
