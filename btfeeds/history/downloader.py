"""Bars of a span of time from a provider: page by page, closed ones only, each once and in order.

What is not answered is never passed off as empty: a page says for which span it is the whole truth, and a span that
could not be loaded is reported as missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from btfeeds import settings, venues
from btfeeds.clock import Clock, SystemClock
from btfeeds.closing import Closing
from btfeeds.errors import Banned, BtfeedsError, ConfigError, HistoryIncomplete
from btfeeds.history.http import HttpClient
from btfeeds.history.paging import BadBars, Gone, Page, Pager
from btfeeds.history.progress import Progress, shown
from btfeeds.history.ranges import union
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, iso, to_ms
from btfeeds.venues.base import Provider

if TYPE_CHECKING:
    import pandas as pd

_PATIENCE = 3  # failed pages in a row, then the venue is not there


@dataclass(slots=True)
class _Missing:
    """Spans that could not be loaded, and the last reason."""

    spans: list[TimeRange] = field(default_factory=list)
    error: BtfeedsError | None = None

    def add(self, span: TimeRange, error: BtfeedsError) -> None:
        self.spans.append(span)
        self.error = error

    def report(self, what: str) -> HistoryIncomplete:
        spans = union(self.spans)
        named = ", ".join(map(str, spans[:3])) + (f" and {len(spans) - 3} more" if len(spans) > 3 else "")
        return HistoryIncomplete(
            f"{what} could not be loaded for {named}: {self.error.what if self.error else ''}",
            "Everything else was loaded.",
            "Ask for these spans again later; partial=True gives what there is.",
            missing=tuple((span.start, span.end) for span in spans),
        )


class Downloader(Closing):
    """Loads bars from one provider. May be used from several threads."""

    def __init__(self, provider: Provider, http: HttpClient | None = None, clock: Clock | None = None) -> None:
        self.provider = provider
        self._clock: Clock = clock or SystemClock()
        self._http = http or HttpClient(self._clock)
        self._pager = Pager(provider, self._http, self._clock)
        self._closed = False

    def close(self) -> None:
        """Let go of the connections; downloads under way end with a NetworkError."""
        self._closed = True
        self._http.close()

    # --- what there is to ask ----------------------------------------------------------------------------------------

    def pages(
        self,
        symbol: Symbol | str,
        timeframe: Timeframe | str,
        span: TimeRange,
        *,
        cancelled: Gone | None = None,
    ) -> Iterator[Page]:
        """The closed bars that open in `span`, in ascending pages. What is not closed yet is left out, silently.

        Raises what the venue or the network says as soon as a page fails, and HistoryIncomplete at the end when
        single bars could not be understood.
        """
        missing = _Missing()

        def failed(piece: TimeRange, error: BtfeedsError) -> None:
            if not isinstance(error, BadBars):
                raise error
            missing.add(piece, error)

        def gone() -> bool:
            return self._closed or (cancelled is not None and cancelled())

        symbol, timeframe = Symbol(symbol), Timeframe.parse(timeframe)
        yield from self._pager.pages(symbol, timeframe, span, gone, failed)
        if missing.spans:
            raise missing.report(f"{self.provider.title} {symbol} {timeframe}")

    def bars(self, symbol: Symbol | str, timeframe: Timeframe | str, span: TimeRange) -> list[Bar]:
        """All pages in one list."""
        return [bar for page in self.pages(symbol, timeframe, span) for bar in page.bars]

    def download(
        self,
        symbol: Symbol | str,
        timeframe: Timeframe | str,
        start: Any,
        end: Any = None,
        progress: Progress | bool | None = None,
        *,
        partial: bool = False,
    ) -> pd.DataFrame:
        """The closed bars from `start` to `end` (excluded; None: now) as a DataFrame, indexed by opening time in UTC.

        A page that fails for good does not stop the others. At the end HistoryIncomplete names what is missing; with
        `partial` the frame is returned instead, with the missing spans in `.attrs["missing"]`. `progress` is called
        with the share that is done; None shows a bar for long downloads in a terminal, False shows none.
        """
        symbol, timeframe = Symbol(symbol), Timeframe.parse(timeframe)
        span = span_of(start, end, self._clock.now())
        missing = _Missing()
        in_a_row = 0

        def failed(piece: TimeRange, error: BtfeedsError) -> None:
            nonlocal in_a_row
            missing.add(piece, error)
            in_a_row += not isinstance(error, BadBars)
            if isinstance(error, Banned) or in_a_row >= _PATIENCE:
                raise _Stopped(piece.end)

        bars: list[Bar] = []
        requests = (span.end - span.start) / (timeframe.ms * self.provider.limits.bars_per_request)
        title = f"{self.provider.title} {symbol} {timeframe}"
        with shown(progress, title, requests) as report:
            try:
                for page in self._pager.pages(symbol, timeframe, span, lambda: self._closed, failed):
                    in_a_row = 0
                    bars += page.bars
                    report((page.span.end - span.start) / (span.end - span.start))
            except _Stopped as stopped:
                missing.spans.append(TimeRange(stopped.at, span.end))
        if missing.spans and not partial:
            raise missing.report(title)
        return frame(bars, missing.spans)


class _Stopped(Exception):
    """A download gives up; what lies behind `at` was not asked for."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


def span_of(start: Any, end: Any, now: int) -> TimeRange:
    """From `start` to `end` (None: `now`), both in any way of saying when. Raises ConfigError where that is no time."""
    span = TimeRange(to_ms(start), now if end is None else to_ms(end))
    if not span:
        raise ConfigError(
            f"From {iso(span.start)} to {iso(span.end)} there is no time.",
            "Nothing was asked of anybody.",
            "The start must lie before the end; the end is not included.",
        )
    return span


def frame(bars: list[Bar], missing: list[TimeRange] | None = None) -> pd.DataFrame:
    """Bars as a DataFrame: UTC index "datetime" (opening time), float columns, and trades where every bar knows."""
    import numpy as np
    import pandas as pd

    times = np.array([bar.open_time for bar in bars], dtype="datetime64[ms]")
    index = pd.DatetimeIndex(times, name="datetime").as_unit("ns").tz_localize("UTC")
    names = ("open", "high", "low", "close", "volume")
    columns: dict[str, Any] = {
        name: np.array([getattr(bar, name) for bar in bars], dtype="float64") for name in names
    }
    if bars and all(bar.trades >= 0 for bar in bars):
        columns["trades"] = np.array([bar.trades for bar in bars], dtype="int64")
    made = pd.DataFrame(columns, index=index)
    if missing:
        made.attrs["missing"] = tuple((span.start, span.end) for span in union(missing))
    return made


_IBKR = ("ibkr", "ib", "interactive brokers")


def canonical(provider: str) -> str:
    """The name of whoever gives history, a venue or not. Raises ConfigError for an unknown one."""
    return _IBKR[0] if provider.strip().lower() in _IBKR else venues.canonical(provider)


def offered(provider: str) -> Provider:
    """What is offered under that name, with the key of the settings. Raises ConfigError where a key is missing."""
    name = canonical(provider)
    if name == _IBKR[0]:
        from btfeeds.history.ibkr import Ibkr

        return Ibkr()
    return venues.provider(name, key=settings.secret(name, "API_KEY"), secret=settings.secret(name, "API_SECRET"))


def series_of(provider: str) -> str:
    """The venue whose bars a provider gives, which is how they are kept: mostly its own. Raises ConfigError."""
    name = canonical(provider)
    return name if name == _IBKR[0] else venues.provider(name, key="not needed to know this").bars_of or name


class DataDownloaderFactory:
    """Makes downloaders by the provider's name."""

    @staticmethod
    def names() -> list[str]:
        """The providers there are."""
        return [*venues.names(), _IBKR[0]]

    @staticmethod
    def create(
        provider: str, *, rest_url: str = "", clock: Clock | None = None, timeout: float = 30.0, **unknown: Any
    ) -> Downloader:
        """A downloader of `provider`; `rest_url` comes from the settings where it is not given.

        "ibkr" is asked through TWS or IB Gateway: it has `host`, `port` and `client_id`, too, and of a `rest_url` its
        host and port count.
        """
        name = canonical(provider)
        rest_url, _ = settings.hosts(name, rest_url=rest_url)
        if name == _IBKR[0]:
            from btfeeds.history import ibkr  # here: it is a downloader, too

            return ibkr.downloader(clock, timeout, **(_address(rest_url) | unknown))
        if unknown:
            raise ConfigError(
                f"A downloader has no setting {', '.join(sorted(unknown))}.",
                "Nothing was started.",
                "The settings are: rest_url, clock, timeout.",
            )
        clock = clock or SystemClock()
        key, secret = (settings.secret(name, kind) for kind in ("API_KEY", "API_SECRET"))
        made = venues.provider(name, rest_url=rest_url, key=key, secret=secret)
        return Downloader(made, HttpClient(clock, timeout), clock)


def _address(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {name: value for name, value in (("host", parts.hostname), ("port", parts.port)) if value}
