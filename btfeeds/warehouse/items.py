"""What goes in and out of a warehouse. Times are epoch ms UTC; spans exclude their end."""

from __future__ import annotations

from dataclasses import dataclass

from btfeeds.market import Bar, Subscription, TimeRange


@dataclass(frozen=True, slots=True)
class Series:
    """The bars of one subscription, told without opening a file of bars.

    `first` and `last` are opening times (0 where `rows` is 0); `bytes` is the size of its `files` sealed files;
    `validated` is when it was last validated (0: never), with `score` 0 to 100 (-1: none).
    """

    subscription: Subscription
    first: int
    last: int
    rows: int
    bytes: int
    files: int
    validated: int
    score: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where bars come from. `fetched` is exact to the hour: bars of one provider and hour share a provenance."""

    provider: str
    fetched: int
    adjusted: bool


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the bars of one `add`: how many were new, known already, corrections, or could not be bars."""

    new: int = 0
    same: int = 0
    revised: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Revision:
    """A bar as it was before `by` corrected it at `time`; `provider` had given it."""

    subscription: Subscription
    before: Bar
    provider: str
    time: int
    by: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A row that could not be a bar: `reason` is of a closed list (see intake.REASONS), `raw` the row as text."""

    subscription: Subscription
    open_time: int | None
    reason: str
    raw: str
    provider: str
    time: int


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A Parquet file of a closed period. `path` is relative to the files' root; `span` is what it answers for."""

    path: str
    span: TimeRange
    rows: int
    first: int
    last: int
    checksum: str
    bytes: int
    sealed: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Something `verify` found wrong. `kind`: file_damaged, row_damaged, rows, order, off_grid or uncovered."""

    subscription: Subscription
    kind: str
    span: TimeRange
    detail: str
