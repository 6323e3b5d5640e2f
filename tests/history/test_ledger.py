"""One budget for all processes of the machine, kept in a file that may be killed over, locked, damaged or forbidden."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from btfeeds.history import ledger
from btfeeds.history.ledger import Ledger
from btfeeds.history.pacing import Pacer

ROOT = Path(__file__).parents[2]
FILE = "budgets.db"
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC


class Process:
    """What one process knows: its own pacer, and the file."""

    def __init__(self, weight_per_minute: int = 10, **limits: float) -> None:
        self.ledger = Ledger()
        self.pacer = Pacer(weight_per_minute, **limits)  # type: ignore[arg-type]

    def take(self, weight: int = 1, now: int = 0, name: str = "venue.test") -> int:
        return self.ledger.take(name, self.pacer, weight, now)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The wall's clock, which stands at wall[0]."""
    now = [NOON]
    monkeypatch.setattr(ledger, "_wall", lambda: now[0])
    return now


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Somebody holds the file and does not let go."""
    with contextlib.closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def entries(folder: Path) -> list[tuple[str, int, int]]:
    with contextlib.closing(sqlite3.connect(folder / FILE)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute("SELECT host, weight, requests FROM spent ORDER BY id").fetchall()


# --- together --------------------------------------------------------------------------------------------------------


def test_what_one_process_spends_the_other_lacks(wall: list[int]) -> None:
    one, other = Process(), Process()
    assert one.take(6, now=0) == 0
    wall[0] += 20_000
    assert other.take(4, now=1_000_000) == 0  # its clock counts from elsewhere
    assert other.take(1, now=1_000_000) == 40_000
    assert one.take(1, now=20_000) == 40_000
    wall[0] += 40_000
    assert other.take(1, now=1_040_000) == 0


def test_hosts_do_not_share(wall: list[int]) -> None:
    one, other = Process(), Process()
    assert one.take(10, name="venue.test") == 0
    assert other.take(10, name="venue.test 0123abcd") == 0


def test_a_day_s_requests_are_known_after_a_restart(wall: list[int]) -> None:
    for _ in range(3):
        assert Process(1_000, requests_per_day=3).take() == 0
        wall[0] += 3_600_000
    assert Process(1_000, requests_per_day=3).take() == 21 * 3_600_000


def test_what_the_venue_says_is_gone_is_gone_for_all(wall: list[int], state_of_its_own: Path) -> None:
    one, other = Process(), Process()
    one.take(2)
    one.ledger.learn("venue.test", one.pacer, 9, 0)
    other.ledger.learn("venue.test", other.pacer, 9, 0)  # it knows already
    assert (other.take(1), other.take(1)) == (0, 60_000)
    assert entries(state_of_its_own) == [("venue.test", 2, 1), ("venue.test", 7, 0), ("venue.test", 1, 1)]


def test_what_counts_no_longer_is_forgotten_in_the_file(wall: list[int], state_of_its_own: Path) -> None:
    one, other = Process(), Process()
    one.take(5)
    other.take(3)
    wall[0] += 60_000
    one.take(1, now=60_000)
    assert entries(state_of_its_own) == [("venue.test", 1, 1)]
    assert other.take(9, now=60_000) == 0
    assert one.take(1, now=60_000) > 0


@pytest.mark.parametrize("step", [-3_600_000, 3_600_000])
def test_a_step_of_the_wall_s_clock_costs_a_window_at_most(wall: list[int], step: int) -> None:
    one, other = Process(), Process()
    one.take(10, now=0)
    wall[0] += step
    assert other.take(1, now=0) <= 60_000
    assert other.take(1, now=60_000) == 0
    assert one.take(10, now=59_999) > 0  # its own it knows by its own clock


TAKER = """
from btfeeds.history.ledger import Ledger
from btfeeds.history.pacing import Pacer
ledger, pacer = Ledger(), Pacer(10_000, requests_per_day=300)
print("ready", flush=True)
input()
print(sum(ledger.take("venue.test", pacer, 1, 0) == 0 for _ in range(300)), ledger._aside_until)
"""


def script(text: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", text], stdin=pipe, stdout=pipe, text=True, env=env)


def test_processes_at_the_same_time_get_the_budget_once(state_of_its_own: Path) -> None:
    takers = [script(TAKER) for _ in range(3)]
    for taker in takers:
        assert taker.stdout is not None and taker.stdout.readline() == "ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("go\n")
        taker.stdin.flush()
    said = [taker.communicate(timeout=50)[0].split() for taker in takers]
    assert [aside for _, aside in said] == ["0"] * 3, "nobody was locked out"
    assert sum(int(taken) for taken, _ in said) == 300
    assert len(entries(state_of_its_own)) == 300


KILLED = """
import os, signal
from btfeeds.history.ledger import Ledger
from btfeeds.history.pacing import Pacer
heard = 0
for kill in range(40):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        ledger, pacer = Ledger(), Pacer(10**9, requests_per_day=10**9)
        while True:
            assert ledger.take("venue.test", pacer, 1, 0) == 0
            os.write(writer, b"!")
    os.close(writer)
    os.read(reader, 1)
    for _ in range(kill * 997):  # somewhere in the middle of what it does
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    heard += 1
    while more := os.read(reader, 65_536):
        heard += len(more)
    os.close(reader)
print(heard)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_process_killed_at_any_time_leaves_whole_entries_and_no_lock(state_of_its_own: Path) -> None:
    heard = int(script(KILLED).communicate(timeout=50)[0])
    assert heard >= 40
    # who was killed between the entry and the word about it has spent without saying so
    assert heard <= len(entries(state_of_its_own)) <= heard + 40
    process = Process(10**9)
    assert process.take() == 0
    assert process.ledger._aside_until == 0, "nothing was in its way"


# --- alone -----------------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_used_is_told_once_and_each_keeps_to_the_limits_alone(
    state_of_its_own: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (state_of_its_own / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("BTFEEDS_STATE", str(state_of_its_own / "file" / "below"))
    caplog.set_level(logging.WARNING)
    for process in (Process(), Process()):
        assert [process.take(6), process.take(6), process.take(6, now=60_000)] == [0, 60_000, 0]
    assert caplog.text.count("This process keeps to the venues' limits alone.") == 1
    assert "BTFEEDS_STATE" in caplog.text


def test_a_lock_that_is_not_let_go_of_holds_nobody_up(
    state_of_its_own: Path, monkeypatch: pytest.MonkeyPatch, wall: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger, "_LOCK_S", 0.01)
    process = Process(100)
    process.take(1, now=0)
    with locked(state_of_its_own):
        assert process.take(2, now=1) == 0
    assert "locked" in caplog.text
    process.take(3, now=60_000)  # for a minute the file is left alone
    process.take(4, now=60_001)
    assert [weight for _, weight, _ in entries(state_of_its_own)] == [1, 4]


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_told_and_made_anew(
    state_of_its_own: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (state_of_its_own / FILE).write_bytes(content)
    process = Process()
    assert process.take(2) == 0
    assert "made anew" in caplog.text
    assert process.take(3) == 0
    assert entries(state_of_its_own) == [("venue.test", 3, 1)]
    assert process.take(6) > 0  # what was not written down is not forgotten


def test_a_file_that_was_removed_is_made_anew(state_of_its_own: Path, wall: list[int]) -> None:
    one, other = Process(), Process()
    for _ in range(3):
        one.take()
    (state_of_its_own / FILE).unlink()
    other.take(5)
    assert one.take(3) > 0
    assert one.take(2) == 0


def test_another_file_s_numbers_are_not_taken_for_this_one_s(state_of_its_own: Path, wall: list[int]) -> None:
    one = Process()
    for _ in range(2):
        one.take()
    with contextlib.closing(sqlite3.connect(state_of_its_own / FILE)) as db, db:
        db.execute("DELETE FROM spent")
        db.execute("UPDATE sqlite_sequence SET seq = 0")
        entry = ("venue.test", NOON, NOON + 60_000, 8, 1)
        db.execute("INSERT INTO spent (host, time, until, weight, requests) VALUES (?, ?, ?, ?, ?)", entry)
    assert one.take(1) == 60_000
