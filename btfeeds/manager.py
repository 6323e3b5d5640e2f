"""One way to get any bar: picks the provider, reads the warehouse first, downloads only what is missing, and keeps it.

    with DataManager() as manager:
        bars = manager.download("AAPL", "1d", "2020-01-01")
        for done in manager.fill("binance", "BTC/USDT", "1m", span): ...

Each venue's bars are a series of their own, whoever was asked first: prices of two venues are never mixed on disk. An
archive's are those of its venue.
An answer that several gave says so in `frame.attrs["origin"]`, and each change is an event. With "auto" bars that are
on disk count, whichever of the candidates gave them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from btfeeds import monitor, settings
from btfeeds.clock import Clock, SystemClock
from btfeeds.closing import Closing
from btfeeds.errors import BtfeedsError, ConfigError, HistoryIncomplete, WarehouseError
from btfeeds.history.budget import others_can_be_asked
from btfeeds.history.downloader import DataDownloaderFactory, canonical, frame, series_of, span_of
from btfeeds.history.paging import Gone
from btfeeds.history.progress import Progress, shown
from btfeeds.history.ranges import subtract, whole
from btfeeds.history.relay import Had, Relay
from btfeeds.history.reliability import Reliability
from btfeeds.history.selection import Selection, assigned
from btfeeds.history.stored import Source, StoredHistory
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas as pd

AUTO = "auto"


class DataManager(Closing):
    """Bars of all providers, through one warehouse. May be used from several threads.

    `warehouse`: one that is open (it stays so), a folder, "" for BTFEEDS_WAREHOUSE (none where that is not set), or
    None. `rules`: who is asked for which symbol (history.rules; "" for BTFEEDS_PROVIDERS). `create` makes what is
    asked, by a provider's name.
    """

    def __init__(
        self,
        warehouse: Warehouse | str | os.PathLike[str] | None = "",
        *,
        rules: str = "",
        clock: Clock | None = None,
        create: Callable[[str], Source] | None = None,
    ) -> None:
        self._clock: Clock = clock or SystemClock()
        self._create = create or (lambda name: DataDownloaderFactory.create(name, clock=self._clock))
        self._reliability = Reliability(self._clock)
        self._selection = Selection(self._reliability, rules)
        self._owned: Warehouse | None = None
        if isinstance(warehouse, str | os.PathLike):
            folder = settings.warehouse(warehouse)
            self._owned = None if folder is None else Warehouse(folder, clock=self._clock)
            warehouse = self._owned
        self.warehouse: Warehouse | None = warehouse
        self._lock = threading.Lock()  # guards _histories
        self._histories: dict[str, StoredHistory] = {}
        self._closed = False

    def close(self) -> None:
        """Let go of connections and, if it was opened here, the warehouse; downloads under way end."""
        self._closed = True
        with self._lock:
            histories = list(self._histories.values())
        for history in histories:
            history.close()
        self._reliability.save()
        if self._owned is not None:
            self._owned.close()

    # --- what there is to ask ----------------------------------------------------------------------------------------

    def history(self, provider: str) -> StoredHistory:
        """The bars of one provider, read from the warehouse first."""
        name = canonical(provider)
        with self._lock:
            if name not in self._histories:
                source = self._create(name)
                self._histories[name] = StoredHistory(
                    source, self.warehouse, self._clock, reliability=self._reliability
                )
            return self._histories[name]

    def candidates(self, provider: str, symbol: Symbol | str, timeframe: Timeframe | str) -> list[str]:
        """Who is asked, in this order: the one that is named, or those that "auto" stands for. Raises ConfigError."""
        if provider.strip().lower() != AUTO:
            return [canonical(provider)]
        return self._selection.candidates(Symbol(symbol), Timeframe.parse(timeframe))

    def missing(
        self, provider: str, symbol: Symbol | str, timeframe: Timeframe | str, span: TimeRange
    ) -> list[TimeRange]:
        """What would have to be asked."""
        return [piece for piece, owner in self.plan(provider, symbol, timeframe, span) if not owner]

    def plan(
        self, provider: str, symbol: Symbol | str, timeframe: Timeframe | str, span: TimeRange
    ) -> list[tuple[TimeRange, str]]:
        """`span` in ascending pieces, and in whose series each is on disk ("": it has to be asked for)."""
        names = self.candidates(provider, symbol, timeframe)
        return self._plan(names, Symbol(symbol), Timeframe.parse(timeframe), span)

    def pages(
        self,
        provider: str,
        symbol: Symbol | str,
        timeframe: Timeframe | str,
        span: TimeRange,
        *,
        cancelled: Gone | None = None,
    ) -> Iterator[Had]:
        """The closed bars that open in `span`, in ascending pages, wherever they are.

        What a provider has not got of a span it gives (single bars that cannot be bars, or some too old for it) the
        next one is asked for, and comes behind the rest. Raises the last provider's error when none can give them, and
        HistoryIncomplete at the end when some bars could not be had from anybody.
        """
        return self._walk(provider, Symbol(symbol), Timeframe.parse(timeframe), span, cancelled, read=True)

    def fill(
        self,
        provider: str,
        symbol: Symbol | str,
        timeframe: Timeframe | str,
        span: TimeRange,
        *,
        cancelled: Gone | None = None,
    ) -> Iterator[Had]:
        """As `pages`, of what is not in the warehouse yet: afterwards it is."""
        return self._walk(provider, Symbol(symbol), Timeframe.parse(timeframe), span, cancelled, read=False)

    def download(
        self,
        symbol: Symbol | str,
        timeframe: Timeframe | str,
        start: Any,
        end: Any = None,
        *,
        provider: str = AUTO,
        progress: Progress | bool | None = None,
        partial: bool = False,
    ) -> pd.DataFrame:
        """The closed bars from `start` to `end` (excluded; None: now) as Downloader.download gives them.

        `.attrs["origin"]` says who gave which span, as (start, end, provider); with `partial` what could not be had
        is in `.attrs["missing"]` instead of an error.
        """
        symbol, timeframe = Symbol(symbol), Timeframe.parse(timeframe)
        span = span_of(start, end, self._clock.now())
        bars: list[Bar] = []
        origin: list[tuple[TimeRange, str]] = []
        missing: list[TimeRange] = []
        at = span.start
        with shown(progress, f"{symbol} {timeframe}", timeframe.count_in(span) / 1_000) as report:
            try:
                for had in self.pages(provider, symbol, timeframe, span):
                    bars += had.page.bars
                    at = max(at, had.page.span.end)
                    origin.append((had.page.span, had.provider))
                    report((at - span.start) / (span.end - span.start))
            except HistoryIncomplete as error:
                missing = [TimeRange(*one) for one in error.missing]
                if not partial:
                    raise
            except BtfeedsError as error:
                missing = subtract([whole(span, timeframe)], [had for had, _ in origin])
                if error.fatal or not partial:
                    raise
        made = frame(sorted(bars, key=lambda bar: bar.open_time), missing)
        made.attrs["origin"] = _origin(origin)
        return made

    # --- inside ------------------------------------------------------------------------------------------------------

    def _plan(
        self, names: list[str], symbol: Symbol, timeframe: Timeframe, span: TimeRange
    ) -> list[tuple[TimeRange, str]]:
        span = whole(span, timeframe)
        if not span:
            return []
        held = [(name, subtract([span], self.history(name).missing(symbol, timeframe, span))) for name in names]
        return list(assigned(span, held))

    def _settled(
        self, names: list[str], symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone
    ) -> tuple[list[str], list[tuple[TimeRange, str]]]:
        """Who is asked, and the plan, in which all prices of shares have one scale: that of now.

        Before bars of several make one answer, or bars on disk and fresh ones, whoever gave those on disk looks at
        them: a look can throw them away, and then they are to be asked for. Of whom does not answer nobody knows which
        scale they have: they do not count, and the others are asked for all of it, unless all is on disk. Raises the
        last one's error when there are no others.
        """
        plan = self._plan(names, symbol, timeframe, span)
        owners = dict.fromkeys(owner for _, owner in plan)
        if len(owners) < 2:
            return names, plan
        silent: dict[str, BtfeedsError] = {}
        for owner in filter(None, owners):
            try:
                with others_can_be_asked():
                    self.history(owner).look(symbol, timeframe, cancelled=gone)
            except WarehouseError:
                raise
            except BtfeedsError as failed:
                if gone():
                    raise
                silent[owner] = failed
        plan = self._plan(names, symbol, timeframe, span)
        if not silent or all(owner for _, owner in plan):
            return names, plan
        left = [name for name in names if name not in silent]
        if not left:
            raise list(silent.values())[-1]
        for owner, error in silent.items():
            change = monitor.ProviderChanged(owner, f"{symbol} {timeframe}", left[0], plan[0][0].start, error.line())
            monitor.publish(change)
        return left, self._plan(left, symbol, timeframe, span)

    def _walk(
        self, provider: str, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone | None, *, read: bool
    ) -> Iterator[Had]:
        names = self.candidates(provider, symbol, timeframe)

        def over() -> bool:
            return self._closed or (gone is not None and gone())

        relay = Relay(self.history, symbol, timeframe, over, read=read)
        try:
            # one provider knows best itself what to ask in one request
            plan = [(whole(span, timeframe), "")]
            if len(names) > 1:
                names, plan = self._settled(names, symbol, timeframe, span, over)
            for piece, owner in plan:
                if read or not owner:
                    yield from relay.pages([owner] if owner else names, piece)
        finally:
            self._reliability.save()
        if lacking := relay.lacking():
            raise lacking


def series_venue(name: str) -> str:
    """The venue under which bars lie in a warehouse: by a provider's name in whatever spelling, or any other name."""
    try:
        return series_of(name)
    except ConfigError:
        return name.strip().lower()


@contextmanager
def opened(warehouse: Warehouse | str | os.PathLike[str] | bool, clock: Clock) -> Iterator[Warehouse]:
    """A warehouse to use: one that is open stays so; a folder, or True for BTFEEDS_WAREHOUSE, is opened and closed."""
    if isinstance(warehouse, Warehouse):
        yield warehouse
        return
    with Warehouse("" if isinstance(warehouse, bool) else warehouse, clock=clock) as made:
        yield made


def _origin(had: list[tuple[TimeRange, str]]) -> tuple[tuple[int, int, str], ...]:
    """Who gave which span, ascending; neighbours of one provider are joined. An empty answer gave nothing."""
    runs: list[tuple[int, int, str]] = []
    for span, name in sorted(had, key=lambda one: one[0].start):
        if runs and runs[-1][1:] == (span.start, name):
            runs[-1] = (runs[-1][0], span.end, name)
        elif span:
            runs.append((span.start, span.end, name))
    return tuple(runs)
