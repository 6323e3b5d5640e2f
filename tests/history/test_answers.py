"""Asking until an answer can be understood, and what an answer tells of the venue's clock."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from btfeeds.errors import BadFrame, NetworkError
from btfeeds.history.answers import Asker, date_of, took
from btfeeds.market import EMPTY, TimeRange
from btfeeds.venues.base import HttpRequest, HttpResponse
from tests.history.venue import NOON, FakeVenue

REQUEST = HttpRequest("/api/v3/klines", {"interval": "1m", "startTime": NOON, "endTime": NOON, "limit": 5})


def asker(venue: FakeVenue) -> Asker:
    made = venue.downloader()
    return Asker(made.provider, made._http, venue.clock)


def test_an_answer_that_cannot_be_understood_is_asked_for_three_times() -> None:
    venue = FakeVenue(1)

    def parse(response: HttpResponse) -> list[int]:
        if len(venue.requests) < 3:
            raise BadFrame("no", "", "", reason="schema")
        return [len(venue.requests)]

    assert asker(venue).parsed(REQUEST, parse, lambda: False)[1] == [3]


def test_nobody_is_asked_for_who_no_longer_waits() -> None:
    venue = FakeVenue(1)
    with pytest.raises(NetworkError):
        asker(venue).parsed(REQUEST, lambda response: [], lambda: True)
    assert venue.requests == []


@pytest.mark.parametrize(("said", "time"), [(formatdate(NOON // 1000, usegmt=True), NOON), ("soon", 0), ("", 0)])
def test_the_venue_says_when_it_answered_or_does_not(said: str, time: int) -> None:
    assert date_of(HttpResponse(200, b"", {"date": said})) == time


def test_the_venue_s_time_is_ours_at_the_question_where_it_does_not_say_it() -> None:
    response = HttpResponse(200, b"", sent=7)
    assert [asker(FakeVenue(1)).venue_now(response, date) for date in (0, NOON)] == [7, NOON]


@pytest.mark.parametrize(
    ("age", "date", "known"), [("0", NOON, TimeRange(5, 10)), ("3", NOON, EMPTY), ("0", 0, EMPTY)]
)
def test_of_a_cache_or_without_a_date_nothing_is_learned_of_the_clock(age: str, date: int, known: TimeRange) -> None:
    assert took(HttpResponse(200, b"", {"age": age}, sent=5, received=9), date) == known
