"""What a connection asks of its venue: which channels it should carry, and how far the venue has confirmed each.

A channel is asked for, and is then confirmed, by an answer or by its data; or refused for good; or neither, and then it
is asked for again, a few times. What was asked on one socket is nothing to the next one. Nothing here sends: messages
go to the `Pace`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from btfeeds.errors import UnknownSymbol
from btfeeds.live.channels import NEVER, Aliases, Channel, Pace, Request
from btfeeds.live.effects import Refused
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.venues.base import Accepted, Event, Rejected, Venue


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """What follows from a request that was not confirmed. What is asked for again waits for its turn already."""

    sick: bool = False  # the venue has some of the channels, so it is this connection that does not work
    refused: tuple[Refused, ...] = ()


class Requests:
    """The channels of one connection and the messages about them. `now` is the monotonic clock in ms."""

    def __init__(self, venue: Venue, policy: ConnectionPolicy, pace: Pace) -> None:
        self.channels: dict[str, Channel] = {}
        self.pending: dict[str, int] = {}  # channel → request that should confirm it
        self._venue, self._policy, self._pace = venue, policy, pace
        self._sent: dict[int, Request] = {}
        self._unasked: dict[str, None] = {}  # channels that wait for their turn: the next message takes them together
        self._next = 1
        self._aliases = Aliases()
        self._last_words = ""  # of a refusal that named nothing, on this socket
        # Channels that were ended on this socket: until one is confirmed anew, what comes may be of the time before.
        self.returning: set[str] = set()

    def __len__(self) -> int:
        """How many messages wait for a confirmation."""
        return len(self._sent)

    @property
    def waiting(self) -> bool:
        """Whether channels wait for their turn, and it has come."""
        if not self._sent:
            return bool(self._unasked)
        if any(self._is_alone(name) for request in self._sent.values() for name in request.channels):
            return False
        return any(not self._is_alone(name) for name in self._unasked)

    @property
    def complete(self) -> bool:
        """Whether every channel is confirmed."""
        return all(channel.live for channel in self.channels.values())

    @property
    def deadline(self) -> int:
        """When the next confirmation is overdue."""
        return min(request.deadline for request in self._sent.values()) if self._sent else NEVER

    # --- which channels ----------------------------------------------------------------------------------------------

    def add(self, channels: Sequence[str], proven: Collection[str]) -> list[str]:
        """Carry these channels, too. Returns the new ones."""
        new = [name for name in channels if name not in self.channels]
        self.channels.update({name: Channel(proven=name in proven) for name in new})
        return new

    def drop(self, channels: Iterable[str]) -> list[str]:
        """Carry these channels no longer. Returns those that were."""
        known = [name for name in channels if self.channels.pop(name, None)]
        for name in known:
            self.pending.pop(name, None)
            self._unasked.pop(name, None)
        return known

    def clear(self) -> None:
        """What was said on the old socket is nothing to the new one."""
        self._sent.clear()
        self.pending.clear()
        self._unasked.clear()
        self.returning.clear()
        self._last_words = ""
        self._aliases.clear()

    def lost(self) -> None:
        """The socket is gone, and nothing is confirmed any more."""
        self.clear()
        for channel in self.channels.values():
            channel.live = channel.alone = False
            channel.tries = 0

    # --- what is said ------------------------------------------------------------------------------------------------

    def ask(self, channels: Iterable[str]) -> None:
        """Ask for these when their turn comes."""
        self._unasked.update(dict.fromkeys(channels))

    def send(self, now: int) -> bool:
        """Ask for as many waiting channels as go into one message; False when none wait."""
        if not self.waiting:
            return False
        together = [name for name in self._unasked if not self._is_alone(name)]
        part = tuple(together or self._unasked)[: self._venue.limits.streams_per_message if together else 1]
        for name in part:
            del self._unasked[name]
        number = self._say(self._venue.subscribe(part, self._next))
        waiting = (len(self._pace.ready) - 1) * self._pace.interval_ms
        self._sent[number] = Request(part, now + waiting + max(self._policy.ack_ms, self._policy.floor_ms))
        self.pending.update(dict.fromkeys(part, number))
        return True

    def end(self, channels: Sequence[str]) -> None:
        """Say that these are not wanted any more, or not as they are."""
        self.returning.update(channels)
        for name in channels:
            if known := self.channels.get(name):
                known.live = False
        self._say(self._venue.unsubscribe(self._aliases.of(channels), self._next))

    def _say(self, messages: list[str]) -> int:
        number = self._next
        self._next += len(messages)
        self._pace.ready.extend(messages)
        return number

    # --- what is answered --------------------------------------------------------------------------------------------

    def named(self, events: Iterable[Event]) -> Iterable[Event]:
        """The events with the channels' own names. Raises BadFrame."""
        return self._aliases.named(events, self._venue) if self._venue.aliases else events

    def accepted(self, event: Accepted) -> tuple[str, ...]:
        """The venue confirms. Returns the channels that are confirmed now and were not before."""
        request = self._sent.pop(event.request, None) if event.request is not None else None
        return self.confirmed(event.channels or (request.channels if request else ()))

    def confirmed(self, channels: Iterable[str]) -> tuple[str, ...]:
        """These channels are confirmed. Returns those that were not before."""
        new = []
        for name in channels:
            self.pending.pop(name, None)
            self.returning.discard(name)
            channel = self.channels.get(name)
            if channel is not None and not channel.live:
                channel.live = channel.proven = True
                channel.tries = 0
                new.append(name)
        self._sent = {
            number: request
            for number, request in self._sent.items()
            if any(name in self.pending for name in request.channels)
        }
        return tuple(new)

    def rejected(self, event: Rejected) -> Unconfirmed:
        """The venue refuses."""
        request = self._sent.get(event.request) if event.request is not None else None
        channels = event.channels or (request.channels if request else ())
        if not channels:
            self._last_words = event.reason  # about what, it does not say
            return self._seek(event.reason) if event.fatal else Unconfirmed()
        if event.fatal:
            return Unconfirmed(refused=(self._give_up(channels, event.reason),))
        if request is not None and event.request is not None:
            return self._unconfirmed(event.request)
        return Unconfirmed()

    def _seek(self, reason: str) -> Unconfirmed:
        """One of the channels asked for cannot be had, and nobody says which: each is asked for by itself."""
        names = [name for request in self._sent.values() for name in request.channels]
        waiting = [name for name in names if name in self.channels and not self.channels[name].live]
        if len(self._sent) > 1:  # whatever else is refused cannot be told from this: they are asked for again in time
            for name in waiting:
                self.channels[name].alone = True
            return Unconfirmed()
        self._sent.clear()
        if len(waiting) == 1:
            return Unconfirmed(refused=(self._give_up(tuple(waiting), reason),))
        for name in waiting:
            self.channels[name].alone = True
        self.ask(waiting)
        return Unconfirmed()

    def _is_alone(self, name: str) -> bool:
        return name in self.channels and self.channels[name].alone

    def overdue(self, now: int) -> Iterator[Unconfirmed]:
        """The requests whose confirmation does not come."""
        for number, request in list(self._sent.items()):
            if now >= request.deadline:
                yield self._unconfirmed(number)

    def _unconfirmed(self, number: int) -> Unconfirmed:
        """No confirmation came, or a refusal that may pass: ask again, a few times."""
        request = self._sent.pop(number)
        waiting = [name for name in request.channels if name in self.channels and not self.channels[name].live]
        for name in waiting:
            self.channels[name].tries += 1
        self.returning.difference_update(waiting)  # no answer comes: what it sends is proof enough then
        over = [name for name in waiting if self.channels[name].tries >= self._policy.ack_tries]
        sick = [name for name in over if self.channels[name].proven]
        for name in sick:
            self.channels[name].tries = 0
        unknown = tuple(name for name in over if name not in sick)
        self.ask(name for name in waiting if name not in unknown)
        reason = self._last_words or "the venue did not confirm it"
        return Unconfirmed(bool(sick), (self._give_up(unknown, reason),) if unknown else ())

    def _give_up(self, channels: tuple[str, ...], reason: str) -> Refused:
        for name in channels:
            self.channels.pop(name, None)
            self.pending.pop(name, None)
        error = UnknownSymbol(
            f"{self._venue.title} refuses {', '.join(channels)}: {reason}",
            "The feed was stopped; others go on.",
            "Check the symbol's spelling, that the venue lists it, and that your plan has it.",
        )
        return Refused(channels, error)
