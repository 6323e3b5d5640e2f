"""How fast one host may be asked: so much weight in any minute, and nothing before a deadline it has set. Pure.

Venues count by their own calendar minutes. A window that slides over the last 60 s never holds more than a calendar
minute may, whatever the clocks say.
"""

from __future__ import annotations

import math
from collections import deque

_MINUTE = 60_000


class Pacer:
    """The budget of one host. Times are of a monotonic clock in ms; it is not thread-safe: its owner holds a lock."""

    def __init__(self, weight_per_minute: int) -> None:
        self.weight_per_minute = weight_per_minute
        self.closed_until = 0
        self.banned = False  # the deadline is a ban's: waiting for it can take days
        self._spent: deque[tuple[int, int]] = deque()
        self._sum = 0

    def take(self, weight: int, now: int) -> int:
        """Spend `weight` now and return 0, or spend nothing and return how many ms to wait before asking again."""
        if now < self.closed_until:
            return self.closed_until - now
        self.banned = False
        self._forget(now)
        if not self._spent or self._sum + weight <= self.weight_per_minute:
            self._spend(weight, now)
            return 0
        return self._spent[0][0] + _MINUTE - now

    def learn(self, used: int, now: int) -> None:
        """The venue says `used` of this minute's budget is gone: what we did not spend, others at our address did."""
        self._forget(now)
        if used > self._sum:
            self._spend(used - self._sum, now)

    def hold(self, ms: float, now: int, *, ban: bool = False) -> None:
        """Nothing may be sent for `ms`; a longer deadline set before stays."""
        self.closed_until = max(self.closed_until, now + math.ceil(ms))
        self.banned = self.banned or ban

    def _spend(self, weight: int, now: int) -> None:
        self._spent.append((now, weight))
        self._sum += weight

    def _forget(self, now: int) -> None:
        while self._spent and self._spent[0][0] + _MINUTE <= now:
            self._sum -= self._spent.popleft()[1]
