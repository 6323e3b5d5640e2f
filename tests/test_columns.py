"""Bars as columns, and back."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from btfeeds.columns import Columns
from btfeeds.market import Bar

FIRST = Bar(1_709_251_200_000, 1.0, 4.0, 0.5, 2.0, 10.0, 7)
SECOND = Bar(1_709_251_260_000, 2.0, 3.0, 1.5, 2.5, 0.0)


def test_bars_go_in_and_come_out_as_they_were() -> None:
    assert Columns.from_bars([FIRST, SECOND]).bars() == [FIRST, SECOND]
    assert Columns.from_bars([]).bars() == []


def test_columns_may_come_without_trades() -> None:
    given = {"open_time": [5], "open": [1], "high": [4], "low": [1], "close": [2], "volume": [3]}
    assert Columns.of(given).bars() == [Bar(5, 1.0, 4.0, 1.0, 2.0, 3.0, -1)]


def test_parts_are_joined_in_their_order() -> None:
    parts = [Columns.from_bars([SECOND]), Columns.from_bars([]), Columns.from_bars([FIRST])]
    assert Columns.joined(parts).bars() == [SECOND, FIRST]
    assert Columns.joined([]).bars() == []


def test_rows_are_taken_by_mask_index_and_slice() -> None:
    columns = Columns.from_bars([FIRST, SECOND])
    assert columns.take(np.array([False, True])).bars() == [SECOND]
    assert columns.take(np.array([1, 0])).bars() == [SECOND, FIRST]
    assert columns.take(slice(0, 1)).bars() == [FIRST]


def test_a_frame_has_the_opening_time_in_utc_as_index() -> None:
    frame = Columns.from_bars([FIRST]).frame()
    assert frame.index.name == "datetime"
    assert list(frame.index) == [pd.Timestamp("2024-03-01T00:00Z")]
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert frame.iloc[0].to_dict() == {
        "open": 1.0, "high": 4.0, "low": 0.5, "close": 2.0, "volume": 10.0, "trades": 7.0,
    }  # fmt: skip


def test_a_frame_has_trades_only_where_every_bar_knows() -> None:
    assert list(Columns.from_bars([FIRST, SECOND]).frame().columns) == ["open", "high", "low", "close", "volume"]


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        (Bar(0, 1.0, math.nan, 1.0, 1.0, 1.0), "not_finite"),
        (Bar(0, 1.0, 1.0, 1.0, 1.0, math.inf), "not_finite"),
        (Bar(0, 1.0, 1.0, 0.0, 1.0, -1.0), "price_not_positive"),
        (Bar(0, 1.0, 1.0, 1.0, 1.0, -1.0), "volume_negative"),
        (Bar(0, 1.0, 2.0, 1.5, 2.0, 1.0), "high_low"),
        (Bar(0, 1.0, 2.0, 1.0, 2.5, 1.0), "high_low"),
        (Bar(0, 1.0, 1.0, 1.0, 1.0, 0.0), ""),
    ],
)
def test_a_row_that_cannot_be_a_bar_has_the_reason_that_the_bar_has(bar: Bar, reason: str) -> None:
    assert bar.fault() == reason
    found = Columns.from_bars([FIRST, bar]).faults()
    assert {name: flags.tolist() for name, flags in found.items() if flags.any()} == (
        {reason: [False, True]} if reason else {}
    )


def test_the_same_rows_are_the_same_to_the_last_bit() -> None:
    one = Columns.from_bars([Bar(0, 0.3, 1.0, 0.1, 1.0, math.nan)])
    assert one.same(Columns.from_bars([Bar(0, 0.3, 1.0, 0.1, 1.0, math.nan)]))
    assert not one.same(Columns.from_bars([Bar(0, 0.1 + 0.2, 1.0, 0.1, 1.0, math.nan)]))
