"""Coinbase Advanced Trade seen from inside: candles of 5 minutes, trades, heartbeats, and the public REST.

Every frame of a connection is numbered; a subscription is confirmed behind its first data; products quoted in USDC
stream under the name of their book in USD.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public/get-public-product-candles
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from btfeeds.market import Timeframe, TimeRange
from btfeeds.simulator.coinbase import HTML, singles
from btfeeds.simulator.dialect import Ask, Defaults, Reply, Session, Stream, compact, stamp
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick

_CANDLE = Timeframe.parse("5m")
_TIMEFRAMES = {
    "ONE_MINUTE": "1m", "FIVE_MINUTE": "5m", "FIFTEEN_MINUTE": "15m", "THIRTY_MINUTE": "30m", "ONE_HOUR": "1h",
    "TWO_HOUR": "2h", "FOUR_HOUR": "4h", "SIX_HOUR": "6h", "ONE_DAY": "1d",
}  # fmt: skip
_BARS, _TRADES, _SNAPSHOT_TRADES, _SNAPSHOT_BARS = 350, 100, 50, 10
_END_OF_TIME = 1 << 62
_MARKET = "/api/v3/brokerage/market/products"


class CoinbaseAdvanced(Defaults):
    """Advanced Trade with the markets it lists."""

    beat_every = 1_000
    subscribe_within = 5_000
    messages_per_second = 8
    closed_after = 1_100  # candles are sent once a second: the first one behind its end is a second late

    def __init__(self, name: str, markets: Mapping[str, Market]) -> None:
        self.markets = {_book(f"{market.symbol.base}-{market.symbol.quote}"): market for market in markets.values()}
        self._beats = 0

    # --- REST -----------------------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        if ask.path == "/api/v3/brokerage/time":
            seconds = ask.now // 1000
            return _good({"iso": stamp(ask.now), "epochSeconds": str(seconds), "epochMillis": str(ask.now)})
        if ask.path.startswith("/v2/"):
            return _good({"data": {"currency": "USD", "rates": {}} if ask.path.endswith("exchange-rates") else []})
        if ask.path == _MARKET:
            products = [self._listed(product) for product in self.markets]
            return _good({"products": products, "num_products": len(products)})
        product, _, what = ask.path.removeprefix(f"{_MARKET}/").partition("/")
        market = self.markets.get(_book(product))
        if not ask.path.startswith(_MARKET) or market is None or what not in ("", "candles", "ticker"):
            return _bad(404, "NOT_FOUND", "valid product_id is required")
        if what == "candles":
            return self._candles(market, ask)
        return _good(self._ticker(market, ask) if what else self._listed(_book(product)))

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        match reason:
            case "rate_limit" | "ban":
                body = {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}
                return Reply(429, compact(body), {"Retry-After": str(max(retry_after, 1))})
            case "region_block":
                return Reply(403, "<html><body>It is not available in your region</body></html>", HTML)
        return Reply(502, "<html><body>Bad Gateway</body></html>", HTML)

    def _candles(self, market: Market, ask: Ask) -> Reply:
        name = _TIMEFRAMES.get(ask.query.get("granularity", ""))
        start, end = (ask.query.get(bound, "") for bound in ("start", "end"))
        if name is None or not start.isdigit() or not end.isdigit():
            return _bad(400, "INVALID_ARGUMENT", "granularity, start and end are required")
        timeframe = Timeframe.parse(name)
        span = TimeRange(int(start) * 1000, int(end) * 1000 + 1)  # both bounds count
        if timeframe.count_in(span) > _BARS:
            what = "start and end argument is invalid - number of candles requested should be less than 350"
            return _bad(400, "INVALID_ARGUMENT", what)
        rows = market.bars(timeframe, span, ask.seen, _BARS) if timeframe.holds(market.timeframe) else []
        return _good({"candles": [_candle(market, row) for row in reversed(rows) if row.trades]})

    def _ticker(self, market: Market, ask: Ask) -> dict[str, Any]:
        limit = min(int(ask.query.get("limit", _TRADES)), _TRADES)
        return {"trades": self._newest(market, ask.seen, limit), "best_bid": "", "best_ask": ""}

    def _newest(self, market: Market, now: int, limit: int) -> list[dict[str, Any]]:
        first = max(market.trades_until(now) - limit, 1)
        ticks = takewhile(lambda tick: tick.time <= now, market.ticks_from(trade=first))
        return list(reversed([one for tick in ticks for one in self._singles(market, tick)][-limit:]))

    def _listed(self, product: str) -> dict[str, Any]:
        market = self.markets[product]
        base, quote = market.symbol.base, market.symbol.quote
        return {
            "product_id": f"{base}-{quote}",
            "price": "",
            "base_increment": market.volume_text(1),
            "quote_increment": market.price_text(1),
            "price_increment": market.price_text(1),
            "quote_min_size": "1",
            "quote_max_size": "150000000",
            "base_min_size": market.volume_text(1),
            "base_max_size": "3400",
            "base_name": base,
            "quote_name": quote,
            "status": "online",
            "trading_disabled": False,
            "product_type": "SPOT",
            "quote_currency_id": quote,
            "base_currency_id": base,
            "display_name": f"{base}-{quote}",
        }

    # --- connections and control messages --------------------------------------------------------------------------

    def open(self, path: str, query: str) -> Session | None:
        return Session() if path in ("", "/") else None

    def farewell(self, session: Session, time: int) -> str:
        return ""  # it says nothing of the kind

    def beat(self, session: Session) -> list[str]:
        if "heartbeats:heartbeats" not in session.channels:
            return []
        self._beats += 1
        text = stamp(session.now, 9)[:-1].replace("T", " ")
        beat = {"current_time": f"{text} +0000 UTC m=+{session.now % 10**9}.0", "heartbeat_counter": self._beats}
        return [self._said(session, "heartbeats", session.now, [beat])]

    def message(self, session: Session, text: str) -> list[str]:
        try:
            said = json.loads(text)
        except ValueError:
            return [compact({"type": "error", "message": "malformed JSON"})]
        kind, name = (said.get("type"), said.get("channel")) if isinstance(said, dict) else (None, None)
        if kind not in ("subscribe", "unsubscribe") or name not in ("heartbeats", "candles", "market_trades"):
            return [compact({"type": "error", "message": "failure to subscribe"})]
        products = ["heartbeats"] if name == "heartbeats" else list(map(_book, said.get("product_ids", [])))
        if name != "heartbeats" and not all(self.stream(f"{name}:{product}") for product in products):
            return [compact({"type": "error", "message": "failure to subscribe"})]
        replies = []
        for channel in (f"{name}:{product}" for product in products):
            if kind == "unsubscribe":
                session.channels.pop(channel, None)
            elif channel not in session.channels:
                session.channels[channel] = None
                replies += self._snapshot(session, channel)
        listed: dict[str, list[str]] = {}
        for channel in session.channels:
            listed.setdefault(channel.partition(":")[0], []).append(channel.partition(":")[2])
        return [*replies, self._said(session, "subscriptions", session.now, [{"subscriptions": listed}])]

    def _snapshot(self, session: Session, channel: str) -> list[str]:
        stream, now = self.stream(channel), session.now - 1
        if stream is None:
            return []
        market = self.markets[stream.symbol]
        if stream.kind == "trades":
            event: dict[str, Any] = {"type": "snapshot", "trades": self._newest(market, now, _SNAPSHOT_TRADES)}
            return [self._said(session, "market_trades", session.now, [event])]
        rows = market.bars(_CANDLE, TimeRange(0, _END_OF_TIME), now, _SNAPSHOT_BARS, newest=True)
        candles = [{**_candle(market, row), "product_id": stream.symbol} for row in reversed(rows) if row.trades]
        return [self._said(session, "candles", session.now, [{"type": "snapshot", "candles": candles}])]

    # --- what the streams carry ------------------------------------------------------------------------------------

    def stream(self, channel: str) -> Stream | None:
        kind, _, product = channel.partition(":")
        market = self.markets.get(product)
        if market is None:
            return None
        if kind == "market_trades":
            return Stream(product, "trades", market.timeframe)
        return Stream(product, "bars", _CANDLE) if kind == "candles" and _CANDLE.holds(market.timeframe) else None

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        candle = {**_candle(self.markets[stream.symbol], row), "product_id": stream.symbol}
        return _frame("candles", time, [{"type": "update", "candles": [candle]}])

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        trades = self._singles(self.markets[stream.symbol], tick)[::-1]  # newest first
        return [_frame("market_trades", time, [{"type": "update", "trades": trades}])]

    def _singles(self, market: Market, tick: Tick) -> list[dict[str, Any]]:
        product = _book(f"{market.symbol.base}-{market.symbol.quote}")
        return [
            {**one, "product_id": product, "trade_id": str(one["trade_id"]), "side": one["side"].upper(),
             "time": stamp(one["time"])}
            for one in singles(market, tick)
        ]  # fmt: skip

    def wrap(self, session: Session, channel: str, text: str) -> str:
        number, session.sequence = session.sequence, session.sequence + 1
        return f'{text[:-1]},"sequence_num":{number}}}'

    def _said(self, session: Session, channel: str, time: int, events: list[Any]) -> str:
        return self.wrap(session, channel, _frame(channel, time, events))


def _book(product: str) -> str:
    return re.sub("-USDC$", "-USD", product)


def _frame(channel: str, time: int, events: list[Any]) -> str:
    return compact({"channel": channel, "timestamp": stamp(time, 9), "events": events})


def _candle(market: Market, row: Row) -> dict[str, str]:
    prices = {name: market.price_text(getattr(row, name)) for name in ("low", "high", "open", "close")}
    return {"start": str(row.open_time // 1000), **prices, "volume": market.volume_text(row.volume)}


def _good(value: object) -> Reply:
    return Reply(200, compact(value))


def _bad(status: int, error: str, text: str) -> Reply:
    return Reply(status, compact({"error": error, "error_details": text, "message": text}))
