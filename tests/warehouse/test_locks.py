"""Locks between processes: a dead holder is no obstacle, a live one is named (faults P05 and P06)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from btfeeds.errors import WarehouseLocked, WarehouseUnwritable
from btfeeds.warehouse import locks

HOLD = """
import sys, time
from pathlib import Path
from btfeeds.warehouse import locks
with locks.held(Path(sys.argv[1]), "this"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with locks.held(tmp_path / "folder" / "lock", "this"):
            pass


def test_a_live_holder_is_named_in_time_with_pid_command_and_remedy(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        begun = time.monotonic()
        with pytest.raises(WarehouseLocked) as refused, locks.held(tmp_path / "lock", "the series X"):
            pass
        assert time.monotonic() - begun < 5.5
        assert refused.value.exit_code == 5
        if sys.platform == "linux":
            assert f"The series X is in use by process {process.pid} ({sys.executable} -c" in str(refused.value)
            assert f"kill {process.pid}" in str(refused.value)


def test_what_a_killed_process_held_is_taken_over_at_once(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locks.held(tmp_path / "lock", "this", 1.0):
            pass


def test_nobody_holds_what_is_free(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    assert locks.holder(tmp_path / "lock") == 0
    assert locks.holder(tmp_path / "nothing") == 0


def test_where_the_holder_cannot_be_told_the_error_says_what_to_do(tmp_path: Path) -> None:
    error = locks.locked("the warehouse W", tmp_path / "nothing")
    assert str(error).startswith("The warehouse W is in use by another process.")


def test_a_place_for_locks_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseUnwritable), locks.held(tmp_path / "file" / "lock", "this"):
        pass
