"""Trades to bars, in exchange time, for timeframes and venues without a stream of bars.

A trade belongs to the bar in whose span its own time lies. The first trade of a later bar closes the one before, and so
does a venue that says which trade was its last when that bar was over. Where trades are numbered without holes, the
numbers prove more: that a bar is whole although its trades came out of order, and that nobody traded in between. The
bar that was under way when the stream began or broke, or that lacks a trade, is never given: history has it. Where
nothing is proved by numbers, a trade proves nothing by its own time, for it may come late: what counts is when it came.
The stream is heard from the arrival of its first trade on, and anew from that of the next one behind a doubt. So it is
behind a silence over the end of a bar: whether nobody traded there, or the stream was mute, nothing here can tell. A
trade that comes behind its bar changes it, and that is told; so does a trade that the venue takes back. Volumes are
summed without rounding errors, so that a bar equals the venue's own.

Where conditions say what of a bar a trade moves, a bar is one only when a trade has moved its prices, as at the venue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from btfeeds.live.forming import Forming, begun
from btfeeds.live.ring import Quiet, Revised
from btfeeds.market import Bar, Timeframe, TimeRange, Trade

_KEPT = 2  # closed bars that late trades still change, at least
_AWAITED = 1_000  # trades that are missing in a row and may still come; of more, nobody waits for any
_HOLES = 16
_NUMBERS = 4_096  # known numbers, where these have holes: what comes twice comes soon
_SURE_MS = 1_000  # so much later than a bar's end has to be what proves that nothing of it will come
_CLOCKS_DIFFER_MS = 2_000  # so far may be wrong what we take for the venue's time

Told = Bar | Revised | Quiet


class TradeBars:
    """Bars of one timeframe from the trades of one symbol."""

    def __init__(
        self,
        timeframe: Timeframe,
        *,
        counted: bool = True,
        silence_ms: int = 0,
        late_ms: int = 0,
        piece: Timeframe | None = None,
        corrects: bool = False,
    ) -> None:
        """`counted`: the venue numbers a symbol's trades without holes, so that a jump means that one is missing.
        `silence_ms`: without such numbers, a longer silence over the end of a bar is doubtful (0: none is).
        `late_ms`: for so long closed bars wait for late trades, and for what the venue takes back (`corrects`).
        `piece`: trades have conditions, and the venue's own bars of this timeframe count (None: they have none).
        """
        self.timeframe = timeframe
        self._counted = counted
        self._silence_ms = silence_ms
        self._kept = max(_KEPT, 1 + -(-late_ms // timeframe.ms))
        self._piece, self._remember_ms = piece, late_ms if corrects else 0
        self._newest = self._heard = 0  # when the last trade was made, and when one came
        self._from = 0  # bars that open before this were not heard from their beginning on
        self.late = 0  # trades that came after their bar was closed and forgotten
        self.lost = 0  # jumps in the venue's numbering
        self._known: dict[int | Trade, int] = {}  # where numbers have holes: those that came, in that order
        self._forgotten = -1
        self.broken()

    def broken(self) -> None:
        """The stream broke: the bar under way lacks trades, and so may the next one we hear of."""
        self._forming: Forming | None = None
        self._closed: deque[Forming] = deque(maxlen=self._kept)
        self._until = -1  # what opens from here on is not closed; -1: nothing was heard yet
        self._last_id = -1
        self._holes: deque[set[int]] = deque(maxlen=_HOLES)  # each the numbers that are missing there
        self._edge: list[set[int]] = []  # holes behind the last trade: whose they are, the next one tells
        self._doubted = False

    def doubt(self) -> None:
        """A trade may be lost. Where trades are numbered contiguously the next one tells; elsewhere nothing would.
        From any thread.
        """
        self._doubted = True

    def seen(self, last_id: int, time: int = 0) -> Sequence[Told]:
        """The venue's last trade at `time` (0: it does not say when) has this number; returns what that proves."""
        if last_id > self._last_id:
            if self._last_id >= 0:
                self._jump(last_id)
                self._last_id = last_id
            return ()
        until = self.timeframe.floor(time - _SURE_MS)
        if last_id < self._last_id or until <= self._until or self._until < 0 or any(self._edge):
            return ()
        return self._close(until, sure=True)

    def add(self, trade: Trade, now: int = 0) -> Sequence[Told]:
        """Take one trade, which came at `now` by what we take for the venue's clock (0: when it was made).

        Returns what it makes known: bars that it closes and that can be trusted, corrections.
        """
        number = trade.id
        counted = self._counted and number >= 0
        if counted:
            last, self._last_id = self._last_id, max(self._last_id, number)
            if number <= last:
                return self._fill(trade)
            if 0 <= last < number - 1:
                self._jump(number - 1, last)
        elif (number >= 0 or trade.key) and not self._new(trade):
            return ()  # two connections overlap, or the venue repeats itself
        else:
            self._listen(trade, now)
        edge, self._edge = self._edge, []
        forming, since_before = self._forming, self._until >= 0
        if forming is not None:
            forming.lacks += edge
            if forming.open_time <= trade.time < forming.end:
                forming.add(trade)
                return ()
        if trade.time < self._until:
            return self._late(trade)
        open_time = self.timeframe.floor(trade.time)
        told = self._close(open_time, sure=counted and not any(edge)) if since_before else ()
        self._until = open_time
        whole = since_before if counted else open_time >= self._from
        self._forming = forming = begun(
            self.timeframe, open_time, self._piece, whole=whole, remember_ms=self._remember_ms
        )
        forming.add(trade)
        forming.lacks += edge
        return told

    def correct(self, revoked: Trade, trade: Trade | None) -> Sequence[Told]:
        """The venue takes a trade back, and puts another one in its place (None: nothing)."""
        bars = self._bars()
        bar = next((bar for bar in reversed(bars) if bar.correct(revoked, trade)), None)
        if bar is None:
            self.late += 1
            for one in bars:
                one.whole = one.whole and not one.forgot  # it may be a trade of this one
            return ()
        return self._changed(bar)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _listen(self, trade: Trade, now: int) -> None:
        """A trade without a number that proves anything has come: of which bars all trades were heard, as far as that
        can be told.
        """
        reached = max(now + _CLOCKS_DIFFER_MS, trade.time + 1) if now else trade.time + 1
        silence = max(trade.time - self._newest, abs(now - self._heard))
        self._newest, self._heard = max(trade.time, self._newest), now
        forming = self._forming
        inside = forming is not None and forming.open_time <= trade.time and reached <= forming.end
        if self._until < 0 or self._doubted or (0 < self._silence_ms < silence and not inside):
            self._doubted, self._from = False, reached
            for bar in self._bars():
                bar.whole = False
        elif now:
            self._from = min(self._from, reached)  # what we took for the venue's time was wrong

    def _bars(self) -> list[Forming]:
        """Those that trades still change, in their order."""
        return [*self._closed, *([self._forming] if self._forming is not None else ())]

    def _close(self, until: int, *, sure: bool) -> list[Told]:
        """What is still to come opens at `until` or later. `sure`: every trade before is known."""
        quiet_from, self._until = self._until, until
        told: list[Told] = []
        if self._forming is not None:
            quiet_from = self._forming.end
            self._closed.append(self._forming)
            self._forming = None
            told += self._give()
        if sure and quiet_from < until:
            told.append(Quiet(TimeRange(quiet_from, until)))
        return told

    def _give(self) -> list[Told]:
        """Closed bars that are known to be whole now."""
        ready = [bar for bar in self._closed if bar.whole and not bar.given and bar.count and not any(bar.lacks)]
        return [_told(bar) for bar in ready]

    def _jump(self, to: int, last: int | None = None) -> None:
        """Numbers behind the last one up to `to` did not come."""
        first = (self._last_id if last is None else last) + 1
        hole = set(range(first, to + 1)) if to - first < _AWAITED else {-1}
        self.lost += 1
        self._holes.append(hole)
        self._edge.append(hole)

    def _fill(self, trade: Trade) -> Sequence[Told]:
        """A trade out of order: one that was missing, or one that comes twice."""
        hole = next((hole for hole in self._holes if trade.id in hole), None)
        bar = self._bar_of(trade)
        if hole is None or bar is None:
            return ()
        hole.discard(trade.id)
        bar.add(trade)
        return [*([Revised(_told(bar))] if bar.given else ()), *self._give()]

    def _late(self, trade: Trade) -> Sequence[Told]:
        """A trade whose bar is closed."""
        bar = self._bar_of(trade)
        if bar is None:
            self.late += 1
            return ()
        bar.add(trade)
        return self._changed(bar)

    def _changed(self, bar: Forming) -> Sequence[Told]:
        """What follows from another content of a bar."""
        if bar.given is None:
            return tuple(self._give())
        if bar.count:
            return (Revised(_told(bar)),)
        return (Revised(msgspec.structs.replace(bar.given, volume=0.0, trades=0), gone=True),)

    def _bar_of(self, trade: Trade) -> Forming | None:
        return next((bar for bar in self._bars() if bar.open_time <= trade.time < bar.end), None)

    def _new(self, trade: Trade) -> bool:
        """Whether this trade did not come before, as far as that is remembered. One key may be several trades', which
        differ in something else; and of keys nothing tells how old they are.
        """
        known = trade if trade.key else trade.id
        if known in self._known or 0 <= trade.id <= self._forgotten:
            return False
        self._known[known] = trade.id
        if len(self._known) > _NUMBERS:
            oldest = next(iter(self._known))
            self._forgotten = max(self._forgotten, self._known.pop(oldest))
        return True


def _told(bar: Forming) -> Bar:
    """What is told of it now."""
    bar.given = told = bar.bar()
    return told


def bars_from_trades(trades: Iterable[Trade], timeframe: Timeframe, piece: Timeframe | None = None) -> list[Bar]:
    """The bars of trades in time order, ascending; the first and the last hold only the trades that were given.

    `piece`: as for TradeBars.
    """
    bars: list[Bar] = []
    forming: Forming | None = None
    for trade in trades:
        if forming is not None and forming.open_time <= trade.time < forming.end:
            forming.add(trade)
            continue
        if forming is not None and forming.count:
            bars.append(forming.bar())
        forming = begun(timeframe, timeframe.floor(trade.time), piece)
        forming.add(trade)
    if forming is not None and forming.count:
        bars.append(forming.bar())
    return bars
