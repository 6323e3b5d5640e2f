"""Instants as backtrader's lines hold them: days since the year 1 as a float, in UTC.

The lines resolve about 10 µs, so instants are compared as integer epoch ms and turned into days only to be written.
`days` and `days_of` give the very bits of `backtrader.date2num`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import backtrader as bt
import numpy as np
import numpy.typing as npt

from btfeeds.errors import ConfigError
from btfeeds.market import TICK, Timeframe

_DAY_US = 86_400_000_000
_DAY_MS = 86_400_000
_EPOCH = 719_163  # the ordinal of 1970-01-01

Days = npt.NDArray[np.float64]


def days(ms: int) -> float:
    """Epoch ms as days."""
    whole, rest = divmod(ms * 1000, _DAY_US)
    return (whole + float(_EPOCH)) + rest / float(_DAY_US)


def days_of(us: npt.NDArray[np.int64]) -> Days:
    """Epoch µs as days, for a whole column."""
    whole, rest = np.divmod(us, _DAY_US)
    result: Days = (whole + float(_EPOCH)) + rest / float(_DAY_US)
    return result


def ms_of(number: float) -> int:
    """Days as epoch ms: exact, because the lines resolve better than 1 ms."""
    return round((number - _EPOCH) * _DAY_MS)


def utc(ms: int) -> dt.datetime:
    """Epoch ms as a naive UTC datetime, as backtrader shows time."""
    return dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=ms)


_UNITS = {
    bt.TimeFrame.Seconds: ("s", 1),
    bt.TimeFrame.Minutes: ("m", 1),
    bt.TimeFrame.Days: ("d", 1),
    bt.TimeFrame.Weeks: ("w", 1),
    bt.TimeFrame.Months: ("M", 1),
    bt.TimeFrame.Years: ("M", 12),
}


def timeframe(number: int, compression: int) -> Timeframe:
    """The timeframe of backtrader's pair: of Ticks it is TICK. Raises ConfigError."""
    if number == bt.TimeFrame.Ticks and compression == 1:
        return TICK
    if number in (bt.TimeFrame.Ticks, bt.TimeFrame.MicroSeconds):
        raise ConfigError(
            f"bt.TimeFrame.{bt.TimeFrame.TName(number)} with compression={compression!r} is not supported.",
            "Nothing was started.",
            "Use bt.TimeFrame.Ticks with compression=1 for single trades, or bars of bt.TimeFrame.Seconds and longer.",
        )
    if number not in _UNITS or not isinstance(compression, int) or compression < 1:
        raise ConfigError(
            f"timeframe={number!r}, compression={compression!r} is not a timeframe of bars.",
            "Nothing was started.",
            "Use bt.TimeFrame.Ticks, Seconds, Minutes, Days, Weeks, Months or Years, and a compression from 1 upwards.",
        )
    unit, factor = _UNITS[number]
    return Timeframe.parse(f"{compression * factor}{unit}")


def parsed(text: str | Timeframe) -> Timeframe:
    """The timeframe that a feed is asked for in a text: "1m", "4h", or "tick" for single trades. Raises ConfigError."""
    return TICK if text == "tick" else Timeframe.parse(text)


def pair(frame: Timeframe) -> tuple[Any, int]:
    """backtrader's (timeframe, compression)."""
    if frame.unit == "h":
        return bt.TimeFrame.Minutes, frame.count * 60
    units = {"t": "Ticks", "s": "Seconds", "m": "Minutes", "d": "Days", "w": "Weeks", "M": "Months"}
    return getattr(bt.TimeFrame, units[frame.unit]), frame.count
