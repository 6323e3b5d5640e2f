"""Flat bars, and the error that ends a feed which must not go on without bars."""

from __future__ import annotations

from btfeeds.live.gaps import flat_bars, lacking_bars, why_absent
from btfeeds.market import Bar, Timeframe, TimeRange

M = 60_000


def test_flat_bars_stand_at_every_opening_time_of_the_span() -> None:
    made = list(flat_bars(Timeframe.parse("1m"), TimeRange(M, 3 * M), 7.5))
    assert made == [Bar(M, 7.5, 7.5, 7.5, 7.5, 0.0, 0), Bar(2 * M, 7.5, 7.5, 7.5, 7.5, 0.0, 0)]


def test_the_error_says_which_span_and_what_else_could_be_done() -> None:
    error = lacking_bars("binance BTC/USDT 1m", TimeRange(0, M))
    assert error.missing == ((0, M),) and error.fatal
    assert len(str(error).splitlines()) == 3 and 'gaps="mark"' in error.advice


def test_a_declared_gap_has_one_of_three_reasons() -> None:
    assert why_absent(asked=False, begun=True) == "history is not asked"
    assert why_absent(asked=True, begun=True) == "the venue has no bars here"
    assert why_absent(asked=True, begun=False) == "before the first bar of the venue"
