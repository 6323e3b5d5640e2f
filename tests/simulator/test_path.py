"""Trades made up inside a bar rebuild it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from btfeeds.simulator.path import Tick, needed, prices, split, times


def test_a_flat_bar_needs_one_trade_and_a_full_one_four() -> None:
    assert needed(100, 100, 100, 100) == 1
    assert needed(100, 101, 100, 101) == 2
    assert needed(100, 101, 100, 100) == 3
    assert needed(100, 101, 99, 100) == 4


@given(st.lists(st.integers(1, 10**9), min_size=4, max_size=4), st.integers(0, 20), st.integers())
def test_a_walk_opens_closes_and_touches_where_the_bar_says(values: list[int], more: int, seed: int) -> None:
    low, a, b, high = sorted(values)
    open, close = random.Random(seed).sample([a, b], 2)
    count = needed(open, high, low, close) + more
    walk = prices(random.Random(seed), open, high, low, close, count)
    assert (len(walk), walk[0], max(walk), min(walk), walk[-1]) == (count, open, high, low, close)


@given(st.integers(1, 50), st.integers())
def test_trades_happen_inside_the_bar_one_after_the_other(count: int, seed: int) -> None:
    moments = times(random.Random(seed), 60_000, 120_000, count)
    assert moments == sorted(set(moments))
    assert moments[0] > 60_000 and moments[-1] < 120_000


@given(st.integers(0, 10**12), st.integers(1, 30), st.integers())
def test_parts_add_up_and_none_is_empty_without_need(total: int, count: int, seed: int) -> None:
    parts = split(random.Random(seed), total, count)
    assert (len(parts), sum(parts)) == (count, total)
    assert min(parts) >= (1 if total >= count else 0)


def test_a_group_of_trades_ends_with_its_last_id() -> None:
    assert Tick(0, 1, 1, 3, 100, 7, True).last_id == 102
