"""Alpaca: US equities (IEX, SIP, the test stream) and crypto, hosts of one dialect.

Only finished minutes are streamed; after late trades a minute comes once more and corrects the first. A key is needed;
it may hold one connection. Larger bars are put together from minutes, others are made of trades, as far as their
conditions let them count (conditions.py); it corrects trades, and takes some back. A trade's number is of its exchange,
and FINRA ("D") has several counts, so that only all that is said of a trade tells it from others. Its own bars of coins
have prices of quotes, too.

https://docs.alpaca.markets/docs/streaming-market-data
https://docs.alpaca.markets/docs/real-time-stock-pricing-data
https://docs.alpaca.markets/docs/real-time-crypto-pricing-data
https://docs.alpaca.markets/reference/stockbars
https://forum.alpaca.markets/t/which-combination-of-fields-guarantees-uniqueness-in-historical-trade-records/17728
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade, iso
from btfeeds.sessions import US_EQUITIES, Sessions
from btfeeds.venues import base, conditions, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits
from btfeeds.venues.conditions import Shares
from btfeeds.venues.reading import Count

_REST, _STREAM = "https://data.alpaca.markets", "wss://stream.data.alpaca.markets"
_INTRADAY = "1m=1Min 5m=5Min 15m=15Min 30m=30Min 1h=1Hour"
# auth failed, not enabled, not subscribed; too many connections; not authenticated, timeout, too slow, internal error
_TURNED_AWAY = dict.fromkeys((402, 408, 409), "key") | {406: "busy"} | dict.fromkeys((401, 404, 407, 500), "down")


def _stocks(title: str, stream: str, feed: str, sessions: Sessions | None) -> Host:
    facts = {"stream_path": f"/v2/{stream}", "bars": "/v2/stocks/bars", "feed": feed, "sessions": sessions}
    return Host(f"Alpaca {title}", _REST, _STREAM, facts)


_CRYPTO: Mapping[str, object] = {
    **{"stream_path": "/v1beta3/crypto/us", "bars": "/v1beta3/crypto/us/bars", "feed": "", "sessions": None},
    "timeframes": reading.timeframes(_INTRADAY),  # its days open at midnight in Chicago: ours are made of hours
    **{"assets": ("crypto",), "adjusted": "", "symbols": r"[A-Z0-9]+/[A-Z0-9]+", "spelling": "{base}/{quote}"},
    **{"conditions": False, "corrects_trades": False, "late_ms": 0, "lag_ms": 10_000, "grace_ms": 15_000},
}


class Alpaca(Shares):
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
    adjusted = "raw"
    free = "IEX and crypto, 200 requests a minute; a key is needed"
    docs = "https://docs.alpaca.markets/docs/about-market-data-api"
    closing = base.ClosingRule.CLOSED_ONLY
    streams = reading.timeframes("1m=bars")
    bars_channel = "bars:{symbol}"
    merges = "bars"
    trades_channel = "trades:{symbol}"
    corrects_trades = True
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

    # --- bars, updatedBars, trades, corrections, cancelErrors ---------------------------------------------------------

    def login(self) -> list[str]:
        return [reading.text({"action": "auth", "key": self.key, "secret": self.secret})]

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        lists: dict[str, list[str]] = {}
        for kind, _, name in (channel.partition(":") for channel in channels):
            for list_of in ("bars", "updatedBars") if kind == "bars" else (kind,):  # corrections come with trades
                lists.setdefault(list_of, []).append(name)
        return {"action": action, **lists}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        return [self._event(message) for message in reading.read(list[msgspec.Raw], frame)]

    def _event(self, raw: msgspec.Raw) -> Event:
        message: _Message = reading.read(_Message, raw)
        if message.T == "t":
            done: _Coin = reading.read(_Share if self.conditions else _Coin, raw)
            return reading.corrected(f"trades:{done.S}", done.trade())
        if message.T == "x":
            gone: _Cancelled = reading.read(_Cancelled, raw)
            return reading.corrected(f"trades:{gone.S}", None, gone.trade())
        if message.T == "c":
            once, now = (reading.read(kind, raw).trade() for kind in (_Once, _Now))
            channel = f"trades:{message.S}"
            if once is None and now is not None:  # a report was a trade after all, and nobody says when
                return base.TradeUpdate(channel, ())
            return reading.corrected(channel, now, once)
        if message.T in ("b", "u"):
            row: _Bar = reading.read(_Bar, raw)
            update = self.bar_update(f"bars:{row.S}", "bars", row.made(), True)
            return update if message.T == "b" else base.BarRevised(update.channel, update.bar)
        if message.T == "subscription":  # always the whole list
            named = [f"bars:{name}" for name in message.bars] + [f"trades:{name}" for name in message.trades]
            return base.Accepted(channels=tuple(named))
        if message.T == "success" and message.msg == "authenticated":
            return base.Ready()
        if message.T != "error" or message.code == 403:  # 403: authenticated already
            return base.Alive()
        words, kind = f"{message.code} {message.msg[:200]}", _TURNED_AWAY.get(message.code, "")
        return reading.turned_away(self, words, kind) if kind else base.Rejected(words, fatal=message.code == 405)


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


class _Coin(rows.Sold):
    """A trade of a coin."""

    S: str
    t: str
    i: int

    def trade(self) -> Trade | None:
        return self.sold(reading.instant(self.t), str(self.i))


class _Share(_Coin):
    """A trade of a share, or the report of a price."""

    x: str
    z: str
    c: list[str] | None

    def trade(self) -> Trade | None:
        return self.sold(reading.instant(self.t), f"{self.x}{self.i}", conditions.by_letters(self.c or (), self.z))


class _Cancelled(_Share):
    c: list[str] | None = None


class _Once(_Share):
    """What a correction says that a trade was."""

    i: int = msgspec.field(name="oi")
    p: float = msgspec.field(name="op")
    s: float = msgspec.field(name="os")
    c: list[str] | None = msgspec.field(name="oc")


class _Now(_Share):
    """And what it is."""

    i: int = msgspec.field(name="ci")
    p: float = msgspec.field(name="cp")
    s: float = msgspec.field(name="cs")
    c: list[str] | None = msgspec.field(name="cc")


class _Message(msgspec.Struct):
    T: str
    S: str = ""
    msg: str = ""
    code: int = 0
    bars: list[str] = []
    trades: list[str] = []
