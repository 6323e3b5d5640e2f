"""Binance seen from inside: what its REST answers, with weights, limits and error bodies as documented.

Spot     https://developers.binance.com/docs/binance-spot-api-docs/rest-api
Futures  https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from btfeeds.market import Timeframe, TimeRange
from btfeeds.simulator.dialect import Ask, Reply
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick

if TYPE_CHECKING:
    from btfeeds.simulator.binance import Host

_MINUTE, _DAY = 60_000, 86_400_000
_END_OF_TIME = 1 << 62
_STUBBORN = 5  # requests after a 429, within its minute, that earn a ban
_FIRST_BAN = 120  # seconds; doubled each time, up to three days
_LONGEST_BAN = 259_200


class _Refused(Exception):
    """A request that is answered with an error body."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.reply = _error(400, code, text)


class Rest:
    """One host's REST. Counts weight per minute; nothing else is remembered."""

    def __init__(
        self, name: str, host: Host, markets: Mapping[str, Market], intervals: Mapping[str, Timeframe]
    ) -> None:
        self._name = name
        self._host = host
        self._markets = markets
        self._intervals = intervals
        self._minute = 0
        self._used = 0
        self._refusals = 0
        self._ban = _FIRST_BAN
        self._banned_until = 0
        self._routes: Mapping[str, tuple[int, Callable[[Ask], object]]] = {
            "ping": (1, lambda ask: {}),
            "time": (1, lambda ask: {"serverTime": ask.now}),
            "exchangeInfo": (20 if host.pad else 1, self._exchange_info),
            "klines": (0, self._klines),
            "uiKlines": (0, self._klines),
            "aggTrades": (4, self._groups),
            "trades": (25, self._trades),
            "historicalTrades": (25, self._trades),
            "ticker/price": (2, lambda ask: self._each(ask, self._price)),
            "ticker/24hr": (2, lambda ask: self._each(ask, self._day)),
        }

    def answer(self, ask: Ask) -> Reply:
        api = next((api for api in ("/api/v3/", "/fapi/v1/", "/dapi/v1/") if ask.path.startswith(api)), "")
        name = ask.path.removeprefix(api)
        if not api or name not in self._routes:
            return Reply(404, "<html><body><h2>404 Not found</h2></body></html>", {"Content-Type": "text/html"})
        elsewhere = api != self._host.api + "/"
        if elsewhere and name not in ("ping", "time", "exchangeInfo"):
            return _error(400, -1121, "Invalid symbol.")
        weight, route = self._routes[name]
        if refusal := self._spend(weight or self._weight_of_klines(ask), ask.now):
            return refusal
        try:
            body = self._exchange_info(ask, listed=False) if elsewhere and name == "exchangeInfo" else route(ask)
        except _Refused as refused:
            return Reply(400, refused.reply.body, {**refused.reply.headers, **self._weight_header()})
        return Reply(200, _compact(body), self._weight_header())

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        match reason:
            case "rate_limit":
                return _limited(429, retry_after, "Too many requests; current limit is exceeded.")
            case "ban":
                until = now + retry_after * 1000
                return _limited(418, retry_after, f"Way too many requests; IP banned until {until}.")
            case "region_block":
                return _error(451, 0, "Service unavailable from a restricted location.")
        body = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"
        return Reply(503, body, {"Content-Type": "text/html"})

    # --- weight ---------------------------------------------------------------------------------------------------

    def _spend(self, weight: int, now: int) -> Reply | None:
        """Count a request; the refusal when it is one too many."""
        if now < self._banned_until:
            return self.refuse("ban", -((now - self._banned_until) // 1000), now)
        if now // _MINUTE != self._minute:
            self._minute, self._used, self._refusals = now // _MINUTE, 0, 0
        self._used += weight
        if self._used <= self._host.weight_per_minute:
            return None
        self._refusals += 1
        if self._refusals > _STUBBORN:
            seconds, self._ban = self._ban, min(self._ban * 2, _LONGEST_BAN)
            self._banned_until = now + seconds * 1000
            return self.refuse("ban", seconds, now)
        return self.refuse("rate_limit", -((now - (self._minute + 1) * _MINUTE) // 1000), now)

    def _weight_header(self) -> dict[str, str]:
        return {"X-MBX-USED-WEIGHT": str(self._used), "X-MBX-USED-WEIGHT-1M": str(self._used)}

    def _weight_of_klines(self, ask: Ask) -> int:
        if self._host.api == "/api/v3":
            return 1 if self._name == "binanceus" else 2
        text = ask.query.get("limit", "")
        rows = int(text) if text.isdigit() else 500
        return next(weight for most, weight in ((99, 1), (499, 2), (1000, 5), (_END_OF_TIME, 10)) if rows <= most)

    # --- parameters -----------------------------------------------------------------------------------------------

    def _market(self, ask: Ask) -> tuple[str, Market]:
        symbol = ask.query.get("symbol", "")
        if not symbol:
            raise _Refused(-1102, _missing("symbol"))
        if not re.fullmatch(r"[A-Z0-9\-_.]{1,20}", symbol):
            raise _Refused(-1100, _illegal("symbol", "^[A-Z0-9-_.]{1,20}$"))
        if symbol not in self._markets:
            raise _Refused(-1121, "Invalid symbol.")
        return symbol, self._markets[symbol]

    def _number(self, ask: Ask, name: str) -> int | None:
        text = ask.query.get(name)
        if text is None:
            return None
        if not re.fullmatch(r"\d{1,20}", text):
            raise _Refused(-1100, _illegal(name, "^[0-9]{1,20}$"))
        return int(text)

    def _limit(self, ask: Ask, most: int | None = None) -> int:
        limit = self._number(ask, "limit")
        if limit == 0:
            raise _Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(500 if limit is None else limit, most or self._host.rows)

    # --- bars and trades ------------------------------------------------------------------------------------------

    def _klines(self, ask: Ask) -> list[list[Any]]:
        _, market = self._market(ask)
        interval = ask.query.get("interval", "")
        if not interval:
            raise _Refused(-1102, _missing("interval"))
        timeframe = self._intervals.get(interval)
        if timeframe is None or not timeframe.holds(market.timeframe):
            raise _Refused(-1120, "Invalid interval.")
        start, end = self._number(ask, "startTime"), self._number(ask, "endTime")
        span = TimeRange(start or 0, _END_OF_TIME if end is None else end + 1)  # both bounds count, on open times
        rows = market.bars(timeframe, span, ask.seen, self._limit(ask), newest=start is None)
        return [self._row(market, row) for row in rows]

    def _row(self, market: Market, row: Row) -> list[Any]:
        pad = self._host.pad
        return [
            row.open_time,
            market.price_text(row.open, pad),
            market.price_text(row.high, pad),
            market.price_text(row.low, pad),
            market.price_text(row.close, pad),
            market.volume_text(row.volume, pad),
            row.close_time - 1,
            market.turnover_text(row.turnover, pad),
            row.trades,
            market.volume_text(row.taker_volume, pad),
            market.turnover_text(row.taker_turnover, pad),
            "0",
        ]

    def _groups(self, ask: Ask) -> list[dict[str, Any]]:
        _, market = self._market(ask)
        start, end, first = (self._number(ask, name) for name in ("startTime", "endTime", "fromId"))
        if first is not None and (start is not None or end is not None):
            raise _Refused(-1128, "Combination of optional parameters invalid.")
        limit = self._limit(ask, 1000)
        ticks: Iterable[Tick]
        if first is not None:
            ticks = _until(market.ticks_from(group=max(first, 1)), ask.seen)
        elif start is None and end is None:
            ticks = _until(market.ticks_from(group=market.groups_until(ask.seen) - limit), ask.seen)
        else:
            ticks = market.ticks_between(start or 0, min(_END_OF_TIME if end is None else end, ask.seen) + 1)
        best = {"M": True} if self._host.pad else {}
        return [
            {
                "a": tick.group,
                "p": market.price_text(tick.price, self._host.pad),
                "q": market.volume_text(tick.quantity, self._host.pad),
                "f": tick.first_id,
                "l": tick.last_id,
                "T": tick.time,
                "m": tick.buyer_is_maker,
                **best,
            }
            for tick in islice(ticks, limit)
        ]

    def _trades(self, ask: Ask) -> list[dict[str, Any]]:
        _, market = self._market(ask)
        limit = self._limit(ask, 1000)
        first = self._number(ask, "fromId")
        if first is not None:
            ticks = _until(market.ticks_from(trade=max(first, 1)), ask.seen)
        else:  # each group holds at least one trade
            ticks = _until(market.ticks_from(group=market.groups_until(ask.seen) - limit), ask.seen)
        trades = ((tick, number) for tick in ticks for number in range(tick.count))
        if first is not None:
            chosen = list(islice(((t, n) for t, n in trades if t.first_id + n >= first), limit))
        else:
            chosen = list(trades)[-limit:]
        return [self._trade(market, tick, number) for tick, number in chosen]

    def _trade(self, market: Market, tick: Tick, number: int) -> dict[str, Any]:
        each, more = divmod(tick.quantity, tick.count)
        quantity, pad = each + (number < more), self._host.pad
        return {
            "id": tick.first_id + number,
            "price": market.price_text(tick.price, pad),
            "qty": market.volume_text(quantity, pad),
            "quoteQty": market.turnover_text(tick.price * quantity, pad),
            "time": tick.time,
            "isBuyerMaker": tick.buyer_is_maker,
            **({"isBestMatch": True} if pad else {}),
        }

    # --- symbols and prices ---------------------------------------------------------------------------------------

    def _each(self, ask: Ask, make: Callable[[str, Market, int], dict[str, Any]]) -> object:
        """One symbol's answer, or without `symbol` a list of all."""
        if "symbol" in ask.query:
            return make(*self._market(ask), ask.seen)
        return [make(symbol, market, ask.seen) for symbol, market in self._markets.items()]

    def _price(self, symbol: str, market: Market, now: int) -> dict[str, Any]:
        rows = market.bars(market.timeframe, TimeRange(0, _END_OF_TIME), now, 1, newest=True)
        return {"symbol": symbol, "price": market.price_text(rows[-1].close if rows else 0, self._host.pad)}

    def _day(self, symbol: str, market: Market, now: int) -> dict[str, Any]:
        """The last 24 hours."""
        pad = self._host.pad
        rows = market.bars(market.timeframe, TimeRange(now - _DAY, now + 1), now, 100_000)
        first, last = (rows[0].open, rows[-1].close) if rows else (0, 0)
        price = market.price_text
        return {
            "symbol": symbol,
            "priceChange": ("-" if last < first else "") + price(abs(last - first), pad),
            "priceChangePercent": f"{100 * (last - first) / first if first else 0:.3f}",
            "lastPrice": price(last, pad),
            "openPrice": price(first, pad),
            "highPrice": price(max((row.high for row in rows), default=0), pad),
            "lowPrice": price(min((row.low for row in rows), default=0), pad),
            "volume": market.volume_text(sum(row.volume for row in rows), pad),
            "quoteVolume": market.turnover_text(sum(row.turnover for row in rows), pad),
            "openTime": now - _DAY,
            "closeTime": now,
            "count": sum(row.trades for row in rows),
        }

    def _exchange_info(self, ask: Ask, *, listed: bool = True) -> dict[str, Any]:
        limit = {"interval": "MINUTE", "intervalNum": 1, "limit": self._host.weight_per_minute}
        wanted = [self._market(ask)] if listed and "symbol" in ask.query else list(self._markets.items())
        return {
            "timezone": "UTC",
            "serverTime": ask.now,
            "rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", **limit}],
            "exchangeFilters": [],
            "symbols": [self._symbol(symbol, market) for symbol, market in wanted] if listed else [],
        }

    def _symbol(self, symbol: str, market: Market) -> dict[str, Any]:
        tick, step = market.price_text(1, 0), market.volume_text(1, 0)
        base, quote = market.symbol.base, market.symbol.quote
        known: dict[str, Any] = {
            "symbol": symbol,
            "status": "TRADING",
            "baseAsset": base,
            "baseAssetPrecision": market.volume_digits,
            "quoteAsset": quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "9000.00", "stepSize": step},
                {"filterType": "NOTIONAL", "minNotional": "5.00"},
            ],
        }
        if self._host.api == "/api/v3":
            rights = {"isSpotTradingAllowed": True, "isMarginTradingAllowed": False}
            return {**known, **rights, "permissions": [], "permissionSets": [["SPOT"]]}
        return {
            **known,
            "pair": symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": 4_133_404_800_000,
            "onboardDate": market.start,
            "marginAsset": quote,
            "pricePrecision": market.price_digits,
            "quantityPrecision": market.volume_digits,
            "underlyingType": "COIN",
        }


def _until(ticks: Iterator[Tick], now: int) -> Iterator[Tick]:
    return takewhile(lambda tick: tick.time <= now, ticks)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _error(status: int, code: int, text: str) -> Reply:
    return Reply(status, _compact({"code": code, "msg": text}))


def _limited(status: int, retry_after: int, text: str) -> Reply:
    return Reply(status, _compact({"code": -1003, "msg": text}), {"Retry-After": str(max(retry_after, 1))})


def _missing(name: str) -> str:
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def _illegal(name: str, legal: str) -> str:
    return f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
