"""Columns of times say what `to_ms` says of each."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds.formats.moments import moments
from btfeeds.market import to_ms

TIME = 1_709_251_200_000  # 2024-03-01


@pytest.mark.parametrize(
    "column",
    [
        [1709251200, 1709251260],
        [1709251200.0, 1709251260.0],
        [1709251200000, 1709251260000],
        [1709251200000000, 1709251260000000],
        [1709251200000000000, 1709251260000000000],
        ["2024-03-01 00:00:00+00:00", "2024-03-01 00:01:00+00:00"],
        ["2024-03-01T00:00:00Z", "2024-03-01T01:01:00+01:00"],
        ["2024-03-01", "2024-03-01T00:01"],
        pd.to_datetime(["2024-03-01 00:00", "2024-03-01 00:01"]),
        pd.to_datetime(["2024-03-01 00:00", "2024-03-01 00:01"]).tz_localize("UTC").tz_convert("Asia/Tokyo"),
        [1709251200, 1709251260000],  # seconds, then milliseconds: each tells by its size
    ],
)
def test_times_of_every_kind_are_read(column: Any) -> None:
    found = moments(pd.Series(column))
    assert found is not None
    assert found.tolist() == [TIME, TIME + 60_000]


@pytest.mark.parametrize(
    "column",
    [
        [20240301, 20240302],  # a date without its dashes
        [1709251200.0, float("nan")],
        [float("inf"), 1709251200.0],
        ["2024-03-01", "soon"],
        ["2024-03-01", ""],
        ["2024-03-01", None],
        pd.to_datetime(["2024-03-01", None]),
        [True, False],
        [1e300, 1e300],
        [],
    ],
)
def test_what_needs_a_look_at_each_one_is_left_to_it(column: Any) -> None:
    found = moments(pd.Series(column))
    assert found is None or (len(column) == 0 and not len(found))


@given(st.lists(st.integers(10**8, 9 * 10**18), min_size=1, max_size=8))
def test_numbers_read_as_one_by_one(numbers: list[int]) -> None:
    found = moments(pd.Series(numbers))
    assert found is not None
    assert found.tolist() == [to_ms(number) for number in numbers]


def test_a_whole_number_just_below_a_unit_s_bound_is_below_it() -> None:
    assert moments(pd.Series([99_999_999_999_999_992])).tolist() == [99_999_999_999_999]  # type: ignore[union-attr]
