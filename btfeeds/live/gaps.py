"""What can be done about bars a venue does not have, beside saying so: flat bars in their place, or the end."""

from __future__ import annotations

from collections.abc import Iterator

from btfeeds import monitor
from btfeeds.errors import HistoryIncomplete
from btfeeds.live.items import Gap
from btfeeds.market import Bar, Timeframe, TimeRange


class Repair:
    """The gap that history is asked to close, as monitoring is told of it."""

    def __init__(self, venue: str, name: str) -> None:
        self._venue, self._name = venue, name
        self._gap: Gap | None = None
        self.bars = 0  # what history has given of it

    def begin(self, gap: Gap) -> monitor.GapOpened | None:
        """History is asked; None: it is about the same gap."""
        if self._gap is not None:
            return None
        self._gap, self.bars = gap, 0
        return monitor.GapOpened(self._venue, self._name, gap.start, gap.end, gap.reason)

    def reached(self, due: int) -> list[monitor.Happening]:
        """Everything before `due` is there; returns what is to be told of it."""
        gap = self._gap
        if gap is None or due < gap.end:
            return []
        self._gap = None
        return [monitor.GapClosed(self._venue, self._name, gap.start, gap.end, self.bars)]


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
