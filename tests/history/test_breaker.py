"""The circuit of one host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds.history.breaker import LIMIT, PAUSES_MS, Breaker, State


def opened(now: int = 0) -> Breaker:
    breaker = Breaker()
    for _ in range(15):
        breaker.go(now)
        breaker.failed(now)
    return breaker


def test_the_numbers_are_those_of_the_description() -> None:
    assert (LIMIT, PAUSES_MS) == (15, (5_000, 10_000, 20_000, 30_000))


def test_fifteen_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    said = []
    for _ in range(15):
        assert breaker.rest(7) == 0
        breaker.go(7)
        said.append(breaker.failed(7))
    assert said == [False] * 14 + [True]
    assert (breaker.state, breaker.rest(7), breaker.failures) == (State.OPEN, 5_000, 15)


def test_an_answer_in_between_begins_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(14):
        breaker.failed(0)
    assert not breaker.answered()
    for _ in range(14):
        assert not breaker.failed(0)
    assert breaker.state is State.CLOSED
    assert breaker.failed(0)


def test_when_the_pause_is_over_one_request_tries_the_host() -> None:
    breaker = opened()
    assert (breaker.rest(4_999), breaker.rest(5_000)) == (1, 0)
    breaker.go(5_000)
    assert (breaker.state, breaker.rest(5_000)) == (State.HALF_OPEN, 0)


def test_no_request_leaves_during_the_pause_or_beside_the_one_that_tries() -> None:
    breaker = opened()
    with pytest.raises(AssertionError):
        breaker.go(4_999)
    breaker.go(5_000)
    with pytest.raises(AssertionError):
        breaker.go(5_000)


def test_the_one_that_is_answered_closes_it() -> None:
    breaker = opened()
    breaker.go(5_000)
    assert breaker.answered()
    assert (breaker.state, breaker.rest(5_000), breaker.failures) == (State.CLOSED, 0, 0)


def test_one_that_gave_up_lets_another_try_without_a_pause() -> None:
    breaker = opened()
    breaker.go(5_000)
    breaker.given_up(5_100)
    assert (breaker.state, breaker.rest(5_100), breaker.failures) == (State.OPEN, 0, 15)
    breaker.go(5_100)
    assert breaker.state is State.HALF_OPEN


def test_giving_up_changes_nothing_while_requests_flow_or_none_may_leave() -> None:
    fresh, waiting = Breaker(), opened()
    fresh.given_up(0)
    waiting.given_up(1_000)
    assert (fresh.state, fresh.failures) == (State.CLOSED, 0)
    assert (waiting.state, waiting.rest(1_000)) == (State.OPEN, 4_000)


def test_the_pauses_grow_to_half_a_minute_and_begin_anew_after_an_answer() -> None:
    breaker, now, pauses = opened(), 0, []
    for _ in range(6):
        pauses.append(breaker.rest(now))
        now += breaker.rest(now)
        breaker.go(now)
        assert breaker.failed(now)
    assert pauses == [5_000, 10_000, 20_000, 30_000, 30_000, 30_000]
    breaker.answered()
    for _ in range(15):
        breaker.failed(now)
    assert breaker.rest(now) == 5_000


def test_what_left_before_it_opened_prolongs_nothing_when_it_fails() -> None:
    breaker = opened()
    assert not breaker.failed(4_000)
    assert breaker.rest(4_000) == 1_000


def test_what_left_before_it_opened_closes_it_when_it_is_answered() -> None:
    breaker = opened()
    assert breaker.answered()
    assert breaker.rest(1) == 0


def test_it_remembers_when_the_host_was_first_left_alone() -> None:
    breaker = opened(100)
    breaker.go(5_100)
    breaker.failed(6_000)
    assert breaker.opened_at == 100


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40_000)), max_size=120))
def test_a_host_that_recovers_is_asked_within_half_a_minute(steps: list[tuple[bool, int]]) -> None:
    breaker, now = Breaker(), 0
    for answers, pause in steps:
        now += pause
        assert breaker.rest(now) <= 30_000
        if not breaker.rest(now):
            breaker.go(now)
            breaker.answered() if answers else breaker.failed(now)
        assert breaker.state is not State.HALF_OPEN
