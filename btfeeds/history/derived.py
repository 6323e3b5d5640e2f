"""Larger bars of a warehouse, made of its minutes: what the minutes cover is not asked of anybody.

Only the larger bars that are missing are made, and those again that stood on a minute which was corrected, told late or
taken back. What a provider has given itself is never overwritten.

A day of shares or currencies is a day of their exchange, not the 24 hours of UTC: of what is not traded around the
clock nothing from a day upwards is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from btfeeds.history.kinds import SHARES, classify
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

    def follow(
        self,
        base: Subscription,
        changed: Iterable[TimeRange],
        timeframes: Iterable[Timeframe] = (),
        *,
        ended: bool = False,
    ) -> int:
        """Minutes of `base` were added or corrected in `changed`: bring the larger bars of them up to date.

        As `correct`; and those of `timeframes` are made, and every series whose newest bar was made here is continued
        up to there. `ended`: of these only the ones of which a bar ends in `changed`, for minutes that come one by
        one. Returns how many bars were made.
        """
        changed = union(changed)
        made = self.correct(base, changed)
        if base.timeframe != MINUTE or not changed:
            return made
        for timeframe in dict.fromkeys(timeframes):
            made += self.make(Subscription(base.venue, base.symbol, timeframe), lost(changed, timeframe))
        for wanted in self._larger(base):
            around = lost(changed, wanted.timeframe)
            if ended and not any(wanted.timeframe.floor(span.end) > span.start for span in changed):
                continue
            if (behind := self._behind(wanted, around[-1].end)) is not None:
                made += self.make(wanted, union([behind, *around]))
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

    def _behind(self, wanted: Subscription, end: int) -> TimeRange | None:
        """Where a series may lack bars up to `end`; None where its newest bar was not made from minutes.

        Minutes come late, too: what they left out is made up for. Old minutes of shares may have the prices of before
        a split, so that of these only what is newer than the newest bar is made.
        """
        series = self._warehouse.get(wanted)
        if series is None or not series.rows:
            return None
        close = wanted.timeframe.close(series.last)
        if self._given(wanted, [TimeRange(series.last, close)]):
            return None
        return TimeRange(close if classify(wanted.symbol) in SHARES else series.first, end)

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
                for part, adjusted in self._parts(wanted, base, piece):
                    self._warehouse.add(
                        wanted,
                        [bar for bar in bars if bar.open_time in part],
                        provider=provider(wanted.venue),
                        span=part,
                        adjusted=adjusted,
                        venue_time=part.end,  # that it is over its minutes say, whatever our clock does
                    )
                made += len(bars)
        return made

    def _parts(self, wanted: Subscription, base: Subscription, piece: TimeRange) -> list[tuple[TimeRange, bool]]:
        """`piece` in parts, and of each whether its minutes had splits worked in: then so have the larger bars."""
        if classify(base.symbol) not in SHARES:
            return [(piece, False)]
        minutes = [span for span, origin in self._warehouse.origin(base, piece) if origin.adjusted]
        adjusted = lost(minutes, wanted.timeframe)
        return [*((part, True) for part in adjusted), *((part, False) for part in subtract([piece], adjusted))]


def provider(venue: str) -> str:
    """Who is said to have given bars that were made here."""
    return f"{venue} {MINUTE}"


def makes(symbol: Symbol, timeframe: Timeframe) -> bool:
    """Whether bars of `timeframe` are made of the minutes of `symbol`."""
    if timeframe == MINUTE or not timeframe.holds(MINUTE):
        return False
    return timeframe.ms < _DAY_MS or classify(symbol).always_open
