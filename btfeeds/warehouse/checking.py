"""Is everything that the catalogue lists there, whole, in order and accounted for?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from btfeeds.market import Subscription, TimeRange, iso
from btfeeds.warehouse import books, layout
from btfeeds.warehouse.items import Damage, SealedFile
from btfeeds.warehouse.rows import NOTHING, Rows
from btfeeds.warehouse.shelf import Shelf

_NOWHERE = TimeRange(0, 0)


def check(shelf: Shelf, subscription: Subscription, *, repair: bool) -> list[Damage]:
    """What is wrong with one series. With `repair`, damaged files and rows are put out of the way."""
    found: list[Damage] = []
    with shelf.catalogue.reading() as db:
        number = books.series_id(db, subscription)
        if number is None:
            return []
        files = books.files(db, number)
        total = books.totals(db, number)
        counted = books.count_anew(db, number)
        covered = books.coverage(db, number, layout.EVER)
        damaged: list[int] = []
        try:
            rows = books.rows(db, number, layout.EVER)
        except books.DamagedRows as error:
            rows, damaged = NOTHING, error.times
    if total != counted:
        found.append(Damage(subscription, "rows", _NOWHERE, f"{total} bars are counted, there are {counted}"))
    for time in damaged:
        span = TimeRange(time, subscription.timeframe.close(time))
        found.append(Damage(subscription, "row_damaged", span, f"the bar of {iso(time)} is not what was written"))
    if damaged and repair:
        shelf.discard(subscription, damaged)
    found += _judge(subscription, rows, covered, _NOWHERE)
    for file, behind in zip(files, [*files[1:], None], strict=False):
        if behind is not None and behind.first <= file.last:
            found.append(Damage(subscription, "order", file.span, f"{file.path} and {behind.path} overlap"))
        found += _file(shelf, subscription, file, covered, repair=repair)
    return found


def _file(
    shelf: Shelf, subscription: Subscription, file: SealedFile, covered: Sequence[TimeRange], *, repair: bool
) -> list[Damage]:
    held, why = shelf.look(file)
    if held is None:
        if not shelf.listed(subscription, file):
            return []  # replaced since the list was made
        if repair:
            shelf.quarantine(subscription, file, why)
        return [Damage(subscription, "file_damaged", file.span, f"{file.path}: {why}")]
    if (len(held), held.times[0], held.times[-1]) != (file.rows, file.first, file.last):
        return [Damage(subscription, "rows", file.span, f"{file.path} has other bars than the catalogue says")]
    return _judge(subscription, held, covered, file.span)


def _judge(
    subscription: Subscription, rows: Rows, covered: Sequence[TimeRange], span: TimeRange
) -> list[Damage]:
    """Order, grid and coverage of whole rows that should all open in `span` (nowhere: anywhere)."""
    times = rows.times
    found = []
    if not (times[1:] > times[:-1]).all():
        found.append(Damage(subscription, "order", span, "bars are not in ascending order"))
    if span and len(rows) and not (times[0] in span and times[-1] in span):
        found.append(Damage(subscription, "order", span, "bars lie outside the file's period"))
    off = [time for time in times.tolist() if not subscription.timeframe.aligned(time)]
    if off:
        found.append(Damage(subscription, "off_grid", TimeRange(off[0], off[-1] + 1), f"{len(off)} bars"))
    starts = np.array([one.start for one in covered], dtype=np.int64)
    ends = np.array([one.end for one in covered], dtype=np.int64)
    # a bar is covered when it opens before the end of the last span that starts no later
    at = np.searchsorted(starts, times, side="right") - 1
    known = (at >= 0) & (times < ends[at]) if len(covered) else np.zeros(len(times), dtype=np.bool_)
    if not known.all():
        stray = times[~known]
        detail = f"{len(stray)} bars of which nothing says that they were asked for"
        found.append(Damage(subscription, "uncovered", TimeRange(int(stray[0]), int(stray[-1]) + 1), detail))
    return found
