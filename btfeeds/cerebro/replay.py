"""backtrader's replaying of larger bars, for single trades too.

A replayed bar grows with each smaller one. backtrader takes a bar with the stamp of the one before for late data, and
sets its own time ahead by 86 ms for each; trades of one instant are not late, and the minute would end unnoticed.
"""

from __future__ import annotations

from typing import Any

import backtrader as bt
from backtrader.resamplerfilter import Replayer


class Replaying(Replayer):
    """`Replayer`, in which several trades may have one stamp."""

    def __init__(self, data: Any) -> None:
        self._ticks = data._timeframe == bt.TimeFrame.Ticks
        super().__init__(data)

    def _latedata(self, data: Any) -> bool:
        return not self._ticks and bool(super()._latedata(data))
