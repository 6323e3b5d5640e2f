"""Places for files: a folder here, and what fsspec knows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from btfeeds.errors import WarehouseUnwritable
from btfeeds.warehouse.places import Folder, Place, Remote, place


@pytest.fixture(params=["folder", "file://", "memory://"])
def somewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Folder(tmp_path)
    pytest.importorskip("fsspec")
    root = tmp_path if request.param == "file://" else f"/{tmp_path.name}"
    return Remote(f"{request.param}{root}")


def test_what_is_written_can_be_read_listed_moved_and_removed(somewhere: Place) -> None:
    somewhere.write("a/b/one", b"1")
    somewhere.write("a/b/one", b"one")
    somewhere.write("a/b/two", b"two")
    assert somewhere.read("a/b/one") == b"one"
    assert somewhere.names("a/b") == ["a/b/one", "a/b/two"]
    somewhere.move("a/b/one", "c/one")
    assert (somewhere.read("c/one"), somewhere.names("a/b")) == (b"one", ["a/b/two"])
    somewhere.remove("a/b/two")
    somewhere.remove("a/b/two")
    assert somewhere.names("a/b") == []


def test_what_is_not_there_is_not_there(somewhere: Place) -> None:
    with pytest.raises(FileNotFoundError):
        somewhere.read("nothing")
    with pytest.raises(FileNotFoundError):
        somewhere.move("nothing", "elsewhere")
    assert somewhere.names("nowhere") == []


def test_a_folder_is_of_this_machine_and_a_remote_place_is_not(tmp_path: Path) -> None:
    assert place(tmp_path, "").local("a") == tmp_path / "a"
    assert place(tmp_path, "memory://x").local("a") is None


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    Folder(tmp_path).write("a/one", b"old")
    asked = []

    def fail(*arguments: object) -> None:
        asked.append(arguments)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, pytest.raises(WarehouseUnwritable, match="Input/output error"):
        patch.setattr(os, failing, fail)
        Folder(tmp_path).write("a/one", b"new")
    assert len(asked) == 1, "what could not be synced once is not synced again"
    assert Folder(tmp_path).names("a") == ["a/one"]
    assert Folder(tmp_path).read("a/one") == b"old"


def test_a_reader_keeps_the_file_it_has_open(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("one", b"old")
    with open(tmp_path / "one", "rb") as reader:
        folder.write("one", b"new")
        assert reader.read() == b"old"
