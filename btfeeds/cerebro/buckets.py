"""Which larger bar a smaller one belongs to: by the instant it *opens*.

Seconds, minutes and hours lie on the UTC grid, as at every venue; days, weeks and months begin at midnight of a time
zone (UTC unless told otherwise), weeks on Mondays.
"""

from __future__ import annotations

import datetime as dt

from btfeeds.market import Timeframe, to_ms

_EPOCH = dt.date(1970, 1, 1)
_MONDAY = dt.date(1970, 1, 5)


class Buckets:
    """The larger bars of one timeframe in one time zone."""

    def __init__(self, timeframe: Timeframe, zone: dt.tzinfo | None = None) -> None:
        self.timeframe = timeframe
        self._zone = zone if timeframe.unit in "dwM" else None
        self._open = self._close = 0

    def bounds(self, time: int) -> tuple[int, int]:
        """When the bar in which `time` lies opens and closes, in epoch ms."""
        if not self._open <= time < self._close:
            if self._zone is None:
                self._open = self.timeframe.floor(time)
                self._close = self.timeframe.close(self._open)
            else:
                first, following = self._dates(time)
                self._open, self._close = self._midnight(first), self._midnight(following)
        return self._open, self._close

    def _dates(self, time: int) -> tuple[dt.date, dt.date]:
        utc = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=time)
        date = utc.astimezone(self._zone).date()
        count = self.timeframe.count
        if self.timeframe.unit == "M":
            months = date.year * 12 + date.month - 1
            months -= months % count
            return _first(months), _first(months + count)
        length = count * (7 if self.timeframe.unit == "w" else 1)
        origin = _MONDAY if self.timeframe.unit == "w" else _EPOCH
        first = date - dt.timedelta(days=(date - origin).days % length)
        return first, first + dt.timedelta(days=length)

    def _midnight(self, date: dt.date) -> int:
        midnight = dt.datetime(date.year, date.month, date.day)
        localize = getattr(self._zone, "localize", None)  # pytz zones must not be put on with replace
        return to_ms(localize(midnight) if localize else midnight.replace(tzinfo=self._zone))


def _first(months: int) -> dt.date:
    return dt.date(months // 12, months % 12 + 1, 1)
