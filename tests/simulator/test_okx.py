"""OKX as the simulator speaks it: bounds that exclude, two places for history, two streams, text pings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from btfeeds.market import Timeframe
from btfeeds.simulator.dialect import Ask, Session, Stream
from btfeeds.simulator.engine import Engine
from btfeeds.simulator.okx import OKX
from tests.shared import shared
from tests.simulator.helpers import MINUTE, START, KeptWire, market, minutes

NOW = START + 10 * MINUTE + 30_000
ONE = Timeframe.parse("1m")


def okx(count: int = 20, symbol: str = "BTC/USDT") -> OKX:
    return OKX("okx", {"BTCUSDT": market(minutes(count), symbol)})


def candles(dialect: OKX, place: str = "candles", now: int = NOW, **query: Any) -> list[int]:
    asked = {"instId": "BTC-USDT", "bar": "1m", **{name: str(value) for name, value in query.items()}}
    reply = dialect.answer(Ask(f"/api/v5/market/{place}", asked, now, now))
    assert reply.status == 200
    return [(int(row[0]) - START) // MINUTE for row in json.loads(reply.body)["data"]]


def test_the_newest_row_comes_first_and_is_not_confirmed() -> None:
    reply = okx().answer(Ask("/api/v5/market/candles", {"instId": "BTC-USDT", "limit": "2"}, NOW, NOW))
    forming, closed = json.loads(reply.body)["data"]
    assert (forming[8], closed[8]) == ("0", "1")
    assert closed[:6] == [str(START + 9 * MINUTE), "109.00", "111.00", "108.00", "110.00", "2.5"]


def test_neither_bound_belongs_to_the_answer() -> None:
    assert candles(okx(), before=START + 2 * MINUTE, after=START + 5 * MINUTE) == [4, 3]
    assert candles(okx(), before=START + 2 * MINUTE, limit=2) == [10, 9], "a `before` alone gives the newest"


def test_an_answer_has_a_hundred_rows_or_three_hundred_at_most() -> None:
    dialect, later = okx(500), START + 499 * MINUTE
    assert len(candles(dialect, now=later)) == 100
    assert len(candles(dialect, now=later, limit=1000)) == 300


def test_older_bars_are_in_the_archive_only() -> None:
    dialect, later = okx(2_000), START + 1_999 * MINUTE
    assert candles(dialect, now=later, after=START + 300 * MINUTE) == []
    assert candles(dialect, "history-candles", now=later, after=START + 3 * MINUTE) == [2, 1, 0]
    assert candles(dialect, "history-candles", now=later, limit=1) == [1_998], "finished ones"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [({"instId": "NONE-SUCH"}, 200, "51001"), ({"instId": "BTC-USDT", "bar": "7m"}, 400, "51000")],
)
def test_refusals_have_the_venues_codes(query: dict[str, str], status: int, code: str) -> None:
    reply = okx().answer(Ask("/api/v5/market/candles", query, NOW, NOW))
    assert (reply.status, json.loads(reply.body)["code"]) == (status, code)


def test_the_41st_request_in_two_seconds_is_too_many() -> None:
    dialect = okx()
    ask = Ask("/api/v5/market/candles", {"instId": "BTC-USDT"}, NOW, NOW)
    assert [dialect.answer(ask).status for _ in range(41)] == [200] * 40 + [429]


def told(dialect: OKX, session: Session, message: object) -> list[Any]:
    text = message if isinstance(message, str) else json.dumps(message)
    return [json.loads(reply) for reply in dialect.message(session, text)]


BARS = {"channel": "candle1m", "instId": "BTC-USDT"}
TRADES = {"channel": "trades", "instId": "BTC-USDT"}


def test_pings_and_pongs_are_text() -> None:
    assert okx().message(Session(), "ping") == ["pong"]


def test_each_channel_is_confirmed_by_itself() -> None:
    session = Session(path="/ws/v5/business")
    every = {"channel": "trades-all", "instId": "BTC-USDT"}
    replies = told(okx(), session, {"id": "7", "op": "subscribe", "args": [BARS, every]})
    assert [(reply["event"], reply["arg"], reply["id"]) for reply in replies] == [
        ("subscribe", BARS, "7"), ("subscribe", every, "7"),
    ]  # fmt: skip
    assert list(session.channels) == ["candle1m:BTC-USDT", "trades-all:BTC-USDT"]


@pytest.mark.parametrize(
    ("path", "arg"), [("public", BARS), ("business", TRADES), ("business", {**BARS, "instId": "NO-NE"})]
)
def test_what_is_elsewhere_or_nowhere_is_60018(path: str, arg: dict[str, str]) -> None:
    [reply] = told(okx(), Session(path=f"/ws/v5/{path}"), {"op": "subscribe", "args": [arg]})
    assert (reply["event"], reply["code"]) == ("error", "60018")
    assert f"channel:{arg['channel']},instId:{arg['instId']} doesn't exist" in reply["msg"]


def test_what_cannot_be_understood_is_60012() -> None:
    for message in ("nonsense", {"op": "shout", "args": []}, {"op": "subscribe"}):
        [reply] = told(okx(), Session(), message)
        assert reply["code"] == "60012"


def test_a_connection_that_is_sent_nothing_for_30_seconds_is_closed() -> None:
    engine = Engine(okx(), START + 10 * MINUTE)
    wire = KeptWire()
    peer = engine.connect(wire, Session(), "/ws/v5/business", engine.now)

    def run(ms: int) -> None:
        until = engine.now + ms
        while (due := engine.next_due) is not None and due <= until:
            engine.run_next()
        engine.now = until

    run(25_000)
    engine.message(peer, "ping", engine.now)
    run(25_000)
    assert (wire.texts, wire.done) == (["pong"], [])
    run(6_000)
    assert [done[0] for done in wire.done] == ["close"]


def test_a_bar_frame_has_every_documented_column() -> None:
    dialect = okx()
    row = dialect.markets["BTCUSDT"].bar(ONE, START, START + MINUTE)
    assert row
    frame = json.loads(dialect.bar_frame(Stream("BTCUSDT", "bars", ONE), row, True, 0))
    recorded = json.loads(shared("okx/nautilus/ws_candle.json").read_bytes())
    assert list(frame) == list(recorded) and len(frame["data"][0]) == len(recorded["data"][0])
    assert frame["arg"] == BARS and frame["data"][0][8] == "1"


def test_single_trades_add_up_to_their_bar() -> None:
    dialect = okx()
    ticks = dialect.markets["BTCUSDT"].ticks(0)
    frames = [
        json.loads(text) for tick in ticks for text in dialect.trade_frames(Stream("BTCUSDT", "trades", ONE), tick, 0)
    ]
    trades = [trade for frame in frames for trade in frame["data"]]
    assert [int(trade["tradeId"]) for trade in trades] == list(
        range(int(trades[0]["tradeId"]), int(trades[0]["tradeId"]) + 20)
    )
    assert sum(round(float(trade["sz"]) * 10**8) for trade in trades) == 250_000_000


def test_the_farewell_is_a_notice() -> None:
    assert json.loads(okx().farewell(Session(), NOW))["code"] == "64008"
