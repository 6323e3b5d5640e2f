"""Which sockets carry which channels, as far as the venue has confirmed it.

A channel is covered while at least one socket has it confirmed. Sockets are known by their numbers, which grow. Of two
that carry a channel the older one is its *voice*: what cannot be told apart when it comes twice (trades without
numbers) is taken from that one alone.
"""

from __future__ import annotations


class Coverage:
    """The numbers of the sockets that have each channel confirmed."""

    def __init__(self) -> None:
        self._by: dict[str, set[int]] = {}

    def by(self, channel: str) -> set[int]:
        """The sockets that carry a channel."""
        return self._by.get(channel, set())

    def voice(self, channel: str) -> int | None:
        """The one whose word counts; None: nobody carries it."""
        return min(self.by(channel), default=None)

    def confirm(self, channel: str, number: int) -> None:
        self._by.setdefault(channel, set()).add(number)

    def leave(self, channel: str, number: int) -> None:
        """This socket does not carry it (any more, or not surely)."""
        self.by(channel).discard(number)

    def forget(self, channel: str) -> None:
        """Nobody wants it any more."""
        self._by.pop(channel, None)
