"""A backtest from the warehouse: whole columns at once, stamped as a live feed stamps them.

    cerebro.adddata(btfeeds.HistoryFeed(dataname="BTC/USDT", venue="binance", timeframe="1m", fromdate="2024-01-01"))

Nobody is asked for anything unless `missing="download"` says so; then what is not there yet is downloaded and kept.
"""

from __future__ import annotations

import difflib
from typing import Any, ClassVar

import pandas as pd

from btfeeds import inventory
from btfeeds.cerebro import filling, options
from btfeeds.cerebro.guest import Guest, guest_of, row
from btfeeds.cerebro.stamps import timeframe
from btfeeds.cerebro.wanted import WantedBars
from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import ConfigError, HistoryIncomplete
from btfeeds.history.derived import MINUTE, Derived
from btfeeds.history.kinds import classify
from btfeeds.manager import DataManager, opened, series_venue
from btfeeds.market import Subscription, Symbol, TimeRange, iso
from btfeeds.warehouse import Warehouse

_COLUMNS = ("open", "high", "low", "close", "volume", "filled")


class HistoryFeed(WantedBars):
    """The bars of one series of a warehouse.

    - `dataname`: the symbol; `venue`: whose bars, as `btfeeds warehouse ls` names them, or "auto" together with
      missing="download": whoever has them (manager.DataManager)
    - `timeframe`, `compression`, `fromdate`, `todate`, `history`: as for a live feed; without them all there is, and
      without `todate` it ends where the series ends
    - `warehouse`: a folder, a Warehouse, or True (default) for BTFEEDS_WAREHOUSE
    - `missing`: what to do about bars nobody was ever asked for: "stop" raises HistoryIncomplete, "skip" goes on
      without them, "download" has them downloaded and kept
    - `gaps`: what to do about bars the venue does not have: "mark" leaves them out, "fill" puts flat bars there, "stop"
      ends with an error; see cerebro.filling
    - `stamp`, `tz`, `sessionstart`, `sessionend`: as for a live feed
    """

    params: ClassVar[Any] = (
        ("timeframe", None),
        ("venue", None),
        ("warehouse", True),
        ("history", None),
        ("missing", "stop"),
        ("stamp", None),
        ("gaps", "mark"),
        ("clock", None),
    )

    def __init__(self, *args: Any, **unknown: Any) -> None:
        if args:
            raise TypeError("HistoryFeed takes keyword arguments only, as in dataname='BTC/USDT'")
        for name in unknown:
            close = difflib.get_close_matches(name, self.p._getkeys(), n=1)
            raise TypeError(f"HistoryFeed has no parameter {name!r}{f'; did you mean {close[0]!r}?' if close else ''}")
        self._downloaded: pd.DataFrame | None = None
        self._span: tuple[int | None, int] = (None, 0)
        self._start_asked: int | None = None
        self._exhausted = False
        self._guest: Guest | None = None  # beside live feeds
        self._feed_clock: Clock = self.p.clock or SystemClock()
        options.settle_series(self.p, framed=False)
        options.check_missing(self.p)
        self.stamps_close = self.p.stamp == "close"
        self._base = timeframe(self.p.timeframe, self.p.compression)
        self._symbol = Symbol(self.p.dataname)
        self.p.dataname = pd.DataFrame({name: pd.Series(dtype="float64") for name in _COLUMNS})
        self._name = self.p.name or str(self._symbol)
        super().__init__()

    def start(self) -> None:
        self._exhausted = False
        if self._downloaded is None:  # once, so that every run of an optimization has the same
            with opened(self.p.warehouse, self._feed_clock) as warehouse:
                self._downloaded = self._read(warehouse)
        self._start_asked = self._span[0]
        self.p.dataname = self._downloaded
        super().start()
        self.leave()
        self._guest = guest_of(self)

    def leave(self) -> None:
        """Nobody waits for this one any more."""
        guest, self._guest = self._guest, None
        if guest is not None:
            guest.leave()

    def _load(self) -> bool | None:
        loaded = row(self, self._guest, super()._load)
        self._exhausted = loaded is False
        return loaded

    def settled(self) -> int:
        """Every bar that opens before this (epoch ms) is in the lines, or will never come."""
        return self._span[1] if self._exhausted else 0

    # --- the bars ----------------------------------------------------------------------------------------------------

    def _read(self, warehouse: Warehouse) -> pd.DataFrame:
        venue = series_venue(self.p.venue)
        assert self._symbol is not None
        series = Subscription(venue, self._symbol, self._base)
        span = self._wanted(warehouse, series)
        self._span = (span.start, span.end)
        if self.p.missing == "download":
            with DataManager(warehouse, clock=self._feed_clock) as manager:
                frame = manager.download(self._symbol, self._base, span.start, span.end, provider=self.p.venue)
        else:
            self._complete(warehouse, series, span)
            frame = warehouse.read(venue, self._symbol, self._base, span.start, span.end)
        return filling.settle(frame, self._base, self.p.gaps, name=str(series), omits_empty=inventory.omits(series))

    def _wanted(self, warehouse: Warehouse, series: Subscription) -> TimeRange:
        """From when until when: what the parameters say, else all there is."""
        now = self._feed_clock.now()
        start = self._ms(self.p.fromdate) if self.p.fromdate else options.history_start(self.p.history, self._base, now)
        end = self._until_ms()
        if start is None or (end is None and self.p.missing != "download"):
            there = _extent(warehouse, series)
            if there is None:
                raise HistoryIncomplete(
                    f"The warehouse {warehouse.root} has no bars of {series}.",
                    "The feed was not started.",
                    f"Fetch them: btfeeds fetch {series} --from …; `btfeeds warehouse ls` lists what there is.",
                )
            start = there.start if start is None else start
            end = there.end if end is None else end
        span = TimeRange(start, min(end or now, now))
        if not span:
            self._empty(warehouse, series, span)
        return TimeRange(span.start, max(span.start, span.end))

    def _empty(self, warehouse: Warehouse, series: Subscription, span: TimeRange) -> None:
        """There is no time in `span`: because nobody was asked for it, or because of what was said. Raises unless that
        is to be passed over.
        """
        until = self._until_ms()
        if until is not None and until <= span.start:
            raise ConfigError(
                f"{series}: from {iso(span.start)} to {iso(until)} there is no time.",
                "The feed was not started.",
                "fromdate has to lie before todate.",
            )
        if self.p.missing == "stop":
            now = self._feed_clock.now()
            raise HistoryIncomplete(
                f"{series}: the warehouse {warehouse.root} has no whole bar from {iso(span.start)} on.",
                "The feed was not started.",
                f"btfeeds fetch {series} --from {iso(span.start)}; `btfeeds warehouse ls` tells what there is.",
                missing=((span.start, now),) if span.start < now else (),
            )

    def _complete(self, warehouse: Warehouse, series: Subscription, span: TimeRange) -> None:
        """Make what can be made of minutes. Raises HistoryIncomplete where bars are left that nobody was asked for."""
        missing = warehouse.missing(series, span)
        if missing and classify(series.symbol).always_open and not warehouse.readonly:
            Derived(warehouse).make(series, missing)
            missing = warehouse.missing(series, span)
        if missing and self.p.missing == "stop":
            more = f" and {len(missing) - 1} more spans" if len(missing) > 1 else ""
            raise HistoryIncomplete(
                f"{series}: nobody was asked yet for {missing[0]}{more}.",
                "The feed was not started.",
                f"btfeeds fetch {series} --from {iso(span.start)} --to {iso(span.end)}; or use missing=\"skip\".",
                missing=tuple((one.start, one.end) for one in missing),
            )


def _extent(warehouse: Warehouse, series: Subscription) -> TimeRange | None:
    """From the first to the last bar of a series, or of the minutes that it can be made of."""
    for one in (series, Subscription(series.venue, series.symbol, MINUTE)):
        known = warehouse.get(one)
        if known is not None and known.rows:
            end = one.timeframe.close(known.last)
            return TimeRange(series.timeframe.ceil(known.first), series.timeframe.floor(end))
    return None
