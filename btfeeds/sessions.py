"""When a market is open at all: outside its sessions no bar is due, and nothing is missing.

With the package exchange_calendars (extra `calendars`) holidays and short days are known. US equities and currencies
also have a rule of weekdays and hours: without the package a holiday looks like a quiet market, about which history
is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from btfeeds.errors import ConfigError, MissingExtra
from btfeeds.market import TimeRange

_DAY = dt.timedelta(days=1)
_LONGEST_CLOSURE = 12  # days


class Market(Protocol):
    """Anything that knows when it is open."""

    def spans(self, span: TimeRange) -> list[TimeRange]:
        """When the market is open in `span`: ascending, apart, none empty."""
        ...


class AlwaysOpen:
    """A market that never closes."""

    def spans(self, span: TimeRange) -> list[TimeRange]:
        return [span] if span else []


class Sessions:
    """The trading days of one market: from `opens` to `closes` (local minutes of the day) on every day of business."""

    def __init__(self, zone: str, opens: int, closes: int, calendar: str = "") -> None:
        self._zone = ZoneInfo(zone)
        self._opens = dt.timedelta(minutes=opens)
        self._closes = dt.timedelta(minutes=closes)
        self._calendar = calendar

    def next_open(self, time: int) -> int:
        """The first instant at or behind `time` (epoch ms) at which the market is open."""
        day = _day(time, self._zone)
        for _ in range(_LONGEST_CLOSURE):
            start, end = self._session(day)
            if time < end:
                return max(time, start)
            day += _DAY
        return time  # a calendar that ends here knows nothing

    def spans(self, span: TimeRange) -> list[TimeRange]:
        """When the market is open in `span`."""
        return _within(span, (TimeRange(*self._session(day)) for day in _days_of(span, self._zone)))

    def _session(self, day: dt.date) -> tuple[int, int]:
        """The session of a day in epoch ms; empty on a day without one."""
        midnight = dt.datetime.combine(day, dt.time(), self._zone)
        return (_ms(midnight + self._opens), _ms(midnight + self._closes)) if self._works(day) else (0, 0)

    def _works(self, day: dt.date) -> bool:
        if day.weekday() >= 5:
            return False
        known = _days(self._calendar) if self._calendar else None
        return known is None or not known.first <= day <= known.last or day in known.days


class Weeks:
    """A market that is open without a break from Sunday to Friday, each at `hour` o'clock there."""

    def __init__(self, zone: str, hour: int) -> None:
        self._zone = ZoneInfo(zone)
        self._hour = dt.time(hour)

    def spans(self, span: TimeRange) -> list[TimeRange]:
        """When the market is open in `span`."""
        sundays = (day for day in _days_of(TimeRange(span.start - 7 * 86_400_000, span.end), self._zone)
                   if day.weekday() == 6)  # fmt: skip
        return _within(span, (TimeRange(self._at(day), self._at(day + 5 * _DAY)) for day in sundays))

    def _at(self, day: dt.date) -> int:
        return _ms(dt.datetime.combine(day, self._hour, self._zone))


class Exchange:
    """The regular sessions of an exchange, with holidays, short days and lunch breaks. Times outside the years that
    its calendar knows count as closed.
    """

    def __init__(self, name: str) -> None:
        """Raises MissingExtra, and ConfigError when there is no calendar of this name."""
        self._name = name
        calendar(name)

    def spans(self, span: TimeRange) -> list[TimeRange]:
        """When the market is open in `span`."""
        if not span:
            return []
        first, last = (dt.datetime.fromtimestamp(edge // 1000, dt.UTC).date() for edge in (span.start, span.end))
        known = calendar(self._name, first.year)
        held = known.schedule.loc[str(first - _DAY) : str(last + _DAY)]
        columns = (held[name] for name in ("open", "break_start", "break_end", "close"))
        rows = zip(*(column.dt.as_unit("ms").array.asi8.tolist() for column in columns), strict=True)
        return _within(span, _parts(rows))


def _parts(rows: Iterator[tuple[int, int, int, int]]) -> Iterator[TimeRange]:
    """Sessions, in two parts where there is a break; a break that is not there is a negative number (NaT)."""
    for opened, pause, resumed, closed in rows:
        if pause > 0:
            yield TimeRange(opened, pause)
            yield TimeRange(resumed, closed)
        else:
            yield TimeRange(opened, closed)


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


def calendar(name: str, year: int = 0) -> Any:
    """A calendar of exchange_calendars that reaches back to `year`, where it is known so far; 0: as far as it does by
    itself (20 years). Raises MissingExtra, and ConfigError when there is none of this name.
    """
    try:
        import exchange_calendars  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise MissingExtra("exchange_calendars", "calendars", "Knowing the holidays of a market") from None
    try:
        known = _loaded(name, "")
    except exchange_calendars.errors.InvalidCalendarName:
        raise ConfigError(
            f"There is no calendar {name!r}.",
            "Nothing was started.",
            f"Use {', '.join(MARKETS)}, or an exchange's code: XNYS, XLON, XETR, XTKS, XHKG, CMES …",
        ) from None
    if not 0 < year <= known.first_session.year:
        return known
    earliest = known.bound_min()
    return _loaded(name, f"{max(year, earliest.year) if earliest is not None else year}-01-01")


@lru_cache(maxsize=32)
def _loaded(name: str, start: str) -> Any:
    import exchange_calendars

    return exchange_calendars.get_calendar(name, **({"start": start} if start else {}))


def market(name: str) -> Market:
    """The hours of a market: a key of MARKETS, or an exchange by the name exchange_calendars gives it ("XNYS").

    Raises MissingExtra where that package is needed, and ConfigError when it does not know the name.
    """
    return MARKETS.get(name) or Exchange(name)


def _day(time: int, zone: dt.tzinfo) -> dt.date:
    return dt.datetime.fromtimestamp(time // 1000, zone).date()


def _days_of(span: TimeRange, zone: dt.tzinfo) -> Iterator[dt.date]:
    """The days that have a share in `span`."""
    day, last = _day(span.start, zone), _day(span.end, zone)
    while day <= last:
        yield day
        day += _DAY


def _within(span: TimeRange, sessions: Iterator[TimeRange]) -> list[TimeRange]:
    """What of ascending sessions lies in `span`; those that touch are one."""
    held: list[TimeRange] = []
    for session in sessions:
        part = TimeRange(max(session.start, span.start), min(session.end, span.end))
        if part and held and held[-1].end == part.start:
            held[-1] = TimeRange(held[-1].start, part.end)
        elif part:
            held.append(part)
    return held


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)


# Bars of US equities: pre-market, the regular session and after hours. A short day ends its after hours sooner; then
# the market is quiet for the rest of them.
US_EQUITIES = Sessions("America/New_York", opens=4 * 60, closes=20 * 60, calendar="XNYS")

# Currencies: the week begins on Sunday and ends on Friday at five in New York.
CURRENCIES = Weeks("America/New_York", hour=17)

MARKETS: dict[str, Market] = {"24/7": AlwaysOpen(), "us": US_EQUITIES, "fx": CURRENCIES}
