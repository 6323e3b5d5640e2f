"""When US equities trade: by a calendar where it is installed, by weekdays and hours without it."""

from __future__ import annotations

import sys

import pytest

from btfeeds import sessions
from btfeeds.errors import MissingExtra
from btfeeds.market import iso, to_ms
from btfeeds.sessions import US_EQUITIES


def opens(moment: str) -> str:
    return iso(US_EQUITIES.next_open(to_ms(moment)))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2024-03-08T14:00Z", "2024-03-08T14:00:00Z"),  # Friday, open
        ("2024-03-08T08:59:59Z", "2024-03-08T09:00:00Z"),  # before 4:00 in New York
        ("2024-03-09T01:00Z", "2024-03-11T08:00:00Z"),  # Friday 20:00, and on Sunday the clocks go forward
        ("2024-03-09T00:59Z", "2024-03-09T00:59:00Z"),
        ("2024-03-10T12:00Z", "2024-03-11T08:00:00Z"),
    ],
)
def test_it_is_open_on_weekdays_from_four_to_eight_in_new_york(moment: str, expected: str) -> None:
    assert opens(moment) == expected


def test_holidays_are_known_with_the_calendar() -> None:
    pytest.importorskip("exchange_calendars")
    assert opens("2024-03-29T14:00Z") == "2024-04-01T08:00:00Z"  # Good Friday
    assert opens("2024-07-04T14:00Z") == "2024-07-05T08:00:00Z"


def test_without_the_calendar_a_holiday_is_a_weekday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    sessions._days.cache_clear()
    try:
        assert opens("2024-03-29T14:00Z") == "2024-03-29T14:00:00Z"
        assert opens("2024-03-30T14:00Z") == "2024-04-01T08:00:00Z"
        with pytest.raises(MissingExtra, match=r"btfeeds\[calendars\]"):
            sessions.calendar("XNYS")
    finally:
        sessions._days.cache_clear()


def test_days_that_the_calendar_does_not_reach_go_by_the_rule() -> None:
    assert opens("1990-01-02T15:00Z") == "1990-01-02T15:00:00Z"
    assert opens("2090-01-07T15:00Z") == "2090-01-09T09:00:00Z"  # a Saturday
