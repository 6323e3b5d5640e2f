"""Spans of time, and large bars from small ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds.history.ranges import gaps, merge, pages, subtract, union, whole
from btfeeds.market import Bar, Timeframe, TimeRange

M = 60_000
MINUTE, FIVE, MONTH = map(Timeframe.parse, ("1m", "5m", "1M"))


def R(start: int, end: int) -> TimeRange:
    return TimeRange(start, end)


def bar(minute: int, trades: int = 1) -> Bar:
    return Bar(minute * M, 10.0 + minute, 20.0 + minute, 5.0 - minute / 100, 11.0 + minute, 0.1, trades)


@pytest.mark.parametrize(
    ("spans", "together"),
    [
        ([], []),
        ([R(1, 1), R(5, 2)], []),
        ([R(5, 7), R(1, 3)], [R(1, 3), R(5, 7)]),
        ([R(1, 3), R(3, 5)], [R(1, 5)]),
        ([R(1, 9), R(2, 3), R(8, 12)], [R(1, 12)]),
    ],
)
def test_union_joins_what_touches(spans: list[TimeRange], together: list[TimeRange]) -> None:
    assert union(spans) == together


@pytest.mark.parametrize(
    ("spans", "away", "left"),
    [
        ([R(0, 10)], [], [R(0, 10)]),
        ([R(0, 10)], [R(0, 10)], []),
        ([R(0, 10)], [R(3, 5)], [R(0, 3), R(5, 10)]),
        ([R(0, 10)], [R(-5, 2), R(8, 99)], [R(2, 8)]),
        ([R(0, 4), R(6, 9)], [R(3, 7)], [R(0, 3), R(7, 9)]),
    ],
)
def test_subtract_leaves_the_rest(spans: list[TimeRange], away: list[TimeRange], left: list[TimeRange]) -> None:
    assert subtract(spans, away) == left


_spans = st.lists(st.builds(TimeRange, st.integers(0, 30), st.integers(0, 30)), max_size=6)


@given(_spans, _spans)
def test_spans_hold_the_same_instants_as_sets_do(some: list[TimeRange], away: list[TimeRange]) -> None:
    def instants(spans: list[TimeRange]) -> set[int]:
        return {time for span in spans for time in range(span.start, span.end)}

    assert instants(union(some)) == instants(some)
    assert instants(subtract(some, away)) == instants(some) - instants(away)


def test_a_span_is_widened_to_the_bars_that_open_in_it() -> None:
    assert whole(R(1, 2 * M + 1), MINUTE) == R(M, 3 * M)
    assert whole(R(0, 2 * M), MINUTE) == R(0, 2 * M)
    assert not whole(R(1, M), MINUTE)


def test_pages_hold_at_most_so_many_bars() -> None:
    assert list(pages(R(0, 5 * M), MINUTE, 2)) == [R(0, 2 * M), R(2 * M, 4 * M), R(4 * M, 5 * M)]
    assert list(pages(R(3, 3), MINUTE, 2)) == []


def test_pages_of_months_follow_the_calendar() -> None:
    january, march, april = 1_704_067_200_000, 1_709_251_200_000, 1_711_929_600_000  # 2024
    assert list(pages(R(january, april), MONTH, 2)) == [R(january, march), R(march, april)]


def test_gaps_are_where_no_bar_opens() -> None:
    bars = [bar(1), bar(2), bar(5)]
    assert gaps(bars, MINUTE, R(0, 7 * M)) == [R(0, M), R(3 * M, 5 * M), R(6 * M, 7 * M)]
    assert gaps([], MINUTE, R(0, M)) == [R(0, M)]
    assert gaps(bars, MINUTE, R(M, 3 * M)) == []


def test_five_minutes_make_one_bar() -> None:
    assert merge([bar(n) for n in range(5)], FIVE, R(0, 5 * M)) == [Bar(0, 10.0, 24.0, 4.96, 15.0, 0.5, 5)]


def test_a_bucket_that_is_not_wholly_inside_is_left_out() -> None:
    bars = [bar(n) for n in range(3, 13)]
    assert [b.open_time for b in merge(bars, FIVE, R(3 * M, 13 * M))] == [5 * M]


def test_minutes_without_trades_do_not_split_a_bucket() -> None:
    (made,) = merge([bar(0), bar(4)], FIVE, R(0, 5 * M))
    assert (made.open_time, made.open, made.close, made.volume) == (0, 10.0, 15.0, 0.2)


def test_an_unknown_number_of_trades_stays_unknown() -> None:
    (made,) = merge([bar(0, trades=-1), bar(1)], FIVE, R(0, 5 * M))
    assert made.trades == -1


def test_volumes_are_summed_without_rounding_errors() -> None:
    (made,) = merge([bar(n) for n in range(10)], Timeframe.parse("10m"), R(0, 10 * M))
    assert made.volume == 1.0


def test_rows_without_trades_count_for_nothing_beside_rows_with_trades() -> None:
    flat = [Bar(minute * M, 9.0, 9.0, 9.0, 9.0, 0.0, 0) for minute in range(5)]
    traded = [Bar(1 * M, 10.0, 12.0, 10.0, 11.0, 2.0, 3), Bar(3 * M, 11.5, 13.0, 11.0, 12.5, 1.0, 1)]
    rows = [flat[0], traded[0], Bar(2 * M, 11.0, 11.0, 11.0, 11.0, 0.0, 0), traded[1], flat[4]]
    assert merge(rows, FIVE, R(0, 5 * M)) == [Bar(0, 10.0, 13.0, 10.0, 12.5, 3.0, 4)]
    assert merge(flat, FIVE, R(0, 5 * M)) == [Bar(0, 9.0, 9.0, 9.0, 9.0, 0.0, 0)]


def test_where_no_row_has_volume_every_row_counts() -> None:
    # minutes of currencies: one price, another one, a third one; nobody knows how much was traded
    prices = [(1.1, 1.1), (1.1005, 1.1008), (1.1003, 1.1003)]
    rows = [Bar(n * M, o, max(o, c), min(o, c), c, 0.0, -1) for n, (o, c) in enumerate(prices)]
    assert merge(rows, FIVE, R(0, 5 * M)) == [Bar(0, 1.1, 1.1008, 1.1, 1.1003, 0.0, -1)]


def test_a_row_of_one_price_with_trades_counts_although_its_volume_is_rounded_to_nothing() -> None:
    rows = [Bar(0, 9.0, 9.0, 9.0, 9.0, 0.0, 1), Bar(M, 10.0, 12.0, 10.0, 11.0, 2.0, 3)]
    assert merge(rows, FIVE, R(0, 5 * M)) == [Bar(0, 9.0, 12.0, 9.0, 11.0, 2.0, 4)]
