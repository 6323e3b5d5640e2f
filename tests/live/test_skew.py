"""The venue's lead, from event times."""

from __future__ import annotations

from btfeeds.live.skew import Skew
from btfeeds.market import TimeRange


def at(sent: int, received: int | None = None) -> TimeRange:
    """When an answer was under way, both instants included."""
    return TimeRange(sent, (sent if received is None else received) + 1)


def test_a_frame_that_was_under_way_for_a_moment_is_no_skew() -> None:
    skew = Skew()
    skew.sample(1_000, 1_100)
    assert skew.value == 0


def test_the_largest_lead_counts_at_once() -> None:
    skew = Skew()
    skew.sample(1_000, 1_100)
    skew.sample(5_000, 1_200)
    skew.sample(3_000, 1_300)
    assert skew.value == 3_800


def test_a_clock_of_ours_that_is_ahead_is_noticed_with_the_first_frame() -> None:
    skew = Skew()
    skew.sample(100_000, 130_050)
    assert skew.value == -30_050
    skew.sample(101_000, 131_020)
    assert skew.value == -30_020, "a quicker frame is a better sample"


def test_an_old_lead_is_forgotten_after_two_windows() -> None:
    skew = Skew(window_ms=1_000)
    skew.sample(109_000, 100_000)
    for now in range(101_000, 104_000, 500):
        skew.sample(now, now)
    assert skew.value == 0


def test_a_frame_from_far_in_the_venues_future_is_not_plausible() -> None:
    skew = Skew()
    assert skew.plausible(130_000, 100_000) and not skew.plausible(130_001, 100_000)
    skew.sample(170_000, 100_000)
    assert skew.plausible(200_000, 100_000), "our clock is 70 s behind"


def test_a_late_first_frame_does_not_make_punctual_ones_implausible() -> None:
    skew = Skew()
    skew.sample(60_000, 100_000)
    assert skew.plausible(100_000, 100_000)
    skew.sample(100_000, 100_000)
    assert skew.value == 0


def test_once_the_skew_is_known_a_leap_away_from_it_is_not_plausible() -> None:
    skew = Skew()
    skew.sample_date(10_000, at(100_000))
    assert skew.value == -88_000, "as little as the date, which is cut to seconds, leaves possible"
    assert skew.plausible(42_000, 100_000) and not skew.plausible(42_001, 100_000)


def test_on_a_fast_clock_what_a_busy_machine_can_cause_is_plausible() -> None:
    skew = Skew(floor_ms=450_000)  # a quarter of a second of the wall, 1,800 times as fast
    assert skew.plausible(550_000, 100_000) and not skew.plausible(550_001, 100_000)
    assert not skew.early(550_000, 100_000)


def test_five_doubtful_frames_in_a_row_are_believed() -> None:
    skew = Skew()
    skew.sample_date(10_000, at(100_000))
    assert [skew.plausible(100_000 + number, 100_000 + number) for number in range(5)] == [False] * 4 + [True]
    skew.sample(100_005, 100_005)
    assert skew.value == 0 and skew.plausible(100_006, 100_006)


def test_the_whole_seconds_of_a_date_are_no_skew_but_minutes_are() -> None:
    skew = Skew()
    skew.sample_date(100_000, at(101_400))
    assert skew.value == 0
    skew.sample_date(100_000, at(30_000))
    assert skew.value == 70_000


def test_an_answer_that_took_long_says_nothing_of_the_venues_clock() -> None:
    skew = Skew()
    skew.sample_date(100_000, at(100_200, 140_000))
    assert skew.value == 0


def test_a_date_puts_a_wrong_belief_right() -> None:
    skew = Skew()
    skew.sample(60_000, 100_000)
    assert skew.value == -40_000
    skew.sample_date(100_000, at(100_100, 100_300))
    assert skew.value == 0


def test_what_is_said_to_have_happened_cannot_lie_far_in_the_venues_future() -> None:
    skew = Skew()
    skew.sample_date(100_000, at(100_100))
    assert not skew.early(102_600, 100_100)
    assert skew.value == 2_500, "the venue's clock is at least there"
    assert skew.early(105_101, 100_100)


def test_before_the_skew_is_known_our_clock_may_be_far_behind() -> None:
    skew = Skew()
    assert not skew.early(120_000, 100_000) and skew.value == 20_000
    assert skew.early(190_000, 100_000)


def test_five_in_a_row_have_happened_and_our_clock_was_wrong() -> None:
    skew = Skew()
    assert [skew.early(170_000 + number, 100_000 + number) for number in range(5)] == [True] * 4 + [False]
    assert skew.value == 70_000
