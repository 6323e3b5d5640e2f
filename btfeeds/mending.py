"""Mending a series of a warehouse: what is damaged is put out of the way, and what is missing is had again.

A series is looked after from its first to its last bar, and where files of it lie in quarantine. Gaps that were asked
about and answered with nothing are the source's own; only when told to is it asked about them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from btfeeds import inventory
from btfeeds.errors import BtfeedsError
from btfeeds.fetching import Fetched, Wish, fetch
from btfeeds.history.downloader import DataDownloaderFactory
from btfeeds.history.ranges import union
from btfeeds.manager import DataManager
from btfeeds.market import Subscription, TimeRange, to_ms
from btfeeds.warehouse import Damage, Warehouse, layout
from btfeeds.warehouse.gapreport import Cause, GapReport


@dataclass(frozen=True, slots=True)
class Mended:
    """What was wrong with a series, what was asked for again, and what its gaps are now."""

    series: Subscription
    damage: tuple[Damage, ...]
    missing: tuple[TimeRange, ...]  # before
    fetched: Fetched | None  # None: nothing was missing, or nobody can be asked
    left: tuple[TimeRange, ...]
    gaps: GapReport

    @property
    def whole(self) -> bool:
        """Whether nothing is missing any more."""
        return not self.left

    def json(self) -> dict[str, Any]:
        def spans(some: tuple[TimeRange, ...]) -> list[dict[str, int]]:
            return [{"start": one.start, "end": one.end} for one in some]

        series, error = self.series, self.fetched.error if self.fetched else None
        return {
            "type": "mended", "venue": series.venue, "symbol": series.symbol, "timeframe": str(series.timeframe),
            "damage": [{"kind": one.kind, "start": one.span.start, "end": one.span.end, "detail": one.detail}
                       for one in self.damage],
            "missing": spans(self.missing), "left": spans(self.left),
            "bars": self.fetched.bars if self.fetched else 0,
            "gaps": {cause.value: self.gaps.bars(cause) for cause in Cause},
            "error": error.line() if error else None,
        }  # fmt: skip


def mend(
    manager: DataManager,
    warehouse: Warehouse,
    series: Subscription,
    *,
    again: bool = False,
    report: Callable[[Fetched], None] = lambda _: None,
) -> Mended | None:
    """Mend one series; None where nothing is known of it. `again`: ask about the source's own gaps, too.

    Raises the errors of the warehouse; what the provider says is in the result.
    """
    before = inventory.extent(warehouse, series)  # a damaged file takes its bars with it
    damage = tuple(warehouse.verify(series, repair=True))
    known = [*([before] if before else []), *lost(warehouse.quarantined()).get(series, [])]
    if not known:
        return None
    span = TimeRange(min(one.start for one in known), max(one.end for one in known))
    if again:
        own = [gap.span for gap in inventory.gaps(warehouse, series, span).gaps
               if gap.cause in (Cause.NO_TRADE, Cause.SOURCE)]  # fmt: skip
        if own:
            warehouse.forget(series, *own)
    missing = tuple(warehouse.missing(series, span))
    fetched = None
    if missing and series.venue in DataDownloaderFactory.names():
        wish = Wish(series.venue, series.symbol, series.timeframe, span)
        fetched = _had(manager, warehouse, wish, report)
    left = tuple(warehouse.missing(series, span))
    return Mended(series, damage, missing, fetched, left, inventory.gaps(warehouse, series, span))


def lost(notes: Iterable[str]) -> dict[Subscription, list[TimeRange]]:
    """From when until when there were bars in files that lie in quarantine, as the notes about them say."""
    found: dict[Subscription, list[TimeRange]] = {}
    for lines in map(str.splitlines, notes):
        bars = next((line.removeprefix("bars: ") for line in lines if line.startswith("bars: ")), "")
        first, dots, last = bars.partition(" .. ")
        try:
            series = layout.subscription(lines[0].rpartition("/")[0])
            span = TimeRange(to_ms(first), series.timeframe.close(to_ms(last)))
        except (BtfeedsError, IndexError, ValueError):
            continue  # somebody else's file
        if dots and span:
            found.setdefault(series, []).append(span)
    return {series: union(spans) for series, spans in found.items()}


def _had(manager: DataManager, warehouse: Warehouse, wish: Wish, report: Callable[[Fetched], None]) -> Fetched:
    try:
        return fetch(manager, warehouse, wish, report=report, resumable=False)
    except BtfeedsError as error:  # no key, for instance: others can be mended
        if error.exit_code == 3:
            raise
        return Fetched(wish, error=error)
