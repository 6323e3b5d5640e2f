"""The benchmarks run and say what they found. How fast anything is, is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import memory, noticing
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.figures import Figure

ROOT = Path(__file__).parents[1]
ROWS = {"history": 1, "latency": 2, "idle": 1, "frames": 1, "memory": 1, "recovery": 5, "schedules": 2, "warehouse": 8}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("name", ROWS)
def test_a_quick_benchmark_measures_something(name: str) -> None:
    done = run("--quick", "--json", name)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert len(figures) == ROWS[name]
    for figure in figures:
        assert figure.keys() == {"what", "unit", "ours", "wanted", "met", "peer", "ratio"}


def test_memory_is_flat_over_thirty_days_of_live_minutes() -> None:
    """In a process of its own: without `keep` a bar takes 150 bytes, and one float of every bar would be 32."""
    assert memory._apart(43_200, 500) < 20, "MB per million bars"


def test_how_long_faults_stay_unnoticed_is_measured() -> None:
    """Nothing is noticed before its time; in a quick run the clock is fast, and ten seconds of patience are twenty."""
    dead, slowest_dead, mute, slowest_mute = (figure.ours for figure in noticing.measure(quick=True))
    assert 30 <= dead <= slowest_dead, "silent for 15 s less what passed since the last frame, and the patience"
    assert 5 <= mute <= slowest_mute, "five seconds of grace"


def test_people_get_a_table() -> None:
    done = run("--quick", "history")
    assert done.returncode == 0
    for word in ("what", "ours", "peer", "ratio", "wanted", "verdict"):
        assert word in done.stdout


def test_a_missed_figure_is_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def missed(quick: bool) -> list[Figure]:
        tries.append(quick)
        return [Figure("this", "s", 2.0, "< 1", False)]

    monkeypatch.setitem(BENCHMARKS, "idle", missed)
    assert CliRunner().invoke(main, ["idle"]).exit_code == 1
    assert tries == [False, False], "what is missed is measured once more"


def test_a_figure_met_at_the_second_try_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    met = iter([False, True])
    monkeypatch.setitem(BENCHMARKS, "idle", lambda quick: [Figure("this", "s", 1.0, "< 1", next(met))])
    assert CliRunner().invoke(main, ["idle"]).exit_code == 0


def test_an_unknown_benchmark_is_refused() -> None:
    assert run("nothing").returncode == 2
