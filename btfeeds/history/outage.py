"""A warehouse that cannot be used for a while: told once when that begins and once when it is over, tried now and then.

What a live feed does without: a disk that is full or slow must not end it, and not fill its log either. The time is
the wall's, because a disk knows no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from btfeeds import monitor
from btfeeds.errors import WarehouseError


class Outage:
    """Of one warehouse. May be used from several threads."""

    def __init__(self, venue: str = "", *, now: Callable[[], float] = time.monotonic, retry_s: float = 30.0) -> None:
        self._venue = venue
        self._now = now
        self.retry_s = retry_s
        self._lock = threading.Lock()  # guards _since and _next
        self._since: float | None = None
        self._next = 0.0

    def usable(self) -> bool:
        """Whether it may be tried: nothing is wrong with it, or the time has come to look again."""
        with self._lock:
            return self._since is None or self._now() >= self._next

    def failed(self, error: WarehouseError) -> None:
        """It could not be read or written."""
        with self._lock:
            first, self._next = self._since is None, self._now() + self.retry_s
            if first:
                self._since = self._now()
        if first:
            monitor.publish(monitor.WarehouseOut(self._venue, error.line()))

    def worked(self) -> None:
        """It could be written."""
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            monitor.publish(monitor.WarehouseBack(self._venue, round(self._now() - since)))
