"""KuCoin spot. A connection needs a token, which REST gives; where to connect is said with it.

A bar has no flag: it is final when a row of a later one comes ("trade.candles.add"). Rows are open, CLOSE, HIGH, LOW;
REST sends the newest first. The venue hangs up on who does not ping, however much data flows.

https://www.kucoin.com/docs-new/websocket-api/base-info/introduction
https://www.kucoin.com/docs-new/3470071w0 (klines), https://www.kucoin.com/docs-new/3470072w0 (trades)
https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-klines
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Seconds

_BARS, _TRADES = "/market/candles:", "/market/match:"


class KuCoin(Venue):
    """KuCoin's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "kucoin": Host("KuCoin", "https://api.kucoin.com", "wss://ws-api-spot.kucoin.com"),
    }
    # `1week` is listed too; it opens on Thursdays, and `1month` is not documented: both are made of days.
    timeframes = reading.timeframes(
        "1m=1min 3m=3min 5m=5min 15m=15min 30m=30min "
        "1h=1hour 2h=2hour 4h=4hour 6h=6hour 8h=8hour 12h=12hour 1d=1day"
    )
    # 1,500 rows an answer. 2,000 of weight in 30 s, of which we allow ourselves a quarter; bars cost 3. 100 messages in
    # 10 s and 300 topics a connection (once 100, so we keep to that).
    limits = Limits(1500, 1000, streams_per_connection=100, messages_per_second=8.0, streams_per_message=1)

    paging = base.Paging.WINDOW  # newest first
    spelling = "{base}-{quote}"
    problems = {
        r"(?i) 400100 .*\b(pair|symbol)\b": "symbol",
        " 400100 ": "request",
        " 429000 ": "rate",
        r"^... (500|230)\d* ": "down",
    }
    assets = ("crypto",)
    free = "everything, without a key"
    docs = "https://www.kucoin.com/docs-new"
    closing = base.ClosingRule.ROLL_OVER
    bars_channel = "/market/candles:{symbol}_{timeframe}"
    trades_channel = "/market/match:{symbol}"
    counts_trades = False  # `sequence` grows, but may skip
    settles_ms = 1_000
    greets = True
    heartbeat = base.Heartbeat(idle_ms=15_000, ping='{"id":"btfeeds","type":"ping"}', steady=True)

    # --- Get Klines ---------------------------------------------------------------------------------------------------

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        # Whether the bar that opens at a bound is in the answer is not documented: a second before it tells nothing.
        start, end = span.start // 1000 - 1, (span.end - 1) // 1000
        params: dict[str, str | int] = {"symbol": self.native_symbol(symbol), "type": self._native_timeframe(timeframe)}
        return HttpRequest("/api/v1/market/candles", params | {"startAt": start, "endAt": end}, weight=3)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        found: list[_Row] = reading.inside(list[_Row], response.body, "data")
        return reading.ascending(row.bar(row.time * 1000) for row in found)

    def check(self, response: HttpResponse) -> None:
        code, words = reading.said(response.body, "code", "msg")
        if response.status != 200 or code != "200000":
            raise reading.refusal(self, response, f"{code} {words}", wait=_wait(response))

    # --- Get Public Token; klines, trades -----------------------------------------------------------------------------

    def ticket_request(self) -> HttpRequest:
        return HttpRequest("/api/v1/bullet-public", method="POST", weight=10)

    def endpoint(self, channels: Sequence[str], ticket: HttpResponse | None = None) -> str:
        if ticket is None:
            raise reading.schema("KuCoin gave no token.")
        said: _Ticket = reading.inside(_Ticket, ticket.body, "data")
        # A host that was set by hand is kept; else the venue says where.
        moved = self.stream_url != self.host.stream_url
        url = f"{self.stream_url}/" if moved or not said.instanceServers else said.instanceServers[0].endpoint
        if not re.fullmatch(r"[\w\-=.+/%]+", said.token) or not url.startswith(("wss://", self.stream_url)):
            raise reading.schema("KuCoin gave a token or a host that cannot be one.")
        return f"{url}?token={said.token}&connectId=btfeeds"

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        topic = channels[0]  # one a message
        return {"id": str(request), "type": action, "topic": topic, "privateChannel": False, "response": True}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        message: _Frame = reading.lenient(_Frame, frame)
        if message.type == "message":
            return (self._data(message.topic, message.data),)
        request = reading.number(message.id)
        if message.type == "welcome":
            return (base.Ready(),)
        if message.type == "ack":
            return (base.Accepted(request),)
        if message.type == "error":
            words = bytes(message.data).decode("utf-8", "replace")[:200]
            # 404: the topic is none; the others (too many topics, too many messages) may pass
            return (base.Rejected(f"{message.code} {words}", request, fatal=message.code == 404),)
        return (base.Alive(),)

    def _data(self, topic: str, data: msgspec.Raw) -> Event:
        if topic.startswith(_BARS):
            said: _Klines = reading.lenient(_Klines, data)
            bar = said.candles.bar(said.candles.time * 1000)
            return self.bar_update(topic, topic.rpartition("_")[2], bar, False, _ms(said.time))
        if topic.startswith(_TRADES):
            match: _Match = reading.lenient(_Match, data)
            trade = Trade(_ms(match.time), match.price, match.size, match.sequence)
            return reading.traded(topic, [trade], trade.time)
        return base.Alive()


# --- what answers hold: only the fields we use ------------------------------------------------------------------------

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Row(rows.CloseRow):
    time: Seconds
    turnover: float


class _Server(msgspec.Struct):
    endpoint: str


class _Ticket(msgspec.Struct):
    token: str
    instanceServers: list[_Server] = []


class _Klines(msgspec.Struct):
    candles: _Row
    time: _Count = 0


class _Match(msgspec.Struct, gc=False):
    sequence: _Count
    price: float
    size: float
    time: _Count


class _Frame(msgspec.Struct):
    type: str
    id: str = ""
    topic: str = ""
    code: int = 0
    data: msgspec.Raw = msgspec.Raw(b"{}")


def _ms(ns: int) -> int:
    """From ns; another unit has another size."""
    return ns // 1_000_000 if ns >= 10**17 else 0


def _wait(response: HttpResponse) -> float:
    """"gw-ratelimit-reset" says in how many ms the budget is full again."""
    text = response.headers.get("gw-ratelimit-reset", "")
    return int(text) / 1000 if response.status == 429 and re.fullmatch(r"\d{1,7}", text) else 0.0
