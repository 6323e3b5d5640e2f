"""Bars into a file, in pieces, so that a long series needs little memory. Floats and times come back exactly.

    csv         open_time (ISO 8601), open, high, low, close, volume, trades (empty where not known)
    parquet     the same columns; the time is a timestamp in UTC, trades that are not known are null
    feather     freqtrade's: date, open, high, low, close, volume, compressed with lz4
    backtrader  close_time, open, high, low, close, volume, openinterest: what GenericCSVData reads as it stands. The
                time is that of the close, as in a live feed, because backtrader's resampling needs it there.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

from btfeeds import grid
from btfeeds.columns import VALUES, Columns, Times
from btfeeds.errors import MissingExtra
from btfeeds.formats.atomic import replaced
from btfeeds.formats.kinds import Kind, kind_of
from btfeeds.market import Timeframe

if TYPE_CHECKING:
    import pyarrow as pa

    Put: TypeAlias = Callable[[Columns], None]

_HEADERS = {
    Kind.CSV: f"open_time,{','.join(VALUES)},trades\n",
    Kind.BACKTRADER: f"close_time,{','.join(VALUES)},openinterest\n",
}


def write(path: str | Path, parts: Iterable[Columns], timeframe: Timeframe, *, kind: str = "") -> int:
    """Write all parts, one behind the other, in the `kind` that is named (a value of Kind) or that the suffix tells.

    Gives the number of bars. Raises ConfigError about the kind, MissingExtra without pyarrow where it is needed, and
    WarehouseUnwritable; an older file is replaced in the end, or stays as it was.
    """
    place = Path(path)
    known = kind_of(place, kind)
    count = 0
    with replaced(place) as file, _writer(file, known, timeframe, packed=place.suffix.lower() == ".gz") as put:
        for part in parts:
            put(part)
            count += len(part)
    return count


@contextmanager
def _writer(file: BinaryIO, kind: Kind, timeframe: Timeframe, *, packed: bool) -> Iterator[Put]:
    if kind in (Kind.PARQUET, Kind.FEATHER):
        with _arrow(file, kind) as put:
            yield put
        return
    rows = _plain if kind is Kind.CSV else _backtrader
    out: Any = gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) if packed else file
    out.write(_HEADERS[kind].encode())
    yield lambda part: out.write("".join(rows(part, timeframe)).encode())
    if packed:
        out.close()


def _plain(part: Columns, timeframe: Timeframe) -> Iterator[str]:
    counts = (count if count >= 0 else "" for count in part.trades.tolist())
    for time, row, count in zip(_iso(part.open_time), _rows(part), counts, strict=True):
        yield f"{time}Z,{row},{count}\n"


def _backtrader(part: Columns, timeframe: Timeframe) -> Iterator[str]:
    for time, row in zip(_iso(grid.close(part.open_time, timeframe)), _rows(part), strict=True):
        yield f"{time.replace('T', ' ')},{row},0\n"


def _iso(times: Times) -> list[str]:
    moments: list[str] = np.datetime_as_string(times.astype("datetime64[ms]"), unit="s").tolist()
    return moments


def _rows(part: Columns) -> Iterator[str]:
    """The five values of each row in the shortest text that reads as the same float."""
    texts = (map(repr, getattr(part, name).tolist()) for name in VALUES)
    return map(",".join, zip(*texts, strict=True))


@contextmanager
def _arrow(file: BinaryIO, kind: Kind) -> Iterator[Put]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("pyarrow", "parquet", "Writing Parquet and Feather") from None
    values = [(name, pa.float64()) for name in VALUES]
    if kind is Kind.PARQUET:
        schema = pa.schema([("open_time", pa.timestamp("ms", "UTC")), *values, ("trades", pa.int64())])
        # plain floats: a dictionary of prices costs more than it saves
        with pq.ParquetWriter(file, schema, compression="zstd", compression_level=3, use_dictionary=False) as writer:
            yield lambda part: writer.write_table(_table(part, schema))
    else:
        schema = pa.schema([("date", pa.timestamp("ns", "UTC")), *values])
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_file(file, schema, options=options) as writer:
            yield lambda part: writer.write_table(_table(part, schema))


def _table(part: Columns, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    time = schema.field(0).type
    moments = part.open_time.astype("datetime64[ms]").astype(f"datetime64[{time.unit}]")
    columns = [pa.array(moments).cast(time), *(pa.array(getattr(part, name)) for name in VALUES)]
    if len(schema) > len(columns):
        columns.append(pa.array(part.trades, mask=part.trades < 0))
    return pa.table(columns, schema=schema)
