"""One question at a time, and the pauses between those that were in vain."""

from __future__ import annotations

from btfeeds.live.questions import Questions
from btfeeds.market import TimeRange

SPAN = TimeRange(0, 60_000)


def test_only_the_open_question_is_waited_for() -> None:
    questions = Questions((1_000,))
    first = questions.put(SPAN, "history")
    assert questions.waits_for(first)
    second = questions.put(SPAN, "hole")
    assert questions.waits_for(second) and not questions.waits_for(first)
    questions.open = None
    assert not questions.waits_for(second)


def test_the_pauses_grow_to_the_last_one_and_begin_anew() -> None:
    questions = Questions((1_000, 2_000, 30_000))
    assert [questions.in_vain(500) for _ in range(4)] == [1_000, 2_000, 30_000, 30_000]
    assert (questions.vain, questions.not_before) == (4, 30_500)
    questions.begin_anew()
    assert (questions.vain, questions.not_before) == (0, 0) and questions.in_vain(700) == 1_000
