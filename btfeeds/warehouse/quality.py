"""How good a series is, as a number from 0 to 100 that says where it lost its points. Pure.

    score = 100 − Σ lost(rule), never below 0, rounded down
    lost(rule) = most(rule) × min(1, share / full(rule))
    share = count / rows; for missing bars count / (rows + count)

`most` are the points a rule can cost, `full` the share of bars at which it costs all of them (the table below). So
a series loses the more the more of it is bad, a spotless one has 100, and whatever costs anything shows: 99 or less.
An empty series has 0. The arithmetic is exact, so that a share at its threshold costs exactly `most`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

_PERCENT = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a rule costs: `most` points, reached when the share of bars it concerns is `full`."""

    most: int
    full: Fraction


_WHOLE = Weight(100, _PERCENT)  # bars that no strategy may see: one in a hundred makes a series worthless

WEIGHTS: Mapping[str, Weight] = {
    "empty": _WHOLE,
    "column": _WHOLE,
    "type": _WHOLE,
    "null": _WHOLE,
    "not_finite": _WHOLE,
    "price_not_positive": _WHOLE,
    "volume_negative": _WHOLE,
    "high_low": _WHOLE,
    "trades_negative": Weight(20, _PERCENT),
    "conflict": Weight(60, _PERCENT),  # the same instant with other values
    "off_grid": Weight(50, _PERCENT),
    "disorder": Weight(50, _PERCENT),
    "duplicate": Weight(30, 5 * _PERCENT),  # the same bar twice does no harm but shows carelessness
    "missing": Weight(60, 10 * _PERCENT),  # the market was open and the source has no bar
    "differing": Weight(40, 10 * _PERCENT),  # another provider says something else
    "outlier": Weight(20, _PERCENT),
    "stuck": Weight(20, 10 * _PERCENT),
    "no_trade": Weight(0, Fraction(1)),  # a quiet market is no fault of the series
}


@dataclass(frozen=True, slots=True)
class Loss:
    """Points that a rule cost."""

    rule: str
    points: float


@dataclass(frozen=True, slots=True)
class Quality:
    """A score, and what it lost by; the dearest first."""

    score: int
    losses: tuple[Loss, ...]


def assess(rows: int, counts: Mapping[str, int]) -> Quality:
    """The quality of a series of so many bars, of which each rule concerns so many. Rules are the keys of WEIGHTS."""
    if rows == 0:
        counts = {**counts, "empty": 1}
    lost = {rule: _lost(rule, rows, count) for rule, count in counts.items() if count > 0}
    total = sum(lost.values(), Fraction(0))
    score = max(0, math.floor(100 - total))
    dearest = sorted(((rule, points) for rule, points in lost.items() if points), key=lambda item: (-item[1], item[0]))
    return Quality(score, tuple(Loss(rule, float(points)) for rule, points in dearest))


def _lost(rule: str, rows: int, count: int) -> Fraction:
    weight = WEIGHTS[rule]
    all_of_them = rows + count if rule == "missing" else max(rows, count)
    return weight.most * min(Fraction(1), Fraction(count, all_of_them) / weight.full)
