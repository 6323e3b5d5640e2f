"""A column of times as epoch ms, all at once: what `market.to_ms` does with one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from btfeeds.columns import Times

if TYPE_CHECKING:
    import pandas as pd

_SHORTEST = 10**8  # numbers with fewer digits are not times; 20240301 is a date, which `to_ms` knows
_LONGEST = 10**19  # nor are numbers with more


def moments(column: pd.Series) -> Times | None:
    """Epoch ms of ISO text, of moments (without a zone: UTC), or of epoch numbers whose unit their size tells.

    None where a value is none of these, or where only a look at each one can tell.
    """
    import pandas as pd

    kind = column.dtype.kind
    if kind in "iuf":
        return _epochs(column.to_numpy())
    if kind == "M":
        index = pd.DatetimeIndex(column)
    else:
        try:
            index = pd.DatetimeIndex(pd.to_datetime(column, format="ISO8601", utc=True))
        except (TypeError, ValueError):  # also pandas' own errors about times out of bounds
            return None
    if index.hasnans:
        return None
    index = index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")
    times: Times = index.as_unit("ms").asi8
    return times


def _epochs(numbers: np.ndarray[tuple[int], np.dtype[np.number]]) -> Times | None:
    size = np.abs(numbers)
    if not len(numbers) or not ((size >= _SHORTEST) & (size < _LONGEST)).all():  # NaN is neither
        return None
    if numbers.dtype.kind == "f":
        return np.where(size < 1e11, np.rint(numbers * 1000), _scaled(np.trunc(numbers), size)).astype(np.int64)
    whole = numbers.astype(np.int64)
    return np.where(size < 10**11, whole * 1000, _scaled(whole, size)).astype(np.int64)


def _scaled(numbers: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Numbers of ms, µs or ns as ms."""
    # whole numbers are compared as such: as floats those just below a bound would be on it
    small, large = (10**14, 10**17) if size.dtype.kind in "iu" else (1e14, 1e17)
    return np.where(size < small, numbers, np.where(size < large, numbers // 1_000, numbers // 1_000_000))
