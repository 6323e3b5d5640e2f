"""Closed bars that wait for their last word."""

from __future__ import annotations

from btfeeds.live.settling import Settling
from btfeeds.market import Bar, Timeframe

MINUTE = Timeframe.parse("1m")


def bar(minute: int, volume: float = 1.0) -> Bar:
    return Bar(minute * 60_000, 1.0, 2.0, 0.5, 1.5, volume)


def test_a_bar_is_held_until_so_long_after_its_close() -> None:
    settling = Settling(MINUTE, 2_000)
    assert settling.hold(bar(0), 60_050) and settling.deadline == 62_000
    assert settling.ripe(61_999) == []
    assert settling.ripe(62_000) == [bar(0)] and settling.deadline is None


def test_a_bar_that_comes_late_enough_is_not_held() -> None:
    assert not Settling(MINUTE, 2_000).hold(bar(0), 62_000)
    assert not Settling(MINUTE, 0).hold(bar(0), 50_000), "where nothing is said again, our clock may be wrong"


def test_bars_keep_their_order() -> None:
    settling = Settling(MINUTE, 2_000)
    assert settling.hold(bar(1), 120_000) and settling.hold(bar(0), 120_001), "it waits behind the other"
    assert settling.ripe(122_000) == [bar(1), bar(0)]


def test_a_later_word_takes_the_place_of_the_one_that_is_held() -> None:
    settling = Settling(MINUTE, 2_000)
    settling.hold(bar(0), 60_050)
    assert settling.revise(bar(0, 7.0)) and not settling.revise(bar(1))
    assert settling.ripe(62_000) == [bar(0, 7.0)] and not settling.revise(bar(0, 8.0))


def test_what_is_held_at_a_break_is_let_go() -> None:
    settling = Settling(MINUTE, 2_000)
    settling.hold(bar(0), 60_050)
    settling.broken()
    assert settling.ripe(70_000) == [] and settling.deadline is None
