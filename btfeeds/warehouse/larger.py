"""Bars of a larger timeframe from the ones that are there, and which of them an addition changes. Pure.

The result equals `history.ranges.merge` to the last bit; it comes from columns, because years of minutes are merged.
A larger bar whose time is not wholly covered (asked and answered) is not made: it would be another bar later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from btfeeds import grid
from btfeeds.columns import Columns, Floats, Times
from btfeeds.history.ranges import union
from btfeeds.market import Timeframe, TimeRange


def whole(covered: Iterable[TimeRange], timeframe: Timeframe) -> list[TimeRange]:
    """The parts of `covered` that larger bars fill from open to close; what is cut off at an edge is left out."""
    spans = union(covered)
    inner = (TimeRange(timeframe.ceil(span.start), timeframe.floor(span.end)) for span in spans)
    return [span for span in inner if span]


def touched(added: Iterable[TimeRange], covered: Iterable[TimeRange], timeframe: Timeframe) -> list[TimeRange]:
    """The spans whose larger bars must be made (again) after bars or coverage were added in `added`.

    Each span holds whole larger bars, all of them covered by now: read the small bars of a span, give them to `merge`
    and put what comes out in place of what stood there.
    """
    wider = (TimeRange(timeframe.floor(span.start), timeframe.ceil(span.end)) for span in added if span)
    return _both(union(wider), whole(covered, timeframe))


def lost(removed: Iterable[TimeRange], timeframe: Timeframe) -> list[TimeRange]:
    """The spans whose larger bars no longer hold after small ones were taken away in `removed`."""
    return union(TimeRange(timeframe.floor(span.start), timeframe.ceil(span.end)) for span in removed if span)


def merge(base: Columns, timeframe: Timeframe, covered: Sequence[TimeRange]) -> Columns:
    """The larger bars that `covered` holds whole, from ascending smaller ones; where there is none, none is made."""
    base = base.take(_inside(base.open_time, whole(covered, timeframe)))
    if not len(base):
        return base
    groups = grid.floor(base.open_time, timeframe)
    first = np.flatnonzero(np.concatenate(([True], groups[1:] != groups[:-1])))
    last = np.append(first[1:], len(base))
    known = np.logical_and.reduceat(base.trades >= 0, first)
    trades = np.where(known, np.add.reduceat(base.trades, first), -1)
    volume = _sums(base.volume, first, last)
    opened = groups[first]
    # rows without trades repeat an older price: they count for nothing beside rows of which trades are known
    active = (base.volume > 0) | (base.trades > 0)
    one_price = (base.open == base.high) & (base.high == base.low) & (base.low == base.close)
    quiet = ~np.logical_or.reduceat(active, first)
    kept = active | ~one_price | np.repeat(quiet, last - first)
    groups, traded = groups[kept], base.take(kept)
    first = np.flatnonzero(np.concatenate(([True], groups[1:] != groups[:-1])))
    last = np.append(first[1:], len(groups))
    high, low = np.maximum.reduceat(traded.high, first), np.minimum.reduceat(traded.low, first)
    return Columns(opened, traded.open[first], high, low, traded.close[last - 1], volume, trades)


def _sums(volume: Floats, first: Times, last: Times) -> Floats:
    """As `ranges.merge` sums: fsum is exact, and the rounding finds the decimal fraction again."""
    values = volume.tolist()
    pairs = zip(first.tolist(), last.tolist(), strict=True)
    return np.array([round(math.fsum(values[begin:end]), 10) for begin, end in pairs], dtype=np.float64)


def _inside(times: Times, spans: Sequence[TimeRange]) -> Times:
    """The rows of ascending `times` that lie in ascending `spans`."""
    cuts = np.searchsorted(times, [edge for span in spans for edge in (span.start, span.end)]).tolist()
    ranges = [np.arange(begin, end) for begin, end in zip(cuts[::2], cuts[1::2], strict=True)]
    return np.concatenate([np.empty(0, dtype=np.int64), *ranges])


def _both(some: Sequence[TimeRange], others: Sequence[TimeRange]) -> list[TimeRange]:
    """The instants that lie in both; each list ascending and apart."""
    shared: list[TimeRange] = []
    left, right = 0, 0
    while left < len(some) and right < len(others):
        span = TimeRange(max(some[left].start, others[right].start), min(some[left].end, others[right].end))
        if span:
            shared.append(span)
        if some[left].end < others[right].end:
            left += 1
        else:
            right += 1
    return shared
