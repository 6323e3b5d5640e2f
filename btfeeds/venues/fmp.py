"""Financial Modeling Prep, the "stable" API: equities and indices. A key is needed.

Parts of a day are in New York's local time and named by their start, days by their date; both come newest first, and
both bounds are dates and inclusive. Prices are corrected for splits. A symbol it does not know has no bars, and no
error either. Its older API (/api/v3, /api/v4) says no to keys that are younger than September 2025.

Hours open at half past, with the exchange, off any grid in UTC: they are made of half hours.

https://site.financialmodelingprep.com/developer/docs/stable/intraday-1-min
https://site.financialmodelingprep.com/developer/docs/stable/historical-price-eod-full
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading, rows
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

    symbols = r"\^?[A-Z0-9.\-]+"
    says, begins = ("Error Message",), b"["
    problems = {"Limit Reach": "quota", "^402 |Invalid API KEY": "key"}
    assets = ("equities", "indices")
    adjusted = "splits"
    free = "250 requests a day"
    docs = "https://site.financialmodelingprep.com/developer/docs/stable"

    # --- historical-chart, historical-price-eod -----------------------------------------------------------------------

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native, zone = self._native_timeframe(timeframe), None if timeframe.unit == "d" else reading.NEW_YORK
        start, end = (str(reading.date(time, zone)) for time in (span.start, span.end - 1))
        params = {"symbol": self.native_symbol(symbol), "from": start, "to": end, "apikey": self.key}
        what = "historical-chart" if zone else "historical-price-eod"
        return HttpRequest(f"/stable/{what}/{native}", params)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        found: list[_Row] = reading.read(list[_Row], response.body)
        return reading.ascending(row.bar(reading.named(row.date, timeframe, reading.NEW_YORK)) for row in found)


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Row(rows.Named):
    date: str
