"""What was set by a clock that is wrong is set right when the venue's is known."""

from __future__ import annotations

from btfeeds.live.outset import Outset
from btfeeds.market import Timeframe

M = 60_000
MINUTE = Timeframe.parse("1m")


def test_a_clock_that_was_ahead_is_followed_back() -> None:
    made = Outset(MINUTE, 0, None)
    assert made.confirmed(10 * M + 500) == 10 * M == made.horizon
    made.reckoned_at = 10 * M + 500
    assert made.moved(-3 * M, 10 * M) == 7 * M and made.horizon == 7 * M
    assert made.moved(-600, 7 * M) == 6 * M and made.horizon == 6 * M


def test_a_history_is_reckoned_anew_in_whole_bars() -> None:
    made = Outset(MINUTE, 0, 500 * M + 400)
    assert made.moved(-300, 0) == 0, "no bar has opened in between"
    assert made.moved(-200, 0) == -M


def test_a_time_that_trembles_about_the_end_of_a_bar_moves_the_beginning_once() -> None:
    made, due = Outset(MINUTE, 0, 500 * M + 100), 0
    for _ in range(5):
        due = made.moved(-200, due) or 0
        due = made.moved(200, due) or 0
    assert due == -M


def test_a_clock_that_was_behind_leaves_everything_where_it_is() -> None:
    made = Outset(MINUTE, 0, 10 * M)
    made.confirmed(12 * M)
    assert made.moved(3 * M, 10 * M) == 10 * M and made.horizon == 12 * M


def test_where_no_clock_has_set_the_beginning_it_stays() -> None:
    made = Outset(MINUTE, 5 * M, None)
    assert made.moved(-3 * M, 5 * M) == 5 * M and made.horizon == 5 * M
    made.confirmed(10 * M)
    made.horizon = 20 * M  # bars were let go up to there
    assert made.moved(-3 * M, 5 * M) == 5 * M and made.horizon == 20 * M
