"""Larger bars from the bars of a feed: right groups, on time, in history and live alike, without look-ahead.

A bar goes into the larger bar in which it *opens*, and the larger bar is delivered in the same `next()` as the bar
that completes it, stamped exactly with its close: the bar of 1 March carries 2 March 00:00, `datetime.date(0)` is the
next day, and `opened()` tells when it opened. Where the completing bars never come (no trades), the larger bar closes
as soon as the stream knows that they will not; no wall clock is asked. A larger bar that is not complete is never
delivered: neither the last one, nor the first when the feed begins in the middle of it.

backtrader's own filter groups by stamps and closes by the wall clock; it is right for neither opening nor closing
stamps (midnight belongs to the wrong day, or the first bar is a minute), and mixing plain and resampled live feeds
makes Cerebro fail.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import backtrader as bt

from btfeeds.cerebro.buckets import Buckets
from btfeeds.cerebro.replay import Replaying
from btfeeds.cerebro.stamps import days, ms_of, timeframe, utc
from btfeeds.errors import ConfigError
from btfeeds.market import TICK

# What backtrader's Resampler can be told, with the only value that makes sense here.
_FIXED = {
    "bar2edge": True,
    "adjbartime": True,
    "rightedge": True,
    "boundoff": 0,
    "takelate": True,
    "sessionend": True,
}


class Resampling:
    """The filter: takes bars off a feed, gives larger ones."""

    replaying = False

    def __init__(self, data: Any, **options: Any) -> None:
        number = options.pop("timeframe", bt.TimeFrame.Days)
        compression = options.pop("compression", 1)
        for name, value in options.items():
            if name not in _FIXED or value != _FIXED[name]:
                raise ConfigError(
                    f"resampledata({name}={value!r}) does not go with a btfeeds feed.",
                    "The data was not added.",
                    "Bars are grouped by their opening and stamped with their close; leave the option out.",
                )
        self.source = timeframe(data._timeframe, data._compression)
        self.target = timeframe(number, compression)
        if not self.target.holds(self.source):
            raise ConfigError(
                f"Bars of {self.target} cannot be made of bars of {self.source}.",
                "The data was not added.",
                "Resample to a multiple; add the feed itself (adddata) or its smallest timeframe first.",
            )
        self.bucket: tuple[int, int] | None = None
        self._buckets: Buckets | None = None
        self._values: dict[str, float] = {}
        self._end = 0
        self._sum_rest = 0.0  # what the sum of the volumes lost by rounding
        self._over = 0  # larger bars that open before this were delivered
        self._untraded = False  # whether nobody traded in the bar under way
        self._whole: bool | None = None  # whether the bar under way has its beginning; None before the first one
        data.resampling = 1
        data._timeframe, data._compression = number, compression

    def restart(self) -> None:
        """Forget the bar under way: a new run begins."""
        self.bucket = None
        self._buckets = None
        self._whole = None
        self._over = 0

    def __call__(self, data: Any) -> bool:
        stamp = ms_of(data.datetime[0])
        opened = self.source.back(stamp, 1) if data.stamps_close else stamp
        if self.bucket and opened >= self.bucket[1]:
            self._deliver(data)
        if opened < self._over:  # a trade behind its time: what it belongs to was delivered
            data.backwards()
            return True
        untraded = _untraded(data)
        if self.bucket is None:
            if self._buckets is None:
                self._buckets = Buckets(self.target, data._tz)
            self.bucket = self._buckets.bounds(opened)
            first = self._whole is None
            self._whole = not first or data.begins(opened) <= self.bucket[0]
            self._untraded = untraded
            self._begin(data)
        elif self._untraded and not untraded:
            # Flat bars without trades repeat an older price: the larger bar opens with its first trade.
            self._untraded = False
            self._begin(data)
        elif self._untraded or not untraded:
            self._add(data)
        self._end = self.source.close(opened)
        data.backwards()  # the bar has been taken off the feed
        if self._end >= self.bucket[1]:
            self._deliver(data)
        return True

    def check(self, data: Any, _forcedata: Any = None) -> None:
        """Deliver the bar under way when no more bars will come for it. Cerebro asks in every idle round."""
        self.last(data)

    def last(self, data: Any) -> bool:
        """As `check`, at the end of the feed."""
        if self.bucket and data.settled() >= self.bucket[1]:
            self._deliver(data)
            return True
        return False

    def _begin(self, data: Any) -> None:
        self._values = {alias: getattr(data.lines, alias)[0] for alias in data.getlinealiases()}
        self._sum_rest = 0.0

    def _add(self, data: Any) -> None:
        values, lines = self._values, data.lines
        for alias in values:
            value = getattr(lines, alias)[0]
            if alias == "volume":
                total = values[alias]
                values[alias] = total + value
                larger, smaller = (total, value) if total >= value else (value, total)
                self._sum_rest += larger - values[alias] + smaller
            elif alias == "high":
                values[alias] = max(value, values[alias])
            elif alias in ("low", "filled"):  # filled only when all its bars are
                values[alias] = min(value, values[alias])
            elif alias != "open":
                values[alias] = value

    def _deliver(self, data: Any) -> None:
        assert self.bucket is not None
        # Never before the bar that completes it, or Cerebro would show the larger bar first. With opening stamps it
        # carries the stamp of its last bar, to be in the same next().
        end = max(self.bucket[1], self._end)
        self._values["datetime"] = days(end if data.stamps_close else self.source.back(end, 1))
        if self.source == TICK:  # as bars are made of trades everywhere: the decimal fraction that the sum is
            self._values["volume"] = round(self._values["volume"] + self._sum_rest, 10)
        if self._whole and not data.lacks(*self.bucket):
            data._add2stack([self._values[alias] for alias in data.getlinealiases()])
        self._over = self.bucket[1]
        self.bucket = None


class Clone(bt.feed.DataClone):
    """A second view of a feed, for `resampledata` and `replaydata` of a feed that is in the Cerebro already."""

    lines: ClassVar[Any] = ("filled",)

    def __init__(self) -> None:
        super().__init__()
        self.p.fromdate, self.p.todate = self.data.p.fromdate, self.data.p.todate
        # what the feed gives now, which is not its parameter when it is resampled itself
        self.p.timeframe, self.p.compression = self.data._timeframe, self.data._compression
        self._cut = 0

    # Cerebro treats a mix of resampled and plain feeds in a way that fails when a resampled bar comes alone. It is not
    # told: bars of all feeds come in order of their stamps, which is all that is wanted.
    @property
    def resampling(self) -> int:
        return 0

    @resampling.setter
    def resampling(self, value: int) -> None:
        self._resampling = value

    _resampling = 0

    def qbuffer(self, savemem: int = 0, replaying: bool = False) -> None:
        for line in self.lines:
            line.qbuffer(savemem=savemem, extrasize=self._resampling or replaying)

    def buflen(self) -> int:
        """How many bars there are, those that were cut off included."""
        length: int = self.lines.buflen() + self._cut
        return length

    @property
    def stamps_close(self) -> bool:
        return bool(self.data.stamps_close)

    def settled(self) -> int:
        """Every bar of the feed that opens before this is in here."""
        return shown(self.data) if self._dlen >= len(self.data) else 0

    def begins(self, first: int) -> int:
        """When the first bar would have opened, had there been trades; `first` is when it did."""
        return int(self.data.begins(first))

    def lacks(self, start: int, end: int) -> bool:
        """Whether what the feed should have given of this span is not all there."""
        return bool(self.data.lacks(start, end))

    def opened(self, ago: int = 0) -> dt.datetime:
        """When the bar opened, as a naive UTC datetime."""
        return utc(self.open_time(ago))

    def open_time(self, ago: int = 0) -> int:
        """When the bar opened, in epoch ms."""
        return open_time(self, ago)

    def resample(self, **kwargs: Any) -> None:
        self.addfilter(Resampling, **kwargs)
        self._name = f"{self.data._name} {timeframe(self._timeframe, self._compression)}"

    def replay(self, **kwargs: Any) -> None:
        self.addfilter(Replaying, **kwargs)

    def clone(self, **kwargs: Any) -> Any:
        return type(self)(dataname=self.data, **kwargs)  # type: ignore[call-arg]

    def copyas(self, _dataname: str, **kwargs: Any) -> Any:
        copy = self.clone(**kwargs)
        copy._dataname = copy._name = _dataname
        return copy

    def islive(self) -> bool:
        return bool(self.data.islive())

    def _timeoffset(self) -> Any:
        return self.data._timeoffset()

    def start(self) -> None:
        super().start()
        self._cut = 0
        self._preloaded = False
        restart(self)

    def preload(self) -> None:
        super().preload()
        self._preloaded = True

    def load(self) -> bool | None:
        if not (self._preloading or self._barstack or self._barstash or len(self.data) > self._dlen):
            return False
        loaded: bool | None = super().load()
        return loaded

    def advance(self, size: int = 1, datamaster: Any = None, ticks: bool = True) -> None:
        super().advance(size, datamaster, ticks=ticks)
        if not self._preloaded:
            self._dlen -= size  # a bar shown again after a rewind is not one more bar of the feed

    def next(self, datamaster: Any = None, ticks: bool = True) -> bool | None:
        if datamaster is None and self.data.islive():
            rest_ticks(self)
        got: bool | None = super().next(datamaster, ticks=ticks)
        return got

    def _check(self, forcedata: Any = None) -> None:
        check(self, forcedata, self.data.trusts_clock())

    def _last(self, datamaster: Any = None) -> bool:
        self._tick_nullify()
        last: bool = super()._last(datamaster)
        return last


def _untraded(data: Any) -> bool:
    """Whether this is a row some venues have for a bar without trades."""
    lines = data.lines
    return bool(lines.volume[0] == 0 and lines.open[0] == lines.high[0] == lines.low[0] == lines.close[0])


def restart(data: Any) -> None:
    """Begin a run with nothing under way, whatever an earlier run left behind."""
    for a_filter, _, _ in data._filters:
        if isinstance(a_filter, Resampling):
            a_filter.restart()


def under_way(data: Any) -> bool:
    """Whether bars were taken off the feed for a larger bar that is not complete yet."""
    return any(isinstance(a_filter, Resampling) and a_filter.bucket for a_filter, _, _ in data._filters)


def shown(data: Any) -> int:
    """Every bar that opens before this has been shown by the feed to its clones, or will never be."""
    if data._barstack or len(data) < data.buflen():
        return 0
    return int(data.settled())


def open_time(data: Any, ago: int) -> int:
    """When the bar of `data` at `ago` opened, in epoch ms."""
    stamp = ms_of(data.lines.datetime[ago])
    frame = timeframe(data._timeframe, data._compression)
    if not any(isinstance(a_filter, Resampling) for a_filter, _, _ in data._filters):
        return frame.back(stamp, 1) if data.stamps_close else stamp
    return Buckets(frame, data._tz).bounds(stamp - 1 if data.stamps_close else stamp)[0]


def check(data: Any, forcedata: Any, trusts_clock: bool) -> None:
    """Let filters close what is under way: ours whenever they ask, others (by the wall clock) only when live."""
    for a_filter, args, kwargs in data._filters:
        if hasattr(a_filter, "check") and (trusts_clock or isinstance(a_filter, Resampling)):
            a_filter.check(data, *args, _forcedata=forcedata, **kwargs)


def rest_ticks(data: Any) -> None:
    """Between bars there is only the last price. Without this the paper broker would fill a limit order on the range
    of a bar that was over when the order was made. A bar that is delivered puts its own prices here."""
    if len(data):
        price = data.lines[0][0]  # the first line is the close
        data.tick_open = data.tick_high = data.tick_low = data.tick_close = data.tick_last = price
