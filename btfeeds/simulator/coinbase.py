"""Coinbase Exchange seen from inside: matches and heartbeats, and the REST that goes with them.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproductcandles
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from btfeeds.errors import ConfigError
from btfeeds.market import Timeframe, TimeRange, to_ms
from btfeeds.simulator.dialect import Ask, Defaults, Reply, Session, Stream, compact, stamp
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick

_NAMES = {60: "1m", 300: "5m", 900: "15m", 3600: "1h", 21600: "6h", 86400: "1d"}
_TIMEFRAMES = {seconds: Timeframe.parse(name) for seconds, name in _NAMES.items()}
_BARS, _BARS_UNASKED, _TRADES = 300, 350, 1000
_CHANNELS = ("matches", "heartbeat", "ticker", "status")
_END_OF_TIME = 1 << 62
HTML = {"Content-Type": "text/html"}


class Coinbase(Defaults):
    """One host of Coinbase Exchange with the markets it lists."""

    beat_every = 1_000
    subscribe_within = 5_000

    def __init__(self, name: str, markets: Mapping[str, Market]) -> None:
        self.markets = {f"{market.symbol.base}-{market.symbol.quote}": market for market in markets.values()}

    # --- REST -----------------------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        match ask.path.strip("/").split("/"):
            case ["time"]:
                return Reply(200, compact({"iso": stamp(ask.now, 3), "epoch": ask.now / 1000}))
            case ["currencies"]:
                names = {name for product in self.markets for name in product.split("-")}
                return Reply(200, compact([{"id": name, "name": name, "status": "online"} for name in sorted(names)]))
            case ["products"]:
                return Reply(200, compact([self._listed(product) for product in self.markets]))
            case ["products", product] if product in self.markets:
                return Reply(200, compact(self._listed(product)))
            case ["products", product, "candles"] if product in self.markets:
                return self._candles(self.markets[product], ask)
            case ["products", product, "trades"] if product in self.markets:
                return self._trades(self.markets[product], ask)
        return _error(404, "NotFound")

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        match reason:
            case "rate_limit" | "ban":
                return _error(429, "Public rate limit exceeded", {"Retry-After": str(max(retry_after, 1))})
            case "region_block":
                return Reply(403, "<html><body>It is not available in your region</body></html>", HTML)
        return Reply(503, "<html><body>Service Unavailable</body></html>", HTML)

    def _candles(self, market: Market, ask: Ask) -> Reply:
        granularity = ask.query.get("granularity", "60")
        timeframe = _TIMEFRAMES.get(int(granularity)) if granularity.isdigit() else None
        if timeframe is None or not timeframe.holds(market.timeframe):
            return _error(400, "Unsupported granularity")
        try:
            start, end = (to_ms(ask.query[name]) if name in ask.query else None for name in ("start", "end"))
        except ConfigError:
            return _error(400, "Invalid start or end")
        if start is None or end is None:
            rows = market.bars(timeframe, TimeRange(0, _END_OF_TIME), ask.seen, _BARS_UNASKED, newest=True)
        elif (end - start) // timeframe.ms > _BARS:
            what = "granularity too small for the requested time range. Count of aggregations requested exceeds"
            return _error(400, f"{what} {_BARS}")
        else:
            rows = market.bars(timeframe, TimeRange(start, end + 1), ask.seen, _BARS + 1)  # both bounds count
        bars = [market.as_bar(row) for row in reversed(rows) if row.trades]
        return Reply(200, compact([[b.open_time // 1000, b.low, b.high, b.open, b.close, b.volume] for b in bars]))

    def _trades(self, market: Market, ask: Ask) -> Reply:
        """Newest first; `after` a number means older than that."""
        texts = [ask.query.get(name, "0") for name in ("limit", "after")]
        if not all(text.isdigit() for text in texts):
            return _error(400, "Invalid limit or after")
        limit, after = min(int(texts[0]) or 100, _TRADES), int(texts[1])
        behind = min(after or _END_OF_TIME, market.trades_until(ask.seen))
        ticks = takewhile(lambda tick: tick.first_id < behind, market.ticks_from(trade=max(behind - limit, 1)))
        trades = [one for tick in ticks for one in singles(market, tick) if behind - limit <= one["trade_id"] < behind]
        headers = {"cb-before": str(behind - 1), "cb-after": str(behind - limit)}
        return Reply(200, compact([{**one, "time": stamp(one["time"])} for one in reversed(trades)]), headers)

    def _listed(self, product: str) -> dict[str, Any]:
        market = self.markets[product]
        return {
            "id": product,
            "base_currency": market.symbol.base,
            "quote_currency": market.symbol.quote,
            "quote_increment": market.price_text(1),
            "base_increment": market.volume_text(1),
            "display_name": product.replace("-", "/"),
            "min_market_funds": "1",
            "margin_enabled": False,
            "post_only": False,
            "limit_only": False,
            "cancel_only": False,
            "status": "online",
            "trading_disabled": False,
        }

    # --- connections and control messages --------------------------------------------------------------------------

    def open(self, path: str, query: str) -> Session | None:
        return Session() if path in ("", "/") else None

    def farewell(self, session: Session, time: int) -> str:
        return ""  # it says nothing of the kind

    def beat(self, session: Session) -> list[str]:
        beats = []
        for channel in session.channels:
            kind, _, product = channel.partition(":")
            if kind == "heartbeat":
                last = self.markets[product].trades_until(session.now - 1) - 1
                beats.append(compact({"type": "heartbeat", "sequence": last * 10, "last_trade_id": last,
                                      "product_id": product, "time": stamp(session.now)}))  # fmt: skip
        return beats

    def message(self, session: Session, text: str) -> list[str]:
        try:
            said = json.loads(text)
        except ValueError:
            return [_failed("Malformed JSON")]
        kind = said.get("type") if isinstance(said, dict) else None
        if kind not in ("subscribe", "unsubscribe"):
            return [_failed("Type has to be either subscribe or unsubscribe")]
        wanted: dict[str, None] = {}
        for channel in said.get("channels", []):
            name, own = channel, []
            if isinstance(channel, dict):
                name, own = channel.get("name"), channel.get("product_ids", [])
            if name not in _CHANNELS:
                return [_failed(f"{name} is not a valid channel")]
            for product in own or said.get("product_ids", []):
                if product not in self.markets:
                    return [_failed(f"{product} is not a valid product")]
                wanted[f"{name}:{product}"] = None
        new = [channel for channel in wanted if channel not in session.channels]
        for channel in wanted:
            if kind == "subscribe":
                session.channels[channel] = None
            else:
                session.channels.pop(channel, None)
        replies = [compact({"type": "subscriptions", "channels": _grouped(session)})]
        if kind == "subscribe":
            replies += [last for channel in new if (last := self._last_match(channel, session.now))]
        return replies

    def _last_match(self, channel: str, now: int) -> str:
        kind, _, product = channel.partition(":")
        market = self.markets[product]
        before = market.trades_until(now - 1) - 1
        tick = next(market.ticks_from(trade=max(before, 1)), None)
        if kind != "matches" or tick is None or tick.time >= now:
            return ""
        return _match("last_match", product, singles(market, tick)[-1])

    # --- what the streams carry ------------------------------------------------------------------------------------

    def stream(self, channel: str) -> Stream | None:
        kind, _, product = channel.partition(":")
        if kind != "matches" or product not in self.markets:
            return None
        return Stream(product, "trades", self.markets[product].timeframe)

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        raise AssertionError("it streams no bars")

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        return [_match("match", stream.symbol, one) for one in singles(self.markets[stream.symbol], tick)]


def singles(market: Market, tick: Tick) -> list[dict[str, Any]]:
    """The trades of a group, oldest first; `time` in ms."""
    each, more = divmod(tick.quantity, tick.count)
    return [
        {
            "trade_id": tick.first_id + number,
            "side": "buy" if tick.buyer_is_maker else "sell",  # the maker's
            "size": market.volume_text(each + (number < more), 8),
            "price": market.price_text(tick.price),
            "time": tick.time,
        }
        for number in range(tick.count)
    ]


def _match(kind: str, product: str, one: Mapping[str, Any]) -> str:
    number = one["trade_id"]
    orders = {"maker_order_id": _order(number), "taker_order_id": _order(number + 1)}
    said = {**one, "product_id": product, "sequence": number * 10, "time": stamp(one["time"])}
    return compact({"type": kind, **orders, **said})


def _order(number: int) -> str:
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _grouped(session: Session) -> list[dict[str, Any]]:
    products: dict[str, list[str]] = {}
    for channel in session.channels:
        name, _, product = channel.partition(":")
        products.setdefault(name, []).append(product)
    return [{"name": name, "product_ids": listed} for name, listed in products.items()]


def _failed(reason: str) -> str:
    return compact({"type": "error", "message": "Failed to subscribe", "reason": reason})


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, compact({"message": text}), headers or {})
