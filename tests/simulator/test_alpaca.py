"""Alpaca as the simulator speaks it: a login, one connection, closed bars and corrections, pages, MessagePack."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from btfeeds.market import Timeframe
from btfeeds.simulator.alpaca import Alpaca
from btfeeds.simulator.dialect import Ask, Session
from btfeeds.simulator.engine import Engine
from btfeeds.simulator.faults import parse
from btfeeds.simulator.peer import Peer
from tests.simulator.helpers import MINUTE, START, KeptWire, market, minutes

NOW = START + 10 * MINUTE + 30_000
KEY = {"apca-api-key-id": "key"}
AUTH = json.dumps({"action": "auth", "key": "key", "secret": "secret"})


def alpaca() -> Alpaca:
    return Alpaca("alpaca", {"AAPL": market(minutes(20, quiet=(4,)), "AAPL")})


def bars(dialect: Alpaca, headers: dict[str, str] = KEY, **query: Any) -> Any:
    asked = {"symbols": "AAPL", "timeframe": "1Min", **{name: str(value) for name, value in query.items()}}
    reply = dialect.answer(Ask("/v2/stocks/bars", asked, NOW, NOW, headers))
    return reply.status, json.loads(reply.body)


def opens(body: Any) -> list[int]:
    return [int(row["t"][14:16]) for row in body["bars"].get("AAPL", [])]


def test_a_minute_without_trades_has_no_row_and_both_bounds_count() -> None:
    status, body = bars(alpaca(), start="2024-03-01T00:02:00Z", end="2024-03-01T00:06:00Z")
    assert status == 200 and opens(body) == [2, 3, 5, 6] and body["next_page_token"] is None
    assert body["bars"]["AAPL"][0] | {"vw": 0} == {
        "t": "2024-03-01T00:02:00Z", "o": 102.0, "h": 104.0, "l": 101.0, "c": 103.0, "v": 2.5, "n": 20, "vw": 0,
    }  # fmt: skip


def test_a_long_answer_is_broken_off_and_a_token_goes_on() -> None:
    dialect, found, token, pages = alpaca(), list[int](), "", 0
    while token is not None:
        _, body = bars(dialect, limit=4, page_token=token)
        found, token, pages = found + opens(body), body["next_page_token"], pages + 1
    assert found == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10] and pages == 3


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"apca-api-key-id": "wrong"}, 401), (KEY, 200)])
def test_a_key_is_wanted(headers: dict[str, str], status: int) -> None:
    assert bars(alpaca(), headers)[0] == status


@pytest.mark.parametrize("query", [{"timeframe": "1Minute"}, {"limit": 0}, {"limit": "x"}, {"start": "yesterday"}])
def test_what_cannot_be_understood_is_refused(query: dict[str, Any]) -> None:
    status, body = bars(alpaca(), **query)
    assert status == 400 and "invalid request" in body["message"]


def test_the_201st_request_of_a_minute_is_too_many() -> None:
    dialect = alpaca()
    assert [bars(dialect, limit=1)[0] for _ in range(201)] == [200] * 200 + [429]


def client(engine: Engine, headers: dict[str, str] | None = None) -> tuple[Peer, KeptWire]:
    wire = KeptWire()
    return engine.connect(wire, Session(path="/v2/iex", headers=headers or {}), "/v2/iex", engine.now), wire


def said(wire: KeptWire) -> list[Any]:
    return [message for text in wire.texts for message in json.loads(text)]


def subscribed(engine: Engine, *kinds: str) -> KeptWire:
    peer, wire = client(engine)
    engine.message(peer, AUTH, engine.now)
    engine.message(peer, json.dumps({"action": "subscribe", **{kind: ["AAPL"] for kind in kinds}}), engine.now)
    return wire


def run(engine: Engine, until: int) -> None:
    while (due := engine.next_due) is not None and due <= until:
        engine.run_next()
    engine.now = until


def test_a_client_is_greeted_and_logs_in_before_it_subscribes() -> None:
    engine = Engine(alpaca(), START)
    peer, wire = client(engine)
    engine.message(peer, json.dumps({"action": "subscribe", "bars": ["AAPL"]}), START)
    engine.message(peer, AUTH, START)
    engine.message(peer, AUTH, START)
    engine.message(peer, json.dumps({"action": "subscribe", "bars": ["AAPL"]}), START)
    told = [(message["T"], message.get("msg", message.get("bars"))) for message in said(wire)]
    assert told == [
        ("success", "connected"), ("error", "not authenticated"), ("success", "authenticated"),
        ("error", "already authenticated"), ("subscription", ["AAPL"]),
    ]  # fmt: skip


def test_a_wrong_key_is_told_and_headers_can_log_in_too() -> None:
    engine = Engine(alpaca(), START)
    peer, wire = client(engine)
    engine.message(peer, AUTH.replace('"key"', '"wrong"', 2).replace('"wrong":', '"key":'), START)
    assert said(wire)[-1]["code"] == 402
    assert [message["msg"] for message in said(client(engine, KEY)[1])] == ["connected", "authenticated"]


def test_a_second_connection_is_sent_away_until_the_first_is_gone() -> None:
    engine = Engine(alpaca(), START)
    first, _ = client(engine, KEY)
    second, wire = client(engine)
    engine.message(second, AUTH, START)
    assert said(wire)[-1]["code"] == 406 and wire.done == [("close", 1000, "")]
    engine.disconnect(first)
    assert said(client(engine, KEY)[1])[-1]["msg"] == "authenticated"


def test_who_subscribes_nothing_is_sent_away() -> None:
    engine = Engine(alpaca(), START)
    _, wire = client(engine)
    run(engine, START + 10_000)
    assert wire.done[0][:2] == ("close", 1008)


def test_only_finished_minutes_with_trades_are_sent() -> None:
    engine = Engine(alpaca(), START + 2 * MINUTE)
    wire = subscribed(engine, "bars", "updatedBars")
    run(engine, START + 7 * MINUTE)
    assert [(message["T"], message["t"][14:16]) for message in said(wire)[3:]] == [
        ("b", "02"),
        ("b", "03"),
        ("b", "05"),
    ]


def test_a_late_trade_brings_the_minute_again() -> None:
    engine = Engine(alpaca(), START + 2 * MINUTE)
    engine.schedule(parse("correct@0s:20s"))
    wire = subscribed(engine, "bars", "updatedBars")
    run(engine, START + 4 * MINUTE + 1_000)
    first, again, after = said(wire)[3:]
    assert (first["T"], again["T"], after["T"]) == ("b", "u", "b")
    assert first["t"] == again["t"] and first["v"] < again["v"] == 2.5


def test_what_goes_out_at_once_goes_out_as_one_array() -> None:
    engine = Engine(alpaca(), START + 2 * MINUTE)
    engine.schedule(parse("duplicate@0s"))
    wire = subscribed(engine, "bars")
    run(engine, START + 4 * MINUTE + 1_000)
    assert [len(json.loads(text)) for text in wire.texts[3:]] == [2, 1]


def test_a_client_can_have_messagepack_with_times_as_times() -> None:
    dialect, session = alpaca(), Session(headers={"content-type": "application/msgpack"})
    row = dialect.markets["AAPL"].bar(Timeframe.parse("1m"), START, START + MINUTE)
    assert row
    channel, frame = dialect.correction(dialect.stream("bars:AAPL"), row) or ("", "")  # type: ignore[arg-type]
    data = dialect.encode(session, dialect.wrap(session, channel, frame))
    assert isinstance(data, bytes)
    [message] = msgspec.msgpack.decode(data)
    assert (message["T"], message["S"], message["t"].isoformat()) == ("u", "AAPL", "2024-03-01T00:00:00+00:00")
    assert dialect.decode(session, msgspec.msgpack.encode({"action": "auth"})) == '{"action": "auth"}'
    assert dialect.decode(session, b"\xc1") == ""


# --- trades ---


def counted(messages: list[Any]) -> list[Any]:
    """What is left of trades, worked out as a client would: without what was taken back, and as it was corrected."""
    left: dict[tuple[Any, ...], Any] = {}
    for message in messages:
        if message["T"] == "t":
            left[message["x"], message["i"], message["p"]] = message
        elif message["T"] == "x":
            del left[message["x"], message["i"], message["p"]]
        elif message["T"] == "c":
            once = left.pop((message["x"], message["oi"], message["op"]))
            now = {"i": message["ci"], "p": message["cp"], "s": message["cs"], "c": message["cc"]}
            left[message["x"], message["ci"], message["cp"]] = {**once, **now}
    return [message for message in left.values() if "M" not in message["c"]]


def test_what_is_left_of_trades_are_the_minutes() -> None:
    engine = Engine(alpaca(), START + 2 * MINUTE)
    wire = subscribed(engine, "trades")
    run(engine, START + 8 * MINUTE)
    told = said(wire)[3:]
    assert {message["T"] for message in told} == {"t", "c", "x"}
    letters = {letter for message in told for letter in message.get("c", [])}
    assert {"@", "I", "W", "V", "M"} <= letters
    for minute in (2, 3, 5, 6):
        those = [message for message in counted(told) if message["t"][14:16] == f"0{minute}"]
        priced = [message["p"] for message in those if set(message["c"]) == {"@"}]
        assert (max(priced), min(priced)) == (102.0 + minute, 99.0 + minute)
        assert (priced[0], priced[-1]) == (100.0 + minute, 101.0 + minute)
        assert (sum(round(message["s"] * 10**8) for message in those), len(those)) == (250_000_000, 20)
        assert max(message["p"] for message in those) > 1.2 * max(priced), "some at prices that no bar shows"


def test_one_number_is_of_several_exchanges() -> None:
    engine = Engine(alpaca(), START + 2 * MINUTE)
    wire = subscribed(engine, "trades")
    run(engine, START + 3 * MINUTE)
    trades = [message for message in said(wire)[3:] if message["T"] == "t"]
    assert len({message["i"] for message in trades}) < len({(message["x"], message["i"]) for message in trades})


def test_corrections_come_with_trades() -> None:
    wire = subscribed(Engine(alpaca(), START), "trades")
    last = said(wire)[-1]
    assert (last["trades"], last["corrections"], last["cancelErrors"], last["bars"]) == (["AAPL"],) * 3 + ([],)


def test_of_trades_thirty_symbols_are_free_and_of_bars_as_many_as_one_likes() -> None:
    engine = Engine(alpaca(), START)
    peer, wire = client(engine)
    engine.message(peer, AUTH, START)
    names = [f"A{number}" for number in range(31)]
    for kind, wanted in (("bars", names), ("trades", names), ("trades", names[:30]), ("trades", names[30:])):
        engine.message(peer, json.dumps({"action": "subscribe", kind: wanted}), START)
    told = [message.get("code", message["T"]) for message in said(wire)[2:]]
    assert told == ["subscription", 405, "subscription", 405]


def test_history_has_trades_as_they_are_in_the_end() -> None:
    asked = {"symbols": "AAPL", "start": "2024-03-01T00:02:00Z", "end": "2024-03-01T00:02:59.999Z"}
    reply = alpaca().answer(Ask("/v2/stocks/trades", asked, NOW, NOW, KEY))
    trades = json.loads(reply.body)["trades"]["AAPL"]
    assert len(trades) == 20 and {len(trade["c"]) for trade in trades} == {1, 2, 3}
    assert all(trade["i"] < 1_000_000_000 for trade in trades)
