"""A strategy that writes down what it meets: bars, status words and declared gaps, each in its place.

It is what `btfeeds live` and `btfeeds demo` rely on: what they show and count is what a strategy in a real Cerebro
met, never what the machinery below says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import backtrader as bt

from btfeeds.audit import Audit
from btfeeds.feeds import BaseLiveDataFeed
from btfeeds.live.items import Gap
from btfeeds.live.status import Status
from btfeeds.market import Bar, Symbol, Timeframe


@dataclass(slots=True)
class Met:
    """What was met of one feed so far."""

    feed: BaseLiveDataFeed
    symbol: Symbol
    timeframe: Timeframe
    audit: Audit
    word: str = ""
    last: Bar | None = None
    gaps: int = 0
    seen: int = 0  # how long the feed's lines were

    @property
    def missing(self) -> int:
        """Bars that should have been met. Where a venue omits bars without trades, it says how many."""
        return self.audit.missing(self._no_trade)

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return self.audit.kept(self._no_trade)

    @property
    def _no_trade(self) -> int:
        return self.feed.summary.no_trade if self.feed.summary is not None else 0


class Teller:
    """Hears of everything at once. Does nothing with it: a base for those who do."""

    def bar(self, met: Met, bar: Bar, source: str) -> None:
        """A bar was met."""

    def status(self, met: Met, word: Status, reason: str, time: int) -> None:
        """A status word was met; UNKNOWN is told only where it carries no gap."""

    def gap(self, met: Met, gap: Gap) -> None:
        """A span was declared as one without bars."""


class Witness(bt.Strategy):  # type: ignore[misc]
    """Meets everything of every feed, and may be the base of a strategy that also trades.

    - `teller`: who hears of it
    - `bars`: the run ends when every feed has given so many, or has ended itself; 0: it does not
    - `over`: asked when the run begins: whether it is over already
    """

    params: ClassVar[Any] = (("teller", Teller()), ("bars", 0), ("over", lambda: False))

    def __init__(self) -> None:
        self.met: list[Met] = []
        for feed in self.datas:
            timeframe = Timeframe.parse(f"{feed.p.compression}{_UNITS[feed.p.timeframe]}")
            # of a feed without history nobody knows the first bar beforehand
            start = feed.begins(-1)
            audit = Audit(timeframe, None if start < 0 else start)
            self.met.append(Met(feed, Symbol(feed._name), timeframe, audit))
        self._of = {id(met.feed): met for met in self.met}

    def start(self) -> None:
        if self.p.over():
            self.env.runstop()

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        met, word = self._of[id(data)], Status(status)
        reason, payload = (*args, None, None)[:2]
        met.audit.status(word)
        if isinstance(payload, Gap):
            met.gaps += 1
            met.audit.gap(payload.start, payload.end)
            self.p.teller.gap(met, payload)
            return
        if word is not Status.UNKNOWN:
            met.word = word.name
        self.p.teller.status(met, word, str(reason or ""), data.venue_time())
        self._end_if_enough()

    def prenext(self) -> None:
        self.meet()

    def next(self) -> None:
        self.meet()

    def meet(self) -> None:
        """Look which feeds have moved; whoever overrides next() and prenext() calls this first."""
        for met in self.met:
            feed = met.feed
            if len(feed) == met.seen:
                continue
            met.seen = len(feed)
            o, h, l, c, v = (line[0] for line in (feed.open, feed.high, feed.low, feed.close, feed.volume))  # noqa: E741
            met.last = Bar(feed.open_time(), o, h, l, c, v)
            met.audit.bar(met.last, feed.source, feed.venue_time())
            self.p.teller.bar(met, met.last, feed.source)
        self._end_if_enough()

    def _end_if_enough(self) -> None:
        going = [met for met in self.met if met.word != Status.DISCONNECTED.name]  # of the others nothing comes
        if self.p.bars and all(met.audit.delivered >= self.p.bars for met in going):
            self.env.runstop()


_UNITS = {
    bt.TimeFrame.Seconds: "s",
    bt.TimeFrame.Minutes: "m",
    bt.TimeFrame.Days: "d",
    bt.TimeFrame.Weeks: "w",
    bt.TimeFrame.Months: "M",
}


def patience(timeframe: Timeframe, speed: float) -> int:
    """How long (ms) after its close a bar may be on its way: REST has to confirm that a quiet minute was one."""
    return timeframe.ms + 30_000 + int(5_000 * max(1.0, speed))
