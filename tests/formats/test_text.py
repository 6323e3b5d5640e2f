"""CSV in pieces of lines."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from btfeeds.errors import BadBarFile
from btfeeds.formats.text import TextPiece, pieces

HEADER = "open_time,open,high,low,close,volume\n"
ROW = "1709251200,1,4,0.5,2,10\n"


def _pieces(folder: Path, text: str, rows: int = 2) -> list[TextPiece]:
    path = folder / "bars.csv"
    path.write_bytes(text.encode())
    return list(pieces(path, rows))


def test_a_file_comes_in_pieces_that_know_their_lines(tmp_path: Path) -> None:
    found = _pieces(tmp_path, HEADER + ROW * 5)
    assert [(piece.first, len(piece.lines)) for piece in found] == [(2, 2), (4, 2), (6, 1)]
    assert [line for piece in found for line, _ in piece.rows()] == [2, 3, 4, 5, 6]
    assert found[1].text(5) == "1709251200,1,4,0.5,2,10"


def test_lines_may_end_as_on_windows_and_begin_with_a_mark(tmp_path: Path) -> None:
    (piece,) = _pieces(tmp_path, "\ufeff" + (HEADER + ROW).replace("\n", "\r\n"))
    frame = piece.frame()
    assert frame is not None
    assert frame.iloc[0].tolist() == [1709251200, 1.0, 4.0, 0.5, 2.0, 10.0]


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    assert [row for piece in _pieces(tmp_path, HEADER + ROW.strip()) for _, row in piece.rows()] == [
        ["1709251200", "1", "4", "0.5", "2", "10"]
    ]


@pytest.mark.parametrize("line", ["\n", "1709251200,1\n", "1709251200,1,4,x,2,10\n", "\x00,1,4,1,2,10\n", '"\n'])
def test_lines_that_cannot_be_read_together_are_left_to_the_rows(tmp_path: Path, line: str) -> None:
    for piece in _pieces(tmp_path, HEADER + ROW + line):
        frame = piece.frame()
        assert frame is None or frame.isna().to_numpy().any()


def test_an_empty_line_is_no_row_and_counts_as_a_line(tmp_path: Path) -> None:
    (piece,) = _pieces(tmp_path, HEADER + "\n" + ROW)
    assert [line for line, _ in piece.rows()] == [3]


def test_values_in_quotes_are_values(tmp_path: Path) -> None:
    (piece,) = _pieces(tmp_path, HEADER + '"2024-03-01","1","4","0.5","2","10"\n')
    frame = piece.frame()
    assert frame is not None
    assert frame.iloc[0].tolist() == ["2024-03-01", 1.0, 4.0, 0.5, 2.0, 10.0]


def test_floats_are_read_to_the_last_bit(tmp_path: Path) -> None:
    texts = ["0.1", "64315.81000000001", "5e-324", "1.7976931348623157e308", "9007199254740993", "0.30000000000000004"]
    (piece,) = _pieces(tmp_path, HEADER + "".join(f"1709251200,{text},4,0.5,2,10\n" for text in texts), rows=10)
    frame = piece.frame()
    assert frame is not None
    assert frame[1].tolist() == [float(text) for text in texts]


def test_a_torn_archive_is_said(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + ROW * 1000).encode())
    for torn in (whole[:-9], whole[:30] + b"\x00\x01\x02" + whole[33:], b"no archive"):
        (tmp_path / "bars.csv.gz").write_bytes(torn)
        with pytest.raises(BadBarFile, match="cannot be read"):
            list(pieces(tmp_path / "bars.csv.gz", 10))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadBarFile, match="no file"):
        list(pieces(tmp_path / "bars.csv", 10))
