"""The table of faults (docs/faults.md) is whole, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| ([NDPS]\d\d) \|(.*)$", TABLE, re.MULTILINE))
COUNTS = {"N": 33, "D": 23, "P": 19, "S": 6}


def test_no_row_is_missing() -> None:
    wanted = [f"{letter}{number:02d}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
    assert list(ROWS) == wanted


def test_every_row_has_a_test() -> None:
    assert [row for row, text in ROWS.items() if "::" not in text] == []


def test_every_named_test_exists() -> None:
    named = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TABLE)))
    assert len(named) > 60
    lost = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")]  # noqa: E501
    assert lost == []
