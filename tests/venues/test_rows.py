"""Rows of bars and trades: each column in its place."""

from __future__ import annotations

import msgspec
import pytest

from btfeeds.errors import BadFrame
from btfeeds.market import Bar, Trade
from btfeeds.venues import reading, rows

NOON = 1_709_294_400_000
BAR = Bar(NOON, 10.0, 13.0, 9.0, 11.0, 2.5, 7)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (rows.Row, b'[1709294400000,"10","13","9","11","2.5","more",0]'),
        (rows.CloseRow, b'[1709294400000,"10","11","13","9","2.5","more",0]'),
        (rows.Named, b'{"volume":2.5,"open":10,"high":13,"low":9,"close":11,"more":0}'),
        (rows.Letters, b'{"v":2.5,"o":10,"h":13,"l":9,"c":11,"t":0}'),
    ],
)
def test_a_row_is_a_bar_in_the_order_or_under_the_names_of_its_columns(kind: type, body: bytes) -> None:
    assert reading.lenient(kind, body).bar(NOON, 7) == BAR


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (rows.Row, b"[1709294400000,10,13,9,11]"),
        (rows.CloseRow, b"[-1,10,11,13,9,2.5]"),
        (rows.Named, b'{"open":10,"high":13,"low":9,"close":11}'),
        (rows.Letters, b'{"o":10,"h":13,"l":9,"c":null,"v":1}'),
    ],
)
def test_a_row_that_lacks_a_column_is_a_bad_frame(kind: type, body: bytes) -> None:
    with pytest.raises(BadFrame):
        reading.lenient(kind, body)


def test_a_dialect_adds_the_columns_behind() -> None:
    class Wide(rows.Row):
        turnover: float

    row: Wide = msgspec.json.decode(b"[1709294400000,10,13,9,11,2.5,27.5]", type=Wide)
    assert (row.time, row.bar(row.time), row.turnover) == (NOON, Bar(NOON, 10.0, 13.0, 9.0, 11.0, 2.5), 27.5)


def test_a_match_is_a_trade_of_its_instant() -> None:
    body = b'{"trade_id":8,"side":"BUY","size":"0.5","price":"10","time":"2024-03-01T12:00:00.123999Z"}'
    assert reading.lenient(rows.Match, body).trade() == Trade(NOON + 123, 10.0, 0.5, 8)


def test_what_was_traded_is_a_number_behind_its_time_and_a_sale_has_an_amount_below_nothing() -> None:
    row = reading.lenient(rows.TradeRow, b"[590708212,1709294400123,-0.5,10,1]")
    assert row.trade() == Trade(NOON + 123, 10.0, 0.5, 590_708_212)


@pytest.mark.parametrize(("size", "moves"), [(0, 3), (2, None), (0, None)])
def test_a_report_of_a_price_is_no_trade(size: int, moves: int | None) -> None:
    assert rows.Sold(10.0, size).sold(NOON, "V7", moves) is None
    assert rows.Sold(10.0, 2).sold(NOON, "V7", 0) == Trade(NOON, 10.0, 2.0, key="V7", moves=0)
    assert rows.Sold(10.0, 2).sold(NOON, "V7") == Trade(NOON, 10.0, 2.0, key="V7")


def test_where_whole_shares_and_all_of_them_are_told_all_count() -> None:
    for told, quantity in (("0.5", 0.5), (0.25, 0.25), (None, 2.0)):
        assert rows.CutSold(10.0, 2, told).sold(NOON, "V7") == Trade(NOON, 10.0, quantity, key="V7")
        row = rows.CutLetters(o=10.0, h=13.0, l=9.0, c=11.0, v=2.0, dv=told)
        assert row.bar(NOON, 7) == msgspec.structs.replace(BAR, volume=quantity)
    assert rows.CutSold(10.0, 0, "0").sold(NOON, "V7") is rows.CutSold(10.0, 0).sold(NOON, "V7") is None
    with pytest.raises(BadFrame):
        rows.exact("much", 2.0)
