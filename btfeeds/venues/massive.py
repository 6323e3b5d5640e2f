"""Massive (formerly Polygon.io): US equities, in real time or 15 minutes late, as two hosts of one dialect.

Only finished bars are streamed, of a second or a minute. Larger ones are put together from minutes; others are made of
trades whose conditions let them count (conditions.py), and of which no correction is streamed. A key is needed; it may
hold one connection. Fractions of shares are told beside the whole ones. Days open in New York, and are left out.

https://massive.com/docs/websocket/stocks/aggregates-per-minute
https://massive.com/docs/websocket/stocks/trades
https://massive.com/docs/rest/stocks/aggregates/custom-bars
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, conditions, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits
from btfeeds.venues.conditions import Shares
from btfeeds.venues.reading import Count

_DELAYED = {"behind_ms": 15 * 60_000, **dict.fromkeys(("grace_ms", "lag_ms", "late_ms"), 16 * 60_000)}


class Massive(Shares):
    """Massive's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "massive": Host("Massive", "https://api.massive.com", "wss://socket.massive.com"),
        "massivedelayed": Host("Massive delayed", "https://api.massive.com", "wss://delayed.massive.com", _DELAYED),
    }
    needs_key = True
    timeframes = reading.timeframes("1s=second 1m=minute")
    # The limit counts bars of these two, which is why longer ones are made here. 5 requests a minute without a plan.
    limits = Limits(50_000, 5, streams_per_connection=10_000)
    overlaps = False

    paging = base.Paging.FORWARD
    symbols = r"[A-Z][A-Z0-9.]*"
    asked_symbol = r"/ticker/([\w.]+)"
    says, good = ("status", "error", "message"), ("OK", "DELAYED")
    problems = {"exceeded the maximum requests": "rate", "^403 (?!.*region)": "key"}
    adjusted = "raw"
    free = "5 requests a minute, no stream; a key is needed"
    docs = "https://massive.com/docs"
    stream_path = "/stocks"
    closing = base.ClosingRule.CLOSED_ONLY
    streams = reading.timeframes("1s=A 1m=AM")
    bars_channel = "{timeframe}.{symbol}"
    merges = "AM"
    trades_channel = "T.{symbol}"
    greets = True

    # --- Custom bars --------------------------------------------------------------------------------------------------

    def base_timeframe(self, timeframe: Timeframe) -> Timeframe:
        if timeframe.unit in "dwM":
            raise reading.too_long(self, timeframe)
        return super().base_timeframe(timeframe)

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native = self._native_timeframe(timeframe)
        within = f"range/1/{native}/{span.start}/{span.end - 1}"  # inclusive here
        params: dict[str, str | int] = {"adjusted": "false", "sort": "asc", "limit": self.limits.bars_per_request}
        path = f"/v2/aggs/ticker/{self.native_symbol(symbol)}/{within}"
        return HttpRequest(path, params, {"Authorization": f"Bearer {self.key}"})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        answer: _Answer = reading.read(_Answer, response.body)
        if answer.results is None and answer.resultsCount != 0:
            raise reading.schema("The answer holds no results and does not say that there are none.")
        return reading.ascending(row.bar(row.t, row.n) for row in answer.results or ())

    # --- AM, A, T -----------------------------------------------------------------------------------------------------

    def login(self) -> list[str]:
        return [reading.text({"action": "auth", "params": self.key})]

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        return {"action": action, "params": ",".join(channels)}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        return [self._event(message) for message in reading.read(list[dict[str, Any]], frame)]

    def _event(self, message: dict[str, Any]) -> Event:
        kind = message.get("ev")
        if kind == "status":
            return self._status(str(message.get("status", "")), str(message.get("message", ""))[:200])
        if not isinstance(kind, str):
            raise reading.schema("A message does not say what it is.")
        if kind in self._streaming:
            row: _Bar = reading.converted(_Bar, message)
            channel = f"{kind}.{row.sym}"
            if row.e != row.s + self._streaming[kind].ms:
                raise reading.schema(f"A bar of {channel} lasts {row.e - row.s} ms.")
            return self.bar_update(channel, kind, row.bar(row.s), True)
        if kind == "T":
            done: _Trade = reading.converted(_Trade, message)
            trade = done.sold(done.t, f"{done.x}:{done.i}", conditions.by_numbers(done.c or (), done.t))
            return reading.corrected(f"T.{done.sym}", trade)
        return base.Alive()

    def _status(self, status: str, words: str) -> Event:
        if status == "auth_success":
            return base.Ready()
        if status == "success" and (found := re.fullmatch(r"subscribed to: (\w+\.[\w.]+)", words)):
            return base.Accepted(None, (found[1],))
        if status in _TURNED_AWAY:
            return reading.turned_away(self, f"{status} {words}", _TURNED_AWAY[status])
        return base.Rejected(words, fatal="not authorized" in words) if status == "error" else base.Alive()


# --- what answers hold: only the fields we use ------------------------------------------------------------------------

_TURNED_AWAY = {"auth_failed": "key", "auth_timeout": "down", "max_connections": "busy"}


class _Row(rows.Letters):
    t: Count
    n: Count = -1


class _Bar(rows.CutLetters, kw_only=True):
    sym: str
    s: Count
    e: Count


class _Trade(rows.CutSold, kw_only=True):
    sym: str
    x: int
    i: str
    t: Count
    c: list[int] | None = None


class _Answer(msgspec.Struct):
    results: list[_Row] | None = None
    resultsCount: int = -1
