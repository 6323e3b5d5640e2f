"""Trades of a span of time from a venue that gives them by number only, newest first (Coinbase).

Numbers have no holes and grow with time. So the end of the span is looked for as in a dictionary: back in steps that
double, then by halves; from there one goes back page by page until the span begins.
"""

from __future__ import annotations

from collections.abc import Callable

from btfeeds.errors import BadFrame
from btfeeds.market import TimeRange, Trade

Ask = Callable[[int], list[Trade]]


def trades_in(span: TimeRange, ask: Ask, page: int) -> list[Trade]:
    """The trades of `span`, ascending.

    `ask(n)` gives the trades numbered below n, ascending, the `page` youngest of them; of n = 0 the venue's youngest.
    Raises BadFrame when it gives others, because one would ask for ever.
    """
    found: dict[int, Trade] = {}
    rows = _reached(span.end, ask, page)
    while rows:
        found.update((trade.id, trade) for trade in rows if trade.time in span)
        if rows[0].time < span.start:
            break
        rows = _below(rows[0].id, ask)
    return [found[number] for number in sorted(found)]


def _reached(end: int, ask: Ask, page: int) -> list[Trade]:
    """A page with the youngest trade before `end` in it."""
    rows = ask(0) or ask(0)
    if not rows or rows[0].time < end:
        return rows
    late, early, step = rows[0].id, 0, page  # the number of a trade that is not before `end`, and of one that is
    while late - early > page:
        middle = max(late - step, (late + early) // 2)
        rows, step = _below(middle, ask), 2 * step
        if not rows or rows[-1].time < end:
            early = middle - 1
        elif rows[0].time >= end:
            late = rows[0].id
        else:
            return rows
    return _below(late, ask)


def _below(number: int, ask: Ask) -> list[Trade]:
    rows = (ask(number) or ask(number)) if number > 1 else []  # an answer without any may be a mistake
    if rows and rows[-1].id >= number:
        raise BadFrame(f"Asked for trades below {number}, the venue gives {rows[-1].id}.", "They were not used.")
    return rows
