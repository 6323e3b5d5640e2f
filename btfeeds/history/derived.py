"""Larger bars of a warehouse, made of its minutes: what the minutes cover is not asked of anybody.

Only the larger bars that are missing are made, and those again that stood on a minute which was corrected, told late or
taken back. What a provider has given itself is never overwritten.

A day of shares or currencies is a day of their exchange, not the 24 hours of UTC: of what is not traded around the
clock nothing from a day upwards is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from btfeeds.history.kinds import classify
from btfeeds.history.ranges import pages, subtract, union
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse.larger import lost, merge, touched, whole

if TYPE_CHECKING:
    from btfeeds.warehouse import Warehouse

MINUTE = Timeframe(1, "m")
_AT_ONCE = 100_000  # minutes: bounds memory
_DAY_MS = 86_400_000


class Derived:
    """The larger bars of one warehouse. May be used from several threads."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def make(self, wanted: Subscription, spans: Iterable[TimeRange]) -> int:
        """Make what is missing of `wanted` in `spans` and lies on minutes that are there; returns how many bars."""
        if not makes(wanted.symbol, wanted.timeframe):
            return 0
        base = Subscription(wanted.venue, wanted.symbol, MINUTE)
        if self._warehouse.get(base) is None:
            return 0
        made = 0
        for span in spans:
            missing = self._warehouse.missing(wanted, span)
            covered = [one for gap in missing for one in self._warehouse.covered(base, gap)]
            made += self._merge(wanted, base, whole(covered, wanted.timeframe))
        return made

    def follow(self, base: Subscription, changed: Iterable[TimeRange], timeframes: Iterable[Timeframe] = ()) -> int:
        """Minutes of `base` were added or corrected in `changed`: bring the larger bars of them up to date.

        As `correct`; and those of `timeframes`, and of every series whose newest bar was made here, are continued.
        Returns how many bars were made.
        """
        changed = union(changed)
        made = self.correct(base, changed)
        if base.timeframe != MINUTE or not changed:
            return made
        for timeframe in dict.fromkeys((*timeframes, *self._continued(base))):
            made += self.make(Subscription(base.venue, base.symbol, timeframe), lost(changed, timeframe))
        return made

    def correct(self, base: Subscription, changed: Iterable[TimeRange], *, gone: bool = False) -> int:
        """Minutes of `base` were corrected or told late in `changed`: make again what stands on them, and only that.

        `gone`: they were taken back, so that a larger bar that has lost one is to be asked for again, too. Returns how
        many bars were made.
        """
        changed = union(changed)
        if base.timeframe != MINUTE or not changed:
            return 0
        made = 0
        for wanted in self._larger(base):
            timeframe = wanted.timeframe
            around = lost(changed, timeframe)
            there = [one for span in around for one in self._warehouse.covered(wanted, span)]
            ours = subtract(there, self._given(wanted, there)) if there else []
            if not ours:
                continue
            minutes = [one for span in around for one in self._warehouse.covered(base, span)]
            again = touched(ours, minutes, timeframe)
            made += self._merge(wanted, base, again)
            for span in subtract(ours, again) if gone else ():
                self._warehouse.forget(wanted, span)
        return made

    def _larger(self, base: Subscription) -> Iterator[Subscription]:
        """The series of larger bars beside these minutes that can have been made of them."""
        for timeframe in self._warehouse.timeframes(base.venue, base.symbol):
            if timeframe != MINUTE and timeframe.holds(MINUTE):
                yield Subscription(base.venue, base.symbol, timeframe)

    def _continued(self, base: Subscription) -> Iterator[Timeframe]:
        """The timeframes whose newest bar was made from these minutes."""
        for one in self._larger(base):
            series = self._warehouse.get(one)
            if series is None or not series.rows:
                continue
            newest = TimeRange(series.last, one.timeframe.close(series.last))
            if not self._given(one, [newest]):
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


def makes(symbol: Symbol, timeframe: Timeframe) -> bool:
    """Whether bars of `timeframe` are made of the minutes of `symbol`."""
    if timeframe == MINUTE or not timeframe.holds(MINUTE):
        return False
    return timeframe.ms < _DAY_MS or classify(symbol).always_open
