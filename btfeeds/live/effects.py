"""What a connection wants done, and why one is lost: values between the machine that decides and the thread."""

from __future__ import annotations

from dataclasses import dataclass

from btfeeds.errors import BtfeedsError
from btfeeds.venues.base import BarRevised, BarUpdate, TradesSeen, TradeUpdate

# Why a connection was lost: a closed list, for metrics.
LOSSES = (
    "reset",
    "ended",
    "close_code",
    "ping",
    "dial",
    "dns",
    "refused",
    "timeout",
    "tls",
    "http",
    "protocol",
    "silent",
)


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a connection is gone. `not_before_ms`: the venue or the kind of error asks for at least this wait."""

    reason: str
    detail: str = ""
    not_before_ms: int = 0
    error: BtfeedsError | None = None  # why to give up: at once when it is fatal, else at the third time in a row
    closed: bool = False  # the whole host is closed to us until then, not only this connection
    alarm: BtfeedsError | None = None  # what somebody has to look at, whether or not it is tried again


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a socket for these channels."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text frame."""

    text: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a WebSocket ping frame."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the socket."""


@dataclass(frozen=True, slots=True)
class Covered:
    """The venue confirmed these channels: what closes from now on will come."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone and nothing of it can be trusted; the next try is in `retry_in_ms`."""

    loss: Loss
    retry_in_ms: int


@dataclass(frozen=True, slots=True)
class Refused:
    """These channels cannot be had on this connection, or at all (`error.fatal`)."""

    channels: tuple[str, ...]
    error: BtfeedsError


@dataclass(frozen=True, slots=True)
class Relieve:
    """This connection will end soon: open its successor before that."""

    reason: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A frame could not be read, of one of these channels perhaps: what is under way there may lack something."""

    channels: tuple[str, ...]


Data = BarUpdate | BarRevised | TradeUpdate | TradesSeen | Doubt
Effect = Dial | Send | Ping | HangUp | Covered | Lost | Refused | Relieve | Data
