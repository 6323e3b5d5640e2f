"""What the first line says about the others, and what one row says."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest

from btfeeds.errors import BadBarFile
from btfeeds.formats.header import BadCell, Header, bad, has_time
from btfeeds.market import Bar

VALUES = ["open", "high", "low", "close", "volume"]
TIME = 1_709_251_200_000  # 2024-03-01
PLAIN = Header.of(["open_time", *VALUES, "trades"], "bars.csv")


def row(time: Any = "2024-03-01", trades: Any = "7", **changed: Any) -> list[Any]:
    cells = {"open": "1", "high": "4", "low": "0.5", "close": "2", "volume": "10", **changed}
    return [time, *cells.values(), trades]


def test_names_are_found_wherever_and_however_they_stand() -> None:
    header = Header.of(["Volume", " Close ", "LOW", "note", "High", "Open", "Date"], "bars.csv")
    assert (header.time, header.values, header.trades) == ((6,), (5, 4, 2, 1, 0), -1)
    assert header.places == [6, 5, 4, 2, 1, 0]


def test_date_and_time_side_by_side_are_one() -> None:
    header = Header.of(["date", "time", *VALUES], "bars.csv")
    assert header.bar(["2024-03-01", "00:01:00", 1, 1, 1, 1, 1]).open_time == TIME + 60_000


def test_an_opening_time_counts_more_than_the_close() -> None:
    assert not Header.of(["close_time", *VALUES, "open_time"], "bars.csv").closes
    assert Header.of(["close_time", *VALUES], "bars.csv").closes


@pytest.mark.parametrize(
    ("names", "lacks"), [(VALUES, "open_time"), (["open_time", *VALUES[:4]], "volume"), ([], "open_time")]
)
def test_a_column_that_is_not_there_is_named(names: list[str], lacks: str) -> None:
    with pytest.raises(BadBarFile, match=f"^bars.csv has no column {lacks}") as missing:
        Header.of(names, "bars.csv")
    assert len(str(missing.value).splitlines()) == 3


def test_a_row_is_a_bar() -> None:
    assert PLAIN.bar(row()) == Bar(TIME, 1.0, 4.0, 0.5, 2.0, 10.0, 7)


@pytest.mark.parametrize(
    "time",
    ["1709251200", "1709251200.0", " 2024-03-01T01:00+01:00", 1709251200, dt.datetime(2024, 3, 1), dt.date(2024, 3, 1)],
)
def test_times_are_what_to_ms_knows(time: Any) -> None:
    assert PLAIN.bar(row(time)).open_time == TIME


@pytest.mark.parametrize("trades", ["", " ", None, "nan", math.nan])
def test_trades_may_not_be_known(trades: Any) -> None:
    assert PLAIN.bar(row(trades=trades)).trades == -1


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        (row("soon"), "time", "'soon' is not a time"),
        (row(""), "time", "'' is not a time"),
        (row(10**30), "time", "is not a time"),
        (row(close="x"), "close", "close is 'x', not a number"),
        (row(high=""), "high", "high is '', not a number"),
        (row(low=None), "low", "low is None, not a number"),
        (row(trades="many"), "trades", "trades is 'many', not a number"),
        (row(trades="1e300"), "trades", "trades is '1e300', not a number of trades"),
        (row()[:4], "", "too few values"),
    ],
)
def test_a_cell_that_does_not_read_is_named(cells: list[Any], column: str, reason: str) -> None:
    with pytest.raises(BadCell) as wrong:
        PLAIN.bar(cells)
    assert wrong.value.column == column
    assert reason in wrong.value.reason


def test_a_time_is_seen_among_the_names() -> None:
    assert has_time(["Close", "Date"])
    assert not has_time(VALUES)


def test_the_error_about_a_file_has_three_lines() -> None:
    assert str(bad("It is torn.")).splitlines()[:2] == ["It is torn.", "No bar was taken from it."]
    assert bad("a", "b", did="c").did == "c"
