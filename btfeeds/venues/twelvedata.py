"""Twelve Data: equities, indices, FX and crypto of the whole world. A key is needed; its stream is not used here.

Asked with a time zone, it answers in UTC, days by their date. Rows are named by their start; strings hold the numbers;
FX comes without a volume, which is then 0. What it cannot give it says with HTTP 200 or 4xx and a code of its own. One
request costs one credit. Prices are corrected for splits.

Hours of equities open at half past, off any grid in UTC: they are made of half hours; weeks and months of days.

https://twelvedata.com/docs#time-series
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading
from btfeeds.venues.base import Host, HttpRequest, HttpResponse, Limits, Provider

_LATE_MS = 20 * 60_000
_NO_DATA = "No data is available on the specified dates"


class TwelveData(Provider):
    """Twelve Data's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {"twelvedata": Host("Twelve Data", "https://api.twelvedata.com", "")}
    needs_key = True
    timeframes = reading.timeframes("1m=1min 5m=5min 15m=15min 30m=30min 1d=1day")
    limits = Limits(5_000, 8, requests_per_day=800)  # the credits of a minute and a day without a plan
    delay_ms = lag_ms = _LATE_MS
    paging = base.Paging.WINDOW

    symbols = r"\^?[A-Z0-9.\-]+(/[A-Z0-9]+)?"
    problems = {  # its code is an HTTP status, mostly that of the answer
        "^(... )?429 .*for the day": "quota",
        "^(... )?429 ": "rate",
        "^(... )?(401|403) ": "key",
        "^(... )?(400|404) .*symbol": "symbol",
        r"^(... )?5\d\d ": "down",
    }
    assets = ("equities", "indices", "FX", "crypto")
    adjusted = "splits"
    free = "8 requests a minute, 800 a day"
    docs = "https://twelvedata.com/docs"

    # --- time_series --------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        super().native_symbol(symbol)  # raises UnknownSymbol
        return symbol.removeprefix("^")

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        # whether the end belongs to the answer is not documented: with a second less it does not matter
        start, end = _clock(span.start), _clock(span.end - 1_000)
        params: dict[str, str | int] = {"symbol": self.native_symbol(symbol), "start_date": start, "end_date": end}
        params |= {"interval": self._native_timeframe(timeframe), "outputsize": self.limits.bars_per_request}
        headers = {"Authorization": f"apikey {self.key}"}
        return HttpRequest("/time_series", params | {"timezone": "UTC", "order": "ASC"}, headers)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        answer: _Answer = reading.lenient(_Answer, response.body)
        if answer.status == "error" and answer.message.startswith(_NO_DATA):
            return []
        if answer.status != "ok" or answer.values is None:
            raise reading.schema("The answer holds no values.")
        without = [row.volume is None for row in answer.values]
        if any(without) and not all(without):
            raise reading.schema("Some of the rows have no volume.")
        times = [reading.named(row.datetime, timeframe, reading.UTC) for row in answer.values]
        found = zip(times, answer.values, strict=True)
        return reading.ascending(Bar(time, r.open, r.high, r.low, r.close, r.volume or 0.0) for time, r in found)

    def check(self, response: HttpResponse) -> None:
        said: _Answer = reading.whole(_Answer, response)
        if said.status == "error" and said.message.startswith(_NO_DATA):
            return
        if response.status == 200 and said.status == "ok" and said.values is not None:
            return
        raise reading.refusal(self, response, f"{said.code or ''} {said.message}")


# --- what answers hold: only the fields we use ------------------------------------------------------------------------


class _Row(msgspec.Struct):
    datetime: str
    open: float
    high: float
    low: float
    close: float
    volume: float | None = None


class _Answer(msgspec.Struct):
    status: str = ""
    values: list[_Row] | None = None
    code: int = 0
    message: str = ""


def _clock(time: int) -> str:
    """The wall clock's time in UTC."""
    moment = reading.date(time)
    seconds = time // 1000 % 86_400
    return f"{moment} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
