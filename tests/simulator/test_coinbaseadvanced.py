"""Advanced Trade's protocol as the simulator speaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from btfeeds.market import Timeframe
from btfeeds.simulator.coinbaseadvanced import CoinbaseAdvanced
from btfeeds.simulator.dialect import Ask, Session, Stream
from tests.shared import shared
from tests.simulator.helpers import MINUTE, START, market, minutes

ONE, FIVE = Timeframe.parse("1m"), Timeframe.parse("5m")
CANDLES = "/api/v3/brokerage/market/products/BTC-USD/candles"


def advanced(symbol: str = "BTC/USD") -> CoinbaseAdvanced:
    return CoinbaseAdvanced("coinbaseadvanced", {"BTCUSD": market(minutes(400), symbol)})


def told(dialect: CoinbaseAdvanced, session: Session, **message: object) -> list[Any]:
    session.now = START + 10 * MINUTE + 30_000
    return [json.loads(reply) for reply in dialect.message(session, json.dumps(message))]


def asked(path: str, **query: object) -> tuple[int, Any]:
    now = START + 390 * MINUTE
    reply = advanced().answer(Ask(path, {name: str(value) for name, value in query.items()}, now, now))
    return reply.status, json.loads(reply.body)


def test_the_first_data_comes_before_the_confirmation_and_every_frame_has_a_number() -> None:
    session = Session()
    data, ack = told(advanced(), session, type="subscribe", product_ids=["BTC-USD"], channel="market_trades")
    assert (data["channel"], data["sequence_num"], data["events"][0]["type"]) == ("market_trades", 0, "snapshot")
    numbers = [int(trade["trade_id"]) for trade in data["events"][0]["trades"]]
    assert numbers == sorted(numbers, reverse=True), "newest first"
    assert (ack["channel"], ack["sequence_num"]) == ("subscriptions", 1)
    assert ack["events"] == [{"subscriptions": {"market_trades": ["BTC-USD"]}}]
    assert json.loads(advanced().wrap(session, "", '{"channel":"x"}')) == {"channel": "x", "sequence_num": 2}


def test_a_snapshot_of_candles_has_the_one_under_way() -> None:
    data, _ = told(advanced(), Session(), type="subscribe", product_ids=["BTC-USD"], channel="candles")
    starts = [int(candle["start"]) - START // 1000 for candle in data["events"][0]["candles"]]
    assert starts == [600, 300, 0]


def test_what_is_quoted_in_usdc_streams_under_the_name_of_its_book() -> None:
    dialect, session = advanced("BTC/USDC"), Session()
    told(dialect, session, type="subscribe", product_ids=["BTC-USDC"], channel="market_trades")
    assert list(session.channels) == ["market_trades:BTC-USD"]


def test_heartbeats_are_counted_and_sent_to_who_subscribed_them() -> None:
    dialect, session = advanced(), Session()
    assert dialect.beat(session) == []
    told(dialect, session, type="subscribe", channel="heartbeats")
    beats = [json.loads(text) for _ in range(2) for text in dialect.beat(session)]
    assert [beat["events"][0]["heartbeat_counter"] for beat in beats] == [1, 2]


@pytest.mark.parametrize("message", [
    {"type": "shout"},
    {"type": "subscribe", "channel": "level9"},
    {"type": "subscribe", "channel": "candles", "product_ids": ["NONE-USD"]},
])  # fmt: skip
def test_what_cannot_be_had_is_an_error_without_a_channel(message: dict[str, object]) -> None:
    (error,) = told(advanced(), Session(), **message)
    assert error["type"] == "error" and "channel" not in error


def test_frames_have_every_documented_key() -> None:
    dialect = advanced()
    row = dialect.markets["BTC-USD"].bar(FIVE, START, START + 5 * MINUTE)
    assert row
    frame = dialect.bar_frame(Stream("BTC-USD", "bars", FIVE), row, True, START + 5 * MINUTE)
    candle = json.loads(frame)["events"][0]["candles"][0]
    recorded = json.loads(shared("coinbase/nautilus/ws_candles.json").read_text(encoding="utf-8"))
    assert set(candle) == set(recorded["events"][0]["candles"][0])
    assert (candle["open"], candle["high"], candle["volume"]) == ("100.00", "106.00", "12.5")
    tick = dialect.markets["BTC-USD"].ticks(0)[0]
    (text,) = dialect.trade_frames(Stream("BTC-USD", "trades", ONE), tick, tick.time)
    recorded = json.loads(shared("coinbase/nautilus/ws_market_trades.json").read_text(encoding="utf-8"))
    trades = json.loads(text)["events"][0]["trades"]
    assert set(trades[0]) >= set(recorded["events"][0]["trades"][0])
    assert [int(trade["trade_id"]) for trade in trades] == list(range(tick.last_id, tick.first_id - 1, -1))


@pytest.mark.parametrize(("buckets", "status"), [(1, 200), (350, 200), (351, 400)])
def test_more_than_350_candles_are_refused(buckets: int, status: int) -> None:
    first = START // 1000
    end = first + (buckets - 1) * 60
    got, body = asked(CANDLES, granularity="ONE_MINUTE", start=first, end=end)
    assert got == status
    if status == 200:
        assert [int(candle["start"]) for candle in body["candles"]] == list(range(end, first - 1, -60)), "newest first"


def test_a_product_that_is_not_listed_is_not_found() -> None:
    status, body = asked(CANDLES.replace("BTC", "NONE"), granularity="ONE_MINUTE", start=0, end=0)
    assert (status, body["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("fault", "status"), [("rate_limit", 429), ("ban", 429), ("unavailable", 502), ("region_block", 403)]
)
def test_refusals_have_its_statuses(fault: str, status: int) -> None:
    assert advanced().refuse(fault, 5, START).status == status
