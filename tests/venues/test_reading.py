"""What dialects share: decoding that raises one thing only, checks of bars and trades, times and names."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import msgspec
import pytest

from btfeeds import errors
from btfeeds.market import Bar, Timeframe, Trade
from btfeeds.venues import reading
from btfeeds.venues.base import Alive, HttpResponse, TradeUpdate

MINUTE = Timeframe.parse("1m")
NOON = 1_709_294_400_000


@pytest.mark.parametrize(("data", "reason"), [(b"[", "malformed"), (b"\xff", "malformed"), (b'{"a":1}', "schema")])
def test_whatever_cannot_be_read_is_a_bad_frame(data: bytes, reason: str) -> None:
    with pytest.raises(errors.BadFrame) as caught:
        reading.decode(msgspec.json.Decoder(list[int]), data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        (Bar(NOON + 1, 1.0, 2.0, 0.5, 1.5, 1.0), "off_grid"),
        (Bar(NOON // 1000 // 60 * 60, 1.0, 2.0, 0.5, 1.5, 1.0), "off_grid"),
        (Bar(NOON * 1000, 1.0, 2.0, 0.5, 1.5, 1.0), "off_grid"),
        (Bar(NOON, 1.0, 0.9, 0.5, 1.5, 1.0), "high_low"),
        (Bar(NOON, float("nan"), 2.0, 0.5, 1.5, 1.0), "not_finite"),
    ],
)
def test_a_bar_that_cannot_be_one_is_a_bad_frame(bar: Bar, reason: str) -> None:
    with pytest.raises(errors.BadFrame) as caught:
        reading.checked(bar, MINUTE, "x")
    assert caught.value.reason == reason


@pytest.mark.parametrize("trade", [Trade(NOON, 1.0, 0.0), Trade(NOON // 1000, 1.0, 1.0), Trade(NOON, -1.0, 1.0)])
def test_a_trade_that_cannot_be_one_is_a_bad_frame(trade: Trade) -> None:
    with pytest.raises(errors.BadFrame):
        reading.checked_trade(trade, "x")


def test_what_can_be_is_passed_on() -> None:
    bar, trade = Bar(NOON, 1.0, 2.0, 0.5, 1.5, 0.0), Trade(NOON + 7, 1.0, 1.0)
    assert reading.checked(bar, MINUTE, "x") is bar and reading.checked_trade(trade, "x") is trade


def test_what_seems_to_lie_before_1973_is_in_another_unit_unless_a_venue_says_otherwise() -> None:
    bar, trade = Bar(6_000_000, 1.0, 2.0, 0.5, 1.5, 0.0), Trade(6_000_007, 1.0, 1.0)
    assert reading.checked(bar, MINUTE, "x", earliest=0) is bar and reading.traded("x", [trade], earliest=0).trades
    for check in (lambda: reading.checked(bar, MINUTE, "x"), lambda: reading.traded("x", [trade])):
        with pytest.raises(errors.BadFrame):
            check()


class Row(msgspec.Struct):
    price: float = -1.0


def test_numbers_written_as_texts_are_read_where_the_venue_writes_them_so() -> None:
    assert reading.lenient(Row, b'{"price":"1.5"}') == Row(1.5) == reading.read(Row, b'{"price":1.5}')
    with pytest.raises(errors.BadFrame):
        reading.read(Row, b'{"price":"1.5"}')


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"price":[]}', b'{"pri'])
def test_what_is_no_answer_says_nothing(body: bytes) -> None:
    assert reading.attempt(Row, body) == Row()


def test_timeframes_are_written_with_the_venues_name_where_it_differs() -> None:
    assert reading.timeframes("1m=1min 1h") == {MINUTE: "1min", Timeframe.parse("1h"): "1h"}


def test_days_are_written_by_timeframe() -> None:
    assert reading.days("1m=30 1h=730") == {MINUTE: 30, Timeframe.parse("1h"): 730}


@pytest.mark.parametrize(
    ("text", "zone", "time"),
    [
        ("2024-03-01 07:00:00", "America/New_York", NOON),
        ("2024-03-01 12:00:00", "UTC", NOON),
        ("2024-03-01 21:00:00", "Asia/Tokyo", NOON),
        ("2024-07-01 08:00:00", "America/New_York", 1_719_835_200_000),  # summer time
        ("2024-11-03 01:30:00", "America/New_York", 1_730_611_800_000),  # comes twice: the first
        ("1969-12-31 19:00:00", "America/New_York", 0),
    ],
)
def test_a_time_of_a_wall_clock_becomes_utc(text: str, zone: str, time: int) -> None:
    assert reading.local(text, ZoneInfo(zone)) == time


@pytest.mark.parametrize("text", ["", "noon", "2024-03-01T07:00:00Z", "2024-13-01 07:00:00", "2024-03-01 07:00+01:00"])
def test_what_is_no_time_of_a_wall_clock_is_a_bad_frame(text: str) -> None:
    with pytest.raises(errors.BadFrame):
        reading.local(text, reading.NEW_YORK)


def test_a_date_is_midnight_utc_of_it() -> None:
    assert reading.day("2024-03-01") == NOON - 12 * 3_600_000


@pytest.mark.parametrize("text", ["", "20240301", "2024-W09-5", "2024-02-30", "2024-03-01 00:00:00"])
def test_what_is_no_date_is_a_bad_frame(text: str) -> None:
    with pytest.raises(errors.BadFrame):
        reading.day(text)


def test_an_instant_has_a_date_in_every_zone() -> None:
    early = NOON - 10 * 3_600_000
    assert reading.date(early) == dt.date(2024, 3, 1)
    assert reading.date(early, reading.NEW_YORK) == dt.date(2024, 2, 29)
    assert reading.date(-1) == dt.date(1969, 12, 31)


def test_a_day_is_named_by_the_date_of_a_zone() -> None:
    assert reading.dated(NOON, reading.NEW_YORK) == NOON - 12 * 3_600_000
    assert reading.dated(NOON - 9 * 3_600_000, reading.NEW_YORK) == NOON - 36 * 3_600_000  # 22:00 on the day before


def answer(status: int, body: bytes) -> HttpResponse:
    return HttpResponse(status, body)


def test_what_was_cut_off_is_asked_for_again_and_other_nonsense_says_nothing() -> None:
    assert reading.whole(Row, answer(200, b'{"price":2}')) == Row(2.0)
    assert reading.whole(Row, answer(500, b'{"pri')) == Row() == reading.whole(Row, answer(200, b"<html>"))
    with pytest.raises(errors.BadFrame):
        reading.whole(Row, answer(200, b'{"pri'))


def test_an_answer_says_its_code_and_its_words() -> None:
    body = b'{"code":-1121,"msg":" no symbol ","data":[1],"more":null,"rate":1.5}'
    assert reading.said(body, "msg", "code") == ["no symbol", "-1121"]
    assert reading.said(body, "data", "more", "rate", "nothing") == ["", "", "", ""]
    assert reading.said(b"<html>", "code") == [""] == reading.said(b'{"code":"5', "code")
    assert reading.said(body) == []


def test_what_is_inside_objects_is_read_by_its_names() -> None:
    body = b'{"code":0,"result":{"list":["1.5",2]}}'
    assert reading.inside(list[float], body, "result", "list") == [1.5, 2.0]
    for names in (("result", "rows"), ("code", "list"), ("result",)):
        with pytest.raises(errors.BadFrame):
            reading.inside(list[float], body, *names)


def test_what_was_read_before_is_converted_as_strictly() -> None:
    assert reading.converted(list[float], [1, 2.5]) == [1.0, 2.5]
    assert reading.converted(list[float], ["1"], strict=False) == [1.0]
    with pytest.raises(errors.BadFrame) as caught:
        reading.converted(list[float], ["1"])
    assert caught.value.reason == "schema"


@pytest.mark.parametrize("time", [NOON, NOON * 1_000 + 999, NOON * 1_000_000 + 999_999])
def test_units_of_time_are_told_by_their_size(time: int) -> None:
    assert reading.milliseconds(time) == NOON


def test_trades_come_by_their_numbers() -> None:
    first, second = Trade(NOON, 1.0, 1.0, 7), Trade(NOON + 1, 2.0, 1.0, 8)
    assert reading.checked_trades([second, first]) == [first, second]
    assert reading.traded("x", [second, first], 5) == TradeUpdate("x", (first, second), 5)
    assert reading.traded("x", [first]) == TradeUpdate("x", (first,))
    for trades in ([Trade(NOON, 1.0, -1.0, 6)], [first, Trade(NOON, 1.0, -1.0, 6)]):
        with pytest.raises(errors.BadFrame):
            reading.traded("x", trades)


def test_a_trade_may_be_another_than_it_was_or_none() -> None:
    once, now = Trade(NOON, 1.0, 1.0, key="V7"), Trade(NOON, 2.0, 1.0, key="V8")
    assert reading.corrected("x", now) == TradeUpdate("x", (now,))
    assert reading.corrected("x", now, once) == TradeUpdate("x", (now,), revoked=once)
    assert reading.corrected("x", None, once) == TradeUpdate("x", (), revoked=once)
    assert reading.corrected("x", None) == Alive()
    for wrong in ((Trade(NOON, -1.0, 1.0), once), (now, Trade(5, 1.0, 1.0)), (None, Trade(NOON, 1.0, 0.0))):
        with pytest.raises(errors.BadFrame):
            reading.corrected("x", *wrong)


def test_trades_of_several_channels_are_told_apart() -> None:
    one, two, three = (Trade(NOON + number, 1.0, 1.0, number) for number in (1, 2, 3))
    assert reading.traded_apart([("b", three), ("a", two), ("b", one)]) == [
        TradeUpdate("b", (one, three)),
        TradeUpdate("a", (two,)),
    ]


def test_bars_come_by_their_opening_times() -> None:
    bars = [Bar(NOON + step, 1.0, 2.0, 0.5, 1.5, 1.0) for step in (0, 60_000)]
    assert reading.ascending(reversed(bars)) == bars


def test_data_that_do_not_say_of_which_channel_they_are_are_no_sign_of_life() -> None:
    assert reading.alive("other", b"[1]") == Alive() == reading.alive("", b"{}")
    with pytest.raises(errors.BadFrame):
        reading.alive("", b"[1]")


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("", None), ("-7", None), ("1" * 19, None), ("x7", None)])
def test_the_number_of_a_request_is_read_back(text: str, number: int | None) -> None:
    assert reading.number(text) == number


def test_a_bar_is_named_by_its_date_or_by_a_clock() -> None:
    assert reading.named("2024-03-01 07:00:00", MINUTE, reading.NEW_YORK) == NOON
    assert reading.named("2024-03-01", Timeframe.parse("1d"), reading.NEW_YORK) == NOON - 12 * 3_600_000
    with pytest.raises(errors.BadFrame):
        reading.named("2024-03-01 07:00:00", Timeframe.parse("1d"), reading.NEW_YORK)


@pytest.mark.parametrize(
    ("text", "opens"), [("1w", 1_699_833_600_000), ("1M", 1_698_796_800_000), ("1d", 1_709_251_200_000)]
)
def test_weeks_and_months_have_grids_of_their_own(text: str, opens: int) -> None:
    # 2023-11-13 was a Monday; 2023-11-01 a Wednesday; 2024-03-01 begins at midnight
    timeframe = Timeframe.parse(text)
    assert reading.checked(Bar(opens, 1.0, 2.0, 0.5, 1.5, 1.0), timeframe, "x").open_time == opens
    with pytest.raises(errors.BadFrame) as caught:
        reading.checked(Bar(opens + 3_600_000, 1.0, 2.0, 0.5, 1.5, 1.0), timeframe, "x")
    assert caught.value.reason == "off_grid"
