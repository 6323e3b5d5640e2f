"""`btfeeds demo`: a strategy in a real Cerebro trades simulated bars through network faults, and a verdict ends it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from btfeeds.errors import ConfigError

if TYPE_CHECKING:
    from btfeeds.cli.verdict import Verdict
    from btfeeds.market import Bar
    from btfeeds.simulator import Simulator

SYMBOLS = {"BTC/USDT": 64_000.0, "ETH/USDT": 3_400.0, "SOL/USDT": 145.0}
START = 1_709_287_200_000  # 2024-03-01T10:00Z
HISTORY, LIVE, SPARE = 460, 40, 20  # minutes
SPEED = 90.0
FAULTS = (
    "duplicate@210s", "cut@380s", "unfinished@530s", "mute@11m:ETH/USDT", "malformed@1110s", "reorder@1470s",
    "close@1700s:1012", "rest_lag@30m:3s", "delay@2010s:20s", "cut@2170s:fin",
)  # fmt: skip
_GRACE = 4  # minutes behind the last bar wanted: what has not come by then is lost


@click.command(short_help="Trade simulated bars through network faults, and see the verdict.")
@click.option("--naive", is_flag=True, help="The same faults against a feed as they are usually written.")
@click.option("--seed", default=7, show_default=True, type=int, help="Chooses the market.")
@click.option("--json", "as_json", is_flag=True, help="Write nothing to stdout but the verdict, as a line of JSON.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write what was met as files into DIR.")
def command(naive: bool, seed: int, as_json: bool, out: Path | None) -> int:
    """Run a strategy in a real Cerebro on a simulated venue, 90 times faster than life.

    Three symbols, eight hours of history, forty live minutes; the network breaks, repeats itself, falls silent and
    lies. In the end every bar the strategy met is held against the venue's own. Exit code 1 if one is missing, twice
    or unfinished.
    """
    from btfeeds.simulator import serve, walk

    if out is not None:
        _make(out)
    length = HISTORY + LIVE + SPARE
    market = {symbol: walk.bars(symbol, price, START, length, seed) for symbol, price in SYMBOLS.items()}
    with serve("binance", market, history=HISTORY, speed=SPEED, faults=FAULTS, seed=seed) as simulator:
        run = _run(simulator, naive=naive, as_json=as_json)
        end = simulator.start + LIVE * 60_000
        verdicts = _verdicts(run, {symbol: simulator.closed_bars(symbol, "1m") for symbol in SYMBOLS}, end)
    return _conclude(run, verdicts, naive=naive, seed=seed, as_json=as_json, out=out)


def _run(simulator: Simulator, *, naive: bool, as_json: bool) -> Any:
    """Run the strategy; returns it."""
    import backtrader as bt

    from btfeeds import monitor
    from btfeeds.cli.show import show_for
    from btfeeds.cli.trader import Trader

    terminal = sys.stderr.isatty() if as_json else sys.stdout.isatty()
    show = show_for(simulator, as_json=as_json, terminal=terminal, naive=naive)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(100_000.0)
    cerebro.broker.setcommission(0.001)
    for symbol in SYMBOLS:
        cerebro.adddata(_feed(simulator, symbol, naive=naive))
    last = simulator.start + (LIVE - 1) * 60_000
    cerebro.addstrategy(Trader, teller=show, last=last)
    over = last + (1 + _GRACE) * 60_000
    timer = threading.Timer((over - simulator.clock.now()) / 1000 / SPEED, cerebro.runstop)
    timer.daemon = True
    monitor.remove(monitor.log)
    sink = monitor.add(show.remark)
    timer.start()
    try:
        with show:
            return cerebro.run()[0]
    finally:
        timer.cancel()
        monitor.remove(sink)
        monitor.add(monitor.log)


def _feed(simulator: Simulator, symbol: str, *, naive: bool) -> Any:
    from btfeeds import venues
    from btfeeds.feeds import live

    hosts = {"rest_url": simulator.rest_url, "stream_url": simulator.stream_url}
    if not naive:
        return live("binance", symbol, "1m", fromdate=START, clock=simulator.clock, **hosts)
    from btfeeds.cli.naive import NaiveFeed

    make: Any = NaiveFeed  # backtrader gives it its constructor
    feed = make(dataname=symbol, venue=venues.venue("binance", **hosts), clock=simulator.clock, start=START)
    feed._name = symbol
    return feed


def _verdicts(run: Any, truth: dict[str, list[Bar]], end: int) -> list[Verdict]:
    from btfeeds.cli.verdict import compare

    wide = max(map(len, SYMBOLS))
    return [
        compare(
            f"{symbol:<{wide}}",
            [row.bar for row in run.rows if row.symbol == symbol and row.bar.open_time < end],
            [bar for bar in truth[symbol] if bar.open_time < end],
        )
        for symbol in SYMBOLS
    ]


def _conclude(run: Any, verdicts: list[Verdict], *, naive: bool, seed: int, as_json: bool, out: Path | None) -> int:
    from btfeeds.cli.verdict import total

    whole = total(verdicts)
    wrong_words = [one for met in run.met for one in met.audit.wrong_words]
    good = whole.good and not (wrong_words and not naive)
    facts = {
        "ok": good, "naive": naive, "seed": seed, "venue": whole.venue, "delivered": whole.delivered,
        "missing": whole.missing, "duplicate": whole.duplicate, "unfinished": whole.unfinished,
        "reconnects": max(met.audit.reconnects for met in run.met),
        "backfilled": sum(met.audit.by_source.get("backfill", 0) for met in run.met),
        "trades": len(run.trades), "value": round(run.broker.getvalue(), 2),
        "symbols": {
            one.name.strip(): {"venue": one.venue, "delivered": one.delivered, "missing": one.missing,
                               "duplicate": one.duplicate, "unfinished": one.unfinished}
            for one in verdicts
        },
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(facts))
    else:
        for verdict in verdicts:
            click.echo(verdict.line())
        if naive:
            click.echo("This was the naive feed, as you asked; without --naive the same faults leave no trace.")
        click.echo(whole.line())
    if out is not None:
        try:
            _write(out, run, facts)
        except OSError as error:
            raise _unwritable(out, error, "The run is over; its files are not complete.") from None
    return 0 if good else 1


def _make(folder: Path) -> None:
    """The folder of --out, before anything is run for it."""
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # a folder may be there and take no files
    except OSError as error:
        raise _unwritable(folder, error, "Nothing was started.") from None


def _unwritable(folder: Path, error: OSError, did: str) -> ConfigError:
    advice = "Name a folder that you may write to, or that does not exist yet."
    return ConfigError(f"--out {folder} cannot be written: {error.strerror or error}.", did, advice)


def _write(folder: Path, run: Any, facts: dict[str, Any]) -> None:
    """What was met, as files."""
    import csv

    from btfeeds.market import iso

    tables = {
        "bars.csv": (
            ("met", "symbol", "open_time", "open", "high", "low", "close", "volume", "source"),
            [(iso(row.met), row.symbol, iso(row.bar.open_time), row.bar.open, row.bar.high, row.bar.low, row.bar.close,
              row.bar.volume, row.source) for row in run.rows],
        ),
        "statuses.csv": (("met", "symbol", "status", "reason"), [(iso(time), *rest) for time, *rest in run.words]),
        "trades.csv": (("time", "symbol", "side", "size", "price", "commission", "value"), run.trades),
    }  # fmt: skip
    for name, (header, rows) in tables.items():
        with open(folder / name, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
    (folder / "verdict.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

