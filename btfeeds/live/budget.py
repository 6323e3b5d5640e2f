"""How often a host may be dialled: a budget shared by all connections of the process."""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager


class Budget:
    """At most `limit` connects to a host in any window of `window_ms`, over all connections of the process."""

    def __init__(self, limit: int, window_ms: int, lock: AbstractContextManager[object]) -> None:
        self.limit = limit
        self.window_ms = window_ms
        self._lock = lock  # guards _turns: connections of several threads share a budget
        self._turns: deque[int] = deque(maxlen=limit)
        self._closed_until = 0

    def reserve(self, at: int) -> int:
        """Take the first free turn at or after `at`; returns when it is."""
        with self._lock:
            at = max(at, self._closed_until)
            if len(self._turns) == self.limit:
                at = max(at, self._turns[0] + self.window_ms)
            self._turns.append(at)
            return at

    def hold(self, until: int) -> None:
        """The host is closed to us: nobody dials it before `until`."""
        with self._lock:
            self._closed_until = max(self._closed_until, until)

    @property
    def closed_until(self) -> int:
        """When the host may be dialled again; a time in the past when it is open."""
        return self._closed_until
