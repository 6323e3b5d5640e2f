"""What a venue does for its clients and demands of them: pings and heartbeats, and when it hangs up.

On a fast clock a client has its time of the wall all the same, so that a busy machine is not punished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Protocol

from btfeeds.simulator.dialect import Dialect
from btfeeds.simulator.peer import Peer

_PATIENCE = 5.0  # s of the wall that a pong or a subscription may always take
_BEATS_PER_SECOND = 20  # of the wall


class House(Protocol):
    """The engine, as far as it is needed here."""

    dialect: Dialect
    now: int

    @property
    def peers(self) -> Collection[Peer]: ...

    def at(self, when: int, action: Callable[[], None]) -> None:
        """Do something at `when`."""
        ...

    def send(self, peer: Peer, text: str) -> None:
        """Send a text, unless the client has fallen silent."""
        ...

    def end(self, peer: Peer, code: int, reason: str) -> None:
        """Hang up."""
        ...


class Manners:
    """The manners of one engine's venue."""

    def __init__(self, house: House, speed: float) -> None:
        self._house = house
        self._speed = speed

    def welcome(self, peer: Peer) -> None:
        """A client is there: greet it, and begin what is done at intervals."""
        house, dialect, wall = self._house, self._house.dialect, time.monotonic()
        peer.session.now = house.now
        for text in dialect.greet(peer.session):
            house.send(peer, text)
        if dialect.ping_every:
            house.at(house.now + dialect.ping_every, lambda: self._ping(peer))
        if dialect.beat_every:
            self._beat(peer)
        if dialect.subscribe_within:
            house.at(house.now + dialect.subscribe_within, lambda: self._check_subscribed(peer, wall))
        if dialect.idle_within:
            house.at(house.now + dialect.idle_within, lambda: self._check_idle(peer))
        if dialect.life:
            hours = dialect.life // 3_600_000
            house.at(house.now + dialect.life, lambda: house.end(peer, 1001, f"{hours} hours are over"))

    def flooded(self, peer: Peer) -> bool:
        """Count a message of the client's; whether it was one too many, and the client is sent away."""
        # on a fast clock what was sent seconds apart comes in one burst
        most = int(self._house.dialect.messages_per_second * max(1.0, self._speed / 60))
        if peer.flooding(self._house.now, most):
            self._house.end(peer, 1008, "Too many requests")
            return True
        return False

    def _ping(self, peer: Peer) -> None:
        house, dialect = self._house, self._house.dialect
        if peer in house.peers:
            if peer.silent_until <= house.now:
                sent, wall = str(house.now).encode(), time.monotonic()
                peer.pings.append(sent)
                peer.wire.ping(sent)
                house.at(house.now + dialect.pong_within, lambda: self._check_pong(peer, sent, wall))
            house.at(house.now + dialect.ping_every, lambda: self._ping(peer))

    def _check_pong(self, peer: Peer, sent: bytes, wall: float) -> None:
        """Hang up when neither that ping nor a later one has been answered."""
        house = self._house
        if peer not in house.peers or sent not in peer.pings or peer.silent_until > house.now:
            return
        if self._still_time(wall):
            house.at(house.now + house.dialect.ping_every, lambda: self._check_pong(peer, sent, wall))
        else:
            house.end(peer, 1008, "Pong timeout")

    def _beat(self, peer: Peer) -> None:
        house = self._house
        if peer in house.peers:
            peer.session.now = house.now
            for text in house.dialect.beat(peer.session):
                house.send(peer, text)
            # on a fast clock fewer, so that the wall's second is not flooded
            every = max(house.dialect.beat_every, int(self._speed * 1000 / _BEATS_PER_SECOND))
            house.at(house.now + every, lambda: self._beat(peer))

    def _check_subscribed(self, peer: Peer, wall: float) -> None:
        """Hang up on who has not subscribed anything."""
        house = self._house
        if peer not in house.peers or peer.session.channels:
            return
        if self._still_time(wall):
            house.at(house.now + house.dialect.subscribe_within, lambda: self._check_subscribed(peer, wall))
        else:
            house.end(peer, 1008, "Nothing was subscribed in time")

    def _check_idle(self, peer: Peer) -> None:
        """Hang up on who was sent nothing for too long."""
        house = self._house
        patience = max(house.dialect.idle_within, int(self._speed * 2_000))
        if peer in house.peers:
            if house.now - peer.sent_at >= patience:
                house.end(peer, 4004, "No data was sent in time")
            else:
                house.at(peer.sent_at + patience, lambda: self._check_idle(peer))

    def _still_time(self, wall: float) -> bool:
        return self._speed > 1 and time.monotonic() - wall < _PATIENCE
