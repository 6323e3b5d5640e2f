"""Clocks: one that runs, one that runs faster, one that moves when told."""

from __future__ import annotations

import time

import pytest

from btfeeds import clock
from btfeeds.clock import ManualClock, ScaledClock, SystemClock


class _Wall:
    """Stands in for the machine's time, in nanoseconds."""

    def __init__(self) -> None:
        self.ns = 5_000_000_000
        self.slept: list[float] = []

    def monotonic_ns(self) -> int:
        return self.ns


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> _Wall:
    wall = _Wall()
    monkeypatch.setattr(clock, "_monotonic_ns", wall.monotonic_ns)
    monkeypatch.setattr(time, "sleep", wall.slept.append)
    return wall


def test_the_system_clock_tells_the_wall_time(monkeypatch: pytest.MonkeyPatch, wall: _Wall) -> None:
    monkeypatch.setattr(clock, "_AT_START", 1_709_294_400_000_000_000 - wall.ns)
    wall.ns += 123_999_999
    assert SystemClock().now() == 1_709_294_400_123


def test_the_system_clock_does_not_feel_a_step_of_the_wall_time(monkeypatch: pytest.MonkeyPatch, wall: _Wall) -> None:
    before, now = SystemClock().monotonic(), SystemClock().now()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    wall.ns += 3_000_000
    assert SystemClock().monotonic() - before == 3
    assert SystemClock().now() - now == 3


def test_the_system_clock_sleeps_in_milliseconds(wall: _Wall) -> None:
    SystemClock().sleep(1500)
    SystemClock().sleep(-1)
    assert wall.slept == [1.5, 0.0]


def test_there_is_one_system_clock_however_many_instances() -> None:
    assert SystemClock() == SystemClock() and hash(SystemClock()) == hash(SystemClock())
    assert ScaledClock(0) != ScaledClock(0)


def test_a_scaled_clock_starts_where_it_is_told_and_runs_faster(wall: _Wall) -> None:
    fast = ScaledClock(1_000_000, speed=60)
    assert fast.now() == 1_000_000
    wall.ns += 1_000_000_000
    assert fast.now() == 1_060_000
    assert fast.monotonic() == 60_000


def test_a_scaled_clock_sleeps_shorter(wall: _Wall) -> None:
    ScaledClock(0, speed=60).sleep(60_000)
    assert wall.slept == [1.0]


def test_a_manual_clock_moves_when_told() -> None:
    manual = ManualClock(1_000)
    manual.advance(500)
    assert (manual.now(), manual.monotonic()) == (1_500, 500)
    manual.set(2_000)
    assert (manual.now(), manual.monotonic()) == (2_000, 1_000)


def test_sleeping_moves_a_manual_clock() -> None:
    manual = ManualClock()
    manual.sleep(250)
    assert manual.now() == 250
