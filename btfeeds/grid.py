"""The grid of a timeframe, for whole columns of times: `Timeframe.floor`, `close` and `aligned` of `market`, a
hundred times faster. All times are epoch ms UTC.
"""

from __future__ import annotations

import numpy as np

from btfeeds.columns import Flags, Times
from btfeeds.market import Timeframe

_EPOCH_MONTH = 1970 * 12  # months are counted from the year 0, as `market` does: it decides which months 5M begins with


def floor(times: Times, timeframe: Timeframe) -> Times:
    """The opening time of the bar in which each time lies."""
    if timeframe.unit == "M":
        months = times.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
        return _month_start(months - (months + _EPOCH_MONTH) % timeframe.count)
    anchor = _anchor(timeframe)
    result: Times = times - (times - anchor) % timeframe.ms
    return result


def close(opens: Times, timeframe: Timeframe) -> Times:
    """The instant at which each bar closes."""
    if timeframe.unit == "M":
        return _month_start(opens.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) + timeframe.count)
    result: Times = opens + timeframe.ms
    return result


def aligned(times: Times, timeframe: Timeframe) -> Flags:
    """Which of the times a bar opens at."""
    flags: Flags = floor(times, timeframe) == times
    return flags


def _anchor(timeframe: Timeframe) -> int:
    """An instant at which a bar opens."""
    return timeframe.floor(0) if timeframe.unit == "w" else 0


def _month_start(months: Times) -> Times:
    result: Times = months.astype("datetime64[M]").astype("datetime64[ms]").astype(np.int64)
    return result
