"""Bars that can be true and deserve a look: prices far out of the ordinary, prices that do not move. Pure.

Ordinary is what the neighbours do: the median of the log returns in a window and the median distance from it (MAD;
1.4826 × MAD is σ where returns are normal), which a few wild values do not move. A return over a gap is divided by
the square root of the bars it spans, as that is how far prices wander in the meantime.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from btfeeds.columns import PRICES, Columns, Flags, Floats, Times
from btfeeds.market import Timeframe

_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Policy:
    """From when on a bar is strange."""

    window: int = 1_000  # returns that are compared with each other
    sigmas: float = 20.0  # a minute of a crash has ten or twenty of them; a wrong digit has hundreds
    least: float = 0.02  # a smaller jump (as a log return) is never an outlier: quiet markets have no σ to speak of
    fewest: int = 30  # with fewer returns nobody knows what is ordinary
    stuck: int = 10  # bars in a row with the same four prices, each with volume

    @property
    def around(self) -> tuple[int, int]:
        """How many bars before and behind others have to be seen with them: what is ordinary, and who else is stuck."""
        return max(self.window, self.stuck), self.stuck


def outliers(bars: Columns, timeframe: Timeframe, policy: Policy) -> Flags:
    """Which bars leave the ordinary; `bars` are valid, ascending, without duplicates. The way back is not flagged."""
    found = np.zeros(len(bars), dtype=np.bool_)
    if len(bars) <= policy.fewest:
        return found
    steps = np.sqrt(np.maximum(1.0, np.diff(bars.open_time) / timeframe.ms))
    close, high, low = (np.log(column) for column in (bars.close, bars.high, bars.low))
    median, limit = _ordinary(np.diff(close) / steps, policy)
    far = np.maximum(np.abs(high[1:] - close[:-1]), np.abs(low[1:] - close[:-1])) / steps
    found[1:] = np.maximum(far, np.abs(np.diff(close) / steps - median)) > limit
    # behind a spike the price returns to where it was: seen from the bar before the spike that is ordinary
    back = np.abs(close[2:] - close[:-2]) <= limit[1:]
    found[2:] &= ~(found[1:-1] & back)
    return found


def _ordinary(returns: Floats, policy: Policy) -> tuple[Floats, Floats]:
    """For every return the median of its window, and how far from it is too far."""
    median, limit = np.empty_like(returns), np.empty_like(returns)
    count = max(1, len(returns) // policy.window)  # the last window takes the rest, so none is too short
    for number in range(count):
        end = (number + 1) * policy.window if number < count - 1 else len(returns)
        window = slice(number * policy.window, end)
        middle = np.median(returns[window])
        median[window] = middle
        limit[window] = max(policy.least, policy.sigmas * _SIGMA * float(np.median(np.abs(returns[window] - middle))))
    return median, limit


def stuck(bars: Columns, policy: Policy) -> Flags:
    """Which bars stand in a long run of the same open, high, low and close, each with volume."""
    same = bars.volume[1:] > 0
    for name in PRICES:
        column = getattr(bars, name)
        same &= column[1:] == column[:-1]
    same &= bars.volume[:-1] > 0
    starts = _starts(same, len(bars))
    lengths = np.diff(np.append(starts, len(bars)))
    flags: Flags = np.repeat(lengths >= policy.stuck, lengths)
    return flags


def _starts(same: Flags, rows: int) -> Times:
    """Where a row begins that does not continue the one before."""
    return np.flatnonzero(np.concatenate((np.ones(min(rows, 1), dtype=np.bool_), ~same)))


def no_trade(bars: Columns) -> Flags:
    """Which bars say that nothing was traded: no volume, and one price."""
    flags: Flags = (bars.volume == 0) & (bars.high == bars.low)
    return flags
