"""US shares: which trades count for a bar, as their sale conditions let them, and what else venues have in common.

The SIPs that consolidate the tapes name the conditions and give guidelines for days; vendors add what holds for a
minute. A trade has several conditions, and the strictest counts. It is one of three kinds: it moves prices, or volume
and number of trades only (an odd lot, an average price), or nothing at all: a report of an official price. A condition
that nobody documents moves no price, so that none is invented.

Alpaca: "How are bars aggregated?", https://docs.alpaca.markets/docs/market-data-faq
Massive: https://massive.com/docs/rest/stocks/market-operations/condition-codes, and "How does Polygon create the OHLCV
    aggregate bars?", https://polygon.io/knowledge-base
CTS: https://www.ctaplan.com/publicdocs/ctaplan/CTS_Pillar_Output_Specification.pdf, with the consolidated guidelines
UTP: https://utpplan.com/DOC/UtpBinaryOutputSpec.pdf
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from btfeeds.market import HIGH_LOW, PRICES
from btfeeds.sessions import US_EQUITIES
from btfeeds.venues.base import Venue


class Shares(Venue):
    """A venue of US shares: what is so because they are."""

    assets = ("equities",)
    sessions = US_EQUITIES
    conditions = True
    counts_trades = False
    # Ten seconds late a trade may be reported. Alpaca makes its minutes a second after their end, and again at 30 s:
    # https://alpaca.markets/learn/stock-minute-bars
    settles_ms = 1_000
    late_ms = 30_000


# --- Alpaca: the SIPs' letters, by tape -------------------------------------------------------------------------------

_NYSE = frozenset(" @EFKLOTX56")  # regular (UTP's sign for it, too), automatic, sweep, rule 127, sold last, opening, …
_NASDAQ = frozenset("@ ABDFKLOTXY56")  # B is a bunched trade here, and an average price at NYSE
_OTC = frozenset("@ T")
_PRICED: Mapping[str, frozenset[str]] = {"A": _NYSE, "B": _NYSE, "C": _NASDAQ, "O": _OTC}
_REPORTS = frozenset("MQ9")  # official close, official open, corrected consolidated close: no trades


def by_letters(letters: Collection[str], tape: str) -> int | None:
    """What of a minute a trade with these conditions moves, besides its volume; None: it moves nothing."""
    if not _REPORTS.isdisjoint(letters):
        return None
    return PRICES if letters and _PRICED.get(tape, frozenset()).issuperset(letters) else 0


# --- Massive: numbers -------------------------------------------------------------------------------------------------

# Form T (12) is kept from a day's prices only: there would be no minutes before and after the session. The status of a
# share (57-71) is none of the trade. Any other moves volume only: an average price (2), cash (7), extended hours out of
# sequence (13), next day (20), price variation (21), seller (29), an odd lot (37), contingent (52, 53), and 6, 35 and
# 55, of which sources differ `?`.
_BY_NUMBER: dict[int, int] = dict.fromkeys((*range(57, 61), *range(62, 72)), PRICES)
_BY_NUMBER |= dict.fromkeys((0, 1, 3, 4, 8, 9, 11, 12, 14, 17, 18, 19, 23, 24, 25, 27, 28, 30, 31, 34, 36, 41), PRICES)
# Out of their sequence, or priced by something else: bunched sold, derivatively priced, prior reference, sold.
_BY_NUMBER |= dict.fromkeys((5, 10, 22, 32, 33), HIGH_LOW)
_REPORTED = frozenset((15, 16, 38))  # as _REPORTS; 38 moves prices of days


def by_numbers(numbers: Collection[int]) -> int | None:
    """As `by_letters`, with Massive's numbers. No conditions at all are a regular trade's."""
    if not _REPORTED.isdisjoint(numbers):
        return None
    moves = PRICES
    for number in numbers:
        moves &= _BY_NUMBER.get(number, 0)
    return moves
