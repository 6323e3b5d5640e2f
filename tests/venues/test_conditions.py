"""Which trades of US shares count: cases from the tables that Alpaca and Massive publish for minutes."""

from __future__ import annotations

import pytest

from btfeeds.errors import MissingExtra
from btfeeds.market import HIGH_LOW, OPEN_CLOSE, PRICES, to_ms
from btfeeds.venues import conditions

VOLUME = 0
NOON, EVENING = to_ms("2024-03-01T17:00Z"), to_ms("2024-03-01T22:00Z")  # in New York, in hours and behind them


@pytest.mark.parametrize(
    ("tape", "letters", "moves"),
    [
        ("A", " ", PRICES),  # regular
        ("B", " F", PRICES),  # regular, intermarket sweep
        ("C", "@", PRICES),
        ("C", "@F", PRICES),
        ("O", "@", PRICES),
        ("C", "@T", PRICES),  # extended hours
        ("O", "@T", PRICES),
        ("A", " TE", PRICES),  # and automatic execution
        ("A", "KLOX56", PRICES),  # rule 127, sold last, opening, cross, reopening, closing
        ("C", "ABDY", PRICES),  # acquisition, bunched, distribution, yellow flag
        ("C", "@I", VOLUME),  # an odd lot
        ("A", " I", VOLUME),
        ("O", "@I", VOLUME),
        ("C", "@FTI", VOLUME),  # the strictest counts
        ("A", " B", VOLUME),  # average price; at Nasdaq the same letter is a bunched trade
        ("C", "@W", VOLUME),  # average price
        ("O", "@W", VOLUME),
        ("A", "C", VOLUME),  # cash
        ("C", "@G", VOLUME),  # bunched sold: of a day it would move high and low
        ("A", " H", VOLUME),  # price variation
        ("A", "N", VOLUME),  # next day
        ("C", "@P", VOLUME),  # prior reference price
        ("A", "R", VOLUME),  # seller
        ("C", "@U", VOLUME),  # extended hours, out of sequence
        ("A", " V", VOLUME),  # contingent
        ("A", " 7V", VOLUME),
        ("C", "@Z", VOLUME),  # sold out of sequence
        ("B", " 4", VOLUME),  # derivatively priced
        ("C", "@M", None),  # official close
        ("A", " Q", None),  # official open
        ("B", "9", None),  # corrected consolidated close
        ("C", "@IM", None),
    ],
)
def test_letters_say_what_a_trade_moves(tape: str, letters: str, moves: int | None) -> None:
    assert conditions.by_letters(list(letters), tape) == moves
    assert conditions.by_letters(list(reversed(letters)), tape) == moves


@pytest.mark.parametrize(
    ("tape", "letters"), [("C", ["@", "?"]), ("A", ["A"]), ("O", ["@", "F"]), ("?", ["@"]), ("", [" "]), ("C", [])]
)
def test_what_nobody_documents_moves_no_price(tape: str, letters: list[str]) -> None:
    assert conditions.by_letters(letters, tape) == VOLUME


@pytest.mark.parametrize(
    ("numbers", "moves"),
    [
        ([], PRICES),
        ([0], PRICES),
        ([14, 41], PRICES),  # intermarket sweep, exempt from trade-through
        ([0, 12], PRICES),  # extended hours, by name and by the clock: there would be no minutes else
        ([25], PRICES),  # opening
        ([9], PRICES),  # a cross
        ([60], PRICES),  # that short sales are restricted is none of the trade
        ([37], VOLUME),  # an odd lot
        ([12, 37], VOLUME),
        ([2], VOLUME),  # average price
        ([7], VOLUME),
        ([13], VOLUME),
        ([20], VOLUME),
        ([21], VOLUME),
        ([29], VOLUME),
        ([52], VOLUME),
        ([53, 41], VOLUME),  # qualified contingent
        ([5], HIGH_LOW),  # bunched sold
        ([10], HIGH_LOW),  # derivatively priced
        ([22], HIGH_LOW),  # prior reference price `?`
        ([32, 41], HIGH_LOW),  # sold out of sequence
        ([10, 37], VOLUME),
        ([15], None),
        ([16, 0], None),
        ([38], None),
        ([8], None),  # the closing cross `?`
        ([8, 41], None),
        ([999], VOLUME),
        ([-1], VOLUME),
        ([0, 6], VOLUME),
    ],
)
def test_numbers_say_what_a_trade_moves(numbers: list[int], moves: int | None) -> None:
    assert conditions.by_numbers(numbers, EVENING) == moves
    assert conditions.by_numbers(numbers[::-1], EVENING) == moves


@pytest.mark.parametrize(
    ("time", "moves"),
    [
        ("2024-03-01T14:29:59.999Z", PRICES),  # half past nine in New York
        ("2024-03-01T14:30Z", VOLUME),
        ("2024-03-01T20:59:59.999Z", VOLUME),
        ("2024-03-01T21:00Z", PRICES),
        ("2024-07-01T13:29:59.999Z", PRICES),  # in summer
        ("2024-07-01T13:30Z", VOLUME),
        ("2024-07-01T19:59:59.999Z", VOLUME),
        ("2024-07-01T20:00Z", PRICES),
        ("2024-03-02T15:00Z", PRICES),  # a Saturday
        ("2024-11-29T17:59:59.999Z", VOLUME),  # a short day: one o'clock
        ("2024-11-29T18:00Z", PRICES),
    ],
)
def test_a_trade_out_of_hours_moves_no_price_in_them(time: str, moves: int) -> None:
    assert conditions.by_numbers([12], to_ms(time)) == conditions.by_numbers([0, 12], to_ms(time)) == moves
    assert conditions.by_numbers([0], to_ms(time)) == conditions.by_numbers([], to_ms(time)) == PRICES
    assert conditions.by_numbers([12, 10], to_ms(time)) == (moves and HIGH_LOW)


def test_without_the_calendar_every_day_of_the_week_is_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise MissingExtra("exchange_calendars", "calendars", "Knowing it")

    monkeypatch.setattr(conditions, "Exchange", missing)
    conditions._regular_hours.cache_clear()
    try:
        assert conditions.by_numbers([12], to_ms("2024-11-29T20:59:59Z")) == VOLUME
        assert conditions.by_numbers([12], to_ms("2024-11-29T21:00Z")) == PRICES
    finally:
        conditions._regular_hours.cache_clear()


def test_a_time_that_is_none_is_in_no_hours() -> None:
    assert conditions.by_numbers([12], 2**53 - 1) == PRICES, "its trade is rejected for its time"


def test_no_number_opens_a_bar_whose_high_and_low_it_does_not_move() -> None:
    moved = [conditions.by_numbers([number], time) for number in range(100) for time in (NOON, EVENING)]
    assert {moves for moves in moved if moves} == {PRICES, HIGH_LOW} and OPEN_CLOSE not in moved


def test_what_venues_of_shares_have_in_common() -> None:
    shares = conditions.Shares
    assert shares.conditions and not shares.counts_trades and shares.sessions is not None
    assert 10_000 < shares.late_ms <= 30_000, "trades are ten seconds late, and a venue says its last word at thirty"
    assert shares.late_ms == shares.lag_ms < shares.grace_ms, "before that word nobody asks, nor believes an answer"
