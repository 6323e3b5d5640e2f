"""Bars close when a later one begins."""

from __future__ import annotations

from btfeeds.live.rollover import RollOver
from btfeeds.market import Bar, Timeframe

MINUTE = Timeframe.parse("1m")


def bar(minute: int, close: float = 1.5, volume: float = 1.0) -> Bar:
    return Bar(minute * 60_000, 1.0, 2.0, 0.5, close, volume)


def test_the_last_word_about_a_bar_is_given_when_a_later_one_begins() -> None:
    rolling = RollOver(MINUTE)
    assert rolling.update(bar(1, 1.1)) == (None, None)
    assert rolling.update(bar(1, 1.2)) == (None, None)
    assert rolling.update(bar(2)) == (bar(1, 1.2), None)


def test_behind_a_silence_history_is_asked_for_the_last_word() -> None:
    rolling = RollOver(MINUTE)
    rolling.update(bar(1))
    assert rolling.update(bar(5)) == (None, None)
    assert rolling.update(bar(6)) == (bar(5), None)


def test_of_two_connections_the_one_that_lags_does_not_take_anything_back() -> None:
    rolling = RollOver(MINUTE)
    rolling.update(bar(1, 1.2, volume=2.0))
    rolling.update(bar(1, 1.1, volume=1.0))
    assert rolling.update(bar(2)) == (bar(1, 1.2, volume=2.0), None)


def test_what_was_held_at_a_break_is_never_given() -> None:
    rolling = RollOver(MINUTE)
    rolling.update(bar(1))
    rolling.broken()
    assert rolling.update(bar(2)) == (None, None)


def test_word_about_an_older_bar_is_a_correction() -> None:
    rolling = RollOver(MINUTE)
    rolling.update(bar(2))
    assert rolling.update(bar(1, 1.4)) == (None, bar(1, 1.4))


def test_of_a_stream_that_was_mute_only_bars_that_open_later_are_given() -> None:
    rolling = RollOver(MINUTE)
    rolling.update(bar(1))
    rolling.distrust(110_000)
    assert [rolling.update(bar(minute)) for minute in (2, 3, 4)] == [(None, None), (None, None), (bar(3), None)]


def test_behind_a_silence_over_its_end_history_confirms_a_bar() -> None:
    rolling = RollOver(MINUTE)
    rolling.update(bar(1), 115_000)
    assert rolling.update(bar(2), 120_001) == (None, None)
    assert rolling.update(bar(2), 178_000) == (None, None)
    assert rolling.update(bar(3), 183_000) == (bar(2), None)


def test_of_an_older_bar_only_a_fuller_word_is_a_correction() -> None:
    rolling = RollOver(MINUTE)
    rolling.update(bar(1, volume=5.0))
    rolling.update(bar(2))
    assert rolling.update(bar(1, 1.1, volume=4.0)) == (None, None), "an update of long ago"
    assert rolling.update(bar(1, 1.7, volume=7.0)) == (None, bar(1, 1.7, volume=7.0))
    assert rolling.update(bar(1, 1.7, volume=7.0)) == (None, None)


def test_when_our_idea_of_the_time_is_put_right_the_silence_behind_it_is_seen_all_the_same() -> None:
    rolling, fast = RollOver(MINUTE), 90_000  # our clock was so far ahead, and frames do not tell the time
    rolling.update(bar(1), 90_000 + fast)
    rolling.update(bar(1), 95_000)
    assert rolling.update(bar(2), 130_000) == (None, None), "silent for 35 s over the end of the bar"
    assert rolling.update(bar(2), 178_000) == (None, None)
    assert rolling.update(bar(3), 181_000) == (bar(2), None)
