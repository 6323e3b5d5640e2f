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

from btfeeds.errors import BtfeedsError, RateLimited
from btfeeds.live.budget import Budget
from btfeeds.live.channels import NEVER, Beat, Pace
from btfeeds.live.effects import Covered, Dial, Doubt, Effect, HangUp, Loss, Lost, Ping, Refused, Relieve, Send
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.requests import Requests, Unconfirmed
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
        self._pace = Pace(max(1, int(1000 / venue.limits.messages_per_second), policy.floor_ms // 50))
        self._requests = Requests(venue, policy, self._pace)
        self._beat = Beat()
        self._retry_at = 0
        self._opened_at = 0
        self._ready = True  # the venue's greeting is over
        self._heard_at = 0
        self._pinged_at: int | None = None
        self._first_data_at: int | None = None
        self._last_data_at = 0
        self._unreadable = 0
        self._relieved = False
        self._leaves_at = NEVER
        self._refusals = 0
        self._last_refusal: type[BtfeedsError | None] = type(None)

    @property
    def channels(self) -> tuple[str, ...]:
        """What this connection should carry."""
        return tuple(self._requests.channels)

    @property
    def complete(self) -> bool:
        """Whether every channel is confirmed."""
        return self.state is State.STREAMING and self._requests.complete

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

    def retire(self, now: int) -> list[Effect]:
        """A successor carries the channels: end for good as soon as what is under way can have come."""
        self._leaves_at = now + max(self.policy.linger_ms, self.policy.floor_ms // 4)
        return [] if self.state in (State.SUBSCRIBING, State.STREAMING) else self.stop()

    def stay(self) -> list[Effect]:
        """The successor is lost: do not end."""
        self._leaves_at = NEVER
        return []

    def want(self, channels: Sequence[str], now: int, *, proven: Collection[str] = ()) -> list[Effect]:
        """Carry these channels too; the venue confirmed the `proven` ones on another connection."""
        return self._subscribe(self._requests.add(channels, proven), now)

    def unwant(self, channels: Sequence[str], now: int) -> list[Effect]:
        """Carry these channels no longer."""
        return self._unsubscribe(self._requests.drop(channels), now)

    def prove(self, channel: str) -> list[Effect]:
        """The venue is known to have this channel."""
        if known := self._requests.channels.get(channel):
            known.proven = True
        return []

    def renew(self, channel: str, now: int) -> list[Effect]:
        """The subscription is mute: end it and ask for it again."""
        if channel not in self._requests.channels or self.state is not State.STREAMING:
            return []
        return self._unsubscribe([channel], now) + self._subscribe([channel], now)

    def prod(self, now: int) -> list[Effect]:
        """Have the venue say something now: whether this link is alive is asked sooner than its silence would."""
        if self.state not in (State.SUBSCRIBING, State.STREAMING) or self._pinged_at is not None:
            return []
        ping = self._ping(now)
        if not isinstance(ping, Send):
            return [ping]
        self._pace.ready.appendleft(ping.text)
        return self.tick(now)

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
        self._requests.clear()
        self._pace.ready.clear()
        self._beat.start(self.venue.heartbeat, now)
        self._pace.next_at = now
        self._pace.ready.extend(self.venue.login())
        self._ready = not self.venue.greets
        return self._subscribe(self.channels, now) or self.tick(now)

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
        requests = self._requests
        channels, pending, returning = requests.channels, requests.pending, requests.returning
        for event in requests.named(events):
            kind = type(event)
            if kind is BarUpdate or kind is TradeUpdate or kind is BarRevised:
                if event.channel not in channels or event.channel in returning:  # type: ignore[union-attr]
                    continue
                if self._first_data_at is None:
                    self._first_data_at = now
                self._last_data_at = now
                if pending and event.channel in pending:  # type: ignore[union-attr]
                    # The data proves the subscription, should the confirmation be lost.
                    effects += self._cover(requests.confirmed((event.channel,)))  # type: ignore[union-attr]
                effects.append(event)  # type: ignore[arg-type]
            elif kind is Accepted:
                effects += self._cover(requests.accepted(event))  # type: ignore[arg-type]
            elif kind is Rejected:
                effects += self._unconfirmed(requests.rejected(event))  # type: ignore[arg-type]
                if requests.waiting:
                    effects += self.tick(now)
            elif kind is TradesSeen:
                if event.channel in channels:  # type: ignore[union-attr]
                    effects.append(event)  # type: ignore[arg-type]
            elif kind is Ready and not self._ready:
                self._ready = True
                effects += self._subscribe(self.channels, now)
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
        if self._leaves_at != NEVER:
            return self.stop()
        self._move(Input.LOST)
        if self._first_data_at is not None and self._last_data_at - self._first_data_at >= self.policy.healthy_ms:
            self.losses = self._refusals = 0
        self._first_data_at = None  # a dial that fails has had no data, whatever the connection before it had
        self._refusals = self._refusals + 1 if type(loss.error) is self._last_refusal else 1
        self._last_refusal = type(loss.error)
        self._requests.lost()
        self._pace.ready.clear()
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
        if now >= self._leaves_at:
            return self.stop()
        heartbeat = self.venue.heartbeat
        if not self._ready and now - self._opened_at >= max(self.policy.ack_ms, self.policy.floor_ms):
            return self.lost(Loss("timeout", "the venue did not greet"), now)
        effects: list[Effect] = []
        if self._beat.due(heartbeat, now):
            self._pace.ready.appendleft(heartbeat.ping)
        silence = now - self._heard_at
        # so long overdue, the machine has slept, and what was open before is dead
        asleep = silence - heartbeat.idle_ms >= max(self.policy.asleep_ms, 10 * self.policy.floor_ms)
        pinged = self._pinged_at
        if asleep or (pinged is not None and now - pinged >= max(heartbeat.timeout_ms, self.policy.floor_ms)):
            return self.lost(Loss("ping", f"nothing heard for {silence} ms"), now)
        if pinged is None and silence >= heartbeat.idle_ms:
            effects.append(self._ping(now))
        for found in self._requests.overdue(now):
            effects += self._unconfirmed(found)
        pace = self._pace
        while now >= pace.next_at and (pace.ready or self._requests.send(now)):
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
        first = min(first, self._requests.deadline, self._leaves_at)
        if self._pace.ready or self._requests.waiting:
            first = min(first, self._pace.next_at)
        life = self.venue.limits.connection_life_ms
        if life and not self._relieved and (old := self._opened_at + life - patience.relieve_ms) < first:
            first = old
        return first

    # --- inside ------------------------------------------------------------------------------------------------------

    def _ping(self, now: int) -> Effect:
        self._pinged_at = now
        words = self.venue.heartbeat.ping
        return Send(words) if words else Ping()

    def _move(self, what: Input) -> None:
        self.state = TABLE[self.state, what]

    def _subscribe(self, channels: Sequence[str], now: int) -> list[Effect]:
        if not channels or not self._ready or self.state not in (State.SUBSCRIBING, State.STREAMING):
            return []
        self._requests.ask(channels)
        return self.tick(now)

    def _unsubscribe(self, channels: Sequence[str], now: int) -> list[Effect]:
        if not channels or self.state not in (State.SUBSCRIBING, State.STREAMING):
            return []
        self._requests.end(channels)
        return self.tick(now)

    def _cover(self, channels: tuple[str, ...]) -> list[Effect]:
        """The venue has confirmed these."""
        if not channels:
            return []
        self._move(Input.ACCEPTED)
        return [Covered(channels)]

    def _unconfirmed(self, found: Unconfirmed) -> list[Effect]:
        """Others go on while a new connection is tried, where it is this one that does not work."""
        effects: list[Effect] = [*found.refused]
        if found.sick and not self._relieved:
            self._relieved = True
            effects.insert(0, Relieve("unconfirmed"))
        return effects
