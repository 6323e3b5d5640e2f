"""`btfeeds warehouse …`: what is on disk, and how it is looked after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from btfeeds.cli import care, series, transfer

if TYPE_CHECKING:
    from btfeeds.warehouse import Series, Warehouse

_LONGEST = 10  # gaps that are shown


@click.group(short_help="Show and look after the bars on disk.")
def command() -> None:
    """Show the bars on disk, look after them, bring them in and out."""


for one in (care.check, care.repair, care.backup, care.restore, care.evict, transfer.bring_in, transfer.export):
    command.add_command(one)


@command.command("ls", short_help="List the series there are.")
@series.some_series
@series.folder
@series.as_json
def listing(venue: str, symbol: str, timeframe: str, folder: str, as_json: bool) -> None:
    """List the series there are: all, or those of VENUE, SYMBOL, TIMEFRAME. No file of bars is opened."""
    with series.existing(folder) as warehouse:
        rows = series.chosen(warehouse, venue, symbol, timeframe)
    if as_json:
        click.echo(json.dumps([_row(one) for one in rows], indent=2))
    else:
        _table(rows)


@command.command("show", short_help="Show one series: where its bars come from, and its gaps.")
@series.one_series
@click.option("--calendar", metavar="NAME", default="", help="Its market's: 24/7, us, fx, or a code as XNYS.")
@series.folder
@series.as_json
def show(venue: str, symbol: str, timeframe: str, calendar: str, folder: str, as_json: bool) -> None:
    """Show one series: where its bars come from, what is covered, and its gaps, the longest first."""
    wanted = series.named(venue, symbol, timeframe)
    with series.existing(folder) as warehouse:
        facts = _facts(warehouse, wanted, calendar)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _tell(facts)


@command.command("stats", short_help="Show totals, and how the providers have answered.")
@series.folder
@series.as_json
def stats(folder: str, as_json: bool) -> None:
    """Show how much there is of which venue, what was rejected or set aside, and how the providers have answered."""
    from btfeeds.clock import SystemClock
    from btfeeds.history.reliability import Reliability

    venues: dict[str, dict[str, int]] = {}
    with series.existing(folder) as warehouse:
        for one in warehouse.series():
            total = venues.setdefault(one.subscription.venue, {"series": 0, "bars": 0, "bytes": 0})
            for name, more in (("series", 1), ("bars", one.rows), ("bytes", one.bytes)):
                total[name] += more
        letters = len(warehouse.dead_letters(limit=10_000))
        root, quarantined = warehouse.root, len(warehouse.quarantined())
    standings = Reliability(SystemClock()).standings()
    facts = {
        "root": str(root),
        "venues": venues,
        "catalogue_bytes": sum(path.stat().st_size for path in root.glob("catalogue.sqlite*")),
        "dead_letters": letters,
        "quarantined": quarantined,
        "providers": {
            name: {"asked": known.asked, "failed": known.failed, "success": round(known.success, 3),
                   "ms": round(known.ms)}
            for name, known in sorted(standings.items())
        },
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(f"{root}, catalogue {series.words(facts['catalogue_bytes'])}")  # type: ignore[arg-type]
    for name, total in sorted(venues.items()):
        click.echo(f"{name}: {total['series']} series, {total['bars']:,} bars, {series.words(total['bytes'])} in files")
    click.echo(f"{letters} rows rejected, {facts['quarantined']} files in quarantine")
    for name, known in sorted(standings.items()):
        click.echo(f"{name} was asked {known.asked}×, failed {known.failed}×, takes {known.ms:.0f} ms")


# --- facts -----------------------------------------------------------------------------------------------------------


def _row(one: Series) -> dict[str, Any]:
    subscription = one.subscription
    return {
        "venue": subscription.venue, "symbol": subscription.symbol, "timeframe": str(subscription.timeframe),
        "first": one.first, "last": one.last, "bars": one.rows, "bytes": one.bytes, "files": one.files,
        "validated": one.validated or None, "score": one.score if one.score >= 0 else None,
    }  # fmt: skip


def _facts(warehouse: Warehouse, wanted: Any, calendar: str) -> dict[str, Any]:
    from btfeeds import inventory

    span = series.there(warehouse, wanted)
    known = warehouse.get(wanted)
    assert known is not None
    return {
        **_row(known),
        "covered": [{"start": one.start, "end": one.end} for one in warehouse.covered(wanted, span)],
        "origin": [
            {"start": one.start, "end": one.end, "provider": origin.provider, "fetched": origin.fetched,
             "adjusted": origin.adjusted}
            for one, origin in warehouse.origin(wanted, span)
        ],
        "gaps": inventory.gaps(warehouse, wanted, span, calendar).json(),
        "revisions": len(warehouse.revisions(wanted)),
        "dead_letters": len(warehouse.dead_letters(wanted)),
    }  # fmt: skip


# --- for people ------------------------------------------------------------------------------------------------------


def _table(rows: list[Series]) -> None:
    from rich import box
    from rich.table import Table

    from btfeeds.cli.output import console
    from btfeeds.market import iso

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("series", "first", "last", "bars", "in files", "score"):
        table.add_column(title, justify="right" if title in ("bars", "in files", "score") else "left")
    for one in rows:
        first, last = (iso(time)[:16].replace("T", " ") if one.rows else "" for time in (one.first, one.last))
        score = str(one.score) if one.score >= 0 else ""
        table.add_row(str(one.subscription), first, last, f"{one.rows:,}", series.words(one.bytes), score)
    console().print(table)


def _tell(facts: dict[str, Any]) -> None:
    from btfeeds.market import iso

    gaps = facts["gaps"]
    click.echo(f"{facts['venue']} {facts['symbol']} {facts['timeframe']}: {facts['bars']:,} bars from "
               f"{iso(facts['first'])} to {iso(facts['last'])}")  # fmt: skip
    click.echo(f"{series.words(facts['bytes'])} in {facts['files']} files; {facts['revisions']} corrected, "
               f"{facts['dead_letters']} rejected; score {facts['score'] if facts['score'] is not None else 'unknown'}")
    for one in facts["origin"][:_LONGEST]:
        adjusted = ", adjusted" if one["adjusted"] else ""
        click.echo(f"  from {iso(one['start'])} by {one['provider']}, fetched {iso(one['fetched'])}{adjusted}")
    for cause, count in gaps["totals"].items():
        if count:
            click.echo(f"{count:,} bars are not there: {cause}")
    for gap in gaps["gaps"][:_LONGEST]:
        click.echo(f"  {gap['bars']:,} bars from {iso(gap['start'])}: {gap['cause']}")
