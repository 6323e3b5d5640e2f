"""Which bars are new, which correct others, which cannot be bars."""

from __future__ import annotations

import math

import pytest

from btfeeds.market import Bar, Timeframe
from btfeeds.warehouse.intake import judge, sift
from tests.warehouse.bars import DAY, MARCH, MINUTE, bars

NOW = MARCH + DAY
M1 = Timeframe.parse("1m")


def bar(time: int = MARCH, price: float = 100.0, volume: float = 1.0, trades: int = 5) -> Bar:
    return Bar(time, price, price + 2, price - 2, price + 1, volume, trades)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (bar(price=math.nan), "not_finite"),
        (bar(price=-5.0), "price_not_positive"),
        (bar(volume=-1.0), "volume_negative"),
        (Bar(MARCH, 1.0, 0.5, 1.0, 1.0, 1.0), "high_low"),
        (Bar(MARCH, "1", 2.0, 0.5, 1.0, 1.0), "not_numbers"),  # type: ignore[arg-type]
        (bar(MARCH + 1), "off_grid"),
        (bar(MARCH // 1000), "off_grid"),  # seconds
        (bar(MARCH * 1000), "future"),  # microseconds
        (bar(NOW + 2 * MINUTE), "future"),
        (bar(-(10**14)), "past"),
    ],
)
def test_a_row_that_cannot_be_a_bar_is_rejected_with_the_reason(row: Bar, reason: str) -> None:
    assert sift([row], M1, NOW) == ([], [(row, reason)])


def test_a_bar_that_the_venue_closed_a_moment_before_our_clock_is_good() -> None:
    early = bar(NOW - MINUTE)
    assert sift([early], M1, NOW - 300) == ([early], [])


def test_good_bars_come_in_order_and_two_words_on_one_bar_in_theirs() -> None:
    first, second, third = bar(MARCH + MINUTE, 100.0), bar(MARCH + MINUTE, 101.0), bar(MARCH)
    assert sift([first, second, third], M1, NOW)[0] == [third, first, second]


def test_bars_are_new_the_same_or_corrections() -> None:
    known = bars(2)
    corrected = bar(known[1].open_time, 555.0)
    outcome = judge([known[0], corrected, *bars(1, first=2)], {one.open_time: one for one in known})
    assert (outcome.same, outcome.revised, outcome.new) == (1, 1, 1)
    assert outcome.before == [known[1]]
    assert list(outcome.kept.values()) == [corrected, *bars(1, first=2)]


def test_two_words_on_a_new_bar_are_one_new_bar_and_one_correction() -> None:
    outcome = judge([bar(price=100.0), bar(price=101.0)], {})
    assert (outcome.new, outcome.revised, outcome.before) == (1, 1, [bar(price=100.0)])
    assert outcome.kept == {MARCH: bar(price=101.0)}


def test_not_knowing_the_trades_does_not_contradict_a_number() -> None:
    assert judge([bar(trades=-1)], {MARCH: bar(trades=5)}).same == 1


def test_a_number_of_trades_corrects_an_unknown_one() -> None:
    assert judge([bar(trades=5)], {MARCH: bar(trades=-1)}).revised == 1
