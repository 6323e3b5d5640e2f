"""Massive (formerly Polygon.io): US equities, in real time or 15 minutes late, as two hosts of one dialect.

Only finished bars are streamed, of a second or a minute. A key is needed; it may hold one connection. Which trades
count for a bar is told by their conditions, so that bars made of trades here would differ: other timeframes live are
for backtrader's resampler. Days open at midnight in New York, off any grid in UTC, and are left out.

https://massive.com/docs/websocket/stocks/aggregates-per-minute
https://massive.com/docs/rest/stocks/aggregates/custom-bars
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.sessions import US_EQUITIES
from btfeeds.venues import base, reading
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_STREAMS = {"A": Timeframe.parse("1s"), "AM": Timeframe.parse("1m")}
_DELAYED = {"grace_ms": 16 * 60_000, "lag_ms": 16 * 60_000}
_BUSY_S = 15.0  # so long a connection that broke may still count as the one there may be


class Massive(Venue):
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
    assets = ("equities",)
    adjusted = "raw"
    free = "5 requests a minute, no stream; a key is needed"
    docs = "https://massive.com/docs"
    stream_path = "/stocks"
    closing = base.ClosingRule.CLOSED_ONLY
    streams = {timeframe: name for name, timeframe in _STREAMS.items()}
    bars_channel = "{timeframe}.{symbol}"
    grace_ms = 15_000  # behind the lag of history: a minute without trades costs one question
    greets = True
    sessions = US_EQUITIES

    # --- Custom bars --------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if not re.fullmatch(r"[A-Z][A-Z0-9.]*", symbol):
            raise reading.unknown_symbol(self, symbol)
        return str(symbol)

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
        bars = [Bar(row.t, row.o, row.h, row.l, row.c, row.v, row.n) for row in answer.results or ()]
        return sorted(bars, key=lambda bar: bar.open_time)

    def check(self, response: HttpResponse) -> None:
        said: _Problem = reading.attempt(_Problem, response.body)
        if response.status == 200 and said.status in ("OK", "DELAYED"):
            return
        words = f"{said.status} {said.error or said.message}"[:200].strip()
        kind = "key" if response.status == 403 and "region" not in words else ""
        if "exceeded the maximum requests" in words:
            kind = "rate"
        raise reading.refusal(self, response, words, kind)

    # --- AM, A --------------------------------------------------------------------------------------------------------

    def login(self) -> list[str]:
        return [reading.text({"action": "auth", "params": self.key})]

    def control(self, action: str, channels: Sequence[str], request: int) -> list[str]:
        parts = reading.messages(channels, self.limits.streams_per_message)
        return [reading.text({"action": action, "params": ",".join(part)}) for part in parts]

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        return [self._event(message) for message in reading.read(list[dict[str, Any]], frame)]

    def _event(self, message: dict[str, Any]) -> Event:
        kind = message.get("ev")
        if kind == "status":
            return self._status(str(message.get("status", "")), str(message.get("message", ""))[:200])
        if not isinstance(kind, str):
            raise reading.schema("A message does not say what it is.")
        if kind in _STREAMS:
            try:
                row = msgspec.convert(message, _Bar)
            except msgspec.ValidationError as error:
                raise reading.unreadable(error) from None
            timeframe, channel = _STREAMS[kind], f"{kind}.{row.sym}"
            if row.e != row.s + timeframe.ms:
                raise reading.schema(f"A bar of {channel} lasts {row.e - row.s} ms.")
            bar = Bar(row.s, row.o, row.h, row.l, row.c, row.v)
            return base.BarUpdate(channel, reading.checked(bar, timeframe, channel), True)
        return base.Alive()

    def _status(self, status: str, words: str) -> Event:
        if status == "auth_success":
            return base.Ready()
        if status == "success" and (found := re.fullmatch(r"subscribed to: (\w+\.[\w.]+)", words)):
            return base.Accepted(None, (found[1],))
        refused = base.HttpResponse(401, words.encode())
        if status in ("auth_failed", "auth_timeout"):
            kind = "key" if status == "auth_failed" else "down"
            return base.TurnedAway(reading.refusal(self, refused, f"{status} {words}", kind))
        if status == "max_connections":
            return base.TurnedAway(reading.refusal(self, refused, words, "rate", wait=_BUSY_S))
        if status == "error":
            return base.Rejected(words)
        return base.Alive()


# --- what answers hold: only the fields we use ------------------------------------------------------------------------

class _Row(msgspec.Struct, gc=False):
    t: Count
    o: float
    h: float
    l: float  # noqa: E741  # the venue's name
    c: float
    v: float
    n: Count = -1


class _Bar(msgspec.Struct, gc=False):
    sym: str
    s: Count
    e: Count
    o: float
    h: float
    l: float  # noqa: E741  # the venue's name
    c: float
    v: float


class _Answer(msgspec.Struct):
    results: list[_Row] | None = None
    resultsCount: int = -1


class _Problem(msgspec.Struct):
    status: str = ""
    error: str = ""
    message: str = ""
