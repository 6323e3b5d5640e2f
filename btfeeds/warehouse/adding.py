"""Adding bars to a warehouse: sifted, compared with what is there, and on the disk in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from btfeeds import monitor
from btfeeds.columns import Columns
from btfeeds.errors import MissingExtra, WarehouseError, WarehouseLocked
from btfeeds.history.ranges import subtract, union, whole
from btfeeds.market import Bar, Subscription, Timeframe, TimeRange
from btfeeds.warehouse import books, intake, sealed, sealing
from btfeeds.warehouse.items import Added, SealedFile
from btfeeds.warehouse.rows import Rows, joined
from btfeeds.warehouse.shelf import Shelf

RAW_LENGTH = 2_000  # of a dead letter's text


def add(
    shelf: Shelf,
    subscription: Subscription,
    bars: Iterable[Bar],
    *,
    provider: str,
    span: TimeRange | None,
    adjusted: bool,
    venue_time: int,
) -> Added:
    """Keep `bars`, and that `provider` has answered for `span`; see Warehouse.add."""
    timeframe, now = subscription.timeframe, shelf.clock.now()
    latest = max(now, venue_time)
    good, bad = intake.sift(bars, timeframe, latest)
    spans = _answered(good, bad, timeframe, span, latest)
    letters = [(_whole_number(bar.open_time), reason, repr(bar)[:RAW_LENGTH]) for bar, reason in bad]
    extent = TimeRange(good[0].open_time, good[-1].open_time + 1) if good else TimeRange(0, 0)

    def attempt() -> tuple[intake.Intake, list[TimeRange]] | None:
        """None: there are files to compare with that were not looked into yet, or others than those."""
        loaded = shelf.load(subscription, files, extent)
        if loaded is None:
            files.clear()
            return None
        with shelf.catalogue.writing() as db:
            number = books.make_series(db, subscription)
            files[:], before = books.files(db, number, extent), files[:]
            if files != before:
                return None
            outcome = _put(db, number, good, joined(sealed.rows(loaded)), provider, adjusted, now)
            books.put_dead_letters(db, number, letters, now, provider)
            return outcome, books.cover(db, number, spans)

    files: list[SealedFile] = []
    done = None
    while done is None:
        done = shelf.careful(subscription, attempt, tell=False)
    outcome, covered = done
    if bad:
        monitor.publish(monitor.RowsRejected(subscription.venue, str(subscription), len(bad), bad[0][1]))
    _seal_complete(shelf, subscription, spans, covered)
    return Added(outcome.new, outcome.same, outcome.revised, len(bad))


def _put(
    db: books.Connection,
    number: int,
    good: list[Bar],
    in_files: Rows,
    provider: str,
    adjusted: bool,
    now: int,
) -> intake.Intake:
    """Write those of the `good` bars, ascending, that are news."""
    if not good:
        return intake.Intake()
    held = joined([in_files, books.rows(db, number, TimeRange(good[0].open_time, good[-1].open_time + 1))])
    known = {bar.open_time: bar for bar in held.bars.bars()}
    outcome = intake.judge(good, known)
    if outcome.kept:
        origin = books.origin_id(db, provider, adjusted, now)
        kept = Columns.from_bars([outcome.kept[time] for time in sorted(outcome.kept)])
        books.put(db, number, Rows(kept, np.full(len(kept), origin)), frozenset(in_files.times.tolist()))
        books.count_more(db, number, outcome.new, int(kept.open_time[0]), int(kept.open_time[-1]))
        old = dict(zip(held.times.tolist(), held.origin.tolist(), strict=True)) if outcome.before else {}
        before = [(bar, old.pop(bar.open_time, origin)) for bar in outcome.before]
        books.put_revisions(db, number, before, now, provider)
    return outcome


def _seal_complete(
    shelf: Shelf, subscription: Subscription, added: list[TimeRange], covered: list[TimeRange]
) -> None:
    """The bars are safe already: whatever goes wrong here is told and tried again another time."""
    try:
        act = partial(sealing.seal_complete, shelf, subscription, added, covered)
        shelf.careful(subscription, act, tell=False)
    except (WarehouseLocked, MissingExtra):
        return  # another process is at it; or there is nothing to write files with, and seal() says so
    except WarehouseError as error:
        monitor.publish(monitor.SealFailed(subscription.venue, str(subscription), error.line()))


def _answered(
    good: list[Bar], bad: list[tuple[Bar, str]], timeframe: Timeframe, span: TimeRange | None, now: int
) -> list[TimeRange]:
    """What `good` and `bad` bars answer of the question for `span`: not what cannot be over yet, nor what was bad."""
    own: list[TimeRange] = []
    for bar in good:
        start = own.pop().start if own and bar.open_time <= own[-1].end else bar.open_time
        own.append(TimeRange(start, timeframe.close(bar.open_time)))
    if span is None:
        return own
    asked = whole(TimeRange(span.start, min(span.end, timeframe.floor(now))), timeframe)
    unknown = []
    for bar, _ in bad:
        time = _whole_number(bar.open_time)
        if time is not None and time in asked:
            opened = timeframe.floor(time)
            unknown.append(TimeRange(opened, timeframe.close(opened)))
    return union([*subtract([asked], unknown), *own])


def _whole_number(time: object) -> int | None:
    return int(time) if isinstance(time, int | float) and abs(time) < 2**62 else None
