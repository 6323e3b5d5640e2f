"""Closed bars that wait for their last word."""

from __future__ import annotations

from btfeeds.live.settling import Settling
from btfeeds.market import Bar


def bar(minute: int, volume: float = 1.0) -> Bar:
    return Bar(minute * 60_000, 1.0, 2.0, 0.5, 1.5, volume)


def test_a_bar_is_held_for_so_long_from_when_it_came() -> None:
    settling = Settling(2_000)
    assert settling.hold(bar(0), 500) and settling.deadline == 2_500
    assert settling.ripe(2_499) == []
    assert settling.ripe(2_500) == [bar(0)] and settling.deadline is None


def test_it_is_held_on_until_the_venue_is_heard_which_is_asked_for_when_it_is_silent_on() -> None:
    settling = Settling(2_000)
    settling.hold(bar(0), 500)
    settling.hold(bar(1), 60_500)
    assert not settling.doubts(2_499)
    assert not settling.doubts(2_500) and settling.deadline == 2_550
    assert not settling.doubts(2_749)
    assert settling.doubts(2_750) and settling.deadline == 2_800
    assert not settling.doubts(3_749) and settling.doubts(3_750), "once more: the answer may lie behind much else"
    assert settling.ripe(2_600) == [bar(0)]
    assert not settling.doubts(3_800) and settling.deadline == 62_500
    assert not settling.doubts(62_500) and settling.doubts(62_750), "about the next bar it is asked, too"


def test_where_nothing_is_said_again_nothing_is_held() -> None:
    settling = Settling(0)
    assert not settling.hold(bar(0), 500) and settling.deadline is None


def test_bars_keep_their_order() -> None:
    settling = Settling(2_000)
    assert settling.hold(bar(1), 500) and settling.hold(bar(0), 501)
    assert settling.deadline == 2_500 and settling.ripe(2_501) == [bar(1), bar(0)]


def test_a_later_word_takes_the_place_of_the_one_that_is_held_and_does_not_prolong_the_wait() -> None:
    settling = Settling(2_000)
    settling.hold(bar(0), 500)
    assert settling.revise(bar(0, 7.0)) and not settling.revise(bar(1))
    assert settling.ripe(2_500) == [bar(0, 7.0)] and not settling.revise(bar(0, 8.0))


def test_a_bar_that_the_venue_takes_back_is_let_go() -> None:
    settling = Settling(2_000)
    settling.hold(bar(0), 500)
    settling.hold(bar(1), 501)
    assert settling.revise(bar(0, 0.0), gone=True) and not settling.revise(bar(0, 0.0), gone=True)
    assert settling.ripe(2_501) == [bar(1)]


def test_what_is_held_at_a_break_is_let_go() -> None:
    settling = Settling(2_000)
    settling.hold(bar(0), 500)
    settling.broken()
    assert settling.ripe(9_000) == [] and settling.deadline is None
