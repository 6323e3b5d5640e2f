"""Leaving a run for good, and plotting without a display: two small wrappers put on a Cerebro *instance*. And what no
Cerebro can do with our feeds is refused before anything starts.

Nobody calls `data.stop()` when an exception (or Ctrl+C) leaves `cerebro.run()`; sockets would stay open. And
backtrader insists on a window for its charts, which fails where there is no display. The wrappers are plain objects
that can be pickled, because optimizations send the Cerebro to other processes.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import backtrader as bt

from btfeeds.cerebro import broker
from btfeeds.errors import ConfigError


class Run:
    """In place of `cerebro.runstrategies`: closes the streams of our feeds, however the run ends."""

    def __init__(self, cerebro: Any) -> None:
        self.cerebro = cerebro

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        cerebro = self.cerebro
        _check_memory(cerebro)
        broker.install(cerebro)
        try:
            return type(cerebro).runstrategies(cerebro, *args, **kwargs)
        finally:
            for data in cerebro.datas:
                leave = getattr(type(data), "leave", None)
                if leave is not None:
                    leave(data)


class Plot:
    """In place of `cerebro.plot`: draws into memory (and into files) where there is no display."""

    def __init__(self, cerebro: Any) -> None:
        self.cerebro = cerebro

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if headless():
            import backtrader.plot  # noqa: F401 - importing it asks for a window, so it has to come first
            import matplotlib

            matplotlib.use("Agg", force=True)
        return type(self.cerebro).plot(self.cerebro, *args, **kwargs)


def headless() -> bool:
    """Whether there is no display to draw on."""
    unix = sys.platform not in ("darwin", "win32", "cygwin")
    return unix and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check_new(cerebro: Any, data: Any) -> None:
    """Raises ConfigError for a feed that is in this Cerebro already: each of the two would take bars off the other."""
    if any(one is data for one in cerebro.datas):
        raise ConfigError(
            f"The feed {data._name} is in this Cerebro already.",
            "It was not added again.",
            "Add the feed itself first (adddata), then resample or replay it; or make a second feed of the symbol.",
        )


def check_owner(cerebro: Any, data: Any) -> None:
    """Raises ConfigError for a feed that another one of this Cerebro takes its bars from, and cannot."""
    owners = [one for one in cerebro.datas if any(part is data for part in _parts(one))]
    if any(isinstance(owner, bt.feeds.Chainer) for owner in owners):
        raise ConfigError(
            "cerebro.chaindata does not go with feeds of btfeeds: backtrader has no room for their line `filled`.",
            "Nothing was started.",
            "Make one feed of all the bars: of the tables together (pd.concat), or of a warehouse (HistoryFeed).",
        )
    if owners and data.islive():
        raise ConfigError(
            "cerebro.rolloverdata does not go with live feeds: backtrader waits for one of them, and for nothing else.",
            "Nothing was started.",
            "Add each contract with adddata, and change from one to the next in the strategy.",
        )


def _parts(owner: Any) -> Any:
    kinds = {bt.feeds.Chainer: "_args", bt.feeds.RollOver: "_rolls"}
    return next((getattr(owner, name) for kind, name in kinds.items() if isinstance(owner, kind)), ())


def _check_memory(cerebro: Any) -> None:
    if int(cerebro.p.exactbars) >= 1 and len(cerebro.datas) > 1:
        raise ConfigError(
            f"exactbars={cerebro.p.exactbars!r} with more than one feed loses bars: backtrader cannot put one off.",
            "Nothing was started.",
            "Leave exactbars out; keep=1000 on a live feed saves memory, too (exactbars=-1 or -2 work as well).",
        )


def install(cerebro: Any) -> None:
    """Put both on a Cerebro, once."""
    if not isinstance(vars(cerebro).get("runstrategies"), Run):
        cerebro.runstrategies = Run(cerebro)
        cerebro.plot = Plot(cerebro)
