"""Bars from outside that somebody relies on as they are: a file, a DataFrame, a list. In order, each once, on the grid.

What a file looks like says `formats`: a header with `open_time` (or `datetime`, `timestamp`), `open`, `high`, `low`,
`close`, `volume` and, where known, `trades`. Times are ISO 8601 or epoch numbers whose unit their size tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from btfeeds import formats, grid
from btfeeds.columns import Columns, Flags, Times
from btfeeds.formats.header import bad
from btfeeds.formats.reading import FAULTS, place_of
from btfeeds.market import Bar, Timeframe, iso

if TYPE_CHECKING:
    import pandas as pd

    Source: TypeAlias = "str | Path | pd.DataFrame | Sequence[Bar]"

_WEEK = 7 * 86_400_000
_SHORTEST_MONTH = 28 * 86_400_000


@dataclass(frozen=True, slots=True)
class BarFile:
    """Bars in order, each opening on the grid of `timeframe`; some may be missing."""

    bars: tuple[Bar, ...]
    timeframe: Timeframe


def read(source: Source) -> BarFile:
    """The bars of a file, a DataFrame or a list. Raises BadBarFile, and MissingExtra for Parquet without pyarrow."""
    if isinstance(source, str | Path) or hasattr(source, "columns"):
        chunks = list(formats.read(source))
        bars = Columns.joined(chunk.bars for chunk in chunks)
        lines = np.concatenate([np.empty(0, dtype=np.int64), *(chunk.lines for chunk in chunks)])
        return _checked(bars, lines, *place_of(source))
    bars, lines = Columns.from_bars(source), np.arange(1, len(source) + 1)
    for fault, flags in bars.faults().items():
        _none(flags, bars.open_time, lines, "the list of bars, bar", FAULTS[fault])
    return _checked(bars, lines, "the list of bars", "bar")


def _checked(bars: Columns, lines: Times, name: str, unit: str) -> BarFile:
    if not len(bars):
        raise bad(f"{name} holds no bars.")
    times, place = bars.open_time, f"{name}, {unit}"
    steps = np.diff(times)
    _none(steps == 0, times[1:], lines[1:], place, "is there twice")
    _none(steps < 0, times[1:], lines[1:], place, "comes behind a later one")
    timeframe = _timeframe(int(steps.min()) if len(steps) else 0, name)
    _none(~grid.aligned(times, timeframe), times, lines, place, f"is off the grid: no bar of {timeframe} opens then")
    return BarFile(tuple(bars.bars()), timeframe)


def _none(flags: Flags, times: Times, lines: Times, place: str, why: str) -> None:
    """Raises BadBarFile about the first row that is flagged."""
    if flags.any():
        row = int(np.argmax(flags))
        raise bad(f"{place} {lines[row]}: the bar of {iso(int(times[row]))} {why}.")


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
        raise bad(f"{name}: two bars lie {step} ms apart, which is no timeframe.")
    return Timeframe(step // Timeframe(1, unit).ms, unit)
