"""While a market is closed no bar is due, and time without bars is no gap."""

from __future__ import annotations

from typing import Any

import pytest

from btfeeds.live.hours import Hours
from btfeeds.live.items import Delivery, Notice
from btfeeds.live.splice import Splice
from btfeeds.live.status import Status
from btfeeds.market import Bar, Timeframe, TimeRange

M = 60_000
ONE = Timeframe.parse("1m")
CLOSES, OPENS = 10 * M, 100 * M  # closed in between


def next_open(time: int) -> int:
    return OPENS if CLOSES <= time < OPENS else time


def bar(minute: int) -> Bar:
    return Bar(minute * M, 1.0, 2.0, 0.5, 1.5, 3.0)


def splice(start: int = 8 * M, **options: Any) -> Splice:
    """Live since minute 8, with bars 8 and 9 handed over: the market has just closed."""
    made = Splice(ONE, start, next_open=next_open, **options)
    made.connected(8 * M)
    for minute in (8, 9):
        made.live(bar(minute), (minute + 1) * M)
    assert taken(made)[-2:] == [8, 9]
    assert made.settle(10 * M) is not None
    return made


def taken(made: Splice) -> list[Any]:
    items = iter(made.take, None)
    return [item.bar.open_time // M if isinstance(item, Delivery) else item.status.name for item in items]


def test_a_bar_is_overdue_by_its_close_in_open_hours() -> None:
    hours = Hours(ONE, 5_000, None, next_open)
    assert hours.overdue(9 * M) == 10 * M + 5_000
    assert hours.overdue(10 * M) == 101 * M + 5_000


def test_the_end_of_the_asked_range_is_reached_in_closed_hours() -> None:
    assert Hours(ONE, 5_000, 30 * M, next_open).overdue(10 * M) == 30 * M + 5_000


@pytest.mark.parametrize(
    ("due", "open_time", "shut"), [(10, 100, True), (10, 50, True), (10, 101, False), (9, 100, False)]
)
def test_only_closed_time_is_stepped_over(due: int, open_time: int, shut: bool) -> None:
    assert Hours(ONE, 0, None, next_open).shut(due * M, open_time * M) is shut


def test_history_is_not_asked_while_the_market_is_closed() -> None:
    made = splice()
    assert made.deadline() == 101 * M + 5_000
    assert [made.ask(minute * M) for minute in (11, 50, 100)] == [None] * 3
    asked = made.ask(101 * M + 5_000)
    assert asked is not None and asked.reason == "overdue"


def test_the_first_bar_after_the_closed_hours_comes_at_once() -> None:
    made = splice()
    made.live(bar(100), 101 * M)
    assert taken(made) == [100]
    assert made.word is Status.LIVE and made.summary.no_trade == made.summary.declared == 0


def test_a_bar_in_hours_that_the_calendar_calls_closed_is_handed_over() -> None:
    made = splice()
    made.live(bar(50), 51 * M)
    made.live(bar(51), 52 * M)
    assert taken(made) == [50, 51]


def test_without_closed_hours_in_between_history_is_asked_as_ever() -> None:
    made = splice()
    made.live(bar(102), 103 * M)
    asked = made.ask(103 * M)
    assert asked is not None and asked.reason == "hole"


def test_closed_hours_are_not_filled_with_flat_bars() -> None:
    made = splice(gaps="fill")
    made.live(bar(102), 103 * M)
    asked = made.ask(103 * M)
    assert asked is not None
    taken(made)
    made.answered(asked, TimeRange(10 * M, 103 * M), [bar(102)], 120 * M, done=True)
    assert [item for item in taken(made) if isinstance(item, int)] == [100, 101, 102]


def test_a_notice_says_nothing_of_closed_hours() -> None:
    made = splice(omits_empty=False)
    made.live(bar(100), 101 * M)
    assert not [item for item in iter(made.take, None) if isinstance(item, Notice) and item.status is Status.UNKNOWN]
