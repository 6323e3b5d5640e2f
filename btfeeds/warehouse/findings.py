"""What a look at a series found, as values: findings, and the report they make together with a score. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from btfeeds.columns import Flags, Times
from btfeeds.market import iso
from btfeeds.warehouse.quality import Loss, assess

_EXAMPLES = 5


class Severity(enum.Enum):
    """How bad a finding is."""

    ERROR = "error"  # cannot be a bar, or cannot stand where it stands
    WARNING = "warning"  # can be true, and should be looked at
    NOTE = "note"  # no fault


_SAYS = {
    "empty": (Severity.ERROR, "there are no bars"),
    "column": (Severity.ERROR, "a column is not there"),
    "type": (Severity.ERROR, "a column does not hold numbers or times"),
    "null": (Severity.ERROR, "a value is not there"),
    "not_finite": (Severity.ERROR, "a value is not a number"),
    "price_not_positive": (Severity.ERROR, "a price is not positive"),
    "volume_negative": (Severity.ERROR, "the volume is negative"),
    "high_low": (Severity.ERROR, "the high is below, or the low above, another price"),
    "trades_negative": (Severity.ERROR, "the number of trades is negative"),
    "off_grid": (Severity.ERROR, "no bar of the timeframe opens then"),
    "disorder": (Severity.ERROR, "the bar comes behind a later one"),
    "duplicate": (Severity.ERROR, "the bar is there twice, with the same values"),
    "conflict": (Severity.ERROR, "the bar is there twice, with other values"),
    "missing": (Severity.WARNING, "the market was open, and the source has no bar"),
    "differing": (Severity.WARNING, "another provider says something else"),
    "outlier": (Severity.WARNING, "the price jumps far out of the ordinary"),
    "stuck": (Severity.WARNING, "the prices stay the same although there is volume"),
    "no_trade": (Severity.NOTE, "nothing was traded"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule and the bars it concerns. `first` and `last` are opening times in epoch ms, 0 where there is none."""

    rule: str  # a key of quality.WEIGHTS
    count: int
    first: int = 0
    last: int = 0
    examples: tuple[int, ...] = ()  # opening times of the first few
    detail: str = ""  # which column, for instance

    @classmethod
    def at(cls, rule: str, times: Times, flags: Flags | None = None) -> Finding:
        """The bars of `times` (those that are flagged) are concerned."""
        found = times if flags is None else times[flags]
        if not len(found):
            return cls(rule, 0)
        return cls(rule, len(found), int(np.min(found)), int(np.max(found)), tuple(found[:_EXAMPLES].tolist()))

    def joined(self, other: Finding) -> Finding:
        """Both as one, where `other` is of the same rule and comes later."""
        examples = (*self.examples, *other.examples)[:_EXAMPLES]
        first, last = min(self.first, other.first), max(self.last, other.last)
        return Finding(self.rule, self.count + other.count, first, last, examples, self.detail)

    @property
    def severity(self) -> Severity:
        return _SAYS[self.rule][0]

    def __str__(self) -> str:
        """One line for people."""
        where = f": {iso(self.first)}" if self.first else ""
        if self.last > self.first:
            where += f" .. {iso(self.last)}"
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.severity.value}: {_SAYS[self.rule][1]}{detail}, {self.count}×{where}"

    def json(self) -> dict[str, Any]:
        return {
            "rule": self.rule, "severity": self.severity.value, "count": self.count, "first": self.first,
            "last": self.last, "examples": list(self.examples), "detail": self.detail,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in `rows` bars, what quality that makes (0 to 100), and which rules cost how many points."""

    rows: int
    first: int
    last: int
    findings: tuple[Finding, ...]
    score: int
    losses: tuple[Loss, ...]

    @classmethod
    def of(cls, rows: int, first: int, last: int, findings: tuple[Finding, ...]) -> Report:
        """Findings without bars are left out; two of one rule count together."""
        held = tuple(finding for finding in findings if finding.count)
        counts: dict[str, int] = {}
        for finding in held:
            counts[finding.rule] = counts.get(finding.rule, 0) + finding.count
        quality = assess(rows, counts)
        return cls(rows, first, last, held, quality.score, quality.losses)

    def joined(self, *findings: Finding) -> Report:
        """The same report with what was found elsewhere: missing bars, another provider's."""
        return Report.of(self.rows, self.first, self.last, (*self.findings, *findings))

    @classmethod
    def of_pieces(cls, pieces: Sequence[Report]) -> Report:
        """One report of a series that was looked at in ascending pieces, at least one; of each rule one finding."""
        found: dict[str, Finding] = {}
        for one in (finding for piece in pieces for finding in piece.findings):
            found[one.rule] = found[one.rule].joined(one) if one.rule in found else one
        return cls.of(sum(piece.rows for piece in pieces), pieces[0].first, pieces[-1].last, tuple(found.values()))

    @property
    def sound(self) -> bool:
        """Whether every bar may be delivered."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def count(self, rule: str) -> int:
        """How many bars a rule concerns."""
        return sum(finding.count for finding in self.findings if finding.rule == rule)

    def json(self) -> dict[str, Any]:
        return {
            "rows": self.rows, "first": self.first, "last": self.last, "score": self.score,
            "losses": {loss.rule: loss.points for loss in self.losses},
            "findings": [finding.json() for finding in self.findings],
        }  # fmt: skip
