"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from btfeeds.errors import WarehouseUnwritable
from btfeeds.formats.atomic import replaced


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("old")
    with replaced(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["bars.csv"]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replaced(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["bars.csv"]


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    path = tmp_path / "bars[1].csv"  # a name that a pattern would read otherwise
    killed = """import os, signal, sys; from pathlib import Path; from btfeeds.formats.atomic import replaced
with replaced(Path(sys.argv[1])) as file:
    file.write(b"half"); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"""
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    others = [f".bars[1].csv.{os.getppid()}.new", ".bars1.csv.999999999.new", ".bars[1].csv.mine.new"]
    for name in others:
        (tmp_path / name).write_text("theirs")
    with replaced(path) as file:
        file.write(b"new")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "bars[1].csv"])


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_said_in_three_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "bars.csv"
    path.write_text("old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(WarehouseUnwritable, match="No space left") as unwritable, replaced(path) as file:
        file.write(b"new")
    assert len(str(unwritable.value).splitlines()) == 3
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["bars.csv"])


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WarehouseUnwritable, match="No such file"), replaced(tmp_path / "nowhere" / "bars.csv"):
        pass


def test_file_and_folder_are_on_the_disk_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(number: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        fsync(number)

    def moved(old: Path, new: Path) -> None:
        done.append("rename")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved)
    with replaced(tmp_path / "bars.csv") as file:
        file.write(b"new")
    assert done == ["file", "rename", "folder"]
