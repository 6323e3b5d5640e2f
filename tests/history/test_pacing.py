"""The budget of one host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from btfeeds.history.pacing import Pacer


def test_the_budget_is_spent_and_comes_back_after_a_minute() -> None:
    pacer = Pacer(10)
    assert pacer.take(6, 0) == 0
    assert pacer.take(4, 1_000) == 0
    assert pacer.take(1, 2_000) == 58_000
    assert pacer.take(1, 60_000) == 0


def test_a_request_that_costs_more_than_everything_goes_alone() -> None:
    pacer = Pacer(10)
    assert pacer.take(20, 0) == 0
    assert pacer.take(20, 1) == 59_999


def test_what_others_spent_at_our_address_counts() -> None:
    pacer = Pacer(10)
    pacer.take(2, 0)
    pacer.learn(9, 1_000)
    assert pacer.take(1, 2_000) == 0
    assert pacer.take(1, 2_000) > 0


def test_a_count_below_our_own_changes_nothing() -> None:
    pacer = Pacer(10)
    pacer.take(8, 0)
    pacer.learn(1, 1_000)
    assert pacer.take(2, 1_000) == 0
    assert pacer.take(1, 1_000) > 0


def test_nothing_is_sent_before_the_deadline() -> None:
    pacer = Pacer(10)
    pacer.hold(5_000.5, 0)
    assert pacer.take(1, 0) == 5_001
    assert pacer.take(1, 5_000) == 1
    assert pacer.take(1, 5_001) == 0


def test_a_shorter_deadline_does_not_replace_a_longer_one() -> None:
    pacer = Pacer(10)
    pacer.hold(9_000, 0, ban=True)
    pacer.hold(1_000, 0)
    assert (pacer.take(1, 0), pacer.banned) == (9_000, True)
    assert (pacer.take(1, 9_000), pacer.banned) == (0, False)


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 20_000)), min_size=1, max_size=60))
def test_no_minute_ever_holds_more_than_the_budget(asked: list[tuple[int, int]]) -> None:
    pacer, now = Pacer(10), 0
    spent: list[tuple[int, int]] = []
    for weight, pause in asked:
        now += pause
        while wait := pacer.take(weight, now):
            now += wait
        spent.append((now, weight))
    for start, _ in spent:
        assert sum(weight for time, weight in spent if start <= time < start + 60_000) <= 10


def test_no_second_holds_more_requests_than_it_may() -> None:
    pacer = Pacer(1_000, requests_per_second=2.0)
    assert [pacer.take(1, 0), pacer.take(1, 400), pacer.take(1, 500)] == [0, 0, 500]
    assert [pacer.take(1, 1_000), pacer.take(1, 1_000)] == [0, 400]


def test_less_than_one_a_second_is_one_in_so_many() -> None:
    pacer = Pacer(1_000, requests_per_second=0.25)
    assert [pacer.take(1, 0), pacer.take(1, 0), pacer.take(1, 4_000)] == [0, 4_000, 0]


def test_one_and_a_half_a_second_are_never_two() -> None:
    pacer = Pacer(1_000, requests_per_second=1.5)
    assert [pacer.take(1, 0), pacer.take(1, 0), pacer.take(1, 667)] == [0, 667, 0]


def test_a_day_holds_no_more_requests_than_it_may_whatever_they_weigh() -> None:
    pacer = Pacer(1_000, requests_per_day=3)
    hour = 3_600_000
    assert [pacer.take(7, n * hour) for n in range(4)] == [0, 0, 0, 21 * hour]
    assert [pacer.take(7, 24 * hour), pacer.take(7, 24 * hour)] == [0, hour]


def test_the_longest_of_several_waits_counts_and_nothing_is_spent_before_it() -> None:
    pacer = Pacer(10, requests_per_second=1.0)
    assert pacer.take(10, 0) == 0
    assert pacer.take(1, 500) == 59_500
    assert pacer.take(5, 60_000) == 0
    assert pacer.take(5, 60_000) == 1_000


def test_what_others_have_spent_counts_by_its_own_time() -> None:
    pacer = Pacer(10, requests_per_second=1.0)
    pacer.count(8, 1, -50_000)
    pacer.count(1, 1, -200)
    assert pacer.take(1, 0) == 800
    assert pacer.take(1, 800) == 0
    assert pacer.take(1, 5_000) == 5_000


def test_weight_the_venue_tells_of_is_no_request_of_ours() -> None:
    pacer = Pacer(100, requests_per_day=1)
    assert pacer.learn(50, 0) == 50
    assert pacer.learn(40, 0) == 0
    assert pacer.take(1, 3_600_000) == 0
    assert pacer.take(1, 3_600_000) == 86_400_000


def test_how_far_back_it_remembers_is_told() -> None:
    assert Pacer(10).memory_ms == 60_000
    assert Pacer(10, requests_per_second=2.0).memory_ms == 60_000
    assert Pacer(10, requests_per_day=25).memory_ms == 86_400_000
