"""Yahoo Finance, the chart API that its own pages use: equities, indices, FX and crypto of the whole world, no key.

It is not an official service: nobody promises that it stays. Columns come side by side and hold nulls where nobody
traded; the last row may be the price of this moment, off the grid. Prices are corrected for splits, not for dividends.
A share's class is written with a hyphen (BRK-B), another exchange with a dot (VOD.L).

Days are named by their date in the exchange's own zone. Hours of equities open at half past, off any grid in UTC, so
that hours are made of half hours, weeks and months of days.

https://query1.finance.yahoo.com/v8/finance/chart/AAPL
https://github.com/ranaroussi/yfinance/blob/main/yfinance/scrapers/history.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading
from btfeeds.venues.base import Host, HttpRequest, HttpResponse, Limits, Provider

_LATE_MS = 20 * 60_000  # most exchanges are shown 15 minutes late
_DAY_MS = 86_400_000
_BROWSER = {"User-Agent": "Mozilla/5.0 (compatible; btfeeds)"}  # others are turned away
_NOTHING = "Data doesn't exist for startDate"  # a span before the first day, or between two sessions


class Yahoo(Provider):
    """Yahoo's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {"yahoo": Host("Yahoo Finance", "https://query1.finance.yahoo.com", "")}
    timeframes = reading.timeframes("1m 2m 5m 15m 30m 1d")
    # Minutes: up to 8 days at once, weekends counted. How many requests it bears is not documented.
    limits = Limits(7 * 1_440, 30)
    # Minutes of the last 30 days, other parts of an hour of 60: a day less, for "the last" is counted by its clock.
    days_back = reading.days("1m=29 2m=59 5m=59 15m=59 30m=59")
    delay_ms = lag_ms = _LATE_MS
    paging = base.Paging.WINDOW

    asked_symbol = r"/chart/([^?]+)"
    problems = {"^404 .*No data found": "symbol", "^401 ": "request"}  # there is no key that could be wrong
    assets = ("equities", "indices", "FX", "crypto", "futures")
    adjusted = "splits"
    depth = "days: all; 1m: 29 days; 2m to 30m: 59 days"
    free = "without a key; how often is not documented"
    docs = "https://finance.yahoo.com"

    # --- chart --------------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol:
            raise reading.unknown_symbol(self, symbol)
        if {symbol.base, symbol.quote} <= reading.FIAT:
            return f"{symbol.base}{symbol.quote}=X"
        return symbol.replace("/", "-")

    def readings(self, native: str) -> Iterable[str]:
        pair, base, quote = native.removesuffix("=X"), *native.rpartition("-")[::2]
        coins = (f"{base}/{quote}",) if quote in {*self.quotes.split(), *reading.FIAT} else ()  # BRK-B is a share
        return f"{pair[:3]}/{pair[3:]}", *coins, native

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native = self._native_timeframe(timeframe)
        # A day begins up to 14 hours before the midnight UTC it is named by, or as much behind it.
        around = _DAY_MS if timeframe.unit == "d" else 0
        params: dict[str, str | int] = {"interval": native, "period1": (span.start - around) // 1000}
        params |= {"period2": (span.end + around) // 1000, "includePrePost": "false"}
        return HttpRequest(f"/v8/finance/chart/{self.native_symbol(symbol)}", params, _BROWSER)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        chart: _Chart = reading.read(_Answer, response.body).chart
        if chart.error is not None and chart.error.description.startswith(_NOTHING):
            return []
        if chart.error is not None or not chart.result:
            raise reading.schema("The answer holds no chart.")
        result = chart.result[0]
        if result.meta.dataGranularity != self._native_timeframe(timeframe):
            raise reading.schema(f"Bars of {timeframe} were asked for, and {result.meta.dataGranularity!r} came.")
        if len(result.indicators.quote) != 1:
            raise reading.schema("The answer holds no prices.")
        quote = result.indicators.quote[0]
        columns = (quote.open, quote.high, quote.low, quote.close, quote.volume)
        if any(len(column) != len(result.timestamp) for column in columns):
            raise reading.schema("The columns differ in length.")
        if result.timestamp != sorted(result.timestamp):
            raise reading.schema("The times are not in order.")
        times = [1000 * second for second in result.timestamp]
        if timeframe.unit == "d":
            zone = _zone(result.meta.exchangeTimezoneName)
            times = [reading.day(str(reading.date(time, zone))) for time in times]
        elif times and not timeframe.aligned(times[-1]):
            times.pop()  # the price of this moment
        rows: dict[int, tuple[float | None, ...]] = {}
        for time, *row in zip(times, *columns, strict=False):
            rows.setdefault(time, tuple(row))  # today's date comes twice: once more with this moment
        return [
            Bar(time, o, high, low, c, volume)
            for time, (o, high, low, c, volume) in sorted(rows.items())
            if o is not None and high is not None and low is not None and c is not None and volume is not None
        ]

    def check(self, response: HttpResponse) -> None:
        chart: _Chart = reading.whole(_Answer, response).chart
        said = chart.error or _Problem()
        if said.description.startswith(_NOTHING) or (response.status == 200 and chart.result and chart.error is None):
            return
        raise reading.refusal(self, response, f"{said.code}: {said.description}" if chart.error else "")


# --- what answers hold: only the fields we use ------------------------------------------------------------------------

_Second = Annotated[int, msgspec.Meta(gt=-(2**33), lt=2**33)]  # indices go back behind 1970
_Column = list[float | None]


class _Meta(msgspec.Struct):
    dataGranularity: str = ""
    exchangeTimezoneName: str = ""


class _Quote(msgspec.Struct):
    open: _Column = []
    high: _Column = []
    low: _Column = []
    close: _Column = []
    volume: _Column = []


class _Indicators(msgspec.Struct):
    quote: list[_Quote]


class _Result(msgspec.Struct):
    meta: _Meta
    indicators: _Indicators
    timestamp: list[_Second] = []


class _Problem(msgspec.Struct):
    code: str = ""
    description: str = ""


class _Chart(msgspec.Struct):
    result: list[_Result] | None = None
    error: _Problem | None = None


class _Answer(msgspec.Struct):
    chart: _Chart = msgspec.field(default_factory=_Chart)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise reading.schema(f"{name[:40]!r} is not a time zone.") from None
