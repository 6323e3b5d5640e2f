"""Bars out of files: fast where all is well, exact where it is not."""

from __future__ import annotations

import datetime as dt
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds.columns import Columns
from btfeeds.errors import BadBarFile, ConfigError
from btfeeds.formats.reading import Chunk, Rejected, place_of, read
from btfeeds.market import Bar, Timeframe
from tests.shared import shared

HEADER = "open_time,open,high,low,close,volume\n"
MINUTE, DAY, MONTH = map(Timeframe.parse, ("1m", "1d", "1M"))
TIME = 1_709_251_200_000  # 2024-03-01


def csv(folder: Path, text: str, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def bars(chunks: list[Chunk]) -> list[Bar]:
    return Columns.joined(chunk.bars for chunk in chunks).bars()


def rows(*minutes: int) -> str:
    return "".join(f"{TIME + minute * 60_000},1,4,0.5,2,10\n" for minute in minutes)


def bar(minute: int) -> Bar:
    return Bar(TIME + minute * 60_000, 1.0, 4.0, 0.5, 2.0, 10.0)


def test_a_file_is_read_in_pieces_and_in_its_own_order(tmp_path: Path) -> None:
    chunks = list(read(csv(tmp_path, HEADER + rows(3, 2, 1, 0)), rows=3))
    assert [chunk.lines.tolist() for chunk in chunks] == [[2, 3, 4], [5]]
    assert bars(chunks) == [bar(3), bar(2), bar(1), bar(0)]


def test_a_suffix_nobody_knows_means_csv_and_a_kind_nobody_knows_is_said(tmp_path: Path) -> None:
    path = csv(tmp_path, HEADER + rows(0), "bars.txt")
    assert bars(list(read(path))) == [bar(0)]
    with pytest.raises(ConfigError, match="excel"):
        list(read(path, kind="excel"))


BAD = [
    ("1709251260000,1,4,0.5,x,10", "close", "close is 'x', not a number", 0),
    ("1709251260000,1,4,0.5,,10", "close", "close is '', not a number", 0),
    ("soon,1,4,0.5,2,10", "time", "'soon' is not a time", 0),
    ("1709251260000,1,4", "", "too few values", 0),
    ("1709251260000,1,nan,0.5,2,10", "", "has a value that is not a number", TIME + 60_000),
    ("1709251260000,1,4,0,2,10", "", "has a price that is not positive", TIME + 60_000),
    ("1709251260000,1,4,0.5,2,-1", "", "has a negative volume", TIME + 60_000),
    ("1709251260000,1,1,0.5,2,10", "", "has a high below", TIME + 60_000),
    ("1709251290000,1,4,0.5,2,10", "", "is off the grid: no bar of 1m opens then", TIME + 90_000),
]


@pytest.mark.parametrize(("line", "column", "reason", "time"), BAD)
def test_a_bad_row_ends_the_reading_with_line_and_column(
    tmp_path: Path, line: str, column: str, reason: str, time: int
) -> None:
    path = csv(tmp_path, HEADER + rows(0) + line + "\n" + rows(2))
    with pytest.raises(BadBarFile) as wrong:
        list(read(path, timeframe=MINUTE))
    said = str(wrong.value).splitlines()
    assert said[0].startswith("bars.csv, line 3: ")
    assert reason in said[0] and column in said[0]
    assert len(said) == 3


@pytest.mark.parametrize(("line", "column", "reason", "time"), BAD)
def test_a_bad_row_can_be_put_aside(tmp_path: Path, line: str, column: str, reason: str, time: int) -> None:
    letters: list[Rejected] = []
    path = csv(tmp_path, HEADER + rows(0) + line + "\n" + rows(2))
    chunks = list(read(path, timeframe=MINUTE, rejected=letters.append))
    assert bars(chunks) == [bar(0), bar(2)]
    assert [line.tolist() for line in (chunk.lines for chunk in chunks)] == [[2, 4]]
    (letter,) = letters
    assert (letter.line, letter.column, letter.text, letter.open_time) == (3, column, line, time)
    assert reason in letter.reason


def test_all_bad_rows_of_a_file_are_put_aside_in_order_each_once(tmp_path: Path) -> None:
    letters: list[Rejected] = []
    text = "".join(line + "\n" + rows(number + 10) for number, (line, *_) in enumerate(BAD))
    chunks = list(read(csv(tmp_path, HEADER + text), timeframe=MINUTE, rejected=letters.append, rows=4))
    assert bars(chunks) == [bar(number + 10) for number in range(len(BAD))]
    assert sorted(letter.line for letter in letters) == list(range(2, 2 * len(BAD) + 1, 2))
    assert {letter.text for letter in letters} == {line for line, *_ in BAD}


def test_without_a_timeframe_any_time_will_do(tmp_path: Path) -> None:
    assert len(bars(list(read(csv(tmp_path, HEADER + "1709251290001,1,4,0.5,2,10\n"))))) == 1


def test_trades_come_along_where_they_are_known(tmp_path: Path) -> None:
    text = f"Trades,{HEADER}7,{rows(0)},{rows(1)}"
    assert [bar.trades for bar in bars(list(read(csv(tmp_path, text))))] == [7, -1]


def test_a_close_names_the_bar_that_opened_one_timeframe_before(tmp_path: Path) -> None:
    text = "close_time,open,high,low,close,volume\n2024-03-01 00:00:00,1,4,0.5,2,10\n"
    path = csv(tmp_path, text)
    opened = {str(frame): bars(list(read(path, timeframe=frame)))[0].open_time for frame in (MINUTE, DAY, MONTH)}
    assert opened == {"1m": TIME - 60_000, "1d": TIME - 86_400_000, "1M": TIME - 29 * 86_400_000}


def test_a_close_off_the_grid_is_bad_and_so_is_one_without_a_timeframe(tmp_path: Path) -> None:
    text = "close_time,open,high,low,close,volume\n"
    path = csv(tmp_path, text + "2024-03-01 00:05:30,1,4,0.5,2,10\n2024-03-01 00:01:00,1,4,0.5,2,10\n")
    letters: list[Rejected] = []
    assert bars(list(read(path, timeframe=MINUTE, rejected=letters.append))) == [bar(0)]
    assert [(letter.line, letter.reason) for letter in letters] == [
        (2, "the bar of 2024-03-01T00:05:30Z is off the grid: no bar of 1m closes then")
    ]
    with pytest.raises(BadBarFile, match="says when bars close"):
        list(read(path))


def test_backtraders_own_test_files_have_date_and_time_apart(tmp_path: Path) -> None:
    text = "Date,Time,Open,High,Low,Close,Volume,OpenInterest\n2024-03-01,00:01:00,1,4,0.5,2,10,0\n"
    assert bars(list(read(csv(tmp_path, text)))) == [bar(1)]


def _frame(**changes: Any) -> pd.DataFrame:
    columns = {"open_time": [TIME, TIME + 60_000], "open": [1.0] * 2, "high": [4.0] * 2, "low": [0.5] * 2}
    return pd.DataFrame({**columns, "close": [2.0] * 2, "volume": [10.0] * 2, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"open": [1, 1]},
        {"open": ["1", " 1.0"]},
        {"open": [Decimal(1), Decimal("1.0")]},
        {"open": pd.array([1.0, 1.0], dtype="Float64")},
        {"open_time": [dt.datetime(2024, 3, 1), dt.datetime(2024, 3, 1, 0, 1)]},
        {"open_time": ["2024-03-01", "2024-03-01T00:01Z"]},
        {"trades": [np.nan, np.nan]},
        {"trades": [None, ""]},
    ],
)
def test_a_frame_may_hold_its_values_in_many_types(changes: dict[str, Any]) -> None:
    assert bars(list(read(_frame(**changes)))) == [bar(0), bar(1)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"high": [4.0, None]}, "has a value that is not a number"),
        ({"high": pd.array([4.0, None], dtype="Float64")}, "high is <NA>, not a number"),
        ({"open_time": pd.to_datetime(["2024-03-01", None])}, "NaT is not a time"),
        ({"trades": [1.0, 1e300]}, "not a number of trades"),
    ],
)
def test_a_bad_row_of_a_frame_is_named(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadBarFile, match=why) as wrong:
        list(read(_frame(**changes)))
    assert str(wrong.value).startswith("the DataFrame, row 2: ")


def test_a_source_has_a_name_and_its_rows_too() -> None:
    assert place_of("data/bars.csv.gz") == ("bars.csv.gz", "line")
    assert place_of(Path("bars.parquet")) == ("bars.parquet", "row")
    assert place_of(Path("bars"), "feather") == ("bars", "row")
    assert place_of(_frame()) == ("the DataFrame", "row")


_cells = st.sampled_from(["1", "1.5", "2e0", " 1", "", "x", "nan", "inf", "0", "-1", "1_0", "0x1", '"1"', "1.7e308"])
_when = st.sampled_from(["1709251200", "2024-03-01", "20240301", "soon", "", "1709251200.5", "2024-03-01T00:01+01:00"])


@given(st.lists(st.tuples(_when, _cells, _cells), min_size=1, max_size=5), st.integers(1, 5))
def test_rows_together_and_rows_alone_read_the_same(lines: list[tuple[str, str, str]], together: int) -> None:
    """Each row in a piece of its own against pieces of several: which bars, and which lines are bad."""
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f"{time},{price},1.5,{price},1,1,{trades}\n" for time, price, trades in lines)
        path = csv(Path(folder), "open_time,open,high,low,close,volume,trades\n" + text)
        results = []
        for size in (1, together):
            letters: list[Rejected] = []
            found = bars(list(read(path, rejected=letters.append, rows=size)))
            results.append((found, sorted((letter.line, letter.reason) for letter in letters)))
        assert results[0] == results[1]


def test_real_bars_are_read_as_the_file_has_them() -> None:
    chunks = list(read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz"), timeframe=MINUTE, rows=7_000))
    found = bars(chunks)
    assert len(chunks) == 5
    assert (len(found), found[0]) == (30_240, Bar(1_677_628_800_000, 23140.48, 23150.77, 23128.52, 23142.31, 2.131777))
    assert chunks[-1].lines[-1] == 30_241
