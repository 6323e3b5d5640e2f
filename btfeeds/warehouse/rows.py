"""Bars with the number of their provenance each, as columns; joining old and new; and a digest that shows damage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from btfeeds.columns import NAMES, VALUES, Columns
from btfeeds.market import TimeRange

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[int | float, ...]  # open_time, open, high, low, close, volume, trades, origin

# one odd factor a column: modulo 2**64 no single bit of a value can change without changing the sum
_FACTORS = tuple(np.uint64(0x9E3779B97F4A7C15 * (2 * number + 1) % 2**64) for number in range(8))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Equally long: `bars`, and the `origin` of each. Ascending wherever one is handed over."""

    bars: Columns
    origin: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.origin)

    @property
    def times(self) -> npt.NDArray[np.int64]:
        return self.bars.open_time

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Rows:
        columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * (len(NAMES) + 1)
        bars = Columns.of(dict(zip(NAMES, columns, strict=False)))
        return cls(bars, np.asarray(columns[-1], dtype=np.int64))

    def take(self, rows: npt.NDArray[Any] | slice) -> Rows:
        return Rows(self.bars.take(rows), self.origin[rows])

    def outside(self, spans: Sequence[TimeRange]) -> Rows:
        """Those that open in none of `spans`, which ascend and lie apart."""
        edges = np.array([edge for span in spans for edge in (span.start, span.end)], dtype=np.int64)
        return self.take(np.searchsorted(edges, self.times, side="right") % 2 == 0)

    def tuples(self) -> list[Row]:
        columns = [getattr(self.bars, name).tolist() for name in NAMES]
        return list(zip(*columns, self.origin.tolist(), strict=True))

    def digests(self) -> npt.NDArray[np.int64]:
        """A number for each row that changes when a bit of the row does. -0.0 counts as 0.0: SQLite makes it one."""
        total = np.zeros(len(self), dtype=np.uint64)
        columns = [getattr(self.bars, name) + 0.0 if name in VALUES else getattr(self.bars, name) for name in NAMES]
        for column, factor in zip([*columns, self.origin], _FACTORS, strict=True):
            total += column.view(np.uint64) * factor
        return total.view(np.int64)

    def arrow(self) -> pa.Table:
        """A table: open_time (naive timestamp[us] that means UTC), the values, trades (-1: unknown), origin."""
        import pyarrow as pa

        columns = {"open_time": pa.array((self.times * 1000).view("datetime64[us]"))}
        columns |= {name: pa.array(getattr(self.bars, name)) for name in NAMES[1:]}
        return pa.table(columns | {"origin": pa.array(self.origin)})


NOTHING = Rows.of([])


def joined(parts: Iterable[Rows]) -> Rows:
    """All rows in ascending order. Where two have a bar of the same time, that of the later part counts."""
    some = [part for part in parts if len(part)]
    if not some:
        return NOTHING
    if len(some) == 1:
        return some[0]
    whole = Rows(Columns.joined(part.bars for part in some), np.concatenate([part.origin for part in some]))
    if (whole.times[1:] > whole.times[:-1]).all():
        return whole
    order = np.argsort(whole.times, kind="stable")  # stable: the later part's bar stays behind the earlier's
    times = whole.times[order]
    return whole.take(order[np.append(times[1:] != times[:-1], True)])
