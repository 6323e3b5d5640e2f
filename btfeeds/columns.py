"""Many bars as columns of numpy: what is checked, merged, read and written in bulk. A row is a bar; the rules of
`market` hold for it, but nothing here looks whether it keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from btfeeds.market import Bar

if TYPE_CHECKING:
    import pandas as pd

Times = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
NAMES = ("open_time", *VALUES, "trades")


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Seven columns of equal length. `open_time` in epoch ms UTC; `trades` is -1 where it is not known."""

    open_time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    trades: Times

    def __len__(self) -> int:
        return len(self.open_time)

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Columns:
        """From arrays or lists by name; `trades` may be absent. Times must be epoch ms already."""
        times = np.asarray(columns["open_time"], dtype=np.int64)
        trades = columns.get("trades")
        counts = np.full(len(times), -1, dtype=np.int64) if trades is None else np.asarray(trades, dtype=np.int64)
        values = {name: np.asarray(columns[name], dtype=np.float64) for name in VALUES}
        return cls(open_time=times, trades=counts, **values)

    @classmethod
    def from_bars(cls, bars: Sequence[Bar]) -> Columns:
        times = np.array([bar.open_time for bar in bars], dtype=np.int64)
        values = {name: np.array([getattr(bar, name) for bar in bars], dtype=np.float64) for name in VALUES}
        return cls(open_time=times, trades=np.array([bar.trades for bar in bars], dtype=np.int64), **values)

    @classmethod
    def joined(cls, parts: Iterable[Columns]) -> Columns:
        """The rows of all parts, one part behind the other."""
        held = list(parts)
        if not held:
            return cls.from_bars([])
        return cls(*(np.concatenate([getattr(part, name) for part in held]) for name in NAMES))

    def take(self, rows: npt.NDArray[Any] | slice) -> Columns:
        """The rows that an index, a mask or a slice names."""
        return Columns(*(getattr(self, name)[rows] for name in NAMES))

    def bars(self) -> list[Bar]:
        return [Bar(*row) for row in zip(*(getattr(self, name).tolist() for name in NAMES), strict=True)]

    def frame(self) -> pd.DataFrame:
        """UTC index "datetime" (opening time), float columns, and trades where every bar knows: as a download gives."""
        import pandas as pd

        index = pd.DatetimeIndex(self.open_time.astype("datetime64[ms]"), name="datetime").as_unit("ns")
        columns: dict[str, Any] = {name: getattr(self, name) for name in VALUES}
        if len(self) and bool((self.trades >= 0).all()):
            columns["trades"] = self.trades
        return pd.DataFrame(columns, index=index.tz_localize("UTC"))

    def faults(self) -> dict[str, Flags]:
        """For each reason why a row cannot be a bar, the rows; names and order of `Bar.fault`, one reason a row."""
        finite = np.ones(len(self), dtype=np.bool_)
        for name in VALUES:
            finite &= np.isfinite(getattr(self, name))
        lowest = np.minimum.reduce([getattr(self, name) for name in PRICES])
        inside = (self.low <= np.minimum(self.open, self.close)) & (np.maximum(self.open, self.close) <= self.high)
        reasons = {
            "not_finite": ~finite,
            "price_not_positive": lowest <= 0,
            "volume_negative": self.volume < 0,
            "high_low": ~inside,
        }
        left = np.ones(len(self), dtype=np.bool_)
        for reason, bad in reasons.items():
            reasons[reason] = left & bad
            left = left & ~bad
        return reasons

    def same(self, other: Columns) -> bool:
        """Whether both hold the same rows, bit for bit; NaN equals NaN."""
        return all(getattr(self, name).tobytes() == getattr(other, name).tobytes() for name in NAMES)
