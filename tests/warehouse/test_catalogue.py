"""Opening, transactions, and SQLite's errors in our words (faults P04, P06, P08 as far as the catalogue goes)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from btfeeds.errors import WarehouseDamaged, WarehouseError, WarehouseLocked, WarehouseUnwritable
from btfeeds.warehouse import catalogue, locks
from btfeeds.warehouse.catalogue import Catalogue

HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""

MAKE = """
import sys
from pathlib import Path
from btfeeds.warehouse.catalogue import Catalogue
Catalogue(Path(sys.argv[1]))
"""


def put(opened: Catalogue, key: str) -> None:
    with opened.writing() as db:
        db.execute("INSERT INTO checkpoint VALUES (?, '{}')", (key,))


def keys(opened: Catalogue) -> list[str]:
    with opened.reading() as db:
        return [key for (key,) in db.execute("SELECT key FROM checkpoint ORDER BY key")]


def test_what_a_transaction_wrote_is_there_after_opening_again(tmp_path: Path) -> None:
    opened = Catalogue(tmp_path / "new" / "folder")
    put(opened, "a")
    opened.close()
    opened.close()
    assert keys(Catalogue(tmp_path / "new" / "folder")) == ["a"]


def test_nothing_remains_of_a_transaction_that_fails(tmp_path: Path) -> None:
    opened = Catalogue(tmp_path)
    with pytest.raises(KeyboardInterrupt), opened.writing() as db:
        db.execute("INSERT INTO checkpoint VALUES ('a', '{}')")
        raise KeyboardInterrupt
    put(opened, "b")
    assert keys(opened) == ["b"]


def test_commits_are_synced_in_full(tmp_path: Path) -> None:
    with Catalogue(tmp_path).writing() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_folder_may_have_a_name_with_signs_in_it(tmp_path: Path) -> None:
    put(Catalogue(tmp_path / "50%? #1 ä"), "a")
    assert (tmp_path / "50%? #1 ä" / "catalogue.sqlite").is_file()


def test_a_closed_catalogue_says_so(tmp_path: Path) -> None:
    opened = Catalogue(tmp_path)
    opened.close()
    with pytest.raises(WarehouseError, match="is closed"):
        keys(opened)


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    first, second = Catalogue(tmp_path), Catalogue(tmp_path)
    with first.writing() as db:
        db.execute("INSERT INTO checkpoint VALUES ('a', '{}')")
        assert keys(second) == []
    assert keys(second) == ["a"]


def test_a_live_writer_is_named_in_time_with_pid_command_and_remedy(tmp_path: Path) -> None:
    opened = Catalogue(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path / catalogue.NAME)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        begun = time.monotonic()
        with pytest.raises(WarehouseLocked) as refused:
            put(opened, "a")
        assert time.monotonic() - begun < 5.5
        if sys.platform == "linux":
            assert f"process {process.pid} ({sys.executable} -c" in str(refused.value)
            assert f"kill {process.pid}" in str(refused.value)
        process.send_signal(signal.SIGKILL)
        process.wait()
        begun = time.monotonic()
        put(opened, "a")  # taken over at once
        assert time.monotonic() - begun < 1


def test_reading_where_there_is_no_warehouse_says_so(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="There is no warehouse"):
        Catalogue(tmp_path, readonly=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_open_for_reading_is_not_written(tmp_path: Path) -> None:
    first = Catalogue(tmp_path)
    put(first, "a")
    reader = Catalogue(tmp_path, readonly=True)
    assert keys(reader) == ["a"]
    with pytest.raises(WarehouseUnwritable, match="can only be read"):
        put(reader, "b")
    put(first, "c")
    assert keys(reader) == ["a", "c"]


def test_where_no_folder_can_be_made_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseUnwritable):
        Catalogue(tmp_path / "file" / "w")


@pytest.mark.parametrize("content", [b"no database, but long enough to be looked at" * 20, b"SQLite format 3\0" * 99])
def test_a_catalogue_that_is_none_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / catalogue.NAME).write_bytes(content)
    with pytest.raises(WarehouseDamaged, match="is damaged"):
        Catalogue(tmp_path)
    assert (tmp_path / catalogue.NAME).read_bytes() == content


def test_an_error_of_the_disk_has_the_file_opened_anew(tmp_path: Path) -> None:
    opened = Catalogue(tmp_path)
    put(opened, "a")
    first = opened._connection
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(WarehouseUnwritable), opened.writing():
        raise error
    assert keys(opened) == ["a"]
    assert opened._connection is not first
    assert os.path.getsize(tmp_path / f"{catalogue.NAME}-wal") == 0, "what memory held was written anew"


def test_two_threads_write_one_after_the_other(tmp_path: Path) -> None:
    opened = Catalogue(tmp_path)
    threads = [threading.Thread(target=put, args=(opened, str(number))) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keys(opened) == [str(number) for number in range(8)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_after_a_fork_opens_the_file_for_itself(tmp_path: Path) -> None:
    opened = Catalogue(tmp_path)
    put(opened, "parent")
    child = multiprocessing.get_context("fork").Process(target=put, args=(opened, "child"))
    child.start()
    child.join()
    assert child.exitcode == 0
    put(opened, "parent again")
    assert keys(opened) == ["child", "parent", "parent again"]


def test_two_processes_that_make_it_at_once_make_it_once(tmp_path: Path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path / "w")]) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]


def test_a_copy_is_one_complete_file(tmp_path: Path) -> None:
    opened = Catalogue(tmp_path / "w")
    put(opened, "a")
    opened.copy(tmp_path / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "w"]
    db = sqlite3.connect(tmp_path / "copy")
    assert db.execute("SELECT key FROM checkpoint").fetchall() == [("a",)]
    db.close()


def test_patience_ends_within_five_seconds() -> None:
    assert locks.PATIENCE_S < 5
