"""A Stream without Cerebro on a simulator of any venue: what it hands over until it ends by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from btfeeds import venues
from btfeeds.clock import Clock
from btfeeds.live.items import Correction, Delivery, Notice
from btfeeds.live.stream import Stream
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
from btfeeds.simulator import Simulator
from btfeeds.venues.base import Venue

Values = tuple[int, float, float, float, float, float]


class Met:
    """The bars and words of one stream, in order."""

    def __init__(self) -> None:
        self.bars: list[Bar] = []
        self.sources: list[str] = []
        self.notices: list[Notice] = []

    @property
    def values(self) -> list[Values]:
        return values(self.bars)

    @property
    def corrections(self) -> list[Correction]:
        return [notice.payload for notice in self.notices if isinstance(notice.payload, Correction)]


def values(bars: Sequence[Bar]) -> list[Values]:
    """Bars without the number of trades, which not every venue says."""
    return [(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]


def follow(
    sim: Simulator, venue: str, symbol: str, timeframe: str = "1m", *, start: int | None, until: int, key: str = "key"
) -> Met:
    """Follow a stream from `start` until the bar before `until`; at most half a minute."""
    made = venues.venue(venue, rest_url=sim.rest_url, stream_url=sim.stream_url, key=key, secret="secret")
    return heard(made, sim.clock, symbol, timeframe, start=start, until=until)


def heard(made: Venue, clock: Clock, symbol: str, timeframe: str, *, start: int | None = None, until: int) -> Met:
    """As `follow`, of any venue on any clock."""
    subscription = Subscription(made.name, Symbol(symbol), Timeframe.parse(timeframe))
    stream = Stream(made, subscription, clock=clock, start=start, until=until)
    woken, met, limit = threading.Event(), Met(), time.monotonic() + 30
    stream.open(woken.set)
    try:
        while not stream.finished and time.monotonic() < limit:
            woken.clear()
            item = stream.pull()
            if isinstance(item, Delivery):
                met.bars.append(item.bar)
                met.sources.append(item.source)
            elif item is not None:
                met.notices.append(item)
            else:
                due = stream.deadline
                wall = 0.05 if due is None else (due - clock.now()) / 1000 / clock.speed
                woken.wait(max(0.0, min(0.05, wall)))
        assert stream.error is None, stream.error
        assert stream.finished, f"after {len(met.bars)} bars nothing more came"
    finally:
        stream.close()
    return met
