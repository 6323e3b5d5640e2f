"""A deadline of a host outlives the process, and does no harm where it cannot be kept."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from btfeeds import bans
from btfeeds.clock import ManualClock, SystemClock

CLOCK = SystemClock()


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


def test_simulated_time_leaves_nothing_on_disk(state_of_its_own: Path) -> None:
    bans.remember("venue.test", 120_000, ManualClock(5))
    assert bans.left("venue.test", CLOCK) == 0
    assert list(state_of_its_own.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"venue.test": "soon"}', '{"venue.test": 99999999999999999}'])
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
