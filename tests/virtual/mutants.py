"""Planted bugs. Each is a small wrong change of one decision; the simulation has to notice every one of them.

A mutant is killed when the checker names a violation. A crash alone would not count: it would say nothing about
whether the promise is watched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from unittest import mock

from btfeeds.history import shown
from btfeeds.live import hub, splice
from btfeeds.live.connection import Connection
from btfeeds.live.effects import Lost
from btfeeds.live.items import Delivery, Notice, SplicePolicy
from btfeeds.live.outbox import Outbox
from btfeeds.live.questions import Questions
from btfeeds.live.ring import Ring, Up
from btfeeds.live.shard import Shard
from btfeeds.live.skew import Skew
from btfeeds.live.splice import Splice
from btfeeds.live.status import Status
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, TimeRange
from btfeeds.venues.base import BarUpdate
from btfeeds.venues.binance import Binance

Patch = contextlib.AbstractContextManager[Any]
MUTANTS: dict[str, Callable[[], Patch]] = {}


def mutant(make: Callable[[], Patch]) -> Callable[[], Patch]:
    MUTANTS[make.__name__] = make
    return make


def around(owner: Any, name: str, wrapper: Callable[..., Any]) -> Patch:
    """Replace a method by `wrapper(original, self, …)`."""
    original = getattr(owner, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(original, self, *args, **kwargs)

    return mock.patch.object(owner, name, method)


@mutant
def duplicates_are_delivered() -> Patch:
    def live(original: Any, self: Splice, bar: Bar, now: int) -> None:
        if self.due is not None and bar.open_time == self.due - 60_000:
            self._out.put(bar, "live")
            return
        original(self, bar, now)

    return around(Splice, "live", live)


@mutant
def bars_ahead_are_delivered_at_once() -> Patch:
    def live(original: Any, self: Splice, bar: Bar, now: int) -> None:
        if self.due is not None and bar.open_time > self.due and bar.open_time <= now:
            self.due = bar.open_time
        original(self, bar, now)

    return around(Splice, "live", live)


@mutant
def backfill_ends_one_bar_early() -> Patch:
    def answered(original: Any, self: Splice, ask: Any, span: TimeRange, bars: Any, now: int, *, done: bool) -> None:
        original(self, ask, span, bars[:-1] if ask.reason == "break" else bars, now, done=done)
        if done and ask.reason == "break" and self.due is not None:
            self.due = max(self.due, ask.span.end)

    return around(Splice, "answered", answered)


@mutant
def the_gap_starts_one_bar_late() -> Patch:
    def connected(original: Any, self: Splice, now: int) -> None:
        if self.word is Status.CONNBROKEN and self.due is not None:
            self.due += 60_000
        original(self, now)

    return around(Splice, "connected", connected)


@mutant
def unfinished_bars_are_accepted() -> Patch:
    def bar(original: Any, self: Tap, venue: str, event: BarUpdate, now: int = 0) -> None:
        if event.closed and self._trades is None:
            self._put(venue, event.bar)

    return around(Tap, "bar", bar)


@mutant
def forming_bars_are_accepted() -> Patch:
    def data(original: Any, self: Any, event: Any) -> None:
        if isinstance(event, BarUpdate) and not event.closed:
            event = BarUpdate(event.channel, event.bar, True, event.bar.open_time + 60_000)
        original(self, event)

    return around(hub.Hub, "data", data)


@mutant
def the_forming_row_of_history_is_taken() -> Patch:
    return _lenient_history(sure_ms=-90_000, lag_ms=-90_000)


@mutant
def history_is_believed_at_the_very_close() -> Patch:
    return _lenient_history(sure_ms=0, lag_ms=0)


@mutant
def a_stale_answer_of_history_is_believed() -> Patch:
    return mock.patch.object(Binance, "lag_ms", 0)


@mutant
def an_absent_bar_is_stepped_over_at_once() -> Patch:
    return mock.patch.object(SplicePolicy, "__init__", _policy(lag_ms=0))


@mutant
def live_is_said_before_the_backfill() -> Patch:
    def connected(original: Any, self: Splice, now: int) -> None:
        broken = self.word is Status.CONNBROKEN
        original(self, now)
        if broken:
            self._out.say(Status.LIVE)

    return around(Splice, "connected", connected)


@mutant
def live_is_said_without_looking_at_gaps() -> Patch:
    def settle(original: Any, self: Splice, now: int) -> Any:
        if self.word is Status.DELAYED and self.online and not self._out:
            return self._out.say_now(Status.LIVE)
        return None

    return around(Splice, "settle", settle)


@mutant
def no_delayed_between_connected_and_live() -> Patch:
    def say(original: Any, self: Outbox, status: Status, reason: str = "", payload: object = None) -> None:
        if reason == "backfill":
            self.word = Status.DELAYED
            return
        original(self, status, reason, payload)

    return around(Outbox, "say", say)


@mutant
def a_break_is_not_told() -> Patch:
    return around(Tap, "down", lambda original, self, reason: None)


@mutant
def a_reconnection_asks_for_nothing() -> Patch:
    def connected(original: Any, self: Splice, now: int) -> None:
        before = self._outset.horizon
        original(self, now)
        if self._was_live:
            self._outset.horizon = before
            self.due = max(self.due or 0, self.timeframe.floor(now))

    return around(Splice, "connected", connected)


@mutant
def the_watchdog_sleeps() -> Patch:
    def ask(original: Any, self: Splice, now: int) -> Any:
        if self.online and not self._held and self.due is not None and self.due >= self._outset.horizon:
            return None
        return original(self, now)

    return around(Splice, "ask", ask)


@mutant
def failed_questions_are_not_asked_again() -> Patch:
    def refused(original: Any, self: Splice, ask: Any, error: Any, now: int, unreadable: Any) -> None:
        original(self, ask, error, now, unreadable)
        self._questions.not_before = now + 10**9

    return around(Splice, "refused", refused)


@mutant
def backoff_starts_over_with_every_connect() -> Patch:
    def opened(original: Any, self: Connection, now: int) -> Any:
        self.losses = 0
        return original(self, now)

    def lost(original: Any, self: Connection, loss: Any, now: int) -> Any:
        effects = original(self, loss, now)
        if any(isinstance(effect, Lost) for effect in effects):
            self._retry_at = now + min(self._retry_at - now, 2_500)
        return effects

    stack = contextlib.ExitStack()
    stack.enter_context(around(Connection, "opened", opened))
    stack.enter_context(around(Connection, "lost", lost))
    return stack


@mutant
def a_reconnection_does_not_subscribe() -> Patch:
    def opened(original: Any, self: Connection, now: int) -> Any:
        if self.losses:
            effects = original(self, now)
            self._requests.clear()
            return [effect for effect in effects if type(effect).__name__ != "Send"]
        return original(self, now)

    return around(Connection, "opened", opened)


@mutant
def a_ping_is_never_missed() -> Patch:
    def tick(original: Any, self: Connection, now: int) -> Any:
        self._pinged_at = None
        return original(self, now)

    return around(Connection, "tick", tick)


@mutant
def a_full_ring_drops_and_forgets() -> Patch:
    def put_bar(original: Any, self: Ring, bar: Bar) -> bool:
        kept = original(self, bar)
        if not kept:  # the place of the dropped bar is taken for granted
            self._entries.appendleft(Up(next(e.open_time for e in self._entries if isinstance(e, Bar))))
        return bool(kept)

    def connected(original: Any, self: Splice, now: int) -> None:
        if self.online and self.due is not None:
            self.due = max(self.due, self.timeframe.floor(now))
        original(self, now)

    stack = contextlib.ExitStack()
    stack.enter_context(around(Ring, "put_bar", put_bar))
    stack.enter_context(around(Splice, "connected", connected))
    return stack


@mutant
def future_bars_are_believed() -> Patch:
    def live(original: Any, self: Splice, bar: Bar, now: int) -> None:
        original(self, bar, max(now, bar.open_time))

    stack = contextlib.ExitStack()
    stack.enter_context(around(Splice, "live", live))
    stack.enter_context(around(Skew, "plausible", lambda original, self, venue_time, now: True))
    return stack


@mutant
def corrected_bars_are_delivered_again() -> Patch:
    def differs(original: Any, self: Splice, bar: Bar) -> None:
        corrected = self.summary.corrected
        original(self, bar)
        if self.summary.corrected > corrected:
            self._out.put(bar, "live")

    return around(Splice, "_differs", differs)


@mutant
def lost_minutes_are_invented() -> Patch:
    def absent(original: Any, self: Splice, end: int) -> None:
        self.gaps = "fill"
        original(self, end)

    return around(Splice, "_absent", absent)


@mutant
def a_gap_is_not_told() -> Patch:
    def say(original: Any, self: Outbox, status: Status, reason: str = "", payload: object = None) -> None:
        if reason != "gap":
            original(self, status, reason, payload)

    return around(Outbox, "say", say)


@mutant
def a_held_gap_is_stepped_over() -> Patch:
    def absent(original: Any, self: Splice, end: int) -> None:
        self.gaps = "mark" if self.gaps == "hold" else self.gaps
        original(self, end)

    return around(Splice, "_absent", absent)


@mutant
def a_filled_bar_is_not_marked() -> Patch:
    def put(original: Any, self: Outbox, bar: Bar, source: str) -> None:
        original(self, bar, "live" if source == "filled" else source)

    return around(Outbox, "put", put)


@mutant
def filled_bars_repeat_the_whole_bar_before() -> Patch:
    def flat(timeframe: Any, span: TimeRange, price: float, *rest: Any) -> Any:
        for time in timeframe.opens(span):
            yield Bar(time, price, price + 1, price, price, 0.0, 0)

    return mock.patch.object(splice, "flat_bars", flat)


@mutant
def the_old_socket_goes_before_the_new_one_is_confirmed() -> Patch:
    def replace(original: Any, self: Shard, reason: str) -> None:
        for worker in list(self._workers):
            worker.stop()
        self._workers.clear()
        self._spawn()

    return around(Shard, "replace", replace)


@mutant
def a_backlog_is_still_called_live() -> Patch:
    def take(original: Any, self: Outbox, behind: int = 0) -> Delivery | Notice | None:
        item = original(self, behind)
        while isinstance(item, Notice) and item.reason == "behind":
            self.word = self.spoken = Status.LIVE
            self._bars -= 1_000
            item = original(self, 0)
            self._bars += 1_000
        return item

    return around(Outbox, "take", take)


@mutant
def a_symbol_is_looked_for_beyond_what_is_due() -> Patch:
    def ask(original: Any, self: Splice, now: int) -> Any:
        due = self.due
        if self._unchecked:
            self.due = None
        asked = original(self, now)
        self.due = due
        return asked

    return around(Splice, "ask", ask)


@mutant
def a_pause_lasts_until_a_clock_that_was_ahead_is_there() -> Patch:
    return mock.patch.object(Questions, "clock_moved", lambda self, ms: None)


def _lenient_history(*, sure_ms: int, lag_ms: int) -> Patch:
    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.object(shown, "_SURE_MS", sure_ms))
    stack.enter_context(mock.patch.object(Binance, "lag_ms", lag_ms))
    return stack


def _policy(**changed: int) -> Callable[..., None]:
    original = SplicePolicy.__init__

    def __init__(self: SplicePolicy, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs | changed)

    return __init__
