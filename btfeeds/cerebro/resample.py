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

from typing import Any

import backtrader as bt

from btfeeds.cerebro.buckets import Buckets
from btfeeds.cerebro.stamps import days, ms_of, timeframe
from btfeeds.cerebro.zones import fits
from btfeeds.errors import ConfigError
from btfeeds.market import TICK, Timeframe

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
        self.zone = zone_for(data, self.source, self.target)
        self.bucket: tuple[int, int] | None = None
        self._buckets = Buckets(self.target, self.zone)
        self._values: dict[str, float] = {}
        self._end = 0
        self._sum_rest = 0.0  # what the sum of the volumes lost by rounding
        self._over = 0  # larger bars that open before this were delivered
        self._price: float | None = None  # the close before
        self._untraded = False  # whether nobody traded in the bar under way, as far as it goes
        self._quiet: float | None = None  # the price at which the bar under way began without trades
        self._whole: bool | None = None  # whether the bar under way has its beginning; None before the first one
        data.resampling = 1
        data._timeframe, data._compression = number, compression

    def restart(self) -> None:
        """Forget the bar under way: a new run begins."""
        self.bucket = self._whole = self._price = None
        self._over = 0

    def __call__(self, data: Any) -> bool:
        stamp = ms_of(data.datetime[0])
        opened = self.source.back(stamp, 1) if data.stamps_close else stamp
        if self.bucket and opened >= self.bucket[1]:
            self._deliver(data)
        if opened < self._over:  # a trade behind its time: what it belongs to was delivered
            data.backwards()
            return True
        untraded = _untraded(data, self._price)
        self._price = data.lines.close[0]
        if self.bucket is None:
            self.bucket = self._buckets.bounds(opened)
            first = self._whole is None
            self._whole = not first or data.begins(opened) <= self.bucket[0]
            self._untraded, self._quiet = untraded, None
            self._begin(data)
        elif self._untraded and not untraded:
            self._untraded, self._quiet = False, self._values["close"]
            self._begin(data)
        else:
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
        if self.bucket and data.settled() >= self.bucket[1] and not data.ahead(self.bucket[1]):
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
        if self._quiet is not None and self._values["volume"] == 0:
            # No volumes at all, as of an index: the flat bars it began with count as any other.
            self._values["open"] = self._quiet
            self._values["high"] = max(self._values["high"], self._quiet)
            self._values["low"] = min(self._values["low"], self._quiet)
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


def _untraded(data: Any, price: float | None) -> bool:
    """Whether this is a row some venues have for a bar without trades: flat, at the close before it (`price`)."""
    lines = data.lines
    close = lines.close[0]
    return bool(
        lines.volume[0] == 0
        and lines.open[0] == lines.high[0] == lines.low[0] == close
        and (price is None or close == price)
    )


def zone_for(data: Any, source: Timeframe, target: Timeframe) -> Any:
    """The zone at whose midnights larger bars begin. Raises ConfigError where bars of `source` do not end there."""
    if source.unit in "dwM":
        return data.days_zone()  # days that are there already keep their midnight, whatever zone they are shown in
    zone = data._gettz()
    if zone is None or target.unit not in "dwM" or source == TICK or fits(zone, source.ms):
        return zone
    raise ConfigError(
        f"Bars of {target} in the zone {zone} cannot be made of bars of {source}.",
        "The data was not added.",
        "Midnight there lies within one of them: take smaller bars, or leave tz out for days of UTC.",
    )


def restart(data: Any) -> None:
    """Begin a run with nothing under way, whatever an earlier run left behind."""
    made = grouped(data)
    if made is not None:
        made.restart()


def under_way(data: Any) -> bool:
    """Whether bars were taken off the feed for a larger bar that is not complete yet."""
    made = grouped(data)
    return made is not None and made.bucket is not None


def shown(data: Any) -> int:
    """Every bar that opens before this has been shown by the feed to its clones, or will never be."""
    if data._barstack:
        return 0
    settled = int(data.settled())
    put_off = len(data) < data.buflen()  # a bar, for an older one of another feed
    return min(settled, open_time(data, 1)) if put_off else settled


def grouped(data: Any) -> Resampling | None:
    """What makes larger bars of this feed's, if anything does."""
    return next((a_filter for a_filter, _, _ in data._filters if isinstance(a_filter, Resampling)), None)


def open_time(data: Any, ago: int) -> int:
    """When the bar of `data` at `ago` opened, in epoch ms."""
    stamp = ms_of(data.lines.datetime[ago])
    frame = timeframe(data._timeframe, data._compression)
    made = grouped(data)
    if made is None:
        return frame.back(stamp, 1) if data.stamps_close else stamp
    return Buckets(frame, made.zone).bounds(stamp - 1 if data.stamps_close else stamp)[0]


def check(data: Any, forcedata: Any, trusts_clock: bool) -> None:
    """Let filters close what is under way: ours whenever they ask, others (by the wall clock) only when live."""
    for a_filter, args, kwargs in data._filters:
        if hasattr(a_filter, "check") and (trusts_clock or isinstance(a_filter, Resampling)):
            a_filter.check(data, *args, _forcedata=forcedata, **kwargs)
