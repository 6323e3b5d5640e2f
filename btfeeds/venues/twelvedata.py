"""Twelve Data: equities, indices, FX and crypto of the whole world. A key is needed; its stream is not used here.

Asked with a time zone, it answers in UTC, days by their date. Rows are named by their start; strings hold the numbers;
FX comes without a volume, which is then 0. What it cannot give it says with HTTP 200 or 4xx and a code of its own. One
request costs one credit. Prices are corrected for splits.

Hours of equities open at half past, off any grid in UTC: they are made of half hours; weeks and months of days.

https://twelvedata.com/docs#time-series
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar
from zoneinfo import ZoneInfo

import msgspec

from btfeeds import errors
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading
from btfeeds.venues.base import Host, HttpRequest, HttpResponse, Limits, Provider

_LATE_MS = 20 * 60_000
_ZONE = ZoneInfo("UTC")
_NO_DATA = "No data is available on the specified dates"


class TwelveData(Provider):
    """Twelve Data's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {"twelvedata": Host("Twelve Data", "https://api.twelvedata.com", "")}
    needs_key = True
    timeframes = reading.timeframes("1m=1min 5m=5min 15m=15min 30m=30min 1d=1day")
    limits = Limits(5_000, 8, requests_per_day=800)  # the credits of a minute and a day without a plan
    delay_ms = lag_ms = _LATE_MS
    paging = base.Paging.WINDOW

    assets = ("equities", "indices", "FX", "crypto")
    adjusted = "splits"
    free = "8 requests a minute, 800 a day"
    docs = "https://twelvedata.com/docs"

    # --- time_series --------------------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" in symbol or not re.fullmatch(r"[A-Z0-9.\-]+(/[A-Z0-9]+)?", symbol.removeprefix("^")):
            raise reading.unknown_symbol(self, symbol)
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
        daily = timeframe.unit == "d"
        without = [row.volume is None for row in answer.values]
        if any(without) and not all(without):
            raise reading.schema("Some of the rows have no volume.")
        times = [reading.day(r.datetime) if daily else reading.local(r.datetime, _ZONE) for r in answer.values]
        rows = zip(times, answer.values, strict=True)
        bars = [Bar(time, r.open, r.high, r.low, r.close, r.volume or 0.0) for time, r in rows]
        return sorted(bars, key=lambda bar: bar.open_time)

    def check(self, response: HttpResponse) -> None:
        try:
            said: _Answer = reading.lenient(_Answer, response.body)
        except errors.BadFrame:
            if response.status == 200 and response.body[:1] == b"{":
                raise  # it was cut off: the next one may be whole
            said = _Answer()
        if said.status == "error" and said.message.startswith(_NO_DATA):
            return
        if response.status == 200 and said.status == "ok" and said.values is not None:
            return
        code, words = said.code or response.status, said.message[:200]
        kind = {401: "key", 403: "key", 429: "rate"}.get(code, "down" if code >= 500 else "")
        if code == 429 and "for the day" in words:
            kind = "quota"
        elif code in (400, 404) and "symbol" in words:
            kind = "symbol"
        words = re.sub(rf"(?<!\w){re.escape(self.key)}(?!\w)", "***", words) if self.key else words
        raise reading.refusal(self, response, f"{code} {words}" if words else "", kind)


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
