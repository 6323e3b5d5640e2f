"""Binance's streams as the simulator speaks them: paths, control messages, frames."""

from __future__ import annotations

import json

import pytest

from btfeeds.market import Timeframe
from btfeeds.simulator.binance import Binance
from btfeeds.simulator.dialect import Session, Stream
from tests.shared import shared
from tests.simulator.helpers import MINUTE, START, market, minutes

ONE = Timeframe.parse("1m")


def _binance(name: str = "binance") -> Binance:
    return Binance(name, {"BTCUSDT": market(minutes(20))})


@pytest.mark.parametrize(
    ("path", "query", "channels", "combined"),
    [
        ("/ws", "", [], False),
        ("/ws/btcusdt@kline_1m", "", ["btcusdt@kline_1m"], False),
        ("/ws/a@trade/b@trade", "", ["a@trade", "b@trade"], False),
        ("/stream", "", [], True),
        ("/stream", "streams=a@trade/b@trade", ["a@trade", "b@trade"], True),
    ],
)
def test_a_path_says_what_a_connection_begins_with(path: str, query: str, channels: list[str], combined: bool) -> None:
    session = _binance().open(path, query)
    assert session and (list(session.channels), session.combined, session.silent) == (channels, combined, False)


def test_other_paths_are_not_there() -> None:
    assert _binance().open("/elsewhere", "") is None


@pytest.mark.parametrize(
    ("path", "silent"), [("/market/ws", False), ("/market/stream", False), ("/public/ws", True), ("/ws", True)]
)
def test_futures_send_bars_below_market_only(path: str, silent: bool) -> None:
    session = _binance("binanceusdm").open(path, "")
    assert session and session.silent == silent


def _told(session: Session, message: object) -> object:
    (reply,) = _binance().message(session, message if isinstance(message, str) else json.dumps(message))
    return json.loads(reply)


def test_subscriptions_are_kept_listed_and_ended() -> None:
    session = Session()
    both = ["btcusdt@kline_1m", "btcusdt@aggTrade"]
    assert _told(session, {"method": "SUBSCRIBE", "params": both, "id": 1}) == {"result": None, "id": 1}
    assert _told(session, {"method": "LIST_SUBSCRIPTIONS", "id": 3}) == {"result": both, "id": 3}
    assert _told(session, {"method": "UNSUBSCRIBE", "params": both[:1], "id": "x"}) == {"result": None, "id": "x"}
    assert list(session.channels) == both[1:]


def test_a_connection_can_be_made_combined() -> None:
    session = Session()
    assert _told(session, {"method": "GET_PROPERTY", "params": ["combined"], "id": 1}) == {"result": False, "id": 1}
    _told(session, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 2})
    assert _told(session, {"method": "GET_PROPERTY", "params": ["combined"], "id": 3}) == {"result": True, "id": 3}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json", 3),
        ({"method": "SHOUT", "id": 1}, 2),
        ([1], 2),
        ({"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt"], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@kline_7m"], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [f"s{n}@trade" for n in range(1025)], "id": 1}, 2),
        ({"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1}, 1),
        ({"method": "GET_PROPERTY", "params": ["colour"], "id": 1}, 0),
    ],
)
def test_what_cannot_be_understood_is_an_error(message: object, code: int) -> None:
    session = Session()
    reply = _told(session, message)
    assert isinstance(reply, dict) and reply["error"]["code"] == code
    assert session.channels == {}


@pytest.mark.parametrize(
    ("channel", "stream"),
    [
        ("btcusdt@kline_1m", Stream("BTCUSDT", "bars", ONE)),
        ("btcusdt@kline_1M", Stream("BTCUSDT", "bars", Timeframe(1, "M"))),
        ("btcusdt@trade", Stream("BTCUSDT", "trades", ONE)),
        ("btcusdt@aggTrade", Stream("BTCUSDT", "groups", ONE)),
        ("BTCUSDT@kline_1m", None),
        ("ethusdt@kline_1m", None),
        ("btcusdt@kline_1s", None),
        ("btcusdt@depth", None),
    ],
)
def test_a_channel_carries_what_its_name_says(channel: str, stream: Stream | None) -> None:
    assert _binance().stream(channel) == stream


def test_a_bar_frame_has_every_documented_key() -> None:
    binance = _binance()
    stream = Stream("BTCUSDT", "bars", ONE)
    row = binance.markets["BTCUSDT"].bar(ONE, START, START + MINUTE)
    assert row
    frame = json.loads(binance.bar_frame(stream, row, True, START + MINUTE + 27))
    recorded = json.loads(shared("binance/nautilus/kline_stream_closed.json").read_text(encoding="utf-8"))
    assert list(frame) == list(recorded) and list(frame["k"]) == list(recorded["k"])
    assert (frame["E"], frame["s"]) == (START + 60_027, "BTCUSDT")
    bar = frame["k"]
    assert (bar["t"], bar["T"], bar["i"], bar["n"], bar["x"]) == (START, START + 59_999, "1m", 20, True)
    prices = ("100.00000000", "102.00000000", "99.00000000", "101.00000000", "2.50000000")
    assert tuple(bar[key] for key in "ohlcv") == prices
    assert bar["L"] - bar["f"] + 1 == 20


def test_futures_send_prices_without_padding() -> None:
    binance = _binance("binanceusdm")
    row = binance.markets["BTCUSDT"].bar(ONE, START, START + MINUTE)
    assert row
    bar = json.loads(binance.bar_frame(Stream("BTCUSDT", "bars", ONE), row, True, 0))["k"]
    assert (bar["o"], bar["v"]) == ("100.00", "2.5")


@pytest.mark.parametrize(("name", "keys"), [("binance", "eEsapqflTmM"), ("binanceusdm", "eEsapq nq flTm")])
def test_grouped_trades_have_every_documented_key(name: str, keys: str) -> None:
    binance = _binance(name)
    tick = binance.markets["BTCUSDT"].ticks(0)[0]
    (text,) = binance.trade_frames(Stream("BTCUSDT", "groups", ONE), tick, tick.time + 3)
    frame = json.loads(text)
    assert "".join(f" {key} " if len(key) > 1 else key for key in frame) == keys
    assert (frame["T"], frame["E"], frame["l"]) == (tick.time, tick.time + 3, tick.last_id)


def test_single_trades_add_up_to_their_bar() -> None:
    binance = _binance()
    stream = Stream("BTCUSDT", "trades", ONE)
    ticks = binance.markets["BTCUSDT"].ticks(0)
    trades = [json.loads(text) for tick in ticks for text in binance.trade_frames(stream, tick, tick.time)]
    assert len(trades) == 20
    assert [trade["t"] for trade in trades] == list(range(trades[0]["t"], trades[0]["t"] + 20))
    assert sum(round(float(trade["q"]) * 10**8) for trade in trades) == 250_000_000


def test_frames_are_wrapped_on_combined_connections_only() -> None:
    assert _binance().wrap(Session(), "a@trade", "{}") == "{}"
    assert _binance().wrap(Session(combined=True), "a@trade", "{}") == '{"stream":"a@trade","data":{}}'
