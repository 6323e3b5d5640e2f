"""Bitfinex' oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import csv
import gzip
import json

import pytest

from btfeeds.errors import BadFrame, UnsupportedTimeframe
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
from btfeeds.venues.base import Accepted, BarUpdate, HttpResponse, Rejected, TradeUpdate
from btfeeds.venues.bitfinex import Bitfinex
from tests.shared import shared

MINUTE = Timeframe.parse("1m")
OPEN = 1_700_000_100_000


@pytest.mark.parametrize(
    ("symbol", "native"),
    [("BTC/USD", "tBTCUSD"), ("btc/usdt", "tBTCUST"), ("DOGE/USD", "tDOGE:USD"), ("BTC/USDC", "tBTCUDC")],
)
def test_long_names_get_a_colon_and_dollars_have_names_of_their_own(symbol: str, native: str) -> None:
    assert Bitfinex().native_symbol(Symbol(symbol)) == native


def test_rows_that_have_grown_are_still_rows() -> None:
    [event] = Bitfinex().parse_frame(json.dumps([7, [OPEN, 10, 11, 12, 9, 3, "new", None], 1234]))
    assert event == BarUpdate("7", Bar(OPEN, 10.0, 12.0, 9.0, 11.0, 3.0), False)


def test_trades_have_a_channel_too_and_sells_are_negative() -> None:
    [event] = Bitfinex().parse_frame(json.dumps([7, "te", [1, OPEN + 5, -0.5, 100.0]]))
    assert isinstance(event, TradeUpdate) and event.trades[0].quantity == 0.5


@pytest.mark.parametrize("message", [[0, [1]], ["7", "hb"], [7], [7, 5], [7, [OPEN, 1, 2]], [7, [1, OPEN, 1.0, 100.0]]])
def test_what_belongs_to_no_channel_is_a_bad_frame(message: list[object]) -> None:
    with pytest.raises(BadFrame):
        list(Bitfinex().parse_frame(json.dumps(message)))


def test_a_confirmation_says_the_number_of_the_channel() -> None:
    said = '{"event":"subscribed","channel":"candles","chanId":17,"key":"trade:1D:tDOGE:USD"}'
    assert list(Bitfinex().parse_frame(said)) == [Accepted(None, ("trade:1D:tDOGE:USD",), alias="17")]


def test_a_refusal_without_a_channel_refuses_none() -> None:
    assert list(Bitfinex().parse_frame('{"event":"error","msg":"unknown event","code":10000}')) == [
        Rejected("unknown event (code 10000)")
    ]


def test_a_channel_that_has_no_number_yet_cannot_be_ended() -> None:
    assert Bitfinex().unsubscribe(["trade:1m:tBTCUSD", "17"], 1) == ['{"event":"unsubscribe","chanId":17}']


def test_days_of_trades_are_not_made_here() -> None:
    with pytest.raises(UnsupportedTimeframe):
        Bitfinex().channel(Subscription("bitfinex", Symbol("BTC/USD"), Timeframe.parse("2d")))


def test_a_year_of_recorded_rows_is_read_and_every_one_is_a_bar() -> None:
    with gzip.open(shared("bitfinex/zombie3000/BTCUSD_1m_2016.csv.gz"), "rt", newline="") as file:
        rows = [[float(field) for field in row] for row in csv.reader(file) if row and row[0].isdigit()]
    body = json.dumps([[int(row[0]), *row[1:]] for row in rows[:10_000]]).encode()
    bars = Bitfinex().parse_bars(HttpResponse(200, body), MINUTE)
    assert len(bars) == 10_000 and all(bar.fault() == "" and MINUTE.aligned(bar.open_time) for bar in bars)
    assert bars[1] == Bar(1_451_606_460_000, 429.17, 429.18, 429.17, 429.18, 16.14578427)


def test_when_its_weeks_open_is_not_documented_so_ours_are_made_of_days() -> None:
    assert Bitfinex().base_timeframe(Timeframe.parse("1w")) == Timeframe.parse("1d")
