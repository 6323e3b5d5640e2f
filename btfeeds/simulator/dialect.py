"""What the simulator needs to know of a venue's protocol: a dialect, seen from the venue's side.

As in btfeeds.venues a dialect says what an answer reads like and never sends one; the engine decides when, the server
sends.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from btfeeds.market import Timeframe
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import Tick


@dataclass(frozen=True, slots=True)
class Ask:
    """One REST request at `now`. `seen` is the instant whose market it shows: earlier while REST lags."""

    path: str
    query: Mapping[str, str]
    now: int
    seen: int
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to it."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """What a channel carries: bars, single trades, or groups of trades."""

    symbol: str  # the venue's spelling
    kind: str  # "bars", "trades" or "groups"
    timeframe: Timeframe


@dataclass(slots=True)
class Session:
    """What a client has said on its connection so far."""

    channels: dict[str, None] = field(default_factory=dict)  # an ordered set
    combined: bool = False
    silent: bool = False  # connected where nothing is ever sent
    now: int = 0  # the engine sets it before it hands a session over
    path: str = ""  # of the handshake, and its headers with names in lower case
    headers: Mapping[str, str] = field(default_factory=dict)
    state: str = ""  # how far a handshake of the venue's own is
    ending: int = 0  # the code to close the connection with, behind the replies
    sequence: int = 0  # the number of the next frame, where the venue numbers them


def stamp(time: int, digits: int = 6) -> str:
    """A time in ms as RFC 3339 has it, with that many digits behind the second."""
    moment = dt.datetime.fromtimestamp(time // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{f'{time % 1000:03d}':0<{digits}}Z"


def compact(value: object) -> str:
    """JSON as venues send it."""
    return json.dumps(value, separators=(",", ":"))


class Defaults:
    """What most venues do, for dialects to begin from. Times in ms; 0: it does not do that."""

    ping_every = 0  # WebSocket pings
    pong_within = 0
    messages_per_second = 100
    update_every = 0  # shortest time between two updates of a forming bar
    life = 0
    beat_every = 0  # heartbeats in text frames
    subscribe_within = 0  # who has subscribed nothing by then is sent away
    closed_after = 0  # how long behind its close a bar is sent as closed, on top of the engine's delay
    idle_within = 0  # who was sent nothing for so long is sent away
    forming = True  # False: bars under way are not sent
    batches = False  # True: what goes out at once goes out as one frame
    flags = True  # False: a bar is never sent as closed, its last update is its last word

    def greet(self, session: Session) -> list[str]:
        return []

    def beat(self, session: Session) -> list[str]:
        return []

    def leave(self, session: Session) -> None:
        pass

    def wrap(self, session: Session, channel: str, text: str) -> str:
        return text

    def encode(self, session: Session, text: str) -> str | bytes:
        return text

    def decode(self, session: Session, data: bytes) -> str:
        return data.decode("utf-8", "replace")

    def correction(self, stream: Stream, row: Row) -> tuple[str, str] | None:
        return None


class Dialect(Protocol):
    """One venue, seen from inside. Times in ms."""

    markets: Mapping[str, Market]  # by the venue's spelling
    ping_every: int
    pong_within: int
    messages_per_second: int
    update_every: int
    life: int
    beat_every: int
    subscribe_within: int
    closed_after: int
    idle_within: int
    forming: bool
    batches: bool
    flags: bool

    def answer(self, ask: Ask) -> Reply:
        """The answer to a REST request."""
        ...

    def refuse(self, reason: str, retry_after: int, now: int) -> Reply:
        """What a request gets under the faults rate_limit, ban, unavailable and region_block (seconds)."""
        ...

    def open(self, path: str, query: str) -> Session | None:
        """What a connection to that path begins with; None: there is no such path."""
        ...

    def greet(self, session: Session) -> list[str]:
        """What a client is sent first, before it has said anything."""
        ...

    def beat(self, session: Session) -> list[str]:
        """What a client is sent every `beat_every`."""
        ...

    def leave(self, session: Session) -> None:
        """The connection is gone."""
        ...

    def message(self, session: Session, text: str) -> list[str]:
        """The replies to a client's message; changes the session."""
        ...

    def stream(self, channel: str) -> Stream | None:
        """What a channel carries; None: nothing, as the venue does not have it."""
        ...

    def bar_frame(self, stream: Stream, row: Row, closed: bool, time: int) -> str:
        """A bar as it is sent at `time`."""
        ...

    def trade_frames(self, stream: Stream, tick: Tick, time: int) -> list[str]:
        """A group of trades as it is sent at `time`."""
        ...

    def wrap(self, session: Session, channel: str, text: str) -> str:
        """A frame of a channel as this client wants it; where it `batches`, several frames with commas."""
        ...

    def encode(self, session: Session, text: str) -> str | bytes:
        """A frame as it goes to this client's wire."""
        ...

    def decode(self, session: Session, data: bytes) -> str:
        """A client's binary frame as text."""
        ...

    def correction(self, stream: Stream, row: Row) -> tuple[str, str] | None:
        """The channel and frame that correct a closed bar; None: the venue sends none."""
        ...

    def farewell(self, session: Session, time: int) -> str:
        """The venue says that it will shut down."""
        ...
