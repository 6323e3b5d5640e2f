"""Bars out of a file or a DataFrame, in pieces, every row checked.

A piece is read with whole columns. Where that does not work out, it is read row by row, which finds the line, the
column and the reason. A bad row ends the reading with BadBarFile, or is handed to `rejected` and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from btfeeds import grid
from btfeeds.columns import NAMES, VALUES, Columns, Flags, Times
from btfeeds.formats import tables, text
from btfeeds.formats.header import MOST_TRADES, BadCell, Header, bad
from btfeeds.formats.kinds import Kind, kind_of
from btfeeds.formats.moments import moments
from btfeeds.market import Bar, Timeframe, iso

if TYPE_CHECKING:
    import pandas as pd

    Source: TypeAlias = "str | Path | pd.DataFrame"

ROWS = 100_000  # in a piece: some 30 MB, whatever the file's length
_TEXTS = (Kind.CSV, Kind.BACKTRADER)
FAULTS = {
    "not_finite": "has a value that is not a number",
    "price_not_positive": "has a price that is not positive",
    "volume_negative": "has a negative volume",
    "high_low": "has a high below, or a low above, its other prices",
}


class Piece(Protocol):
    """Some rows of a table, before anybody has looked at what they say."""

    header: Header
    first: int  # the number of the first row in the source

    def frame(self) -> pd.DataFrame | None:
        """The rows as a frame with the columns' places as names; None where they cannot be read together."""
        ...

    def rows(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """The rows one by one, each with its number in the source."""
        ...

    def text(self, line: int) -> str:
        """What stands in that row."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a source, in its order. `lines` are their numbers there: lines of a text, else rows from 1."""

    bars: Columns
    lines: Times


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is no bar. `column` is "" where the row as a whole is meant, `open_time` 0 where it is not known."""

    line: int
    column: str
    reason: str
    text: str
    open_time: int = 0


def read(
    source: Source,
    *,
    kind: str = "",
    timeframe: Timeframe | None = None,
    rejected: Callable[[Rejected], None] | None = None,
    rows: int = ROWS,
) -> Iterator[Chunk]:
    """The bars of a file (`kind`: a value of Kind, else the suffix tells) or a DataFrame, in the order they have there.

    With a `timeframe`, what is off its grid is bad. Raises BadBarFile; MissingExtra without pyarrow where it is
    needed; ConfigError when there is no such kind. A suffix nobody knows means CSV.
    """
    checks = _Checks(*place_of(source, kind), timeframe, rejected)
    for piece in _pieces(source, kind, rows):
        yield checks.chunk(piece)


def place_of(source: Source, kind: str = "") -> tuple[str, str]:
    """What a source is called, and what its rows are called: lines of a text, rows of a table."""
    if not isinstance(source, str | Path):
        return "the DataFrame", "row"
    path = Path(source)
    return path.name, "line" if kind_of(path, kind, default=Kind.CSV) in _TEXTS else "row"


def _pieces(source: Source, kind: str, rows: int) -> Iterator[Piece]:
    if not isinstance(source, str | Path):
        return tables.of_frame(source, rows)
    path = Path(source)
    known = kind_of(path, kind, default=Kind.CSV)
    return text.pieces(path, rows) if known in _TEXTS else tables.of_file(path, known, rows)


class _Checks:
    """How the rows of one source are looked at."""

    def __init__(
        self, place: str, unit: str, timeframe: Timeframe | None, rejected: Callable[[Rejected], None] | None
    ) -> None:
        self._place = place
        self._unit = unit
        self._timeframe = timeframe
        self._rejected = rejected or self._stop

    def chunk(self, piece: Piece) -> Chunk:
        chunk = _at_once(piece) or self._one_by_one(piece)
        if piece.header.closes:
            chunk = self._opened(chunk, piece)
        reasons = {FAULTS[fault]: flags for fault, flags in chunk.bars.faults().items()}
        if self._timeframe is not None:
            off = ~grid.aligned(chunk.bars.open_time, self._timeframe)
            reasons[f"is off the grid: no bar of {self._timeframe} opens then"] = off
        return self._without(chunk, reasons, piece)

    def _one_by_one(self, piece: Piece) -> Chunk:
        bars: list[Bar] = []
        lines: list[int] = []
        for line, row in piece.rows():
            try:
                bars.append(piece.header.bar(row))
                lines.append(line)
            except BadCell as cell:
                self._rejected(Rejected(line, cell.column, cell.reason, piece.text(line)))
        return Chunk(Columns.from_bars(bars), np.array(lines, dtype=np.int64))

    def _opened(self, chunk: Chunk, piece: Piece) -> Chunk:
        """The rows named by their opening time instead of their close."""
        if self._timeframe is None:
            raise bad(f"{self._place} says when bars close, and not how long they last.", "Name the timeframe.")
        closes = chunk.bars.open_time
        opens = grid.floor(closes - 1, self._timeframe)
        off = grid.close(opens, self._timeframe) != closes
        left = self._without(chunk, {f"is off the grid: no bar of {self._timeframe} closes then": off}, piece)
        columns = {name: getattr(left.bars, name) for name in NAMES}
        return Chunk(Columns.of({**columns, "open_time": opens[~off]}), left.lines)

    def _without(self, chunk: Chunk, reasons: dict[str, Flags], piece: Piece) -> Chunk:
        """The rows that no reason flags; the others are rejected for the first that does."""
        bad_rows: Flags = np.logical_or.reduce(list(reasons.values()))
        if not bad_rows.any():
            return chunk
        for row in np.flatnonzero(bad_rows).tolist():
            why = next(reason for reason, flags in reasons.items() if flags[row])
            time, line = int(chunk.bars.open_time[row]), int(chunk.lines[row])
            self._rejected(Rejected(line, "", f"the bar of {iso(time)} {why}", piece.text(line), time))
        return Chunk(chunk.bars.take(~bad_rows), chunk.lines[~bad_rows])

    def _stop(self, row: Rejected) -> None:
        raise bad(f"{self._place}, {self._unit} {row.line}: {row.reason}.", did="Reading stopped there.")


def _at_once(piece: Piece) -> Chunk | None:
    """The piece by columns; None where that does not work out."""
    frame = piece.frame()
    if frame is None:
        return None
    header = piece.header
    opened = moments(_joined([frame[place] for place in header.time]))
    if opened is None:
        return None
    columns: dict[str, Any] = {"open_time": opened}
    for place, name in zip(header.values, VALUES, strict=True):
        if frame[place].dtype.kind not in "fiu":
            return None
        columns[name] = frame[place].to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isnan(columns[name]).any():  # in text also an empty cell: only the row tells
            return None
    if header.trades >= 0:
        counts = frame[header.trades]
        if counts.dtype.kind not in "fiu":
            return None
        known = np.nan_to_num(counts.to_numpy(dtype=np.float64, na_value=np.nan), nan=-1.0, posinf=np.inf)
        if (np.abs(known) > MOST_TRADES).any():
            return None
        columns["trades"] = known.astype(np.int64)
    return Chunk(Columns.of(columns), piece.first + np.arange(len(frame), dtype=np.int64))


def _joined(columns: Sequence[pd.Series]) -> pd.Series:
    """The time; date and time of the day with a space between them."""
    if len(columns) == 1:
        return columns[0]
    return columns[0].astype(str) + " " + columns[1].astype(str)
