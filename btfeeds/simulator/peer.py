"""One client's connection, as the engine sees it: what was subscribed, what is muted, whether it still answers.

The wire below it sends bytes; tests put a list in its place.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from btfeeds.simulator.dialect import Session


class Wire(Protocol):
    """What can be done to a client's socket."""

    def text(self, text: str | bytes) -> None:
        """Send a text frame, or a binary one."""
        ...

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close as WebSocket closes."""
        ...

    def cut(self, way: str) -> None:
        """Break TCP: "rst" or "fin"."""
        ...

    def read(self, on: bool) -> None:
        """Stop reading, or go on."""
        ...

    def drip(self, on: bool) -> None:
        """Keep back what is sent from now on; off: let everything go."""
        ...

    def drop(self, count: int) -> None:
        """Let that many of the bytes kept back go."""
        ...


@dataclass(slots=True, eq=False)
class Peer:
    """A client. `number` counts connections from 1."""

    number: int
    wire: Wire
    session: Session
    muted: set[str] = field(default_factory=set)  # channels that are dead until they are subscribed again
    silent_until: int = 0
    sent_at: int = 0  # when something went out last
    pings: list[bytes] = field(default_factory=list)  # payloads that are not answered yet
    _messages: deque[int] = field(default_factory=deque)

    def flooding(self, now: int, most: int) -> bool:
        """Count a message of the client's; whether there were more than `most` within one second."""
        while self._messages and self._messages[0] <= now - 1000:
            self._messages.popleft()
        self._messages.append(now)
        return len(self._messages) > most
