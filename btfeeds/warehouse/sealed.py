"""Sealed files: rows to the bytes of a Parquet file and back, and the checksum that tells whole from damaged.

LZ4 without dictionaries, plain floats and packed times: 23 bytes a bar. Three more than zstd makes of it, and twice as
quick to read: a year of minutes is 12 MB, and what it takes is unpacking them. The file says itself what it holds: its
metadata has the subscription and every provenance the column `origin` points to. Its column names are those `btfeeds`
reads bars from.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from btfeeds.columns import NAMES, VALUES, Columns
from btfeeds.errors import MissingExtra
from btfeeds.market import Subscription, TimeRange
from btfeeds.warehouse.items import Provenance
from btfeeds.warehouse.rows import Rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_GROUP = 65_536  # rows that are read together: of a month of seconds, a day does not need the rest
_PACKED = ("open_time", "trades", "origin")
_LEVEL = 4  # of LZ4's packing that takes its time; unpacking is as quick as with every other
_FORMAT = 1


def checksum(content: Any) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def encode(rows: Rows, subscription: Subscription, origins: dict[int, Provenance]) -> bytes:
    """A file of ascending `rows`. Raises MissingExtra without pyarrow."""
    pyarrow, parquet = _pyarrow()
    table = rows.arrow().replace_schema_metadata({"btfeeds": _about(subscription, origins)})
    into = pyarrow.BufferOutputStream()
    parquet.write_table(
        table, into, row_group_size=_GROUP, compression="lz4", compression_level=_LEVEL, use_dictionary=False,
        column_encoding=dict.fromkeys(_PACKED, "DELTA_BINARY_PACKED"),
    )  # fmt: skip
    content: bytes = into.getvalue().to_pybytes()
    return content


def decode(content: bytes, span: TimeRange) -> pa.Table:
    """The rows of a file that open in `span`, in the columns of Rows.arrow. `content` must be whole."""
    pyarrow, parquet = _pyarrow()
    file = parquet.ParquetFile(pyarrow.BufferReader(content))
    extents = [_extent(file.metadata.row_group(number)) for number in range(file.num_row_groups)]
    groups = [number for number, one in enumerate(extents) if one.start < span.end and one.end > span.start]
    table = file.read_row_groups(groups).combine_chunks().replace_schema_metadata(None)
    if all(span.start <= extents[number].start and extents[number].end <= span.end for number in groups):
        return table
    times = _times(table)
    first, behind = np.searchsorted(times, (span.start, span.end))
    return table.slice(first, behind - first)


def rows(tables: Sequence[pa.Table]) -> list[Rows]:
    """Tables as rows; nothing is copied but the times."""
    return [
        Rows(Columns(_times(table), *(table.column(name).to_numpy() for name in NAMES[1:])),
             table.column("origin").to_numpy())
        for table in tables
    ]  # fmt: skip


def frame(table: pa.Table) -> pd.DataFrame:
    """A table in the form of Columns.frame, without the detour: a year of minutes is half a million rows."""
    import pandas as pd

    # one block of numbers, which pandas would make itself with a copy more
    block = np.empty((len(VALUES), len(table)))
    for row, name in zip(block, VALUES, strict=True):
        _laid_out(table, name, row)
    times = np.empty(len(table), dtype=np.int64)
    _laid_out(table, "open_time", times)
    times *= 1000  # µs as ns
    index = pd.DatetimeIndex(times.view("datetime64[ns]"), name="datetime", copy=False).tz_localize("UTC")
    made = pd.DataFrame(block.T, index=index, columns=list(VALUES), copy=False)
    trades = table.column("trades").to_numpy()
    if len(trades) and trades.min() >= 0:
        made["trades"] = trades
    return made


def about(content: bytes) -> dict[str, Any]:
    """What a file says of itself: format, venue, symbol, timeframe, origins."""
    pyarrow, parquet = _pyarrow()
    metadata = parquet.read_metadata(pyarrow.BufferReader(content)).metadata
    return msgspec.json.decode(metadata[b"btfeeds"], type=dict[str, Any])


def _about(subscription: Subscription, origins: dict[int, Provenance]) -> bytes:
    sources = {str(number): dataclasses.asdict(one) for number, one in sorted(origins.items())}
    return msgspec.json.encode(
        {"format": _FORMAT, "venue": subscription.venue, "symbol": str(subscription.symbol),
         "timeframe": str(subscription.timeframe), "times": "UTC, when a bar opens", "origins": sources}
    )  # fmt: skip


def _extent(group: Any) -> TimeRange:
    """From the first bar of a row group to behind the last one's opening; everything where the file does not say."""
    statistics = group.column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return TimeRange(-(2**62), 2**62)
    first, last = (int(np.datetime64(moment, "ms").astype(np.int64)) for moment in (statistics.min, statistics.max))
    return TimeRange(first, last + 1)


def _laid_out(table: pa.Table, name: str, into: npt.NDArray[Any]) -> None:
    """Copy a column of a table of several pieces behind each other."""
    at = 0
    for piece in table.column(name).chunks:
        numbers = piece.to_numpy()
        into[at : at + len(numbers)] = numbers.view(into.dtype)
        at += len(numbers)


def _times(table: pa.Table) -> npt.NDArray[np.int64]:
    """Opening times in epoch ms of a table of one piece."""
    times: npt.NDArray[np.int64] = table.column("open_time").to_numpy().view(np.int64) // 1000
    return times


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("pyarrow", "parquet", "Reading and writing files of bars") from None
    return pyarrow, pyarrow.parquet
