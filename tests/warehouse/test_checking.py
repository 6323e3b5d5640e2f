"""A check finds what is wrong, says it, and changes nothing unless told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.market import TimeRange
from btfeeds.warehouse import Warehouse, books
from tests.warehouse.bars import APRIL, DAY, MARCH, MINUTE, SERIES, bars

pytest.importorskip("pyarrow")
EVER = TimeRange(0, 2**60)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """March in a file, three bars of April in none."""
    made = Warehouse(tmp_path, clock=ManualClock(APRIL + DAY))
    made.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
    made.add(SERIES, bars(3, start=APRIL), provider="binance")
    return made


def test_nothing_is_found_where_nothing_is_wrong(warehouse: Warehouse) -> None:
    assert warehouse.verify() == []
    assert warehouse.verify(SERIES) == []


def _flip(warehouse: Warehouse) -> None:
    path = warehouse.root / warehouse.files()[0][1].path
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)


def _remove(warehouse: Warehouse) -> None:
    (warehouse.root / warehouse.files()[0][1].path).unlink()


def _sql(text: str) -> Callable[[Warehouse], None]:
    def change(warehouse: Warehouse) -> None:
        with warehouse._catalogue.writing() as db:
            db.execute(text)

    return change


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (_flip, ["file_damaged"]),
        (_remove, ["file_damaged"]),
        (_sql(f"UPDATE bar SET volume = 3.25 WHERE time = {APRIL}"), ["row_damaged"]),
        (_sql("UPDATE series SET rows = 9"), ["rows"]),
        (_sql("UPDATE file SET rows = 4"), ["rows", "rows"]),
        (_sql(f"UPDATE coverage SET stop = {APRIL}"), ["uncovered"]),
        (_sql("DELETE FROM coverage"), ["uncovered", "uncovered"]),
        (_sql(f"UPDATE file SET start = {MARCH + MINUTE}"), ["order"]),
    ],
)
def test_what_is_wrong_is_found(
    warehouse: Warehouse, change: Callable[[Warehouse], None], kinds: list[str]
) -> None:
    change(warehouse)
    assert [finding.kind for finding in warehouse.verify()] == kinds
    assert [finding.kind for finding in warehouse.verify()] == kinds, "a check changes nothing"
    assert warehouse.root.joinpath("quarantine").exists() is False


def test_a_bar_off_the_grid_is_found(warehouse: Warehouse) -> None:
    with warehouse._catalogue.writing() as db:
        number = books.make_series(db, SERIES)
        rows = books.rows(db, number, EVER)
        rows.bars.open_time[1] += 1
        books.remove_rows(db, number, EVER)
        books.put(db, number, rows, frozenset())
    assert [finding.kind for finding in warehouse.verify()] == ["off_grid"]


@pytest.mark.parametrize("change", [_flip, _remove, _sql(f"UPDATE bar SET volume = 3.25 WHERE time = {APRIL}")])
def test_a_repair_puts_what_is_damaged_out_of_the_way(
    warehouse: Warehouse, change: Callable[[Warehouse], None]
) -> None:
    change(warehouse)
    before = warehouse.missing(SERIES, TimeRange(MARCH, APRIL + 3 * MINUTE))
    (finding,) = warehouse.verify(repair=True)
    assert before == []
    assert warehouse.verify() == []
    assert warehouse.missing(SERIES, TimeRange(MARCH, APRIL + 3 * MINUTE)) == [finding.span]
