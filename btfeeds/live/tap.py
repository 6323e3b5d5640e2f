"""What one stream listens to: its channel, how its bars become final, its ring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from btfeeds import monitor
from btfeeds.errors import BtfeedsError
from btfeeds.live.aggregate import Told, TradeBars
from btfeeds.live.merging import MergedBars
from btfeeds.live.ring import Doubted, Down, Quiet, Refusal, Revised, Ring, Up
from btfeeds.live.rollover import SILENCE_MS, RollOver
from btfeeds.market import Bar, Subscription, Timeframe, Trade
from btfeeds.venues.base import BarUpdate, ClosingRule, TradeUpdate, Venue

_CLOCKS_DIFFER_MS = 2_000  # so far may be wrong what we take for the time of a venue whose frames do not tell it
_EARLY_MS = 1_000  # so long before a bar begins a frame may tell of it: a venue's own clocks differ, too


class Ear(Protocol):
    """What a hub tells of a channel: to a Tap, or to what takes its trades as they are (live.ticks)."""

    channel: str

    def bar(self, venue: str, event: BarUpdate, now: int = 0) -> None:
        """A bar as the venue sees it."""

    def again(self, venue: str, bar: Bar) -> None:
        """The venue's later word about a closed bar."""

    def trades(self, venue: str, event: TradeUpdate, now: int = 0) -> None:
        """Trades, which come at `now` by what is known of the venue's clock (0: nothing)."""

    def trades_seen(self, venue: str, last_id: int, time: int) -> None:
        """Which trade was the venue's last."""

    def up(self, time: int, skew: int = 0) -> None:
        """The channel is confirmed at `time` by what is taken for the venue's clock, so far (ms) ahead of ours."""

    def down(self, reason: str) -> None:
        """It is gone."""

    def doubt(self) -> None:
        """A frame may be lost."""

    def seam(self) -> None:
        """Another socket goes on."""

    def refused(self, error: BtfeedsError) -> None:
        """It cannot be had."""


class Tap:
    """What one stream listens to. `wake` is called after every change of `ring`, on the socket's thread."""

    def __init__(self, venue: Venue, subscription: Subscription, ring: Ring, wake: Callable[[], None]) -> None:
        self.subscription = subscription
        self.channel = venue.channel(subscription)
        self.ring = ring
        self.wake = wake
        self._name = str(subscription)
        self._timeframe = subscription.timeframe
        rule = venue.closing_rule(subscription)
        from_trades, counted = rule is ClosingRule.FROM_TRADES, venue.counts_trades
        # what history cannot confirm need not be doubted
        silence_ms = SILENCE_MS if not counted and venue.has_history(subscription.symbol, self._timeframe) else 0
        made = TradeBars(
            self._timeframe,
            counted=counted,
            silence_ms=silence_ms,
            late_ms=venue.late_ms,
            piece=_piece(venue, self._timeframe) if venue.conditions else None,
            corrects=venue.corrects_trades,
        )
        self._trades = made if from_trades else None
        self._uncounted = from_trades and not counted
        self._behind_ms = venue.behind_ms
        self._quiet_omits = venue.quiet_omits
        piece = venue.piece(self._timeframe)
        self._merged = MergedBars(self._timeframe, piece, venue.late_ms) if piece else None
        self._told_of = piece or self._timeframe  # what bars come
        self._rolling = RollOver(subscription.timeframe) if rule is ClosingRule.ROLL_OVER else None
        self.seen = -1  # the opening time of the newest bar that the stream has said anything about

    def bar(self, venue: str, event: BarUpdate, now: int = 0) -> None:
        """A bar as the venue sees it at `now` (its clock, as far as known); only a finished one goes on."""
        bar = event.bar
        if event.time and bar.open_time > event.time + _EARLY_MS:
            monitor.publish(monitor.FrameRejected(venue, "future", f"{self._name} {bar.open_time}"))
            return
        opened = bar.open_time if self._merged is None else self._timeframe.floor(bar.open_time)
        if opened > self.seen:
            self.seen = opened
        if self._rolling is not None:
            closed, corrected = self._rolling.update(bar, event.time or now)
            if corrected is not None:
                self.revised(corrected)
            if closed is not None:
                self._put(venue, closed)
            return
        if not event.closed or self._trades is not None:
            return
        told = event.time or (now and now + _CLOCKS_DIFFER_MS)
        if told and told < self._told_of.close(bar.open_time):
            # Said to be closed before its time was over: it may still change, so its true end is waited for.
            monitor.publish(monitor.FrameRejected(venue, "unfinished", f"{self._name} {bar.open_time}"))
            return
        self.again(venue, bar)

    def again(self, venue: str, bar: Bar) -> None:
        """A closed bar, or the venue's later word about one: of a bar that was lost it is the first word."""
        if self._merged is None:
            self._put(venue, bar)
            return
        late = self._merged.late
        self._tell(venue, self._merged.add(bar))
        if self._merged.late > late:
            monitor.publish(monitor.FrameRejected(venue, "late", f"{self._name} {bar.open_time}"))

    def trades(self, venue: str, event: TradeUpdate, now: int = 0) -> None:
        """Trades, where bars are built here, which come at `now` (the venue's clock, as far as known)."""
        if self._trades is None:
            return
        if event.revoked is not None:
            self._correct(venue, event.revoked, event.trades[0] if event.trades else None)
            return
        if not event.trades:
            self.doubt()  # there was one, and nobody can tell when
            return
        self.seen = max(self.seen, self._timeframe.floor(event.trades[-1].time))
        now = max(0, now - self._behind_ms)
        for trade in event.trades:
            late = self._trades.late
            self._tell(venue, self._trades.add(trade, now))
            if self._trades.late > late:
                monitor.publish(monitor.FrameRejected(venue, "late", f"{self._name} {trade.time}"))

    def _correct(self, venue: str, revoked: Trade, trade: Trade | None) -> None:
        assert self._trades is not None
        late = self._trades.late
        self._tell(venue, self._trades.correct(revoked, trade))
        if self._trades.late > late:
            monitor.publish(monitor.FrameRejected(venue, "late", f"{self._name} {revoked.time}"))

    def trades_seen(self, venue: str, last_id: int, time: int) -> None:
        """The venue says which trade was its last at `time` (0: it does not say when)."""
        if self._trades is not None:
            self._tell(venue, self._trades.seen(last_id, time))

    def _tell(self, venue: str, told: Sequence[Told]) -> None:
        for entry in told:
            if type(entry) is Bar:
                self._put(venue, entry)
            elif isinstance(entry, Revised) or (isinstance(entry, Quiet) and self._quiet_omits):
                self.ring.put(entry)
                self.wake()

    def _put(self, venue: str, bar: Bar) -> None:
        if not self.ring.put_bar(bar):
            monitor.publish(monitor.RingOverflowed(venue, self._name))
        self.wake()

    def up(self, time: int, skew: int = 0) -> None:
        if self._trades is not None:
            self._trades.doubt()  # what came before may be of a subscription that was ended in between
        self.ring.put(Up(time, skew))
        self.wake()

    def down(self, reason: str) -> None:
        if self._trades is not None:
            self._trades.broken()
        if self._rolling is not None:
            self._rolling.broken()
        self.ring.put(Down(reason))
        self.wake()

    def doubt(self) -> None:
        """A frame could not be read, and may have been ours."""
        if self._trades is not None:
            self._trades.doubt()
        if self._rolling is not None:
            self._rolling.broken()
        if self._rolling is not None or self._uncounted:
            self.ring.put(Doubted())
            self.wake()

    def seam(self) -> None:
        """Another socket goes on: trades that are not numbered, and last words, may be lacking in between."""
        self.doubt()

    def distrust(self, now: int) -> None:
        """The subscription was proved mute, and is made anew; from any thread."""
        if self._trades is not None:
            self._trades.doubt()
        if self._rolling is not None:
            self._rolling.distrust(now)

    def revised(self, bar: Bar) -> None:
        self.ring.put(Revised(bar))
        self.wake()

    def refused(self, error: BtfeedsError) -> None:
        self.ring.put(Refusal(error))
        self.wake()


def _piece(venue: Venue, timeframe: Timeframe) -> Timeframe:
    """Which bars the venue makes of trades itself, and larger ones of those; where it has none that fit, these."""
    fitting = [streamed for streamed in venue.streamed if timeframe.holds(streamed)]
    return max(fitting, key=lambda streamed: streamed.ms, default=timeframe)
