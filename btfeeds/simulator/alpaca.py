"""Alpaca seen from inside: one feed of it, REST and stream, in JSON or MessagePack as the client asks.

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
        return [self._trade(market, tick) for tick in ticks]

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
        stream = {"bars": "bars", "trades": "groups"}.get(kind, kind)
        return Stream(key, stream, Timeframe.parse("1m"))

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        market = self.markets[stream.symbol]
        return _compact({"T": "b", "S": market.symbol, **self._row(market, row)})

    def correction(self, stream: Stream, row: Row) -> tuple[str, str] | None:
        market = self.markets[stream.symbol]
        return f"updatedBars:{market.symbol}", _compact({"T": "u", "S": market.symbol, **self._row(market, row)})

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        if stream.kind != "groups":
            return []
        market = self.markets[stream.symbol]
        return [_compact({"T": "t", "S": market.symbol, **self._trade(market, tick)})]

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

    def _trade(self, market: Market, tick: Tick) -> dict[str, Any]:
        price, volume = tick.price / 10**market.price_digits, tick.quantity / 10**market.volume_digits
        known = {"t": iso(tick.time), "p": price, "s": volume, "i": tick.last_id}
        if self.crypto:
            return {**known, "tks": "S" if tick.buyer_is_maker else "B"}
        return {**known, "x": "V", "c": ["@"], "z": "C"}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _error(code: int) -> str:
    return _compact([{"T": "error", "code": code, "msg": _ERRORS[code]}])
