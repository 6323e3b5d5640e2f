"""Places for files: a folder here, and what fsspec knows."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import ConfigError, WarehouseError, WarehouseUnwritable
from btfeeds.market import TimeRange
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.places import Folder, Place, Remote, place
from tests.warehouse.bars import APRIL, MARCH, SERIES, bars


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
    somewhere.write("something", b"")
    with pytest.raises(FileNotFoundError):
        somewhere.read("nothing")
    with pytest.raises(FileNotFoundError):
        somewhere.move("nothing", "elsewhere")
    assert somewhere.names("nowhere") == []


def test_a_place_that_is_not_there_at_all_has_lost_no_file(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(WarehouseError, match="nowhere cannot be read: it is not there"):
        Remote(f"file://{tmp_path}/nowhere").read("a")


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


def test_where_the_files_lie_is_remembered(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("fsspec")
    elsewhere = f"file://{tmp_path}/elsewhere"
    with Warehouse(tmp_path / "w", files=elsewhere, clock=ManualClock(APRIL)) as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        assert len(warehouse.files()) == 1
    for readonly in (False, True):
        with Warehouse(tmp_path / "w", readonly=readonly) as warehouse:
            assert warehouse.verify(repair=not readonly) == []
            assert warehouse.bars(SERIES, TimeRange(MARCH, APRIL)) == bars(5)
            assert pickle.loads(pickle.dumps(warehouse)).bars(SERIES, TimeRange(MARCH, APRIL)) == bars(5)
    with pytest.raises(ConfigError, match=r"lie in file:///.*/elsewhere, not in file:///other"):
        Warehouse(tmp_path / "w", files="file:///other")


def test_files_that_are_here_are_not_looked_for_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with Warehouse(tmp_path, clock=ManualClock(APRIL)) as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
    with pytest.raises(ConfigError, match="lie in that folder, not in memory://x"):
        Warehouse(tmp_path, files="memory://x")


def test_a_password_is_not_written_down(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Warehouse(tmp_path, files="ftp://me:canary@host/bars")
    assert "canary" not in str(refused.value)
    assert b"canary" not in (tmp_path / "catalogue.sqlite").read_bytes()
