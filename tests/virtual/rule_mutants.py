"""Planted bugs of the ways in which bars become final where no frame says so with its time. Found as the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import msgspec

from btfeeds.history.ranges import merge
from btfeeds.live import rollover, stream, tap
from btfeeds.live.aggregate import Told, TradeBars
from btfeeds.live.merging import MergedBars
from btfeeds.live.ring import Revised
from btfeeds.live.rollover import RollOver
from btfeeds.live.skew import Skew
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, TimeRange, Trade
from btfeeds.venues.base import BarUpdate
from tests.virtual.mutants import Patch, around

RULE_MUTANTS: dict[str, tuple[str, Callable[[], Patch]]] = {}  # name → rule, patch


def planted_in(*rules: str) -> Callable[[Callable[[], Patch]], Callable[[], Patch]]:
    """A bug that the simulation of each of these rules has to find."""

    def mutant(make: Callable[[], Patch]) -> Callable[[], Patch]:
        for rule in rules:
            RULE_MUTANTS[f"{rule}: {make.__name__}"] = (rule, make)
        return make

    return mutant


@planted_in("roll-over")
def what_is_held_at_a_break_is_trusted() -> Patch:
    return mock.patch.object(RollOver, "broken", lambda self: None)


@planted_in("roll-over")
def silence_over_the_end_of_a_bar_says_nothing() -> Patch:
    return mock.patch.object(rollover, "SILENCE_MS", 1 << 40)


@planted_in("roll-over")
def every_later_bar_closes_the_one_before() -> Patch:
    def update(original: Any, self: RollOver, bar: Bar, time: int = 0) -> tuple[Bar | None, Bar | None]:
        held = self._held
        closed, corrected = original(self, bar, time)
        return (held if held is not None and bar.open_time > held.open_time else closed), corrected

    return around(RollOver, "update", update)


@planted_in("roll-over")
def the_bar_under_way_is_given() -> Patch:
    def update(original: Any, self: RollOver, bar: Bar, time: int = 0) -> tuple[Bar | None, Bar | None]:
        _, corrected = original(self, bar, time)
        return bar, corrected

    return around(RollOver, "update", update)


@planted_in("late-roll-over")
def the_last_word_is_not_waited_for() -> Patch:
    return mock.patch.object(stream, "settles_ms", lambda venue, subscription: 0)


@planted_in("late-roll-over")
def words_behind_a_bar_are_dropped() -> Patch:
    return mock.patch.object(Tap, "revised", lambda self, bar: None)


@planted_in("from-trades")
def the_first_bar_heard_is_whole() -> Patch:
    def add(original: Any, self: TradeBars, trade: Trade, now: int = 0) -> Sequence[Told]:
        told: Sequence[Told] = original(self, trade, now)
        if self._forming is not None:
            self._forming.whole = True
        return told

    return around(TradeBars, "add", add)


@planted_in("from-trades")
def a_lost_trade_is_not_missed() -> Patch:
    return mock.patch.object(TradeBars, "_jump", lambda self, to, last=None: None)


@planted_in("from-trades")
def trades_out_of_order_are_dropped() -> Patch:
    def fill(original: Any, self: TradeBars, trade: Trade) -> Sequence[Told]:
        hole = next((hole for hole in self._holes if trade.id in hole), None)
        if hole is not None:
            hole.discard(trade.id)
        return self._give()

    return around(TradeBars, "_fill", fill)


@planted_in("from-trades")
def trades_that_come_twice_count_twice() -> Patch:
    def fill(original: Any, self: TradeBars, trade: Trade) -> Sequence[Told]:
        bar = self._bar_of(trade)
        if bar is not None:
            bar.add(trade)
        return self._give()

    return around(TradeBars, "_fill", fill)


@planted_in("from-trades")
def trades_of_the_future_are_believed() -> Patch:
    return mock.patch.object(Skew, "early", lambda self, time, now: False)


@planted_in("from-uncounted-trades")
def silence_over_the_end_of_a_bar_of_trades_says_nothing() -> Patch:
    return mock.patch.object(tap, "SILENCE_MS", 0)


@planted_in("from-uncounted-trades")
def late_trades_are_not_waited_for() -> Patch:
    return mock.patch.object(stream, "settles_ms", lambda venue, subscription: 0)


@planted_in("closed-only", "flag-without-time")
def what_is_called_closed_is_closed() -> Patch:
    def bar(original: Any, self: Tap, venue: str, event: BarUpdate, now: int = 0) -> None:
        if event.closed:
            self._put(venue, event.bar)

    return around(Tap, "bar", bar)


@planted_in("flag-without-time")
def forming_bars_are_taken_for_closed_ones() -> Patch:
    def bar(original: Any, self: Tap, venue: str, event: BarUpdate, now: int = 0) -> None:
        original(self, venue, BarUpdate(event.channel, event.bar, True, event.bar.open_time + 60_000), now)

    return around(Tap, "bar", bar)


@planted_in("from-pieces")
def a_bar_ends_with_its_last_piece_though_others_are_missing() -> Patch:
    def add(original: Any, self: MergedBars, piece: Bar) -> Sequence[Bar | Revised]:
        told: Sequence[Bar | Revised] = original(self, piece)
        opened = self.timeframe.floor(piece.open_time)
        if opened in self._given or self.piece.close(piece.open_time) < self.timeframe.close(opened):
            return told
        return merge(self._pieces[opened].values(), self.timeframe, TimeRange(0, 1 << 60))

    return around(MergedBars, "add", add)


@planted_in("from-pieces")
def a_piece_is_a_bar() -> Patch:
    def again(self: Tap, venue: str, bar: Bar) -> None:
        self._put(venue, msgspec.structs.replace(bar, open_time=self._timeframe.floor(bar.open_time)))

    return mock.patch.object(Tap, "again", again)


@planted_in("closed-only", "from-pieces", "flag-without-time")
def our_clock_is_thought_to_be_a_minute_wrong() -> Patch:
    return mock.patch.object(tap, "_CLOCKS_DIFFER_MS", 60_000)
