"""A DataFrame handed to backtrader as whole columns, not row by row.

The lines are those of `bt.feeds.PandasData`, bit for bit, at a hundredth of the time. Where backtrader must see every
row (filters, tzinput) rows are handed over one by one, from columns already converted; where a column is not plain
numbers or an index not plain times, `PandasData` itself does the work and raises what it always raised.
"""

from __future__ import annotations

import array
from collections.abc import Mapping
from typing import Any, ClassVar

import backtrader as bt
import numpy as np
import numpy.typing as npt
import pandas as pd

from btfeeds.cerebro.stamps import days_of

_PER_US = {"s": 1_000_000, "ms": 1_000, "us": 1}


class BulkPandasData(bt.feeds.PandasData):
    """`bt.feeds.PandasData`, quicker. Same parameters, same lines."""

    _without_column: ClassVar[Mapping[str, float]] = {}  # what a line holds when the frame has no column for it

    def start(self) -> None:
        super().start()
        self._table: dict[str, npt.NDArray[np.float64]] | None = None
        self._rows: list[tuple[Any, list[float]]] | None = None
        self._converted = False

    def preload(self) -> None:
        table = None if self._filters or self._tzinput is not None else self._columns()
        lines = list(self.lines)
        if table is None or not all(_untouched(line) for line in lines):
            super().preload()
            return
        days = table["datetime"]
        wanted = days >= self.fromdate
        beyond = np.flatnonzero(wanted & (days > self.todate))
        stop = int(beyond[0]) if beyond.size else len(days)
        rows = np.flatnonzero(wanted[:stop])
        chosen: Any = slice(rows[0], rows[-1] + 1) if rows.size and rows[-1] - rows[0] + 1 == rows.size else rows
        for number, line in enumerate(lines):
            column = table.get(self._getlinealias(number))
            values = array.array("d")
            values.frombytes((np.full(rows.size, np.nan) if column is None else column[chosen]).tobytes())
            values.extend(line.array)  # the room for lookahead
            line.array = values
        self._idx = stop
        self.home()

    def _load(self) -> bool | None:
        if self._rows is None:
            table = self._columns()
            if table is None:
                loaded: bool = super()._load()
                for alias, value in self._without_column.items():
                    if loaded and self._colmapping[alias] is None:
                        getattr(self.lines, alias)[0] = value
                return loaded
            self._rows = [(getattr(self.lines, alias), column.tolist()) for alias, column in table.items()]
            self._length = len(table["datetime"])
        self._idx += 1
        if self._idx >= self._length:
            return False
        for line, column in self._rows:
            line[0] = column[self._idx]
        return True

    def _columns(self) -> dict[str, npt.NDArray[np.float64]] | None:
        """The frame as one array of float64 per line; None where only a row by row reading gives the same."""
        if not self._converted:
            self._converted = True
            self._table = self._convert()
        return self._table

    def _convert(self) -> dict[str, npt.NDArray[np.float64]] | None:
        frame = self.p.dataname
        table = {}
        for alias in self.getlinealiases():
            at = self._colmapping[alias]
            if alias == "datetime":
                us = _microseconds(frame.index if at is None else frame.iloc[:, at])
                if us is None:
                    return None
                table[alias] = days_of(self._stamps(us))
            elif at is not None:
                values = frame.iloc[:, at]
                dtype = values.dtype
                if not isinstance(dtype, np.dtype) or dtype.kind not in "fiub" or dtype.itemsize > 8:
                    return None
                table[alias] = values.to_numpy(dtype=np.float64)
            elif alias in self._without_column:
                table[alias] = np.full(len(frame), self._without_column[alias])
        return table

    def _stamps(self, us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """What the bars are stamped with, in epoch µs. Here: what the frame says."""
        return us


def _untouched(line: Any) -> bool:
    return line.mode == line.UnBounded and not line.bindings and len(line.array) == line.extension


def _microseconds(times: Any) -> npt.NDArray[np.int64] | None:
    index = pd.DatetimeIndex(times) if pd.api.types.is_datetime64_any_dtype(times.dtype) else None
    if index is None or index.hasnans:
        return None
    if index.unit == "ns":
        return index.asi8 // 1_000
    return index.asi8 * _PER_US[index.unit]
