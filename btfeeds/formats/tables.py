"""Parquet, Feather and DataFrames, in pieces of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from btfeeds.errors import MissingExtra
from btfeeds.formats.header import Header, bad, has_time
from btfeeds.formats.kinds import Kind

if TYPE_CHECKING:
    import pandas as pd


@dataclass(slots=True)
class FramePiece:
    """Some rows of a DataFrame."""

    header: Header
    first: int
    held: pd.DataFrame  # its columns are named by their places

    def frame(self) -> pd.DataFrame | None:
        return self.held

    def rows(self) -> Iterator[tuple[int, Sequence[Any]]]:
        columns = [self.held[place].tolist() for place in self.held.columns]
        return enumerate(zip(*columns, strict=True), self.first)

    def text(self, line: int) -> str:
        return ",".join(map(str, self.held.iloc[line - self.first].tolist()))


def of_frame(frame: pd.DataFrame, rows: int) -> Iterator[FramePiece]:
    """The rows of a DataFrame, whose time may be a column or the index."""
    if not has_time(frame.columns):
        frame = frame.reset_index(names="open_time")
    header = Header.of(frame.columns, "the DataFrame")
    frame = frame.set_axis(range(len(frame.columns)), axis=1)
    for begin in range(0, len(frame), rows):
        yield FramePiece(header, begin + 1, frame.iloc[begin : begin + rows])


def of_file(path: Path, kind: Kind, rows: int) -> Iterator[FramePiece]:
    """The rows of a Parquet or Feather file. Raises BadBarFile, and MissingExtra without pyarrow."""
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtra("pyarrow", "parquet", "Reading Parquet and Feather") from None
    try:
        first = 1
        with _opened(path, kind, rows) as (names, batches):
            header = Header.of(names, path.name)
            for batch in batches:
                frame = batch.to_pandas(ignore_metadata=True).set_axis(range(len(names)), axis=1)
                yield FramePiece(header, first, frame)
                first += len(frame)
    except FileNotFoundError:
        raise bad(f"There is no file {path}.", "Check the path.") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise bad(f"{path.name} cannot be read: {reason}.", "Give CSV, CSV.gz, Parquet or Feather.") from None


@contextmanager
def _opened(path: Path, kind: Kind, rows: int) -> Iterator[tuple[list[str], Iterator[Any]]]:
    """The names of the columns, and the rows in record batches."""
    if kind is Kind.PARQUET:
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            yield file.schema_arrow.names, file.iter_batches(batch_size=rows)
    else:
        import pyarrow as pa

        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
            yield file.schema.names, map(file.get_batch, range(file.num_record_batches))
