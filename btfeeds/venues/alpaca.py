"""Alpaca: US equities (IEX, SIP, the test stream) and crypto, hosts of one dialect.

Only finished minutes are streamed; after late trades a minute comes once more and corrects the first. A key is
needed; it may hold one connection. Of other timeframes there is history only: which trades count for a bar is told by
their conditions, so that bars made of trades here would differ from the venue's own.

https://docs.alpaca.markets/docs/streaming-market-data
https://docs.alpaca.markets/docs/real-time-stock-pricing-data
https://docs.alpaca.markets/reference/stockbars
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar

import msgspec

from btfeeds import errors
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, iso, to_ms
from btfeeds.sessions import US_EQUITIES, Sessions
from btfeeds.venues import base, reading
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_REST, _STREAM = "https://data.alpaca.markets", "wss://stream.data.alpaca.markets"
_MINUTE = Timeframe.parse("1m")
_BUSY_S = 15.0  # so long a connection that broke may still count as the one there may be


def _stocks(title: str, stream: str, feed: str, sessions: Sessions | None) -> Host:
    facts = {"stream_path": f"/v2/{stream}", "bars": "/v2/stocks/bars", "feed": feed, "sessions": sessions}
    return Host(f"Alpaca {title}", _REST, _STREAM, facts)


_CRYPTO: Mapping[str, object] = {
    **{"stream_path": "/v1beta3/crypto/us", "bars": "/v1beta3/crypto/us/bars", "feed": "", "sessions": None},
    **{"assets": ("crypto",), "adjusted": ""},
}


class Alpaca(Venue):
    """Alpaca's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "alpaca": _stocks("IEX", "iex", "iex", US_EQUITIES),
        "alpacasip": _stocks("SIP", "sip", "sip", US_EQUITIES),
        "alpacatest": _stocks("test", "test", "iex", None),  # FAKEPACA, around the clock
        "alpacacrypto": Host("Alpaca crypto", _REST, _STREAM, _CRYPTO),
    }
    bars: str
    feed: str
    needs_key = True
    # Days of equities open at midnight in New York; of longer ones it is not documented. They are left out.
    timeframes = reading.timeframes("1m=1Min 5m=5Min 15m=15Min 30m=30Min 1h=1Hour")
    # 200 requests a minute without a subscription; bars do not count as streams, and there may be one connection.
    limits = Limits(10_000, 180, streams_per_connection=100_000)
    overlaps = False

    paging = base.Paging.WINDOW  # an answer is broken off anywhere, and a token goes on
    assets = ("equities",)
    adjusted = "raw"
    free = "IEX and crypto, 200 requests a minute; a key is needed"
    docs = "https://docs.alpaca.markets/docs/about-market-data-api"
    closing = base.ClosingRule.CLOSED_ONLY
    streams = {_MINUTE: "bars"}
    bars_channel = "bars:{symbol}"
    grace_ms = 15_000  # behind the lag of history: a minute without trades costs one question
    greets = True

    # --- Historical bars ----------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        pattern = r"[A-Z0-9]+/[A-Z0-9]+" if self.name == "alpacacrypto" else r"[A-Z][A-Z0-9.\-]*"
        if not re.fullmatch(pattern, symbol):
            raise reading.unknown_symbol(self, symbol)
        return str(symbol)

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"symbols": self.native_symbol(symbol)}
        params |= {"timeframe": self._native_timeframe(timeframe), "start": iso(span.start), "end": iso(span.end - 1)}
        params |= {"limit": self.limits.bars_per_request, "sort": "asc"}  # both bounds inclusive
        if self.feed:
            params |= {"feed": self.feed, "adjustment": "raw"}
        return HttpRequest(self.bars, params, {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret})

    def next_page(self, request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
        try:
            token = reading.read(_Token, response.body).next_page_token
        except errors.BadFrame:
            return None
        params = {**request.params, "page_token": token or ""}
        return HttpRequest(request.path, params, request.headers) if token else None

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        answer: _Answer = reading.read(_Answer, response.body)
        return sorted((_bar(row) for rows in answer.bars.values() for row in rows), key=lambda bar: bar.open_time)

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and response.body.lstrip()[:1] == b"{":
            return
        said = reading.attempt(_Problem, response.body).message[:200]
        kind = "key" if response.status == 403 and "region" not in said else ""
        if response.status in (400, 404, 422) and "symbol" in said:
            kind = "symbol"
        asked = re.search(r"[?&]symbols=([\w.%/-]+)", response.url)
        symbol = asked[1].replace("%2F", "/") if asked else ""
        raise reading.refusal(self, response, f"{response.status} {said}" if said else "", kind, symbol=symbol)

    # --- bars, updatedBars --------------------------------------------------------------------------------------------

    def login(self) -> list[str]:
        return [reading.text({"action": "auth", "key": self.key, "secret": self.secret})]

    def control(self, action: str, channels: Sequence[str], request: int) -> list[str]:
        parts = reading.messages([name.partition(":")[2] for name in channels], self.limits.streams_per_message)
        return [reading.text({"action": action, "bars": part, "updatedBars": part}) for part in parts]

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        return [self._event(message) for message in reading.read(list[msgspec.Raw], frame)]

    def _event(self, message: msgspec.Raw) -> Event:
        kind = reading.read(_Head, message).T
        if kind in ("b", "u"):
            row: _Bar = reading.read(_Bar, message)
            channel = f"bars:{row.S}"
            bar = reading.checked(_bar(row), _MINUTE, channel)
            return base.BarUpdate(channel, bar, True) if kind == "b" else base.BarRevised(channel, bar)
        if kind == "subscription":  # always the whole list
            return base.Accepted(channels=tuple(f"bars:{name}" for name in reading.read(_List, message).bars))
        if kind in ("success", "error"):
            said: _Said = reading.read(_Said, message)
            if kind == "error":
                return self._refused(said)
            return base.Ready() if said.msg == "authenticated" else base.Alive()
        return base.Alive()

    def _refused(self, said: _Said) -> Event:
        words = f"{said.code} {said.msg[:200]}"
        match said.code:
            case 402 | 408 | 409:  # auth failed, v2 not enabled, insufficient subscription
                return base.TurnedAway(reading.refusal(self, _NO_RESPONSE, words, "key"))
            case 406:
                what = f"{self.title} has another connection with this key ({words})."
                did, advice = "It is tried again.", "A key may have one: end the other program, or use another key."
                return base.TurnedAway(errors.RateLimited(what, did, advice, retry_after=_BUSY_S))
            case 401 | 404 | 407 | 500:  # not authenticated, auth timeout, slow client, internal error
                return base.TurnedAway(reading.refusal(self, _NO_RESPONSE, words, "down"))
            case 403:  # authenticated already
                return base.Alive()
        return base.Rejected(words)


# --- what answers hold ------------------------------------------------------------------------------------------------

_NO_RESPONSE = HttpResponse(200, b"")
_Time = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class _Row(msgspec.Struct):
    t: _Time
    o: float
    h: float
    l: float  # noqa: E741  # the venue's name
    c: float
    v: float
    n: Count


class _Bar(_Row):
    S: str


class _Answer(msgspec.Struct):
    bars: dict[str, list[_Row]]
    next_page_token: str | None


class _Token(msgspec.Struct):
    next_page_token: str | None = None


class _Problem(msgspec.Struct):
    message: str = ""


class _Head(msgspec.Struct):
    T: str


class _Said(msgspec.Struct):
    msg: str
    code: int = 0


class _List(msgspec.Struct):
    bars: list[str] = []


def _bar(row: _Row) -> Bar:
    return Bar(to_ms(row.t), row.o, row.h, row.l, row.c, row.v, row.n)
