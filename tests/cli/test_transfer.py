"""`btfeeds warehouse import, export`: out and in again gives the same bars."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from btfeeds.cli.series import named
from btfeeds.clock import SystemClock
from btfeeds.history.derived import Derived
from btfeeds.market import Bar
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
    assert counts == {"new": 10, "same": 0, "revised": 0, "unfinished": 0, "rejected": 0}
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
    with Warehouse(shell.folder) as warehouse:
        assert warehouse.missing(named("kraken", "ETH/USD", "1m"), span(0, 5)) == missing


def test_the_bar_that_was_forming_when_the_file_was_written_is_left_out(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _: NOON + 2 * M + 30_000)
    file = tmp_path / "mine.csv"
    rows = "".join(f"{NOON + minute * M},1,2,0.5,1,3\n" for minute in range(4))
    file.write_text(f"open_time,open,high,low,close,volume\n{rows}", encoding="utf-8")
    args = ("import", "kraken", "ETH/USD", "1m", "--from-file", str(file), "--complete")
    assert shell(*args) == "kraken ETH/USD 1m: 2 new, 2 unfinished\n"
    with Warehouse(shell.folder) as warehouse:
        assert warehouse.missing(named("kraken", "ETH/USD", "1m"), span(0, 4)) == [span(2, 4)]


def test_a_bar_whose_row_was_rejected_is_still_to_be_asked_for_although_the_file_is_complete(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(ROWS, encoding="utf-8")
    shell("import", "kraken", "ETH/USD", "1m", "--from-file", str(file), "--complete", code=3)
    with Warehouse(shell.folder) as warehouse:
        assert warehouse.missing(named("kraken", "ETH/USD", "1m"), span(0, 5)) == [span(1, 2)]


def test_a_row_without_a_time_may_be_any_bar_so_that_no_gap_is_the_files_own(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(ROWS.replace(f"{NOON + M},1,2,5", "soon,1,2,0.5"), encoding="utf-8")
    shell("import", "kraken", "ETH/USD", "1m", "--from-file", str(file), "--complete", code=3)
    assert "1 rows have no time that can be read" in shell.err
    with Warehouse(shell.folder) as warehouse:
        assert warehouse.missing(named("kraken", "ETH/USD", "1m"), span(0, 5)) == [span(1, 4)]


def test_minutes_that_are_corrected_by_a_file_correct_the_hour_made_of_them(shell: Shell, tmp_path: Path) -> None:
    minutes, hours = named("kraken", "ETH/USD", "1m"), named("kraken", "ETH/USD", "1h")
    with Warehouse(shell.folder) as warehouse:
        some = [Bar(NOON + minute * M, 100, 101, 99, 100, 1.0, 1) for minute in range(60)]
        warehouse.add(minutes, some, provider="kraken", span=span(0, 60))
        Derived(warehouse).make(hours, [span(0, 60)])
    file = tmp_path / "mine.csv"
    row = f"{NOON + 7 * M},100,300,99,100,2,2\n"
    file.write_text(f"open_time,open,high,low,close,volume,trades\n{row}", encoding="utf-8")
    shell("import", "kraken", "ETH/USD", "1m", "--from-file", str(file))
    with Warehouse(shell.folder) as warehouse:
        assert warehouse.bars(hours, span(0, 60)) == [Bar(NOON, 100, 300, 99, 100, 61.0, 61)]


@pytest.mark.parametrize(
    ("minutes", "timeframe", "step"),
    [
        (range(0, 100), "5m", "1m"),
        (range(0, 100, 30), "1h", "30m"),
        ([0, 1, 2, 5, 6, 10, 11, 14], "5m", "1m"),  # bars are missing
        ([*range(0, 90, 5), *range(90, 300)], "5m", "1m"),
        (range(0, 1440 * 60, 1440), "1M", "1d"),
        (range(0, 660, 60), "1m", "1h"),
    ],
    ids=str,
)
@pytest.mark.parametrize("strict", [(), ("--strict",)])
def test_bars_of_another_timeframe_are_refused_as_a_whole(
    shell: Shell, tmp_path: Path, minutes: Sequence[int], timeframe: str, step: str, strict: tuple[str, ...]
) -> None:
    wanted = named("kraken", "ETH/USD", timeframe)
    mine = Bar(wanted.timeframe.floor(NOON), 100, 101, 99, 100, 1.0, 1)
    with Warehouse(shell.folder) as warehouse:
        warehouse.add(wanted, [mine], provider="kraken")
    file = _rows(tmp_path, *(NOON + minute * M for minute in minutes))
    shell("import", "kraken", "ETH/USD", timeframe, "--from-file", str(file), *strict, code=2)
    assert shell.err.splitlines() == [
        f"mine.csv does not hold bars of {timeframe}: they lie {step} apart.",
        "Nothing was imported.",
        f"Import them as what they are: {step}.",
    ]
    with Warehouse(shell.folder) as warehouse:
        assert warehouse.bars(wanted, span(-1440 * 40, 1440 * 60)) == [mine]
        assert warehouse.dead_letters() == []


def test_a_file_that_opens_its_bars_elsewhere_is_refused_as_a_whole(shell: Shell, tmp_path: Path) -> None:
    file = _rows(tmp_path, *(NOON + 30 * M + hour * 60 * M for hour in range(5)))
    shell("import", "kraken", "ETH/USD", "1h", "--from-file", str(file), code=2)
    assert shell.err.startswith("mine.csv does not hold bars of 1h: 5 rows open where none does.\n")
    with Warehouse(shell.folder) as warehouse:
        assert warehouse.dead_letters() == []


@pytest.mark.parametrize(
    ("minutes", "timeframe", "told"),
    [
        ([0, 5, 6, 10, 15, 20], "5m", "5 new, 1 rejected"),  # one row is off the grid
        ([0, 7, 8, 21, 40, 95, 122, 301, 304, 500], "1m", "10 new"),  # hardly anybody trades
        ([0, 60, 120], "1m", "3 new"),  # too few to tell
        ([0], "5m", "1 new"),
        ([-12 * 60, 1440 * 31 - 12 * 60, 1440 * 61 - 12 * 60], "1M", "3 new"),
    ],
    ids=str,
)
def test_gaps_and_a_stray_row_do_not_make_another_timeframe(
    shell: Shell, tmp_path: Path, minutes: Sequence[int], timeframe: str, told: str
) -> None:
    file = _rows(tmp_path, *(NOON + minute * M for minute in minutes))
    code = 3 if "rejected" in told else 0
    text = shell("import", "kraken", "ETH/USD", timeframe, "--from-file", str(file), code=code)
    assert text == f"kraken ETH/USD {timeframe}: {told}\n"


def test_a_file_that_is_not_there_makes_no_warehouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Shell(tmp_path / "none", capsys)("import", "kraken", "ETH/USD", "1m", "--from-file", "nowhere.csv", code=3)
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_bars_may_come_through_a_pipe(shell: Shell, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(ROWS.replace(",5,", ",0.5,"),))
    writer.start()
    text = shell("import", "kraken", "ETH/USD", "1m", "--from-file", str(pipe))
    writer.join(5)
    assert text == "kraken ETH/USD 1m: 3 new\n"


def _rows(folder: Path, *times: int) -> Path:
    """A file with bars that open then."""
    file = folder / "mine.csv"
    rows = "".join(f"{time},1,2,0.5,1,3\n" for time in times)
    file.write_text(f"open_time,open,high,low,close,volume\n{rows}", encoding="utf-8")
    return file


def test_a_format_nobody_knows_is_refused(shell: Shell, tmp_path: Path) -> None:
    shell("export", "kraken", "BTC/USD", "1m", "--to-file", str(tmp_path / "bars.xls"), code=2)
    assert "does not name a format" in shell.err
    shell("import", "kraken", "BTC/USD", "1m", "--from-file", str(tmp_path / "none.csv"), code=3)
    assert "There is no file" in shell.err
