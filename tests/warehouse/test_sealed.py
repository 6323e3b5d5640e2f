"""Sealed files: small, quick, and they explain themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from btfeeds import barfile
from btfeeds.errors import MissingExtra
from btfeeds.market import TimeRange
from btfeeds.warehouse import Provenance, sealed
from btfeeds.warehouse.rows import Row, Rows
from tests.warehouse.bars import MARCH, MINUTE, SERIES, bars

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
EVER = TimeRange(0, 2**60)
ROWS: list[Row] = [(MARCH, 1.0, 4.0, 0.5, 2.0, 10.0, 7, 1), (MARCH + MINUTE, 2.0, 3.0, 1.5, 2.5, 0.0, -1, 2)]
ORIGINS = {1: Provenance("binance", MARCH, False), 2: Provenance("kraken", MARCH + 1, True)}


def encoded() -> bytes:
    return sealed.encode(Rows.of(ROWS), SERIES, ORIGINS)


def many(count: int) -> bytes:
    rows: list[Row] = [(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades, 1)
                       for bar in bars(count)]  # fmt: skip
    return sealed.encode(Rows.of(rows), SERIES, {})


def test_rows_come_out_as_they_went_in() -> None:
    (rows,) = sealed.rows([sealed.decode(encoded(), EVER)])
    assert rows.tuples() == ROWS


def test_only_the_bars_of_the_span_come_out() -> None:
    (rows,) = sealed.rows([sealed.decode(many(500), TimeRange(MARCH + 7 * MINUTE, MARCH + 9 * MINUTE))])
    assert rows.bars.bars() == bars(2, first=7)


def test_of_a_large_file_only_the_groups_of_the_span_are_decoded() -> None:
    content = many(70_000)
    assert parquet.ParquetFile(__import__("io").BytesIO(content)).num_row_groups == 2
    for first in (0, 65_530, 69_990):
        span = TimeRange(MARCH + first * MINUTE, MARCH + (first + 10) * MINUTE)
        (rows,) = sealed.rows([sealed.decode(content, span)])
        assert rows.bars.bars() == bars(10, first=first)


def test_a_file_says_what_it_holds_and_where_it_comes_from() -> None:
    assert sealed.about(encoded()) == {
        "format": 1, "venue": "binance", "symbol": "BTC/USDT", "timeframe": "1m", "times": "UTC, when a bar opens",
        "origins": {"1": {"provider": "binance", "fetched": MARCH, "adjusted": False},
                    "2": {"provider": "kraken", "fetched": MARCH + 1, "adjusted": True}},
    }  # fmt: skip


def test_columns_are_plain_floats_and_packed_numbers_in_lz4(tmp_path: Path) -> None:
    (tmp_path / "file.parquet").write_bytes(encoded())
    group = parquet.ParquetFile(tmp_path / "file.parquet").metadata.row_group(0)
    columns = {group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"LZ4"}
    assert not any(column.has_dictionary_page for column in columns.values())
    assert "DELTA_BINARY_PACKED" in columns["open_time"].encodings
    assert "PLAIN" in columns["close"].encodings


def test_files_of_the_first_versions_are_read_too() -> None:
    table = Rows.of(ROWS).arrow()
    into = __import__("io").BytesIO()
    parquet.write_table(table, into, compression="zstd", use_dictionary=False)
    (rows,) = sealed.rows([sealed.decode(into.getvalue(), EVER)])
    assert rows.tuples() == ROWS


def test_the_same_rows_make_the_same_file() -> None:
    assert sealed.checksum(encoded()) == sealed.checksum(encoded())


def test_a_file_can_be_read_as_any_file_of_bars(tmp_path: Path) -> None:
    (tmp_path / "file.parquet").write_bytes(many(5))
    assert list(barfile.read(tmp_path / "file.parquet").bars) == bars(5)


def test_a_frame_is_that_of_the_columns() -> None:
    for content in (many(5), encoded()):
        table = sealed.decode(content, EVER)
        pd.testing.assert_frame_equal(sealed.frame(table), sealed.rows([table])[0].bars.frame())


def test_a_frame_of_several_files_is_one_frame_that_may_be_changed() -> None:
    whole = sealed.decode(many(50), EVER)
    pieces = pyarrow.concat_tables([whole.slice(0, 20), whole.slice(20, 0), whole.slice(20)])
    frame = sealed.frame(pieces)
    pd.testing.assert_frame_equal(frame, sealed.frame(whole))
    frame.loc[frame.index[3], "close"] = 7.5
    assert frame["close"].iloc[3] == 7.5
    assert sealed.rows([whole])[0].bars.bars() == bars(50)


def test_a_frame_without_bars_has_its_columns() -> None:
    frame = sealed.frame(sealed.decode(many(5), EVER).slice(0, 0))
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert (len(frame), str(frame.index.dtype), str(frame["open"].dtype)) == (0, "datetime64[ns, UTC]", "float64")


def test_without_pyarrow_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match="pyarrow"):
        encoded()
