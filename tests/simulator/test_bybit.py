"""Bybit as the simulator speaks it: one category, newest rows first, a no inside a yes, pongs of two kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from btfeeds.market import Timeframe
from btfeeds.simulator.bybit import Bybit
from btfeeds.simulator.dialect import Ask, Reply, Session, Stream
from tests.shared import shared
from tests.simulator.helpers import MINUTE, START, market, minutes

NOW = START + 10 * MINUTE + 30_000
ONE = Timeframe.parse("1m")


def bybit(name: str = "bybit") -> Bybit:
    return Bybit(name, {"BTCUSDT": market(minutes(20, quiet=(4,)))})


def kline(dialect: Bybit, **query: Any) -> Any:
    asked = {
        "category": "spot",
        "symbol": "BTCUSDT",
        "interval": "1",
        **{name: str(value) for name, value in query.items()},
    }
    reply = dialect.answer(Ask("/v5/market/kline", asked, NOW, NOW))
    assert reply.status == 200
    return json.loads(reply.body)


def opens(answer: Any) -> list[int]:
    return [(int(row[0]) - START) // MINUTE for row in answer["result"]["list"]]


def test_the_newest_row_comes_first_and_is_forming() -> None:
    answer = kline(bybit(), limit=3)
    assert opens(answer) == [10, 9, 8]
    assert answer["result"]["list"][1] == [str(START + 9 * MINUTE), "109.00", "111.00", "108.00", "110.00", "2.5",
                                           answer["result"]["list"][1][6]]  # fmt: skip
    recorded = json.loads(shared("bybit/nautilus/http_get_klines_linear.json").read_bytes())
    assert set(answer) == set(recorded) and set(answer["result"]) == set(recorded["result"])


def test_both_bounds_count_and_a_start_within_a_bar_means_that_bar() -> None:
    assert opens(kline(bybit(), start=START + 2 * MINUTE, end=START + 4 * MINUTE)) == [4, 3, 2]
    assert opens(kline(bybit(), start=START + 2 * MINUTE + 1, end=START + 4 * MINUTE - 1)) == [3, 2]
    assert opens(kline(bybit(), start=START, end=NOW, limit=2)) == [10, 9], "the newest of the span"


def test_a_minute_without_trades_is_a_flat_row() -> None:
    [row] = kline(bybit(), start=START + 4 * MINUTE, end=START + 4 * MINUTE)["result"]["list"]
    assert row[1:6] == ["104.00", "104.00", "104.00", "104.00", "0"]


@pytest.mark.parametrize("query", [{"symbol": "NONE"}, {"interval": "7"}, {"category": "linear"}, {"limit": "x"}])
def test_a_no_is_an_answer_like_others(query: dict[str, str]) -> None:
    answer = kline(bybit(), **query)
    assert answer["retCode"] == 10001 and answer["result"] == {}


def test_the_601st_request_in_five_seconds_is_sent_away_for_ten_minutes() -> None:
    dialect = bybit()

    def asked(now: int) -> Reply:
        return dialect.answer(Ask("/v5/market/time", {}, now, now))

    assert [asked(NOW).status for _ in range(600)] == [200] * 600
    assert asked(NOW + 4_999).status == 403
    assert asked(NOW + 500_000).status == 403
    assert asked(NOW + 4_999 + 600_000).status == 200


@pytest.mark.parametrize(("name", "path"), [("bybit", "spot"), ("bybitlinear", "linear"), ("bybitinverse", "inverse")])
def test_each_category_has_its_path(name: str, path: str) -> None:
    assert bybit(name).open(f"/v5/public/{path}", "") is not None
    assert bybit(name).open("/v5/public/option", "") is None


def told(dialect: Bybit, session: Session, message: object) -> Any:
    [reply] = dialect.message(session, message if isinstance(message, str) else json.dumps(message))
    return json.loads(reply)


def test_subscriptions_are_confirmed_by_number() -> None:
    dialect, session = bybit("bybitlinear"), Session()
    said = {"req_id": "7", "op": "subscribe", "args": ["kline.1.BTCUSDT", "publicTrade.BTCUSDT"]}
    reply = told(dialect, session, said)
    assert (reply["success"], reply["req_id"], reply["op"]) == (True, "7", "subscribe")
    assert list(session.channels) == said["args"]
    told(dialect, session, {"op": "unsubscribe", "args": ["kline.1.BTCUSDT"]})
    assert list(session.channels) == ["publicTrade.BTCUSDT"]


def test_one_bad_topic_fails_them_all() -> None:
    session = Session()
    reply = told(bybit(), session, {"req_id": "7", "op": "subscribe", "args": ["kline.1.BTCUSDT", "kline.1.NONE"]})
    assert (reply["success"], reply["ret_msg"]) == (False, "error:handler not found,topic:kline.1.NONE")
    assert session.channels == {}


def test_spot_takes_ten_topics_at_once() -> None:
    said = {"op": "subscribe", "args": ["kline.1.BTCUSDT"] * 11}
    assert told(bybit(), Session(), said)["success"] is False
    assert told(bybit("bybitlinear"), Session(), said)["success"] is True


def test_pongs_differ_by_category() -> None:
    ping = {"req_id": "9", "op": "ping"}
    assert told(bybit(), Session(), ping)["req_id"] == "9"
    assert told(bybit("bybitlinear"), Session(), ping)["req_id"] == ""
    assert told(bybit(), Session(), "nonsense")["success"] is False


def test_a_bar_frame_has_every_documented_key() -> None:
    dialect = bybit()
    row = dialect.markets["BTCUSDT"].bar(ONE, START, START + MINUTE)
    assert row
    frame = json.loads(dialect.bar_frame(Stream("BTCUSDT", "bars", ONE), row, True, START + MINUTE + 27))
    recorded = json.loads(shared("bybit/nautilus/ws_kline.json").read_bytes())
    assert list(frame) == list(recorded) and list(frame["data"][0]) == list(recorded["data"][0])
    assert (frame["topic"], frame["ts"], frame["data"][0]["confirm"]) == ("kline.1.BTCUSDT", START + MINUTE + 27, True)
