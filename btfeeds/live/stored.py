"""A feed's way into a warehouse: its history reads it first, and the bars it delivers flow into it.

Nothing here waits for a disk: what a feed has delivered is put into a queue, and a thread that all feeds of one
warehouse share writes it, a series at a time, each bar on the disk before the next is taken. A disk that is full or
gone stops the writing and nothing else (history.outage); what is not written is not covered, so it will be asked for
again one day. Bars that stand for a gap ("filled") are nobody's and are not kept.

What a feed has stepped over without a word of history is not covered either: only an answer is. Neither is the first
version of a bar that its venue makes again as a matter of course (`Venue.late_ms`): such a bar waits until it is old
enough, with what corrected it meanwhile; when the process ends before, history will be asked.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import groupby

from btfeeds import settings
from btfeeds.clock import Clock
from btfeeds.errors import ConfigError, WarehouseError
from btfeeds.history.derived import Derived
from btfeeds.history.outage import Outage
from btfeeds.history.ranges import union
from btfeeds.history.stored import Source, StoredHistory
from btfeeds.live.items import Correction, Delivery, Notice
from btfeeds.market import Bar, Subscription, TimeRange
from btfeeds.venues.base import Venue
from btfeeds.warehouse import Warehouse

logger = logging.getLogger("btfeeds")

_WAITING = 10_000  # bars; when more wait for a disk that hangs, the oldest are let go
_RETRY_S = 30.0  # a disk that was full is tried again
_LEAVE_S = 1.0  # the longest wait for the last bars


class Stored:
    """One feed's share of a warehouse. `keep` never blocks; `close` waits a moment for what is not written yet."""

    def __init__(self, writer: Writer, venue: Venue, subscription: Subscription, clock: Clock) -> None:
        self._writer: Writer | None = writer
        self._warehouse = writer.warehouse
        self._outage = writer.outage
        self._venue = venue
        # an archive's bars are its venue's, those of test hosts are not
        self._subscription = Subscription(venue.bars_of or venue.name, subscription.symbol, subscription.timeframe)
        self._clock = clock
        self._pid = os.getpid()
        self._young: dict[int, tuple[Bar, bool, int]] = {}  # by opening time: whether it is gone, when it is final

    def through(self, source: Source) -> StoredHistory:
        """`source`, asked only for what the warehouse does not have."""
        return StoredHistory(source, self._warehouse, self._clock, provider=self._venue, outage=self._outage)

    def keep(self, item: Delivery | Notice) -> None:
        """Something was handed to the strategy: a live bar is kept, and so is a correction; history is already."""
        if self._writer is None:
            return
        if isinstance(item, Delivery):
            if item.source == "live":
                self._take(item.bar, gone=False, wait=self._venue.late_ms)
        elif isinstance(item.payload, Correction):
            self._take(item.payload.after, gone=item.payload.gone, wait=0)

    def close(self) -> None:
        """Let go of the warehouse; the last feed that does closes it. From any thread, any number of times."""
        if os.getpid() == self._pid:  # a child after a fork leaves its parent's alone
            self._hand_over()
        writer, self._writer = self._writer, None
        if writer is not None and os.getpid() == self._pid:
            _release(writer)

    def _take(self, bar: Bar, *, gone: bool, wait: int) -> None:
        # counted from here, where it has closed for certain: our clock may differ from the venue's
        earlier = self._young.get(bar.open_time)
        due = earlier[2] if earlier is not None else self._clock.monotonic() + wait
        self._young[bar.open_time] = (bar, gone, due)
        self._hand_over()

    def _hand_over(self) -> None:
        """Have written what is final by now. The end may come from another thread at the same time."""
        now = self._clock.monotonic()
        for time, (bar, gone, due) in list(self._young.items()):
            writer = self._writer
            if due <= now and writer is not None and self._young.pop(time, None) is not None:
                writer.put(self._subscription, bar, gone=gone)


def provider(venue: str) -> str:
    """Who is said to have given bars that came from a stream."""
    return f"{venue} live"


class Writer:
    """The thread that writes one warehouse of this process."""

    def __init__(self, warehouse: Warehouse, outage: Outage, *, owned: bool) -> None:
        self.warehouse = warehouse
        self.outage = outage
        self.users = 0
        self._owned = owned
        self._derived = Derived(warehouse)
        self._changed = threading.Condition()  # guards _waiting and _ended
        self._waiting: deque[tuple[Subscription, bool, Bar]] = deque(maxlen=_WAITING)
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="btfeeds-warehouse", daemon=True)
        self._thread.start()

    def put(self, subscription: Subscription, bar: Bar, *, gone: bool = False) -> None:
        """To be written, or forgotten when the venue has no such bar any more. Never blocks."""
        with self._changed:
            self._waiting.append((subscription, gone, bar))
            self._changed.notify()

    def end(self) -> None:
        """Write what waits (a moment, not longer) and close what was opened here."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(_LEAVE_S)
        if self._owned and not self._thread.is_alive():
            self.warehouse.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                batch = list(self._waiting)
                self._waiting.clear()
            written = 0
            try:
                for (subscription, gone), some in groupby(batch, key=lambda one: one[:2]):
                    bars = [bar for _, _, bar in some]
                    self._forget(subscription, bars) if gone else self._write(subscription, bars)
                    written += len(bars)
            except WarehouseError as error:
                self.outage.failed(error)
                if not self._wait(batch[written:]):
                    return
            except Exception:  # the thread's outermost border: a defect here must not end the writing of other bars
                logger.critical("%d bars could not be kept", len(batch) - written, exc_info=True)

    def _write(self, subscription: Subscription, bars: list[Bar]) -> None:
        # that they are over is the venue's word, whatever our clock says
        over = max(subscription.timeframe.close(bar.open_time) for bar in bars)
        added = self.warehouse.add(subscription, bars, provider=provider(subscription.venue), venue_time=over)
        self.outage.worked()
        if added.new or added.revised:
            self._derived.follow(subscription, _spans(subscription, bars), ended=True)

    def _forget(self, subscription: Subscription, bars: list[Bar]) -> None:
        """It is to be asked for again: that there is none, history has to say."""
        spans = _spans(subscription, bars)
        for span in spans:
            self.warehouse.forget(subscription, span)
        self.outage.worked()
        self._derived.correct(subscription, spans, gone=True)

    def _wait(self, back: Iterable[tuple[Subscription, bool, Bar]]) -> bool:
        """Hold what could not be written, and pause; False at the end."""
        with self._changed:
            # the oldest are let go when both do not fit
            self._waiting = deque([*back, *self._waiting], maxlen=_WAITING)
            self._changed.wait_for(lambda: self._ended, self.outage.retry_s)
            return not self._ended


def _spans(subscription: Subscription, bars: list[Bar]) -> list[TimeRange]:
    return union(TimeRange(bar.open_time, subscription.timeframe.close(bar.open_time)) for bar in bars)


_writers: dict[tuple[object, ...], Writer] = {}
_registry = threading.Lock()  # guards _writers and the users of each


def claim(
    warehouse: Warehouse | str | os.PathLike[str] | bool, venue: Venue, subscription: Subscription, clock: Clock
) -> Stored:
    """A feed's share of `warehouse`: one that is open, a folder, or True for BTFEEDS_WAREHOUSE.

    Raises ConfigError and the Warehouse errors.
    """
    if isinstance(warehouse, Warehouse):
        return _share((os.getpid(), id(warehouse)), lambda: warehouse, False, venue, subscription, clock)
    folder = settings.warehouse("" if isinstance(warehouse, bool) else warehouse)
    if folder is None:
        raise ConfigError(
            "No warehouse is named.", "Nothing was started.", "Give its folder, or set BTFEEDS_WAREHOUSE."
        )
    key = (os.getpid(), folder.resolve(), clock)
    return _share(key, lambda: Warehouse(folder, clock=clock), True, venue, subscription, clock)


def _share(
    key: tuple[object, ...],
    opened: Callable[[], Warehouse],
    owned: bool,
    venue: Venue,
    subscription: Subscription,
    clock: Clock,
) -> Stored:
    with _registry:
        writer = _writers.get(key)
        if writer is None:
            writer = _writers[key] = Writer(opened(), Outage(venue.name, retry_s=_RETRY_S), owned=owned)
        writer.users += 1
        return Stored(writer, venue, subscription, clock)


def _release(writer: Writer) -> None:
    with _registry:
        writer.users -= 1
        if writer.users:
            return
        for key in [key for key, known in _writers.items() if known is writer]:
            del _writers[key]
    writer.end()


def _at_exit() -> None:
    """Feeds that nobody has closed: what they have delivered is written all the same."""
    for key, writer in list(_writers.items()):
        if key[0] == os.getpid():
            writer.end()


atexit.register(_at_exit)
