"""The grid in columns says what `Timeframe` says of one time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds import grid
from btfeeds.market import Timeframe, iso, to_ms

TIMEFRAMES = [Timeframe.parse(text) for text in ("1s", "1m", "7m", "1h", "1d", "3d", "1w", "2w", "1M", "7M")]
_times = st.lists(st.integers(-(10**12), 4 * 10**12), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("timeframe", "opened", "closed"),
    [
        ("1h", "2024-02-29T23:00:00Z", "2024-03-01T00:00:00Z"),
        ("1d", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("1w", "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"),  # a Monday
        ("1M", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("3M", "2024-01-01T00:00:00Z", "2024-04-01T00:00:00Z"),
    ],
)
def test_a_time_lies_in_the_bar_that_opened_before_it(timeframe: str, opened: str, closed: str) -> None:
    frame, times = Timeframe.parse(timeframe), np.array([to_ms("2024-02-29T23:30Z")])
    opens = grid.floor(times, frame)
    assert (iso(int(opens[0])), iso(int(grid.close(opens, frame)[0]))) == (opened, closed)
    assert grid.aligned(np.append(times, opens), frame).tolist() == [False, True]


@given(_times, st.sampled_from(TIMEFRAMES))
def test_columns_and_single_times_agree(times: list[int], timeframe: Timeframe) -> None:
    column = np.array(times, dtype=np.int64)
    opens = grid.floor(column, timeframe)
    assert opens.tolist() == [timeframe.floor(time) for time in times]
    assert grid.close(opens, timeframe).tolist() == [timeframe.close(timeframe.floor(time)) for time in times]
    assert grid.aligned(column, timeframe).tolist() == [timeframe.aligned(time) for time in times]
