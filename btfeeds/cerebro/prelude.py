"""The bars of another feed that come first (`backfill_from`), as a stream.

So they keep in step with the other feeds of the Cerebro as any history does. Behind its last bar the feed begins with a
stream of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from btfeeds.cerebro.hosted import HostedFeed
from btfeeds.cerebro.stamps import ms_of
from btfeeds.live.items import Delivery
from btfeeds.market import Bar, Timeframe


class Prelude:
    """The bars of `inner`, each in its turn; a `wake.Source`.

    One of our feeds knows when its bars open. The stamps of any other are taken to be what `stamps_close` says.
    """

    finished = live = False
    deadline = error = summary = None
    settled = 0

    def __init__(self, inner: Any, env: Any, timeframe: Timeframe, *, stamps_close: bool) -> None:
        self.inner = inner
        self._timeframe = timeframe
        self._stamps_close = stamps_close
        self.waiting = True  # the inner feed has its bars at hand; False behind the last one
        inner.setenvironment(env)
        inner._start()

    def open(self, wake: Callable[[], None]) -> None:
        """Nothing is to be done: the bars are there."""

    def pull(self) -> Delivery | None:
        """The next bar, or None behind the last one."""
        if not self.waiting or not self.inner.next():
            self.waiting = False
            return None
        opened, lines = self._opened(), self.inner.lines
        self.settled = self._timeframe.close(opened)
        values = (lines.open[0], lines.high[0], lines.low[0], lines.close[0], lines.volume[0])
        return Delivery(Bar(opened, *values), "history")

    def copy(self, lines: Any) -> None:
        """Whatever else the bar pulled last has, in the lines that both feeds have."""
        for alias in self.inner.getlinealiases():
            if alias != "datetime" and hasattr(lines, alias):
                getattr(lines, alias)[0] = getattr(self.inner.lines, alias)[0]

    def now(self) -> int:
        return self.settled

    def close(self) -> None:
        self.waiting = False

    @staticmethod
    def abandon() -> None:
        """Nothing is left behind: no thread, no socket."""

    def _opened(self) -> int:
        if isinstance(self.inner, HostedFeed):
            return self.inner.open_time()
        stamp = ms_of(self.inner.lines.datetime[0])
        return self._timeframe.back(stamp, 1) if self._stamps_close else stamp
