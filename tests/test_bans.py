"""A deadline of a host outlives the process, and does no harm where it cannot be kept."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from btfeeds import bans
from btfeeds.clock import ManualClock, SystemClock

CLOCK = SystemClock()
_DAY = 86_400_000


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The wall's clock: its only item is the time."""
    now = [1_700_000_000_000]
    monkeypatch.setattr(bans, "_now", lambda: now[0])
    return now


def test_a_deadline_is_kept_for_its_host_alone() -> None:
    bans.remember("venue.test:443", 120_000, CLOCK)
    assert 110_000 < bans.left("venue.test:443", CLOCK) <= 120_000
    assert bans.left("other.test", CLOCK) == 0


def test_a_shorter_deadline_does_not_replace_a_longer_one() -> None:
    bans.remember("venue.test", 120_000, CLOCK)
    bans.remember("venue.test", 1_000, CLOCK)
    assert bans.left("venue.test", CLOCK) > 110_000


def test_what_has_passed_is_no_deadline() -> None:
    bans.remember("venue.test", 0.5, CLOCK)
    bans.remember("venue.test", -5, CLOCK)
    assert bans.left("venue.test", CLOCK) == 0


def test_a_clock_that_is_set_back_makes_no_days_of_seconds(wall: list[int]) -> None:
    wall[0] += 2 * _DAY
    bans.remember("venue.test", 2_000, CLOCK)
    bans.remember("other.test", 60_000, CLOCK)
    wall[0] -= 2 * _DAY
    assert bans.left("venue.test", CLOCK) == 2_000  # it is not known how much of it has passed
    wall[0] += 1_500
    assert (bans.left("venue.test", CLOCK), bans.left("other.test", CLOCK)) == (500, 58_500)
    wall[0] += 500
    assert bans.left("venue.test", CLOCK) == 0


def test_what_is_said_before_and_after_a_clock_is_set_back_stands_side_by_side(wall: list[int]) -> None:
    bans.remember("venue.test", 60_000, CLOCK)
    wall[0] -= _DAY
    bans.remember("other.test", 5_000, CLOCK)
    bans.remember("venue.test", 5_000, CLOCK)
    assert (bans.left("venue.test", CLOCK), bans.left("other.test", CLOCK)) == (60_000, 5_000)


def test_a_file_without_the_times_of_writing_is_read(state_of_its_own: Path, wall: list[int]) -> None:
    (state_of_its_own / "closed.json").write_text(f'{{"venue.test": {wall[0] + 7_000}}}', encoding="utf-8")
    assert bans.left("venue.test", CLOCK) == 7_000
    bans.remember("other.test", 9_000, CLOCK)
    assert (bans.left("venue.test", CLOCK), bans.left("other.test", CLOCK)) == (7_000, 9_000)


def test_nothing_is_closed_for_more_than_a_week(wall: list[int]) -> None:
    bans.remember("venue.test", 30 * _DAY, CLOCK)
    assert bans.left("venue.test", CLOCK) == 7 * _DAY


def test_simulated_time_leaves_nothing_on_disk(state_of_its_own: Path) -> None:
    bans.remember("venue.test", 120_000, ManualClock(5))
    assert bans.left("venue.test", CLOCK) == 0
    assert list(state_of_its_own.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"venue.test": "soon"}', '{"venue.test": 99999999999999999}',
                                  '{"venue.test": 5, "said at": {"venue.test": "now"}}', '{"said at": 7}'])  # fmt: skip
def test_a_damaged_file_has_no_deadlines_and_is_replaced(state_of_its_own: Path, text: str) -> None:
    (state_of_its_own / "closed.json").write_text(text, encoding="utf-8")
    assert bans.left("venue.test", CLOCK) == 0
    bans.remember("other.test", 60_000, CLOCK)
    assert bans.left("other.test", CLOCK) > 50_000


def test_a_folder_that_cannot_be_written_is_told(
    state_of_its_own: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (state_of_its_own / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("BTFEEDS_STATE", str(state_of_its_own / "file" / "below"))
    caplog.set_level(logging.WARNING)
    bans.remember("venue.test", 60_000, CLOCK)
    assert "cannot be kept over a restart" in caplog.text
    assert bans.left("venue.test", CLOCK) == 0
