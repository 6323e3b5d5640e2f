"""`btfeeds demo`, three times as fast: faults strike, the strategy trades, and the verdict tells the truth."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from btfeeds.cli import app, demo
from btfeeds.simulator.faults import parse


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SPEED", 270.0)


def test_every_fault_strikes_within_the_run() -> None:
    names = [parse(fault).name for fault in demo.FAULTS]
    assert {"cut", "duplicate", "mute"} <= set(names)
    assert all(parse(fault).when < demo.LIVE * 60_000 for fault in demo.FAULTS)


def test_it_is_over_within_a_minute() -> None:
    assert (demo.LIVE + demo._GRACE) * 60 / 90.0 < 40


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def must_not_run(*_: object, **__: object) -> None:
        raise AssertionError("the demo was run")

    monkeypatch.setattr(demo, "_run", must_not_run)
    (tmp_path / "file").touch()
    assert app._run(["demo", "--out", str(tmp_path / "file" / "folder")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[1]) == (3, "Nothing was started.")
    assert lines[0].startswith("--out ") and lines[0].endswith("file/folder cannot be written: Not a directory.")


@pytest.mark.slow
def test_a_disk_that_is_full_in_the_end_does_not_take_the_verdict_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo, "_write", full)
    monkeypatch.setattr(demo, "LIVE", 2)
    assert app._run(["demo", "--json", "--out", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["venue"] == 3 * 462
    assert err.splitlines()[0].endswith("cannot be written: No space left on device.")
    assert err.splitlines()[1] == "The run is over; its files are not complete."


@pytest.mark.slow
def test_the_verdict_is_good_and_what_was_met_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app._run(["demo", "--json", "--seed", "11", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    verdict = json.loads(out)
    assert len(out.splitlines()) == 1
    assert (verdict["ok"], verdict["venue"], verdict["delivered"]) == (True, 1_500, 1_500)
    assert (verdict["missing"], verdict["duplicate"], verdict["unfinished"], verdict["seed"]) == (0, 0, 0, 11)
    assert verdict["reconnects"] >= 3
    assert verdict["trades"] > 0
    assert json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8")) == verdict
    with open(tmp_path / "bars.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["symbol"], row["open_time"]) for row in rows}) == len(rows) >= 1_500
    assert {row["source"] for row in rows} == {"history", "live", "backfill"}
    with open(tmp_path / "trades.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == verdict["trades"]
    with open(tmp_path / "statuses.csv", encoding="utf-8", newline="") as file:
        assert {"LIVE", "CONNBROKEN", "DISCONNECTED"} <= {row["status"] for row in csv.DictReader(file)}


@pytest.mark.slow
def test_the_naive_feed_fails_and_the_command_says_that_this_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["demo", "--naive"]) == 1
    *_, said, verdict = capsys.readouterr().out.splitlines()
    assert "naive feed, as you asked" in said
    assert verdict.startswith("VERDICT") and verdict.endswith("BROKEN")
    assert all(f"{fault} 0" not in verdict for fault in ("missing", "duplicate", "unfinished"))
