"""Writes that are cut short, fail, or meet other writers (faults P01, P02, P03, P18): what was acknowledged is there.

All points instead of some: `python -m tests.warehouse.crash kill`. More kills: `python -m tests.warehouse.kills 1000`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
ROOT = Path(__file__).parents[2]
LEAST = {"kill": 500, "full": 80, "broken": 80}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def strace() -> None:
    if sys.platform != "linux" or not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode:
        pytest.skip("processes may not be traced here")


@pytest.mark.timeout(300)  # some hundred processes
@pytest.mark.parametrize(("mode", "every"), [("kill", 1), ("full", 5), ("broken", 5)])
@pytest.mark.usefixtures("strace")
def test_after_every_interrupted_call_the_warehouse_is_whole(mode: str, every: int) -> None:
    done = _run("tests.warehouse.crash", mode, str(every))
    if "PermissionError" in done.stderr:
        pytest.skip("processes may not be traced here")
    report = json.loads(done.stdout)
    assert report["failures"] == {}
    assert report["points"] >= LEAST[mode]


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork here")
def test_four_writers_of_one_series_killed_at_random_lose_nothing() -> None:
    report = json.loads(_run("tests.warehouse.kills", "40").stdout)
    assert report["wrong"] == []
    assert (report["killed"], report["lost"]) == (40, 0)
    assert report["acknowledged"] > 40
    assert "locked" not in report, "writers wait for each other"
