"""When a market is open at all: outside its sessions no bar is due, and nothing is missing.

With the package exchange_calendars (extra `calendars`) holidays and short days are known; without it the rule is
weekdays and hours, and a holiday looks like a quiet market, about which history is asked.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from btfeeds.errors import MissingExtra

_DAY = dt.timedelta(days=1)
_LONGEST_CLOSURE = 12  # days


class Sessions:
    """The trading days of one market: from `opens` to `closes` (local minutes of the day) on every day of business."""

    def __init__(self, zone: str, opens: int, closes: int, calendar: str = "") -> None:
        self._zone = ZoneInfo(zone)
        self._opens = dt.timedelta(minutes=opens)
        self._closes = dt.timedelta(minutes=closes)
        self._calendar = calendar

    def next_open(self, time: int) -> int:
        """The first instant at or behind `time` (epoch ms) at which the market is open."""
        day = dt.datetime.fromtimestamp(time // 1000, self._zone).date()
        for _ in range(_LONGEST_CLOSURE):
            start, end = self._session(day)
            if time < end:
                return max(time, start)
            day += _DAY
        return time  # a calendar that ends here knows nothing

    def _session(self, day: dt.date) -> tuple[int, int]:
        """The session of a day in epoch ms; empty on a day without one."""
        midnight = dt.datetime.combine(day, dt.time(), self._zone)
        opened, closed = ((midnight + span).timestamp() for span in (self._opens, self._closes))
        return (round(opened * 1000), round(closed * 1000)) if self._works(day) else (0, 0)

    def _works(self, day: dt.date) -> bool:
        if day.weekday() >= 5:
            return False
        known = _days(self._calendar) if self._calendar else None
        return known is None or not known.first <= day <= known.last or day in known.days


class _Days:
    """The days of business that a calendar knows."""

    def __init__(self, calendar: Any) -> None:
        self.days = {session.date() for session in calendar.sessions}
        self.first, self.last = calendar.first_session.date(), calendar.last_session.date()


@lru_cache(maxsize=8)
def _days(name: str) -> _Days | None:
    """The calendar's days; None without the package."""
    try:
        return _Days(calendar(name))
    except MissingExtra:
        return None


def calendar(name: str) -> Any:
    """A calendar of exchange_calendars. Raises MissingExtra."""
    try:
        import exchange_calendars  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise MissingExtra("exchange_calendars", "calendars", "Knowing the holidays of a market") from None
    return exchange_calendars.get_calendar(name)


# Bars of US equities: pre-market, the regular session and after hours. A short day ends its after hours sooner; then
# the market is quiet for the rest of them.
US_EQUITIES = Sessions("America/New_York", opens=4 * 60, closes=20 * 60, calendar="XNYS")
