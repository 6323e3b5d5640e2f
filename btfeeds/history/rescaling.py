"""Series that are given with splits worked in: a split changes all of their past, and what is on disk has the former
scale.

Such a series is looked at once a day before it is continued: is the newest bar on disk still what the provider gives
for that time? If its prices are a multiple of what they were, the bars on disk are forgotten, so that they are asked
for again; two scales in one series would be a jump that nobody has traded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from btfeeds import monitor
from btfeeds.history.derived import Derived
from btfeeds.market import Bar, Subscription, TimeRange

if TYPE_CHECKING:
    from btfeeds.warehouse import Warehouse

_DAY_MS = 86_400_000
_CORRECTION = 0.02  # less than this is no split: a correction, or a rounding
_ALIKE = 0.005  # how far the ratios of the four prices may lie apart


class Rescaling:
    """Looks at the adjusted series of one provider. May be used from several threads."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._lock = threading.Lock()  # guards _looked
        self._looked: dict[Subscription, int] = {}

    def check(
        self, series: Subscription, now: int, reach: int | None, ask: Callable[[TimeRange], list[Bar]]
    ) -> bool:
        """Whether bars of `series` were forgotten because their scale is an old one; told as PricesRescaled.

        `reach` is the oldest opening time that can be asked for. `ask` gives the provider's bars of a span, or none.
        Raises the errors of the warehouse.
        """
        known = self._warehouse.get(series)
        if known is None or not known.rows or known.last < (reach or known.last):
            return False
        newest = TimeRange(known.last, series.timeframe.close(known.last))
        with self._lock:
            looked = self._looked.get(series, 0)
        fetched = max((one.fetched for _, one in self._warehouse.origin(series, newest) if one.adjusted), default=now)
        if now - max(looked, fetched) < _DAY_MS:
            return False
        held = self._warehouse.bars(series, newest)
        fresh = ask(newest)
        with self._lock:
            self._looked[series] = now
        ratio = factor(held[0], fresh[0]) if held and fresh else 1.0
        if ratio == 1.0:
            return False
        start = known.first if reach is None else max(known.first, series.timeframe.ceil(reach))
        ours = self._given(series, TimeRange(start, newest.end))
        gone = sum(self._warehouse.forget(series, span) for span in ours)
        Derived(self._warehouse).correct(series, ours, gone=True)
        monitor.publish(
            monitor.PricesRescaled(
                series.venue, str(series), round(ratio, 6), ours[0].start, ours[-1].end, known.rows - gone
            )
        )
        return True

    def _given(self, series: Subscription, span: TimeRange) -> list[TimeRange]:
        """Where bars lie that an adjusting provider gave; those of an import cannot be asked for again."""
        runs: list[TimeRange] = []
        joins = False
        for one, origin in self._warehouse.origin(series, span):
            if origin.adjusted and joins:
                runs[-1] = TimeRange(runs[-1].start, one.end)
            elif origin.adjusted:
                runs.append(one)
            joins = origin.adjusted
        return runs


def factor(before: Bar, now: Bar) -> float:
    """By what the prices of one bar were multiplied; 1.0 where they were not: a correction is no multiple."""
    pairs = ((now.open, before.open), (now.high, before.high), (now.low, before.low), (now.close, before.close))
    ratios = [new / old for new, old in pairs]
    if before.open_time != now.open_time or max(ratios) > min(ratios) * (1 + _ALIKE):
        return 1.0
    ratio = now.close / before.close
    return ratio if abs(ratio - 1.0) > _CORRECTION else 1.0
