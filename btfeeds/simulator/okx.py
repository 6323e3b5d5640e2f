"""OKX v5 seen from inside: REST, the public and the business stream.

https://www.okx.com/docs-v5/en/#overview-websocket-connect
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-candlesticks
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-candlesticks-channel
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import Any

from btfeeds.market import Timeframe, TimeRange
from btfeeds.simulator.dialect import Ask, Defaults, Reply, Session, Stream
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick

BARS = {name: Timeframe.parse(name) for name in ("1s", "1m", "3m", "5m", "15m", "30m")}
BARS |= {f"{hours}H": Timeframe.parse(f"{hours}h") for hours in (1, 2, 4)}
_BY_UTC = {"6H": "6h", "12H": "12h", "1D": "1d", "1W": "1w", "1M": "1M"}
BARS |= {f"{name}utc": Timeframe.parse(ours) for name, ours in _BY_UTC.items()}
_NEWEST = 1440  # bars that /market/candles knows
_RATES = {"/api/v5/market/candles": 40, "/api/v5/market/history-candles": 20}  # requests in 2 s
_END_OF_TIME = 1 << 62
_CHANNEL = re.compile(r"(?:candle(\w+)|(trades|trades-all)):(\S+)")
_CONNECTION = "a4d3ae55"


class OKX(Defaults):
    """OKX with the markets it lists."""

    messages_per_second = 500
    idle_within = 30_000

    def __init__(self, name: str, markets: Mapping[str, Market]) -> None:
        self.markets = markets
        self._keys = {_instrument(market): key for key, market in markets.items()}
        self._asked: dict[str, deque[int]] = {path: deque() for path in _RATES}

    # --- REST -----------------------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        if asked := self._asked.get(ask.path):
            while asked and asked[0] <= ask.now - 2_000:
                asked.popleft()
        if ask.path in _RATES:
            self._asked[ask.path].append(ask.now)
            if len(self._asked[ask.path]) > _RATES[ask.path]:
                return self.refuse("rate_limit", 2, ask.now)
        match ask.path:
            case "/api/v5/public/time":
                return _good([{"ts": str(ask.now)}])
            case "/api/v5/public/instruments":
                kind = ask.query.get("instType", "")
                return _good([self._listed(name) for name in self._keys if _kind(name) == kind])
            case "/api/v5/market/candles" | "/api/v5/market/history-candles" | "/api/v5/market/trades":
                key = self._keys.get(ask.query.get("instId", ""))
                if key is None:
                    return _bad("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
                if ask.path.endswith("trades"):
                    return _good(self._trades(ask, self.markets[key]))
                return self._candles(ask, self.markets[key])
        return Reply(404, '{"code":"404","data":{},"detailMsg":"","error_code":"404","msg":"URL not found"}')

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        match reason:
            case "rate_limit" | "ban":
                return Reply(429, _compact({"code": "50011", "data": [], "msg": "Too Many Requests"}))
            case "region_block":
                return Reply(451, "<html><body>Service unavailable in your region</body></html>")
        body = {"code": "50001", "data": [], "msg": "Service temporarily unavailable. Try again later"}
        return Reply(503, _compact(body))

    def _candles(self, ask: Ask, market: Market) -> Reply:
        timeframe = BARS.get(ask.query.get("bar", "1m"))
        numbers = [ask.query.get(name, "") for name in ("before", "after", "limit")]
        if timeframe is None or not timeframe.holds(market.timeframe):
            return _bad("51000", "Parameter bar error")
        if any(not re.fullmatch(r"\d{0,17}", text) for text in numbers):
            return _bad("51000", "Parameter before error")
        newer, older, limit = (int(text) if text else None for text in numbers)
        span = TimeRange(0 if newer is None else newer + 1, _END_OF_TIME if older is None else older)  # both exclude
        known = [time for time in market.opens(timeframe) if time <= ask.seen]
        if ask.path.endswith("history-candles"):
            span = TimeRange(span.start, min(span.end, known[-1] if known else 0))  # finished bars only
        elif len(known) > _NEWEST:
            span = TimeRange(max(span.start, known[-_NEWEST]), span.end)
        rows = market.bars(timeframe, span, ask.seen, min(limit or 100, 300), newest=True)
        return _good([self._row(market, row, row.close_time <= ask.seen) for row in reversed(rows)])

    def _row(self, market: Market, row: Row, closed: bool) -> list[str]:
        price, volume, turnover = market.price_text, market.volume_text(row.volume), market.turnover_text(row.turnover)
        prices = [price(row.open), price(row.high), price(row.low), price(row.close)]
        if market.symbol.partition(":")[2]:  # contracts (of one coin each), coins, quote
            return [str(row.open_time), *prices, volume, volume, turnover, "1" if closed else "0"]
        return [str(row.open_time), *prices, volume, turnover, turnover, "1" if closed else "0"]

    def _trades(self, ask: Ask, market: Market) -> list[dict[str, Any]]:
        most = min(int(ask.query.get("limit", "100")), 500)
        ticks = islice(market.ticks_from(group=market.groups_until(ask.seen) - most), most)
        return [self._trade(market, tick) for tick in reversed([tick for tick in ticks if tick.time <= ask.seen])]

    def _trade(self, market: Market, tick: Tick) -> dict[str, Any]:
        return {
            "instId": _instrument(market), "tradeId": str(tick.last_id), "px": market.price_text(tick.price),
            "sz": market.volume_text(tick.quantity), "side": "sell" if tick.buyer_is_maker else "buy",
            "ts": str(tick.time),
        }  # fmt: skip

    def _listed(self, name: str) -> dict[str, str]:
        market = self.markets[self._keys[name]]
        base, quote, settle = market.symbol.base, market.symbol.quote, market.symbol.partition(":")[2]
        return {
            "instId": name, "instType": _kind(name), "baseCcy": "" if settle else base,
            "quoteCcy": "" if settle else quote, "settleCcy": settle, "uly": f"{base}-{quote}" if settle else "",
            "ctVal": "1" if settle else "", "ctMult": "1",
            "ctValCcy": base if settle else "", "ctType": "linear" if settle == quote else "inverse" if settle else "",
            "state": "live", "tickSz": market.price_text(1), "lotSz": market.volume_text(1),
            "minSz": market.volume_text(1), "lever": "10", "listTime": str(market.start), "expTime": "",
        }  # fmt: skip

    # --- connections and control messages --------------------------------------------------------------------------

    def open(self, path: str, query: str) -> Session | None:
        return Session() if path in ("/ws/v5/public", "/ws/v5/business") else None

    def message(self, session: Session, text: str) -> list[str]:
        if text == "ping":
            return ["pong"]
        try:
            message = json.loads(text)
            op, args, number = message["op"], message["args"], message.get("id")
            names = [f"{arg['channel']}:{arg['instId']}" for arg in args]
        except (ValueError, KeyError, TypeError, AttributeError):
            return [_error("60012", f"Illegal request: {text[:100]}", None)]
        if op not in ("subscribe", "unsubscribe"):
            return [_error("60012", f"Illegal request: {text[:100]}", number)]
        replies = []
        for name, arg in zip(names, args, strict=True):
            if self.stream(name) is None or self._elsewhere(session, name):
                told = ",".join(f"{key}:{value}" for key, value in arg.items())
                why = f"Subscribe failed, wrong URL or {told} doesn't exist. Please use the correct URL, channel and "
                replies.append(_error("60018", f"{why}parameters referring to API document.", number))
                continue
            if op == "subscribe":
                session.channels[name] = None
            else:
                session.channels.pop(name, None)
            told_number = {} if number is None else {"id": number}
            replies.append(_compact({**told_number, "event": op, "arg": arg, "connId": _CONNECTION}))
        return replies

    def _elsewhere(self, session: Session, name: str) -> bool:
        """Bars and single trades are on /business alone, groups of trades on /public."""
        business = name.startswith(("candle", "trades-all"))
        return session.path != "" and business != session.path.endswith("/business")

    # --- what the streams carry ------------------------------------------------------------------------------------

    def stream(self, channel: str) -> Stream | None:
        match = _CHANNEL.fullmatch(channel)
        key = self._keys.get(match[3]) if match else None
        if not match or key is None:
            return None
        market = self.markets[key]
        if match[2]:
            return Stream(key, "trades" if match[2] == "trades-all" else "groups", market.timeframe)
        timeframe = BARS.get(match[1])
        return Stream(key, "bars", timeframe) if timeframe and timeframe.holds(market.timeframe) else None

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        market = self.markets[stream.symbol]
        name = next(name for name, timeframe in BARS.items() if timeframe == stream.timeframe)
        return _data(f"candle{name}", market, self._row(market, row, closed))

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        market = self.markets[stream.symbol]
        if stream.kind == "groups":
            more = {"count": str(tick.count), "source": "0", "seqId": tick.group}
            return [_data("trades", market, {**self._trade(market, tick), **more})]
        each, rest = divmod(tick.quantity, tick.count)
        return [
            _data("trades-all", market, {
                **self._trade(market, tick), "tradeId": str(tick.first_id + number),
                "sz": market.volume_text(each + (number < rest)), "source": "0",
            })
            for number in range(tick.count)
        ]  # fmt: skip

    def farewell(self, session: Session, time: int) -> str:
        text = "The connection will soon be closed for a service upgrade. Please reconnect."
        return _compact({"event": "notice", "code": "64008", "msg": text, "connId": _CONNECTION})


def _instrument(market: Market) -> str:
    symbol = market.symbol
    return f"{symbol.base}-{symbol.quote}" + ("-SWAP" if symbol.partition(":")[2] else "")


def _kind(name: str) -> str:
    return "SWAP" if name.endswith("-SWAP") else "SPOT"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _data(channel: str, market: Market, row: object) -> str:
    return _compact({"arg": {"channel": channel, "instId": _instrument(market)}, "data": [row]})


def _good(data: object) -> Reply:
    return Reply(200, _compact({"code": "0", "msg": "", "data": data}))


def _bad(code: str, text: str) -> Reply:
    return Reply(400 if code == "51000" else 200, _compact({"code": code, "data": [], "msg": text}))


def _error(code: str, text: str, number: object) -> str:
    told = {} if number is None else {"id": number}
    return _compact({**told, "event": "error", "code": code, "msg": text, "connId": _CONNECTION})
