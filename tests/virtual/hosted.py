"""The same runs with a real Cerebro and a strategy in the loop: waiting for bars moves virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt

from btfeeds import feeds
from btfeeds.cerebro.wake import Seat, Wake
from btfeeds.feeds import BinanceLiveDataFeed
from tests.virtual.checker import violations
from tests.virtual.schedule import MINUTE, Schedule
from tests.virtual.soak import END
from tests.virtual.world import World

_DAY_MS = 86_400_000
_EPOCH = 719_163.0  # 1970-01-01 in backtrader's days


class _VirtualWake(Wake):
    """Waiting lets the world go on; at its end the run is stopped.

    Rounds of Cerebro in which there is nothing to say are left out, for speed: one may wait again and again.
    """

    world: World
    feed: _Feed

    def wait(self, seat: Seat, seconds: float, stopped: Callable[[], bool]) -> bool:
        if self.delivered or self.feed.notifs or stopped():
            return False
        world = self.world
        if seat.stream.waiting and not world.slow:
            return False
        deadline = seat._due
        due = END if deadline is None else max(deadline - world.plan.skew_ms, world.now + 200)
        world.go_on(due, END)
        world.woken = False
        return True

    def push(self) -> None:
        self.world.woken = True


class _Feed(BinanceLiveDataFeed):
    """A feed whose stream comes from the world."""

    world: World

    def make_stream(self, start: int | None, until: int | None) -> Any:
        return self.world.stream


class _Notes(bt.Strategy):
    """Writes down what it met, by the growth of the data's length."""

    params = (("world", None), ("heard", None))

    def __init__(self) -> None:
        self.met = 0
        self.world = self.p.world
        self.log = self.world.log
        lines = self.data.lines
        self.values = (lines.open, lines.high, lines.low, lines.close, lines.volume)

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        payload = args[1] if len(args) > 1 else None
        now = self.p.world.now
        if self.p.heard is not None and payload is not None:
            self.p.heard(payload)
        if hasattr(payload, "start"):
            self.log.append([now, "gap", payload.start, payload.end])
        else:
            self.log.append([now, "status", data._getstatusname(status)])

    def next(self) -> None:
        data, world = self.data, self.world
        grown = len(data) - self.met
        self.met += grown
        times = data.lines.datetime
        for ago in range(1 - grown, 1):
            time = round((times[ago] - _EPOCH) * _DAY_MS) - MINUTE  # a bar is stamped with its close
            self.log.append([world.now, "bar", time, *[line[ago] for line in self.values], data.source])


def judge_hosted(plan: Schedule, heard: Callable[[object], None] | None = None) -> tuple[World, list[str]]:
    """One schedule through Cerebro; returns the world and what is wrong. `heard` is told the payloads of notices."""
    world = World(plan)
    wake = _VirtualWake()
    wake.world = world
    cerebro = bt.Cerebro(stdstats=False)
    known, feeds.wake_of = feeds.wake_of, lambda env: wake
    try:
        feed = _Feed(dataname="BTC/USDT", timeframe="1m", clock=world.clock, venue=world.dialect)
        feed.world, wake.feed = world, feed
        cerebro.adddata(feed)
        cerebro.addstrategy(_Notes, world=world, heard=heard)
        world.at(END, cerebro.runstop)
        cerebro.run()
    finally:
        feeds.wake_of = known
    log = [line for line in world.log if line[2] != "DISCONNECTED"]  # the end of the run is ours
    return world, violations(
        log,
        world.venue.allowed,
        start=world.start,
        end=END,
        connects=world.venue.connects,
        early_requests=world.venue.early_requests,
        breaks=world.venue.breaks,
        naked=world.venue.naked,
        slow=any(fault.kind == "slow" for fault in plan.faults),
        gaps=plan.gaps,
    )
