"""US shares: which trades count for a bar, as their sale conditions let them, and what else venues have in common.

The SIPs that consolidate the tapes name the conditions and give guidelines for days; vendors add what holds for a
minute. A trade has several conditions, and the strictest counts. It is one of three kinds: it moves prices, or volume
and number of trades only (an odd lot, an average price), or nothing at all: a report of an official price. A condition
that nobody documents moves no price, so that none is invented.

Alpaca: "How are bars aggregated?", https://docs.alpaca.markets/docs/market-data-faq
Massive: https://massive.com/docs/rest/stocks/market-operations/condition-codes
    "How does Polygon create the OHLCV aggregate bars?", https://polygon.io/knowledge-base
    "Does a Form T trade update a pre-market minute bar's …?", https://massive.com/knowledge-base
CTS: https://www.ctaplan.com/publicdocs/ctaplan/CTS_Pillar_Output_Specification.pdf, with the consolidated guidelines
UTP: https://utpplan.com/DOC/UtpBinaryOutputSpec.pdf
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from btfeeds.errors import MissingExtra
from btfeeds.market import HIGH_LOW, PRICES, TimeRange
from btfeeds.sessions import US_EQUITIES, Exchange, Market, Sessions
from btfeeds.venues.base import Venue

_DAY_MS = 86_400_000


class Shares(Venue):
    """A venue of US shares: what is so because they are."""

    assets = ("equities",)
    sessions = US_EQUITIES
    conditions = True
    counts_trades = False
    # Ten seconds late a trade may be reported. Alpaca makes its minutes a second after their end, and again at 30 s:
    # https://alpaca.markets/learn/stock-minute-bars. Before that nobody knows whether a quiet minute has a bar.
    settles_ms = 1_000
    late_ms = lag_ms = 30_000
    grace_ms = 32_000


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

# The status of a share (57-71) is none of the trade. What is not here moves volume only: an average price (2), cash
# (7), extended hours out of sequence (13), next day (20), price variation (21), seller (29), an odd lot (37),
# contingent (52, 53), and 6, 35 and 55, of which sources differ `?`.
_BY_NUMBER: dict[int, int] = dict.fromkeys((*range(57, 61), *range(62, 72)), PRICES)
_BY_NUMBER |= dict.fromkeys((0, 1, 3, 4, 9, 11, 12, 14, 17, 18, 19, 23, 24, 25, 27, 28, 30, 31, 34, 36, 41), PRICES)
# Out of their sequence, or priced by something else: bunched sold, derivatively priced, sold; prior reference (22) `?`:
# of a day it moves high and low, of minutes nobody says.
_BY_NUMBER |= dict.fromkeys((5, 10, 22, 32, 33), HIGH_LOW)
# As _REPORTS; 38 moves prices of days. The closing cross (8) `?`: who rebuilt Massive's bars of trades has found it in
# the day's and in no minute's; it is millions of shares, so that leaving it out is the smaller mistake.
_REPORTED = frozenset((8, 15, 16, 38))
_FORM_T = 12  # made outside of the regular hours: there it moves prices, or there would be no minutes


def by_numbers(numbers: Collection[int], time: int) -> int | None:
    """As `by_letters`, with Massive's numbers, of a trade at `time`. No conditions at all are a regular trade's."""
    if not _REPORTED.isdisjoint(numbers):
        return None
    moves = PRICES
    for number in numbers:
        moves &= _BY_NUMBER.get(number, 0)
    return 0 if moves and _FORM_T in numbers and _is_regular(time) else moves


def _is_regular(time: int) -> bool:
    day = time - time % _DAY_MS  # the regular hours of New York lie within one day of UTC
    return any(time in hours for hours in _regular_hours(day))


@lru_cache(maxsize=16)
def _regular_hours(day: int) -> list[TimeRange]:
    """09:30 to 16:00 in New York; with the package exchange_calendars holidays and short days are known."""
    market: Market
    try:
        market = Exchange("XNYS")
    except MissingExtra:
        market = Sessions("America/New_York", opens=9 * 60 + 30, closes=16 * 60)
    try:
        return market.spans(TimeRange(day, day + _DAY_MS))
    except (ValueError, OverflowError):  # it is no time at all, which its trade will be asked
        return []
