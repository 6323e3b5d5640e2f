"""What travels between a dialect and the rest: HTTP requests and answers as values, and what a frame means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import msgspec

from btfeeds.errors import LONGEST_WAIT_S, BtfeedsError
from btfeeds.market import Bar, Trade

# --- HTTP, as values ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request below a venue's `rest_url`. `weight` is what it costs of the venue's budget."""

    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One answer. Header names are lower case. `sent` and `received`: by our clock (epoch ms), when it was asked for
    and when it had come; the venue has written it in between.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    sent: int = 0
    received: int = 0


def retry_after(response: HttpResponse) -> float | None:
    """The seconds of a Retry-After: a number, or a date, which the answer's own Date explains; None without one.

    A week at most.
    """
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return min(float(text), LONGEST_WAIT_S)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(response.headers.get("date", ""))
        return min(max(0.0, (until - now).total_seconds()), LONGEST_WAIT_S)
    except (TypeError, ValueError, OverflowError):
        return None


# --- events: what a frame means --------------------------------------------------------------------------------------


class BarUpdate(msgspec.Struct, frozen=True, gc=False):
    """A bar as the venue sees it now. `time` is the venue's event time (0 where it does not say)."""

    channel: str
    bar: Bar
    closed: bool
    time: int = 0


class BarRevised(msgspec.Struct, frozen=True, gc=False):
    """The venue corrects a bar it has closed before."""

    channel: str
    bar: Bar


class TradeUpdate(msgspec.Struct, frozen=True, gc=False):
    """One or more trades in the venue's order. `revoked`: a trade of before that never was, and the one in `trades`, if
    any, stands in its place; key, price and quantity say which it was. Neither: there was a trade of which cannot be
    told when.
    """

    channel: str
    trades: tuple[Trade, ...]
    time: int = 0
    revoked: Trade | None = None


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A subscription is confirmed: by request number, or by channels where the venue names them.

    `alias` is what the events of this one channel are called from now on (see Venue.aliases).
    """

    request: int | None = None
    channels: tuple[str, ...] = ()
    alias: str = ""


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A subscription is refused. `fatal`: asking again cannot help."""

    reason: str
    request: int | None = None
    channels: tuple[str, ...] = ()
    fatal: bool = False


class Alive(msgspec.Struct, frozen=True, gc=False):
    """A frame without bars: heartbeats, welcomes, channels nobody asked for."""


class Leaving(msgspec.Struct, frozen=True, gc=False):
    """The venue announces that it will close this connection."""

    reason: str


class Pinged(msgspec.Struct, frozen=True, gc=False):
    """An application ping that wants `reply` as its answer."""

    reply: str


class Ready(msgspec.Struct, frozen=True, gc=False):
    """The venue's greeting is complete: subscriptions may be sent (where `greets`)."""


class TurnedAway(msgspec.Struct, frozen=True):
    """The venue does not want this connection: a wrong key, too many connections."""

    error: BtfeedsError


class TradesSeen(msgspec.Struct, frozen=True, gc=False):
    """The venue says which trade was its last at `time` (0 where it does not say): a higher number than ours means that
    some were lost, ours that there was none since.
    """

    channel: str
    last_id: int
    time: int = 0


Event = (
    BarUpdate
    | BarRevised
    | TradeUpdate
    | TradesSeen
    | Accepted
    | Rejected
    | Alive
    | Leaving
    | Pinged
    | Ready
    | TurnedAway
)
