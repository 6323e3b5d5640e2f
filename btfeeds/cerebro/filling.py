"""The gap policy of a backtest: what `gaps` means for bars that were downloaded.

"fill" puts flat bars where the venue has none between two of its bars, with 1.0 in the column `filled`; "stop" raises
where a venue that has a row for every bar has none. With "mark" and "hold" the bars stay as they are: there is nobody
to tell before a backtest begins, and nothing to wait for.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from btfeeds.history.ranges import union
from btfeeds.live.gaps import lacking_bars
from btfeeds.market import Timeframe, TimeRange

_PRICES = ["open", "high", "low", "close"]


def settle(frame: pd.DataFrame, timeframe: Timeframe, gaps: str, *, name: str, omits_empty: bool) -> pd.DataFrame:
    """The bars of `download()`, with the gaps between them dealt with. Raises HistoryIncomplete."""
    if frame.empty or gaps not in ("fill", "stop") or (gaps == "stop" and omits_empty):
        return frame
    times = frame.index.as_unit("ms").asi8
    span = TimeRange(int(times[0]), timeframe.close(int(times[-1])))
    opens = np.fromiter(timeframe.opens(span), dtype="int64")
    lacking = np.setdiff1d(opens, times)
    if gaps == "stop":
        if lacking.size:
            first = union(TimeRange(int(time), timeframe.close(int(time))) for time in lacking)[0]
            raise lacking_bars(name, first)
        return frame
    index = pd.DatetimeIndex(opens.astype("datetime64[ms]"), name=frame.index.name).as_unit("ns").tz_localize("UTC")
    made = frame.reindex(index)
    flat = np.isin(opens, lacking)
    close = made["close"].ffill()
    for column in _PRICES:
        made.loc[flat, column] = close[flat]
    for column in made.columns.difference(_PRICES):
        made.loc[flat, column] = 0
    if "trades" in made:
        made["trades"] = made["trades"].astype("int64")
    made["filled"] = flat.astype("float64")
    return made
