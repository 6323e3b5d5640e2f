"""Stand-ins for the live layer, for tests of the feeds: a stream that says what the test tells it to say."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import backtrader as bt

from btfeeds.clock import ManualClock
from btfeeds.feeds import BaseLiveDataFeed
from btfeeds.live.items import Delivery, Notice
from btfeeds.live.status import Status
from btfeeds.market import Bar, Timeframe

MINUTE = 60_000
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC, a Friday
LIVE, DELAYED, END = Notice(Status.LIVE), Notice(Status.DELAYED), Notice(Status.DISCONNECTED, "the end")


def bar(open_time: int, price: float = 100.0, volume: float = 1.0) -> Bar:
    return Bar(open_time, price, price + 2, price - 2, price + 1, volume, 1)


class FakeStream:
    """Gives what is in `items`, in order. A callable among them is called in its place, and gives nothing."""

    def __init__(self, items: Any = (), *, settled: int = 0, timeframe: str = "1m") -> None:
        self.items: deque[Any] = deque(items)
        self.settled = settled
        self.timeframe = Timeframe.parse(timeframe)
        self.finished = self.live = self.closed = False
        self.deadline: int | None = None
        self.opened = 0
        self.error: Any = None
        self.summary: Any = "summary"
        self.wake: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    @property
    def waiting(self) -> bool:
        return bool(self.items)

    def open(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.opened += 1

    def push(self, *items: Any) -> None:
        with self._lock:
            self.items.extend(items)
        self.wake()

    def pull(self) -> Delivery | Notice | None:
        with self._lock:
            item = self.items.popleft() if self.items and not self.finished else None
        if item is None:
            return None
        if callable(item):
            item()
            return None
        if isinstance(item, Bar):
            item = Delivery(item, "live" if self.live else "history")
        if isinstance(item, Delivery):
            self.settled = self.timeframe.close(item.bar.open_time)
        elif item.status is not Status.UNKNOWN:
            self.live = item.status is Status.LIVE
            self.finished = item.status is Status.DISCONNECTED
        return item

    def now(self) -> int:
        return NOON

    def close(self) -> None:
        self.closed = True

    def abandon(self) -> None:
        self.closed = True


class FakeFeed(BaseLiveDataFeed):
    """A live feed on a FakeStream: FakeFeed(dataname="BTC/USDT", stream=FakeStream(...))."""

    params = (("venue", "binance"), ("stream", None), ("qcheck", 0.01))

    def make_stream(self, start: int | None, until: int | None) -> Any:
        self.asked = (start, until)
        stream = self.p.stream
        return stream() if callable(stream) else stream


def feed(*items: Any, symbol: str = "BTC/USDT", settled: int = 0, **params: Any) -> FakeFeed:
    params.setdefault("clock", ManualClock(NOON))
    frame = params.get("timeframe", "1m")
    made: FakeFeed = FakeFeed(dataname=symbol, stream=FakeStream(items, settled=settled, timeframe=frame), **params)
    return made


class Diary(bt.Strategy):
    """Writes down every next(), prenext() and status: ("bar", {name: (stamp, volume) of bars that moved}) and words."""

    def __init__(self) -> None:
        self.pages: list[Any] = []
        self._lengths = [0] * len(self.datas)

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        self.pages.append(Status(status).name)

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        moved = {}
        for number, data in enumerate(self.datas):
            if len(data) != self._lengths[number]:
                self._lengths[number] = len(data)
                moved[data._name] = (data.datetime.datetime(0).strftime("%d %H:%M"), data.volume[0])
        self.pages.append(moved)


def run(*feeds: Any, strategy: Any = Diary, **options: Any) -> Any:
    """A Cerebro with these feeds, run to its end; returns the strategy."""
    cerebro = bt.Cerebro(stdstats=False, **options)
    for data in feeds:
        cerebro.adddata(data)
    cerebro.addstrategy(strategy)
    return cerebro.run()[0]
