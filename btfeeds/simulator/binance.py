"""Binance seen from inside: its streams. REST is next door, in binance_rest.

Spot     https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
Futures  https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
US       https://docs.binance.us/#websocket-streams
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from btfeeds.market import Timeframe
from btfeeds.simulator.binance_rest import Rest
from btfeeds.simulator.dialect import Ask, Defaults, Reply, Session, Stream
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick

INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
_DAY = 86_400_000
_STREAMS_PER_CONNECTION = 1024
_CHANNEL = re.compile(r"([a-z0-9_]+)@(?:kline_(\w+)|(aggTrade|trade))")
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


@dataclass(frozen=True, slots=True)
class Host:
    """What differs between Binance's hosts."""

    api: str  # where the symbols are: "/api/v3" or "/fapi/v1"
    pad: int  # digits behind the point that prices and volumes have at least
    weight_per_minute: int
    rows: int  # most rows in one answer
    ping_every: int
    pong_within: int
    messages_per_second: int
    update_every: int
    routed: bool = False  # bars only on /market
    seconds: bool = True  # has the timeframe 1s


HOSTS: Mapping[str, Host] = {
    "binance": Host("/api/v3", 8, 6000, 1000, 20_000, 60_000, 5, 2000),
    "binanceus": Host("/api/v3", 8, 1200, 1000, 180_000, 600_000, 5, 2000, seconds=False),
    "binanceusdm": Host("/fapi/v1", 0, 2400, 1500, 180_000, 600_000, 10, 250, routed=True, seconds=False),
}


class Binance(Defaults):
    """One host of Binance with the markets it lists."""

    life = _DAY

    def __init__(self, name: str, markets: Mapping[str, Market]) -> None:
        self.host = HOSTS[name]
        self.markets = markets
        self.ping_every = self.host.ping_every
        self.pong_within = self.host.pong_within
        self.messages_per_second = self.host.messages_per_second
        self.update_every = self.host.update_every
        self.intervals = {
            interval: Timeframe.parse(interval) for interval in INTERVALS if interval != "1s" or self.host.seconds
        }
        self._rest = Rest(name, self.host, markets, self.intervals)

    def answer(self, ask: Ask) -> Reply:
        return self._rest.answer(ask)

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        return self._rest.refuse(reason, retry_after, now)

    # --- connections and control messages --------------------------------------------------------------------------

    def open(self, path: str, query: str) -> Session | None:
        """/ws, /ws/<stream>/<stream>, /stream?streams=<stream>/<stream>; on futures below /market."""
        silent = False
        if self.host.routed:
            routed = path.startswith(("/market/", "/public/"))
            # Elsewhere the handshake succeeds, subscriptions are confirmed, and bars never come.
            silent = not path.startswith("/market/")
            path = "/" + path.split("/", 2)[2] if routed else path
        head, _, rest = path.lstrip("/").partition("/")
        if head == "stream":
            rest = "/".join(parse_qs(query).get("streams", []))
        elif head != "ws":
            return None
        channels = dict.fromkeys(channel for channel in rest.split("/") if channel)
        return Session(channels, combined=head == "stream", silent=silent)

    def message(self, session: Session, text: str) -> list[str]:
        try:
            message = json.loads(text)
        except ValueError:
            return [_error(3, "Invalid JSON: expected value at line 1 column 1", None)]
        if not isinstance(message, dict) or message.get("method") not in _METHODS:
            return [_error(2, "Invalid request: unknown variant, expected one of " + ", ".join(_METHODS), None)]
        number, params = message.get("id"), message.get("params", [])
        if not isinstance(params, list):
            return [_error(2, "Invalid request: params must be an array", number)]
        match message["method"]:
            case "LIST_SUBSCRIPTIONS":
                return [_result(list(session.channels), number)]
            case "GET_PROPERTY" | "SET_PROPERTY" if params[:1] != ["combined"]:
                return [_error(0, "Unknown property", number)]
            case "GET_PROPERTY":
                return [_result(session.combined, number)]
            case "SET_PROPERTY":
                if len(params) != 2 or not isinstance(params[1], bool):
                    return [_error(1, "Invalid value type: expected Boolean", number)]
                session.combined = params[1]
                return [_result(None, number)]
        if not params or not all(self._plausible(channel) for channel in params):
            return [_error(2, "Invalid request: invalid stream", number)]
        if message["method"] == "UNSUBSCRIBE":
            for channel in params:
                session.channels.pop(channel, None)
            return [_result(None, number)]
        if len({*session.channels, *params}) > _STREAMS_PER_CONNECTION:
            return [_error(2, "Invalid request: too many streams", number)]
        session.channels.update(dict.fromkeys(params))
        return [_result(None, number)]

    def _plausible(self, channel: Any) -> bool:
        """Whether a name is one of a stream; that of a symbol which is not listed is confirmed like any other."""
        if not isinstance(channel, str) or not re.fullmatch(r"[\w]+@[\w@+:]+|![\w@]+", channel):
            return False
        interval = channel.partition("@kline_")[2]
        return not interval or interval.partition("@")[0] in self.intervals

    # --- what the streams carry ------------------------------------------------------------------------------------

    def stream(self, channel: str) -> Stream | None:
        match = _CHANNEL.fullmatch(channel)
        market = self.markets.get(match[1].upper()) if match else None
        if not match or not market:
            return None
        if match[3]:
            kind = "trades" if match[3] == "trade" else "groups"
            return Stream(match[1].upper(), kind, market.timeframe)
        timeframe = self.intervals.get(match[2])
        if timeframe is None or not timeframe.holds(market.timeframe):
            return None
        return Stream(match[1].upper(), "bars", timeframe)

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        market, pad = self.markets[stream.symbol], self.host.pad
        price, volume, turnover = market.price_text, market.volume_text, market.turnover_text
        return _compact({
            "e": "kline",
            "E": time,
            "s": stream.symbol,
            "k": {
                "t": row.open_time,
                "T": row.close_time - 1,
                "s": stream.symbol,
                "i": self._interval(stream.timeframe),
                "f": row.first_id,
                "L": row.last_id,
                "o": price(row.open, pad),
                "c": price(row.close, pad),
                "h": price(row.high, pad),
                "l": price(row.low, pad),
                "v": volume(row.volume, pad),
                "n": row.trades,
                "x": closed,
                "q": turnover(row.turnover, pad),
                "V": volume(row.taker_volume, pad),
                "Q": turnover(row.taker_turnover, pad),
                "B": "0",
            },
        })  # fmt: skip

    def _interval(self, timeframe: Timeframe) -> str:
        return next(interval for interval, native in self.intervals.items() if native == timeframe)

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        market, pad = self.markets[stream.symbol], self.host.pad
        price = market.price_text(tick.price, pad)
        spot = {} if self.host.routed else {"M": True}
        if stream.kind == "groups":
            quantity = market.volume_text(tick.quantity, pad)
            aggregate = {
                "e": "aggTrade", "E": time, "s": stream.symbol, "a": tick.group, "p": price, "q": quantity,
                **({"nq": quantity} if self.host.routed else {}),
                "f": tick.first_id, "l": tick.last_id, "T": tick.time, "m": tick.buyer_is_maker, **spot,
            }  # fmt: skip
            return [_compact(aggregate)]
        each, more = divmod(tick.quantity, tick.count)
        return [
            _compact({
                "e": "trade", "E": time, "s": stream.symbol, "t": tick.first_id + number, "p": price,
                "q": market.volume_text(each + (number < more), pad), "T": tick.time, "m": tick.buyer_is_maker, **spot,
            })
            for number in range(tick.count)
        ]  # fmt: skip

    def wrap(self, session: Session, channel: str, text: str) -> str:
        return f'{{"stream":"{channel}","data":{text}}}' if session.combined else text

    def farewell(self, session: Session, time: int) -> str:
        return self.wrap(session, "!serverShutdown", _compact({"e": "serverShutdown", "E": time}))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _result(value: object, number: object) -> str:
    return _compact({"result": value, "id": number})


def _error(code: int, text: str, number: object) -> str:
    return _compact({"error": {"code": code, "msg": text}, "id": number})
