"""Seven minutes of the venue's own make a bar of seven minutes."""

from __future__ import annotations

from btfeeds.live.merging import MergedBars
from btfeeds.live.ring import Revised
from btfeeds.market import Bar, Timeframe

M = 60_000
MINUTE, THREE = Timeframe.parse("1m"), Timeframe.parse("3m")


def minute(number: int, close: float = 2.0, volume: float = 0.1) -> Bar:
    return Bar(number * M, 1.0, close, 1.0, close, volume, 2)


def three(number: int, close: float, volume: float) -> Bar:
    return Bar(number * M, 1.0, close, 1.0, close, volume, 6)


def test_a_bar_is_whole_when_its_last_piece_has_come() -> None:
    made = MergedBars(THREE, MINUTE)
    assert made.add(minute(3)) == made.add(minute(4, 5.0)) == ()
    # 0.1 + 0.1 + 0.1 is no more than 0.3
    assert made.add(minute(5, 4.0)) == (Bar(3 * M, 1.0, 5.0, 1.0, 4.0, 0.3, 6),)


def test_a_bar_that_lacks_a_piece_is_not_given() -> None:
    made = MergedBars(THREE, MINUTE)
    assert [made.add(minute(number)) for number in (4, 5, 6, 7)] == [(), (), (), ()]
    assert made.add(minute(8)) == (three(6, 2.0, 0.3),)


def test_pieces_may_come_in_any_order_and_twice() -> None:
    made = MergedBars(THREE, MINUTE)
    assert [made.add(minute(number)) for number in (5, 3, 5)] == [(), (), ()]
    assert made.add(minute(4)) == (three(3, 2.0, 0.3),)
    assert made.add(minute(4)) == (), "nothing new"


def test_a_corrected_piece_corrects_the_bar() -> None:
    made = MergedBars(THREE, MINUTE)
    made.add(minute(0))
    assert made.add(minute(0, 9.0)) == (), "nothing was said yet"
    made.add(minute(1))
    assert made.add(minute(2)) == (Bar(0, 1.0, 9.0, 1.0, 2.0, 0.3, 6),)
    made.add(minute(3))
    assert made.add(minute(2, 3.0, 0.2)) == (Revised(Bar(0, 1.0, 9.0, 1.0, 3.0, 0.4, 6)),)


def test_a_correction_may_bring_the_piece_that_was_lacking() -> None:
    made = MergedBars(THREE, MINUTE)
    for number in (0, 2, 3):
        assert made.add(minute(number)) == ()
    assert made.add(minute(1)) == (three(0, 2.0, 0.3),)


def test_what_is_forgotten_is_counted_and_begins_no_bar() -> None:
    made = MergedBars(THREE, MINUTE)
    for number in range(9):
        made.add(minute(number))
    assert made.add(minute(2, 9.0)) == () and made.late == 1
    assert made.add(minute(5, 9.0)) == (Revised(Bar(3 * M, 1.0, 9.0, 1.0, 9.0, 0.3, 6)),)
    assert made.add(minute(8, 9.0)) == (Revised(Bar(6 * M, 1.0, 9.0, 1.0, 9.0, 0.3, 6)),)
    assert made.late == 1


def test_bars_are_known_for_as_long_as_the_venue_may_correct_them() -> None:
    made = MergedBars(THREE, MINUTE, late_ms=10 * M)
    for number in range(15):
        made.add(minute(number))
    assert made.add(minute(0, 9.0)) == (Revised(Bar(0, 1.0, 9.0, 1.0, 2.0, 0.3, 6)),)
