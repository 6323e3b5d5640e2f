"""The feeds that are compared: ours, and one with a queue of its own.

`PushedFeed` is a live feed of btfeeds whose bars a benchmark puts where a socket's thread would; everything from there
to the strategy is the real thing. `QueueFeed` does as backtrader's own live feeds do (IBData, OandaData): each feed has
a queue and waits at it alone, and `haslivedata` is always true, because a queue has no truth of its own.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

import backtrader as bt

from btfeeds.clock import ManualClock
from btfeeds.feeds import BaseLiveDataFeed
from btfeeds.live.stream import Stream
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
from btfeeds.venues.base import BarUpdate
from btfeeds.venues.binance import Binance

MINUTE = 60_000
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC
_ONE_MINUTE = Timeframe.parse("1m")


class Sparse(Binance):
    """A venue where a minute may have no bar, so that each feed can have minutes of its own."""

    omits_empty_bars = True


class PushedStream(Stream):
    """A stream that is confirmed at once and has no socket."""

    def open(self, wake: Callable[[], None]) -> None:
        self._pushed = Tap(self.venue, self.subscription, self._ring, wake)
        self._splice.begin(self.clock.now())
        self._pushed.up(self.clock.now())

    def push(self, bar: Bar) -> None:
        """What a socket's thread does with a closed bar."""
        self._pushed.bar(self.venue.name, BarUpdate(self._pushed.channel, bar, True))


class PushedFeed(BaseLiveDataFeed):
    """A live feed of btfeeds on a PushedStream."""

    params = (("venue", "binance"), ("backfill", False))

    def make_stream(self, start: int | None, until: int | None) -> PushedStream:
        venue = Sparse()
        subscription = Subscription(venue.name, Symbol(self._name), _ONE_MINUTE)
        self.pushed = PushedStream(venue, subscription, clock=self._feed_clock, start=start, backfill=False)
        return self.pushed

    def push(self, bar: Bar) -> None:
        self.pushed.push(bar)


class QueueFeed(bt.feed.DataBase):  # type: ignore[misc]
    """A live feed that waits at its own queue for up to qcheck."""

    params = (("qcheck", 0.5), ("timeframe", bt.TimeFrame.Minutes))

    def __init__(self) -> None:
        self._queue: queue.Queue[Bar] = queue.Queue()

    def islive(self) -> bool:
        return True

    def haslivedata(self) -> bool:
        return bool(self._queue)

    def push(self, bar: Bar) -> None:
        self._queue.put(bar)

    def _load(self) -> bool | None:
        try:
            bar = self._queue.get(timeout=self._qcheck) if self._qcheck else self._queue.get_nowait()
        except queue.Empty:
            return None
        if self._laststatus != self.LIVE:
            self.put_notification(self.LIVE)
        lines = self.lines
        lines.datetime[0] = bt.date2num(bt.utils.date.num2date(719_163 + (bar.open_time + MINUTE) / 86_400_000))
        lines.open[0], lines.high[0], lines.low[0], lines.close[0] = bar.open, bar.high, bar.low, bar.close
        lines.volume[0], lines.openinterest[0] = bar.volume, 0.0
        return True


def bar(number: int, minute: int | None = None) -> Bar:
    """The bar of a minute after noon (by default that of its number); its volume is its number."""
    price = 100.0 + number % 17
    return Bar(
        NOON + (number if minute is None else minute) * MINUTE, price, price + 2, price - 2, price + 1, float(number), 1
    )


def ours(count: int, clock: ManualClock, **params: Any) -> list[PushedFeed]:
    return [PushedFeed(dataname=f"C{number}/USDT", clock=clock, **params) for number in range(count)]


def theirs(count: int) -> list[QueueFeed]:
    return [QueueFeed(dataname=f"C{number}") for number in range(count)]
