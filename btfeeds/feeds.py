"""Feeds for backtrader: history, then live bars, in a Cerebro.

    cerebro.adddata(btfeeds.live("binance", "BTC/USDT", "1m", history="30d"))
    cerebro.adddata(btfeeds.BinanceLiveDataFeed(dataname="BTC/USDT", timeframe="1m", history=500, align=2.0))

Bars are stamped with their close. The status words (DELAYED, LIVE, CONNBROKEN …) come in their place between the
bars. Nothing here touches the network or waits for it: that is the stream's, on threads of its own.
"""

from __future__ import annotations

import difflib
import weakref
from collections import deque
from typing import Any, ClassVar

import pandas as pd

from btfeeds import venues
from btfeeds.cerebro import broker, options
from btfeeds.cerebro.guest import Guest, guest_of, row
from btfeeds.cerebro.prelude import Prelude
from btfeeds.cerebro.stamps import days, parsed, timeframe
from btfeeds.cerebro.trim import trim
from btfeeds.cerebro.wake import Seat, Source, Wake, wake_of
from btfeeds.cerebro.wanted import WantedBars
from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import BtfeedsError, ConfigError
from btfeeds.live.items import Delivery, Gap, Notice
from btfeeds.live.status import Status
from btfeeds.market import TICK, Symbol
from btfeeds.venues.base import Venue

_COLUMNS = ("open", "high", "low", "close", "volume", "filled")
_NOTHING = pd.DataFrame(columns=_COLUMNS, dtype="float64")  # live, what PandasData reads


class BaseLiveDataFeed(WantedBars):
    """Live bars of one symbol and timeframe, after as much history as wanted.

    - `dataname`: the symbol, as in "BTC/USDT" (or a DataFrame, for a backtest as with PandasData)
    - `venue`: its name, as in "binance" (the classes per venue know it)
    - `timeframe`, `compression`: "1m", "4h", "1d" … or backtrader's numbers; default one minute. "tick" or
      bt.TimeFrame.Ticks: each trade is a bar, stamped with its own time; live only
    - `history`: how much before now: "30d", "2h", a number of bars, or None; or `fromdate` instead
    - `fromdate`, `todate`: as everywhere in backtrader; a plain date as `todate` means its whole day
    - `historical`: True downloads fromdate..todate (or `history`) and ends: a backtest, preloaded, runonce possible
    - `backfill_start`: False starts without history; `backfill`: False declares gaps instead of repairing them;
      `backfill_from`: a feed whose bars come before live ones: one of ours, or one with stamps like this feed's
    - `stamp`: "close" (default) or "open": which instant of a bar the datetime line holds. A DataFrame's index is
      taken to be opening times, as `download()` makes it, and stays as it is unless you say "close"
    - `align`: seconds a bar may wait for bars of other symbols that closed at the same instant, to come in one next()
    - `keep`: cut the lines of the whole Cerebro to about this many bars. 0 (default) keeps everything, because
      charts need it and only you know how far your strategy looks back; orders and trades are never cut
    - `qcheck`: the longest idle wait in seconds; `buffer`: bars that may wait for a slow strategy
    - `gaps`: what to do about bars the venue does not have: "mark" tells (UNKNOWN with a Gap as payload), "fill" also
      puts flat bars there (the line `filled` is 1.0), "hold" waits for them, "stop" ends the feed; see live.stream
    - `resume`: a file that remembers the last bar, and from which a live run that starts again continues, whatever
      `history` and `fromdate` would give: no bar is missing, and which ones can come twice is said in live.resume
    - `warehouse`: bars on disk: a folder, a Warehouse, or True for BTFEEDS_WAREHOUSE. History is read there first, only
      the rest is downloaded, and what comes live is kept
    - `tz`, `sessionstart`, `sessionend`: as everywhere in backtrader; tz may be a name, without pytz
    - `rest_url`, `stream_url`, `sandbox`, `clock`: other hosts, the venue's test hosts, another time. A warehouse keeps
      the bars of test hosts as a series of their own ("binance sandbox")

    Larger timeframes: `cerebro.resampledata(feed, timeframe=bt.TimeFrame.Minutes, compression=5)`, mixed with
    `cerebro.adddata(feed)` as you like. A larger bar, too, is stamped exactly with its close: a day's bar carries the
    next day's 00:00, so `datetime.date(0)` is the next day; `feed.opened(ago)` tells when a bar opened. Days, weeks
    and months begin at midnight of `tz` (UTC by default). `replaydata` is backtrader's own and groups by stamps: the
    bar that closes at midnight counts to the next day there; replay days with stamp="open".
    """

    params: ClassVar[Any] = (
        ("timeframe", None),
        ("qcheck", 0.5),
        ("historical", False),
        ("backfill_start", True),
        ("backfill", True),
        ("backfill_from", None),
        ("history", None),
        ("stamp", None),
        ("gaps", "mark"),
        ("resume", None),
        ("warehouse", None),
        ("align", 0.0),
        ("buffer", 4096),
        ("venue", None),
        ("sandbox", False),
        ("keep", 0),
        ("rest_url", ""),
        ("stream_url", ""),
        ("clock", None),
    )

    def __init__(self, *args: Any, **unknown: Any) -> None:
        if args:
            raise TypeError(f"{type(self).__name__} takes keyword arguments only, as in dataname='BTC/USDT'")
        for name in unknown:
            close = difflib.get_close_matches(name, self.p._getkeys(), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"{type(self).__name__} has no parameter {name!r}{hint}")
        self._seat: Seat | None = None
        self._wake: Wake | None = None
        self._finalizer: Any = None
        self._guest: Guest | None = None  # of a backtest's feed beside live ones
        self._downloaded: pd.DataFrame | None = None
        self._span: tuple[int | None, int] = (None, 0)
        self._gaps: deque[Gap] = deque(maxlen=64)
        self._over = self._exhausted = self._at_hand = False
        self._settled = 0
        self._feed_clock: Clock = self.p.clock or SystemClock()
        self.error: BtfeedsError | None = None
        self.summary: Any = None
        framed = isinstance(self.p.dataname, pd.DataFrame)
        options.settle(self.p, framed=framed)
        self.stamps_close = self.p.stamp == "close"
        self._base = timeframe(self.p.timeframe, self.p.compression)
        self._symbol: Symbol | None = None
        if not framed:
            self._symbol = Symbol(self.p.dataname)
            if not isinstance(self.p.venue, Venue):
                self.p.venue = streaming(self.p.venue)
            self.p.dataname = _NOTHING
            self._name = self.p.name or str(self._symbol)
        self._lives = self._symbol is not None and not self.p.historical
        super().__init__()

    # --- what backtrader asks before a run ---------------------------------------------------------------------------

    def islive(self) -> bool:
        """Whether bars come as they happen: then Cerebro neither preloads nor runs once."""
        return self._lives

    def __getstate__(self) -> dict[str, Any]:
        # Optimizations send feeds to other processes: threads, locks and sockets stay here.
        return {**self.__dict__, "_seat": None, "_guest": None, "_wake": None, "_finalizer": None, "_position": None}

    # --- start and end -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.leave()
        self._settled = 0
        self._over = self._at_hand = False  # at hand: `load` has fetched a bar for `_load`
        self._exhausted = False
        self._last_open: int | None = None
        self._gaps.clear()
        self._start_asked: int | None = None
        self._sources = ["", ""]
        self.error = self.summary = None
        if self._symbol is not None and self.p.historical:
            self.p.dataname = self._download()
        super().start()
        if not self.islive():
            self._guest = guest_of(self)
            return
        self._start_finish()
        lines = self.lines
        self._targets = (lines.open, lines.high, lines.low, lines.close, lines.volume, lines.datetime, lines.filled)
        self._claim()
        if self.p.backfill_from is None:
            self._open(self._start_ms(self._feed_clock.now()))
        else:
            self._sit(Prelude(self.p.backfill_from, self._env, self._base, stamps_close=self.stamps_close))

    def stop(self) -> None:
        super().stop()
        if self.islive():
            self._finish("stopped")
        self.leave()

    def leave(self) -> None:
        """Close the stream. Called at the end of a run, however it ends; harmless when there is nothing to close."""
        self._let_go()
        if self._guest is not None:
            self._guest.leave()
        self._rise()

    def _rise(self) -> None:
        """Leave the Wake and the venue: nothing comes any more. The run may go on for other feeds."""
        self._settled = self.settled()
        seat, self._seat = self._seat, None
        if seat is None or self._wake is None:
            return
        self._wake.leave(seat)
        self.error = seat.stream.error or self.error
        self.summary = seat.stream.summary
        self._finalizer.detach()
        seat.stream.close()

    def _open(self, start: int | None) -> None:
        """Subscribe. Never blocks."""
        if self._start_asked is None:
            self._start_asked = start
        stream = self.make_stream(start, self._until_ms())
        stream.open(self._sit(stream).push)

    def _sit(self, stream: Source) -> Wake:
        """Take a place at the Wake, in place of the one there was."""
        self._wake = wake_of(self._env)
        venue, align = self._venue(), round(self.p.align * 1000)
        turn = 60_000 / venue.limits.weight_per_minute
        seat = Seat(stream, self._base, self._feed_clock, align, host=venue.name, turn_ms=turn)
        self._wake.join(seat, self._seat)
        self._seat = seat
        self._finalizer = weakref.finalize(self, stream.abandon)
        return self._wake

    # --- live --------------------------------------------------------------------------------------------------------

    def haslivedata(self) -> bool:
        return self._seat is not None and self._seat.stream.waiting

    def do_qcheck(self, onoff: bool, qlapse: float) -> None:
        if self._seat is None or self._wake is None:
            super().do_qcheck(onoff, qlapse)
            return
        self._qcheck = self.p.qcheck
        if self._wake.ask(self._seat):
            for data in self._env.datas:
                if isinstance(data, WantedBars):
                    data._passed()
        if self.p.keep and len(self) - self._cut > 2 * self.p.keep:
            trim(self._env, max(getattr(data.p, "keep", 0) for data in self._env.datas))

    def next(self, datamaster: Any = None, ticks: bool = True) -> bool | None:
        if self._idle():
            broker.rest(self)
            return None
        got: bool | None = super().next(datamaster, ticks=ticks)
        if got and self._wake is not None:
            self._wake.delivered = True
        return got

    def _idle(self) -> bool:
        """The short way out, for the many feeds that have nothing when one has: as `super().next()` would find out."""
        seat, wake = self._seat, self._wake
        return (
            seat is not None
            and wake is not None
            and wake.spent
            and seat.held is None
            and seat.resting
            and not (seat.stream.finished or self._barstack or self._barstash)
            and len(self) >= self.buflen()
        )

    def load(self) -> bool | None:
        live = self.islive()
        if live and not (self._barstack or self._barstash):
            got = self._fetch()
            if not got:  # nothing to make room for
                return got
            self._at_hand = True
        loaded: bool | None = super().load()
        if live and loaded is False and not self._over:  # past todate
            self._over = True
            self.put_notification(Status.DISCONNECTED, "the end of the asked range")
            self.leave()
        return loaded

    def _load(self) -> bool | None:
        if not self.islive():
            loaded = row(self, self._guest, super()._load)
            self._exhausted = loaded is False
            return loaded
        if not self._at_hand and not (got := self._fetch()):
            return got
        self._at_hand = False
        seat = self._seat
        assert seat is not None
        assert seat.held is not None
        delivery, seat.held = seat.held, None
        bar = delivery.bar
        self._loaded, self._last_open = bar, bar.open_time
        self._sources[len(self) & 1] = delivery.source
        stamp = self._base.close(bar.open_time) if self.stamps_close else bar.open_time
        o, h, lo, c, v, d, filled = self._targets
        o[0], h[0], lo[0], c[0], v[0], d[0] = bar.open, bar.high, bar.low, bar.close, bar.volume, days(stamp)
        filled[0] = 1.0 if delivery.source == "filled" else 0.0
        if isinstance(seat.stream, Prelude):
            seat.stream.copy(self.lines)
        return True

    def _fetch(self) -> bool | None:
        """True: a bar is at hand; None: not now; False: never again. Waits, when it is this feed's turn to."""
        if self._over:
            return False
        seat, wake = self._seat, self._wake
        if seat is None or wake is None:
            return False
        while True:
            if seat.held is None and not self._pull(seat):
                if isinstance(seat.stream, Prelude):
                    seat = self._begin_itself()
                    continue
                if seat.stream.finished:
                    self._over = True
                    self._rise()
                    return False
            elif not wake.must_hold(seat):
                return True
            if not wake.wait(seat, self._qcheck, self._stopped):
                return None

    def _pull(self, seat: Seat) -> bool:
        """Take from the stream up to the next bar; words that come before it are said now, in their place."""
        while (item := seat.pull()) is not None:
            if isinstance(item, Delivery):
                # several trades may have one time, and their stream alone knows their order
                if self._last_open is None or item.bar.open_time > self._last_open or self._base == TICK:
                    seat.held = item
                    return True
            else:
                self._tell(seat, item)
        return False

    def _tell(self, seat: Seat, notice: Notice) -> None:
        seat.hear(notice.status)
        if isinstance(notice.payload, Gap):
            self._gaps.append(notice.payload)
        extra = () if notice.payload is None else (notice.payload,)
        self.put_notification(notice.status, notice.reason, *extra)

    def _begin_itself(self) -> Seat:
        """The stream begins behind the last bar of `backfill_from`."""
        start = self._start_ms(self._feed_clock.now())
        if self._last_open is not None:
            start = max(self._base.close(self._last_open), start or 0)
        self._open(start)
        assert self._seat is not None
        return self._seat

    # --- what clones, filters and backtrader ask ---------------------------------------------------------------------

    def settled(self) -> int:
        """Every bar that opens before this (epoch ms) is in the lines, or will never come."""
        if not self.islive():
            return self._span[1] if self._exhausted else 0
        seat = self._seat
        if seat is None:
            return self._settled
        return seat.stream.settled if seat.held is None else min(seat.stream.settled, seat.held.bar.open_time)

    def trusts_clock(self) -> bool:
        """Whether filters that close bars by the wall clock may do so: during history they would cut bars in two."""
        return not self.islive() or (self._seat is not None and self._seat.stream.live)

    # --- for strategies ----------------------------------------------------------------------------------------------

    def venue_time(self) -> int:
        """The venue's clock, as well as it is known (epoch ms)."""
        return self._feed_clock.now() if self._seat is None else self._seat.stream.now()

    @property
    def source(self) -> str:
        """Where the current bar came from: "history", "live" or "backfill"; "" in a backtest."""
        return self._sources[len(self) & 1]


def _class_of(name: str, venue: str) -> Any:
    """The feed class of one venue: `BaseLiveDataFeed` that knows its `venue`."""
    facts = {"params": (("venue", venue),), "__module__": __name__, "__doc__": f"Live bars of {venue}."}
    kind: Any = type(BaseLiveDataFeed)
    return kind(name, (BaseLiveDataFeed,), facts)


# One class per venue of the registry (BinanceLiveDataFeed, …), real names of this module, so that they can be pickled.
_CLASSES = {venue: _class_of(name, venue) for name, venue in venues.feed_classes().items()}
globals().update({made.__name__: made for made in _CLASSES.values()})
BinanceLiveDataFeed = _CLASSES["binance"]
BinanceUSLiveDataFeed = _CLASSES["binanceus"]
BinanceFuturesLiveDataFeed = _CLASSES["binanceusdm"]


def streaming(name: str) -> str:
    """The registry's name of a venue that has a stream. Raises ConfigError for an unknown one, and for one without."""
    if name in _CLASSES:
        return name
    from btfeeds.history.downloader import canonical  # here: a feed of a DataFrame needs no network code

    known = canonical(name)
    if known not in _CLASSES:
        raise ConfigError(
            f"{known} gives history only: it has no stream.",
            "Nothing was started.",
            "Fetch its bars (`btfeeds fetch`, DataManager) and backtest them with HistoryFeed.",
        )
    return known


def live(venue: str, symbol: str, timeframe: str, **params: Any) -> BaseLiveDataFeed:
    """A feed ready for `cerebro.adddata`. `params` are those of BaseLiveDataFeed. Raises ConfigError."""
    name = streaming(venue)
    feed: BaseLiveDataFeed = _CLASSES[name](
        dataname=symbol, venue=name, timeframe=parsed(timeframe), **params
    )
    return feed
