"""How fast one host may be asked: so much weight in any minute, so many requests in any second and any day, and
nothing before a deadline it has set. Pure.

Venues count by their own calendar minutes and days. A window that slides never holds more than a calendar one may,
whatever the clocks say; a bucket of tokens, filled at the same rate, lets up to twice as much through.
"""

from __future__ import annotations

import math
from collections import deque

_MINUTE = 60_000
_DAY = 86_400_000


class _Window:
    """At most `most` in any `ms`; what costs more than everything goes alone."""

    def __init__(self, most: int, ms: int) -> None:
        self.most = most
        self.ms = ms
        self.sum = 0
        self._spent: deque[tuple[int, int]] = deque()

    def wait(self, cost: int, now: int) -> int:
        """0 when `cost` fits now, else ms until the oldest of what is spent is forgotten."""
        self.forget(now)
        if not self._spent or self.sum + cost <= self.most:
            return 0
        return self._spent[0][0] + self.ms - now

    def spend(self, cost: int, at: int) -> None:
        if self._spent:
            at = max(at, self._spent[-1][0])
        self._spent.append((at, cost))
        self.sum += cost

    def forget(self, now: int) -> None:
        while self._spent and self._spent[0][0] + self.ms <= now:
            self.sum -= self._spent.popleft()[1]


class Pacer:
    """The budget of one host. Times are of a monotonic clock in ms; it is not thread-safe: its owner holds a lock.

    The numbers are those of a venue's `Limits`; 0 requests per second or day: there is no such limit.
    """

    def __init__(self, weight_per_minute: int, requests_per_second: float = 0.0, requests_per_day: int = 0) -> None:
        self.closed_until = 0
        self.banned = False  # the deadline is a ban's: waiting for it can take days
        self._weight = _Window(weight_per_minute, _MINUTE)
        self._requests: list[_Window] = []
        if requests_per_second:
            burst = max(1, int(requests_per_second))  # less than one a second: one in so many seconds
            self._requests.append(_Window(burst, math.ceil(1000 * burst / requests_per_second)))
        if requests_per_day:
            self._requests.append(_Window(requests_per_day, _DAY))
        self.memory_ms = max(window.ms for window in (self._weight, *self._requests))  # what is older does not count

    def take(self, weight: int, now: int) -> int:
        """Spend `weight` now and return 0, or spend nothing and return how many ms to wait before asking again."""
        if now < self.closed_until:
            return self.closed_until - now
        self.banned = False
        wait = max(self._weight.wait(weight, now), *(window.wait(1, now) for window in self._requests), 0)
        if not wait:
            self.count(weight, 1, now)
        return wait

    def count(self, weight: int, requests: int, at: int) -> None:
        """So much was spent at the time `at`: by `take`, or by others who share this budget."""
        self._weight.spend(weight, at)
        for window in self._requests if requests else ():
            window.spend(requests, at)

    def learn(self, used: int, now: int) -> int:
        """The venue says `used` of this minute's budget is gone: what we did not spend, others at our address did.

        Returns how much more that is than was known.
        """
        self._weight.forget(now)
        more = max(0, used - self._weight.sum)
        if more:
            self.count(more, 0, now)
        return more

    def hold(self, ms: float, now: int, *, ban: bool = False) -> None:
        """Nothing may be sent for `ms`; a longer deadline set before stays."""
        self.closed_until = max(self.closed_until, now + math.ceil(ms))
        self.banned = self.banned or ban
