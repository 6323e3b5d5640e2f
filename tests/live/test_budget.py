"""The budget of connects hands out turns."""

from __future__ import annotations

import threading

from btfeeds.live.budget import Budget


def test_turns_within_the_budget_are_at_once_and_later_ones_wait_for_the_window() -> None:
    budget = Budget(3, 300_000, threading.Lock())
    assert [budget.reserve(at) for at in (0, 1, 2, 3, 4)] == [0, 1, 2, 300_000, 300_001]


def test_after_a_quiet_window_turns_are_at_once_again() -> None:
    budget = Budget(1, 1_000, threading.Lock())
    assert [budget.reserve(0), budget.reserve(5_000)] == [0, 5_000]
