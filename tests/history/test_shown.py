"""What history shows just behind the end of a bar may be what was before it."""

from __future__ import annotations

from btfeeds.history.shown import bars_until, trades_until
from btfeeds.market import Timeframe

MINUTE = Timeframe.parse("1m")
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC
M, S = 60_000, 1_000
LAG = 10 * S


def test_a_bar_that_closed_long_ago_is_final() -> None:
    assert bars_until(MINUTE, NOON + M + 10 * S, [NOON], LAG) == NOON + M


def test_the_youngest_bar_may_be_shown_as_it_was_before_its_end() -> None:
    assert bars_until(MINUTE, NOON + M + 5 * S, [NOON - M, NOON], LAG) == NOON


def test_that_the_next_bar_has_begun_proves_that_a_bar_is_final() -> None:
    assert bars_until(MINUTE, NOON + M + 5 * S, [NOON, NOON + M], LAG) == NOON + M


def test_where_trades_are_late_nothing_later_proves_that_a_younger_bar_is_final_or_that_there_is_none() -> None:
    late = 30 * S
    for opened in ([NOON, NOON + M], [NOON - M, NOON + M]):
        assert bars_until(MINUTE, NOON + M + late - 1, opened, late, late) == NOON
        assert bars_until(MINUTE, NOON + M + late, opened, late, late) == NOON + M
    assert bars_until(MINUTE, NOON + M + late, [NOON - M], late, late) == NOON + M


def test_in_the_first_second_behind_its_end_no_bar_is_final() -> None:
    assert bars_until(MINUTE, NOON + M + S - 1, [NOON, NOON + M], LAG) == NOON


def test_a_bar_of_the_venues_future_proves_nothing() -> None:
    assert bars_until(MINUTE, NOON + M + 5 * S, [NOON, NOON + 7 * M], LAG) == NOON


def test_the_last_trades_of_a_bar_may_not_be_shown_yet() -> None:
    assert trades_until(MINUTE, NOON + M + 5 * S, NOON + M - 20 * S, LAG) == NOON


def test_a_trade_behind_its_end_proves_that_a_bar_is_whole() -> None:
    assert trades_until(MINUTE, NOON + M + 5 * S, NOON + M, LAG) == NOON + M


def test_so_does_time() -> None:
    assert trades_until(MINUTE, NOON + M + 10 * S, NOON + M - 20 * S, LAG) == NOON + M


def test_a_trade_cannot_prove_what_is_not_over_yet() -> None:
    assert trades_until(MINUTE, NOON + M + 500, NOON + M + 300, LAG) == NOON
