"""Where a series has no bars, and why. Pure, apart from the calendar that says when the market was open.

    market closed   no bar was due
    not yet listed  asked, and the first bar of the series comes later
    never asked     nobody asked the provider: fetch it
    no trade        asked, and the provider leaves out bars without trades
    source          asked, and the provider has none although it should: nothing to be done here
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from btfeeds import grid, sessions
from btfeeds.columns import Flags, Times
from btfeeds.history.ranges import union, whole
from btfeeds.market import Timeframe, TimeRange
from btfeeds.warehouse.findings import Finding

_DAY = 86_400_000


class Cause(enum.Enum):
    """Why there are no bars."""

    CLOSED = "market closed"
    NOT_LISTED = "not yet listed"
    NEVER_ASKED = "never asked"
    NO_TRADE = "no trade"
    SOURCE = "source"


_CAUSES = tuple(Cause)  # in columns a cause is its place here
_CLOSED, _NOT_LISTED, _NEVER_ASKED, _NO_TRADE, _SOURCE = range(len(_CAUSES))
_OWED = (Cause.NEVER_ASKED, Cause.NO_TRADE, Cause.SOURCE)


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars in a row that are not there, all for one reason."""

    span: TimeRange
    bars: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class GapReport:
    """The gaps of one series in `span`, the longest first. `present` bars are there."""

    span: TimeRange
    present: int
    gaps: tuple[Gap, ...]

    def bars(self, cause: Cause) -> int:
        """How many bars are not there for this reason."""
        return sum(gap.bars for gap in self.gaps if gap.cause is cause)

    @property
    def due(self) -> int:
        """How many bars there would be if every one the market was open for were there."""
        return self.present + sum(gap.bars for gap in self.gaps if gap.cause in _OWED)

    def finding(self) -> Finding:
        """What the source lacks, for a report on the series; bars nobody asked for are no fault of it."""
        lacking = [gap for gap in self.gaps if gap.cause is Cause.SOURCE]
        if not lacking:
            return Finding("missing", 0)
        first, last = (edge(gap.span.start for gap in lacking) for edge in (min, max))
        longest = tuple(gap.span.start for gap in lacking[:5])
        return Finding("missing", self.bars(Cause.SOURCE), first, last, longest, f"{len(lacking)} gaps")

    def json(self) -> dict[str, Any]:
        return {
            "start": self.span.start, "end": self.span.end, "due": self.due, "present": self.present,
            "totals": {cause.value: self.bars(cause) for cause in Cause},
            "gaps": [
                {"start": gap.span.start, "end": gap.span.end, "bars": gap.bars, "cause": gap.cause.value}
                for gap in self.gaps
            ],
        }  # fmt: skip


def report(
    opens: Times | Sequence[int],
    timeframe: Timeframe,
    span: TimeRange,
    covered: Iterable[TimeRange],
    *,
    calendar: str = "24/7",
    listed: int = 0,
    omits: bool = True,
    quiet_ms: int = _DAY,
) -> GapReport:
    """The gaps between the bars that open at `opens` (ascending), in `span`, of which `covered` was asked and answered.

    `calendar` is a market's name (`sessions.market`). `listed` is when the first bar of the whole series opens, where
    that is known. `omits`: the provider leaves out bars without trades
    (`Provider.omits_empty_bars`); then an answer without bars that is no longer than `quiet_ms` was a quiet market,
    while one that is longer, or any in bars of a day and more, is the source's own gap. Raises ConfigError and
    MissingExtra about the calendar.
    """
    inside = whole(span, timeframe)
    times = np.unique(np.asarray(opens, dtype=np.int64))
    times = times[(times >= inside.start) & (times < inside.end)]
    asked, listed = union(covered), timeframe.floor(listed)
    hours = sessions.market(calendar).spans(inside)
    starts, ends = _missing(times, timeframe, inside)
    starts, ends = _cut(starts, ends, [listed, *_whole_edges(asked, timeframe), *_touched_edges(hours, timeframe)])
    closes = grid.close(starts, timeframe)
    answered = np.where(starts < listed, _NOT_LISTED, _SOURCE)
    causes = np.where(_holds(starts, closes, asked), answered, _NEVER_ASKED)
    causes = np.where(_meets(starts, closes, hours), causes, _CLOSED)
    starts, ends, causes = _runs(starts, ends, causes)
    if omits and timeframe.ms < _DAY:
        causes = np.where((causes == _SOURCE) & (ends - starts <= quiet_ms), _NO_TRADE, causes)
    gaps = [
        Gap(piece, timeframe.count_in(piece), _CAUSES[cause])
        for piece, cause in zip(map(TimeRange, starts.tolist(), ends.tolist()), causes.tolist(), strict=True)
    ]
    gaps.sort(key=lambda gap: (-gap.bars, gap.span.start))
    return GapReport(inside, len(times), tuple(gaps))


def _missing(times: Times, timeframe: Timeframe, span: TimeRange) -> tuple[Times, Times]:
    """Starts and ends of what the bars leave free in `span`."""
    starts = np.concatenate(([span.start], grid.close(times, timeframe)))
    ends = np.concatenate((times, [span.end]))
    free = starts < ends
    return starts[free], ends[free]


def _cut(starts: Times, ends: Times, edges: Sequence[int]) -> tuple[Times, Times]:
    """The same instants in pieces that no edge lies inside of."""
    cuts = np.unique(np.concatenate((starts, ends, np.array(edges, dtype=np.int64))))
    if len(cuts) < 2:
        return starts, ends
    pieces, behind = cuts[:-1], cuts[1:]
    free = _holds(pieces, behind, list(map(TimeRange, starts.tolist(), ends.tolist())))
    return pieces[free], behind[free]


def _whole_edges(spans: Iterable[TimeRange], timeframe: Timeframe) -> list[int]:
    """The edges of the bars that lie in a span from open to close."""
    return [edge for span in spans for edge in (timeframe.ceil(span.start), timeframe.floor(span.end))]


def _touched_edges(spans: Iterable[TimeRange], timeframe: Timeframe) -> list[int]:
    """The edges of the bars that a span has a share in."""
    return [edge for span in spans for edge in (timeframe.floor(span.start), timeframe.ceil(span.end))]


def _holds(starts: Times, ends: Times, spans: Sequence[TimeRange]) -> Flags:
    """Which of the pieces lie in one of the spans, which are ascending and apart."""
    first = np.array([span.start for span in spans], dtype=np.int64)
    last = np.array([span.end for span in spans], dtype=np.int64)
    found = np.searchsorted(last, ends)  # the first span that does not end before the piece does
    flags: Flags = np.append(first, np.iinfo(np.int64).max)[found] <= starts
    return flags


def _meets(starts: Times, ends: Times, spans: Sequence[TimeRange]) -> Flags:
    """Which of the pieces have a share in one of the spans, which are ascending and apart."""
    first = np.array([span.start for span in spans], dtype=np.int64)
    last = np.array([span.end for span in spans], dtype=np.int64)
    found = np.searchsorted(last, starts, side="right")  # the first span that ends behind the piece's start
    flags: Flags = np.append(first, np.iinfo(np.int64).max)[found] < ends
    return flags


def _runs(starts: Times, ends: Times, causes: Times) -> tuple[Times, Times, Times]:
    """Neighbours with the same cause, joined."""
    if not len(starts):
        return starts, ends, causes
    breaks = np.flatnonzero((starts[1:] != ends[:-1]) | (causes[1:] != causes[:-1]))
    first, last = np.concatenate(([0], breaks + 1)), np.append(breaks, len(starts) - 1)
    return starts[first], ends[last], causes[first]
