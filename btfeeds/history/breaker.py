"""Whether a host is worth asking: after many failures in a row it is left alone for a while. Pure.

What counts is whether the host answers at all. "Unknown symbol" and "too many requests" are answers; no connection, a
timeout and a 5xx are none.

               failed                   answered   given up         go (a request leaves)
    CLOSED     OPEN at the LIMITth in   CLOSED     CLOSED           CLOSED
               a row, else CLOSED
    OPEN       OPEN                     CLOSED     OPEN             HALF_OPEN, when the pause is over
    HALF_OPEN  OPEN, a longer pause     CLOSED     OPEN, no pause   nobody leaves: one request tries the host

In OPEN, what ends left before the circuit opened. Whoever gives up has learnt nothing of the host.
"""

from __future__ import annotations

import enum

LIMIT = 15  # three requests that have each used up their tries: a download gives up there by itself
PAUSES_MS = (5_000, 10_000, 20_000, 30_000)  # the last is what a recovered host may be found late by


class State(enum.Enum):
    """Of a circuit."""

    CLOSED = "closed"  # requests flow
    OPEN = "open"  # none leaves
    HALF_OPEN = "half-open"  # one is on its way, the others wait for how it fares


class Breaker:
    """The circuit of one host. Times are of a monotonic clock in ms; not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self.state = State.CLOSED
        self.failures = 0  # in a row
        self.opened_at = 0  # when it last left CLOSED
        self._openings = 0  # in a row
        self._until = 0

    def rest(self, now: int) -> int:
        """For how many ms more no request leaves; 0 in every other state than OPEN."""
        return max(0, self._until - now) if self.state is State.OPEN else 0

    def go(self, now: int) -> None:
        """A request leaves, and its end has to be told. Only after `rest` said 0, and not in HALF_OPEN."""
        assert not self.rest(now) and self.state is not State.HALF_OPEN
        if self.state is State.OPEN:
            self.state = State.HALF_OPEN

    def failed(self, now: int) -> bool:
        """The host did not answer. Returns whether that opened the circuit, anew or again."""
        self.failures += 1
        if self.state is State.OPEN or (self.state is State.CLOSED and self.failures < LIMIT):
            return False
        if self.state is State.CLOSED:
            self.opened_at = now
        self.state = State.OPEN
        self._until = now + PAUSES_MS[min(self._openings, len(PAUSES_MS) - 1)]
        self._openings += 1
        return True

    def given_up(self, now: int) -> None:
        """Who asked did not wait for the end: another one may try the host."""
        if self.state is State.HALF_OPEN:
            self.state, self._until = State.OPEN, now

    def answered(self) -> bool:
        """The host did answer, whatever it said. Returns whether that closed the circuit."""
        closes = self.state is not State.CLOSED
        self.state, self.failures, self._openings = State.CLOSED, 0, 0
        return closes
