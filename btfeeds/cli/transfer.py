"""Bars in and out of the warehouse: import and export."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from btfeeds.cli import series
from btfeeds.errors import ConfigError

if TYPE_CHECKING:
    from btfeeds.formats import Rejected
    from btfeeds.market import Subscription, Timeframe
    from btfeeds.warehouse import Warehouse

_ENOUGH = 10  # rows that tell how far apart bars lie where nobody traded in most
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

    Rows that cannot be bars are set aside as dead letters; the exit code is 3 where there were any. A bar that is not
    over yet is left out. A file whose bars are of another timeframe is refused as a whole.
    """
    from btfeeds.warehouse import Warehouse

    wanted = series.named(venue, symbol, timeframe)
    with ExitStack() as stack:
        file = stack.enter_context(_rereadable(file))
        _check_timeframe(file, kind, wanted.timeframe)
        warehouse = stack.enter_context(Warehouse(folder))
        counts = _bring(warehouse, wanted, file, kind, complete, strict)
    if as_json:
        click.echo(json.dumps(counts))
    else:
        words = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        click.echo(f"{wanted}: {words or 'no bars'}")
    return 3 if counts["rejected"] else 0


@contextmanager
def _rereadable(file: Path) -> Iterator[Path]:
    """The file; of a pipe, which can be read once, a copy."""
    if not (file.is_fifo() or file.is_char_device()):
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="btfeeds-") as folder:
        copy = Path(folder) / file.name
        with open(file, "rb") as pipe, open(copy, "wb") as into:
            shutil.copyfileobj(pipe, into)
        yield copy


def _check_timeframe(file: Path, kind: str, frame: Timeframe) -> None:
    """Every fifth minute lies where a bar of five does. Raises ConfigError where a file's bars are no bars of `frame`.

    A row may be off the grid, and bars may be missing: what counts is how far most lie apart. Bars that lie further
    apart than asked may be of a market where hardly anybody trades; then they do not all lie a multiple apart.
    """
    import numpy as np

    from btfeeds.formats import read

    off: list[int] = []

    def reject(row: Rejected) -> None:
        if row.open_time and not frame.aligned(row.open_time):
            off.append(row.open_time)

    good = [chunk.bars.open_time for chunk in read(file, kind=kind, timeframe=frame, rejected=reject)]
    times = np.unique(np.concatenate([*good, np.array(off, dtype=np.int64)]))
    steps, counts = np.unique(np.diff(times), return_counts=True)
    if len(steps):
        step, common = int(steps[counts.argmax()]), int(np.gcd.reduce(steps))
        shortest = frame.ms if frame.unit != "M" else frame.count * 28 * 86_400_000
        if step < shortest or (common > frame.ms and len(times) >= _ENOUGH):
            lasts = _length(step)
            raise ConfigError(
                f"{file.name} does not hold bars of {frame}: they lie {lasts} apart.", "Nothing was imported.",
                f"Import them as what they are: {lasts}.",
            )  # fmt: skip
    if len(off) > sum(map(len, good)):
        raise ConfigError(
            f"{file.name} does not hold bars of {frame}: {len(off):,} rows open where none does.",
            "Nothing was imported.",
            "Check TIMEFRAME and the times: each says when a bar opens, in UTC where it names no zone.",
        )


def _length(ms: int) -> str:
    """How long a bar lasts, as it is written."""
    units = (("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))
    return next((f"{ms // size}{unit}" for unit, size in units if ms % size == 0), f"{ms} ms")


def _bring(
    warehouse: Warehouse, wanted: Subscription, file: Path, kind: str, complete: bool, strict: bool
) -> dict[str, int]:
    from btfeeds.clock import SystemClock
    from btfeeds.formats import read
    from btfeeds.history.derived import Derived
    from btfeeds.history.ranges import subtract, union
    from btfeeds.market import TimeRange
    from btfeeds.warehouse.intake import sift

    counts = {"new": 0, "same": 0, "revised": 0, "unfinished": 0, "rejected": 0}
    provider, frame, now = f"import {file.name}", wanted.timeframe, SystemClock().now()
    unknown: list[TimeRange] = []  # of these bars the file says nothing that can be used
    nameless = 0  # rows of which not even the time can be read

    def bar_at(time: int) -> TimeRange:
        return TimeRange(frame.floor(time), frame.close(frame.floor(time)))

    def reject(row: Rejected) -> None:
        nonlocal nameless
        counts["rejected"] += 1
        raw = f"line {row.line}: {row.reason}: {row.text}"
        warehouse.reject(wanted, "import", raw, provider=provider, open_time=row.open_time or None)
        if row.open_time:
            unknown.append(bar_at(row.open_time))
        else:
            nameless += 1

    changed: list[TimeRange] = []
    answered: list[TimeRange] = []
    for chunk in read(file, kind=kind, timeframe=frame, rejected=None if strict else reject):
        bars = [bar for bar in chunk.bars.bars() if frame.close(bar.open_time) <= now]
        counts["unfinished"] += len(chunk.bars) - len(bars)  # files end with the bar that was forming, mostly
        if not bars:
            continue
        added = warehouse.add(wanted, bars, provider=provider)
        for name in ("new", "same", "revised", "rejected"):
            counts[name] += getattr(added, name)
        if added.rejected:
            unknown += [bar_at(bar.open_time) for bar, _ in sift(bars, frame, now)[1]]
        if added.new or added.revised:
            changed += union(bar_at(bar.open_time) for bar in bars)
        times = [bar.open_time for bar in bars]
        answered.append(TimeRange(min(times), frame.close(max(times))))
    if complete and nameless:
        click.echo(f"{nameless:,} rows have no time that can be read: any gap may be theirs, so --complete does not "
                   "count. Correct them, or leave them out.", err=True)  # fmt: skip
    elif complete and answered:
        whole = TimeRange(min(one.start for one in answered), max(one.end for one in answered))
        for span in subtract([whole], unknown):
            warehouse.add(wanted, [], provider=provider, span=span)
    Derived(warehouse).follow(wanted, changed)
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

    wanted = series.named(venue, symbol, timeframe)
    with series.existing(folder) as warehouse:
        span = series.there(warehouse, wanted)
        span = TimeRange(to_ms(start) if start else span.start, to_ms(end) if end else span.end)
        if not span:
            raise ConfigError("There is no time from --from to --to.", "Nothing was written.", "Correct one of them.")
        count = write(file, inventory.pieces(warehouse, wanted, span), wanted.timeframe, kind=kind)
    if as_json:
        click.echo(json.dumps({"file": str(file), "bars": count}))
    else:
        click.echo(f"{count:,} bars of {wanted} written to {file}")
