"""CSV, compressed or not, in pieces of lines."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from btfeeds.formats.header import Header, bad

if TYPE_CHECKING:
    import pandas as pd


def pieces(path: Path, rows: int) -> Iterator[TextPiece]:
    """The lines behind the header. Raises BadBarFile when the file cannot be read or has no header."""
    try:
        with _opened(path) as lines:
            header = Header.of(next(csv.reader([lines.readline()]), []), path.name)
            first = 2
            while held := list(islice(lines, rows)):
                yield TextPiece(header, first, held)
                first += len(held)
    except FileNotFoundError:
        raise bad(f"There is no file {path}.", "Check the path.") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise bad(f"{path.name} cannot be read: {error}.", "Give CSV, CSV.gz, Parquet or Feather.") from None


def _opened(path: Path) -> TextIO:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    return cast(TextIO, opened(path, "rt", encoding="utf-8-sig", newline=""))


@dataclass(slots=True)
class TextPiece:
    """Some lines. A value in quotes may not hold a line break."""

    header: Header
    first: int
    lines: list[str]

    def frame(self) -> pd.DataFrame | None:
        import pandas as pd

        whole = "".join(self.lines)
        if "\x00" in whole:
            return None
        # before 3.1 pandas may miss the last digit unless it is told not to; since then it warns when it is told
        older = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
        exact: Any = {"float_precision": "round_trip"} if older else {}
        counted = [*self.header.values, *([self.header.trades] if self.header.trades >= 0 else [])]
        types = dict.fromkeys(counted, "float64")
        try:
            frame = pd.read_csv(io.StringIO(whole), header=None, usecols=self.header.places, dtype=types, **exact)
        except ValueError:  # also pandas' own ParserError and EmptyDataError
            return None
        return frame if len(frame) == len(self.lines) else None  # an empty line counts as one

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        for line, text in enumerate(self.lines, self.first):
            row = next(csv.reader([text]), [])
            if row:
                yield line, row

    def text(self, line: int) -> str:
        return self.lines[line - self.first].rstrip("\r\n")
