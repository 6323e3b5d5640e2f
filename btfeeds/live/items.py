"""What goes in and out of a splice: deliveries and words for the strategy, questions for history, counts."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import msgspec

from btfeeds.live.status import Status
from btfeeds.market import Bar, TimeRange


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A closed bar for the strategy. `source` is "history" (before the first LIVE), "live", "backfill", or "filled"."""

    bar: Bar
    source: str


class Notice(msgspec.Struct, frozen=True):
    """A status word for the strategy, in its place between the bars."""

    status: Status
    reason: str = ""
    payload: object = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A span the venue has no bars for, declared to the strategy as the payload of an UNKNOWN notice."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Correction:
    """The venue changed a bar that was delivered: the payload of an UNKNOWN notice. It is not delivered again.

    When the venue has taken back all trades of a bar, so that it has no such bar any more, `after` has the prices of
    before, a volume of 0 and 0 trades (`gone`).
    """

    before: Bar
    after: Bar

    @property
    def gone(self) -> bool:
        """Whether the venue has no such bar any more."""
        return self.after.volume == 0 and self.after.trades == 0 and self.before.volume > 0


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A question to history: the closed bars that open in `span`. `number` tells an answer from a stale one."""

    number: int
    span: TimeRange
    reason: str  # history | break | hole | overdue | check


class Remedy(enum.Enum):
    """What a silent subscription needs."""

    RESUBSCRIBE = "resubscribe"
    RECONNECT = "reconnect"


@dataclass(slots=True)
class Summary:
    """Counts of one stream. The promise holds while missing, duplicate and unfinished are 0 by construction."""

    delivered: int = 0
    backfilled: int = 0
    reconnects: int = 0
    dropped_duplicates: int = 0
    corrected: int = 0
    no_trade: int = 0
    declared: int = 0


@dataclass(frozen=True, slots=True)
class SplicePolicy:
    """How patient a splice is; all in ms of the venue's clock."""

    grace_ms: int = 5_000  # a closed frame may be this late before history is asked
    lag_ms: int = 10_000  # history may be this late before an absent bar is taken as absent for good
    retry_ms: tuple[int, ...] = (1_000, 2_000, 4_000, 8_000, 15_000, 30_000)
    unreadable_tries: int = 6  # so often what cannot be a bar is asked for before it is stepped over
    ask_bars: int = 10_000  # the most bars asked for at once: bounds memory during a long history
    held_bars: int = 4_096  # the most live bars that wait behind a gap
