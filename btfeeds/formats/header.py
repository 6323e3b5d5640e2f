"""The first line of a table: where time, values and trades stand, and what one row says. Pure.

Names are the same in small and capital letters. A time is `open_time`, `datetime`, `timestamp`, `date` or `time`;
`date` and `time` side by side are one. `close_time` alone is what backtrader's files have here: the bar opened one
timeframe before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from btfeeds.columns import VALUES
from btfeeds.errors import BadBarFile, ConfigError
from btfeeds.market import Bar, to_ms

_INDEX = "__index_level_0__"  # what pandas calls an index without a name in Parquet
_TIMES = ("open_time", "datetime", "timestamp", "date", "time", _INDEX, "close_time")

MOST_TRADES = 2**53  # a float counts no further
_LATEST = 10**14  # epoch ms, in the year 5138: greater numbers of ms would be µs


class BadCell(Exception):
    """A row that does not read: the column, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(column, reason)
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """Where things stand in a row. `time` has two places where date and time are apart; `trades` is -1 without any."""

    time: tuple[int, ...]
    closes: bool  # the time is that of the close
    values: tuple[int, ...]  # open, high, low, close, volume
    trades: int

    @classmethod
    def of(cls, names: Iterable[Any], place: str) -> Header:
        """Raises BadBarFile when a column is missing."""
        lowered = _lowered(names)
        time = next((name for name in _TIMES if name in lowered), None)
        missing = [name for name in VALUES if name not in lowered]
        if time is None or missing:
            raise bad(
                f"{place} has no column {missing[0] if time else 'open_time'}.",
                f"Give it a header with open_time, {', '.join(VALUES)} and, where known, trades.",
            )
        times = ("date", "time") if time == "date" and "time" in lowered else (time,)
        trades = lowered.index("trades") if "trades" in lowered else -1
        return cls(tuple(map(lowered.index, times)), time == "close_time", tuple(map(lowered.index, VALUES)), trades)

    @property
    def places(self) -> list[int]:
        """All the columns that count."""
        return [*self.time, *self.values, *([self.trades] if self.trades >= 0 else [])]

    def bar(self, row: Sequence[Any]) -> Bar:
        """What a row says; its `open_time` is the time as it stands. Raises BadCell."""
        if len(row) <= max(self.places):
            raise BadCell("", "too few values")
        values = {name: _number(row[place], name) for place, name in zip(self.values, VALUES, strict=True)}
        trades = _count(row[self.trades]) if self.trades >= 0 else -1
        return Bar(open_time=self._time(row), trades=trades, **values)

    def _time(self, row: Sequence[Any]) -> int:
        cell = row[self.time[0]] if len(self.time) == 1 else " ".join(str(row[place]).strip() for place in self.time)
        try:
            time = to_ms(float(cell) if isinstance(cell, str) and _is_float(cell) else cell)
        except (ConfigError, TypeError, ValueError, OverflowError):
            time = _LATEST
        if not abs(time) < _LATEST:  # pandas' NaT has become NaN
            raise BadCell("time", f"{cell!r} is not a time")
        return time


def has_time(names: Iterable[Any]) -> bool:
    """Whether one of the columns is a time."""
    return not set(_TIMES).isdisjoint(_lowered(names))


def bad(
    what: str,
    advice: str = "Correct the row, or leave it out: a missing bar is no error.",
    *,
    did: str = "No bar was taken from it.",
) -> BadBarFile:
    """The error about a file."""
    return BadBarFile(what, did, advice)


def _lowered(names: Iterable[Any]) -> list[str]:
    return [str(name).strip().lower() for name in names]


def _number(cell: Any, name: str) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise BadCell(name, f"{name} is {cell!r}, not a number") from None


def _count(cell: Any) -> int:
    """A number of trades; -1 where none is given."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return -1
    number = _number(cell, "trades")
    if math.isnan(number):
        return -1
    if abs(number) > MOST_TRADES:
        raise BadCell("trades", f"trades is {cell!r}, not a number of trades")
    return int(number)


def _is_float(text: str) -> bool:
    whole, point, fraction = text.strip().partition(".")
    return bool(point) and whole.isdigit() and fraction.isdigit()
