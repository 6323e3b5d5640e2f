"""A live feed as they are usually written, for `btfeeds demo --naive`: what btfeeds exists to be better than.

It loads history, then listens, and hands over every frame that says "closed". When the socket breaks it dials again
and goes on. Nothing is missing in it but the care: no seam, no repair, no check for duplicates or for silence.
"""

from __future__ import annotations

import queue
import threading
from typing import Any, ClassVar

import backtrader as bt

from btfeeds.cerebro.stamps import days, ms_of
from btfeeds.clock import Clock
from btfeeds.errors import BadFrame
from btfeeds.history.downloader import Downloader
from btfeeds.live.transport import Dropped, Transport
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import BarUpdate, Venue

_MINUTE = 60_000
_REDIAL_MS = 5_000


class NaiveFeed(bt.feed.DataBase):  # type: ignore[misc]
    """One minute bars of one symbol: history from `start`, then whatever the stream says."""

    params: ClassVar[Any] = (
        ("timeframe", bt.TimeFrame.Minutes), ("venue", None), ("clock", None), ("start", 0), ("qcheck", 0.05),
    )  # fmt: skip

    def __init__(self) -> None:
        self.summary = self.error = None
        self.source = ""
        self._bars: queue.SimpleQueue[tuple[Bar, str]] = queue.SimpleQueue()
        self._gone = threading.Event()
        self._thread: threading.Thread | None = None
        self._live = False

    def islive(self) -> bool:
        return True

    def haslivedata(self) -> bool:
        return not self._bars.empty()

    def start(self) -> None:
        super().start()
        symbol, timeframe = Symbol(self.p.dataname), Timeframe(1, "m")
        with Downloader(self.p.venue, clock=self.p.clock) as downloader:
            for bar in downloader.bars(symbol, timeframe, TimeRange(self.p.start, self.p.clock.now())):
                self._bars.put((bar, "history"))
        subscription = Subscription(self.p.venue.name, symbol, timeframe)
        self._thread = threading.Thread(
            target=_listen, args=(self.p.venue, subscription, self.p.clock, self._bars, self._gone), daemon=True
        )
        self._thread.start()
        self.put_notification(self.DELAYED)

    def stop(self) -> None:
        super().stop()
        self._gone.set()
        if self._thread is not None:
            self._thread.join(1)
        self.put_notification(self.DISCONNECTED)

    def _load(self) -> bool | None:
        try:
            bar, self.source = self._bars.get(timeout=self._qcheck or 0.001)
        except queue.Empty:
            return None
        if self.source == "live" and not self._live:
            self._live = True
            self.put_notification(self.LIVE)
        lines = self.lines
        lines.open[0], lines.high[0], lines.low[0], lines.close[0] = bar.open, bar.high, bar.low, bar.close
        lines.volume[0], lines.datetime[0] = bar.volume, days(bar.open_time + _MINUTE)
        return True

    def begins(self, first: int) -> int:
        return int(self.p.start)

    def open_time(self, ago: int = 0) -> int:
        return ms_of(self.lines.datetime[ago]) - _MINUTE

    def venue_time(self) -> int:
        return int(self.p.clock.now())


def _listen(
    venue: Venue, subscription: Subscription, clock: Clock, bars: queue.SimpleQueue[tuple[Bar, str]],
    gone: threading.Event,
) -> None:  # fmt: skip
    channel = venue.channel(subscription)
    while not gone.is_set():
        try:
            transport = Transport(venue.endpoint([channel]))
            try:
                for message in venue.subscribe([channel], 1):
                    transport.send(message)
                while not gone.is_set():
                    for frame in transport.receive() if transport.wait(0.1) else ():
                        for bar in _closed(venue, frame):
                            bars.put((bar, "live"))
            finally:
                transport.close()
        except Dropped:
            gone.wait(_REDIAL_MS / 1000 / clock.speed)


def _closed(venue: Venue, frame: bytes | None) -> list[Bar]:
    if frame is None:
        return []
    try:
        return [event.bar for event in venue.parse_frame(frame) if isinstance(event, BarUpdate) and event.closed]
    except BadFrame:
        return []
