"""Alpha Vantage: US equities and others. A key is needed, and every answer is HTTP 200, a no among them.

Parts of a day come by months of New York, in its local time, extended hours included; days come all at once. Prices
are as they were traded, not corrected for splits. Without a plan there are 25 requests a day, no parts of a day and
100 days; with one, everything: two hosts of one dialect. What it says may repeat the key, which is masked here.

Weeks are dated by their last day there, so that they are made of days here.

https://www.alphavantage.co/documentation/#intraday
https://www.alphavantage.co/documentation/#daily
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Host, HttpRequest, HttpResponse, Limits, Provider

_LATE_MS = 20 * 60_000  # 15 minutes late without an entitlement
_URL = "https://www.alphavantage.co"
_ZONE = "US/Eastern"
_PLAN = {"depth": "parts of a day: since 2000-01", "days_back": {}, "size": "full"}
_FREE = {
    "timeframes": reading.timeframes("1d"),
    "limits": Limits(1_000, 5, requests_per_day=25),
    "days_back": reading.days("1d=136"),  # 100 days of business, or fewer
    "size": "compact",
    "depth": "days: the last 100",
}


class AlphaVantage(Provider):
    """Alpha Vantage's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "alphavantage": Host("Alpha Vantage", _URL, "", _PLAN),
        "alphavantagefree": Host("Alpha Vantage without a plan", _URL, "", _FREE),
    }
    size: str
    needs_key = True
    timeframes = reading.timeframes("1m=1min 5m=5min 15m=15min 30m=30min 1h=60min 1d")
    limits = Limits(20_000, 60)  # the smallest plan: 75 requests a minute
    delay_ms = lag_ms = _LATE_MS
    paging = base.Paging.WINDOW
    whole_window = True  # a month, or all the days there are

    symbols = r"[A-Z0-9.\-]+"
    problems = {  # what names a minute may name a day as well
        "^200 .*(per minute|per second|sparingly)": "rate",
        "^200 .*(per day|daily)": "quota",
        "^200 .*(premium|apikey|API key)": "key",
        "^200 ": "request",
    }
    assets = ("equities",)
    adjusted = "raw"
    free = "days only, 25 requests a day (alphavantagefree)"
    docs = "https://www.alphavantage.co/documentation/"

    # --- TIME_SERIES_INTRADAY, TIME_SERIES_DAILY ----------------------------------------------------------------------

    def page(self, timeframe: Timeframe, span: TimeRange, now: int) -> TimeRange:
        if timeframe.unit == "d":
            return super().page(timeframe, span, now)
        return TimeRange(span.start, min(span.end, _month_end(span.start)))

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native = self._native_timeframe(timeframe)
        params: dict[str, str | int] = {"symbol": self.native_symbol(symbol), "outputsize": self.size}
        if timeframe.unit == "d":
            params["function"] = "TIME_SERIES_DAILY"
        else:
            params |= {"function": "TIME_SERIES_INTRADAY", "interval": native, "adjusted": "false"}
            params |= {"month": f"{reading.date(span.start, reading.NEW_YORK):%Y-%m}", "extended_hours": "true"}
        return HttpRequest("/query", params | {"apikey": self.key})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        answer: dict[str, msgspec.Raw] = reading.read(dict[str, msgspec.Raw], response.body)
        daily = timeframe.unit == "d"
        name = f"Time Series ({'Daily' if daily else self.timeframes.get(timeframe)})"
        if name not in answer:
            raise reading.schema(f"The answer holds no {name}.")
        if not daily and reading.read(_Meta, answer.get("Meta Data", msgspec.Raw(b"{}"))).zone != _ZONE:
            raise reading.schema(f"The times are not said to be of {_ZONE}.")
        series: dict[str, _Row] = reading.lenient(dict[str, _Row], answer[name])
        zone = reading.NEW_YORK
        return reading.ascending(row.bar(reading.named(text, timeframe, zone)) for text, row in series.items())

    def check(self, response: HttpResponse) -> None:
        answer: dict[str, msgspec.Raw] = reading.whole(dict[str, msgspec.Raw], response)
        problem = next((answer[name] for name in ("Information", "Note", "Error Message") if name in answer), None)
        if response.status == 200 and problem is None and any(name.startswith("Time Series") for name in answer):
            return
        said = reading.plain(bytes(problem or b""), 2_000).strip('"')
        raise reading.refusal(self, response, said, "damaged" if response.status == 200 and problem is None else "")


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Row(msgspec.Struct, rows.Priced):
    open: float = msgspec.field(name="1. open")
    high: float = msgspec.field(name="2. high")
    low: float = msgspec.field(name="3. low")
    close: float = msgspec.field(name="4. close")
    volume: float = msgspec.field(name="5. volume")


class _Meta(msgspec.Struct):
    zone: str = msgspec.field(name="6. Time Zone", default="")


def _month_end(time: int) -> int:
    """When the month of New York ends in which an instant lies."""
    first = reading.date(time, reading.NEW_YORK).replace(day=1)
    following = (first + dt.timedelta(days=32)).replace(day=1)
    return reading.local(str(following), reading.NEW_YORK)
