"""Bars in and out of the warehouse: import and export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from btfeeds.cli import series
from btfeeds.errors import ConfigError

if TYPE_CHECKING:
    from btfeeds.formats import Rejected
    from btfeeds.market import Subscription
    from btfeeds.warehouse import Warehouse

_FORMAT = "csv, parquet, feather or backtrader, where the suffix does not tell."


@click.command("import", short_help="Bring a file of bars in.")
@series.one_series
@click.option("--from-file", "file", metavar="FILE", required=True, type=click.Path(path_type=Path),
              help="CSV, CSV.gz, Parquet or Feather, with a header.")  # fmt: skip
@click.option("--format", "kind", metavar="NAME", default="", help=_FORMAT)
@click.option("--complete", is_flag=True, help="The file has all bars from its first to its last: gaps are its own.")
@click.option("--strict", is_flag=True, help="Stop at a row that cannot be a bar, instead of setting it aside.")
@series.folder
@series.as_json
def bring_in(
    venue: str, symbol: str, timeframe: str, file: Path, kind: str, complete: bool, strict: bool, folder: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Bring the bars of FILE in as those of VENUE SYMBOL TIMEFRAME. VENUE may be any name.

    Rows that cannot be bars are set aside as dead letters; the exit code is 3 where there were any.
    """
    from btfeeds.warehouse import Warehouse

    wanted = series.named(venue, symbol, timeframe)
    with Warehouse(folder) as warehouse:
        counts = _bring(warehouse, wanted, file, kind, complete, strict)
    if as_json:
        click.echo(json.dumps(counts))
    else:
        words = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        click.echo(f"{wanted}: {words or 'no bars'}")
    return 3 if counts["rejected"] else 0


def _bring(
    warehouse: Warehouse, wanted: Subscription, file: Path, kind: str, complete: bool, strict: bool
) -> dict[str, int]:
    from btfeeds.formats import read
    from btfeeds.market import TimeRange

    counts = {"new": 0, "same": 0, "revised": 0, "rejected": 0}
    provider = f"import {file.name}"

    def reject(row: Rejected) -> None:
        counts["rejected"] += 1
        raw = f"line {row.line}: {row.reason}: {row.text}"
        warehouse.reject(wanted, "import", raw, provider=provider, open_time=row.open_time or None)

    first = last = None
    for chunk in read(file, kind=kind, timeframe=wanted.timeframe, rejected=None if strict else reject):
        bars = chunk.bars.bars()
        if not bars:
            continue
        added = warehouse.add(wanted, bars, provider=provider)
        for name in counts:
            counts[name] += getattr(added, name)
        times = [bar.open_time for bar in bars]
        first = min(times) if first is None else min(first, *times)
        last = max(times) if last is None else max(last, *times)
    if complete and first is not None and last is not None:
        span = TimeRange(first, wanted.timeframe.close(last))
        warehouse.add(wanted, [], provider=provider, span=span)
    return counts


@click.command(short_help="Write a series into a file.")
@series.one_series
@click.option("--to-file", "file", metavar="FILE", required=True, type=click.Path(path_type=Path),
              help="Its suffix tells the format: .csv .csv.gz .parquet .feather")  # fmt: skip
@click.option("--format", "kind", metavar="NAME", default="", help=_FORMAT)
@click.option("--from", "start", metavar="T", help="The first bar. Default: the first there is.")
@click.option("--to", "end", metavar="T", help="Where to end; a bar that opens then is not included.")
@series.folder
@series.as_json
def export(
    venue: str, symbol: str, timeframe: str, file: Path, kind: str, start: str | None, end: str | None, folder: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the bars of VENUE SYMBOL TIMEFRAME into FILE. An older file is replaced as a whole."""
    from btfeeds import inventory
    from btfeeds.formats import write
    from btfeeds.market import TimeRange, to_ms
    from btfeeds.warehouse import Warehouse

    wanted = series.named(venue, symbol, timeframe)
    with Warehouse(folder) as warehouse:
        span = series.there(warehouse, wanted)
        span = TimeRange(to_ms(start) if start else span.start, to_ms(end) if end else span.end)
        if not span:
            raise ConfigError("There is no time from --from to --to.", "Nothing was written.", "Correct one of them.")
        count = write(file, inventory.pieces(warehouse, wanted, span), wanted.timeframe, kind=kind)
    if as_json:
        click.echo(json.dumps({"file": str(file), "bars": count}))
    else:
        click.echo(f"{count:,} bars of {wanted} written to {file}")
