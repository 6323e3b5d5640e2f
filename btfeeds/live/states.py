"""The states of a connection and the table that moves it: the only place where either is written down."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """Where a connection is."""

    IDLE = "idle"
    DIALING = "dialing"
    SUBSCRIBING = "subscribing"
    STREAMING = "streaming"
    WAITING = "waiting"
    CLOSED = "closed"


class Input(enum.Enum):
    """What moves it."""

    START = "start"
    OPENED = "opened"
    ACCEPTED = "accepted"
    LOST = "lost"
    RETRY = "retry"
    STOP = "stop"


TABLE: dict[tuple[State, Input], State] = {
    (State.IDLE, Input.START): State.WAITING,
    (State.WAITING, Input.RETRY): State.DIALING,
    (State.DIALING, Input.OPENED): State.SUBSCRIBING,
    (State.SUBSCRIBING, Input.ACCEPTED): State.STREAMING,
    (State.STREAMING, Input.ACCEPTED): State.STREAMING,
    (State.DIALING, Input.LOST): State.WAITING,
    (State.SUBSCRIBING, Input.LOST): State.WAITING,
    (State.STREAMING, Input.LOST): State.WAITING,
    **{(state, Input.STOP): State.CLOSED for state in State},
}
