"""The trades inside a bar, made up so that they rebuild it: first at its open, through its low and high, to its close.

Prices and quantities are whole numbers of the smallest unit, so that sums are exact. The same seed gives the same
trades.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

UPDATES = 8  # groups of trades in a bar that has enough of them


@dataclass(frozen=True, slots=True)
class Tick:
    """A group of `count` trades of one price that happen at once; ids count on from `first_id`."""

    time: int
    price: int
    quantity: int
    count: int
    first_id: int
    group: int
    buyer_is_maker: bool

    @property
    def last_id(self) -> int:
        return self.first_id + self.count - 1


def needed(open: int, high: int, low: int, close: int) -> int:
    """How many trades it takes at least to draw a bar with these prices."""
    if high == low:
        return 1
    return 2 + (high > max(open, close)) + (low < min(open, close))


def prices(rng: random.Random, open: int, high: int, low: int, close: int, count: int) -> list[int]:
    """`count` prices from open to close that touch high and low and never leave them."""
    if high == low:
        return [open] * count
    turns = [price for price in (low, high) if not min(open, close) <= price <= max(open, close)]
    if rng.random() < 0.5:
        turns.reverse()
    keys = [open, *turns, close]
    between: list[list[int]] = [[] for _ in keys[1:]]
    for _ in range(count - len(keys)):
        leg = int(rng.random() * len(between))
        step = keys[leg + 1] - keys[leg]
        between[leg].append(keys[leg] + round(rng.random() * step))
    walk = [open]
    for start, end, inside in zip(keys, keys[1:], between, strict=False):
        walk += sorted(inside, reverse=end < start)
        walk.append(end)
    return walk


def times(rng: random.Random, start: int, end: int, count: int) -> list[int]:
    """`count` instants spread over the bar, none at its very edges."""
    slot = (end - start) / count
    return [start + int(slot * (number + 0.1 + 0.8 * rng.random())) for number in range(count)]


def split(rng: random.Random, total: int, count: int) -> list[int]:
    """`total` in `count` whole parts, none of them 0 where that is possible."""
    least = 1 if total >= count else 0
    rest = total - least * count
    cuts = sorted(round(rng.random() * rest) for _ in range(count - 1))
    return [least + upper - lower for lower, upper in zip([0, *cuts], [*cuts, rest], strict=True)]
