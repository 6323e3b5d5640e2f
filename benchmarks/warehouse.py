"""The warehouse with ten million bars in it, against pyarrow, gzip CSV with pandas, and a bare write with fsync.

`python -m benchmarks.warehouse FOLDER SYMBOL` prints the peak of memory, in MB, of a process that reads one month.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from benchmarks.figures import Figure
from btfeeds.columns import Columns
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.warehouse import Warehouse, books, layout, sealing
from btfeeds.warehouse.rows import Rows

MINUTE, DAY = 60_000, 86_400_000
_WARM = 20  # appends that are not counted: the first makes the series
START = to_ms("2014-01-01")
M1 = Timeframe.parse("1m")
LONG, OTHER, SHORT, LIVE = (Subscription("binance", Symbol(name), M1) for name in ("A/X", "B/X", "C/X", "D/X"))


def measure(quick: bool) -> list[Figure]:
    years, rounds, appends, listed = (1, 2, 30, 20) if quick else (10, 15, 1_000, 1_000)
    end = to_ms(f"{2014 + years}-01-01")
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        with Warehouse(root / "w") as warehouse:
            rows = fill(warehouse, LONG, TimeRange(START, end), 1)
            fill(warehouse, OTHER, TimeRange(START, end), 2)
            fill(warehouse, SHORT, TimeRange(to_ms("2014-06-01"), to_ms("2014-07-01")), 1)
            total = sum(one.rows for one in warehouse.series())
            figures = [
                *_year(warehouse, root, rows, rounds),
                _month(warehouse, root, rows, rounds),
                _day(warehouse, rounds),
                *_appends(warehouse, root, appends),
                _listing(warehouse, listed),
            ]
        figures.append(_memory(root / "w"))
    return [Figure(f"{one.what}, {total / 1e6:.1f}M bars there", one.unit, one.ours, one.wanted, one.met, one.peer,
                   one.ratio) for one in figures]  # fmt: skip


def fill(warehouse: Warehouse, subscription: Subscription, span: TimeRange, seed: int) -> Rows:
    """Sealed months of a random walk; returns all rows."""
    rng = np.random.default_rng(seed)
    times = np.arange(span.start, span.end, MINUTE)
    close = np.round(np.abs(20_000 + rng.normal(0, 5, len(times)).cumsum()) + 100, 2)
    values = (np.roll(close, 1), close + 3.25, close - 2.5, close, np.round(rng.gamma(1, 10, len(times)), 5))
    shelf = warehouse._shelf
    with shelf.catalogue.writing() as db:
        number = books.make_series(db, subscription)
        origin = books.origin_id(db, "binance", False, span.end)
    high = np.maximum(values[1], values[0])
    low = np.minimum(values[2], values[0])
    bars = Columns(times, values[0], high, low, close, values[4], rng.integers(1, 2_000, len(times)))
    rows = Rows(bars, np.full(len(times), origin))
    for one in layout.periods(subscription.timeframe, span):
        first, behind = np.searchsorted(times, (one.span.start, one.span.end))
        file = sealing._write(shelf, subscription, rows.take(slice(first, behind)))
        with shelf.catalogue.writing() as db:
            books.put_file(db, number, file)
    with shelf.catalogue.writing() as db:
        books.cover(db, number, [span])
        books.count_again(db, number)
    return rows


def _year(warehouse: Warehouse, root: Path, rows: Rows, rounds: int) -> list[Figure]:
    span = TimeRange(START, to_ms("2015-01-01"))
    paths = [root / "w" / file.path for _, file in warehouse.files(LONG) if file.first in span]
    packed = _gzip(root / "year.csv.gz", rows.arrow().slice(0, (span.end - span.start) // MINUTE))

    def ours() -> pd.DataFrame:
        return warehouse.read("binance", "A/X", "1m", span.start, span.end)

    def bare() -> pd.DataFrame:
        return pa.concat_tables([parquet.read_table(path) for path in paths]).to_pandas()

    def text() -> pd.DataFrame:
        return pd.read_csv(packed, parse_dates=["open_time"], index_col=0)

    mine, arrow, packed_text = _alternate([ours, bare, text], rounds)
    same = bool((ours()["close"].to_numpy() == bare()["close"].to_numpy()).all())
    rows_same = "the same rows" if same else "OTHER ROWS"
    return [
        _figure(f"a year of 1m in a DataFrame, pyarrow as peer, {rows_same}", mine, arrow, 1 / 1.5, "≤ 1.5× the peer's",
                same),
        _figure("a year of 1m in a DataFrame, gzip CSV with pandas as peer", mine, packed_text, 5, "≥ 5×"),
    ]  # fmt: skip


def _month(warehouse: Warehouse, root: Path, rows: Rows, rounds: int) -> Figure:
    packed = _gzip(root / "all.csv.gz", rows.arrow())
    span = TimeRange(to_ms("2014-06-01"), to_ms("2014-07-01"))

    def text() -> pd.DataFrame:
        frame = pd.read_csv(packed, parse_dates=["open_time"], index_col=0)
        return frame.loc["2014-06"]

    (mine,) = _alternate([lambda: warehouse.read("binance", "A/X", "1m", span.start, span.end)], rounds)
    (peer,) = _alternate([text], 1)
    years = len(rows) * MINUTE / DAY / 365
    return _figure(f"one month of {years:.0f} years, gzip CSV with pandas as peer", mine, peer, 100, "≥ 100×")


def _day(warehouse: Warehouse, rounds: int) -> Figure:
    start = to_ms("2014-06-10")
    long, short = _alternate(
        [lambda name=name: warehouse.read("binance", name, "1m", start, start + DAY) for name in ("A/X", "C/X")],  # type: ignore[misc]
        rounds * 10,
    )
    ratio = short / long
    met = 0.75 <= ratio <= 1.25
    return Figure("one day of a long series, of a month as peer", "ms", long * 1e3, "the same, ±25 %", met, short * 1e3,
                  ratio)  # fmt: skip


def _appends(warehouse: Warehouse, root: Path, count: int) -> list[Figure]:
    ours, bare = [], []
    descriptor = os.open(root / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(_WARM + count):
        bar = Bar(START + number * MINUTE, 100.0, 102.0, 98.0, 101.0, 1.5, number)
        begun = time.perf_counter()
        warehouse.add(LIVE, [bar], provider="binance")
        ours.append(time.perf_counter() - begun)
        line = f"{bar}\n".encode()
        begun = time.perf_counter()
        os.write(descriptor, line)
        os.fsync(descriptor)
        bare.append(time.perf_counter() - begun)
    os.close(descriptor)
    cuts = [quantiles(times[_WARM:], n=100) for times in (ours, bare)]
    return [
        _figure(f"one durable bar, {name}, write and fsync as peer", cuts[0][at], cuts[1][at], 1 / 3, "≤ 3× the peer's")
        for name, at in (("median", 49), ("99th of a hundred", 98))
    ]


def _listing(warehouse: Warehouse, count: int) -> Figure:
    """Files of bars opened by a listing of so many series, each with a file."""
    shelf = warehouse._shelf
    (_, file), *_ = warehouse.files(SHORT)
    content = shelf.place.read(file.path)
    for number in range(count):
        subscription = Subscription("kraken", Symbol(f"S{number}/X"), M1)
        copy = f"{layout.folder(subscription)}/{file.path.rpartition('/')[2]}"
        path = shelf.place.local(copy)
        assert path is not None
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        with shelf.catalogue.writing() as db:
            made = books.make_series(db, subscription)
            books.put_file(db, made, type(file)(copy, file.span, file.rows, file.first, file.last, file.checksum,
                                                file.bytes, file.sealed))  # fmt: skip
            books.count_again(db, made)
    opened: list[Any] = []
    watching = [True]
    sys.addaudithook(lambda event, about: opened.append(about[0]) if watching[0] and event == "open" else None)
    begun = time.perf_counter()
    listed = len(warehouse.series())
    spent = time.perf_counter() - begun
    watching[0] = False
    wrong = sum(".parquet" in str(path) for path in opened)
    return Figure(f"files opened by a listing of {listed:,} series, in {spent * 1e3:.0f} ms", "files", wrong, "0",
                  wrong == 0 and listed >= count)  # fmt: skip


def _memory(root: Path) -> Figure:
    long, short = (_apart(root, name) for name in ("A/X", "C/X"))
    return Figure("peak of memory for one month of a long series, of a month as peer", "MB", long, "the same, ±5 %",
                  abs(long - short) <= short / 20, short, short / long)  # fmt: skip


def _apart(root: Path, symbol: str) -> float:
    command = [sys.executable, "-m", "benchmarks.warehouse", str(root), symbol]
    run = subprocess.run(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, check=True)
    return float(run.stdout)


def _peak(root: Path, symbol: str) -> float:
    import resource

    with Warehouse(root, readonly=True) as warehouse:
        frame = warehouse.read("binance", symbol, "1m", "2014-06-01", "2014-07-01")
    if len(frame) != 30 * 1_440:
        raise RuntimeError(f"{len(frame)} bars came")
    try:  # getrusage also counts what the parent had when it started this process
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return float(status.partition("VmHWM:")[2].split()[0]) / 1e3
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _gzip(path: Path, table: pa.Table) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as out:  # quicker to write, no quicker to read
        csv.write_csv(table.drop_columns(["origin"]), out)
    return path


def _alternate(acts: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Median seconds of each, in turns: what slows the machine slows all of them."""
    spent: list[list[float]] = [[] for _ in acts]
    for number in range(rounds + 1):
        for act, times in zip(acts, spent, strict=True):
            begun = time.perf_counter()
            act()
            if number:  # the first warms up
                times.append(time.perf_counter() - begun)
    return [median(times) for times in spent]


def _figure(what: str, ours: float, peer: float, least: float, wanted: str, right: bool = True) -> Figure:
    return Figure(what, "ms", ours * 1e3, wanted, right and peer / ours >= least, peer * 1e3, peer / ours)


if __name__ == "__main__":
    print(_peak(Path(sys.argv[1]), sys.argv[2]))
