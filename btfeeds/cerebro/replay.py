"""backtrader's replaying of larger bars, for single trades too, and live as in history.

A replayed bar grows with each smaller one. backtrader takes a bar with the stamp of the one before for late data, and
sets its own time ahead by 86 ms for each; trades of one instant are not late, and the minute would end unnoticed. And
live it asks the wall clock in idle rounds whether the bar is over: it then takes the end of the day for dealt with, so
that days never end and hours go on over midnight. A replayed bar ends with the bars, as in history.
"""

from __future__ import annotations

from typing import Any

import backtrader as bt
from backtrader.resamplerfilter import Replayer

from btfeeds.cerebro import broker
from btfeeds.cerebro.stamps import timeframe
from btfeeds.errors import ConfigError


class Replaying(Replayer):
    """`Replayer`, in which several trades may have one stamp, and no clock is asked."""

    def __init__(self, data: Any) -> None:
        self._ticks = data._timeframe == bt.TimeFrame.Ticks
        source, target = timeframe(data._timeframe, data._compression), timeframe(self.p.timeframe, self.p.compression)
        if not (self._ticks or target.holds(source)):
            raise ConfigError(
                f"Bars of {target} cannot be replayed from bars of {source}.",
                "The data was not added.",
                "Replay a multiple, or take the feed in a smaller timeframe.",
            )
        super().__init__(data)

    def check(self, data: Any, _forcedata: Any = None) -> None:
        """Nothing: see above."""

    def __call__(self, data: Any, fromcheck: bool = False, forcedata: Any = None) -> bool:
        removed = bool(super().__call__(data, fromcheck=fromcheck, forcedata=forcedata))
        if data._barstack:  # an extra step at the end of a bar (adjbartime): the bar that came is shown in the next one
            broker.rest(data)
        return removed

    def _latedata(self, data: Any) -> bool:
        return not self._ticks and bool(super()._latedata(data))


def cloneable(data: Any) -> None:
    """Raises ConfigError for a feed that is replayed: its bars are seen before they are complete."""
    if any(isinstance(a_filter, Replaying) for a_filter, _, _ in data._filters):
        raise ConfigError(
            f"{data._name} is replayed; other bars cannot be made of its unfinished ones.",
            "The data was not added.",
            "Add the feed itself first (adddata), then resample and replay it; or make a second feed of the symbol.",
        )
