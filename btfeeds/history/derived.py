"""Larger bars of a warehouse, made of its minutes: what the minutes cover is not asked of anybody.

Only the larger bars that are missing are made, and those again that stood on a minute which was corrected. What a
provider has given itself is never overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from btfeeds.history.ranges import pages, subtract, union
from btfeeds.market import Subscription, Timeframe, TimeRange
from btfeeds.warehouse.larger import merge, touched, whole

if TYPE_CHECKING:
    from btfeeds.warehouse import Warehouse

MINUTE = Timeframe(1, "m")
_AT_ONCE = 100_000  # minutes: bounds memory


class Derived:
    """The larger bars of one warehouse. May be used from several threads."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def make(self, wanted: Subscription, spans: Iterable[TimeRange]) -> int:
        """Make what is missing of `wanted` in `spans` and lies on minutes that are there; returns how many bars."""
        base = _minutes(wanted)
        if base is None or self._warehouse.get(base) is None:
            return 0
        made = 0
        for span in spans:
            missing = self._warehouse.missing(wanted, span)
            covered = [one for gap in missing for one in self._warehouse.covered(base, gap)]
            made += self._merge(wanted, base, whole(covered, wanted.timeframe))
        return made

    def follow(self, base: Subscription, changed: Iterable[TimeRange], timeframes: Iterable[Timeframe] = ()) -> int:
        """Minutes of `base` were added or corrected in `changed`: bring the larger bars of them up to date.

        They are those of `timeframes`, and of every series whose newest bar was made here. Returns how many bars were
        made.
        """
        changed = union(changed)
        if base.timeframe != MINUTE or not changed:
            return 0
        made = 0
        for timeframe in dict.fromkeys((*timeframes, *self._larger(base))):
            wanted = Subscription(base.venue, base.symbol, timeframe)
            around = [TimeRange(timeframe.floor(one.start), timeframe.ceil(one.end)) for one in changed]
            covered = [one for span in union(around) for one in self._warehouse.covered(base, span)]
            spans = touched(changed, covered, timeframe)
            made += self._merge(wanted, base, subtract(spans, self._given(wanted, spans)))
        return made

    def _larger(self, base: Subscription) -> Iterator[Timeframe]:
        """The timeframes that were made from these minutes."""
        for series in self._warehouse.series():
            one = series.subscription
            if (one.venue, one.symbol) != (base.venue, base.symbol) or one.timeframe == MINUTE or not series.rows:
                continue
            newest = TimeRange(series.last, one.timeframe.close(series.last))
            if one.timeframe.holds(MINUTE) and not self._given(one, [newest]):
                yield one.timeframe

    def _given(self, wanted: Subscription, spans: Iterable[TimeRange]) -> list[TimeRange]:
        """Where the provider's own bars are."""
        return [
            span
            for piece in spans
            for span, origin in self._warehouse.origin(wanted, piece)
            if origin.provider != provider(wanted.venue)
        ]

    def _merge(self, wanted: Subscription, base: Subscription, spans: Iterable[TimeRange]) -> int:
        made = 0
        for span in spans:
            for piece in pages(span, wanted.timeframe, max(1, _AT_ONCE * MINUTE.ms // wanted.timeframe.ms)):
                bars = merge(self._warehouse.rows(base, piece).bars, wanted.timeframe, [piece]).bars()
                self._warehouse.add(wanted, bars, provider=provider(wanted.venue), span=piece)
                made += len(bars)
        return made


def provider(venue: str) -> str:
    """Who is said to have given bars that were made here."""
    return f"{venue} {MINUTE}"


def _minutes(wanted: Subscription) -> Subscription | None:
    if wanted.timeframe == MINUTE or not wanted.timeframe.holds(MINUTE):
        return None
    return Subscription(wanted.venue, wanted.symbol, MINUTE)

