"""Trades by number, newest first: found in few requests, wherever in time they are."""

from __future__ import annotations

import pytest

from btfeeds.errors import BadFrame
from btfeeds.history.backward import trades_in
from btfeeds.market import TimeRange, Trade

PAGE = 10


class Venue:
    """So many trades, one a second from 0 on, numbered from 1; `kept`: older numbers are not given any more."""

    def __init__(self, count: int, kept: int = 1) -> None:
        self.trades = [Trade(1_000 * (number - 1), 1.0, 1.0, number) for number in range(1, count + 1)]
        self.kept = kept
        self.asked: list[int] = []

    def __call__(self, below: int) -> list[Trade]:
        self.asked.append(below)
        assert len(self.asked) < 300, "it asks for ever"
        return [one for one in self.trades if self.kept <= one.id < (below or 10**9)][-PAGE:]


def numbers(venue: Venue, start: int, end: int) -> list[int]:
    return [trade.id for trade in trades_in(TimeRange(1_000 * start, 1_000 * end), venue, PAGE)]


def test_the_newest_trades_need_one_request() -> None:
    venue = Venue(500)
    assert numbers(venue, 495, 600) == [496, 497, 498, 499, 500]
    assert venue.asked == [0]


def test_every_span_has_its_trades_and_no_others() -> None:
    for start in (0, 1, 9, 10, 11, 237, 488, 489, 490, 499):
        for length in (1, 9, 10, 11, 35):
            last = min(start + length, 500)
            assert numbers(Venue(500), start, start + length) == list(range(start + 1, last + 1)), (start, length)


def test_what_is_long_ago_is_found_in_few_requests() -> None:
    venue = Venue(100_000)
    assert numbers(venue, 5, 8) == [6, 7, 8]
    assert len(venue.asked) < 32


def test_before_the_first_trade_there_is_nothing() -> None:
    venue = Venue(500, kept=200)
    assert numbers(venue, 10, 20) == [] and numbers(venue, 190, 205) == [200, 201, 202, 203, 204, 205]
    assert numbers(Venue(0), 0, 9) == []


def test_a_venue_that_does_not_go_back_is_not_asked_for_ever() -> None:
    trades = [Trade(1_000 * number, 1.0, 1.0, number) for number in range(100, 110)]
    with pytest.raises(BadFrame):
        trades_in(TimeRange(0, 50_000), lambda below: trades, PAGE)


def test_one_answer_without_trades_is_asked_for_again() -> None:
    venue = Venue(500)
    answers = iter([True, False, True, True, False])

    def ask(below: int) -> list[Trade]:
        return venue(below) if next(answers, True) else []

    span = TimeRange(1_000 * 465, 1_000 * 600)
    assert [trade.id for trade in trades_in(span, ask, PAGE)] == list(range(466, 501))
