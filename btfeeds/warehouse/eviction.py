"""Keeping a warehouse below a size: the oldest periods go first, and only what can be fetched again.

What goes leaves the coverage with it, so that whoever needs it asks for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from btfeeds.market import Subscription
from btfeeds.warehouse.items import SealedFile

if TYPE_CHECKING:
    from btfeeds.warehouse.warehouse import Warehouse


def choose(
    files: Iterable[tuple[Subscription, SealedFile]],
    excess: int,
    dispensable: Callable[[Subscription, SealedFile], bool],
) -> list[tuple[Subscription, SealedFile]]:
    """The files to give up for `excess` bytes: by the time their last bar opened, oldest first. Pure.

    `dispensable` is asked about no more files than needed.
    """
    chosen: list[tuple[Subscription, SealedFile]] = []
    for subscription, file in sorted(files, key=lambda one: (one[1].last, str(one[0]), one[1].path)):
        if excess <= 0:
            break
        if dispensable(subscription, file):
            chosen.append((subscription, file))
            excess -= file.bytes
    return chosen


def evict(
    warehouse: Warehouse, limit: int, providers: Collection[str]
) -> list[tuple[Subscription, SealedFile]]:
    """Bring the sealed files of a warehouse below `limit` bytes; returns what went.

    Only bars that one of `providers` gave can be fetched again: a file with others in it stays, whatever the size. So
    do bars that are in no file yet.
    """

    def dispensable(subscription: Subscription, file: SealedFile) -> bool:
        return all(one.provider in providers for _, one in warehouse.origin(subscription, file.span))

    files = warehouse.files()
    chosen = choose(files, sum(file.bytes for _, file in files) - limit, dispensable)
    for subscription, file in chosen:
        warehouse.forget(subscription, file.span)
    return chosen
