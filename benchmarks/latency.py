"""From a bar's arrival to the strategy's next(), with ten feeds: all alive, then one of them quiet."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import backtrader as bt

from benchmarks.feeds import bar, ours, theirs
from benchmarks.figures import Figure, until
from btfeeds.clock import ManualClock

_WANTED = 1_000
_FEEDS = 10
_RATE = 10  # bars a second, all feeds together
_YEAR = 365 * 86_400_000
_CLOCK_AT = bar(0).open_time + 1_000


def measure(quick: bool) -> list[Figure]:
    n_ours, n_peer, rounds, seconds = (10, 1, 1, 0.5) if quick else (80, 5, 3, 5.0)
    mine: list[float] = []
    peer: list[float] = []
    for number in range(rounds):
        mine += _ours(lambda run, seed=number: run.isolated(n_ours, seed))
        peer += _theirs(lambda run, seed=number: run.isolated(n_peer, seed))
    ratio = median(peer) / median(mine)
    backlog = _ours(lambda run: run.one_quiet(seconds))
    peer_backlog = _theirs(lambda run: run.one_quiet(seconds))
    return [
        Figure(
            f"push → next() p50, {_FEEDS} feeds, qcheck 0.5, a queue per feed as peer",
            "ms",
            median(mine) * 1e3,
            f"≥ {_WANTED:,}×",
            ratio >= _WANTED,
            median(peer) * 1e3,
            ratio,
        ),
        Figure(
            f"bars behind after {seconds:g} s of {_RATE} bars/s, one feed of {_FEEDS} quiet",
            "bars",
            backlog,
            "0",
            backlog == 0,
            peer_backlog,
        ),
    ]


class _Arrivals(bt.Strategy):  # type: ignore[misc]
    """Notes when the bar of each number (its volume) arrived."""

    params = (("run", None),)

    def __init__(self) -> None:
        self._lengths = [0] * len(self.datas)

    def next(self) -> None:
        now = time.perf_counter()
        run = self.p.run
        for at, data in enumerate(self.datas):
            if len(data) != self._lengths[at]:
                self._lengths[at] = len(data)
                run.arrived[int(data.volume[0])] = now
        run.event.set()

    prenext = next


class _Run:
    """A Cerebro with its feeds, and the thread that pushes bars."""

    def __init__(self, feeds: list[Any]) -> None:
        self.feeds = feeds
        self.arrived: dict[int, float] = {}
        self.event = threading.Event()
        self.pushed = 0
        self.cerebro = bt.Cerebro(stdstats=False)
        for feed in feeds:
            self.cerebro.adddata(feed)
        self.cerebro.addstrategy(_Arrivals, run=self)

    def play(self, ready: Callable[[], object], plan: Callable[[_Run], Any]) -> Any:
        results: list[Any] = []

        def drive() -> None:
            try:
                until(ready, 10)
                for feed in self.feeds:  # so that every feed has had a bar and is LIVE
                    self.push(feed, minute=0)
                until(lambda: len(self.arrived) == self.pushed, 30)
                results.append(plan(self))
            finally:
                self.cerebro.runstop()

        thread = threading.Thread(target=drive, daemon=True)
        thread.start()
        self.cerebro.run()
        thread.join()
        return results[0]

    def push(self, feed: Any, minute: int | None = None) -> float:
        """Returns when it was."""
        made = bar(self.pushed, minute)
        self.pushed += 1
        at = time.perf_counter()
        feed.push(made)
        return at

    # --- plans -------------------------------------------------------------------------------------------------------

    def isolated(self, count: int, seed: int) -> list[float]:
        """One bar at a time, to a feed by chance; returns how long each took."""
        rng = random.Random(seed)
        took = []
        for _ in range(count):
            time.sleep(rng.uniform(0.01, 0.06))
            number = self.pushed
            at = self.push(rng.choice(self.feeds))
            end = at + 10
            while number not in self.arrived and time.perf_counter() < end:
                self.event.wait(0.5)
                self.event.clear()
            took.append(self.arrived[number] - at)
        return took

    def one_quiet(self, seconds: float) -> int:
        """Bars to all feeds but the last, one after another; returns how many had not arrived one bar's time later."""
        alive = self.feeds[:-1]
        begun = time.perf_counter()
        for number in range(int(seconds * _RATE)):
            time.sleep(max(0.0, begun + number / _RATE - time.perf_counter()))
            self.push(alive[number % len(alive)])
        time.sleep(1 / _RATE)
        return self.pushed - len(self.arrived)


def _ours(plan: Callable[[_Run], Any]) -> Any:
    clock = ManualClock(_CLOCK_AT)
    run = _Run(ours(_FEEDS, clock))

    def ready() -> bool:
        live = all(getattr(feed, "pushed", None) is not None and feed.pushed.live for feed in run.feeds)
        if live:
            clock.advance(_YEAR)  # all minutes to come have closed
        return live

    return run.play(ready, plan)


def _theirs(plan: Callable[[_Run], Any]) -> Any:
    run = _Run(theirs(_FEEDS))
    return run.play(lambda: all(hasattr(feed, "_laststatus") for feed in run.feeds), plan)
