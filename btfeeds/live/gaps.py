"""What can be done about bars a venue does not have, beside saying so: flat bars in their place, or the end."""

from __future__ import annotations

from collections.abc import Iterator

from btfeeds.errors import HistoryIncomplete
from btfeeds.market import Bar, Timeframe, TimeRange


def flat_bars(timeframe: Timeframe, span: TimeRange, price: float) -> Iterator[Bar]:
    """Bars for every opening time in `span`, at the last price and without volume. Whoever hands them on marks them."""
    for open_time in timeframe.opens(span):
        yield Bar(open_time, price, price, price, price, 0.0, 0)


def why_absent(*, asked: bool, begun: bool) -> str:
    """What a declared gap is called."""
    if not asked:
        return "history is not asked"
    return "the venue has no bars here" if begun else "before the first bar of the venue"


def lacking_bars(name: str, span: TimeRange) -> HistoryIncomplete:
    """Why a feed ends that must not go on without these bars."""
    return HistoryIncomplete(
        f"{name}: the venue has no bars for {span}.",
        'The feed was stopped, as gaps="stop" asks.',
        'Use gaps="mark" to be told and go on, gaps="fill" for flat bars, or gaps="hold" to wait for them.',
        missing=((span.start, span.end),),
    )
