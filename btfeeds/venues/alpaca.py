"""Alpaca: US equities (IEX, SIP, the test stream) and crypto, hosts of one dialect.

Only finished minutes are streamed; after late trades a minute comes once more and corrects the first. A key is
needed; it may hold one connection. Of other timeframes there is history only: which trades count for a bar is told by
their conditions, so that bars made of trades here would differ from the venue's own.

https://docs.alpaca.markets/docs/streaming-market-data
https://docs.alpaca.markets/docs/real-time-stock-pricing-data
https://docs.alpaca.markets/reference/stockbars
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, iso
from btfeeds.sessions import US_EQUITIES, Sessions
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_REST, _STREAM = "https://data.alpaca.markets", "wss://stream.data.alpaca.markets"
# auth failed, not enabled, not subscribed; too many connections; not authenticated, timeout, too slow, internal error
_INTRADAY = "1m=1Min 5m=5Min 15m=15Min 30m=30Min 1h=1Hour"
_TURNED_AWAY = dict.fromkeys((402, 408, 409), "key") | {406: "busy"} | dict.fromkeys((401, 404, 407, 500), "down")


def _stocks(title: str, stream: str, feed: str, sessions: Sessions | None) -> Host:
    facts = {"stream_path": f"/v2/{stream}", "bars": "/v2/stocks/bars", "feed": feed, "sessions": sessions}
    return Host(f"Alpaca {title}", _REST, _STREAM, facts)


_CRYPTO: Mapping[str, object] = {
    **{"stream_path": "/v1beta3/crypto/us", "bars": "/v1beta3/crypto/us/bars", "feed": "", "sessions": None},
    "timeframes": reading.timeframes(_INTRADAY),  # its days open at midnight in Chicago: ours are made of hours
    **{"assets": ("crypto",), "adjusted": "", "symbols": r"[A-Z0-9]+/[A-Z0-9]+", "spelling": "{base}/{quote}"},
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
    timeframes = reading.timeframes(f"{_INTRADAY} 1d=1Day")  # when longer ones open is not documented
    # 200 requests a minute without a subscription; bars do not count as streams, and there may be one connection.
    limits = Limits(10_000, 180, streams_per_connection=100_000)
    overlaps = False

    paging = base.Paging.WINDOW  # an answer is broken off anywhere, and a token goes on
    dates_of = reading.NEW_YORK
    symbols = r"[A-Z][A-Z0-9.\-]*"
    says = ("message",)
    problems = {"^(400|404|422) .*symbol": "symbol", "^403 (?!.*region)": "key"}
    assets = ("equities",)
    adjusted = "raw"
    free = "IEX and crypto, 200 requests a minute; a key is needed"
    docs = "https://docs.alpaca.markets/docs/about-market-data-api"
    closing = base.ClosingRule.CLOSED_ONLY
    streams = reading.timeframes("1m=bars")
    bars_channel = "bars:{symbol}"
    grace_ms = 15_000  # behind the lag of history: a minute without trades costs one question
    greets = True

    # --- Historical bars ----------------------------------------------------------------------------------------------

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"symbols": self.native_symbol(symbol)}
        params |= {"timeframe": self._native_timeframe(timeframe), "start": iso(span.start), "end": iso(span.end - 1)}
        params |= {"limit": self.limits.bars_per_request, "sort": "asc"}  # both bounds inclusive
        if self.feed:
            params |= {"feed": self.feed, "adjustment": "raw"}
        return HttpRequest(self.bars, params, {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret})

    def next_page(self, request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
        [token] = reading.said(response.body, "next_page_token")
        return HttpRequest(request.path, {**request.params, "page_token": token}, request.headers) if token else None

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        answer: _Answer = reading.read(_Answer, response.body)
        return reading.ascending(row.made(timeframe.unit == "d") for symbol in answer.bars.values() for row in symbol)

    # --- bars, updatedBars --------------------------------------------------------------------------------------------

    def login(self) -> list[str]:
        return [reading.text({"action": "auth", "key": self.key, "secret": self.secret})]

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        names = [name.partition(":")[2] for name in channels]
        return {"action": action, "bars": names, "updatedBars": names}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        return [self._event(message) for message in reading.read(list[msgspec.Raw], frame)]

    def _event(self, raw: msgspec.Raw) -> Event:
        message: _Message = reading.read(_Message, raw)
        if message.T in ("b", "u"):
            row: _Bar = reading.read(_Bar, raw)
            update = self.bar_update(f"bars:{row.S}", "bars", row.made(), True)
            return update if message.T == "b" else base.BarRevised(update.channel, update.bar)
        if message.T == "subscription":  # always the whole list
            return base.Accepted(channels=tuple(f"bars:{name}" for name in message.bars))
        if message.T == "success" and message.msg == "authenticated":
            return base.Ready()
        if message.T != "error" or message.code == 403:  # 403: authenticated already
            return base.Alive()
        words, kind = f"{message.code} {message.msg[:200]}", _TURNED_AWAY.get(message.code, "")
        return reading.turned_away(self, words, kind) if kind else base.Rejected(words)


# --- what answers hold ------------------------------------------------------------------------------------------------


class _Row(rows.Letters):
    t: str
    n: Count

    def made(self, day: bool = False) -> Bar:
        time = reading.instant(self.t)  # a day's is midnight in New York
        return self.bar(reading.dated(time, Alpaca.dates_of) if day else time, self.n)


class _Bar(_Row):
    S: str


class _Answer(msgspec.Struct):
    bars: dict[str, list[_Row]]
    next_page_token: str | None


class _Message(msgspec.Struct):
    T: str
    msg: str = ""
    code: int = 0
    bars: list[str] = []
