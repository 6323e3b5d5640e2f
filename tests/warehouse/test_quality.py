"""The score of a series: bounded, explained, and never better for more mistakes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds.warehouse.quality import WEIGHTS, Loss, Quality, assess

_counts = st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.integers(0, 10**6))


def test_a_clean_series_has_a_hundred() -> None:
    assert assess(1, {}) == assess(10**7, {"outlier": 0, "no_trade": 5_000}) == Quality(100, ())


def test_an_empty_series_has_nothing() -> None:
    assert assess(0, {}) == Quality(0, (Loss("empty", 100.0),))


@pytest.mark.parametrize(
    ("rule", "rows", "count", "points"),
    [
        ("high_low", 1_000, 5, 50.0),
        ("high_low", 1_000, 10, 100.0),  # one in a hundred: all of them
        ("high_low", 1_000, 11, 100.0),
        ("duplicate", 1_000, 50, 30.0),
        ("duplicate", 1_000, 49, 29.4),
        ("missing", 900, 100, 60.0),  # a tenth of what should be there
        ("missing", 950, 50, 30.0),
        ("outlier", 1_000, 10, 20.0),
        ("stuck", 1_000, 25, 5.0),
        ("differing", 1_000, 100, 40.0),
    ],
)
def test_a_rule_costs_by_its_share_and_no_more_than_it_may(rule: str, rows: int, count: int, points: float) -> None:
    assert assess(rows, {rule: count}) == Quality(100 - math.ceil(points), (Loss(rule, points),))


def test_a_single_fault_in_ten_million_shows() -> None:
    assert assess(10**7, {"stuck": 1}).score == 99


def test_the_dearest_loss_comes_first() -> None:
    quality = assess(1_000, {"stuck": 100, "outlier": 10, "missing": 3, "no_trade": 9})
    assert [loss.rule for loss in quality.losses] == ["outlier", "stuck", "missing"]


@given(st.integers(0, 10**6), _counts)
def test_a_score_is_a_whole_number_from_0_to_100(rows: int, counts: dict[str, int]) -> None:
    quality = assess(rows, counts)
    assert isinstance(quality.score, int)
    assert 0 <= quality.score <= 100
    assert all(math.isfinite(loss.points) and 0 < loss.points <= 100 for loss in quality.losses)


@given(st.integers(0, 10**6), _counts, st.sampled_from(sorted(WEIGHTS)), st.integers(1, 10**6))
def test_more_mistakes_never_make_a_better_score(rows: int, counts: dict[str, int], rule: str, more: int) -> None:
    worse = {**counts, rule: counts.get(rule, 0) + more}
    assert assess(rows, worse).score <= assess(rows, counts).score


@given(st.integers(1, 10**6), _counts)
def test_only_a_series_that_lost_nothing_has_a_hundred(rows: int, counts: dict[str, int]) -> None:
    quality = assess(rows, counts)
    assert (quality.score == 100) == (not quality.losses)


@given(st.integers(1, 10**4), _counts, st.integers(2, 50))
def test_the_same_share_of_mistakes_costs_the_same(rows: int, counts: dict[str, int], factor: int) -> None:
    assert assess(rows * factor, {rule: count * factor for rule, count in counts.items()}) == assess(rows, counts)
