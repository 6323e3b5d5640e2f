"""Looking after the warehouse: check, repair, backup, restore, evict."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from btfeeds.cli import series

if TYPE_CHECKING:
    from btfeeds.market import Subscription
    from btfeeds.mending import Mended
    from btfeeds.warehouse import Damage, Warehouse


_TESTS = re.compile("test|demo|beta|sandbox")  # in the names of venues that only play


@click.command(short_help="Read everything and say what is wrong with it.")
@series.some_series
@click.option("--against", metavar="VENUE", default="", help="Compare with another venue's bars of the same symbol.")
@click.option("--calendar", metavar="NAME", default="", help="The market's: 24/7, us, fx, or a code as XNYS.")
@series.folder
@series.as_json
def check(
    venue: str, symbol: str, timeframe: str, against: str, calendar: str, folder: str, as_json: bool
) -> int:
    """Read every bar, compare files with their checksums, validate, find gaps; nothing is changed but the score.

    The exit code is 1 where anything is damaged or cannot be a bar. Gaps and strange bars cost points only.
    """
    with series.existing(folder) as warehouse:
        wanted = [one.subscription for one in series.chosen(warehouse, venue, symbol, timeframe)]
        found = {one: warehouse.verify(one) for one in wanted}
        if against and not any(map(_spoilt, found.values())):
            series.counterparts(warehouse, wanted, against)
        results = [_checked(warehouse, one, found[one], against, calendar) for one in wanted]
    for result in results:
        if as_json:
            click.echo(json.dumps(result))
        else:
            _tell(result)
    return 0 if all(result["sound"] for result in results) else 1


def _checked(
    warehouse: Warehouse, one: Subscription, found: list[Damage], against: str, calendar: str
) -> dict[str, Any]:
    import time

    from btfeeds import inventory

    # what is damaged itself is not compared, whatever it was to be compared with
    other = series.named(against, one.symbol, str(one.timeframe)) if against and not _spoilt(found) else None
    beside = warehouse.verify(other) if other else []
    result: dict[str, Any] = {
        "type": "checked", "venue": one.venue, "symbol": one.symbol, "timeframe": str(one.timeframe),
        "damage": [{"kind": each.kind, "start": each.span.start, "end": each.span.end,
                    "detail": each.detail if each in found else f"{other}: {each.detail}"}
                   for each in (*found, *beside)],
        "sound": not (found or beside), "report": None, "gaps": None, "against": None,
    }  # fmt: skip
    span = inventory.extent(warehouse, one)
    if span is None or _spoilt(found):
        return result
    gaps = inventory.gaps(warehouse, one, span, calendar)
    report = inventory.validated(warehouse, one, span).joined(gaps.finding())
    if other and not _spoilt(beside):
        comparison = inventory.compared(warehouse, one, other, span)
        report = report.joined(comparison.finding())
        result["against"] = {"venue": other.venue, **comparison.json()}
        if not comparison.common:
            result["against"]["share"] = None  # of nothing
    if not warehouse.readonly:
        warehouse.mark_validated(one, time.time_ns() // 1_000_000, report.score)
    result |= {"sound": result["sound"] and report.sound, "report": report.json(), "gaps": gaps.json()["totals"]}
    return result


def _spoilt(found: list[Damage]) -> bool:
    """Whether bars are damaged: whoever reads them puts them out of the way, and a check changes nothing."""
    return any(each.kind in ("file_damaged", "row_damaged") for each in found)


def _tell(result: dict[str, Any]) -> None:
    from btfeeds.market import iso

    report = result["report"]
    score = f"{report['rows']:,} bars, score {report['score']}" if report else "not validated"
    word = "sound" if result["sound"] else "DAMAGED"
    click.echo(f"{result['venue']} {result['symbol']} {result['timeframe']}: {word}, {score}")
    for one in result["damage"]:
        click.echo(f"  {one['kind']}: {one['detail']}")
    for one in report["findings"] if report else ():
        detail = f" ({one['detail']})" if one["detail"] else ""
        lost = report["losses"].get(one["rule"])
        cost = f", costs {lost:g} points" if lost else ""
        click.echo(f"  {one['severity']}: {one['rule']}{detail}, {one['count']:,}× from {iso(one['first'])}{cost}")
    for cause, count in (result["gaps"] or {}).items():
        if count:
            click.echo(f"  {count:,} bars are not there: {cause}")
    if result["against"]:
        other = result["against"]
        if not other["common"]:
            click.echo(f"  {other['venue']} has no bars of the same times here: nothing was compared")
            return
        click.echo(f"  {other['share']:.2%} of {other['common']:,} bars equal those of {other['venue']}, "
                   f"{len(other['differing']):,} differ")  # fmt: skip


@click.command(short_help="Put what is damaged out of the way, and fetch what is missing.")
@series.some_series
@click.option("--again", is_flag=True, help="Ask again about gaps that the source has answered with nothing.")
@series.folder
@series.as_json
def repair(venue: str, symbol: str, timeframe: str, again: bool, folder: str, as_json: bool) -> int:
    """Find damage and gaps, ask the providers for what is missing, and say what is left.

    The exit code is 6 where something is still missing.
    """
    from btfeeds.manager import DataManager
    from btfeeds.mending import lost, mend

    results = []
    with series.existing(folder) as warehouse, DataManager(warehouse) as manager:
        wanted = [one.subscription for one in series.chosen(warehouse, venue, symbol, timeframe)]
        if not (venue or symbol or timeframe):
            wanted = list(dict.fromkeys([*wanted, *lost(warehouse.quarantined())]))
        for one in wanted:
            if result := mend(manager, warehouse, one, again=again):
                results.append(result)
                _told(result, as_json)
    return 0 if all(result.whole for result in results) else 6


def _told(result: Mended, as_json: bool) -> None:
    from btfeeds.settings import mask

    if as_json:
        click.echo(mask(json.dumps(result.json())))
        return
    got = f", {result.fetched.bars:,} bars fetched" if result.fetched and result.fetched.pages else ""
    click.echo(f"{result.series}: " + ("whole" if result.whole else "NOT WHOLE") + got)
    for one in result.damage:
        click.echo(f"  {one.kind}: {one.detail}")
    for span in result.left[:10]:
        click.echo(f"  still missing: {span}")
    if result.fetched and result.fetched.error:
        click.echo(mask(f"  {result.fetched.error.what}"))
    for gap in result.gaps.gaps[:10]:
        click.echo(f"  {gap.bars:,} bars from {gap.span}: {gap.cause.value}")


@click.command(short_help="Copy everything to one place, verified.")
@click.argument("target", type=click.Path(path_type=Path))
@series.folder
@series.as_json
def backup(target: Path, folder: str, as_json: bool) -> None:
    """Copy the warehouse as it is at one instant to TARGET: a new folder, or a .tar, .tar.gz or .tgz.

    Whoever writes to it meanwhile need not stop.
    """
    with series.existing(folder) as warehouse:
        made = warehouse.backup(target)
    total = sum(size for _, size in made.files.values())
    if as_json:
        click.echo(json.dumps({"target": str(target), "files": len(made.files), "bytes": total, "made": made.made}))
    else:
        click.echo(f"{len(made.files)} files, {series.words(total)}, copied to {target} and verified")


@click.command(short_help="Make the warehouse what a copy of it is.")
@click.argument("source", type=click.Path(path_type=Path))
@series.folder
@series.as_json
def restore(source: Path, folder: str, as_json: bool) -> None:
    """Verify the copy SOURCE, and put it in the place of the warehouse; what was there is moved aside, not removed."""
    from btfeeds import settings
    from btfeeds.errors import ConfigError
    from btfeeds.warehouse.backup import restore as put_back

    root = settings.warehouse(folder)
    if root is None:
        advice = "Give its folder with --warehouse, or set BTFEEDS_WAREHOUSE."
        raise ConfigError("No warehouse is named.", "Nothing was restored.", advice)
    former = put_back(source, root)
    if as_json:
        click.echo(json.dumps({"root": str(root), "former": str(former) if former else None}))
    else:
        click.echo(f"{root} is what {source} was" + (f"; what was there lies in {former}" if former else ""))


@click.command(short_help="Make the files smaller than a limit.")
@click.option("--limit", metavar="SIZE", required=True, help="What the files of bars may take: 500M, 2G.")
@series.folder
@series.as_json
def evict(limit: str, folder: str, as_json: bool) -> None:
    """Throw out the oldest files of bars until the rest takes no more than SIZE.

    Only what can be fetched again goes: never imported bars, nor those of venues whose history does not reach back.
    """
    from btfeeds.warehouse.eviction import evict as throw_out

    with series.existing(folder) as warehouse:
        gone = throw_out(warehouse, series.size(limit), _refetchable())
        left = sum(file.bytes for _, file in warehouse.files())
    freed = sum(file.bytes for _, file in gone)
    if as_json:
        click.echo(json.dumps({"files": len(gone), "bytes": freed, "left": left}))
    else:
        click.echo(f"{len(gone)} files thrown out, {series.words(freed)}; {series.words(left)} are left")


def _refetchable() -> set[str]:
    """Who gives the same bars again whenever they are asked for; their live bars are in their history, too.

    Whoever answers with one window up to now (Gemini: a day of minutes) is not among them, nor is a test net: it is
    wiped from time to time.
    """
    from btfeeds import venues
    from btfeeds.history import derived

    names: set[str] = set()
    for name in venues.names():
        made = venues.provider(name, key="not needed to know this")
        if not (made.bars_reach or made.days_back or made.whole_window or _TESTS.search(name)):
            names |= {name, f"{name} live", derived.provider(name)}
    return names
