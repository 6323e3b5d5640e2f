"""One connection to a venue as a state machine: when to dial, subscribe, ping, hang up and wait. It never acts.

    state        input      → state
    IDLE         START      → WAITING        (for its turn in the budget of connects: usually no wait)
    WAITING      RETRY      → DIALING        Dial
    DIALING      OPENED     → SUBSCRIBING    Send (paced)
    SUBSCRIBING  ACCEPTED   → STREAMING      Covered
    DIALING, SUBSCRIBING, STREAMING  LOST → WAITING   HangUp, Lost
    any          STOP       → CLOSED         HangUp

`now` is the monotonic clock in ms. Every input returns the effects to be carried out, in order; `deadline()` says when
`tick` is due. The wait after a loss doubles with every loss (full jitter), and starts over only after a minute of
data: a server that accepts and hangs up again is not hammered. The budget of connects is shared by the process.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from btfeeds.errors import BtfeedsError, RateLimited, UnknownSymbol
from btfeeds.live.budget import Budget
from btfeeds.live.channels import Aliases, Beat, Channel, Pace, Request
from btfeeds.live.effects import Covered, Dial, Doubt, Effect, HangUp, Loss, Lost, Ping, Refused, Relieve, Send
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.states import TABLE, Input, State
from btfeeds.venues.base import (
    Accepted,
    BarRevised,
    BarUpdate,
    Event,
    Leaving,
    Pinged,
    Ready,
    Rejected,
    TradesSeen,
    TradeUpdate,
    TurnedAway,
    Venue,
)


class Connection:
    """See the module's text. `jitter()` gives a number in [0, 1)."""

    def __init__(
        self,
        venue: Venue,
        budget: Budget,
        *,
        jitter: Callable[[], float],
        policy: ConnectionPolicy = ConnectionPolicy(),  # noqa: B008 - frozen
    ) -> None:
        self.venue = venue
        self.policy = policy
        self.state = State.IDLE
        self.losses = 0  # in a row, without a minute of data in between
        self._budget = budget
        self._jitter = jitter
        self._channels: dict[str, Channel] = {}
        self._requests: dict[int, Request] = {}
        self._pending: dict[str, int] = {}  # channel → request that should confirm it
        self._unasked: dict[str, None] = {}  # channels that wait for their turn: the next message takes them together
        self._next_request = 1
        self._pace = Pace(max(1, int(1000 / venue.limits.messages_per_second), policy.floor_ms // 50))
        self._aliases, self._beat = Aliases(), Beat()
        self._retry_at = 0
        self._opened_at = 0
        self._ready = True  # the venue's greeting is over
        self._heard_at = 0
        self._pinged_at: int | None = None
        self._first_data_at: int | None = None
        self._last_data_at = 0
        self._unreadable = 0
        self._relieved = False
        self._last_words = ""  # of a refusal that named nothing, on this socket
        self._refusals = 0
        self._last_refusal: type[BtfeedsError | None] = type(None)

    @property
    def channels(self) -> tuple[str, ...]:
        """What this connection should carry."""
        return tuple(self._channels)

    @property
    def complete(self) -> bool:
        """Whether every channel is confirmed."""
        return self.state is State.STREAMING and all(channel.live for channel in self._channels.values())

    # --- commands ----------------------------------------------------------------------------------------------------

    def start(self, now: int) -> list[Effect]:
        self._move(Input.START)
        self._retry_at = self._budget.reserve(now)
        return self.tick(now)

    def stop(self) -> list[Effect]:
        """End for good."""
        was = self.state
        self._move(Input.STOP)
        return [HangUp()] if was in (State.DIALING, State.SUBSCRIBING, State.STREAMING) else []

    def want(self, channels: Sequence[str], now: int, *, proven: Collection[str] = ()) -> list[Effect]:
        """Carry these channels too; the venue confirmed the `proven` ones on another connection."""
        new = [channel for channel in channels if channel not in self._channels]
        self._channels.update({channel: Channel(proven=channel in proven) for channel in new})
        return self._subscribe(new, now)

    def unwant(self, channels: Sequence[str], now: int) -> list[Effect]:
        """Carry these channels no longer."""
        known = [channel for channel in channels if self._channels.pop(channel, None)]
        for channel in known:
            self._pending.pop(channel, None)
            self._unasked.pop(channel, None)
        return self._unsubscribe(known, now)

    def prove(self, channel: str) -> list[Effect]:
        """The venue is known to have this channel."""
        if known := self._channels.get(channel):
            known.proven = True
        return []

    def renew(self, channel: str, now: int) -> list[Effect]:
        """The subscription is mute: end it and ask for it again."""
        if channel not in self._channels or self.state is not State.STREAMING:
            return []
        return self._unsubscribe([channel], now) + self._subscribe([channel], now)

    # --- what happens ------------------------------------------------------------------------------------------------

    def opened(self, now: int) -> list[Effect]:
        """The socket is open."""
        if self.state is not State.DIALING:
            return [HangUp()]
        self._move(Input.OPENED)
        self._opened_at = self._heard_at = now
        self._pinged_at = None
        self._first_data_at = None
        self._unreadable = 0
        self._relieved = False
        self._forget()
        self._beat.start(self.venue.heartbeat, now)
        self._pace.next_at = now
        self._pace.ready.extend(self.venue.login())
        self._ready = not self.venue.greets
        return self._subscribe(list(self._channels), now) or self.tick(now)

    def heard(self, now: int) -> None:
        """Something arrived, whatever it was: the link is alive."""
        self._heard_at = now
        self._pinged_at = None

    def unreadable(self, detail: str, now: int) -> list[Effect]:
        """A frame could not be understood; several in a row mean that nothing can be trusted any more."""
        self._unreadable += 1
        if self._unreadable >= self.policy.unreadable:
            return self.lost(
                Loss("protocol", f"{self._unreadable} unreadable frames in a row, the last: {detail}"), now
            )
        return [Doubt(self.channels)]

    def received(self, events: Iterable[Event], now: int) -> list[Effect]:
        """A frame was understood as these events."""
        self.heard(now)
        self._unreadable = 0
        effects: list[Effect] = []
        for event in self._aliases.named(events, self.venue) if self.venue.aliases else events:
            kind = type(event)
            if kind is BarUpdate or kind is TradeUpdate or kind is BarRevised:
                if event.channel not in self._channels:  # type: ignore[union-attr]
                    continue
                if self._first_data_at is None:
                    self._first_data_at = now
                self._last_data_at = now
                if self._pending and event.channel in self._pending:  # type: ignore[union-attr]
                    # The data proves the subscription, should the confirmation be lost.
                    effects += self._accept((event.channel,))  # type: ignore[union-attr]
                effects.append(event)  # type: ignore[arg-type]
            elif kind is Accepted:
                request = self._requests.pop(event.request, None) if event.request is not None else None  # type: ignore[union-attr]
                effects += self._accept(event.channels or (request.channels if request else ()))  # type: ignore[union-attr]
            elif kind is Rejected:
                effects += self._reject(event, now)  # type: ignore[arg-type]
            elif kind is TradesSeen:
                if event.channel in self._channels:  # type: ignore[union-attr]
                    effects.append(event)  # type: ignore[arg-type]
            elif kind is Ready and not self._ready:
                self._ready = True
                effects += self._subscribe(list(self._channels), now)
            elif kind is TurnedAway:
                error = event.error  # type: ignore[union-attr]
                wait = int(error.retry_after * 1000) if isinstance(error, RateLimited) else 0
                # what passes (a connection that broke still counts there) passes at some time, however often it is said
                return effects + self.lost(Loss("http", error.what, wait, error if error.fatal else None), now)
            elif kind is Pinged:
                self._pace.ready.appendleft(event.reply)  # type: ignore[union-attr]
            elif kind is Leaving and not self._relieved:
                self._relieved = True
                effects.append(Relieve(event.reason))  # type: ignore[union-attr]
        return effects

    def lost(self, loss: Loss, now: int) -> list[Effect]:
        """The socket is gone, or must go."""
        if (self.state, Input.LOST) not in TABLE:
            return []
        self._move(Input.LOST)
        if self._first_data_at is not None and self._last_data_at - self._first_data_at >= self.policy.healthy_ms:
            self.losses = self._refusals = 0
        self._first_data_at = None  # a dial that fails has had no data, whatever the connection before it had
        self._refusals = self._refusals + 1 if type(loss.error) is self._last_refusal else 1
        self._last_refusal = type(loss.error)
        for channel in self._channels.values():
            channel.live = False
            channel.tries = 0
        self._forget()
        if loss.error is not None and (loss.error.fatal or self._refusals >= self.policy.fatal_after):
            self._move(Input.STOP)
            return [HangUp(), Refused(self.channels, loss.error)]
        steps = self.policy.backoff_ms
        pause = int(steps[min(self.losses, len(steps) - 1)] * self._jitter())
        self.losses += 1
        if loss.closed:
            self._budget.hold(now + loss.not_before_ms)
        self._retry_at = self._budget.reserve(now + max(pause, loss.not_before_ms))
        return [HangUp(), Lost(loss, self._retry_at - now)]

    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self, now: int) -> list[Effect]:
        """Time has passed."""
        if self.state is State.WAITING:
            if now < self._retry_at:
                return []
            if now < self._budget.closed_until:  # another connection was told so meanwhile
                self._retry_at = self._budget.reserve(now)
                return []
            self._move(Input.RETRY)
            return [Dial(self.channels)]
        if self.state not in (State.SUBSCRIBING, State.STREAMING):
            return []
        heartbeat = self.venue.heartbeat
        if not self._ready and now - self._opened_at >= max(self.policy.ack_ms, self.policy.floor_ms):
            return self.lost(Loss("timeout", "the venue did not greet"), now)
        effects: list[Effect] = []
        if self._beat.due(heartbeat, now):
            self._pace.ready.appendleft(heartbeat.ping)
        if (silence := now - self._heard_at) >= heartbeat.idle_ms:
            # so long overdue, the machine has slept, and what was open before is dead
            asleep = silence - heartbeat.idle_ms >= max(self.policy.asleep_ms, 10 * self.policy.floor_ms)
            if self._pinged_at is None and not asleep:
                self._pinged_at = now
                effects.append(Send(heartbeat.ping) if heartbeat.ping else Ping())
            elif asleep or now - (self._pinged_at or 0) >= max(heartbeat.timeout_ms, self.policy.floor_ms):
                return self.lost(Loss("ping", f"nothing heard for {silence} ms"), now)
        for number, request in list(self._requests.items()):
            if now >= request.deadline:
                effects += self._unconfirmed(number, request, now)
        pace = self._pace
        while now >= pace.next_at and (pace.ready or self._request_next(now)):
            effects.append(Send(pace.ready.popleft()))
            pace.next_at = max(pace.next_at + pace.interval_ms, now)
            if pace.next_at <= now:
                pace.next_at = now + pace.interval_ms
        life = self.venue.limits.connection_life_ms
        if life and not self._relieved and now - self._opened_at >= life - self.policy.relieve_ms:
            self._relieved = True
            effects.append(Relieve("scheduled"))
        return effects

    def deadline(self) -> int | None:
        """When `tick` is due; None: only after something happens."""
        if self.state is State.WAITING:
            return self._retry_at
        if self.state not in (State.SUBSCRIBING, State.STREAMING):
            return None
        heartbeat, patience = self.venue.heartbeat, self.policy
        if self._pinged_at is None:
            first = self._heard_at + heartbeat.idle_ms
        else:
            first = self._pinged_at + max(heartbeat.timeout_ms, patience.floor_ms)
        if self._beat.next_at < first:
            first = self._beat.next_at
        if not self._ready:
            first = min(first, self._opened_at + max(patience.ack_ms, patience.floor_ms))
        for request in self._requests.values():
            first = min(first, request.deadline)
        if self._pace.ready or self._unasked:
            first = min(first, self._pace.next_at)
        life = self.venue.limits.connection_life_ms
        if life and not self._relieved and (old := self._opened_at + life - patience.relieve_ms) < first:
            first = old
        return first

    # --- inside ------------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """What was said on the old socket is nothing to the new one."""
        self._requests.clear()
        self._pending.clear()
        self._unasked.clear()
        self._last_words = ""
        self._aliases.clear()
        self._pace.ready.clear()

    def _move(self, what: Input) -> None:
        self.state = TABLE[self.state, what]

    def _subscribe(self, channels: list[str], now: int) -> list[Effect]:
        if not channels or not self._ready or self.state not in (State.SUBSCRIBING, State.STREAMING):
            return []
        self._unasked.update(dict.fromkeys(channels))
        return self.tick(now)

    def _request_next(self, now: int) -> bool:
        """Ask for as many waiting channels as go into one message; False when none wait."""
        part = tuple(self._unasked)[: self.venue.limits.streams_per_message]
        if not part:
            return False
        for name in part:
            del self._unasked[name]
        number = self._number(self.venue.subscribe(part, self._next_request))
        waiting = (len(self._pace.ready) - 1) * self._pace.interval_ms
        self._requests[number] = Request(part, now + waiting + max(self.policy.ack_ms, self.policy.floor_ms))
        self._pending.update(dict.fromkeys(part, number))
        return True

    def _unsubscribe(self, channels: list[str], now: int) -> list[Effect]:
        if not channels or self.state not in (State.SUBSCRIBING, State.STREAMING):
            return []
        self._number(self.venue.unsubscribe(self._aliases.of(channels), self._next_request))
        return self.tick(now)

    def _number(self, messages: list[str]) -> int:
        number = self._next_request
        self._next_request += len(messages)
        self._pace.ready.extend(messages)
        return number

    def _accept(self, channels: Iterable[str]) -> list[Effect]:
        new = []
        for name in channels:
            self._pending.pop(name, None)
            channel = self._channels.get(name)
            if channel is not None and not channel.live:
                channel.live = channel.proven = True
                channel.tries = 0
                new.append(name)
        self._requests = {
            number: request
            for number, request in self._requests.items()
            if any(name in self._pending for name in request.channels)
        }
        if not new:
            return []
        self._move(Input.ACCEPTED)
        return [Covered(tuple(new))]

    def _reject(self, event: Rejected, now: int) -> list[Effect]:
        request = self._requests.get(event.request) if event.request is not None else None
        channels = event.channels or (request.channels if request else ())
        if not channels:
            self._last_words = event.reason  # about what, it does not say
            return []
        if event.fatal:
            return self._give_up(channels, event.reason)
        if request is not None and event.request is not None:
            return self._unconfirmed(event.request, request, now)
        return []

    def _unconfirmed(self, number: int, request: Request, now: int) -> list[Effect]:
        """No confirmation came, or a refusal that may pass: ask again, a few times."""
        self._requests.pop(number, None)
        waiting = [name for name in request.channels if name in self._channels and not self._channels[name].live]
        if not waiting:
            return []
        effects: list[Effect] = []
        for name in waiting:
            self._channels[name].tries += 1
        over = [name for name in waiting if self._channels[name].tries >= self.policy.ack_tries]
        if sick := [name for name in over if self._channels[name].proven]:
            # The venue has it, so it is this connection that does not work: others go on while a new one is tried.
            for name in sick:
                self._channels[name].tries = 0
            if not self._relieved:
                self._relieved = True
                effects.append(Relieve("unconfirmed"))
        if unknown := tuple(name for name in over if name not in sick):
            effects += self._give_up(unknown, self._last_words or "the venue did not confirm it")
        again = [name for name in waiting if name not in unknown]
        return effects + (self._subscribe(again, now) if again else [])

    def _give_up(self, channels: tuple[str, ...], reason: str) -> list[Effect]:
        for name in channels:
            self._channels.pop(name, None)
            self._pending.pop(name, None)
        error = UnknownSymbol(
            f"{self.venue.title} refuses {', '.join(channels)}: {reason}",
            "The feed was stopped; others go on.",
            "Check the symbol's spelling and that the venue lists it.",
        )
        return [Refused(channels, error)]
