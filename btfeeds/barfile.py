"""Bars from outside: a CSV or Parquet file, a DataFrame, a list. Checked row by row before anybody relies on them.

A file has a header: `open_time` (or `datetime`, `timestamp`), `open`, `high`, `low`, `close`, `volume` and, where
known, `trades`. Times are ISO 8601 or epoch numbers whose unit their size tells.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from btfeeds.errors import BadBarFile, ConfigError, MissingExtra
from btfeeds.market import Bar, Timeframe, iso, to_ms

if TYPE_CHECKING:
    import pandas as pd

    Source: TypeAlias = "str | Path | pd.DataFrame | Sequence[Bar]"
    Table: TypeAlias = "tuple[list[int], list[list[Any]]]"

_TIMES = ("open_time", "datetime", "timestamp")
_VALUES = ("open", "high", "low", "close", "volume")
_WEEK = 7 * 86_400_000
_SHORTEST_MONTH = 28 * 86_400_000
_FAULTS = {
    "not_finite": "has a value that is not a number",
    "price_not_positive": "has a price that is not positive",
    "volume_negative": "has a negative volume",
    "high_low": "has a high below, or a low above, its other prices",
}


@dataclass(frozen=True, slots=True)
class BarFile:
    """Bars in order, each opening on the grid of `timeframe`; some may be missing."""

    bars: tuple[Bar, ...]
    timeframe: Timeframe


def read(source: Source) -> BarFile:
    """The bars of a file, a DataFrame or a list. Raises BadBarFile, and MissingExtra for Parquet without pyarrow."""
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix in (".parquet", ".pq"):
            return _checked(_from_frame(_parquet(path), path.name), path.name, "row")
        return _checked(_from_csv(path), path.name, "line")
    if hasattr(source, "columns"):
        return _checked(_from_frame(source, "the DataFrame"), "the DataFrame", "row")
    return _checked(enumerate(source, 1), "the list of bars", "bar")


def _checked(rows: Iterable[tuple[int, Bar]], name: str, unit: str) -> BarFile:
    numbers: list[int] = []
    bars: list[Bar] = []
    step = 0
    for number, bar in rows:
        if fault := bar.fault():
            raise _bad(f"{name}, {unit} {number}: the bar of {iso(bar.open_time)} {_FAULTS[fault]}.")
        if bars:
            distance = bar.open_time - bars[-1].open_time
            if distance == 0:
                raise _bad(f"{name}, {unit} {number}: the bar of {iso(bar.open_time)} is there twice.")
            if distance < 0:
                raise _bad(f"{name}, {unit} {number}: the bar of {iso(bar.open_time)} comes behind a later one.")
            step = min(step or distance, distance)
        numbers.append(number)
        bars.append(bar)
    if not bars:
        raise _bad(f"{name} holds no bars.")
    timeframe = _timeframe(step, name)
    for number, bar in zip(numbers, bars, strict=True):
        if not timeframe.aligned(bar.open_time):
            raise _bad(f"{name}, {unit} {number}: no bar of {timeframe} opens at {iso(bar.open_time)}.")
    return BarFile(tuple(bars), timeframe)


def _timeframe(step: int, name: str) -> Timeframe:
    """The timeframe whose bars lie `step` ms apart; one bar alone passes for a minute."""
    if step == 0:
        return Timeframe(1, "m")
    if step >= _SHORTEST_MONTH:
        return Timeframe(1, "M")
    if step % _WEEK == 0:
        return Timeframe(step // _WEEK, "w")
    unit = next((unit for unit, ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))
                 if step % ms == 0), "")  # fmt: skip
    if not unit:
        raise _bad(f"{name}: two bars lie {step} ms apart, which is no timeframe.")
    return Timeframe(step // Timeframe(1, unit).ms, unit)


def _from_csv(path: Path) -> Iterator[tuple[int, Bar]]:
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            columns = _columns(next(reader, []), path.name)
            for row in reader:
                if row:
                    yield reader.line_num, _bar(row, columns, f"{path.name}, line {reader.line_num}")
    except FileNotFoundError:
        raise _bad(f"There is no file {path}.", "Check the path.") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise _bad(f"{path.name} cannot be read: {error}.", "Give CSV, CSV.gz or Parquet.") from None


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        raise MissingExtra("pyarrow", "parquet", "Reading Parquet") from None
    except FileNotFoundError:
        raise _bad(f"There is no file {path}.", "Check the path.") from None
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise _bad(f"{path.name} cannot be read: {error}.", "Give CSV, CSV.gz or Parquet.") from None


def _from_frame(frame: pd.DataFrame, name: str) -> Iterator[tuple[int, Bar]]:
    lowered = [str(column).strip().lower() for column in frame.columns]
    if not any(time in lowered for time in _TIMES):
        frame = frame.reset_index(names="open_time")
    columns = _columns(list(frame.columns), name)
    times = _times(frame.iloc[:, columns[0]])
    values = [frame.iloc[:, column].tolist() for column in columns[1:]]
    for number, (time, *row) in enumerate(zip(times, *values, strict=True), 1):
        yield number, _bar([time, *row], range(len(columns)), f"{name}, row {number}")


def _times(column: pd.Series) -> list[Any]:
    """A column of moments as epoch ms; other columns as they are."""
    if getattr(column.dtype, "kind", "") == "M":
        import pandas as pd

        index = pd.DatetimeIndex(column)
        index = index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")
        times: list[Any] = index.as_unit("ms").asi8.tolist()
        return times
    return list(column.tolist())


def _columns(header: Sequence[Any], name: str) -> list[int]:
    """Where time, the five values and, if they are there, the trades stand."""
    lowered = [str(column).strip().lower() for column in header]
    time = next((column for column in _TIMES if column in lowered), None)
    missing = [value for value in _VALUES if value not in lowered]
    if time is None or missing:
        raise _bad(
            f"{name} has no column {missing[0] if time else 'open_time'}.",
            f"Give it a header with open_time, {', '.join(_VALUES)} and, where known, trades.",
        )
    wanted = [time, *_VALUES, *(["trades"] if "trades" in lowered else [])]
    return [lowered.index(column) for column in wanted]


def _bar(row: Sequence[Any], columns: Sequence[int], place: str) -> Bar:
    try:
        time = row[columns[0]]
        if isinstance(time, str) and _is_float(time):
            time = float(time)  # "1677628800.0"
        open_time = to_ms(time)
        open_, high, low, close, volume = (float(row[column]) for column in columns[1:6])
        trades = row[columns[6]] if len(columns) > 6 else ""
        count = -1 if trades in ("", None) or math.isnan(float(trades)) else int(float(trades))
    except IndexError:
        raise _bad(f"{place}: too few values.") from None
    except (ConfigError, TypeError, ValueError, OverflowError) as error:
        raise _bad(f"{place}: {str(error).splitlines()[0]}") from None
    return Bar(open_time, open_, high, low, close, volume, count)


def _is_float(text: str) -> bool:
    whole, point, fraction = text.strip().partition(".")
    return bool(point) and whole.isdigit() and fraction.isdigit()


def _bad(what: str, advice: str = "Correct the row, or leave it out: a missing bar is no error.") -> BadBarFile:
    return BadBarFile(what, "No bar was taken from it.", advice)
