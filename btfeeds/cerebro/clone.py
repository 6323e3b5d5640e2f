"""A second view of a feed: what Cerebro makes of a feed that it has already, to resample or replay it."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import backtrader as bt

from btfeeds.cerebro import broker
from btfeeds.cerebro.replay import Replaying, cloneable
from btfeeds.cerebro.resample import Resampling, check, grouped, open_time, restart, shown
from btfeeds.cerebro.stamps import timeframe, utc


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
        cloneable(self)
        return type(self)(dataname=self.data, **kwargs)  # type: ignore[call-arg]

    def copyas(self, _dataname: str, **kwargs: Any) -> Any:
        copy = self.clone(**kwargs)
        copy._dataname = copy._name = _dataname
        return copy

    def islive(self) -> bool:
        return bool(self.data.islive())

    def ahead(self, instant: int) -> bool:
        """As of the feed."""
        return bool(self.data.ahead(instant))

    def days_zone(self) -> Any:
        """The zone at whose midnights the bars of a day or more begin; None is UTC."""
        made = grouped(self.data)
        return self.data.days_zone() if made is None else made.zone

    def _gettz(self) -> Any:
        return self.data._gettz()

    def _timeoffset(self) -> Any:
        return self.data._timeoffset()

    def start(self) -> None:
        super().start()
        broker.begin(self)
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
        broker.show_again(self)
        if not self._preloaded:
            self._dlen -= size  # a bar shown again after a rewind is not one more bar of the feed

    def advance_peek(self) -> float:
        broker.rest(self)
        coming: float = super().advance_peek()
        return coming

    def home(self) -> None:
        super().home()
        broker.clear(self)

    def rewind(self, size: int = 1) -> None:
        super().rewind(size)
        broker.take_back(self)

    def next(self, datamaster: Any = None, ticks: bool = True) -> bool | None:
        if self.replaying:
            broker.remember(self)
        got: bool | None = super().next(datamaster, ticks=ticks or bool(self.replaying))
        if not got:
            broker.rest(self)
        return got

    _tick_fill = broker.fill
    _tick_nullify = broker.clear

    def _check(self, forcedata: Any = None) -> None:
        check(self, forcedata, self.data.trusts_clock())

    def _last(self, datamaster: Any = None) -> bool:
        length = len(self)
        last: bool = super()._last(datamaster)
        if len(self) > length:
            broker.fill(self, force=True)
        else:
            broker.rest(self)
        return last
