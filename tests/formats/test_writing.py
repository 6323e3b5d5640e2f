"""Bars into files, and out of them again."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import sys
import tempfile
from pathlib import Path

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btfeeds.columns import Columns
from btfeeds.errors import ConfigError, MissingExtra, WarehouseUnwritable
from btfeeds.formats.kinds import freqtrade_name
from btfeeds.formats.reading import read
from btfeeds.formats.writing import write
from btfeeds.market import Bar, Symbol, Timeframe
from tests.shared import shared

MINUTE, DAY = map(Timeframe.parse, ("1m", "1d"))
TIME = 1_709_251_200_000  # 2024-03-01
FIRST = Bar(TIME, 0.1, 64315.81000000001, 1e-8, 0.30000000000000004, 10.0, 7)
SECOND = Bar(TIME + 60_000, 2.0, 3.0, 1.5, 2.5, 0.0)
NAMES = ["bars.csv", "bars.csv.gz", "bars.parquet", "bars.feather"]


def parts(*bars: Bar) -> list[Columns]:
    """Each bar in a part of its own."""
    return [Columns.from_bars([bar]) for bar in bars]


def again(path: Path, kind: str = "", timeframe: Timeframe = MINUTE) -> list[Bar]:
    return Columns.joined(chunk.bars for chunk in read(path, kind=kind, timeframe=timeframe)).bars()


def untold(bar: Bar) -> Bar:
    """The bar as it comes out of a format that has no trades."""
    return Bar(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume)


def test_csv_has_times_for_people_and_floats_to_the_last_bit(tmp_path: Path) -> None:
    assert write(tmp_path / "bars.csv", parts(FIRST, SECOND), MINUTE) == 2
    assert (tmp_path / "bars.csv").read_text() == (
        "open_time,open,high,low,close,volume,trades\n"
        "2024-03-01T00:00:00Z,0.1,64315.81000000001,1e-08,0.30000000000000004,10.0,7\n"
        "2024-03-01T00:01:00Z,2.0,3.0,1.5,2.5,0.0,\n"
    )


def test_a_compressed_file_holds_the_same_and_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("bars.csv", "bars.csv.gz", "again.csv.gz"):
        write(tmp_path / name, parts(FIRST, SECOND), MINUTE)
    packed = (tmp_path / "bars.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "bars.csv").read_bytes()
    assert packed == (tmp_path / "again.csv.gz").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, parts(FIRST, SECOND), MINUTE)
    expected = [FIRST, SECOND]
    assert again(tmp_path / name) == ([untold(bar) for bar in expected] if name == "bars.feather" else expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_series_without_bars_is_a_file_without_bars(tmp_path: Path, name: str) -> None:
    assert write(tmp_path / name, [], MINUTE) == 0
    assert again(tmp_path / name) == []


def test_parquet_has_utc_times_and_nulls(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write(tmp_path / "bars.parquet", parts(FIRST, SECOND), MINUTE)
    frame = pd.read_parquet(tmp_path / "bars.parquet")
    assert list(frame.columns) == ["open_time", "open", "high", "low", "close", "volume", "trades"]
    assert frame["open_time"].tolist() == [pd.Timestamp("2024-03-01T00:00Z"), pd.Timestamp("2024-03-01T00:01Z")]
    assert frame["trades"].isna().tolist() == [False, True]


def test_feather_is_what_freqtrade_reads(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / freqtrade_name(Symbol("BTC/USDT"), MINUTE)
    write(path, parts(FIRST, SECOND), MINUTE)
    frame = pd.read_feather(path)
    assert list(frame.columns) == ["date", "open", "high", "low", "close", "volume"]
    assert list(map(str, frame.dtypes)) == ["datetime64[ns, UTC]", *["float64"] * 5]
    assert frame["date"].tolist() == [pd.Timestamp("2024-03-01T00:00Z"), pd.Timestamp("2024-03-01T00:01Z")]


@pytest.mark.parametrize("unit", ["ms", "ns"])
def test_what_freqtrade_writes_is_read(tmp_path: Path, unit: str) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({
        "date": pd.date_range("2024-03-01", periods=2, freq="1min", tz="UTC").as_unit(unit),
        "open": [1.0, 2.0], "high": [4.0, 3.0], "low": [0.5, 1.5], "close": [2.0, 2.5], "volume": [10.0, 0.0],
    })  # fmt: skip
    frame.to_feather(tmp_path / "BTC_USDT-1m.feather", compression_level=9, compression="lz4")
    assert again(tmp_path / "BTC_USDT-1m.feather") == [Bar(TIME, 1.0, 4.0, 0.5, 2.0, 10.0), SECOND]


def loaded(feed: bt.feeds.GenericCSVData) -> list[tuple[dt.datetime, float, float, float, float, float, float]]:
    """The lines that a feed of backtrader makes of its file."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed)
    cerebro.run()
    names = ("open", "high", "low", "close", "volume", "openinterest")
    columns = [getattr(feed.lines, name).array for name in names]
    return list(zip(map(bt.num2date, feed.lines.datetime.array), *columns, strict=True))


def test_backtraders_generic_feed_reads_it_with_the_stamps_of_a_live_feed(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    write(path, parts(FIRST, SECOND), MINUTE, kind="backtrader")
    assert path.read_text().splitlines()[:2] == [
        "close_time,open,high,low,close,volume,openinterest",
        "2024-03-01 00:01:00,0.1,64315.81000000001,1e-08,0.30000000000000004,10.0,0",
    ]
    assert loaded(bt.feeds.GenericCSVData(dataname=str(path), timeframe=bt.TimeFrame.Minutes)) == [
        (dt.datetime(2024, 3, 1, 0, 1), 0.1, 64315.81000000001, 1e-08, 0.30000000000000004, 10.0, 0.0),
        (dt.datetime(2024, 3, 1, 0, 2), 2.0, 3.0, 1.5, 2.5, 0.0, 0.0),
    ]
    assert again(path, "backtrader") == [untold(FIRST), SECOND]


def test_backtraders_own_feed_reads_days(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    write(path, parts(Bar(TIME, 1.0, 4.0, 0.5, 2.0, 10.0)), DAY, kind="backtrader")
    assert [(row[0].date(), *row[1:]) for row in loaded(bt.feeds.BacktraderCSVData(dataname=str(path)))] == [
        (dt.date(2024, 3, 2), 1.0, 4.0, 0.5, 2.0, 10.0, 0.0)  # closed at midnight
    ]
    assert again(path, "backtrader", DAY) == [Bar(TIME, 1.0, 4.0, 0.5, 2.0, 10.0)]


def test_a_failure_in_the_middle_leaves_the_older_file(tmp_path: Path) -> None:
    def torn() -> object:
        yield Columns.from_bars([FIRST])
        raise RuntimeError("no more")

    for name in NAMES:
        (tmp_path / name).write_text("old")
        with pytest.raises(RuntimeError, match="no more"):
            write(tmp_path / name, torn(), MINUTE)
        assert (tmp_path / name).read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)


def test_what_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"bars\.xlsx does not name a format"):
        write(tmp_path / "bars.xlsx", [], MINUTE)
    with pytest.raises(WarehouseUnwritable, match="cannot be written"):
        write(tmp_path / "nowhere" / "bars.csv", [], MINUTE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"btfeeds\[parquet\]"):
        write(tmp_path / "bars.parquet", [], MINUTE)
    assert os.listdir(tmp_path) == []


_prices = st.floats(1e-12, 1e12, allow_nan=False)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 10**6), _prices, _prices, st.floats(0, 1e15), st.integers(-1, 10**9)),
                unique_by=lambda row: row[0], max_size=20))  # fmt: skip
def test_every_float_comes_back_to_the_last_bit(rows: list[tuple[int, float, float, float, int]]) -> None:
    held = [Bar(TIME + n * 60_000, low, max(low, high), min(low, high), high, volume, trades)
            for n, low, high, volume, trades in rows]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES[:3]:
            write(Path(folder) / name, [Columns.from_bars(held)], MINUTE)
            assert again(Path(folder) / name) == held


def test_real_bars_go_through_every_format_unchanged(tmp_path: Path) -> None:
    source = shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")
    held = Columns.joined(chunk.bars for chunk in read(source, timeframe=MINUTE))
    for name in NAMES:
        write(tmp_path / name, (held.take(slice(at, at + 9_000)) for at in range(0, len(held), 9_000)), MINUTE)
        found = Columns.joined(chunk.bars for chunk in read(tmp_path / name, timeframe=MINUTE))
        assert np.array_equal(found.open_time, held.open_time)
        assert found.same(held)
