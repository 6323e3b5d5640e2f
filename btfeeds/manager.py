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
from btfeeds.market import Symbol, Timeframe, TimeRange
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
        HistoryIncomplete at the end when some bars could not be had from anybody, or else the error of who did not say
        which scale its bars of shares on disk have: they were left out.
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
        is in `.attrs["missing"]` instead of an error, and where one provider has more on disk it is that.
        """
        symbol, timeframe = Symbol(symbol), Timeframe.parse(timeframe)
        span = span_of(start, end, self._clock.now())
        had: list[Had] = []
        missing: list[TimeRange] = []
        at = span.start
        with shown(progress, f"{symbol} {timeframe}", timeframe.count_in(span) / 1_000) as report:
            try:
                for one in self.pages(provider, symbol, timeframe, span):
                    had.append(one)
                    at = max(at, one.page.span.end)
                    report((at - span.start) / (span.end - span.start))
            except HistoryIncomplete as error:
                missing = [TimeRange(*each) for each in error.missing]
                if not partial:
                    raise
            except BtfeedsError as error:
                if error.fatal or not partial:
                    raise
                if not isinstance(error, WarehouseError):
                    had = max(had, self._on_disk(provider, symbol, timeframe, span), key=_count)
                missing = subtract([whole(span, timeframe)], [one.page.span for one in had])
        bars = [bar for one in had for bar in one.page.bars]
        made = frame(sorted(bars, key=lambda bar: bar.open_time), missing)
        made.attrs["origin"] = _origin(had)
        return made

    # --- inside ------------------------------------------------------------------------------------------------------

    def _plan(
        self, names: list[str], symbol: Symbol, timeframe: Timeframe, span: TimeRange
    ) -> list[tuple[TimeRange, str]]:
        span = whole(span, timeframe)
        if not span:
            return []
        held = [(name, subtract([span], self.history(name).missing(symbol, timeframe, span))) for name in names]
        # who has all of it alone comes before those who have it together
        return list(assigned(span, [one for one in held if one[1] == [span]] or held))

    def _on_disk(self, provider: str, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> list[Had]:
        """What is on disk of the one that has most of it."""
        had: list[Had] = []
        names = self.candidates(provider, symbol, timeframe)
        plans = [self._plan([name], symbol, timeframe, span) for name in names]
        most = max(plans, key=lambda plan: sum(piece.end - piece.start for piece, owner in plan if owner))
        try:
            for piece, owner in most:
                if owner:
                    had += (Had(owner, page) for page in self.history(owner).pages(symbol, timeframe, piece))
        except BtfeedsError:
            pass  # of what turned out to be damaged
        return had

    def _settled(
        self, names: list[str], symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone, *, read: bool
    ) -> tuple[list[str], list[tuple[TimeRange, str]], BtfeedsError | None]:
        """Who is asked, the plan, in which all prices of shares have one scale, and why somebody is left out, if so.

        Bars of several, or bars on disk and fresh ones, make one answer only when whoever gave those on disk has looked
        at them: a look can throw them away, and then they are to be asked for. Who does not answer is left out with all
        it has: nobody knows which scale that is of. Raises its error when it is the last one.
        """
        left, looked, why = list(names), set[str](), None
        while True:
            plan = self._plan(left, symbol, timeframe, span)
            owners = dict.fromkeys(owner for _, owner in plan)
            unknown = [owner for owner in owners if owner and owner not in looked]
            if len(owners) < 2 or not unknown or not (read or "" in owners):
                return left, plan, why
            owner = unknown[0]
            looked.add(owner)
            if error := self._silent(owner, symbol, timeframe, gone):
                left.remove(owner)
                if not left:
                    raise error
                why = error
                feed = f"{symbol} {timeframe}"
                monitor.publish(monitor.ProviderChanged(owner, feed, left[0], plan[0][0].start, error.line()))

    def _silent(self, name: str, symbol: Symbol, timeframe: Timeframe, gone: Gone) -> BtfeedsError | None:
        """Have a provider look at its bars on disk; its error when it does not answer, however often HTTP has tried."""
        try:
            with others_can_be_asked():
                self.history(name).look(symbol, timeframe, cancelled=gone)
        except WarehouseError:
            raise
        except BtfeedsError as error:
            if gone():
                raise
            return error
        return None

    def _walk(
        self, provider: str, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone | None, *, read: bool
    ) -> Iterator[Had]:
        names = self.candidates(provider, symbol, timeframe)

        def over() -> bool:
            return self._closed or (gone is not None and gone())

        relay = Relay(self.history, symbol, timeframe, over, read=read)
        try:
            # one provider knows best itself what to ask in one request
            plan, left_out = [(whole(span, timeframe), "")], None
            if len(names) > 1:
                names, plan, left_out = self._settled(names, symbol, timeframe, span, over, read=read)
            for piece, owner in plan:
                if read or not owner:
                    yield from relay.pages([owner] if owner else names, piece)
        finally:
            self._reliability.save()
        if lacking := relay.lacking():
            raise left_out if left_out and not left_out.fatal else lacking  # it may have them when it answers again


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


def _count(had: list[Had]) -> int:
    return sum(len(one.page.bars) for one in had)


def _origin(had: list[Had]) -> tuple[tuple[int, int, str], ...]:
    """Who gave which span, ascending; neighbours of one provider are joined. An empty answer gave nothing."""
    runs: list[tuple[int, int, str]] = []
    for one in sorted(had, key=lambda one: one.page.span.start):
        span, name = one.page.span, one.provider
        if runs and runs[-1][1:] == (span.start, name):
            runs[-1] = (runs[-1][0], span.end, name)
        elif span:
            runs.append((span.start, span.end, name))
    return tuple(runs)
