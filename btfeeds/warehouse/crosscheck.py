"""Two providers' word on the same series, bar by bar. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from btfeeds.columns import PRICES, VALUES, Columns, Flags, Floats, Times
from btfeeds.warehouse.findings import Finding


@dataclass(frozen=True, slots=True)
class Deviation:
    """The largest relative deviation of one column, |a − b| / max(|a|, |b|), and the bar that has it."""

    relative: float
    open_time: int


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """How far two series agree. Times are opening times in epoch ms, ascending."""

    common: int  # bars that both have
    equal: int  # of these, bars with the same five values to the last bit
    largest: Mapping[str, Deviation]  # by column, where they have bars in common
    differing: tuple[int, ...]  # common bars that are further apart than the tolerance
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]

    @property
    def share(self) -> float:
        """The share of common bars that are equal; 1.0 where there are none to differ."""
        return self.equal / self.common if self.common else 1.0

    def finding(self) -> Finding:
        """The differing bars, for a report on the first series."""
        return Finding.at("differing", np.array(self.differing, dtype=np.int64))

    def json(self) -> dict[str, Any]:
        return {
            "common": self.common, "equal": self.equal, "share": self.share,
            "largest": {name: {"relative": d.relative, "open_time": d.open_time} for name, d in self.largest.items()},
            "differing": list(self.differing),
            "only_first": len(self.only_first), "only_second": len(self.only_second),
        }  # fmt: skip


def compare(first: Columns, second: Columns, *, price: float = 0.001, volume: float | None = None) -> CrossCheck:
    """Compare two series of ascending bars, each open time once.

    A bar differs when one of its prices is further apart than the share `price`, or its volume than `volume`. None
    says that volumes are not judged: two venues never have the same.
    """
    times, left, right = np.intersect1d(first.open_time, second.open_time, assume_unique=True, return_indices=True)
    one, other = first.take(left), second.take(right)
    apart = {name: _apart(getattr(one, name), getattr(other, name)) for name in VALUES}
    differing: Flags = np.logical_or.reduce([apart[name] > price for name in PRICES])
    if volume is not None:
        differing = differing | (apart["volume"] > volume)
    equal = np.logical_and.reduce([deviation == 0 for deviation in apart.values()])
    return CrossCheck(
        len(times),
        int(equal.sum()),
        {name: _largest(deviation, times) for name, deviation in apart.items() if len(times)},
        tuple(times[differing].tolist()),
        tuple(np.setdiff1d(first.open_time, times, assume_unique=True).tolist()),
        tuple(np.setdiff1d(second.open_time, times, assume_unique=True).tolist()),
    )


def _apart(one: Floats, other: Floats) -> Floats:
    """The relative deviation of each row; two zeros agree."""
    size = np.maximum(np.abs(one), np.abs(other))
    return np.divide(np.abs(one - other), size, out=np.zeros_like(size), where=size > 0)


def _largest(deviation: Floats, times: Times) -> Deviation:
    row = int(np.argmax(deviation))
    return Deviation(float(deviation[row]), int(times[row]))
