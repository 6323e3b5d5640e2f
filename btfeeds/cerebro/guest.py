"""A backtest's feed beside live ones: all its bars are at hand, and each of them waits for its turn.

Until a live feed's history has come in, a bar of the backtest is put off as long as that feed has yet to give what
belongs before or beside it. Otherwise a strategy would see an hour of the backtest before its minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt

from btfeeds.cerebro.stamps import ms_of
from btfeeds.cerebro.wake import Wake, wake_of


class Guest:
    """Its place at the Wake. There is no stream, and no wait but that for its turn."""

    def __init__(self, wake: Wake, *, by_close: bool) -> None:
        """`by_close`: the stamps of all feeds are openings, so bars have their turn by when they closed."""
        self.wake = wake
        self.by_close = by_close
        self.instant: int | None = None  # when the bar closed that had to be put off
        wake.guests.append(self)

    def goes(self, instant: int) -> bool:
        """Whether the bar of `instant` may be given now. If not it is put off, to be asked about again."""
        self.instant = instant
        if self.waits:
            return False
        self.instant = None
        return True

    @property
    def waits(self) -> bool:
        """Whether a bar was put off, and its turn has not come yet."""
        return self.instant is not None and self.wake.kept(self.instant)

    @property
    def ready(self) -> bool:
        """Whether it gives a bar when it is asked."""
        return self.instant is None or not self.wake.owed(self.instant, None)

    def leave(self) -> None:
        """Nothing will be given any more. Any number of times."""
        if self in self.wake.guests:
            self.wake.guests.remove(self)


def guest_of(feed: Any) -> Guest | None:
    """A place for this feed, where there are live ones in its Cerebro and it is not part of another (backfill_from)."""
    datas = feed._env.datas
    lively = [data for data in datas if data is not feed and data.islive()]
    if not lively or not any(data is feed for data in datas):
        return None
    closes = feed.stamps_close or any(getattr(data, "stamps_close", True) for data in lively)
    return Guest(wake_of(feed._env), by_close=not closes)


def row(feed: Any, guest: Guest | None, read: Callable[[], bool | None]) -> bool | None:
    """`read` the next row of a feed. None: not now, because its turn has not come."""
    if guest is None:
        return read()
    if guest.waits:
        return None
    if not read():
        guest.leave()
        return False
    number = feed.lines.datetime[0]
    if feed._tzinput:  # which backtrader applies when the row is there
        number = bt.date2num(feed._tzinput.localize(bt.num2date(number)))
    if number > feed.todate:
        guest.leave()
        return True
    stamp = ms_of(number)
    if guest.goes(feed._base.close(stamp) if guest.by_close else stamp):
        return True
    feed._idx -= 1  # it is read again
    return None
