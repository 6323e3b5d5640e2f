"""The floors of the house (ARCHITECTURE.md), and what is asked of every file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "btfeeds"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = (".ci", "benchmarks", "btfeeds", "docs", "examples", "tests")

# packages whose __init__ does something, and the module that tests it
TESTS_OF_PACKAGES = {"__init__.py": "test_init.py", "venues/__init__.py": "venues/test_registry.py"}
UNTESTED = {
    "__main__.py",  # one line, run by tests/cli/test_app.py
    "live/effects.py",  # values without behaviour: what they mean is tested where they are made
    "live/items.py",
}

MACHINE_PATH = re.compile(r"(?<![\w.~*/])/(?:home|mnt|opt|root|tmp|work|Users)/[\w.-]+")
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
SLEEP = re.compile(r"\btime\.sle" r"ep\(")


def _texts() -> Iterator[tuple[str, str]]:
    """Every text file of the project, by its path."""
    paths = [path for path in ROOT.iterdir() if path.is_file() and path.name not in (".env", "LICENSE")]
    for folder in FOLDERS:
        paths += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted(paths):
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image or a compressed file


def _found(pattern: re.Pattern[str], folder: str = "") -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in _texts()
        if name.startswith(folder)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def _has_code(path: Path) -> bool:
    """Whether a module defines anything."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
    return any(isinstance(node, kinds) for node in ast.parse(path.read_text(encoding="utf-8")).body)


def _test_of(path: Path) -> Path:
    """Where the tests of a module are."""
    inside = path.relative_to(PACKAGE)
    if str(inside) in TESTS_OF_PACKAGES:
        return ROOT / "tests" / TESTS_OF_PACKAGES[str(inside)]
    name = "init" if inside.stem == "__init__" else inside.stem
    return ROOT / "tests" / inside.parent / f"test_{name}.py"


def test_imports_go_downwards_and_what_is_pure_stays_pure() -> None:
    # in a process of its own: import-linter changes the logging of the process it runs in
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_module_with_code_has_a_test_module_of_its_own() -> None:
    tested = [path for path in SOURCES if _has_code(path) and str(path.relative_to(PACKAGE)) not in UNTESTED]
    assert tested
    assert [str(path.relative_to(ROOT)) for path in tested if not _test_of(path).is_file()] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_no_source_file_is_longer_than_400_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_path_of_a_machine_stands_in_the_project() -> None:
    assert _found(MACHINE_PATH) == []


def test_nothing_is_marked_as_unfinished() -> None:
    assert _found(UNFINISHED) == []


def test_no_test_waits_by_sleeping() -> None:
    assert _found(SLEEP, "tests/") == []


def test_only_base_classes_leave_methods_to_others() -> None:
    unfinished = [line for line in _found(re.compile(r"\braise NotImplementedError"), "btfeeds/")]
    assert [line for line in unfinished if not line.startswith("btfeeds/venues/base.py:")] == []
