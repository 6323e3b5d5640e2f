"""OKX v5: spot and perpetual swaps; bars stream on /business only, with a flag that says when they are closed.

The client pings with the text "ping". REST takes both bounds as outside of the span and sends the newest bar first;
bars older than the newest 1,440 are in another place. Bars of six hours or more open by UTC where their name says so.
The EEA and the USA have hosts of their own (wseea.okx.com, wsus.okx.com), which BTFEEDS_OKX_STREAM_URL names.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-candlesticks-channel
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-candlesticks-history
https://www.okx.com/docs-v5/en/#overview-websocket-connect
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Event, Host, HttpRequest, HttpResponse, Limits, Venue
from btfeeds.venues.reading import Count

_PROBLEMS = {
    " (50011|50061|50040) ": "rate",  # too frequent, of the sub-account, of the key's user
    r" 51000 .*\bbar\b": "timeframe",
    " (51001|51015) | 51000 .*instId": "symbol",
    " 51000 ": "request",
    " (50001|50004|50013|50026) ": "down",  # unavailable, timeout, busy, system error, matching engine
}
_LEAST = 100  # so many rows at least an answer can hold
_DEMO = {"headers": {"x-simulated-trading": "1"}}


class OKX(Venue):
    """OKX's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "okx": Host("OKX", "https://www.okx.com", "wss://ws.okx.com:8443"),
        "okxdemo": Host("OKX demo", "https://www.okx.com", "wss://wspap.okx.com:8443", _DEMO),
    }
    headers: Mapping[str, str] = {}
    # `2D`, `3D`, `5D` and `3M` are listed too; where their bars open is not documented, so they are left out.
    timeframes = reading.timeframes(
        "1s 1m 3m 5m 15m 30m 1h=1H 2h=2H 4h=4H 6h=6Hutc 12h=12Hutc 1d=1Dutc 1w=1Wutc 1M=1Mutc"
    )
    # 40 requests in 2 s, 20 of the archive: we keep below the less of the two; 480 subscribe messages an hour.
    limits = Limits(300, 480, streams_per_connection=200, messages_per_second=2.0, requests_per_second=8.0)

    says, good = ("code", "msg"), ("0",)
    problems = _PROBLEMS
    asked_symbol = r"[?&]instId=([\w-]+)"
    paging = base.Paging.WINDOW  # `before` alone gives the newest rows
    bars_reach = 1440
    assets = ("crypto", "crypto futures")
    depth = "years: 1,440 bars, older ones from its archive"
    serves = "EEA, USA: other hosts"
    free = "everything, without a key"
    docs = "https://www.okx.com/docs-v5/en/"
    stream_path = "/ws/v5/business"
    closing = base.ClosingRule.FLAG
    bars_channel = "candle{timeframe}:{symbol}"
    trades_channel = "trades-all:{symbol}"
    quiet_omits = False  # whether a bar without trades has a row is not documented: history is asked
    # "If there's no data pushed for 30 seconds, the connection breaks": text both ways.
    heartbeat = base.Heartbeat(idle_ms=20_000, timeout_ms=8_000, ping="ping")

    # --- GET /market/candles, /market/history-candles -----------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        settle = symbol.partition(":")[2]
        if not symbol.quote or "-" in symbol.base or settle not in ("", symbol.base, symbol.quote):
            raise reading.unknown_symbol(self, symbol)
        return f"{symbol.base}-{symbol.quote}" + ("-SWAP" if settle else "")

    def readings(self, native: str) -> Iterable[str]:
        pair, _, kind = native.rpartition("-")
        base, _, quote = pair.partition("-")
        settle = base if quote == "USD" else quote  # what is counted in dollars is settled in the coin
        return (f"{base}/{quote}:{settle}",) if kind == "SWAP" else super().readings(native)

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"instId": self.native_symbol(symbol), "bar": self._native_timeframe(timeframe)}
        # `before` gives what is newer, `after` what is older; both exclude their own instant
        params |= {"before": span.start - 1, "after": span.end, "limit": self.limits.bars_per_request}
        return HttpRequest("/api/v5/market/candles", params, self.headers)

    def archive_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params = self.bars_request(symbol, timeframe, span).params
        return HttpRequest("/api/v5/market/history-candles", params, self.headers, weight=2)

    def next_page(self, request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
        # The archive gave 100 rows at most, and may again: the newest ones, so that older ones lie behind them.
        bars = self.parse_bars(response, next(iter(self.timeframes)))  # rows of all timeframes read the same
        if len(bars) < _LEAST or bars[0].open_time <= int(request.params["before"]) + 1:
            return None
        older = {**request.params, "after": bars[0].open_time}
        return HttpRequest(request.path, older, request.headers, weight=request.weight)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        answer: _Answer = reading.lenient(_Answer, response.body)
        swap = bool(re.search(r"[?&]instId=[^&]*-SWAP", response.url))
        return reading.ascending(row.made(swap) for row in answer.data)  # newest first here

    # --- candle{bar}, trades-all --------------------------------------------------------------------------------------

    def channel(self, subscription: Subscription) -> str:
        channel = super().channel(subscription)
        if re.fullmatch("trades-all:.*-SWAP", channel):  # trades of swaps count contracts, bars count coins
            raise reading.not_streamed(self, subscription.timeframe)
        return channel

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        args = [dict(zip(("channel", "instId"), channel.split(":"), strict=True)) for channel in channels]
        return {"id": str(request), "op": action, "args": args}

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        if frame in ("pong", b"pong"):
            return (base.Alive(),)
        message: _Frame = reading.read(_Frame, frame)
        channel = f"{message.arg.channel}:{message.arg.instId}"
        if message.event:
            return (_answer(message, channel),)
        if message.arg.channel.startswith("candle"):
            if not re.fullmatch(r"\w+(-\w+)+", message.arg.instId):
                raise reading.schema(f"{channel[:40]!r} is no channel of bars.")
            native, swap = message.arg.channel.removeprefix("candle"), channel.endswith("-SWAP")
            bars: list[_Row] = reading.lenient(list[_Row], message.data)
            return [self.bar_update(channel, native, row.made(swap), row.confirm == "1") for row in bars]
        if message.arg.channel in ("trades", "trades-all"):
            trades: list[_Trade] = reading.lenient(list[_Trade], message.data)
            return (reading.traded(channel, [Trade(t.ts, t.px, t.sz, t.tradeId, t.count) for t in trades]),)
        return (reading.alive(message.arg.channel, message.data),)


# --- what answers hold ------------------------------------------------------------------------------------------------


class _Row(rows.Row):
    volume_coins: float  # of swaps; their volume is in contracts
    volume_quote: float
    confirm: Literal["0", "1"]

    def made(self, swap: bool) -> Bar:
        return Bar(self.time, self.open, self.high, self.low, self.close, self.volume_coins if swap else self.volume)


class _Answer(msgspec.Struct):
    code: Literal["0"]
    data: list[_Row]


class _Trade(msgspec.Struct, gc=False):
    tradeId: Count
    px: float
    sz: float
    ts: Count
    count: Count = 1


class _Arg(msgspec.Struct):
    channel: str = ""
    instId: str = ""


class _Frame(msgspec.Struct):
    arg: _Arg = msgspec.field(default_factory=_Arg)
    data: msgspec.Raw = msgspec.Raw(b"{}")
    event: str = ""
    code: str = ""
    msg: str = ""
    id: str = ""


def _answer(message: _Frame, channel: str) -> Event:
    """Answers to control messages, one for each channel; in a refusal the channel is in the words."""
    if message.event == "subscribe":
        return base.Accepted(channels=(channel,))
    if message.event == "notice" and message.code == "64008":
        return base.Leaving(f"64008 {message.msg[:200]}")
    if message.event != "error":
        return base.Alive()
    named = re.search(r"channel:([\w-]+),instId:([\w-]+)", message.msg)
    channels = (f"{named[1]}:{named[2]}",) if named else ()
    reason = f"{message.code} {message.msg[:200]}"
    return base.Rejected(reason, reading.number(message.id), channels, fatal=bool(named) and message.code == "60018")
