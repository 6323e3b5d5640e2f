"""SQL over bars: DuckDB in memory, over the files of the series that are asked for and what is in no file yet.

Nothing is kept in a DuckDB file, so no reader and no writer ever waits for a query.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from btfeeds.columns import NAMES
from btfeeds.errors import MissingExtra, WarehouseError
from btfeeds.market import Subscription
from btfeeds.warehouse import books, layout, sealed
from btfeeds.warehouse.rows import NOTHING, Rows
from btfeeds.warehouse.shelf import Shelf

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ", ".join(NAMES)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the bars of one series are: files of this machine, tables from elsewhere, and what is in no file."""

    paths: tuple[str, ...]
    tables: tuple[pa.Table, ...]
    rows: Rows


class Replaced(Exception):
    """A file was replaced before it was read: look again."""


def sources(shelf: Shelf, subscription: Subscription) -> Sources:
    """What to query for a series, its files compared with their checksums. Raises WarehouseDamaged, DamagedRows."""
    while True:
        with shelf.catalogue.reading() as db:
            number = books.series_id(db, subscription)
            files = [] if number is None else books.files(db, number)
            rows = NOTHING if number is None else books.rows(db, number, layout.EVER)
        paths, tables, replaced = [], [], False
        for file in files:
            content, path = shelf.content(subscription, file), shelf.place.local(file.path)
            if content is None:
                replaced = True
            elif path is not None:
                paths.append(str(path))
            else:
                tables.append(sealed.decode(content, layout.EVER))
        if not replaced:
            return Sources(tuple(paths), tuple(tables), rows)


def run(query: str, parts: Mapping[Subscription, Sources], params: Sequence[object] = ()) -> pa.Table:
    """The answer to `query` over the table `bars`: venue, symbol, timeframe, open_time (UTC), the values and trades.

    Raises MissingExtra, Replaced, and WarehouseError for a query that DuckDB refuses.
    """
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("duckdb", "sql", "SQL over the warehouse") from None
    with duckdb.connect(":memory:") as db:
        selects = []
        for number, (subscription, part) in enumerate(parts.items()):
            db.register(f"fresh_{number}", part.rows.arrow())
            names = [f"read_parquet([{', '.join(map(_text, part.paths))}])"] if part.paths else []
            for place, table in enumerate(part.tables):
                db.register(f"table_{number}_{place}", table)
                names.append(f"table_{number}_{place}")
            selects += _selects(subscription, f"fresh_{number}", names)
        try:
            db.execute(f"CREATE VIEW bars AS {' UNION ALL '.join(selects)}")
            return db.sql(query, params=list(params)).to_arrow_table()
        except duckdb.Error as error:
            if not all(os.path.exists(path) for part in parts.values() for path in part.paths):
                raise Replaced from None
            raise WarehouseError(
                f"The query cannot be answered: {str(error).strip()}",
                "Nothing was changed.",
                f"The table is called bars; its columns are venue, symbol, timeframe, {_COLUMNS}.",
            ) from None


def _selects(subscription: Subscription, fresh: str, sources: Sequence[str]) -> list[str]:
    """What is in no file, and of the files what is not newer there."""
    labels = ", ".join(
        f"{_text(value)} AS {name}"
        for name, value in (("venue", subscription.venue), ("symbol", str(subscription.symbol)),
                            ("timeframe", str(subscription.timeframe)))
    )  # fmt: skip
    sealed = (
        f"SELECT {labels}, {_COLUMNS} FROM {source} s ANTI JOIN {fresh} f USING (open_time)" for source in sources
    )
    return [f"SELECT {labels}, {_COLUMNS} FROM {fresh}", *sealed]


def _text(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
