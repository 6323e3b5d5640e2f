"""What a connection remembers about its channels, and about the messages that are to be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from btfeeds.venues.base import Accepted, BarUpdate, Event, Heartbeat, TradeUpdate, Venue

NEVER = 2**62


@dataclass(slots=True)
class Request:
    """A subscribe message that waits for its confirmation."""

    channels: tuple[str, ...]
    deadline: int


@dataclass(slots=True)
class Channel:
    """How a channel stands."""

    live: bool = False
    tries: int = 0
    proven: bool = False  # it was confirmed before: the venue has it
    alone: bool = False  # it is asked for by itself, and nothing else meanwhile


@dataclass(slots=True)
class Pace:
    """Spreads control messages so that the venue's limit per second is never reached."""

    interval_ms: int
    ready: deque[str] = field(default_factory=deque)
    next_at: int = 0


@dataclass(slots=True)
class Beat:
    """When the next ping is due that is sent whether or not the link is idle."""

    next_at: int = NEVER

    def start(self, heartbeat: Heartbeat, now: int) -> None:
        self.next_at = now + heartbeat.idle_ms if heartbeat.steady else NEVER

    def due(self, heartbeat: Heartbeat, now: int) -> bool:
        """Whether to ping now; the next time is set then."""
        if now < self.next_at:
            return False
        self.next_at = now + heartbeat.idle_ms
        return True


@dataclass(slots=True)
class Aliases:
    """What a venue calls channels on this connection, where confirmations say so (see Venue.aliases)."""

    _channels: dict[str, str] = field(default_factory=dict)

    def clear(self) -> None:
        self._channels.clear()

    def of(self, channels: Sequence[str]) -> list[str]:
        """The aliases of channels; a channel itself, where none is known."""
        known = {channel: alias for alias, channel in self._channels.items()}
        return [known.get(channel, channel) for channel in channels]

    def named(self, events: Iterable[Event], venue: Venue) -> Iterator[Event]:
        """The events with the channels' own names; what comes under an unknown alias is left out. Raises BadFrame."""
        for event in events:
            if isinstance(event, Accepted):
                if event.alias:
                    self._channels[event.alias] = event.channels[0]
                yield event
            elif isinstance(event, BarUpdate | TradeUpdate):
                if channel := self._channels.get(event.channel):
                    yield venue.resolved(event, channel)
            else:
                yield event
