"""How many schedules of faults a core goes through: two virtual hours of 120 bars each, with and without a Cerebro."""

from __future__ import annotations

import time
from collections.abc import Callable

import backtrader as bt
import numpy as np
import pandas as pd

from benchmarks.figures import Figure
from tests.virtual.hosted import judge_hosted
from tests.virtual.schedule import HISTORY_MINUTES, LIVE_MINUTES, schedule
from tests.virtual.soak import soak, undisturbed

_WANTED, _WANTED_HOSTED = 100, 50  # a second
_ROUNDS = 3  # the best counts: others may use the core, too


def measure(quick: bool) -> list[Figure]:
    count, hosted = (4, 2) if quick else (600, 200)
    alone = _rate(lambda: _backtrader(hosted), hosted)
    plain = _rate(lambda: soak(range(count)), count)
    inside = _rate(lambda: [judge_hosted(schedule(seed)) for seed in range(hosted)], hosted)
    return [
        Figure("schedules of faults, one core", "/s", plain, f"≥ {_WANTED}", plain >= _WANTED),
        Figure(
            "the same inside Cerebro, beside backtrader alone with as many bars", "/s", inside,
            f"≥ {_WANTED_HOSTED}", inside >= _WANTED_HOSTED, alone, alone / inside,
        ),
    ]  # fmt: skip


def _rate(run: Callable[[], object], count: int) -> float:
    """How many a second of this core's time."""
    with undisturbed():
        return count / min(_seconds(run) for _ in range(_ROUNDS))


def _seconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


class _Nothing(bt.Strategy):  # type: ignore[misc]
    def next(self) -> None:
        pass


def _backtrader(count: int) -> None:
    bars = HISTORY_MINUTES + LIVE_MINUTES
    index = pd.date_range("2024-01-01", periods=bars, freq="min")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), np.arange(1.0, bars + 1)), index)
    for _ in range(count):
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.addstrategy(_Nothing)
        cerebro.run(runonce=False, preload=False)
