"""`btfeeds warehouse import, export`: out and in again gives the same bars."""

from __future__ import annotations

from pathlib import Path

import pytest

from btfeeds.warehouse import Warehouse
from tests.cli.warehouse import BTC, NOON, M, Shell, fill, span


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    fill(tmp_path / "bars")
    return Shell(tmp_path / "bars", capsys)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_file_that_was_written_comes_back_as_it_was(
    shell: Shell, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"bars{suffix}"
    assert shell.json("export", "kraken", "BTC/USD", "1m", "--to-file", str(file))["bars"] == 10
    other = Shell(tmp_path / "other", capsys)
    counts = other.json("import", "kraken", "BTC/USD", "1m", "--from-file", str(file))
    assert counts == {"new": 10, "same": 0, "revised": 0, "rejected": 0}
    with Warehouse(shell.folder) as one, Warehouse(other.folder) as two:
        assert two.bars(BTC, span(0, 100)) == one.bars(BTC, span(0, 100))
        assert [origin.provider for _, origin in two.origin(BTC, span(0, 100))] == [f"import bars{suffix}"]
    again = other.json("import", "kraken", "BTC/USD", "1m", "--from-file", str(file))
    assert (again["new"], again["same"]) == (0, 10)


def test_a_part_can_be_written(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "part.csv"
    args = ("--from", "2024-03-01T12:02Z", "--to", "2024-03-01T12:06Z", "--to-file", str(file))
    assert "3 bars of kraken BTC/USD 1m" in shell("export", "kraken", "BTC/USD", "1m", *args)
    assert [line.split(",")[0] for line in file.read_text(encoding="utf-8").splitlines()] == [
        "open_time", "2024-03-01T12:02:00Z", "2024-03-01T12:03:00Z", "2024-03-01T12:05:00Z",
    ]  # fmt: skip


ROWS = f"open_time,open,high,low,close,volume\n{NOON},1,2,0.5,1,3\n{NOON + M},1,2,5,1,3\n{NOON + 4 * M},1,2,0.5,1,3\n"


def test_rows_that_cannot_be_bars_are_set_aside(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(ROWS, encoding="utf-8")
    text = shell("import", "my file", "BTC/USD", "1m", "--from-file", str(file), code=3)
    assert text == "my file BTC/USD 1m: 2 new, 1 rejected\n"
    with Warehouse(shell.folder) as warehouse:
        [letter] = warehouse.dead_letters()
    assert (letter.reason, letter.open_time, letter.raw[:8]) == ("import", NOON + M, "line 3: ")
    shell("import", "strict", "BTC/USD", "1m", "--from-file", str(file), "--strict", code=3)
    assert shell.err.startswith("mine.csv, line 3")


@pytest.mark.parametrize(("complete", "missing"), [(False, [span(1, 4)]), (True, [])])
def test_gaps_of_a_complete_file_are_its_own(
    shell: Shell, tmp_path: Path, complete: bool, missing: list[object]
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("\n".join(line for line in ROWS.splitlines() if ",5," not in line) + "\n", encoding="utf-8")
    shell("import", "kraken", "ETH/USD", "1m", "--from-file", str(file), *(["--complete"] if complete else []))
    from btfeeds.cli.series import named

    with Warehouse(shell.folder) as warehouse:
        assert warehouse.missing(named("kraken", "ETH/USD", "1m"), span(0, 5)) == missing


def test_a_format_nobody_knows_is_refused(shell: Shell, tmp_path: Path) -> None:
    shell("export", "kraken", "BTC/USD", "1m", "--to-file", str(tmp_path / "bars.xls"), code=2)
    assert "does not name a format" in shell.err
    shell("import", "kraken", "BTC/USD", "1m", "--from-file", str(tmp_path / "none.csv"), code=3)
    assert "There is no file" in shell.err
