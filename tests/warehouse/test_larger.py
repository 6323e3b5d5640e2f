"""Larger bars from smaller ones: the same as `ranges.merge` makes, and only those whose time is wholly known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds import barfile
from btfeeds.columns import Columns
from btfeeds.history import ranges
from btfeeds.market import Bar, Timeframe, TimeRange, to_ms
from btfeeds.warehouse.larger import lost, merge, touched, whole
from tests.shared import shared

M = 60_000
FIVE, HOUR, DAY, WEEK, MONTH = map(Timeframe.parse, ("5m", "1h", "1d", "1w", "1M"))


def R(start: int, end: int) -> TimeRange:
    return TimeRange(start * M, end * M)


def minutes(*numbers: int) -> Columns:
    return Columns.from_bars([Bar(n * M, 10.0 + n, 20.0 + n, 5.0 - n / 100, 11.0 + n, 0.1, 2) for n in numbers])


def test_a_larger_bar_is_made_of_the_smaller_ones_in_it() -> None:
    made = merge(minutes(0, 1, 2, 3, 4, 5), FIVE, [R(0, 5)])
    assert made.bars() == [Bar(0, 10.0, 24.0, 4.96, 15.0, 0.5, 10)]


def test_time_that_is_not_wholly_covered_gives_no_bar() -> None:
    assert merge(minutes(0, 1, 2, 3), FIVE, [R(0, 4)]).bars() == []
    assert merge(minutes(0, 1, 2, 3, 4), FIVE, [R(0, 2), R(3, 5)]).bars() == []
    assert merge(minutes(0, 1), FIVE, []).bars() == []


def test_minutes_without_trades_lack_in_a_larger_bar_that_is_covered() -> None:
    made = merge(minutes(1, 3), FIVE, [R(0, 3), R(3, 10)])  # what touches is one
    assert made.bars() == [Bar(0, 11.0, 23.0, 4.97, 14.0, 0.2, 4)]


def test_flat_rows_without_volume_count_only_where_there_is_nothing_else() -> None:
    flat, traded = Bar(0, 9.0, 9.0, 9.0, 9.0, 0.0, 0), Bar(M, 10.0, 11.0, 9.5, 10.5, 1.5, 3)
    late = Bar(5 * M, 8.0, 8.0, 8.0, 8.0, 0.0, 0)
    made = merge(Columns.from_bars([flat, traded, late]), FIVE, [R(0, 10)])
    assert made.bars() == [Bar(0, 10.0, 11.0, 9.5, 10.5, 1.5, 3), Bar(5 * M, 8.0, 8.0, 8.0, 8.0, 0.0, 0)]


def test_where_no_row_has_volume_every_row_counts() -> None:
    rows = [Bar(0, 1.1, 1.1, 1.1, 1.1, 0.0), Bar(M, 1.2, 1.3, 1.2, 1.3, 0.0), Bar(2 * M, 1.25, 1.25, 1.25, 1.25, 0.0)]
    traded = Bar(6 * M, 2.0, 2.1, 2.0, 2.1, 5.0)
    made = merge(Columns.from_bars([*rows, Bar(5 * M, 9.0, 9.0, 9.0, 9.0, 0.0), traded]), FIVE, [R(0, 10)])
    assert made.bars() == [Bar(0, 1.1, 1.3, 1.1, 1.25, 0.0), Bar(5 * M, 2.0, 2.1, 2.0, 2.1, 5.0)]


def test_trades_are_known_only_where_all_are() -> None:
    bars = [Bar(0, 1.0, 1.0, 1.0, 1.0, 1.0, 4), Bar(M, 1.0, 1.0, 1.0, 1.0, 1.0)]
    assert merge(Columns.from_bars(bars), FIVE, [R(0, 5)]).bars()[0].trades == -1


def test_only_what_is_whole_counts_at_the_edges_of_a_span() -> None:
    assert whole([R(3, 12), R(13, 19), R(0, 2)], FIVE) == [R(5, 10)]
    may = TimeRange(to_ms("2024-05-01"), to_ms("2024-06-01"))
    assert whole([TimeRange(may.start - 1, may.end + 1)], MONTH) == [may]


@pytest.mark.parametrize(
    ("added", "covered", "spans"),
    [
        ([R(7, 8)], [R(0, 20)], [R(5, 10)]),
        ([R(7, 8)], [R(0, 9)], []),  # the bar of 5 is not whole yet
        ([R(9, 11)], [R(0, 20)], [R(5, 15)]),
        ([R(5, 10), R(31, 32)], [R(0, 15), R(30, 40)], [R(5, 10), R(30, 35)]),
        ([R(3, 27)], [R(0, 10), R(20, 27)], [R(0, 10), R(20, 25)]),
        ([R(7, 7)], [R(0, 20)], []),
    ],
)
def test_an_addition_touches_the_whole_bars_it_lies_in(
    added: list[TimeRange], covered: list[TimeRange], spans: list[TimeRange]
) -> None:
    assert touched(added, covered, FIVE) == spans


def test_what_is_taken_away_takes_the_larger_bars_along() -> None:
    assert lost([R(4, 6), R(12, 13)], FIVE) == [R(0, 15)]


_bars = st.lists(
    st.tuples(st.integers(0, 500), st.sampled_from([0.0, 0.1, 0.2, 1234567.12345678, 3e-8]), st.integers(-1, 9)),
    unique_by=lambda row: row[0],
    max_size=60,
)
_spans = st.lists(st.builds(R, st.integers(0, 500), st.integers(0, 500)), max_size=4)


@given(_bars, _spans, st.sampled_from(["2m", "5m", "7m", "1h", "4h"]))
def test_columns_give_what_merging_bar_by_bar_gives(
    rows: list[tuple[int, float, int]], covered: list[TimeRange], text: str
) -> None:
    frame = Timeframe.parse(text)
    bars = [Bar(n * M, 5.0 + n % 3, 9.0 + n % 5, 1.0 + n % 2, 6.0, v, t) if v else Bar(n * M, 5.0, 5.0, 5.0, 5.0, v, t)
            for n, v, t in sorted(rows)]  # fmt: skip
    expected = []
    for span in ranges.union(covered):
        expected += ranges.merge([bar for bar in bars if bar.open_time in span], frame, span)
    assert merge(Columns.from_bars(bars), frame, covered).bars() == expected


@given(_bars, st.lists(_spans, min_size=1, max_size=4))
def test_adding_step_by_step_ends_where_adding_at_once_ends(
    rows: list[tuple[int, float, int]], steps: list[list[TimeRange]]
) -> None:
    base = minutes(*(row[0] for row in sorted(rows)))
    held: dict[int, Bar] = {}
    covered: list[TimeRange] = []
    for added in steps:
        covered = ranges.union([*covered, *added])
        for span in touched(added, covered, FIVE):
            held = {time: bar for time, bar in held.items() if time not in span}
            held.update((bar.open_time, bar) for bar in merge(base, FIVE, [span]).bars())
    assert sorted(held) == [bar.open_time for bar in merge(base, FIVE, covered).bars()]
    assert list(held[time] for time in sorted(held)) == merge(base, FIVE, covered).bars()


@pytest.mark.parametrize(("frame", "count"), [(FIVE, 6048), (HOUR, 504), (DAY, 21), (WEEK, 2), (MONTH, 0)])
def test_three_real_weeks_are_merged_into_whole_bars(frame: Timeframe, count: int) -> None:
    bars = barfile.read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")).bars
    span = TimeRange(to_ms("2023-03-01"), to_ms("2023-03-22"))
    made = merge(Columns.from_bars(bars), frame, [span]).bars()
    assert len(made) == count
    assert made == ranges.merge(bars, frame, span)
