"""History handed to backtrader before a backtest: whole columns against PandasData's row by row."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from benchmarks.figures import Figure
from btfeeds.feeds import BaseLiveDataFeed

_WANTED = 100
_LINES = ("datetime", "open", "high", "low", "close", "volume", "openinterest")  # ours has one more: filled


def measure(quick: bool) -> list[Figure]:
    few, many, rounds = (500, 5_000, 1) if quick else (20_000, 200_000, 5)
    small, large = _frame(few), _frame(many)
    params = {"timeframe": bt.TimeFrame.Minutes}
    ours, stock = [], []
    for _ in range(rounds):
        ours.append(_preload(BaseLiveDataFeed(dataname=large, **params))[0] / many)
        stock.append(_preload(bt.feeds.PandasData(dataname=small, **params))[0] / few)
    same = (
        _preload(BaseLiveDataFeed(dataname=small, **params))[1]
        == _preload(bt.feeds.PandasData(dataname=small, **params))[1]
    )
    ratio = median(stock) / median(ours)
    return [
        Figure(
            f"history in preload, PandasData as peer, {'the same bits' if same else 'OTHER BITS'}",
            "µs/bar",
            median(ours) * 1e6,
            f"≥ {_WANTED}×, the same bits",
            same and ratio >= _WANTED,
            median(stock) * 1e6,
            ratio,
        )
    ]


def _frame(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    close = 100 + rng.normal(0, 0.1, rows).cumsum()
    index = pd.date_range("2023-03-01", periods=rows, freq="1min", tz="UTC")
    columns = {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": rng.random(rows)}
    return pd.DataFrame(columns, index=index)


def _preload(feed: Any) -> tuple[float, list[bytes]]:
    """CPU seconds of `preload`, and the lines it made."""
    spent = 0.0
    preload = feed.preload

    def timed() -> None:
        nonlocal spent
        begun = time.thread_time()
        preload()
        spent = time.thread_time() - begun

    feed.preload = timed
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed)
    cerebro.run()
    return spent, [getattr(feed.lines, name).array.tobytes() for name in _LINES]
