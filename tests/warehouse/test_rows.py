"""Columns with provenance: joining, and digests that show damage."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from btfeeds.market import TimeRange
from btfeeds.warehouse.rows import Row, Rows, joined
from tests.warehouse.bars import MARCH, MINUTE

ONE: Row = (MARCH, 1.0, 4.0, 0.5, 2.0, 10.0, 7, 1)
TWO: Row = (MARCH + MINUTE, 2.0, 3.0, 1.5, 2.5, 0.0, -1, 1)
NEWER: Row = (MARCH + MINUTE, 2.0, 3.5, 1.5, 2.5, 0.0, 4, 2)
THREE: Row = (MARCH + 2 * MINUTE, 2.5, 3.0, 1.5, 2.5, 0.0, 4, 2)


def test_rows_come_out_as_they_went_in() -> None:
    assert Rows.of([ONE, TWO]).tuples() == [ONE, TWO]
    assert Rows.of([]).tuples() == []


def test_of_two_words_on_one_bar_that_of_the_later_part_counts() -> None:
    assert joined([Rows.of([ONE, TWO]), Rows.of([]), Rows.of([NEWER, THREE])]).tuples() == [ONE, NEWER, THREE]
    assert joined([Rows.of([NEWER, THREE]), Rows.of([ONE, TWO])]).tuples() == [ONE, TWO, THREE]


def test_many_corrections_count_every_one() -> None:
    old: list[Row] = [(MARCH + number * MINUTE, 1.0, 4.0, 0.5, 2.0, 10.0, 7, 1) for number in range(3_000)]
    new: list[Row] = [(*row[:7], 2) for row in old[::2]]
    assert joined([Rows.of(old), Rows.of(new)]).origin.tolist() == [2, 1] * 1_500


def test_rows_outside_some_spans_are_those_that_open_in_none_of_them() -> None:
    first, second, third = (TimeRange(MARCH + n * MINUTE, MARCH + (n + 1) * MINUTE) for n in range(3))
    rows = Rows.of([ONE, TWO, THREE])
    assert rows.outside([second]).tuples() == [ONE, THREE]
    assert rows.outside([first, third]).tuples() == [TWO]
    beside = [TimeRange(MARCH - MINUTE, MARCH), TimeRange(MARCH + 1, MARCH + MINUTE)]
    assert rows.outside(beside).tuples() == rows.tuples()
    assert rows.outside([]).tuples() == rows.tuples()


@pytest.mark.parametrize("column", range(8))
def test_any_bit_of_a_row_changes_its_digest(column: int) -> None:
    form = "<q" if isinstance(ONE[column], int) else "<d"
    (before,) = Rows.of([ONE]).digests()
    bits = int.from_bytes(struct.pack(form, ONE[column]), "little")
    for bit in range(64):
        (value,) = struct.unpack(form, (bits ^ (1 << bit)).to_bytes(8, "little"))
        (after,) = Rows.of([(*ONE[:column], value, *ONE[column + 1 :])]).digests()
        assert after != before, bit


def test_two_values_that_change_places_change_the_digest() -> None:
    swapped = (ONE[0], ONE[2], ONE[1], *ONE[3:])
    assert Rows.of([swapped]).digests()[0] != Rows.of([ONE]).digests()[0]


def test_a_negative_zero_is_a_zero() -> None:
    zero, negative = (Rows.of([(*ONE[:5], value, *ONE[6:])]).digests()[0] for value in (0.0, -0.0))
    assert zero == negative


def test_a_table_has_naive_utc_microseconds_and_plain_numbers() -> None:
    table = Rows.of([ONE, TWO]).arrow()
    assert [str(field.type) for field in table.schema] == ["timestamp[us]", *["double"] * 5, "int64", "int64"]
    assert table.column("open_time").to_pylist()[0].isoformat() == "2024-03-01T00:00:00"
    assert table.column("trades").to_pylist() == [7, -1]
    assert np.array_equal(table.column("origin").to_numpy(), [1, 1])
