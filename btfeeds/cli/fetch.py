"""`btfeeds fetch`: history into the warehouse, only what is missing, many symbols at a time."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from btfeeds.errors import ConfigError

if TYPE_CHECKING:
    from btfeeds.clock import Clock
    from btfeeds.fetching import Fetched, Wish
    from btfeeds.manager import DataManager
    from btfeeds.market import Symbol, Timeframe, TimeRange
    from btfeeds.warehouse import Warehouse


@click.command(short_help="Download history into the warehouse: only what is missing.")
@click.argument("provider")
@click.argument("symbols", metavar="SYMBOL[,SYMBOL…]")
@click.argument("timeframe")
@click.option("--from", "start", metavar="T", help="The first bar: 2024-01-01, 2024-01-01T12:00Z, or 30d before now.")
@click.option("--to", "end", metavar="T", help="Where to end; a bar that opens then is not included. Default: now.")
@click.option("--resume", is_flag=True, help="Finish what was interrupted; --from and --to need not be said again.")
@click.option("--larger", metavar="5m,1h…", default="", help="Also make these bars of the minutes.")
@click.option("--jobs", metavar="N", type=click.IntRange(1, 32), default=4, help="Symbols at a time. Default: 4.")
@click.option("--rules", metavar="RULES", default="", help="Who is asked for which symbol under `auto`.")
@click.option("--warehouse", metavar="DIR", default="", help="The folder of bars. Default: BTFEEDS_WAREHOUSE.")
@click.option("--sim", metavar="URL", help="Any URL that `btfeeds simulate` printed: its host and its clock are used.")
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON for each symbol, and one for all.")
def command(
    provider: str, symbols: str, timeframe: str, start: str | None, end: str | None, resume: bool, larger: str,
    jobs: int, rules: str, warehouse: str, sim: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Download bars of PROVIDER into the warehouse: only what is not there yet, and each page at once.

    A fetch can be interrupted at any time; the same command again, or --resume, goes on behind the last page. PROVIDER
    may be `auto`: whoever has the symbol, by rules and by how they have answered so far.
    """
    from btfeeds.clock import SystemClock
    from btfeeds.fetching import Wish, check_larger
    from btfeeds.history.downloader import canonical
    from btfeeds.manager import AUTO, DataManager
    from btfeeds.market import Symbol, Timeframe
    from btfeeds.warehouse import Warehouse

    name = AUTO if provider.strip().lower() == AUTO else canonical(provider)
    frame = Timeframe.parse(timeframe)
    more = tuple(Timeframe.parse(text) for text in larger.split(",") if text.strip())
    wanted = list(dict.fromkeys(Symbol(symbol) for symbol in symbols.split(",")))
    check_larger(frame, more, wanted)
    if sim and name == AUTO:
        advice = "Name the venue that it plays."
        raise ConfigError("A simulator is one venue, `auto` several.", "Nothing was started.", advice)
    rest_url, clock = _simulated(sim)
    with ExitStack() as stack:
        kept = stack.enter_context(Warehouse(warehouse, clock=clock or SystemClock()))
        clock = clock or SystemClock()

        if resume and start is None:
            wishes = _left_over(kept, name, wanted, frame, more)
        else:
            span = _span(start, end, clock.now())
            wishes = [Wish(name, symbol, frame, span, more) for symbol in wanted]
        manager = stack.enter_context(
            DataManager(kept, rules=rules, clock=clock, create=_creator(clock, rest_url))
        )
        for one in wishes:
            manager.candidates(name, one.symbol, frame)  # nobody to ask is known before anything is asked
        with _telling(as_json, wishes) as tell:
            results = _run(manager, kept, wishes, jobs, tell)
    return _verdict(results, as_json)


def _left_over(
    warehouse: Warehouse, provider: str, symbols: list[Symbol], timeframe: Timeframe, larger: tuple[Timeframe, ...]
) -> list[Wish]:
    """What fetches of `symbols` that did not come to their end were to have; of the others that is said. Raises
    ConfigError where there is none.
    """
    from btfeeds.fetching import left_over

    wishes: list[Wish] = []
    whole: list[ConfigError] = []
    for symbol in symbols:
        try:
            noted = left_over(warehouse, provider, symbol, timeframe)
        except ConfigError as error:
            whole.append(error)
        else:
            wishes.append(replace(noted, larger=tuple(dict.fromkeys((*noted.larger, *larger)))))
    if not wishes:
        raise whole[0]
    for each in whole:
        click.echo(each.what, err=True)
    return wishes


def _simulated(sim: str | None) -> tuple[str, Clock | None]:
    if not sim:
        return "", None
    from btfeeds.simulator import attach

    attached = attach(sim)
    return attached.rest_url, attached.clock


def _creator(clock: Clock, rest_url: str) -> Callable[[str], Any]:
    from btfeeds.history.downloader import DataDownloaderFactory

    return lambda name: DataDownloaderFactory.create(name, rest_url=rest_url, clock=clock)


def _span(start: str | None, end: str | None, now: int) -> TimeRange:
    from btfeeds.market import TimeRange, iso

    if start is None:
        raise ConfigError("There is no --from.", "Nothing was started.", "Say where to begin, as in --from 2024-01-01.")
    span = TimeRange(_moment(start, now), now if end is None else min(_moment(end, now), now))
    if not span:
        raise ConfigError(
            f"From {iso(span.start)} to {iso(span.end)} there is no time.",
            "Nothing was started.",
            "--from must lie before --to, and in the past.",
        )
    return span


def _moment(text: str, now: int) -> int:
    """An instant, or so long before now: "30d"."""
    from btfeeds.market import Timeframe, to_ms

    if re.fullmatch(r"[1-9]\d{0,4}[smhdwM]", text.strip()):
        return now - Timeframe.parse(text).ms
    return to_ms(text)


# --- doing -----------------------------------------------------------------------------------------------------------


def _run(
    manager: DataManager, warehouse: Warehouse, wishes: list[Wish], jobs: int, tell: Callable[[Fetched], None]
) -> list[Fetched]:
    """All wishes, some at a time. However this ends, no thread goes on behind it."""
    from btfeeds.fetching import fetch, note

    note(warehouse, wishes)
    ended = threading.Event()
    results: dict[Wish, Fetched] = {}
    with ThreadPoolExecutor(min(jobs, len(wishes)), thread_name_prefix="btfeeds-fetch") as pool:
        futures: list[Future[Fetched]] = [
            pool.submit(fetch, manager, warehouse, wish, report=tell, cancelled=ended.is_set) for wish in wishes
        ]
        try:
            for future in as_completed(futures):
                result = future.result()
                results[result.wish] = result
        except BaseException:
            ended.set()
            manager.close()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [results[wish] for wish in wishes]


def _verdict(results: list[Fetched], as_json: bool) -> int:
    from btfeeds.settings import mask

    failed = [result for result in results if result.error is not None]
    for result in results:
        if as_json:
            click.echo(mask(json.dumps(result.json(), ensure_ascii=False)))
        else:
            for line in _lines(result):
                click.echo(line)
    if as_json:
        bars, pages = sum(one.bars for one in results), sum(one.pages for one in results)
        click.echo(json.dumps({"type": "summary", "symbols": len(results), "bars": bars, "pages": pages,
                               "failed": len(failed)}))  # fmt: skip
    for result in failed[1:]:
        click.echo(mask(str(result.error)), err=True)
    if failed:
        assert failed[0].error is not None
        raise failed[0].error
    return 0


def _lines(result: Fetched) -> Iterator[str]:
    """What a fetch came to, for people."""
    from btfeeds.market import iso
    from btfeeds.warehouse.gapreport import Cause

    rate = f", {result.bars / result.seconds:,.0f} bars/s" if result.bars and result.seconds else ""
    got = "nothing came" if result.missing or result.unpublished else "everything was there"
    if result.pages:
        got = f"{result.bars:,} bars in {result.pages:,} pages{rate}"
    yield f"{result.wish}: {got}"
    if result.wish.provider == "auto":
        for piece, name in result.origin:
            yield f"  {piece} is {name}'s"
    gaps = result.gaps
    if gaps is not None:
        causes = {Cause.NO_TRADE: "without trades", Cause.SOURCE: "the source does not have",
                  Cause.NOT_LISTED: "before the first one", Cause.CLOSED: "while the market was closed"}  # fmt: skip
        named = [f"{gaps.bars(cause):,} {words}" for cause, words in causes.items() if gaps.bars(cause)]
        score = f"; quality {result.quality.score} of 100" if result.quality else ""
        yield f"  {gaps.present:,} bars are there" + (f", {', '.join(named)}" if named else "") + score
        longest = next((gap for gap in gaps.gaps if gap.cause is Cause.SOURCE), None)
        if longest is not None:
            yield f"  the longest gap of the source: {longest.bars:,} bars from {iso(longest.span.start)}"
    for timeframe, count in result.larger.items():
        yield f"  {count:,} bars of {timeframe} made"
    for span in result.missing[:3]:
        yield f"  still missing: {span}"
    for span in result.unpublished[:3]:
        yield f"  not published yet: {span}"


# --- progress --------------------------------------------------------------------------------------------------------


@contextmanager
def _telling(as_json: bool, wishes: list[Wish]) -> Iterator[Callable[[Fetched], None]]:
    """Bars that grow, on a terminal; elsewhere nothing."""
    if as_json or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from btfeeds.cli.output import console

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        tasks = {wish: bar.add_task(str(wish), total=1.0, rate="") for wish in wishes}

        def tell(result: Fetched) -> None:
            rate = f"{result.bars / result.seconds:,.0f} bars/s" if result.seconds else ""
            bar.update(tasks[result.wish], completed=min(1.0, result.done), rate=rate)

        yield tell
