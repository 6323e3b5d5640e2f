"""Up to when an answer of history is the last word, by the venue's own clock.

Just behind the end of a bar the venue may still show the market as it was before it (`lag_ms`). What proves that it
does not is something later in the same answer: the next bar, or a trade behind the end. Where trades are reported late
(`late_ms`) nothing proves that a younger bar has all of its own, or that there is none. All times are epoch ms.
"""

from __future__ import annotations

from collections.abc import Iterable

from btfeeds.market import Timeframe

_SURE_MS = 1_000  # a Date header counts whole seconds, and history lags a little behind the close


def bars_until(
    timeframe: Timeframe, venue_time: int, opened: Iterable[int], lag_ms: int, late_ms: int = 0
) -> int:
    """Bars that open before this are final, in an answer of `venue_time` with bars that open at `opened`."""
    closed = timeframe.floor(venue_time - max(_SURE_MS, late_ms))
    youngest = timeframe.floor(max((time for time in opened if time <= venue_time), default=-1))
    if youngest >= 0 and timeframe.close(youngest) > venue_time - lag_ms:
        return min(closed, youngest)
    return closed


def trades_until(timeframe: Timeframe, venue_time: int, youngest: int, lag_ms: int) -> int:
    """Bars made of trades that open before this are whole: the youngest trade that was shown was made at `youngest`."""
    closed = timeframe.floor(venue_time - _SURE_MS)
    return min(closed, timeframe.floor(max(youngest, venue_time - lag_ms)))
