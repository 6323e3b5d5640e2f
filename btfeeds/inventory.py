"""Taking stock of one series of a warehouse: what is missing and why, how good it is, how far another one agrees.

A series is looked at in pieces, so that ten years of minutes need little memory; each piece together with the bars
around it, because what is strange is so beside its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from btfeeds import venues
from btfeeds.columns import Columns
from btfeeds.errors import MissingExtra, UnsupportedTimeframe
from btfeeds.history.kinds import Kind, classify
from btfeeds.history.ranges import pages
from btfeeds.market import Subscription, TimeRange
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.crosscheck import CrossCheck, compare
from btfeeds.warehouse.findings import Report
from btfeeds.warehouse.gapreport import GapReport, report
from btfeeds.warehouse.strange import Policy
from btfeeds.warehouse.validation import validate

_PIECE = 50_000  # bars
_POLICY = Policy()
_DAY_MS = 86_400_000
# exchanges by the suffix of a symbol, where they have a calendar
_EXCHANGES = {
    "L": "XLON", "DE": "XETR", "F": "XFRA", "PA": "XPAR", "AS": "XAMS", "BR": "XBRU", "MI": "XMIL", "MC": "XMAD",
    "SW": "XSWX", "VI": "XWBO", "ST": "XSTO", "HE": "XHEL", "CO": "XCSE", "OL": "XOSL", "TO": "XTSE", "MX": "XMEX",
    "SA": "BVMF", "T": "XTKS", "HK": "XHKG", "SS": "XSHG", "KS": "XKRX", "TW": "XTAI", "NS": "XBOM", "BO": "XBOM",
    "AX": "XASX", "NZ": "XNZE",
}  # fmt: skip


def extent(warehouse: Warehouse, series: Subscription) -> TimeRange | None:
    """From the first to the last bar of a series; None where it has none."""
    known = warehouse.get(series)
    if known is None or not known.rows:
        return None
    return TimeRange(known.first, series.timeframe.close(known.last))


def pieces(warehouse: Warehouse, series: Subscription, span: TimeRange) -> Iterator[Columns]:
    """The bars of `span`, in pieces."""
    for piece in pages(span, series.timeframe, _PIECE):
        bars = warehouse.rows(series, piece).bars
        if len(bars):
            yield bars


def gaps(warehouse: Warehouse, series: Subscription, span: TimeRange, calendar: str = "") -> GapReport:
    """Where there are no bars in `span`, and why. `calendar`: see sessions.market; "" takes what fits the symbol.

    Raises ConfigError and MissingExtra about a calendar that was named.
    """
    times = [bars.open_time for bars in pieces(warehouse, series, span)]
    opens = np.concatenate(times) if times else np.empty(0, dtype=np.int64)
    covered = warehouse.covered(series, span)
    known = warehouse.get(series)
    listed = known.first if known is not None and known.rows else 0

    def by(calendar: str) -> GapReport:
        return report(
            opens, series.timeframe, span, covered, calendar=calendar, omits=omits(series), listed=listed
        )

    try:
        return by(calendar or fitting(series))
    except MissingExtra:
        if calendar:
            raise
        return by("us")


def validated(warehouse: Warehouse, series: Subscription, span: TimeRange) -> Report:
    """What is wrong or strange in the bars of `span`."""
    found: list[Report] = []
    nothing = before = Columns.from_bars([])
    many, few = _POLICY.around
    for bars, behind in _with_next(pieces(warehouse, series, span)):
        seen = Columns.joined([before, bars, nothing if behind is None else behind.take(slice(0, few))])
        own = TimeRange(int(bars.open_time[0]), int(bars.open_time[-1]) + 1)
        found.append(validate(seen, series.timeframe, _POLICY, within=own))
        before = Columns.joined([before, bars]).take(slice(-many, None))
    return Report.of_pieces(found) if found else validate(nothing, series.timeframe)


def _with_next(parts: Iterator[Columns]) -> Iterator[tuple[Columns, Columns | None]]:
    """Each part with the one behind it; None behind the last."""
    held = next(parts, None)
    while held is not None:
        behind = next(parts, None)
        yield held, behind
        held = behind


def compared(warehouse: Warehouse, series: Subscription, other: Subscription, span: TimeRange) -> CrossCheck:
    """How far another series agrees in `span`."""
    return compare(warehouse.rows(series, span).bars, warehouse.rows(other, span).bars)


def omits(series: Subscription) -> bool:
    """Whether the venue leaves out bars without trades. Where it is not one of ours, it is taken to."""
    if series.venue not in venues.names():
        return True
    made = venues.provider(series.venue, key="not needed to know this")
    try:
        made.base_timeframe(series.timeframe)
    except UnsupportedTimeframe:
        return True  # made of trades
    return made.omits_empty_bars


def fitting(series: Subscription) -> str:
    """The calendar of a series' market, as well as its symbol tells."""
    kind = classify(series.symbol)
    if kind.always_open:
        return "24/7"
    if kind is Kind.FX:
        return "fx"
    if kind is Kind.FUTURE:
        return "CMES"
    if kind is Kind.FOREIGN:
        return _EXCHANGES.get(series.symbol.rpartition(".")[2], "XNYS")
    # a day of shares is a day of the regular session; minutes may come before and after it
    return "XNYS" if series.timeframe.ms >= _DAY_MS or kind is Kind.INDEX else "us"
