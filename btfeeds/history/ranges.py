"""Arithmetic of spans of time: which are covered, which are missing, how one is cut into requests; and larger bars
from smaller ones. Pure: nothing here asks anybody anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from btfeeds.market import Bar, Timeframe, TimeRange


def union(spans: Iterable[TimeRange]) -> list[TimeRange]:
    """The same instants as `spans` together: ascending, apart from each other, none empty."""
    joined: list[TimeRange] = []
    for span in sorted((span for span in spans if span), key=lambda span: span.start):
        if joined and span.start <= joined[-1].end:
            joined[-1] = TimeRange(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def subtract(spans: Iterable[TimeRange], away: Iterable[TimeRange]) -> list[TimeRange]:
    """What is left of `spans` without the instants of `away`."""
    left: list[TimeRange] = []
    holes = union(away)
    if not holes:
        return union(spans)
    for span in union(spans):
        start = span.start
        for hole in holes:
            if hole.end <= start or hole.start >= span.end:
                continue
            if start < hole.start:
                left.append(TimeRange(start, hole.start))
            start = hole.end
        if start < span.end:
            left.append(TimeRange(start, span.end))
    return left


def whole(span: TimeRange, timeframe: Timeframe) -> TimeRange:
    """From the first bar that opens in `span` to the close of the last one."""
    start = timeframe.floor(span.start)
    if start < span.start:
        start = timeframe.close(start)
    if start >= span.end:
        return TimeRange(start, start)
    return TimeRange(start, timeframe.close(timeframe.floor(span.end - 1)))


def pages(span: TimeRange, timeframe: Timeframe, bars_per_request: int) -> Iterator[TimeRange]:
    """`span`, widened to whole bars, cut into pieces of at most so many bars, ascending."""
    left = whole(span, timeframe)
    start = left.start
    while start < left.end:
        end = min(left.end, timeframe.back(start, -bars_per_request))
        yield TimeRange(start, end)
        start = end


def gaps(bars: Sequence[Bar], timeframe: Timeframe, span: TimeRange) -> list[TimeRange]:
    """Where bars that open in `span` are missing from `bars` (ascending)."""
    present = (TimeRange(bar.open_time, timeframe.close(bar.open_time)) for bar in bars)
    return subtract([whole(span, timeframe)], present)


def merge(bars: Iterable[Bar], timeframe: Timeframe, span: TimeRange) -> list[Bar]:
    """Bars of a larger timeframe from ascending smaller ones; only those that lie in `span` from open to close.

    A large bar is made of the small ones there are: whether any is missing is the caller's knowledge. Rows without
    trades repeat an older price; they count for nothing beside rows with trades, so that the bar equals one made of
    the trades. Where no row has volume or trades, none is known (of currencies, mostly), and every row counts.
    """
    merged: list[Bar] = []
    group: list[Bar] = []
    open_time = close_time = 0
    for bar in bars:
        if not (group and open_time <= bar.open_time < close_time):
            _add(merged, group, open_time, close_time, span)
            group = []
            open_time = timeframe.floor(bar.open_time)
            close_time = timeframe.close(open_time)
        group.append(bar)
    _add(merged, group, open_time, close_time, span)
    return merged


def _add(merged: list[Bar], group: list[Bar], open_time: int, close_time: int, span: TimeRange) -> None:
    if not group or open_time < span.start or close_time > span.end:
        return
    # fsum is exact; the rounding takes the sum of decimal fractions to the nearest decimal fraction again
    volume = round(math.fsum(bar.volume for bar in group), 10)
    trades = sum(bar.trades for bar in group) if all(bar.trades >= 0 for bar in group) else -1
    known = any(bar.volume > 0 or bar.trades > 0 for bar in group)
    traded = [bar for bar in group if not _flat(bar)] if known else group
    high, low = max(bar.high for bar in traded), min(bar.low for bar in traded)
    merged.append(Bar(open_time, traded[0].open, high, low, traded[-1].close, volume, trades))


def _flat(bar: Bar) -> bool:
    return bar.volume == 0 and bar.trades <= 0 and bar.open == bar.high == bar.low == bar.close
