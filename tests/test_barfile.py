"""Files of bars: what is understood, and where a bad one is bad."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from btfeeds.barfile import read
from btfeeds.errors import BadBarFile
from btfeeds.market import Bar, Timeframe
from tests.shared import shared

HEADER = "open_time,open,high,low,close,volume\n"
FIRST = Bar(1_709_251_200_000, 1.0, 4.0, 0.5, 2.0, 10.0)
SECOND = Bar(1_709_251_260_000, 2.0, 3.0, 1.5, 2.5, 0.0)


def _csv(folder: Path, text: str) -> Path:
    path = folder / "bars.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "times",
    [
        ("1709251200", "1709251260"),
        ("1709251200.0", "1709251260.0"),
        ("1709251200000", "1709251260000"),
        ("1709251200000000", "1709251260000000"),
        ("2024-03-01 00:00:00+00:00", "2024-03-01 00:01:00+00:00"),
        ("2024-03-01T00:00:00Z", "2024-03-01T00:01:00Z"),
        ("2024-03-01T01:00:00+01:00", "2024-03-01T00:01"),
    ],
)
def test_times_are_iso_or_epoch_of_any_unit(tmp_path: Path, times: tuple[str, str]) -> None:
    content = read(_csv(tmp_path, f"{HEADER}{times[0]},1,4,0.5,2,10\n{times[1]},2,3,1.5,2.5,0\n"))
    assert content.bars == (FIRST, SECOND)
    assert content.timeframe == Timeframe.parse("1m")


@pytest.mark.parametrize("name", ["datetime", "timestamp", "Open_Time"])
def test_columns_may_stand_in_any_order(tmp_path: Path, name: str) -> None:
    path = _csv(tmp_path, f"Volume,Trades,Close,Low,High,Open,{name}\n10,7,2,0.5,4,1,1709251200\n")
    assert read(path).bars == (Bar(1_709_251_200_000, 1.0, 4.0, 0.5, 2.0, 10.0, 7),)


def test_a_compressed_file_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}1709251200,1,4,0.5,2,10\n".encode()))
    assert read(path).bars == (FIRST,)


def _frame() -> pd.DataFrame:
    index = pd.DatetimeIndex(["2024-03-01T00:00Z", "2024-03-01T00:01Z"], name="datetime")
    columns = {"open": [1.0, 2.0], "high": [4.0, 3.0], "low": [0.5, 1.5], "close": [2.0, 2.5], "volume": [10.0, 0.0]}
    return pd.DataFrame(columns, index=index)


def test_a_frame_may_have_its_times_as_index_or_column() -> None:
    assert read(_frame()).bars == read(_frame().reset_index()).bars == (FIRST, SECOND)


def test_times_of_a_frame_without_a_zone_are_utc() -> None:
    assert read(_frame().tz_localize(None)).bars == (FIRST, SECOND)


def test_a_parquet_file_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    _frame().to_parquet(tmp_path / "bars.parquet")
    assert read(str(tmp_path / "bars.parquet")).bars == (FIRST, SECOND)


def test_a_list_is_checked_like_a_file() -> None:
    assert read([FIRST, SECOND]).bars == (FIRST, SECOND)
    with pytest.raises(BadBarFile, match="bar 2"):
        read([SECOND, FIRST])


@pytest.mark.parametrize(
    ("rows", "line", "why"),
    [
        ("1709251200,1,4,0.5,2,10\n1709251200,1,4,0.5,2,10\n", 3, "twice"),
        ("1709251260,1,4,0.5,2,10\n1709251200,1,4,0.5,2,10\n", 3, "behind a later one"),
        ("1709251200,1,1,2,1,10\n", 2, "high below"),
        ("1709251200,1,nan,0.5,1,10\n", 2, "not a number"),
        ("1709251200,1,4,0,1,10\n", 2, "not positive"),
        ("1709251200,1,4,0.5,1,-10\n", 2, "negative volume"),
        ("1709251200,1,4,0.5,x,10\n", 2, "close is 'x', not a number"),
        ("soon,1,4,0.5,1,10\n", 2, "not a time"),
        ("1709251200,1,4\n", 2, "too few"),
        ("1709251200,1,4,0.5,2,10\n1709251260,1,4,0.5,2,10\n1709251350,1,4,0.5,2,10\n", 4, "no bar of 1m"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, rows: str, line: int, why: str) -> None:
    with pytest.raises(BadBarFile, match=why) as bad:
        read(_csv(tmp_path, HEADER + rows))
    assert f"bars.csv, line {line}:" in str(bad.value)
    assert len(str(bad.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["", HEADER, "open_time,open,high,low,close\n", "a,b\n1,2\n", "\x00\xff"])
def test_a_file_without_bars_is_refused_in_three_lines(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadBarFile) as bad:
        read(_csv(tmp_path, text))
    assert len(str(bad.value).splitlines()) == 3


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.csv.gz", "nowhere.parquet"])
def test_a_file_that_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadBarFile, match=r"no file .*nowhere"):
        read(tmp_path / name)


def test_a_broken_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "bars.csv.gz").write_bytes(b"not gzip at all")
    with pytest.raises(BadBarFile, match="cannot be read"):
        read(tmp_path / "bars.csv.gz")


@pytest.mark.parametrize(("step", "timeframe"), [(1, "1s"), (300, "5m"), (14_400, "4h"), (86_400, "1d")])
def test_the_timeframe_is_the_smallest_step(step: int, timeframe: str) -> None:
    times = [1_709_251_200_000 + number * step * 1000 for number in (0, 3, 4)]  # two bars are missing
    bars = [Bar(time, 1.0, 1.0, 1.0, 1.0, 1.0) for time in times]
    assert read(bars).timeframe == Timeframe.parse(timeframe)


def test_months_are_a_timeframe() -> None:
    bars = [Bar(time, 1.0, 1.0, 1.0, 1.0, 1.0) for time in (1_704_067_200_000, 1_706_745_600_000, 1_709_251_200_000)]
    assert read(bars).timeframe == Timeframe.parse("1M")


def test_the_real_file_is_read_whole() -> None:
    content = read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz"))
    assert (len(content.bars), str(content.timeframe)) == (30_240, "1m")
    assert content.bars[0] == Bar(1_677_628_800_000, 23140.48, 23150.77, 23128.52, 23142.31, 2.131777)
    assert sum(bar.volume == 0 for bar in content.bars) == 658
