"""Financial Modeling Prep, the "stable" API: equities and indices. A key is needed.

Parts of a day are in New York's local time and named by their start, days by their date; both come newest first, and
both bounds are dates and inclusive. Prices are corrected for splits. A symbol it does not know has no bars, and no
error either. Its older API (/api/v3, /api/v4) says no to keys that are younger than September 2025.

Hours open at half past, with the exchange, off any grid in UTC: they are made of half hours.

https://site.financialmodelingprep.com/developer/docs/stable/intraday-1-min
https://site.financialmodelingprep.com/developer/docs/stable/historical-price-eod-full
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from btfeeds import errors
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading
from btfeeds.venues.base import Host, HttpRequest, HttpResponse, Limits, Provider

_LATE_MS = 20 * 60_000


class FMP(Provider):
    """FMP's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "fmp": Host("Financial Modeling Prep", "https://financialmodelingprep.com", ""),
    }
    needs_key = True
    timeframes = reading.timeframes("1m=1min 5m=5min 15m=15min 30m=30min 1d=full")
    # An answer of minutes holds "a few days"; one day is a few. How many requests a minute a plan has differs.
    limits = Limits(1_440, 200)
    delay_ms = lag_ms = _LATE_MS
    paging = base.Paging.WINDOW
    whole_window = True  # whole days of New York, which may hold none of the bars asked for

    assets = ("equities", "indices")
    adjusted = "splits"
    free = "250 requests a day"
    docs = "https://site.financialmodelingprep.com/developer/docs/stable"

    # --- historical-chart, historical-price-eod -----------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if not re.fullmatch(r"\^?[A-Z0-9.\-]+", symbol):
            raise reading.unknown_symbol(self, symbol)
        return str(symbol)

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native, zone = self._native_timeframe(timeframe), None if timeframe.unit == "d" else reading.NEW_YORK
        start, end = (str(reading.date(time, zone)) for time in (span.start, span.end - 1))
        params = {"symbol": self.native_symbol(symbol), "from": start, "to": end, "apikey": self.key}
        what = "historical-chart" if zone else "historical-price-eod"
        return HttpRequest(f"/stable/{what}/{native}", params)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        rows: list[_Row] = reading.read(list[_Row], response.body)
        daily = timeframe.unit == "d"
        times = [reading.day(row.date) if daily else reading.local(row.date, reading.NEW_YORK) for row in rows]
        bars = [Bar(time, r.open, r.high, r.low, r.close, r.volume) for time, r in zip(times, rows, strict=True)]
        return sorted(bars, key=lambda bar: bar.open_time)

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and response.body.lstrip()[:1] == b"[":
            return
        try:
            said = reading.read(_Problem, response.body).said[:200]
        except errors.BadFrame:
            said = ""
        kind = {402: "key"}.get(response.status, "")
        if "Limit Reach" in said:
            kind = "quota"
        elif "Invalid API KEY" in said:
            kind = "key"
        words = f"{response.status} {said}".replace(self.key, "***") if said and self.key else said
        raise reading.refusal(self, response, words, kind)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Row(msgspec.Struct):
    date: str
    open: float
    high: float
    low: float
    close: float
    volume: float


class _Problem(msgspec.Struct):
    said: str = msgspec.field(name="Error Message")
