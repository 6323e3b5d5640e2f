"""A feed as Cerebro's guest: what backtrader asks of a feed that has nothing to do with where its bars come from.

Zones without pytz, stamps with the close, resampling that groups rightly, statuses, and lines that can be cut.
"""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import Any, ClassVar

import backtrader as bt
import numpy as np
import numpy.typing as npt

from btfeeds.cerebro import broker, guard
from btfeeds.cerebro.bulk import BulkPandasData
from btfeeds.cerebro.clone import Clone
from btfeeds.cerebro.replay import Replaying, cloneable
from btfeeds.cerebro.resample import Resampling, check, open_time, restart
from btfeeds.cerebro.stamps import utc
from btfeeds.cerebro.wake import wake_of
from btfeeds.cerebro.zones import zone
from btfeeds.live.status import Status
from btfeeds.market import Timeframe


class HostedFeed(BulkPandasData):
    """Base of our feeds. A subclass sets `_base` and `stamps_close`, and tells what its bars have come to.

    The line `filled` is 1.0 where a bar is not the venue's but stands flat in a gap (gaps="fill"), and 0.0 otherwise.
    """

    lines: ClassVar[Any] = ("filled",)
    params: ClassVar[Any] = (("filled", -1),)
    _without_column = MappingProxyType({"filled": 0.0})
    _base: Timeframe
    stamps_close = False
    _resampling = 0
    _cut = 0  # bars cut off the left of the lines

    def settled(self) -> int:
        """Every bar that opens before this (epoch ms) is in the lines, or will never come."""
        return 0

    def begins(self, first: int) -> int:
        """When the first bar would have opened, had there been trades; `first` is when it did."""
        return first

    def lacks(self, start: int, end: int) -> bool:
        """Whether a larger bar of this span would lack what the feed should have given."""
        return False

    def ahead(self, instant: int) -> bool:
        """Whether what closes at `instant` would come before older bars of another feed, whose history comes in."""
        return wake_of(self._env).behind(instant, getattr(self, "_seat", None))

    def days_zone(self) -> Any:
        """The zone at whose midnights the bars of a day or more begin; None is UTC, as at every venue."""
        return getattr(getattr(self.p.dataname, "index", None), "tz", None)

    def trusts_clock(self) -> bool:
        """Whether filters that close bars by the wall clock may do so."""
        return True

    def setenvironment(self, env: Any) -> None:
        guard.check_new(env, self)
        guard.check_owner(env, self)
        super().setenvironment(env)
        guard.install(env)

    def _stopped(self) -> bool:
        return bool(self._env._event_stop)

    def start(self) -> None:
        super().start()
        broker.begin(self)
        self._cut = 0
        restart(self)

    # --- time --------------------------------------------------------------------------------------------------------

    def _gettz(self) -> Any:
        return zone(self.p.tz)

    def _gettzinput(self) -> Any:
        return zone(self.p.tzinput)

    def date2num(self, moment: dt.datetime) -> float:
        number: float = super().date2num(moment) if moment.tzinfo is None else bt.date2num(moment)
        return number

    def _stamps(self, us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if not self.stamps_close:
            return us
        if self._base.unit != "M":
            return us + self._base.ms * 1000
        return np.array([self._base.close(int(time) // 1000) * 1000 for time in us], dtype=np.int64)

    def opened(self, ago: int = 0) -> dt.datetime:
        """When the bar opened, as a naive UTC datetime."""
        return utc(self.open_time(ago))

    def open_time(self, ago: int = 0) -> int:
        """When the bar opened, in epoch ms."""
        return open_time(self, ago)

    # --- resampling and cutting ----------------------------------------------------------------------------------

    def clone(self, **kwargs: Any) -> Clone:
        cloneable(self)
        return Clone(dataname=self, **kwargs)  # type: ignore[call-arg]

    def copyas(self, _dataname: str, **kwargs: Any) -> Clone:
        copy = self.clone(**kwargs)
        copy._dataname = copy._name = _dataname
        return copy

    def resample(self, **kwargs: Any) -> None:
        """Called by `cerebro.resampledata`."""
        self.addfilter(Resampling, **kwargs)

    def replay(self, **kwargs: Any) -> None:
        """Called by `cerebro.replaydata`."""
        self.addfilter(Replaying, **kwargs)

    @property
    def resampling(self) -> int:
        return 0  # see clone.Clone.resampling

    @resampling.setter
    def resampling(self, value: int) -> None:
        self._resampling = value

    def qbuffer(self, savemem: int = 0, replaying: bool = False) -> None:
        for line in self.lines:
            line.qbuffer(savemem=savemem, extrasize=self._resampling or replaying)

    def buflen(self) -> int:
        """How many bars there are, those that were cut off included."""
        length: int = self.lines.buflen() + self._cut
        return length

    def _check(self, forcedata: Any = None) -> None:
        check(self, forcedata, self.trusts_clock())

    # --- what the broker trades on -----------------------------------------------------------------------------------

    _tick_fill = broker.fill
    _tick_nullify = broker.clear

    def next(self, datamaster: Any = None, ticks: bool = True) -> bool | None:
        if self.replaying:
            broker.remember(self)
        got: bool | None = super().next(datamaster, ticks=ticks or bool(self.replaying))
        if not got:
            broker.rest(self)
        return got

    def rewind(self, size: int = 1) -> None:
        super().rewind(size)
        broker.take_back(self)

    def advance(self, size: int = 1, datamaster: Any = None, ticks: bool = True) -> None:
        super().advance(size, datamaster, ticks=ticks)
        broker.show_again(self)

    def advance_peek(self) -> float:
        broker.rest(self)  # in a preloaded run this is all that a feed hears of a round in which it does not move
        coming: float = super().advance_peek()
        return coming

    def home(self) -> None:
        super().home()
        broker.clear(self)  # the last bar of all that were loaded

    def _last(self, datamaster: Any = None) -> bool:
        length = len(self)
        last: bool = super()._last(datamaster)
        if len(self) > length:
            broker.fill(self, force=True)
        else:
            broker.rest(self)
        return last

    # --- statuses ----------------------------------------------------------------------------------------------------

    def _say_last_word(self, reason: str) -> None:
        """Cerebro has left its loop (`runstop`) and asks for no more words; the last one is said all the same."""
        if self._laststatus == Status.DISCONNECTED:
            return
        self.put_notification(Status.DISCONNECTED, reason)
        for status, args, kwargs in self.get_notifications():
            self._env._notify_data(self, status, *args, **kwargs)
            for strategy in getattr(self._env, "runningstrats", ()):
                strategy.notify_data(self, status, *args, **kwargs)

    def put_notification(self, status: int, *args: Any, **kwargs: Any) -> None:
        """As backtrader's; but UNKNOWN, which carries facts (a gap, a correction), is not a change of status."""
        if status == Status.UNKNOWN:
            self.notifs.append((int(status), args, kwargs))
        else:
            super().put_notification(int(status), *args, **kwargs)
