"""Kraken's protocol as the simulator speaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from btfeeds.market import Timeframe
from btfeeds.simulator.dialect import Ask, Session, Stream
from btfeeds.simulator.engine import Engine
from btfeeds.simulator.kraken import Kraken
from btfeeds.simulator.peer import Peer
from tests.shared import shared
from tests.simulator.helpers import MINUTE, START, KeptWire, market, minutes

ONE = Timeframe.parse("1m")


def kraken(count: int = 20, quiet: tuple[int, ...] = ()) -> Kraken:
    return Kraken("kraken", {"BTCUSD": market(minutes(count, quiet=quiet), "BTC/USD")})


def told(dialect: Kraken, session: Session, message: object, minute: float = 10.5) -> list[Any]:
    session.now = START + int(minute * MINUTE)
    text = message if isinstance(message, str) else json.dumps(message)
    return [json.loads(reply) for reply in dialect.message(session, text)]


def asked(dialect: Kraken, what: str, minute: float = 10.5, **query: object) -> Any:
    now = START + int(minute * MINUTE)
    reply = dialect.answer(Ask(f"/0/public/{what}", {name: str(value) for name, value in query.items()}, now, now))
    assert reply.status == 200
    return json.loads(reply.body)


def subscribe(*symbols: str, **params: object) -> dict[str, Any]:
    wanted = {"channel": "ohlc", "symbol": symbols, "interval": 1, **params}
    return {"method": "subscribe", "params": wanted, "req_id": 7}


def test_a_client_is_greeted_with_a_number_larger_than_64_bits_with_a_sign() -> None:
    (greeting,) = map(json.loads, kraken().greet(Session()))
    assert greeting["channel"] == "status" and greeting["data"][0]["connection_id"] > 2**63


def test_each_symbol_has_its_answer_and_a_refusal_names_it() -> None:
    session = Session()
    ack, snapshot, nack = told(kraken(), session, subscribe("BTC/USD", "XBT/USD"))
    assert (ack["success"], ack["result"]["symbol"], ack["req_id"]) == (True, "BTC/USD", 7)
    assert (snapshot["channel"], snapshot["type"]) == ("ohlc", "snapshot")
    assert (nack["success"], nack["symbol"], nack["error"]) == (False, "XBT/USD", "Currency pair not supported XBT/USD")
    assert list(session.channels) == ["ohlc-1:BTC/USD"]


def test_a_snapshot_skips_minutes_without_trades_and_ends_with_the_bar_under_way() -> None:
    (_, snapshot) = told(kraken(quiet=(7, 8)), Session(), subscribe("BTC/USD"))
    begins = [row["interval_begin"] for row in snapshot["data"]]
    assert begins == [f"2024-03-01T00:{minute:02d}:00.000000000Z" for minute in (1, 2, 3, 4, 5, 6, 9, 10)]
    assert 0 < snapshot["data"][-1]["trades"] < 20


def test_what_is_subscribed_already_is_refused_and_what_is_ended_is_not() -> None:
    dialect, session = kraken(), Session()
    told(dialect, session, subscribe("BTC/USD"))
    assert told(dialect, session, subscribe("BTC/USD"))[0]["error"] == "Already subscribed"
    ended = {**subscribe("BTC/USD"), "method": "unsubscribe"}
    assert told(dialect, session, ended)[0]["success"] and not session.channels
    assert told(dialect, session, subscribe("BTC/USD", snapshot=False)) == [{
        "method": "subscribe", "success": True, "req_id": 7, "time_in": "2024-03-01T00:10:30.000000Z",
        "time_out": "2024-03-01T00:10:30.000000Z",
        "result": {"channel": "ohlc", "snapshot": False, "interval": 1, "symbol": "BTC/USD",
                   "warnings": ["timestamp is deprecated, use interval_begin"]},
    }]  # fmt: skip


@pytest.mark.parametrize("message", ["not json", [1], {"method": "shout"}, {"method": "subscribe"}])
def test_what_cannot_be_understood_is_an_error(message: object) -> None:
    (reply,) = told(kraken(), Session(), message)
    assert reply["success"] is False


def test_a_ping_is_answered_with_its_number() -> None:
    (pong,) = told(kraken(), Session(), {"method": "ping", "req_id": 42})
    assert (pong["method"], pong["req_id"]) == ("pong", 42)


def test_frames_have_every_documented_key() -> None:
    dialect = kraken()
    row = dialect.markets["BTC/USD"].bar(ONE, START, START + MINUTE)
    assert row
    frame = json.loads(dialect.bar_frame(Stream("BTC/USD", "bars", ONE), row, True, START + MINUTE))
    recorded = json.loads(shared("kraken/nautilus/ws_ohlc_update.json").read_text(encoding="utf-8"))
    assert set(recorded["data"][0]) <= set(frame["data"][0])
    assert (frame["data"][0]["high"], frame["data"][0]["volume"], frame["data"][0]["trades"]) == (102.0, 2.5, 20)
    tick = dialect.markets["BTC/USD"].ticks(0)[0]
    (text,) = dialect.trade_frames(Stream("BTC/USD", "trades", ONE), tick, tick.time)
    recorded = json.loads(shared("kraken/nautilus/ws_trade_update.json").read_text(encoding="utf-8"))
    assert set(json.loads(text)["data"][0]) == set(recorded["data"][0])
    assert [one["trade_id"] for one in json.loads(text)["data"]] == list(range(tick.first_id, tick.last_id + 1))


def test_a_bar_is_never_sent_as_closed_and_its_last_update_is_the_whole_bar() -> None:
    engine = Engine(kraken(), START + 10 * MINUTE, 100_000.0)
    wire = KeptWire()
    session = engine.dialect.open("/v2", "")
    assert session
    peer = engine.connect(wire, session, "/v2", engine.now)
    engine.message(peer, json.dumps(subscribe("BTC/USD", snapshot=False)), engine.now)
    _until(engine, peer, START + 13 * MINUTE)
    rows = [row for text in wire.texts for row in json.loads(text).get("data", []) if "interval_begin" in row]
    last = {row["interval_begin"]: (row["close"], row["volume"], row["trades"]) for row in rows}
    assert list(last.values()) == [(111.0, 2.5, 20), (112.0, 2.5, 20), (113.0, 2.5, 20)]


def _until(engine: Engine, peer: Peer, time: int) -> None:
    while (due := engine.next_due) is not None and due <= time:
        engine.run_next()
    assert peer in engine.peers


def test_history_has_flat_rows_and_the_bar_under_way() -> None:
    answer = asked(kraken(quiet=(8,)), "OHLC", pair="XBTUSD", interval=1, since=START // 1000 + 6 * 60)
    rows = answer["result"]["XXBTZUSD"]
    assert [row[0] for row in rows] == [START // 1000 + minute * 60 for minute in (7, 8, 9, 10)], "behind `since`"
    assert rows[1][1:] == ["108.00", "108.00", "108.00", "108.00", "0.0", "0.00000000", 0]
    assert rows[2][1:5] == ["109.00", "111.00", "108.00", "110.00"]
    assert answer["result"]["last"] == START // 1000 + 9 * 60, "the newest bar that is over"


def test_history_reaches_back_720_bars() -> None:
    rows = asked(kraken(800), "OHLC", 790.5, pair="BTC/USD", since=0)["result"]["XXBTZUSD"]
    assert (len(rows), rows[0][0]) == (720, START // 1000 + 71 * 60)


def test_trades_page_on_from_the_last_without_a_loss() -> None:
    dialect, numbers, since = kraken(), [], str(START * 1_000_000 - 1)
    for _ in range(30):
        result = asked(dialect, "Trades", pair="XBTUSD", since=since, count=16)["result"]
        numbers += [row[6] for row in result["XXBTZUSD"]]
        since = result["last"]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert 200 <= len(numbers) < 220


@pytest.mark.parametrize(("query", "error"), [
    ({"pair": "NONESUCH"}, "EQuery:Unknown asset pair"),
    ({"pair": "XBTUSD", "interval": 7}, "EGeneral:Invalid arguments"),
    ({"pair": "XBTUSD", "since": "x"}, "EGeneral:Invalid arguments"),
])  # fmt: skip
def test_errors_come_in_good_answers(query: dict[str, object], error: str) -> None:
    assert asked(kraken(), "OHLC", **query) == {"error": [error]}


@pytest.mark.parametrize(
    ("fault", "status"), [("rate_limit", 200), ("ban", 429), ("unavailable", 520), ("region_block", 403)]
)
def test_refusals_have_its_statuses(fault: str, status: int) -> None:
    assert kraken().refuse(fault, 5, START).status == status
