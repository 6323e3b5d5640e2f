"""`python -m benchmarks [NAME …]`: one table; exit code 1 when a figure is missed."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict

import click
from rich import box
from rich.table import Table

from benchmarks import frames, history, idle, latency, memory, recovery, schedules, warehouse
from benchmarks.figures import Figure
from btfeeds.cli.output import console

BENCHMARKS: dict[str, Callable[[bool], list[Figure]]] = {
    "history": history.measure,
    "latency": latency.measure,
    "idle": idle.measure,
    "frames": frames.measure,
    "memory": memory.measure,
    "recovery": recovery.measure,
    "schedules": schedules.measure,
    "warehouse": warehouse.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
@click.option("--quick", is_flag=True, help="Only see whether everything runs: the figures mean nothing.")
def main(names: tuple[str, ...], as_json: bool, quick: bool) -> None:
    """Measure btfeeds against peers in the same run. Takes three to five minutes."""
    logging.disable(logging.WARNING)  # the benchmarks push bars with holes between them, and each is a line
    figures: list[Figure] = []
    try:
        for name in names or BENCHMARKS:
            click.echo(f"measuring {name} …", err=True)
            figures += _measured(BENCHMARKS[name], quick)
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        click.echo(json.dumps([asdict(figure) for figure in figures], ensure_ascii=False, indent=2))
    else:
        _table(figures)
    sys.exit(0 if quick or all(figure.met for figure in figures) else 1)


def _measured(measure: Callable[[bool], list[Figure]], quick: bool) -> list[Figure]:
    """A figure that is missed is measured once more: the machine may have been busy with something else."""
    figures = measure(quick)
    if not quick and not all(figure.met for figure in figures):
        click.echo("  missed; measuring once more …", err=True)
        figures = [first if first.met else second for first, second in zip(figures, measure(quick), strict=True)]
    return figures


def _table(figures: list[Figure]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what")
    for title in ("ours", "peer", "ratio"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("wanted", "verdict"):
        table.add_column(title, no_wrap=True)
    for figure in figures:
        table.add_row(
            figure.what,
            f"{_short(figure.ours)} {figure.unit}",
            "–" if figure.peer is None else _short(figure.peer),
            "–" if figure.ratio is None else f"{_short(figure.ratio)}×",
            figure.wanted,
            "[green]ok[/]" if figure.met else "[red]missed[/]",
        )
    console().print(table)


def _short(number: float) -> str:
    """Three figures, no exponent."""
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:.3g}"


if __name__ == "__main__":
    main()
