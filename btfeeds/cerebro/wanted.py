"""Which bars a feed wants, and whose: the symbol, the venue's hosts, from when until when; a backtest's download."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from typing import TYPE_CHECKING

import pandas as pd

from btfeeds import settings, venues
from btfeeds.cerebro import filling, options
from btfeeds.cerebro.hosted import HostedFeed
from btfeeds.cerebro.resample import under_way
from btfeeds.cerebro.wake import Source
from btfeeds.clock import Clock
from btfeeds.live.items import Gap
from btfeeds.live.resume import Position, claim
from btfeeds.market import TICK, Bar, Subscription, Symbol, to_ms
from btfeeds.venues.base import Venue

if TYPE_CHECKING:
    from btfeeds.live.stored import Stored


class WantedBars(HostedFeed):
    """The part of a feed that turns its parameters into instants and hosts. A subclass has the parameters."""

    _symbol: Symbol | None
    _feed_clock: Clock  # not `_clock`: backtrader takes that for the line which moves another
    _downloaded: pd.DataFrame | None
    _span: tuple[int | None, int]
    _start_asked: int | None
    _position: Position | None = None
    _gaps: deque[Gap]  # that were declared last
    _loaded: Bar | None = None  # handed to Cerebro, and not known to be dealt with yet

    def _venue(self) -> Venue:
        made = self.p.venue if isinstance(self.p.venue, Venue) else self._named_venue()
        if self.p.sandbox:
            made.bars_of = options.sandbox_series(made.name)
        return made

    def _named_venue(self) -> Venue:
        rest_url, stream_url = options.sandbox_hosts(self.p)
        rest_url, stream_url = settings.hosts(self.p.venue, rest_url, stream_url)
        key, secret = (settings.secret(self.p.venue, name) for name in ("API_KEY", "API_SECRET"))
        return venues.venue(self.p.venue, rest_url=rest_url, stream_url=stream_url, key=key, secret=secret)

    # --- an earlier run ----------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        """Find out where an earlier run ended, and keep that place up to date from now on. Raises StateError."""
        if self.p.resume is not None:
            assert self._symbol is not None
            subscription = Subscription(self._venue().name, self._symbol, self._base)
            self._position = claim(self.p.resume, subscription, self._feed_clock.now())

    def _passed(self) -> None:
        """Cerebro begins another round: the strategies' `next()` has returned for the bar loaded last.

        Unless it was put off for an older bar of another feed, or is part of a larger bar under way.
        """
        bar = self._loaded
        if bar is None or self._position is None or len(self) < self.buflen() or under_way(self):
            return
        self._loaded = None
        self._position.keep(bar)

    def _finish(self, reason: str) -> None:
        if self._seen():
            self._passed()
        self._say_last_word(reason)

    def _let_go(self) -> None:
        position, self._position = self._position, None
        self._loaded = None
        if position is not None:
            position.close()

    def _seen(self) -> bool:
        """Whether every strategy has been given the bar loaded last: `runstop` may come in between."""
        for strategy in getattr(self._env, "runningstrats", ()):
            lengths = getattr(strategy, "_dlens", ())
            given = [length for data, length in zip(strategy.datas, lengths, strict=False) if data is self]
            if given != [len(self)]:
                return False
        return True

    # --- from when until when, and whose -----------------------------------------------------------------------------

    def _start_ms(self, now: int) -> int | None:
        if self._position is not None and self._position.last is not None:
            behind = self._base.close(self._position.last.open_time)
            return behind if self.p.fromdate is None else max(behind, self._ms(self.p.fromdate))
        if not self.p.backfill_start:
            return None
        if self.p.fromdate is not None:
            start: int | None = self._ms(self.p.fromdate)
        else:
            start = options.history_start(self.p.history, self._base, now)
        return None if start is None else max(0, start)  # nobody who streams has bars from before 1970

    def begins(self, first: int) -> int:
        """When the first bar would have opened, had there been trades; `first` is when it did."""
        if self._base == TICK:
            return first + 1  # trades of the same instant may have come before
        return first if self._start_asked is None else min(first, self._start_asked)

    def lacks(self, start: int, end: int) -> bool:
        """Whether trades of this span were missed: history has none. (Bars that are declared are not there at all.)"""
        return self._base == TICK and any(gap.start < end and gap.end >= start for gap in self._gaps)

    def _until_ms(self) -> int | None:
        """No bar that opens here or later is wanted: the last one is stamped `todate` at the latest."""
        if self.p.todate is None:
            return None
        end = self._base.floor(self._ms(self.p.todate))
        return end if self.stamps_close else self._base.close(end)

    def _ms(self, moment: dt.datetime) -> int:
        tz = self._gettz()
        return to_ms(tz.localize(moment) if tz is not None and moment.tzinfo is None else moment)

    def _download(self) -> pd.DataFrame:
        """The bars of a backtest; fetched once, so that every run of an optimization has the same."""
        if self._downloaded is None:
            from btfeeds.live.stream import omits_empty  # here: a live run may do without

            now = self._feed_clock.now()
            venue = self._venue()
            start = self._start_ms(now)
            end = min(self._until_ms() or now, now)
            self._downloaded = filling.settle(
                self._bars(venue, start, end),
                self._base,
                self.p.gaps,
                name=f"{venue.name} {self._symbol} {self._base}",
                omits_empty=omits_empty(venue, self._base),
            )
            self._span = (start, end)
        self._start_asked = self._span[0]
        return self._downloaded

    def _bars(self, venue: Venue, start: int | None, end: int) -> pd.DataFrame:
        from btfeeds.history.downloader import DataDownloaderFactory

        downloader = DataDownloaderFactory.create(venue.name, rest_url=venue.rest_url, clock=self._feed_clock)
        downloader.provider.bars_of = venue.bars_of
        warehouse = self.p.warehouse
        if warehouse is None or warehouse is False:
            return downloader.download(str(self._symbol), self._base, start, end)
        from btfeeds.manager import DataManager, opened

        with (
            opened(warehouse, self._feed_clock) as kept,
            DataManager(kept, clock=self._feed_clock, create=lambda _: downloader) as manager,
        ):
            return manager.download(str(self._symbol), self._base, start, end, provider=venue.name)

    def _stored(self, venue: Venue, subscription: Subscription) -> Stored | None:
        """The feed's share of a warehouse, where it has one."""
        if self.p.warehouse is None or self.p.warehouse is False:
            return None
        from btfeeds.live.stored import claim as share

        return share(self.p.warehouse, venue, subscription, self._feed_clock)

    def make_stream(self, start: int | None, until: int | None) -> Source:
        """The stream of this feed: from `start` (None: no history) to `until` (None: without end), in epoch ms."""
        from btfeeds.live.stream import Stream  # here: a backtest needs no network code
        from btfeeds.live.ticks import TickStream

        venue = self._venue()
        assert self._symbol is not None
        subscription = Subscription(venue.name, self._symbol, self._base)
        if self._base == TICK:
            ticks: Source = TickStream(
                venue, subscription, clock=self._feed_clock, start=start, until=until, capacity=self.p.buffer
            )
            return ticks
        stream: Source = Stream(
            venue,
            subscription,
            clock=self._feed_clock,
            start=start,
            until=until,
            gaps=self.p.gaps,
            after=self._position.last if self._position else None,
            reckoned_at=self._feed_clock.now() if self.p.fromdate is None else None,
            capacity=self.p.buffer,
            backfill=self.p.backfill,
            stored=self._stored(venue, subscription),
        )
        return stream

    def _timeoffset(self) -> dt.timedelta:
        return dt.timedelta(milliseconds=self._feed_clock.now() - time.time_ns() // 1_000_000)
