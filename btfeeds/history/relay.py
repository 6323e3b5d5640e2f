"""Bars of one series from several providers: one after the other, until somebody gives them. Each change is an event.

Who fails is followed by the next. What somebody has not got of a span that he gives otherwise (single bars that cannot
be bars, or some too old for him) the next one is asked for, behind the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from btfeeds import monitor
from btfeeds.errors import BtfeedsError, HistoryIncomplete, RateLimited, WarehouseError
from btfeeds.history.budget import others_can_be_asked
from btfeeds.history.paging import Gone, Page
from btfeeds.history.ranges import subtract, union, whole
from btfeeds.history.selection import turn
from btfeeds.history.stored import StoredHistory
from btfeeds.market import Symbol, Timeframe, TimeRange

_PATIENCE = 3  # failures in a row without a page in between, then the only provider is not there


@dataclass(frozen=True, slots=True)
class Had:
    """A page of bars, and who gave it."""

    provider: str
    page: Page


class Relay:
    """One download. `history` gives the bars of a provider by its name; `read`: those on disk are wanted, too."""

    def __init__(
        self,
        history: Callable[[str], StoredHistory],
        symbol: Symbol,
        timeframe: Timeframe,
        gone: Gone,
        *,
        read: bool,
    ) -> None:
        self._history = history
        self._symbol = symbol
        self._timeframe = timeframe
        self._gone = gone
        self._read = read
        self._lacking: list[HistoryIncomplete] = []

    def pages(self, names: list[str], piece: TimeRange) -> Iterator[Had]:
        """A piece from the first of `names` that gives it; who fails is taken off the list when another is on it.

        Who takes no request for a while is waited for only when all others have failed, and stays on the list. Raises
        the last one's error when all fail, and the errors of the warehouse at once: they are no provider's.
        """
        holes: list[tuple[str, HistoryIncomplete]] = []
        later: dict[str, float] = {}  # who takes no request yet, and for how many s
        at, failures, last, patient = piece.start, 0, "", False
        while at < piece.end:
            name, until = self._turn(names, at, piece.end)
            if last and last != name:
                self._changed(last, name, at, "it has the bars from here on")
            last = name
            others = not patient and (len(names) > 1 or bool(later))
            between: list[TimeRange] = []  # of which the answer had no page, but a later one
            try:
                for page in self._asked(name, TimeRange(at, until), others=others):
                    if at < page.span.start:
                        between.append(TimeRange(at, page.span.start))
                    at, failures = page.span.end, 0
                    yield Had(name, page)
                at = until
                holes += self._left_out(name, between, "it may not have published them yet.")
            except HistoryIncomplete as error:  # the rest of it was had
                said = [TimeRange(*span) for span in error.missing]
                holes.append((name, error))
                holes += self._left_out(name, subtract(between, said), "it may not have published them yet.")
                at = until
            except WarehouseError:
                raise
            except BtfeedsError as error:
                failures += 1
                if self._gone():
                    raise
                # why, an answer says at its end, and this one has none
                holes += self._left_out(name, between, f"why is not known, it failed behind them: {error.what}")
                if isinstance(error, RateLimited) and others:
                    later[name] = error.retry_after
                elif len(names) == 1 and not error.fatal and failures < _PATIENCE:
                    continue
                if len(names) == 1:
                    if not later:
                        raise
                    patient, failures = True, 0  # nobody else is left
                    soonest = min(later, key=lambda one: later[one])
                    del later[soonest]
                    names.append(soonest)
                names.remove(name)
                failures = 0  # they were its own
                last, _ = self._turn(names, at, piece.end)
                if last != name:
                    self._changed(name, last, at, error.line())
        names += later
        for name, hole in holes:
            yield from self._filled(name, hole, [other for other in names if other != name])

    def lacking(self) -> HistoryIncomplete | None:
        """What could not be had from anybody, if anything."""
        if not self._lacking:
            return None
        spans = union(TimeRange(*span) for error in self._lacking for span in error.missing)
        last = self._lacking[-1]
        return HistoryIncomplete(
            last.what, last.did, last.advice, missing=tuple((span.start, span.end) for span in spans)
        )

    def _asked(self, name: str, span: TimeRange, *, others: bool) -> Iterator[Page]:
        history = self._history(name)
        ask = history.pages if self._read else history.fill
        pages = ask(self._symbol, self._timeframe, span, cancelled=self._gone)
        while True:
            with others_can_be_asked() if others else nullcontext():
                page = next(pages, None)
            if page is None:
                return
            yield page

    def _filled(self, name: str, hole: HistoryIncomplete, others: list[str]) -> Iterator[Had]:
        """What `name` has not got, from the `others`; where they cannot help it stays lacking."""
        if not others:
            self._lacking.append(hole)
            return
        for start, end in hole.missing:
            self._changed(name, others[0], start, hole.line())
            try:
                yield from self.pages(list(others), TimeRange(start, end))
            except WarehouseError:
                raise
            except BtfeedsError as error:
                if self._gone():
                    raise
                self._lacking.append(HistoryIncomplete(error.what, error.did, error.advice, missing=((start, end),)))

    def _left_out(self, name: str, between: list[TimeRange], why: str) -> Iterator[tuple[str, HistoryIncomplete]]:
        """What lies `between` the pages of `name` and is not on disk either, as something it has not got."""
        if not between:
            return
        history = self._history(name)
        for span in union(whole(one, self._timeframe) for one in between):
            for lost in history.missing(self._symbol, self._timeframe, span):
                yield name, HistoryIncomplete(
                    f"{name} has given no bars of {self._symbol} {self._timeframe} of {lost}: {why}",
                    "Everything else was loaded.",
                    "Ask for these spans again later; partial=True gives what there is.",
                    missing=((lost.start, lost.end),),
                )

    def _turn(self, names: list[str], at: int, end: int) -> tuple[str, int]:
        if len(names) == 1:
            return names[0], end
        reaches = {name: self._history(name).reach(self._timeframe) for name in names}
        return turn(names, {name: time for name, time in reaches.items() if time is not None}, at, end)

    def _changed(self, before: str, now: str, at: int, why: str) -> None:
        monitor.publish(monitor.ProviderChanged(before, f"{self._symbol} {self._timeframe}", now, at, why))
