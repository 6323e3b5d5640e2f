"""Corrections are noticed among the last delivered bars."""

from __future__ import annotations

from btfeeds.live.memory import Memory
from btfeeds.market import Bar


def bar(minute: int, close: float = 1.5, trades: int = 3) -> Bar:
    return Bar(minute * 60_000, 1.0, 2.0, 0.5, close, 1.0, trades)


def test_a_changed_bar_gives_the_old_one_and_is_remembered() -> None:
    memory = Memory()
    memory.add(bar(1))
    assert memory.correct(bar(1, close=1.25)) == bar(1)
    assert memory.correct(bar(1, close=1.25)) is None


def test_the_same_bar_is_no_correction_even_if_the_count_of_trades_is_not_told() -> None:
    memory = Memory()
    memory.add(bar(1))
    assert memory.correct(bar(1, trades=-1)) is None


def test_a_bar_that_was_passed_over_is_lacked_once_and_then_compared() -> None:
    memory = Memory()
    assert not memory.lacked(bar(1)), "nothing is remembered yet"
    for minute in (2, 4):
        memory.add(bar(minute))
    assert memory.lacked(bar(3)) and not memory.lacked(bar(3))
    assert memory.correct(bar(3, close=1.25)) == bar(3)
    assert not memory.lacked(bar(1)) and not memory.lacked(bar(4)) and memory.last == bar(4)
    assert not Memory(bar(1)).lacked(Bar(2 * 60_000, 1.0, 1.0, 1.0, 1.0, 0.0, 0)), "nobody traded"


def test_a_bar_that_is_long_gone_cannot_be_compared() -> None:
    memory = Memory()
    for minute in range(17):
        memory.add(bar(minute))
    assert memory.correct(bar(0, close=9.0)) is None
    assert memory.last == bar(16)
