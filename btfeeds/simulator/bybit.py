"""Bybit v5 seen from inside: one category of it, REST and streams.

https://bybit-exchange.github.io/docs/v5/ws/connect
https://bybit-exchange.github.io/docs/v5/market/kline
https://bybit-exchange.github.io/docs/v5/rate-limit
"""

from __future__ import annotations

import json
import re
import uuid
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import Any

from btfeeds.market import Timeframe, TimeRange
from btfeeds.simulator.dialect import Ask, Defaults, Reply, Session, Stream
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick

_NAMES = {"D": "1d", "W": "1w", "M": "1M", "60": "1h", "120": "2h", "240": "4h", "360": "6h", "720": "12h"}
INTERVALS = {
    name: Timeframe.parse(_NAMES.get(name, f"{name}m"))
    for name in ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M")
}
_CATEGORIES = {"bybit": "spot", "bybitlinear": "linear", "bybitinverse": "inverse"}
_TOPIC = re.compile(r"kline\.(\w+)\.(\w+)|publicTrade\.(\w+)")
_END_OF_TIME = 1 << 62
_REQUESTS, _WITHIN, _BAN_MS = 600, 5_000, 600_000  # requests of an address, and how long it is sent away


class Bybit(Defaults):
    """One category of Bybit with the markets it lists."""

    messages_per_second = 500
    update_every = 1000

    def __init__(self, name: str, markets: Mapping[str, Market]) -> None:
        self.category = _CATEGORIES[name]
        self.markets = markets
        self._asked: deque[int] = deque()
        self._banned_until = 0

    # --- REST -----------------------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        while self._asked and self._asked[0] <= ask.now - _WITHIN:
            self._asked.popleft()
        self._asked.append(ask.now)
        if len(self._asked) > _REQUESTS:
            self._banned_until = ask.now + _BAN_MS
        if ask.now < self._banned_until:
            return self.refuse("ban", (self._banned_until - ask.now) // 1000, ask.now)
        query, category = ask.query, ask.query.get("category", "spot")
        match ask.path:
            case "/v5/market/time":
                return _good({"timeSecond": str(ask.now // 1000), "timeNano": str(ask.now * 1_000_000)}, ask.now)
            case "/v5/market/instruments-info":
                listed = [self._instrument(name) for name in self.markets] if category == self.category else []
                return _good({"category": category, "list": listed, "nextPageCursor": ""}, ask.now)
            case "/v5/market/kline" | "/v5/market/recent-trade":
                market = self.markets.get(query.get("symbol", "")) if category == self.category else None
                if market is None:
                    return _bad(10001, "Not supported symbols", ask.now)
                rows = self._klines(ask, market) if ask.path.endswith("kline") else self._recent(ask, market)
                if isinstance(rows, str):
                    return _bad(10001, rows, ask.now)
                return _good({"category": category, "symbol": query["symbol"], "list": rows}, ask.now)
        return Reply(404, "404 page not found", {"Content-Type": "text/plain"})

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        match reason:
            case "rate_limit":  # an answer like others, but for its code
                reset = str(now + retry_after * 1000)
                headers = {"X-Bapi-Limit": "600", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": reset}
                return Reply(200, _bad(10006, "Too many visits!", now).body, headers)
            case "ban":
                return Reply(403, "<html><body>access too frequent</body></html>", {"Content-Type": "text/html"})
            case "region_block":
                body = "<html><body>The Amazon CloudFront distribution is configured to block access from your country."
                return Reply(403, body, {"Content-Type": "text/html"})
        return Reply(503, "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>")

    def _klines(self, ask: Ask, market: Market) -> list[list[str]] | str:
        timeframe = INTERVALS.get(ask.query.get("interval", ""))
        numbers = {name: ask.query.get(name, "") for name in ("start", "end", "limit")}
        if timeframe is None or not timeframe.holds(market.timeframe):
            return "Invalid period!"
        if any(not re.fullmatch(r"\d{0,17}", text) for text in numbers.values()):
            return "params error: invalid number"
        start = timeframe.floor(int(numbers["start"] or 0))  # the bar in which it lies counts
        end = int(numbers["end"]) + 1 if numbers["end"] else _END_OF_TIME
        limit = min(int(numbers["limit"] or 200), 1000) or 200
        # between both bounds the newest come; from a start alone the oldest
        newest = bool(numbers["end"]) or not numbers["start"]
        rows = market.bars(timeframe, TimeRange(start, end), ask.seen, limit, newest=newest)
        price, volume = market.price_text, market.volume_text
        return [
            [
                str(row.open_time), price(row.open), price(row.high), price(row.low), price(row.close),
                volume(row.volume), market.turnover_text(row.turnover),
            ]
            for row in reversed(rows)
        ]  # fmt: skip

    def _recent(self, ask: Ask, market: Market) -> list[dict[str, Any]]:
        most = min(int(ask.query.get("limit", "60")), 60 if self.category == "spot" else 1000)
        latest = islice(market.ticks_from(group=market.groups_until(ask.seen) - most), most)
        ticks = [tick for tick in latest if tick.time <= ask.seen]
        return [
            {
                "execId": _uuid(tick), "symbol": ask.query["symbol"], "price": market.price_text(tick.price),
                "size": market.volume_text(tick.quantity), "side": _side(tick), "time": str(tick.time),
                "isBlockTrade": False, "isRPITrade": False, "seq": str(tick.group),
            }
            for tick in reversed(ticks)
        ]  # fmt: skip

    def _instrument(self, name: str) -> dict[str, Any]:
        market = self.markets[name]
        tick, step = market.price_text(1), market.volume_text(1)
        lot = {"basePrecision": step, "quotePrecision": tick, "qtyStep": step, "minOrderQty": step, "minOrderAmt": "1",
               "maxOrderQty": "1000", "maxOrderAmt": "1000000"}  # fmt: skip
        known = {
            "symbol": name, "baseCoin": market.symbol.base, "quoteCoin": market.symbol.quote, "status": "Trading",
            "lotSizeFilter": lot, "priceFilter": {"tickSize": tick},
        }  # fmt: skip
        if self.category == "spot":
            return {**known, "innovation": "0", "marginTrading": "none"}
        linear = self.category == "linear"
        return {
            **known, "contractType": "LinearPerpetual" if linear else "InversePerpetual",
            "settleCoin": market.symbol.quote if linear else market.symbol.base, "launchTime": str(market.start),
            "deliveryTime": "0", "priceScale": str(market.price_digits), "fundingInterval": 480,
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "100", "leverageStep": "0.01"},
        }  # fmt: skip

    # --- connections and control messages --------------------------------------------------------------------------

    def open(self, path: str, query: str) -> Session | None:
        return Session() if path == f"/v5/public/{self.category}" else None

    def message(self, session: Session, text: str) -> list[str]:
        try:
            message = json.loads(text)
            op, number = message["op"], str(message.get("req_id", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return [_reply(False, "error:request format invalid", "", "")]
        if op == "ping":  # spot and contracts answer differently
            return [_reply(True, "pong", number if self.category == "spot" else "", "ping")]
        args = message.get("args", [])
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list):
            return [_reply(False, f"error:op not found,op:{op}", number, str(op))]
        if self.category == "spot" and len(args) > 10:
            return [_reply(False, "args size >10", number, op)]
        for topic in args:  # one bad topic fails them all
            if not isinstance(topic, str) or self.stream(topic) is None:
                return [_reply(False, f"error:handler not found,topic:{topic}", "", op)]
        if op == "subscribe":
            session.channels.update(dict.fromkeys(args))
        else:
            for topic in args:
                session.channels.pop(topic, None)
        return [_reply(True, "subscribe" if self.category == "spot" else "", number, op)]

    # --- what the streams carry ------------------------------------------------------------------------------------

    def stream(self, channel: str) -> Stream | None:
        match = _TOPIC.fullmatch(channel)
        market = self.markets.get(match[2] or match[3]) if match else None
        if not match or not market:
            return None
        if match[3]:
            return Stream(match[3], "groups", market.timeframe)
        timeframe = INTERVALS.get(match[1])
        if timeframe is None or not timeframe.holds(market.timeframe):
            return None
        return Stream(match[2], "bars", timeframe)

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        market = self.markets[stream.symbol]
        interval = next(name for name, timeframe in INTERVALS.items() if timeframe == stream.timeframe)
        price = market.price_text
        bar = {
            "start": row.open_time, "end": row.close_time - 1, "interval": interval, "open": price(row.open),
            "close": price(row.close), "high": price(row.high), "low": price(row.low),
            "volume": market.volume_text(row.volume), "turnover": market.turnover_text(row.turnover),
            "confirm": closed, "timestamp": min(time, row.close_time - 1),
        }  # fmt: skip
        return _compact({"topic": f"kline.{interval}.{stream.symbol}", "data": [bar], "ts": time, "type": "snapshot"})

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        market = self.markets[stream.symbol]
        trade = {
            "T": tick.time, "s": stream.symbol, "S": _side(tick), "v": market.volume_text(tick.quantity),
            "p": market.price_text(tick.price), "i": _uuid(tick), "BT": False, "RPI": False, "seq": tick.group,
        }  # fmt: skip
        return [_compact({"topic": f"publicTrade.{stream.symbol}", "type": "snapshot", "ts": time, "data": [trade]})]

    def farewell(self, session: Session, time: int) -> str:
        return ""  # it says nothing


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _good(result: object, now: int) -> Reply:
    return Reply(200, _compact({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now}))


def _bad(code: int, text: str, now: int) -> Reply:
    return Reply(200, _compact({"retCode": code, "retMsg": text, "result": {}, "retExtInfo": {}, "time": now}))


def _reply(good: bool, text: str, number: str, op: str) -> str:
    told = {"success": good, "ret_msg": text, "conn_id": "cejreaspqfm9se7usbrg-2xh", "req_id": number, "op": op}
    return _compact(told)


def _side(tick: Tick) -> str:
    return "Sell" if tick.buyer_is_maker else "Buy"


def _uuid(tick: Tick) -> str:
    return str(uuid.UUID(int=tick.group))
