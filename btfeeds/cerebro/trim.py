"""Memory that stays flat: old values are cut off the lines of a Cerebro.

backtrader keeps every value of every line for as long as it runs (8 bytes a line and bar). Cutting shortens the
arrays from the left and moves their index along; lengths, and everything reached by looking back less far than was
kept, stay as they are.
"""

from __future__ import annotations

import array
from collections.abc import Iterator
from typing import Any


def trim(cerebro: Any, keep: int) -> None:
    """Keep the last `keep` values of all lines of the strategies and of the feeds that can be cut."""
    lines = [line for strategy in cerebro.runningstrats for line in _lines(strategy)]
    keep = max([keep, *(line._minperiod + 1 for line in lines)])  # indicators look back that far
    for data in cerebro.datas:
        if hasattr(data, "_cut"):  # a foreign feed would take the cut for missing bars
            data._cut += _shorten(list(data.lines), keep)
    seen = {id(line) for data in cerebro.datas for line in data.lines}
    for line in lines:
        if id(line) not in seen:
            seen.add(id(line))
            _shorten([line], keep)


def _lines(owner: Any) -> Iterator[Any]:
    yield from owner.lines
    for children in getattr(owner, "_lineiterators", {}).values():
        for child in children:
            yield from _lines(child)


def _shorten(lines: list[Any], keep: int) -> int:
    """Cut lines of one length alike; returns by how much."""
    able = [line for line in lines if line.mode == line.UnBounded and isinstance(line.array, array.array)]
    surplus = min((line._idx + 1 - keep for line in able), default=0)
    if len(able) != len(lines) or surplus <= 0:
        return 0
    for line in able:
        del line.array[:surplus]
        line._idx -= surplus
    return surplus
