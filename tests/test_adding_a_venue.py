"""docs/adding-a-venue.md, followed step by step in a copy of the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "adding-a-venue.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^`([\w/.]+)`(, at the end of `_REGISTRY`)?\n\n```\w+\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
COMMANDS = "".join(re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)).splitlines()


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("project")
    for name in ("btfeeds", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", copy)
    for path, in_registry, text in STEPS:
        file = copy / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if in_registry:
            code = file.read_text(encoding="utf-8")
            assert code.count("\n}\n_ALIASES") == 1
            text = code.replace("\n}\n_ALIASES", f"\n{text}}}\n_ALIASES")
        else:
            assert not file.exists(), "only the registry is changed"
        file.write_text(text, encoding="utf-8")
    return copy


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BTFEEDS_", "PYTEST"))}
    environment["PYTHONPATH"] = str(copy)
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, env=environment, capture_output=True, text=True, timeout=50
    )


def test_the_guide_has_a_dialect_a_line_and_a_folder() -> None:
    paths = [path for path, _, _ in STEPS]
    assert paths[:2] == ["btfeeds/venues/minutely.py", "btfeeds/venues/__init__.py"]
    assert all(path.startswith("tests/venues/payloads/minutely/") for path in paths[2:])
    assert len(STEPS[0][2].splitlines()) <= 150, "a file of about a hundred lines"


def test_who_follows_the_guide_passes_the_suite(followed: Path) -> None:
    [command] = [line for line in COMMANDS if "pytest" in line]
    done = run(followed, *command.split()[2:], "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 100


def test_the_suite_notices_a_dialect_that_is_wrong(followed: Path) -> None:
    file = followed / "btfeeds" / "venues" / "minutely.py"
    right = file.read_text(encoding="utf-8")
    try:
        file.write_text(right.replace('"from": span.start', '"from": span.start + timeframe.ms'), encoding="utf-8")
        done = run(followed, "pytest", "tests/venues/test_conformance.py", "-k", "minutely and span", "-q")
    finally:
        file.write_text(right, encoding="utf-8")
    assert done.returncode == 1 and "test_any_span_is_loaded_whole" in done.stdout


def test_the_new_venue_is_listed_and_has_a_feed(followed: Path) -> None:
    done = run(followed, "btfeeds", "venues", "--json")
    assert "minutely" in [row["name"] for row in json.loads(done.stdout)]
    code = "import btfeeds; print(btfeeds.MinutelyLiveDataFeed.__name__)"
    assert run(followed, "timeit", "-n1", "-r1", code).stdout.startswith("MinutelyLiveDataFeed")
