"""Where bars are not there, and why."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds import barfile
from btfeeds.errors import ConfigError
from btfeeds.market import Timeframe, TimeRange, to_ms
from btfeeds.warehouse.gapreport import Cause, Gap, GapReport, report
from tests.shared import shared

M = 60_000
MINUTE, HOUR, DAY, WEEK = map(Timeframe.parse, ("1m", "1h", "1d", "1w"))


def R(start: int, end: int) -> TimeRange:
    return TimeRange(start * M, end * M)


def during(start: str, end: str) -> TimeRange:
    return TimeRange(to_ms(start), to_ms(end))


def of(minutes: list[int], span: TimeRange, covered: list[TimeRange], **how: int) -> tuple[Gap, ...]:
    return report([minute * M for minute in minutes], MINUTE, span, covered, **how).gaps


def test_a_series_without_gaps_has_none() -> None:
    assert of([0, 1, 2], R(0, 3), []) == ()


def test_what_nobody_asked_for_is_apart_from_what_was_answered_with_nothing() -> None:
    gaps = of([0, 1, 4, 5], R(0, 10), [R(0, 5)])
    assert gaps == (Gap(R(6, 10), 4, Cause.NEVER_ASKED), Gap(R(2, 4), 2, Cause.NO_TRADE))


def test_a_gap_that_was_asked_in_part_is_two() -> None:
    assert of([0, 9], R(0, 10), [R(0, 4)]) == (
        Gap(R(4, 9), 5, Cause.NEVER_ASKED),
        Gap(R(1, 4), 3, Cause.NO_TRADE),
    )


def test_answers_that_touch_are_one_answer() -> None:
    assert of([0, 9], R(0, 10), [R(0, 4), R(4, 10)]) == (Gap(R(1, 9), 8, Cause.NO_TRADE),)


def test_a_bar_that_was_asked_for_in_part_was_not_asked_for() -> None:
    assert report([], HOUR, R(0, 180), [R(30, 120)]).gaps == (
        Gap(R(0, 60), 1, Cause.NEVER_ASKED),
        Gap(R(60, 120), 1, Cause.NO_TRADE),
        Gap(R(120, 180), 1, Cause.NEVER_ASKED),
    )


def test_the_longest_gap_comes_first_and_then_the_earliest() -> None:
    gaps = of([0, 2, 5, 7], R(0, 8), [R(0, 8)])
    assert [gap.span for gap in gaps] == [R(3, 5), R(1, 2), R(6, 7)]


def test_the_span_is_widened_to_whole_bars() -> None:
    assert report([], HOUR, R(30, 90), []).gaps == (Gap(R(60, 120), 1, Cause.NEVER_ASKED),)
    assert report([], HOUR, R(1, 2), []) == GapReport(R(60, 60), 0, ())


def test_a_provider_with_a_row_for_every_bar_lacks_what_is_not_there() -> None:
    assert of([0, 2], R(0, 3), [R(0, 3)], omits=False) == (Gap(R(1, 2), 1, Cause.SOURCE),)


def test_an_answer_of_nothing_for_longer_than_a_market_is_quiet_is_the_sources_gap() -> None:
    day = 1_440
    assert of([0, day + 1], R(0, day + 2), [R(0, day + 2)])[0].cause is Cause.NO_TRADE
    assert of([0, day + 2], R(0, day + 3), [R(0, day + 3)])[0].cause is Cause.SOURCE
    assert of([0, 7], R(0, 8), [R(0, 8)], quiet_ms=5 * M)[0].cause is Cause.SOURCE


def test_a_day_without_a_bar_is_the_sources_gap() -> None:
    week = during("2024-03-04", "2024-03-11")
    opens = [to_ms(f"2024-03-{day:02d}") for day in (4, 5, 7, 8, 9, 10)]
    assert report(opens, DAY, week, [week]).gaps == (Gap(during("2024-03-06", "2024-03-07"), 1, Cause.SOURCE),)


def test_before_the_first_bar_of_the_series_nothing_was_due() -> None:
    result = report([5 * M, 6 * M], MINUTE, R(0, 7), [R(1, 7)], listed=5 * M)
    assert result.gaps == (Gap(R(1, 5), 4, Cause.NOT_LISTED), Gap(R(0, 1), 1, Cause.NEVER_ASKED))
    assert (result.present, result.due) == (2, 3)


def test_months_are_counted_as_months() -> None:
    year = during("2024-01-01", "2025-01-01")
    gaps = report([to_ms("2024-01-01"), to_ms("2024-12-01")], Timeframe.parse("1M"), year, []).gaps
    assert gaps == (Gap(during("2024-02-01", "2024-12-01"), 10, Cause.NEVER_ASKED),)


# --- markets that close ----------------------------------------------------------------------------------------------


def test_nothing_is_due_while_an_exchange_is_closed() -> None:
    pytest.importorskip("exchange_calendars")
    # Friday 8 March 2024 to Monday; the clocks of New York go forward on Sunday: 14:30 UTC becomes 13:30
    span = during("2024-03-08T20:00Z", "2024-03-11T14:00Z")
    result = report([], MINUTE, span, [], calendar="XNYS")
    assert result.gaps == (
        Gap(during("2024-03-08T21:00Z", "2024-03-11T13:30Z"), 3_870, Cause.CLOSED),
        Gap(during("2024-03-08T20:00Z", "2024-03-08T21:00Z"), 60, Cause.NEVER_ASKED),
        Gap(during("2024-03-11T13:30Z", "2024-03-11T14:00Z"), 30, Cause.NEVER_ASKED),
    )
    assert result.due == 90


def test_a_short_day_ends_early_and_a_holiday_is_none() -> None:
    pytest.importorskip("exchange_calendars")
    # Thanksgiving 2024: Thursday 28 November; on Friday the exchange closes at one in New York
    span = during("2024-11-28", "2024-11-30")
    result = report([], MINUTE, span, [span], calendar="XNYS")
    assert [gap for gap in result.gaps if gap.cause is not Cause.CLOSED] == [
        Gap(during("2024-11-29T14:30Z", "2024-11-29T18:00Z"), 210, Cause.NO_TRADE)
    ]


def test_larger_bars_are_due_when_the_market_is_open_for_a_part_of_them() -> None:
    pytest.importorskip("exchange_calendars")
    week = during("2024-11-25", "2024-12-02")
    assert report([], DAY, week, [week], calendar="XNYS").due == 4
    assert report([], WEEK, week, [week], calendar="XNYS").due == 1
    opening = during("2024-11-25T13:00Z", "2024-11-25T16:00Z")
    assert report([], HOUR, opening, [], calendar="XNYS").gaps == (
        Gap(during("2024-11-25T14:00Z", "2024-11-25T16:00Z"), 2, Cause.NEVER_ASKED),
        Gap(during("2024-11-25T13:00Z", "2024-11-25T14:00Z"), 1, Cause.CLOSED),
    )


def test_days_in_a_row_are_one_gap() -> None:
    pytest.importorskip("exchange_calendars")
    fortnight = during("2024-03-04", "2024-03-18")
    assert report([], DAY, fortnight, [], calendar="XNYS").gaps == (
        Gap(during("2024-03-04", "2024-03-09"), 5, Cause.NEVER_ASKED),
        Gap(during("2024-03-11", "2024-03-16"), 5, Cause.NEVER_ASKED),
        Gap(during("2024-03-09", "2024-03-11"), 2, Cause.CLOSED),
        Gap(during("2024-03-16", "2024-03-18"), 2, Cause.CLOSED),
    )


def test_bars_outside_the_hours_are_no_fault() -> None:
    night = during("2024-03-09T03:00Z", "2024-03-09T03:03Z")  # a Saturday
    result = report([night.start], MINUTE, night, [], calendar="fx")
    assert (result.present, result.gaps) == (1, (Gap(TimeRange(night.start + M, night.end), 2, Cause.CLOSED),))


def test_a_calendar_that_is_none_is_said() -> None:
    pytest.importorskip("exchange_calendars")
    with pytest.raises(ConfigError, match="no calendar 'moon'"):
        report([], MINUTE, R(0, 1), [], calendar="moon")


# --- all together ----------------------------------------------------------------------------------------------------

_numbers = st.lists(st.integers(0, 60), max_size=40)
_spans = st.lists(st.builds(R, st.integers(0, 60), st.integers(0, 60)), max_size=4)


@given(_numbers, _spans, st.integers(0, 30), st.integers(0, 60), st.booleans())
def test_every_bar_is_there_or_in_one_gap_and_the_cause_is_that_of_each_bar(
    minutes: list[int], covered: list[TimeRange], start: int, end: int, omits: bool
) -> None:
    result = report(sorted(minute * M for minute in minutes), MINUTE, R(start, end), covered, omits=omits)
    causes: dict[int, Cause] = {}
    for gap in result.gaps:
        assert gap.bars == (gap.span.end - gap.span.start) // M
        for minute in range(gap.span.start // M, gap.span.end // M):
            assert minute not in causes
            causes[minute] = gap.cause
    quiet = Cause.NO_TRADE if omits else Cause.SOURCE
    assert causes == {
        minute: quiet if any(minute * M in span for span in covered) else Cause.NEVER_ASKED
        for minute in range(start, end)
        if minute not in minutes
    }


def test_a_report_can_be_read_by_a_program_and_joins_a_score() -> None:
    result = report([0, 2 * M], MINUTE, R(0, 4), [R(0, 3)], omits=False)
    assert json.loads(json.dumps(result.json())) == {
        "start": 0,
        "end": 4 * M,
        "due": 4,
        "present": 2,
        "totals": {"market closed": 0, "not yet listed": 0, "never asked": 1, "no trade": 0, "source": 1},
        "gaps": [
            {"start": M, "end": 2 * M, "bars": 1, "cause": "source"},
            {"start": 3 * M, "end": 4 * M, "bars": 1, "cause": "never asked"},
        ],
    }
    finding = result.finding()
    assert (finding.rule, finding.count, finding.examples, finding.detail) == ("missing", 1, (M,), "1 gaps")
    assert report([0], MINUTE, R(0, 1), []).finding().count == 0


# --- real data -------------------------------------------------------------------------------------------------------


def test_bitfinex_was_quiet_for_minutes_and_closed_for_days_after_it_was_robbed() -> None:
    with gzip.open(shared("bitfinex/zombie3000/BTCUSD_1m_2016.csv.gz")) as file:
        opens = pd.read_csv(file, header=None, usecols=[0])[0].to_numpy()
    year = during("2016-01-01", "2017-01-01")
    result = report(opens, MINUTE, year, [year])
    assert (result.present, result.due) == (293_230, 527_040)
    lacking = [gap for gap in result.gaps if gap.cause is Cause.SOURCE]
    assert lacking == [
        Gap(during("2016-04-01T00:01Z", "2016-06-01T00:00Z"), 87_839, Cause.SOURCE),  # the file has no such months
        Gap(during("2016-08-02T18:03Z", "2016-08-10T15:53Z"), 11_390, Cause.SOURCE),  # the robbery
    ]
    assert len(result.gaps) == 63_913
    assert (result.bars(Cause.NO_TRADE), result.bars(Cause.NEVER_ASKED)) == (134_581, 0)


def test_binance_us_has_every_minute() -> None:
    bars = barfile.read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")).bars
    span = during("2023-03-01", "2023-03-22")
    result = report(np.array([bar.open_time for bar in bars]), MINUTE, span, [span], omits=False)
    assert (result.present, result.gaps) == (30_240, ())
