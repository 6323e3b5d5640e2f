"""Sealed files: rows to the bytes of a Parquet file and back, and the checksum that tells whole from damaged.

zstd without dictionaries, plain floats and packed times: 20 bytes a bar, and a month is read in milliseconds. The file
says itself what it holds: its metadata has the subscription and every provenance the column `origin` points to. Its
column names are those `btfeeds` reads bars from.
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
        table, into, row_group_size=_GROUP, compression="zstd", compression_level=3, use_dictionary=False,
        column_encoding=dict.fromkeys(_PACKED, "DELTA_BINARY_PACKED"),
    )  # fmt: skip
    content: bytes = into.getvalue().to_pybytes()
    return content


def decode(content: bytes, span: TimeRange) -> pa.Table:
    """The rows of a file that open in `span`, in the columns of Rows.arrow. `content` must be whole."""
    pyarrow, parquet = _pyarrow()
    file = parquet.ParquetFile(pyarrow.BufferReader(content))
    groups = [number for number in range(file.num_row_groups) if _touches(file.metadata.row_group(number), span)]
    table = file.read_row_groups(groups).combine_chunks().replace_schema_metadata(None)
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
    pyarrow, _ = _pyarrow()
    import pandas as pd

    times = table.column("open_time").cast(pyarrow.timestamp("ns")).to_numpy()
    made = table.select(VALUES).to_pandas()
    made.index = pd.DatetimeIndex(times, name="datetime").tz_localize("UTC")
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


def _touches(group: Any, span: TimeRange) -> bool:
    """Whether a row group has bars that may open in `span`."""
    statistics = group.column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    first, last = (np.datetime64(moment, "ms").astype(np.int64) for moment in (statistics.min, statistics.max))
    return bool(first < span.end and last >= span.start)


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
