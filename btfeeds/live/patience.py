"""How patient a connection is with its venue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionPolicy:
    """How patient a connection is; all in ms."""

    backoff_ms: tuple[int, ...] = (5_000, 10_000, 20_000, 40_000, 60_000)
    healthy_ms: int = 60_000  # so much data has to flow before the backoff starts over
    ack_ms: int = 10_000
    ack_tries: int = 3
    unreadable: int = 5  # so many frames in a row that cannot be understood end a connection
    fatal_after: int = 3  # the same kind of TLS or policy refusal in a row
    relieve_ms: int = 600_000  # the successor is opened this long before the venue's limit
    linger_ms: int = 1_000  # so long the old socket stays beside its successor: what is under way to us arrives
    asleep_ms: int = 60_000  # a timer so long overdue means that the machine was suspended
    floor_ms: int = 0  # no answer of the venue is awaited for less: on a fast clock the wire is not faster
