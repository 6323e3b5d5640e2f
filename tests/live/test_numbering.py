"""Which trade comes for the first time."""

from __future__ import annotations

import pytest

from btfeeds.live.numbering import Numbering
from btfeeds.market import Trade


def trade(number: int, time: int = 0) -> Trade:
    return Trade(time or number, 1.0, 1.0, number)


def new(numbers: Numbering, *came: int) -> list[int]:
    return [number for number in came if numbers.is_new(trade(number))]


@pytest.mark.parametrize("counted", [True, False])
def test_a_number_is_new_once(counted: bool) -> None:
    assert new(Numbering(counted=counted), 5, 6, 5, 7, 6, 7, 8) == [5, 6, 7, 8]


@pytest.mark.parametrize("counted", [True, False])
def test_one_that_was_stepped_over_is_new_when_it_comes_later(counted: bool) -> None:
    assert new(Numbering(counted=counted), 5, 9, 7, 9, 7, 6, 8, 6, 8) == [5, 9, 7, 6, 8]


def test_of_counted_trades_what_came_before_the_first_is_old() -> None:
    assert new(Numbering(counted=True), 5, 4, 3) == [5]


def test_where_numbers_have_holes_a_smaller_one_may_be_new() -> None:
    assert new(Numbering(counted=False), 50, 40, 40) == [50, 40]


def test_what_is_remembered_is_bounded() -> None:
    counted, holes = Numbering(counted=True), Numbering(counted=False)
    new(counted, *range(0, 200, 2))
    assert new(counted, 1, 197) == [197], "of the last holes only"
    new(holes, *range(5_000))
    assert new(holes, 10, 5_000, 4_999) == [5_000]


@pytest.mark.parametrize("counted", [True, False])
def test_small_numbers_of_much_later_trades_are_a_new_count(counted: bool) -> None:
    numbers = Numbering(counted=counted)
    assert numbers.is_new(trade(9_000, 1_000_000))
    assert not numbers.begins_anew(trade(1, 1_060_000))
    assert numbers.begins_anew(trade(1, 1_060_001))
    assert numbers.is_new(trade(1, 1_060_001))
    assert not numbers.begins_anew(trade(1, 1_060_001)) and not numbers.is_new(trade(1, 1_060_001))


def test_where_several_trades_have_one_key_all_that_is_said_tells_them_apart() -> None:
    numbers = Numbering(counted=False)
    one, other = Trade(5, 1.0, 1.0, key="D7"), Trade(5, 1.0, 2.0, key="D7")
    assert [numbers.is_new(trade) for trade in (one, other, one, other)] == [True, True, False, False]
    assert [numbers.is_new(Trade(n, 1.0, 1.0, key="V1")) for n in range(10_000, 15_000)] == [True] * 5_000
    assert numbers.is_new(Trade(6, 1.0, 1.0, key="V1")), "an old one may be late"
    assert numbers.newest == -1
