"""Binance's public archive, data.binance.vision: files of a day or a month, without a key and without a limit.

A file is a zip with one CSV; beside it lies its SHA-256, which is asked for first and travels with the request for the
file as the fragment of its URL (as package indices do it). A file that does not match, or holds bars of another time,
is not used. Times are in ms, those of spot from 2025 on in µs; files of futures may begin with a line of names.

A day is published on the next day, a month on the first Monday behind it: what is not there yet is left out, as a bar
that is not closed. Binance re-issues files from time to time. Of bars of 3 days and of weeks there are no daily files:
they are made of days. A month's own bar comes with its month.

https://github.com/binance/binance-public-data
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import ClassVar

from btfeeds import errors
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.venues import base, reading, rows
from btfeeds.venues.base import Host, HttpRequest, HttpResponse, Limits, Provider
from btfeeds.venues.reading import Count

_URL = "https://data.binance.vision"
_DAY_MS = 86_400_000
_MONTH_LATE_MS = 9 * _DAY_MS  # the first Monday is the 7th at the latest
_MOST_BYTES = 64 * 1024 * 1024  # unpacked: a month of minutes has 6 MB, a day of seconds 12
_SUM = re.compile(rb"\s*([0-9a-f]{64})\s+\*?([\w.\-]+\.zip)\s*")
_FILE = re.compile(r"-(\d{4}-\d\d)(-\d\d)?\.zip")
_WIDTH = 12
_UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OSError)
_TIMEFRAMES = "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1M=1mo"
_SPOT = {"folder": "spot", "bars_of": "binance", "timeframes": reading.timeframes(f"1s {_TIMEFRAMES}")}
_USDM = {
    "folder": "futures/um", "bars_of": "binanceusdm", "assets": ("crypto futures",),
    "symbols": r"[A-Z0-9_]+(/([A-Z0-9]+)(:\2)?)?",
}  # fmt: skip


class BinanceArchive(Provider):
    """The archive's dialect."""

    hosts: ClassVar[Mapping[str, Host]] = {
        "binancearchive": Host("Binance archive", _URL, "", _SPOT),
        "binancearchiveusdm": Host("Binance USDⓈ-M archive", _URL, "", _USDM),
    }
    folder: str
    timeframes = reading.timeframes(_TIMEFRAMES)
    # No limit is documented. A page is a file: a month, or a day where the month is not whole.
    limits = Limits(1_440, 600)
    delay_ms = _DAY_MS
    paging = base.Paging.WINDOW

    symbols = "[A-Z0-9_]+(/[A-Z0-9]+)?"
    assets = ("crypto",)
    depth = "all there is of spot or futures"
    free = "everything"
    docs = "https://github.com/binance/binance-public-data"

    # --- klines -------------------------------------------------------------------------------------------------------

    def page(self, timeframe: Timeframe, span: TimeRange, now: int) -> TimeRange:
        day, month = _day(span.start), _month(span.start)
        if _whole_month(timeframe, span) and month.end + _MONTH_LATE_MS <= now:
            return month
        if timeframe.unit == "M" or day.end + self.delay_ms > now:
            return TimeRange(span.start, span.start)
        return TimeRange(span.start, min(day.end, span.end))

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        native, name, date = self._native_timeframe(timeframe), self.native_symbol(symbol), reading.date(span.start)
        often, when = ("monthly", f"{date:%Y-%m}") if _whole_month(timeframe, span) else ("daily", f"{date}")
        folder = f"/data/{self.folder}/{often}/klines/{name}/{native}"
        return HttpRequest(f"{folder}/{name}-{native}-{when}.zip.CHECKSUM")

    def next_page(self, request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
        if not request.path.endswith(".CHECKSUM"):
            return None
        path = request.path.removesuffix(".CHECKSUM")
        found = _SUM.fullmatch(response.body)
        if found is None or not path.endswith(f"/{found[2].decode()}"):
            raise reading.schema("The checksum is that of another file.")
        return HttpRequest(f"{path}#sha256={found[1].decode()}")

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        if _SUM.fullmatch(response.body):
            return []
        _, _, wanted = response.url.partition("#sha256=")
        if wanted and hashlib.sha256(response.body).hexdigest() != wanted:
            raise reading.schema("The file does not match its checksum.")
        bars = [row.bar(reading.milliseconds(row.time), row.trades) for row in _rows(response.body)]
        if found := _FILE.search(response.url):
            period = _day(reading.day(found[1] + found[2])) if found[2] else _month(reading.day(f"{found[1]}-01"))
            if not all(bar.open_time in period for bar in bars):
                raise reading.schema(f"The file of {period} holds bars of another time.")
        return reading.ascending(bars)

    def check(self, response: HttpResponse) -> None:
        if response.status == 200 and (response.body[:2] == b"PK" or _SUM.fullmatch(response.body)):
            return
        if response.status == 404:
            file = re.sub(r"[?#].*|\.CHECKSUM", "", response.url.rpartition("/")[2])
            raise errors.UnknownSymbol(
                f"{self.title} has no file {file or 'of that name'}: it was not traded then, or is not listed.",
                "Nothing was loaded.",
                "Check the spelling, or start later: files begin with the first day of trading.",
            )
        raise reading.refusal(self, response)


# --- what files hold --------------------------------------------------------------------------------------------------


class _Row(rows.Row):
    time: int
    close_time: int
    quote_volume: float
    trades: Count


def _rows(body: bytes) -> list[_Row]:
    """The rows of a zip with one CSV. Raises BadFrame."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            [info] = archive.infolist()
            if info.file_size > _MOST_BYTES:
                raise reading.schema(f"The file would have {info.file_size:,} bytes.")
            lines = archive.read(info).decode("ascii").splitlines()
    except _UNREADABLE as error:
        raise errors.BadFrame(f"It is no file of bars: {error}", reading.NOT_USED) from None
    cells = [line.split(",") for line in lines]
    if cells and cells[0][:1] == ["open_time"]:
        cells = cells[1:]
    if any(len(row) != _WIDTH for row in cells):
        raise reading.schema(f"A row has not {_WIDTH} cells.")
    made: list[_Row] = reading.converted(list[_Row], cells, strict=False)
    return made


def _whole_month(timeframe: Timeframe, span: TimeRange) -> bool:
    """Whether the span begins with a whole month, and its file is one to load: seconds of a month would be 60 MB."""
    month = _month(span.start)
    return timeframe.unit != "s" and span.start == month.start and month.end <= span.end


def _day(time: int) -> TimeRange:
    start = time - time % _DAY_MS
    return TimeRange(start, start + _DAY_MS)


def _month(time: int) -> TimeRange:
    first = reading.date(time).replace(day=1)
    following = (first + dt.timedelta(days=32)).replace(day=1)
    return TimeRange(reading.day(str(first)), reading.day(str(following)))
