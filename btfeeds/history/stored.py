"""One provider's bars with a warehouse in between: what is there is read, only the rest is asked for, and every page is
kept before it is handed on. A page that is kept is never asked for again: that is what an interrupted download
continues from.

What the provider's history may still show otherwise, because it lags behind the market, is handed on but is not
remembered as answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import BtfeedsError, HistoryIncomplete, UnsupportedTimeframe, WarehouseDamaged, WarehouseError
from btfeeds.history.derived import Derived
from btfeeds.history.kinds import classify
from btfeeds.history.outage import Outage
from btfeeds.history.paging import Gone, Page
from btfeeds.history.ranges import pages as cut
from btfeeds.history.ranges import subtract, union, whole
from btfeeds.history.reliability import Reliability
from btfeeds.history.rescaling import Rescaling, adjusts
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import Provider

if TYPE_CHECKING:
    from btfeeds.warehouse import Warehouse

_DAY_MS = 86_400_000
_CHUNK = 10_000  # bars that are read at once


class Source(Protocol):
    """What is asked: history.downloader.Downloader, or one like it."""

    provider: Any

    def pages(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, *, cancelled: Gone | None = None
    ) -> Iterator[Page]:
        """The closed bars that open in `span`, in ascending pages."""
        ...

    def close(self) -> None:
        """Let go of the connections."""


class StoredHistory:
    """Gives what a Downloader gives. May be used from several threads.

    With `outage` a warehouse that cannot be read or written is gone without, and that is told; else it is an error.
    `provider` is the source's own, where it is not given.
    """

    def __init__(
        self,
        source: Source,
        warehouse: Warehouse | None,
        clock: Clock | None = None,
        *,
        provider: Provider | None = None,
        reliability: Reliability | None = None,
        outage: Outage | None = None,
    ) -> None:
        self.source = source
        self.provider: Provider = provider or source.provider
        self._warehouse = warehouse
        self._clock: Clock = clock or SystemClock()
        self._reliability = reliability
        self._outage = outage
        self._venue = self.provider.bars_of or self.provider.name
        self._derived = Derived(warehouse) if warehouse is not None else None
        self._rescaling = Rescaling(warehouse, self.provider) if warehouse is not None else None
        # on a fast clock the wire is not faster: see live.stream
        self._lag_ms = max(self.provider.lag_ms, int(500 * self._clock.speed) if self._clock.speed > 1 else 0)

    def close(self) -> None:
        """Let go of the connections; the warehouse stays open: it is its owner's."""
        self.source.close()

    # --- what there is to ask ----------------------------------------------------------------------------------------

    def reach(self, timeframe: Timeframe) -> int | None:
        """The oldest opening time the provider has (epoch ms), where it says how many days it keeps."""
        try:
            days = self.provider.days_back.get(self.provider.base_timeframe(timeframe))
        except UnsupportedTimeframe:
            return None
        if days is None:
            return None
        oldest = timeframe.ceil(self._clock.now() - days * _DAY_MS)
        return timeframe.back(oldest, -2)  # while one asks, time goes on

    def missing(self, symbol: Symbol | str, timeframe: Timeframe | str, span: TimeRange) -> list[TimeRange]:
        """What would have to be asked of the provider."""
        wanted = self._subscription(symbol, timeframe)
        return self._missing(wanted, possible(wanted, span))

    def pages(
        self, symbol: Symbol | str, timeframe: Timeframe | str, span: TimeRange, *, cancelled: Gone | None = None
    ) -> Iterator[Page]:
        """The closed bars that open in `span`, in ascending pages, wherever they are.

        Raises what the venue or the network says as soon as a page fails, and HistoryIncomplete at the end when
        single bars could not be had.
        """
        return self._walk(self._subscription(symbol, timeframe), span, cancelled, read=True)

    def fill(
        self, symbol: Symbol | str, timeframe: Timeframe | str, span: TimeRange, *, cancelled: Gone | None = None
    ) -> Iterator[Page]:
        """As `pages`, of what is not in the warehouse yet: afterwards it is."""
        return self._walk(self._subscription(symbol, timeframe), span, cancelled, read=False)

    def bars(self, symbol: Symbol | str, timeframe: Timeframe | str, span: TimeRange) -> list[Bar]:
        """All pages in one list."""
        return [bar for page in self.pages(symbol, timeframe, span) for bar in page.bars]

    def look(self, symbol: Symbol | str, timeframe: Timeframe | str, *, cancelled: Gone | None = None) -> bool:
        """Whether bars on disk turn out to have the prices of before a split: then they are missing from now on.

        To be asked before they are handed out beside bars of others; `pages` and `fill` do so themselves. Raises what
        the venue or the network says: what is of one scale is not continued in one that is not known.
        """
        return self._rescaled(self._subscription(symbol, timeframe), cancelled)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _subscription(self, symbol: Symbol | str, timeframe: Timeframe | str) -> Subscription:
        return Subscription(self._venue, Symbol(symbol), Timeframe.parse(timeframe))

    def _walk(
        self, wanted: Subscription, span: TimeRange, gone: Gone | None, *, read: bool, begun: bool = False
    ) -> Iterator[Page]:
        """`begun`: bars of the series were handed out already."""
        span = possible(wanted, whole(span, wanted.timeframe))
        lacking: list[TimeRange] = []
        error: HistoryIncomplete | None = None
        missing = self._missing(wanted, span)
        # what is only to be read can be read from a warehouse that cannot be written; to fill it is an error
        keep = self._warehouse is not None and not (read and self._warehouse.readonly)
        if missing and self._rescaling is not None and self._rescaling.concerns(wanted):
            self._check_scale(wanted, gone, begun)
            missing = self._missing(wanted, span)  # a look can show that more is
        todo = deque(pieces(span, joined(missing, wanted.timeframe, self.provider.limits.bars_per_request)))
        while todo:
            piece, stored = todo.popleft()
            if stored and not read:
                continue
            held = [] if stored else subtract([piece], missing)  # on disk, and asked for again to save a request
            at = piece.start
            given = self._stored(wanted, piece, gone, begun) if stored else self._asked(wanted, piece, gone, keep)
            try:
                for page in self._with_held(wanted, given, piece, held, gone) if held and read else given:
                    at = page.span.end
                    yield page
                    begun = begun or bool(page.bars)
            except HistoryIncomplete as some:  # single bars, or older ones than there are: what follows is had
                gaps = union(TimeRange(*one) for one in some.missing)
                rest = subtract(gaps, held)
                lacking += rest
                error = some if rest or not gaps else error
                behind = max((one.end for one in gaps), default=at)
                goes_on = at < behind < piece.end  # it has said nothing of what follows
                again = [(one, True) for one in both(held, [TimeRange(at, behind if goes_on else piece.end)])]
                if goes_on:
                    again.append((TimeRange(behind, piece.end), stored))
                todo.extendleft(reversed(again))
        if error is not None:
            spans = tuple((one.start, one.end) for one in union(lacking))
            raise HistoryIncomplete(error.what, error.did, error.advice, missing=spans)

    def _rescaled(self, wanted: Subscription, gone: Gone | None) -> bool:
        """Whether bars on disk do not count any more, because they have, or may have, prices of before a split."""

        def ask(span: TimeRange) -> list[Bar]:
            bars: list[Bar] = []
            try:
                for page in self._asked(wanted, span, gone, keep=False):
                    bars += page.bars
            except HistoryIncomplete:
                pass  # these bars cannot be had: others can
            return bars

        if self._rescaling is None or self._warehouse is None or not self._usable:
            return False
        if not self._rescaling.concerns(wanted):
            return False
        while True:
            try:
                return self._rescaling.check(wanted, self._clock.now(), self.reach(wanted.timeframe), ask)
            except WarehouseError as problem:
                if not isinstance(problem, WarehouseDamaged) or not problem.spans:
                    self._without(problem)
                    return False
                if self._warehouse.readonly:  # it stays in the way
                    self._rescaling.distrust(wanted)
                    return True
                # told by the warehouse, and out of the way now: what is left is looked at

    def _check_scale(self, wanted: Subscription, gone: Gone | None, begun: bool) -> bool:
        """As `_rescaled`. Raises WarehouseError instead where bars were handed out already."""
        rescaled = self._rescaled(wanted, gone)
        if rescaled and begun and self._rescaling is not None:
            raise self._rescaling.mixed(wanted)
        return rescaled

    def _with_held(
        self, wanted: Subscription, pages: Iterator[Page], piece: TimeRange, held: list[TimeRange], gone: Gone | None
    ) -> Iterator[Page]:
        """The pages of an answer for `piece` with what is `held` on disk: in them, between them, and behind them."""
        at = piece.start
        for page in pages:
            for hole in both(held, [TimeRange(at, page.span.start)]):
                yield from self._stored(wanted, hole, gone, begun=True)
            at = max(at, page.span.end)
            yield self._with_stored(wanted, page, held)
        for rest in both(held, [TimeRange(at, piece.end)]):  # the answer may lag behind what was heard live
            yield from self._stored(wanted, rest, gone, begun=True)

    def _with_stored(self, wanted: Subscription, page: Page, held: list[TimeRange]) -> Page:
        """A page together with what is on disk in its span and was not in the answer: it is no less there."""
        assert self._warehouse is not None
        known = {bar.open_time: bar for bar in page.bars}
        try:
            for span in both(held, [page.span]):
                known = {bar.open_time: bar for bar in self._warehouse.bars(wanted, span)} | known
        except WarehouseDamaged:
            return page  # told by the warehouse
        except WarehouseError as problem:
            self._without(problem)
        return msgspec.structs.replace(page, bars=[known[time] for time in sorted(known)])

    def _missing(self, wanted: Subscription, span: TimeRange) -> list[TimeRange]:
        if not span:
            return []
        if self._warehouse is None or not self._usable:
            return [span]
        try:
            missing = self._warehouse.missing(wanted, span)
            if (
                missing
                and self._derived is not None
                and not self._warehouse.readonly
                and classify(wanted.symbol).always_open
            ):
                try:
                    self._derived.make(wanted, missing)
                except WarehouseDamaged as damaged:
                    if not damaged.spans:
                        raise
                    # told by the warehouse: what cannot be made of minutes is asked for
                missing = self._warehouse.missing(wanted, span)
            if self._rescaling is not None and (former := self._rescaling.former(wanted)):
                missing = union([*missing, *both(former, [whole(span, wanted.timeframe)])])
            return missing
        except WarehouseError as problem:
            self._without(problem)
            return [span]

    def _stored(self, wanted: Subscription, piece: TimeRange, gone: Gone | None, begun: bool) -> Iterator[Page]:
        """What is on disk. A file that turns out to be damaged is asked for again, and so is what was thrown out."""
        assert self._warehouse is not None
        for chunk in cut(piece, wanted.timeframe, _CHUNK):
            bars: list[Bar] | None = None
            try:
                bars = self._warehouse.bars(wanted, chunk)
                if self._warehouse.missing(wanted, chunk):  # looked at after the reading: so it was whole
                    bars = None
            except WarehouseDamaged:  # told by the warehouse, and no longer covered where that can be written down
                if self._warehouse.readonly and not self._check_scale(wanted, gone, begun):
                    yield from self._asked(wanted, chunk, gone, keep=False)
                    begun = True
                    continue
            except WarehouseError as problem:
                self._without(problem)
                yield from self._asked(wanted, TimeRange(chunk.start, piece.end), gone, keep=False)
                return
            if bars is None:
                yield from self._walk(wanted, TimeRange(chunk.start, piece.end), gone, read=True, begun=begun)
                return
            yield Page(chunk, bars, stored=True)
            begun = begun or bool(bars)

    def _asked(self, wanted: Subscription, piece: TimeRange, gone: Gone | None, keep: bool) -> Iterator[Page]:
        pages = self.source.pages(wanted.symbol, wanted.timeframe, piece, cancelled=gone)
        while True:
            begun = self._clock.monotonic()
            try:
                page = next(pages, None)
            except HistoryIncomplete:
                raise
            except BtfeedsError:
                if gone is None or not gone():
                    self._tell(begun, good=False)
                raise
            if page is None:
                return
            self._tell(begun, good=True)
            if keep:
                self._keep(wanted, page)
            yield page

    def _keep(self, wanted: Subscription, page: Page) -> None:
        if self._warehouse is None or not self._usable:
            return
        span = certain(page, wanted.timeframe, self._lag_ms, self._clock.now())
        bars = [bar for bar in page.bars if bar.open_time in span]
        if not span and not page.rejected:
            return
        try:
            self._add(self._warehouse, wanted, [*bars, *page.rejected], span, page.venue_time or 0)
        except WarehouseError as problem:
            self._without(problem)

    def _add(
        self, warehouse: Warehouse, wanted: Subscription, bars: list[Bar], span: TimeRange, venue_time: int
    ) -> None:
        adjusted = adjusts(self.provider, wanted.symbol)
        added = warehouse.add(
            wanted, bars, provider=self.provider.name, span=span, adjusted=adjusted, venue_time=venue_time
        )
        if self._outage is not None:
            self._outage.worked()
        if (added.new or added.revised) and self._derived is not None:
            self._derived.correct(wanted, [span])

    @property
    def _usable(self) -> bool:
        return self._outage is None or self._outage.usable()

    def _without(self, problem: WarehouseError) -> None:
        if self._outage is None:
            raise problem
        self._outage.failed(problem)

    def _tell(self, begun: int, *, good: bool) -> None:
        if self._reliability is not None:
            self._reliability.answered(self.provider.name, good=good, ms=self._clock.monotonic() - begun)


def pieces(span: TimeRange, missing: Sequence[TimeRange]) -> Iterator[tuple[TimeRange, bool]]:
    """`span` in ascending pieces, and of each whether it is on disk."""
    at = span.start
    for one in missing:
        if at < one.start:
            yield TimeRange(at, one.start), True
        yield one, False
        at = one.end
    if at < span.end:
        yield TimeRange(at, span.end), True


def possible(wanted: Subscription, span: TimeRange) -> TimeRange:
    """The part of a span in which there can be bars: of coins there are none before 1970."""
    return TimeRange(max(span.start, 0), max(span.end, 0)) if classify(wanted.symbol).always_open else span


def both(some: Sequence[TimeRange], others: Sequence[TimeRange]) -> list[TimeRange]:
    """The instants that lie in both, ascending."""
    return subtract(some, subtract(some, others))


def joined(missing: Sequence[TimeRange], timeframe: Timeframe, most: int) -> list[TimeRange]:
    """Ascending spans, neighbours made one where one request of `most` bars answers both: half the requests."""
    made: list[TimeRange] = []
    for span in missing:
        if made and timeframe.count_in(TimeRange(made[-1].start, span.end)) <= most:
            made[-1] = TimeRange(made[-1].start, span.end)
        else:
            made.append(span)
    return made


def certain(page: Page, timeframe: Timeframe, lag_ms: int, now: int) -> TimeRange:
    """The part of a page's span that is answered for good.

    A bar that is there is final. A bar that is not there may only be late: history may show the market as it was
    `lag_ms` ago.
    """
    last = timeframe.close(page.bars[-1].open_time) if page.bars else page.span.start
    settled = timeframe.floor((page.venue_time or now) - lag_ms)
    return TimeRange(page.span.start, min(page.span.end, max(last, settled)))
