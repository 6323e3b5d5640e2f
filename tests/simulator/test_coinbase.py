"""Coinbase Exchange's protocol as the simulator speaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from btfeeds.market import Timeframe, iso
from btfeeds.simulator.coinbase import Coinbase
from btfeeds.simulator.dialect import Ask, Session, Stream
from btfeeds.simulator.engine import Engine
from tests.simulator.helpers import MINUTE, START, KeptWire, market, minutes

ONE = Timeframe.parse("1m")
FIRST = 1_000_000  # the number of the first trade; each minute has 20


def coinbase(quiet: tuple[int, ...] = ()) -> Coinbase:
    return Coinbase("coinbase", {"BTCUSD": market(minutes(400, quiet=quiet), "BTC/USD")})


def told(dialect: Coinbase, session: Session, message: object, minute: float = 10) -> list[Any]:
    session.now = START + int(minute * MINUTE)
    text = message if isinstance(message, str) else json.dumps(message)
    return [json.loads(reply) for reply in dialect.message(session, text)]


def asked(dialect: Coinbase, path: str, minute: float = 350.5, **query: object) -> tuple[int, Any]:
    now = START + int(minute * MINUTE)
    reply = dialect.answer(Ask(path, {name: str(value) for name, value in query.items()}, now, now))
    return reply.status, json.loads(reply.body)


def subscribe(*products: str) -> dict[str, Any]:
    return {"type": "subscribe", "product_ids": products, "channels": ["matches", "heartbeat"]}


def test_the_answer_lists_everything_and_the_last_match_follows() -> None:
    session = Session()
    listed, last = told(coinbase(), session, subscribe("BTC-USD"))
    assert listed == {"type": "subscriptions", "channels": [
        {"name": "matches", "product_ids": ["BTC-USD"]}, {"name": "heartbeat", "product_ids": ["BTC-USD"]},
    ]}  # fmt: skip
    assert (last["type"], last["trade_id"], last["price"]) == ("last_match", FIRST + 199, "110.00")
    assert told(coinbase(), session, subscribe("BTC-USD")) == [listed], "it is new no more"
    ended = {**subscribe("BTC-USD"), "type": "unsubscribe"}
    assert told(coinbase(), session, ended) == [{"type": "subscriptions", "channels": []}]


def test_one_bad_product_fails_the_whole_message() -> None:
    session = Session()
    (error,) = told(coinbase(), session, subscribe("BTC-USD", "NONE-USD"))
    assert (error["type"], error["reason"]) == ("error", "NONE-USD is not a valid product")
    assert not session.channels


@pytest.mark.parametrize("message", ["not json", [1], {"type": "shout"}, {"type": "subscribe", "channels": ["x"]}])
def test_what_cannot_be_understood_is_an_error(message: object) -> None:
    (reply,) = told(coinbase(), Session(), message)
    assert reply["type"] == "error"


def test_a_heartbeat_knows_the_number_of_the_last_trade() -> None:
    dialect, session = coinbase(), Session()
    told(dialect, session, subscribe("BTC-USD"))
    (beat,) = map(json.loads, dialect.beat(session))
    assert (beat["type"], beat["last_trade_id"], beat["time"]) == (
        "heartbeat", FIRST + 199, "2024-03-01T00:10:00.000000Z",
    )  # fmt: skip


def test_matches_add_up_to_their_bar() -> None:
    dialect = coinbase()
    stream = Stream("BTC-USD", "trades", ONE)
    ticks = dialect.markets["BTC-USD"].ticks(0)
    matches = [json.loads(text) for tick in ticks for text in dialect.trade_frames(stream, tick, tick.time)]
    assert [match["trade_id"] for match in matches] == list(range(FIRST, FIRST + 20))
    assert sum(round(float(match["size"]) * 10**8) for match in matches) == 250_000_000


def test_who_subscribes_nothing_within_five_seconds_is_sent_away() -> None:
    engine = Engine(coinbase(), START + 10 * MINUTE)
    silent, busy = KeptWire(), KeptWire()
    engine.connect(silent, Session(), "/", engine.now)
    engine.message(engine.connect(busy, Session(), "/", engine.now), json.dumps(subscribe("BTC-USD")), engine.now)
    while (due := engine.next_due) is not None and due <= START + 10 * MINUTE + 6_000:
        engine.run_next()
    assert (len(silent.done), len(busy.done)) == (1, 0)


def test_candles_come_newest_first_low_before_high_and_none_without_trades() -> None:
    bounds = {"start": iso(START + MINUTE), "end": iso(START + 4 * MINUTE)}
    status, rows = asked(coinbase(quiet=(2,)), "/products/BTC-USD/candles", granularity=60, **bounds)
    assert status == 200
    assert [row[0] for row in rows] == [START // 1000 + minute * 60 for minute in (4, 3, 1)], "both bounds count"
    assert rows[-1][1:] == [100.0, 103.0, 101.0, 102.0, 2.5]


@pytest.mark.parametrize(("granularity", "minutes", "status"), [(60, 300, 200), (60, 301, 400), (77, 1, 400)])
def test_more_than_300_candles_are_refused(granularity: int, minutes: int, status: int) -> None:
    bounds = {"start": iso(START), "end": iso(START + minutes * MINUTE)}
    assert asked(coinbase(), "/products/BTC-USD/candles", granularity=granularity, **bounds)[0] == status


def test_trades_are_older_than_the_number_asked_for() -> None:
    _, rows = asked(coinbase(), "/products/BTC-USD/trades", limit=3, after=FIRST + 50)
    assert [row["trade_id"] for row in rows] == [FIRST + 49, FIRST + 48, FIRST + 47]


def test_a_product_that_is_not_listed_is_not_found() -> None:
    assert asked(coinbase(), "/products/NONE-USD/candles") == (404, {"message": "NotFound"})


@pytest.mark.parametrize(
    ("fault", "status"), [("rate_limit", 429), ("ban", 429), ("unavailable", 503), ("region_block", 403)]
)
def test_refusals_have_its_statuses(fault: str, status: int) -> None:
    assert coinbase().refuse(fault, 5, START).status == status
