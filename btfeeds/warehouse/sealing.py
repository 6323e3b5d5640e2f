"""Moving bars from the catalogue into files, and rewriting files.

In this order, each step durable before the next: the new file, under a name of its own; one transaction in which the
catalogue lists it instead of the old one and gives up the rows that went into it; the old file's removal. Whatever
ends the process in between, each bar is listed exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable

from btfeeds.history.ranges import union
from btfeeds.market import Subscription, TimeRange
from btfeeds.warehouse import books, layout, sealed
from btfeeds.warehouse.items import SealedFile
from btfeeds.warehouse.rows import Rows, joined
from btfeeds.warehouse.shelf import Shelf

_ENOUGH = 1_000  # rows beside a file that make it worth a new one


def seal(shelf: Shelf, subscription: Subscription) -> list[SealedFile]:
    """Every period of a series that is due (see layout.due) and has bars in no file. Raises WarehouseLocked."""
    made = []
    with shelf.catalogue.reading() as db:
        number = books.series_id(db, subscription)
        waiting = None if number is None else books.span_of_rows(db, number)
        covered = [] if number is None or waiting is None else books.coverage(db, number, _wide(subscription, waiting))
    for one in [] if waiting is None else layout.periods(subscription.timeframe, waiting):
        if layout.due(one, covered, shelf.clock.now()):
            with shelf.lock(subscription):
                file = _seal(shelf, subscription, one)
            made += [file] if file else []
    with shelf.lock(subscription):
        shelf.sweep(subscription)
    return made


def seal_complete(
    shelf: Shelf, subscription: Subscription, added: list[TimeRange], covered: list[TimeRange]
) -> None:
    """The periods in which something was `added` and that are wholly covered now, where it is worth the while."""
    now = shelf.clock.now()
    for one in layout.touched(subscription.timeframe, added):
        if one.span.end <= now and layout.complete(one, covered) and _worthwhile(shelf, subscription, one):
            with shelf.lock(subscription, 0):
                _seal(shelf, subscription, one)
                shelf.sweep(subscription)


def drop(shelf: Shelf, subscription: Subscription, spans: Iterable[TimeRange]) -> int:
    """Take the bars that open in `spans` out of files and catalogue, and out of the coverage; returns how many.

    A file is written anew once, and only if it loses bars.
    """
    spans = union(spans)
    with shelf.lock(subscription):
        while True:
            with shelf.catalogue.reading() as db:
                number = books.series_id(db, subscription)
                files = [] if number is None else books.files(db, number)
            if number is None:
                return 0
            changed = _without(shelf, subscription, files, spans)
            if changed is not None:
                break
        with shelf.catalogue.writing() as db:
            before = books.totals(db, number)
            for old, new in changed:
                books.remove_file(db, old)
                if new is not None:
                    books.put_file(db, number, new)
            for span in spans:
                books.remove_rows(db, number, span)
                books.uncover(db, number, span)
            books.count_again(db, number)
            after = books.totals(db, number)
        shelf.sweep(subscription)
    return before - after


def _without(
    shelf: Shelf, subscription: Subscription, files: list[SealedFile], spans: list[TimeRange]
) -> list[tuple[SealedFile, SealedFile | None]] | None:
    """The files that hold bars which open in `spans`, and each without them (None: nothing is left of it).

    None where a file has been replaced meanwhile. One file at a time, so that years of minutes need little memory.
    """
    changed: list[tuple[SealedFile, SealedFile | None]] = []
    for file in files:
        if not any(span.start <= file.last and file.first < span.end for span in spans):
            continue
        loaded = shelf.load(subscription, [file], layout.EVER)
        if loaded is None:
            return None
        [rows] = sealed.rows(loaded)
        left = rows.outside(spans)
        if len(left) < len(rows):
            changed.append((file, _write(shelf, subscription, left) if len(left) else None))
    return changed


def _worthwhile(shelf: Shelf, subscription: Subscription, one: layout.Period) -> bool:
    with shelf.catalogue.reading() as db:
        number = books.series_id(db, subscription)
        if number is None:
            return False
        waiting = books.count_rows(db, number, one.span)
        return waiting >= _ENOUGH or (waiting > 0 and not books.files(db, number, one.span))


def _seal(shelf: Shelf, subscription: Subscription, one: layout.Period) -> SealedFile | None:
    """The period's file, with all that is known of it; None when it has everything already. Under the lock."""
    while True:
        with shelf.catalogue.reading() as db:
            number = books.series_id(db, subscription)
            assert number is not None
            files = books.files(db, number, one.span)
            rows = books.rows(db, number, one.span)
        if not len(rows):
            return None
        loaded = shelf.load(subscription, files, layout.EVER)
        if loaded is not None:
            break
    whole = joined([*sealed.rows(loaded), rows])
    made = _write(shelf, subscription, whole)
    with shelf.catalogue.writing() as db:
        now_there = books.rows(db, number, one.span)
        for old in files:
            books.remove_file(db, old)
        books.put_file(db, number, made)
        left = _newer(now_there, rows)
        books.remove_rows(db, number, one.span)
        books.put(db, number, left, frozenset(left.times.tolist()) & frozenset(whole.times.tolist()))
    return made


def _newer(there: Rows, sealed_rows: Rows) -> Rows:
    """What was written while the file was made: it stays in the catalogue."""
    known = set(sealed_rows.tuples())
    return Rows.of([row for row in there.tuples() if row not in known])


def _write(shelf: Shelf, subscription: Subscription, rows: Rows) -> SealedFile:
    """A new file of `rows`, all of one period."""
    timeframe, times = subscription.timeframe, rows.times
    first, last = int(times[0]), int(times[-1])
    period = layout.period(timeframe, first)
    with shelf.catalogue.reading() as db:
        origins = books.origins(db, rows.origin.tolist())
    content = sealed.encode(rows, subscription, origins)
    checksum = sealed.checksum(content)
    path = f"{layout.folder(subscription)}/{layout.file_name(period, checksum)}"
    shelf.place.write(path, content)
    span = TimeRange(first, timeframe.close(last)) if period.span == layout.EVER else period.span
    return SealedFile(path, span, len(rows), first, last, checksum, len(content), shelf.clock.now())


def _wide(subscription: Subscription, span: TimeRange) -> TimeRange:
    """From the beginning of the first period of `span` to the end of its last."""
    found = layout.periods(subscription.timeframe, span)
    return TimeRange(found[0].span.start, found[-1].span.end)
