"""When markets are open: by a calendar where it is installed, by weekdays and hours without it."""

from __future__ import annotations

import sys

import pytest

from btfeeds import sessions
from btfeeds.errors import ConfigError, MissingExtra
from btfeeds.market import TimeRange, iso, to_ms
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


def hours(market: str, start: str, end: str) -> list[str]:
    """When a market is open, in UTC."""
    spans = sessions.market(market).spans(TimeRange(to_ms(start), to_ms(end)))
    return [str(span).replace(":00Z", "Z") for span in spans]


@pytest.mark.parametrize("market", ["24/7", "us", "fx"])
def test_an_empty_span_has_no_hours(market: str) -> None:
    assert hours(market, "2024-03-08T15:00Z", "2024-03-08T15:00Z") == []


def test_some_markets_never_close() -> None:
    assert hours("24/7", "2024-03-01", "2024-04-01") == ["2024-03-01T00:00Z .. 2024-04-01T00:00Z"]


def test_us_equities_have_long_hours_on_weekdays() -> None:
    assert hours("us", "2024-03-08", "2024-03-12") == [
        "2024-03-08T00:00Z .. 2024-03-08T01:00Z",
        "2024-03-08T09:00Z .. 2024-03-09T01:00Z",
        "2024-03-11T08:00Z .. 2024-03-12T00:00Z",  # the clocks have gone forward
    ]


def test_currencies_rest_from_friday_to_sunday_at_five_in_new_york() -> None:
    assert hours("fx", "2024-03-06", "2024-03-12") == [
        "2024-03-06T00:00Z .. 2024-03-08T22:00Z",
        "2024-03-10T21:00Z .. 2024-03-12T00:00Z",  # the clocks have gone forward
    ]
    assert hours("fx", "2024-11-02", "2024-11-05") == ["2024-11-03T22:00Z .. 2024-11-05T00:00Z"]  # and back


def test_an_exchange_has_holidays_short_days_and_breaks() -> None:
    pytest.importorskip("exchange_calendars")
    assert hours("XNYS", "2024-11-27T18:00Z", "2024-12-02") == [
        "2024-11-27T18:00Z .. 2024-11-27T21:00Z",
        "2024-11-29T14:30Z .. 2024-11-29T18:00Z",  # the day after Thanksgiving
    ]
    assert hours("XHKG", "2024-12-24", "2024-12-28") == [
        "2024-12-24T01:30Z .. 2024-12-24T04:00Z",  # a short day without the afternoon
        "2024-12-27T01:30Z .. 2024-12-27T04:00Z",
        "2024-12-27T05:00Z .. 2024-12-27T08:00Z",
    ]


def test_clocks_go_forward_in_europe_on_another_day_than_in_america() -> None:
    pytest.importorskip("exchange_calendars")
    assert hours("XLON", "2024-03-28", "2024-04-03") == [
        "2024-03-28T08:00Z .. 2024-03-28T16:30Z",  # then Easter
        "2024-04-02T07:00Z .. 2024-04-02T15:30Z",
    ]


def test_days_long_ago_are_known_too() -> None:
    pytest.importorskip("exchange_calendars")
    assert hours("XNYS", "1999-12-30", "2000-01-04") == [
        "1999-12-30T14:30Z .. 1999-12-30T21:00Z",
        "1999-12-31T14:30Z .. 1999-12-31T18:00Z",
        "2000-01-03T14:30Z .. 2000-01-03T21:00Z",
    ]
    assert hours("XHKG", "1950-01-01", "1950-02-01") == []  # its calendar begins in 1960


def test_a_market_nobody_knows_is_said_in_three_lines() -> None:
    pytest.importorskip("exchange_calendars")
    with pytest.raises(ConfigError, match="no calendar 'moon'") as unknown:
        sessions.market("moon")
    assert len(str(unknown.value).splitlines()) == 3


def test_an_exchange_needs_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(MissingExtra, match=r"btfeeds\[calendars\]"):
        sessions.market("XNYS")
