"""Parquet, Feather and DataFrames in pieces of rows."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from btfeeds.errors import BadBarFile, MissingExtra
from btfeeds.formats.kinds import Kind
from btfeeds.formats.tables import of_file, of_frame

KINDS = [Kind.PARQUET, Kind.FEATHER]


def frame(rows: int = 5) -> pd.DataFrame:
    index = pd.date_range("2024-03-01", periods=rows, freq="1min", tz="UTC", name="datetime")
    columns = {name: [float(row) for row in range(rows)] for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=index)


def test_a_frame_comes_in_pieces_that_know_their_rows() -> None:
    found = list(of_frame(frame(), 2))
    assert [(piece.first, len(piece.held)) for piece in found] == [(1, 2), (3, 2), (5, 1)]
    assert [row[1] for _, row in found[1].rows()] == [2.0, 3.0]
    assert [line for line, _ in found[1].rows()] == [3, 4]
    assert found[1].text(4) == "2024-03-01 00:03:00+00:00,3.0,3.0,3.0,3.0,3.0"


def test_the_time_of_a_frame_is_a_column_or_the_index() -> None:
    named, unnamed = frame(), frame().rename_axis(None)
    assert [next(of_frame(held, 9)).header.time for held in (named, unnamed, named.reset_index())] == [(0,)] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_comes_in_pieces(tmp_path: Path, kind: Kind) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "bars"
    if kind is Kind.PARQUET:
        frame().to_parquet(path)
    else:
        frame().reset_index().to_feather(path)
    found = list(of_file(path, kind, 3))
    assert [line for piece in found for line, _ in piece.rows()] == [1, 2, 3, 4, 5]
    assert [row[piece.header.values[0]] for piece in found for _, row in piece.rows()] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_an_index_without_a_name_is_found_in_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame().rename_axis(None).to_parquet(tmp_path / "bars.parquet")
    (piece,) = of_file(tmp_path / "bars.parquet", Kind.PARQUET, 9)
    assert piece.held[piece.header.time[0]].tolist() == list(frame().index)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_torn_or_absent_is_said(tmp_path: Path, kind: Kind) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "bars"
    with pytest.raises(BadBarFile, match="no file"):
        list(of_file(path, kind, 9))
    for content in (b"", b"not a table at all, but a good deal longer"):
        path.write_bytes(content)
        with pytest.raises(BadBarFile, match="cannot be read") as torn:
            list(of_file(path, kind, 9))
        assert len(str(torn.value).splitlines()) == 3


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"btfeeds\[parquet\]"):
        list(of_file(tmp_path / "bars.parquet", Kind.PARQUET, 9))
