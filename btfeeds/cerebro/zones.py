"""Time zones the way backtrader wants them: with a `localize`, as only pytz has it.

Names, zoneinfo, dateutil and `datetime.timezone` work, whether pytz is installed or not.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

from btfeeds.errors import ConfigError


class Zone(dt.tzinfo):
    """A time zone that answers as the one it wraps, and has a `localize`."""

    def __init__(self, inner: dt.tzinfo) -> None:
        self.inner = inner

    def __getinitargs__(self) -> tuple[dt.tzinfo]:  # the name the pickle protocol of tzinfo asks for
        return (self.inner,)

    def __repr__(self) -> str:
        return f"Zone({self.inner!r})"

    def __str__(self) -> str:
        return str(self.inner)

    def _inside(self, moment: dt.datetime | None) -> Any:
        return None if moment is None else moment.replace(tzinfo=self.inner)

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta | None:
        return self.inner.utcoffset(self._inside(moment))

    def dst(self, moment: dt.datetime | None) -> dt.timedelta | None:
        return self.inner.dst(self._inside(moment))

    def tzname(self, moment: dt.datetime | None) -> str | None:
        return self.inner.tzname(self._inside(moment))

    def fromutc(self, moment: dt.datetime) -> dt.datetime:
        return self.inner.fromutc(self._inside(moment)).replace(tzinfo=self)

    def localize(self, moment: dt.datetime) -> dt.datetime:
        """The moment with this zone; one that has a zone already stays as it is."""
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=self)


def zone(tz: Any) -> Any:
    """A zone for backtrader: None, a pytz zone (as they are), a name, or any tzinfo. Raises ConfigError."""
    if tz is None or hasattr(tz, "localize"):
        return tz
    if isinstance(tz, str):
        try:
            return Zone(zoneinfo.ZoneInfo("CST6CDT" if tz == "CST" else tz))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            tz_text = tz
    elif isinstance(tz, dt.tzinfo):
        return Zone(tz)
    else:
        tz_text = repr(tz)
    raise ConfigError(
        f"{tz_text} is not a time zone.",
        "Nothing was started.",
        "Write an IANA name as in Europe/Berlin, or pass a tzinfo; on Windows: pip install tzdata",
    )


def fits(zone: dt.tzinfo, ms: int) -> bool:
    """Whether midnight of the zone always falls between two bars of so many ms (that divide a day of UTC)."""
    length = dt.timedelta(milliseconds=ms)
    months = (dt.datetime(year, month, 1, tzinfo=dt.UTC) for year in range(2000, 2038) for month in range(1, 13))
    return not any((month.astimezone(zone).utcoffset() or dt.timedelta()) % length for month in months)
