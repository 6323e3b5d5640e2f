"""Stooq: days of equities, indices and FX of many countries, as CSV, no key.

The bounds are dates and inclusive; rows are oldest first. Indices and FX may come without a column Volume: then the
volume is 0. Whatever it cannot give it says as text, or as a page, with HTTP 200. "No data" is both an unknown symbol
and a span without days: a month more is asked for, which a symbol that exists has days in.

A plain ticker is one of the USA (AAPL is aapl.us); others are written with their market (CDR.PL, VOD.UK). The larger
indices have names of their own there: ^GSPC is ^spx.

https://stooq.com/db/h/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading
from btfeeds.venues.base import Host, HttpRequest, HttpResponse, Limits, Provider

_MONTH_MS = 31 * 86_400_000
_HEAD = "Date,Open,High,Low,Close"
_INDICES = {
    **{"^GSPC": "^spx", "^DJI": "^dji", "^IXIC": "^ndq", "^NDX": "^ndx", "^RUT": "^rut"},
    **{"^FTSE": "^ukx", "^GDAXI": "^dax", "^FCHI": "^cac", "^N225": "^nkx", "^HSI": "^hsi"},
}


class Stooq(Provider):
    """Stooq's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {"stooq": Host("Stooq", "https://stooq.com", "")}
    timeframes = reading.timeframes("1d=d")
    limits = Limits(10_000, 20)  # "daily hits" are limited; how many there are is not documented
    lag_ms = 12 * 3_600_000  # a day is shown before it is over, and corrected in the night
    paging = base.Paging.WINDOW
    whole_window = True

    asked_symbol = r"[?&]s=([^&]+)"
    assets = ("equities", "indices", "FX")
    depth = "all days there are"
    free = "without a key; so many requests a day, it does not say how many"
    docs = "https://stooq.com"

    # --- q/d/l: historical data ---------------------------------------------------------------------------------------

    def native_symbol(self, symbol: Symbol) -> str:
        if ":" not in symbol and {symbol.base, symbol.quote} <= reading.FIAT:
            return f"{symbol.base}{symbol.quote}".lower()
        if symbol in _INDICES:
            return _INDICES[symbol]
        if not re.fullmatch(r"\^?[A-Z0-9\-]+(\.[A-Z]+)?", symbol):
            raise reading.unknown_symbol(self, symbol)
        return symbol.lower() if "." in symbol or symbol.startswith("^") else f"{symbol.lower()}.us"

    def readings(self, native: str) -> Iterable[str]:
        indices = {theirs: name for name, theirs in _INDICES.items()}
        text = native.removesuffix(".us").upper()
        return indices.get(native, ""), f"{text[:3]}/{text[3:]}", text, native.upper()

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        params: dict[str, str | int] = {"s": self.native_symbol(symbol), "i": self._native_timeframe(timeframe)}
        params["d1"] = f"{reading.date(span.start - _MONTH_MS):%Y%m%d}"
        return HttpRequest("/q/d/l/", params | {"d2": f"{reading.date(span.end - 1):%Y%m%d}"})

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        try:
            text = response.body.decode("ascii")
        except UnicodeError as error:
            raise reading.unreadable(error) from None
        lines = text.replace("\r\n", "\n").split("\n")
        # every line has its end: a line that was cut is none
        if lines[0] not in (_HEAD, f"{_HEAD},Volume") or lines.pop() != "":
            raise reading.schema("The answer is not a table of days.")
        size = len(lines[0].split(","))
        bars = [_bar(line.split(","), size) for line in lines[1:]]
        return reading.ascending(bars)

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and response.body.startswith(_HEAD.encode()):
            return
        said, kind = reading.plain(response.body), ""
        if response.status == 200:
            # a page that wants to know whether we are human, mostly
            kind = "request" if response.body.lstrip()[:1] == b"<" else ""
            if said == "No data":
                kind = "symbol"
            elif "daily hits limit" in said:
                kind = "quota"
        raise reading.refusal(self, response, said, kind)


def _bar(cells: list[str], size: int) -> Bar:
    if len(cells) != size:
        raise reading.schema(f"A row has {len(cells)} cells instead of {size}.")
    numbers: list[float] = reading.converted(list[float], cells[1:], strict=False)
    o, high, low, c = numbers[:4]
    return Bar(reading.day(cells[0]), o, high, low, c, numbers[4] if size > 5 else 0.0)
