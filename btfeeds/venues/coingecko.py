"""CoinGecko: what coins cost on all exchanges together. A key is not needed; one makes the limits wider.

Bars have no volume: it is 0. Their length follows from how many days back one asks: a day brings half hours, 30 days
bring 4 hours; a plan also has hours and days. Whatever span is wanted, the answer reaches back from now. A row is
named by its CLOSE. What else it has are bars of 4 days, whose grid is not documented; days are made of 4 hours here.

Coins have names, not tickers, and several share one: BTC/USD and the other large ones are translated by the table
below; a coin beside it is written by its name, `id=pepe/USD`.

https://docs.coingecko.com/reference/coins-id-ohlc
https://docs.coingecko.com/demo/reference/coins-id-ohlc
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading
from btfeeds.venues.base import Host, HttpRequest, HttpResponse, Limits, Provider, retry_after
from btfeeds.venues.reading import Count

_LATE_MS = 50 * 60_000  # answers are kept for 15 minutes; a day that is over is there 35 minutes later
_COINS = {
    **{"ADA": "cardano", "ALGO": "algorand", "APT": "aptos", "ARB": "arbitrum", "ATOM": "cosmos"},
    **{"AVAX": "avalanche-2", "BCH": "bitcoin-cash", "BNB": "binancecoin", "BTC": "bitcoin", "DOGE": "dogecoin"},
    **{"DOT": "polkadot", "ETC": "ethereum-classic", "ETH": "ethereum", "FIL": "filecoin", "HBAR": "hedera-hashgraph"},
    **{"LINK": "chainlink", "LTC": "litecoin", "NEAR": "near", "SHIB": "shiba-inu", "SOL": "solana"},
    **{"SUI": "sui", "TON": "the-open-network", "TRX": "tron", "UNI": "uniswap", "USDC": "usd-coin"},
    **{"USDT": "tether", "XLM": "stellar", "XMR": "monero", "XRP": "ripple"},
}
_PRO = {
    "timeframes": reading.timeframes("30m=1 1h=90,hourly 4h=30 1d=180,daily"),
    "days_back": reading.days("30m=1 1h=90 4h=30 1d=180"),
    "header": "x-cg-pro-api-key",
    "needs_key": True,
    "limits": Limits(2_200, 250),
    "depth": "30m: a day; 4h: 30 days; 1h: 90 days; days: 180",
    "free": "",
}


class CoinGecko(Provider):
    """CoinGecko's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "coingecko": Host("CoinGecko", "https://api.coingecko.com", ""),
        "coingeckopro": Host("CoinGecko Pro", "https://pro-api.coingecko.com", "", _PRO),
    }
    header = "x-cg-demo-api-key"
    timeframes = reading.timeframes("30m=1 4h=30")  # theirs: days back from now
    limits = Limits(200, 5)  # 5 to 15 requests a minute without a key, 30 with one
    days_back = reading.days("30m=1 4h=30")
    delay_ms = lag_ms = _LATE_MS
    paging = base.Paging.WINDOW
    whole_window = True

    problems = {  # a key is missing or wrong, or its plan does not have this: 10,000 and more
        "^(... )?429 ": "rate",
        r"^... 10\d\d\d ": "key",
        "coin not found|invalid vs_currency": "symbol",
    }
    assets = ("crypto",)
    has_volume = False
    depth = "30m: a day; 4h: 30 days"
    free = "without a key 5 requests a minute, with a free one 30"
    docs = "https://docs.coingecko.com"

    # --- OHLC Chart ---------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        coin = symbol.base[3:].lower() if symbol.base.startswith("ID=") else _COINS.get(symbol.base, "")
        if not coin or not symbol.quote or ":" in symbol:
            what = "Only the large coins are known by their tickers here."
            raise reading.unknown_symbol(self, symbol, f"{what} Write another by its name there, as in id=pepe/USD")
        return f"{coin}/{symbol.quote.lower()}"

    def readings(self, native: str) -> Iterable[str]:
        coin, _, currency = native.partition("/")
        tickers = {theirs: ticker for ticker, theirs in _COINS.items()}
        return (f"{tickers.get(coin, f'ID={coin}')}/{currency}",)

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        coin, _, currency = self.native_symbol(symbol).partition("/")
        days, _, interval = self._native_timeframe(timeframe).partition(",")
        params: dict[str, str | int] = {"vs_currency": currency, "days": days}
        if interval:
            params["interval"] = interval
        headers = {self.header: self.key} if self.key else {}
        return HttpRequest(f"/api/v3/coins/{coin}/ohlc", params, headers)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        rows: list[_Row] = sorted(reading.read(list[_Row], response.body), key=lambda row: row.close_time)
        times = [timeframe.back(row.close_time, 1) for row in rows]
        if times and not timeframe.aligned(times[-1]):
            rows.pop()  # the price of this moment
        return [Bar(time, r.open, r.high, r.low, r.close, 0.0) for time, r in zip(times, rows, strict=False)]

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and response.body.lstrip()[:1] == b"[":
            return
        said: _Said = reading.attempt(_Said, response.body)
        words = f"{said.status.error_code or ''} {said.status.error_message or said.error}"
        limited = 429 in (response.status, said.status.error_code)
        wait = retry_after(response) or 60.0 if limited else 0.0  # it may say 0
        raise reading.refusal(self, response, words, wait=wait)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Row(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    close_time: Count
    open: float
    high: float
    low: float
    close: float


class _Status(msgspec.Struct):
    error_code: int = 0
    error_message: str = ""


class _Said(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)
    error: str = ""
