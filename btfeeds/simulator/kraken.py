"""Kraken seen from inside: WebSocket v2, and the public REST that goes with it.

A bar is sent with its trades and never as closed; a subscription begins with a snapshot, which skips minutes without
trades. REST has flat rows for them, gives the newest 720 bars and no older ones, and says no in answers of HTTP 200.

https://docs.kraken.com/api/docs/websocket-v2/ohlc
https://docs.kraken.com/api/docs/rest-api/get-ohlc-data
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from btfeeds.market import Timeframe, TimeRange
from btfeeds.simulator.dialect import Ask, Defaults, Reply, Session, Stream, compact, stamp
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick

_INTERVALS = {1: "1m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d"}
_TIMEFRAMES = {minutes: Timeframe.parse(name) for minutes, name in _INTERVALS.items()}
_ROWS, _SNAPSHOT, _TRADES = 720, 10, 1000
_END_OF_TIME = 1 << 62
_REST_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
_OLD_COINS, _OLD_MONEY = {"XBT", "ETH", "LTC", "XRP", "XLM", "ETC", "XMR", "ZEC", "XDG"}, {"USD", "EUR", "GBP", "CAD"}
_CONNECTION_ID = 16_174_536_464_690_282_295  # more than a signed integer of 64 bits holds
_HTML = {"Content-Type": "text/html"}


class Kraken(Defaults):
    """One host of Kraken with the markets it lists."""

    flags = False
    beat_every = 1_000

    def __init__(self, name: str, markets: Mapping[str, Market]) -> None:
        self.markets = {f"{market.symbol.base}/{market.symbol.quote}": market for market in markets.values()}
        self._pairs = {_id(symbol): symbol for symbol in self.markets}
        self._spellings = {
            spelling.replace("/", ""): name
            for name, symbol in self._pairs.items()
            for spelling in (name, symbol, _alternative(symbol))
        }

    # --- REST -----------------------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        match ask.path.removeprefix("/0/public/"):
            case "OHLC":
                return self._about_a_pair(ask, self._bars)
            case "Trades":
                return self._about_a_pair(ask, self._trades)
            case "AssetPairs":
                return _result({name: self._listed(name) for name in self._pairs})
            case "Assets":
                names = {part for symbol in self.markets for part in _alternative(symbol).split("/")}
                about = {"aclass": "currency", "decimals": 10}
                return _result({name: {**about, "altname": name} for name in sorted(names)})
            case "Time":
                return _result({"unixtime": ask.now // 1000})
            case "SystemStatus":
                return _result({"status": "online", "timestamp": stamp(ask.now, 0)})
        return _error("EGeneral:Unknown method")

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        match reason:
            case "rate_limit":
                return _error("EGeneral:Too many requests")
            case "ban":
                headers = {**_HTML, "Retry-After": str(max(retry_after, 1))}
                return Reply(429, "<html><body>error code: 1015</body></html>", headers)
            case "region_block":
                return Reply(403, "<html><body>This service is not available in your country</body></html>", _HTML)
        return Reply(520, "<html><body>Web server is returning an unknown error</body></html>", _HTML)

    def _about_a_pair(self, ask: Ask, make: Any) -> Reply:
        pair = self._spellings.get(ask.query.get("pair", "").upper().replace("/", ""))
        if pair is None:
            return _error("EQuery:Unknown asset pair")
        since = ask.query.get("since", "0")
        if not since.isdigit():
            return _error("EGeneral:Invalid arguments")
        made = make(self.markets[self._pairs[pair]], ask, int(since))
        return _error("EGeneral:Invalid arguments") if made is None else _result({pair: made[0], "last": made[1]})

    def _bars(self, market: Market, ask: Ask, since: int) -> tuple[list[Any], int] | None:
        interval = ask.query.get("interval", "1")
        timeframe = _TIMEFRAMES.get(int(interval)) if interval.isdigit() else None
        if timeframe is None or not timeframe.holds(market.timeframe):
            return None
        rows = market.bars(timeframe, TimeRange(0, _END_OF_TIME), ask.seen, _ROWS, newest=True)
        committed = [row.open_time for row in rows if row.close_time <= ask.seen]
        listed = [
            [
                row.open_time // 1000,
                *(market.price_text(price) for price in (row.open, row.high, row.low, row.close)),
                str(_average(market, row)),
                market.volume_text(row.volume, 8),
                row.trades,
            ]
            for row in rows
            if row.open_time // 1000 > since
        ]
        return listed, (committed[-1] // 1000 if committed else 0)

    def _trades(self, market: Market, ask: Ask, since: int) -> tuple[list[Any], str] | None:
        count = min(int(ask.query.get("count", _TRADES)), _TRADES)
        if since:
            ticks = market.ticks_between(since // 1_000_000, ask.seen + 1)
        else:
            ticks = (t for t in market.ticks_from(trade=market.trades_until(ask.seen) - count) if t.time <= ask.seen)
        chosen = list(islice((trade for trade in chain.from_iterable(map(_single, ticks)) if trade[0] > since), count))
        listed = [
            [
                market.price_text(tick.price),
                market.volume_text(quantity, 8),
                time / 1e9,
                "s" if tick.buyer_is_maker else "b",
                "m",
                "",
                number,
            ]
            for time, tick, quantity, number in chosen
        ]
        return listed, str(chosen[-1][0] if chosen else since)

    def _listed(self, name: str) -> dict[str, Any]:
        symbol = self._pairs[name]
        market, alternative = self.markets[symbol], _alternative(symbol)
        base, quote = alternative.split("/")
        return {
            "altname": alternative.replace("/", ""),
            "wsname": alternative,
            "aclass_base": "currency",
            "base": f"X{base}" if name.startswith(f"X{base}Z") else base,
            "aclass_quote": "currency",
            "quote": f"Z{quote}" if name.endswith(f"Z{quote}") else quote,
            "pair_decimals": market.price_digits,
            "lot_decimals": market.volume_digits,
            "lot_multiplier": 1,
            "leverage_buy": [],
            "leverage_sell": [],
            "fees": [[0, 0.4]],
            "fees_maker": [[0, 0.25]],
            "ordermin": "0.0001",
            "costmin": "0.5",
            "tick_size": market.price_text(1),
            "status": "online",
        }

    # --- connections and control messages --------------------------------------------------------------------------

    def open(self, path: str, query: str) -> Session | None:
        return Session() if path.rstrip("/") == "/v2" else None

    def greet(self, session: Session) -> list[str]:
        return [_status("online")]

    def beat(self, session: Session) -> list[str]:
        return ['{"channel":"heartbeat"}'] if session.channels else []

    def farewell(self, session: Session, time: int) -> str:
        return _status("maintenance")

    def message(self, session: Session, text: str) -> list[str]:
        times = {"time_in": stamp(session.now), "time_out": stamp(session.now)}
        try:
            said = json.loads(text)
        except ValueError:
            return [compact({"error": "Malformed request", "success": False, **times})]
        said = said if isinstance(said, dict) else {}
        number = {"req_id": said["req_id"]} if "req_id" in said else {}
        method, params = said.get("method"), said.get("params")
        if method == "ping":
            return [compact({"method": "pong", **number, **times})]
        if method not in ("subscribe", "unsubscribe") or not isinstance(params, dict):
            return [compact({"error": "Malformed request", "success": False, **number, **times})]
        replies = []
        for symbol in params.get("symbol", []):
            # one answer for each symbol
            replies += self._one(session, method, params, symbol, {**times, **number})
        return replies

    def _one(self, session: Session, method: str, params: Mapping[str, Any], symbol: str, more: Any) -> list[str]:
        kind, interval = params.get("channel"), params.get("interval", 1)
        channel = f"ohlc-{interval}:{symbol}" if kind == "ohlc" else f"{kind}:{symbol}"
        problem = ""
        if symbol not in self.markets:
            problem = f"Currency pair not supported {symbol}"
        elif self.stream(channel) is None:
            problem = "Event(s) not found" if kind != "ohlc" else "Subscription ohlc interval not supported"
        elif (channel in session.channels) == (method == "subscribe"):
            problem = "Already subscribed" if method == "subscribe" else "Subscription Not Found"
        if problem:
            return [compact({"error": problem, "method": method, "success": False, "symbol": symbol, **more})]
        result: dict[str, Any] = {"channel": kind, "snapshot": bool(params.get("snapshot", kind == "ohlc"))}
        if kind == "ohlc":
            result |= {"interval": interval, "warnings": ["timestamp is deprecated, use interval_begin"]}
        ack = compact({"method": method, "result": {**result, "symbol": symbol}, "success": True, **more})
        if method == "unsubscribe":
            session.channels.pop(channel)
            return [ack]
        session.channels[channel] = None
        snapshot = self._snapshot(channel, session.now) if result["snapshot"] else ""
        return [ack, snapshot] if snapshot else [ack]

    def _snapshot(self, channel: str, now: int) -> str:
        stream = self.stream(channel)
        assert stream
        market = self.markets[stream.symbol]
        if stream.kind == "bars":
            rows = market.bars(stream.timeframe, TimeRange(0, _END_OF_TIME), now - 1, _SNAPSHOT, newest=True)
            data = [self._row(stream, row) for row in rows if row.trades]
            return compact({"channel": "ohlc", "type": "snapshot", "timestamp": stamp(now, 9), "data": data})
        ticks = market.ticks_from(trade=market.trades_until(now - 1) - 50)
        data = [one for tick in ticks if tick.time < now for one in self._singles(stream, tick)]
        return compact({"channel": "trade", "type": "snapshot", "data": data[-50:]})

    # --- what the streams carry ------------------------------------------------------------------------------------

    def stream(self, channel: str) -> Stream | None:
        kind, _, symbol = channel.partition(":")
        name, _, interval = kind.partition("-")
        market = self.markets.get(symbol)
        if market is None:
            return None
        if name == "trade":
            return Stream(symbol, "trades", market.timeframe)
        timeframe = _TIMEFRAMES.get(int(interval)) if name == "ohlc" and interval.isdigit() else None
        if timeframe is None or not timeframe.holds(market.timeframe):
            return None
        return Stream(symbol, "bars", timeframe)

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        data = [self._row(stream, row)]
        return compact({"channel": "ohlc", "type": "update", "timestamp": stamp(time, 9), "data": data})

    def _row(self, stream: Stream, row: Row) -> dict[str, Any]:
        bar = self.markets[stream.symbol].as_bar(row)
        return {
            "symbol": stream.symbol,
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "trades": bar.trades,
            "volume": bar.volume,
            "vwap": _average(self.markets[stream.symbol], row),
            "interval_begin": stamp(row.open_time, 9),
            "interval": stream.timeframe.ms // 60_000,
            "timestamp": stamp(row.close_time),
        }

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        return [compact({"channel": "trade", "type": "update", "data": self._singles(stream, tick)})]

    def _singles(self, stream: Stream, tick: Tick) -> list[dict[str, Any]]:
        market = self.markets[stream.symbol]
        return [
            {
                "symbol": stream.symbol,
                "side": "sell" if tick.buyer_is_maker else "buy",
                "price": float(market.price_text(tick.price)),
                "qty": float(market.volume_text(quantity)),
                "ord_type": "market",
                "trade_id": number,
                "timestamp": stamp(tick.time),
            }
            for _, _, quantity, number in _single(tick)
        ]


def _single(tick: Tick) -> Iterator[tuple[int, Tick, int, int]]:
    """The trades of a group: time in ns, the group, quantity, id."""
    each, more = divmod(tick.quantity, tick.count)
    for number in range(tick.count):
        yield tick.time * 1_000_000 + number * 100, tick, each + (number < more), tick.first_id + number


def _average(market: Market, row: Row) -> float:
    """The price weighted by volume; 0.0 without trades."""
    return round(row.turnover / row.volume / 10**market.price_digits, market.price_digits) if row.volume else 0.0


def _alternative(symbol: str) -> str:
    """As REST has it: XBT/USD."""
    return "/".join(_REST_NAMES.get(part, part) for part in symbol.split("/"))


def _id(symbol: str) -> str:
    """How answers name a pair, however it was asked for: XXBTZUSD, and XBTUSDT."""
    base, quote = _alternative(symbol).split("/")
    return f"X{base}Z{quote}" if base in _OLD_COINS and quote in _OLD_MONEY else base + quote


def _status(system: str) -> str:
    about = {"version": "2.0.10", "system": system, "api_version": "v2", "connection_id": _CONNECTION_ID}
    return compact({"channel": "status", "type": "update", "data": [about]})


def _result(value: object) -> Reply:
    return Reply(200, compact({"error": [], "result": value}))


def _error(text: str) -> Reply:
    return Reply(200, compact({"error": [text]}))
