"""Binance's REST as the simulator speaks it: rows, bounds, errors, weights."""

from __future__ import annotations

import json
from typing import Any

import pytest

from btfeeds.simulator.binance import Binance
from btfeeds.simulator.dialect import Ask, Reply
from tests.shared import shared
from tests.simulator.helpers import MINUTE, START, market, minutes

NOW = START + 1500 * MINUTE + 30_000  # bar 1500 is forming


@pytest.fixture(scope="module")
def markets() -> dict[str, Any]:
    return {"BTCUSDT": market(minutes(3000)), "ETHUSDT": market(minutes(3000), "ETH/USDT")}


@pytest.fixture
def binance(markets: dict[str, Any]) -> Binance:
    return Binance("binance", markets)


def _ask(binance: Binance, name: str, now: int = NOW, api: str = "/api/v3/", **query: object) -> Reply:
    return binance.answer(Ask(api + name, {key: str(value) for key, value in query.items()}, now, now))


def _opens(binance: Binance, **query: object) -> list[int]:
    """The numbers of the bars in an answer of klines."""
    reply = _ask(binance, "klines", symbol="BTCUSDT", **{"interval": "1m", **query})
    assert reply.status == 200
    return [(row[0] - START) // MINUTE for row in json.loads(reply.body)]


def test_without_times_the_newest_500_come_and_the_last_is_forming(binance: Binance) -> None:
    assert _opens(binance) == list(range(1001, 1501))


def test_from_a_start_the_oldest_come_first_and_1000_at_most(binance: Binance) -> None:
    assert _opens(binance, startTime=START + 7 * MINUTE, limit=5000) == list(range(7, 1007))


def test_up_to_an_end_the_newest_come(binance: Binance) -> None:
    assert _opens(binance, endTime=START + 9 * MINUTE, limit=3) == [7, 8, 9]


def test_both_bounds_are_inclusive(binance: Binance) -> None:
    assert _opens(binance, startTime=START + 7 * MINUTE, endTime=START + 9 * MINUTE) == [7, 8, 9]
    assert _opens(binance, startTime=START + 7 * MINUTE + 1, endTime=START + 9 * MINUTE - 1) == [8]


def test_an_end_before_the_start_gives_nothing(binance: Binance) -> None:
    assert _opens(binance, startTime=START + 9 * MINUTE, endTime=START) == []


def test_bars_to_come_are_not_told(binance: Binance) -> None:
    assert _opens(binance, startTime=START + 1501 * MINUTE) == []


def test_a_row_has_twelve_columns_of_the_documented_types(binance: Binance) -> None:
    row = json.loads(_ask(binance, "klines", symbol="BTCUSDT", interval="1m", endTime=START).body)[0]
    recorded = json.loads(shared("binance/nautilus/http_spot_market_klines.json").read_text(encoding="utf-8"))[0]
    assert [type(value) for value in row] == [type(value) for value in recorded]
    assert row[:7] == [
        START, "100.00000000", "102.00000000", "99.00000000", "101.00000000", "2.50000000", START + 59_999,
    ]  # fmt: skip
    assert row[8] == 20


def test_a_minute_without_trades_is_a_flat_row() -> None:
    quiet = Binance("binanceus", {"BTCUSDT": market(minutes(5, quiet=(2,)))})
    query = {"symbol": "BTCUSDT", "interval": "1m", "startTime": START + 2 * MINUTE, "limit": 1}
    row = json.loads(_ask(quiet, "klines", **query).body)[0]
    assert row[1:6] == ["102.00000000"] * 4 + ["0.00000000"]
    assert (row[8], row[9]) == (0, "0.00000000")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "NONESUCH", "interval": "1m"}, -1121),
        ({"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ({"symbol": "BTCUSDT", "interval": "1s"}, -1120),  # the file has minutes
        ({"symbol": "BTC/USDT", "interval": "1m"}, -1100),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "many"}, -1100),
        ({"symbol": "BTCUSDT", "interval": "1m", "startTime": "-5"}, -1100),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": 0}, -1130),
        ({"interval": "1m"}, -1102),
        ({"symbol": "BTCUSDT"}, -1102),
    ],
)
def test_what_is_wrong_with_a_request_is_told_by_number(binance: Binance, query: dict[str, object], code: int) -> None:
    reply = _ask(binance, "klines", **query)
    assert (reply.status, json.loads(reply.body)["code"]) == (400, code)


def test_an_unknown_path_is_not_json(binance: Binance) -> None:
    assert _ask(binance, "nothing").status == 404
    assert binance.answer(Ask("/", {}, NOW, NOW)).status == 404


def test_trades_in_groups_are_found_by_time_and_by_id(binance: Binance) -> None:
    every = json.loads(_ask(binance, "aggTrades", symbol="BTCUSDT", startTime=START, endTime=START + 119_999).body)
    assert len(every) == 16
    assert (every[0]["p"], every[7]["p"]) == ("100.00000000", "101.00000000")
    later = json.loads(_ask(binance, "aggTrades", symbol="BTCUSDT", fromId=every[4]["a"], limit=3).body)
    assert later == every[4:7]
    newest = json.loads(_ask(binance, "aggTrades", symbol="BTCUSDT", limit=2).body)
    assert newest[-1]["T"] <= NOW
    assert newest[1]["a"] == newest[0]["a"] + 1


def test_an_id_and_times_cannot_go_together(binance: Binance) -> None:
    reply = _ask(binance, "aggTrades", symbol="BTCUSDT", fromId=1, startTime=START)
    assert json.loads(reply.body)["code"] == -1128


def test_single_trades_are_the_newest_or_those_from_an_id(binance: Binance) -> None:
    newest = json.loads(_ask(binance, "trades", symbol="BTCUSDT", limit=5).body)
    assert [trade["id"] for trade in newest] == list(range(newest[0]["id"], newest[0]["id"] + 5))
    again = json.loads(_ask(binance, "historicalTrades", symbol="BTCUSDT", fromId=newest[2]["id"], limit=2).body)
    assert again == newest[2:4]


def test_symbols_are_listed_where_they_belong(binance: Binance) -> None:
    def listed(api: str) -> list[str]:
        return [symbol["symbol"] for symbol in json.loads(_ask(binance, "exchangeInfo", api=api).body)["symbols"]]

    assert listed("/api/v3/") == ["BTCUSDT", "ETHUSDT"]
    assert listed("/fapi/v1/") == listed("/dapi/v1/") == []
    reply = _ask(binance, "klines", api="/fapi/v1/", symbol="BTCUSDT", interval="1m")
    assert json.loads(reply.body)["code"] == -1121


def test_time_is_the_simulators(binance: Binance) -> None:
    assert json.loads(_ask(binance, "time").body) == {"serverTime": NOW}


def test_a_day_sums_up_the_last_24_hours(binance: Binance) -> None:
    day = json.loads(_ask(binance, "ticker/24hr", now=START + 1441 * MINUTE - 1, symbol="BTCUSDT").body)
    assert (day["openPrice"], day["lastPrice"]) == ("101.00000000", "1541.00000000")
    assert (day["volume"], day["priceChange"]) == ("3600.00000000", "1440.00000000")
    assert [each["symbol"] for each in json.loads(_ask(binance, "ticker/price").body)] == ["BTCUSDT", "ETHUSDT"]


# --- weights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "limit", "weight"),
    [("binance", 1000, 2), ("binanceus", 1000, 1), ("binanceusdm", 99, 1), ("binanceusdm", 499, 2),
     ("binanceusdm", 1000, 5), ("binanceusdm", 1001, 10)],
)  # fmt: skip
def test_bars_cost_what_is_documented(markets: dict[str, Any], name: str, limit: int, weight: int) -> None:
    binance = Binance(name, markets)
    api = "/fapi/v1/" if name == "binanceusdm" else "/api/v3/"
    reply = _ask(binance, "klines", api=api, symbol="BTCUSDT", interval="1m", limit=limit)
    assert reply.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


def test_futures_give_1500_bars_at_once(markets: dict[str, Any]) -> None:
    reply = _ask(
        Binance("binanceusdm", markets), "klines", api="/fapi/v1/", symbol="BTCUSDT", interval="1m", limit=9999
    )
    assert len(json.loads(reply.body)) == 1500


def test_over_the_limit_comes_429_then_a_ban_and_both_say_until_when(markets: dict[str, Any]) -> None:
    binance = Binance("binanceus", markets)  # 1200 a minute; NOW is 30 s into one
    assert {_ask(binance, "exchangeInfo").status for _ in range(60)} == {200}
    limited = [_ask(binance, "ping") for _ in range(5)]
    assert {(reply.status, reply.headers["Retry-After"]) for reply in limited} == {(429, "30")}
    banned = _ask(binance, "ping")
    assert (banned.status, banned.headers["Retry-After"]) == (418, "120")
    assert json.loads(banned.body)["code"] == -1003
    assert _ask(binance, "ping", now=NOW + 119_000).headers["Retry-After"] == "1"
    assert _ask(binance, "ping", now=NOW + 120_000).status == 200


def test_a_new_minute_has_a_new_budget(markets: dict[str, Any]) -> None:
    binance = Binance("binanceus", markets)
    assert {_ask(binance, "exchangeInfo").status for _ in range(60)} == {200}
    assert _ask(binance, "ping").status == 429
    assert _ask(binance, "ping", now=NOW + 30_000).status == 200


@pytest.mark.parametrize(
    ("reason", "status", "code"), [("rate_limit", 429, -1003), ("ban", 418, -1003), ("region_block", 451, 0)]
)
def test_refusals_read_like_binances(binance: Binance, reason: str, status: int, code: int) -> None:
    reply = binance.refuse(reason, 7, NOW)
    assert (reply.status, json.loads(reply.body)["code"]) == (status, code)
    assert reply.headers.get("Retry-After") == (None if reason == "region_block" else "7")
