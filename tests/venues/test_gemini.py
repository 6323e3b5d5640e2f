"""Gemini's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import json
import threading

import pytest

from btfeeds.errors import BadFrame, UnsupportedTimeframe
from btfeeds.live.ring import Revised, Ring
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import Accepted, Event, TradeUpdate
from btfeeds.venues.gemini import Gemini
from tests.venues.model import ModelServer

M, START = 60_000, 1_709_294_400_000
SEVEN = Timeframe.parse("7m")
WINDOW = {"start": None, "end": None, "limit": None, "cap": None, "gives": "newest"}


def test_a_quiet_span_inside_the_window_is_empty_and_no_error() -> None:
    # the answer holds bars before and behind the span, and none of it
    bars = [Bar(START + n * M, 10.0, 11.0, 9.0, 10.0, 1.0) for n in (0, 1, 2, 6, 7)]
    server = ModelServer(Gemini(), WINDOW, bars, START + 20 * M)
    with server.downloader() as downloader:
        assert downloader.bars("BTC/USD", "1m", TimeRange(START + 3 * M, START + 6 * M)) == []
        assert downloader.bars("BTC/USD", "1m", TimeRange(START + 2 * M, START + 7 * M)) == bars[2:4]


@pytest.mark.parametrize(("timeframe", "channel"), [("1m", "candles_1m"), ("7m", "l2"), ("45s", "l2"), ("6h", "l2")])
def test_other_timeframes_than_its_own_are_made_of_trades(timeframe: str, channel: str) -> None:
    subscription = Subscription("gemini", Symbol("BTC/USD"), Timeframe.parse(timeframe))
    assert Gemini().channel(subscription) == f"{channel}:BTCUSD"


def test_days_are_not_as_nobody_hears_all_their_trades() -> None:
    with pytest.raises(UnsupportedTimeframe, match="1m, 5m"):
        Gemini().channel(Subscription("gemini", Symbol("BTC/USD"), Timeframe.parse("1d")))


def heard(*events: Event | None) -> list[object]:
    """What a feed of 7 minutes makes of these. None: the stream broke."""
    tap = Tap(Gemini(), Subscription("gemini", Symbol("BTC/USD"), SEVEN), Ring(50, threading.Lock()), lambda: None)
    for event in events:
        if isinstance(event, TradeUpdate):
            tap.trades("gemini", event)
        elif event is None:
            tap.down("cut")
    return list(iter(tap.ring.get, None))


def trade(minute: float, number: int) -> dict[str, object]:
    return {"type": "trade", "symbol": "BTCUSD", "event_id": number, "timestamp": int(minute * M), "price": "10",
            "quantity": "0.5", "side": "buy"}  # fmt: skip


def frames(*messages: dict[str, object]) -> list[Event]:
    return [event for message in messages for event in Gemini().parse_frame(json.dumps(message))]


def test_trades_before_a_subscription_make_no_bar_and_come_once_over_a_break() -> None:
    base = START // M // 7 * 7
    live = [trade(base + 6.99, 101), trade(base + 7.01, 107), trade(base + 13.95, 120)]
    old = [trade(base + minute, number) for minute, number in ((6.9, 99), (3.5, 60), (-3.5, 50), (-10.5, 40))]
    again = [*reversed(live), *old]
    first, second = (
        {"type": "l2_updates", "symbol": "BTCUSD", "changes": [["buy", "9.99", "1"]], "trades": told}
        for told in (old, again)
    )
    behind = [trade(base + 14.01, 131), trade(base + 20.98, 140), trade(base + 21.01, 150)]
    whole = Bar((base + 7) * M, 10.0, 10.0, 10.0, 10.0, 1.0, 2)
    assert heard(*frames(first, *live), *frames(behind[0])) == [whole]
    met = heard(*frames(first, *live), None, *frames(second, *behind))
    assert [entry for entry in met if isinstance(entry, Bar | Revised)] == [], "of none all trades were heard"
    [confirmed] = frames(first)
    assert confirmed == Accepted(channels=("l2:BTCUSD",))


@pytest.mark.parametrize("frame", [{"type": "l2_updates", "changes": []}, {"type": "trade", "symbol": "BTCUSD"},
                                   {"type": "l2", "symbol": "BTCUSD", "changes": []}])  # fmt: skip
def test_data_of_no_symbol_or_without_content_are_a_bad_frame(frame: dict[str, object]) -> None:
    with pytest.raises(BadFrame):
        frames(frame)


def test_longer_bars_of_history_are_made_of_shorter_ones() -> None:
    assert Gemini().base_timeframe(Timeframe.parse("10m")) == Timeframe.parse("5m")


def test_a_row_with_a_column_more_is_not_understood() -> None:
    frame = {"type": "candles_1m_updates", "symbol": "BTCUSD", "changes": [[START, 10, 11, 9, 10, 1, 5]]}
    with pytest.raises(BadFrame):
        list(Gemini().parse_frame(json.dumps(frame)))


@pytest.mark.parametrize("longer", ["6h", "1d"])
def test_its_days_open_at_four_so_ours_are_made_of_hours(longer: str) -> None:
    assert Gemini().base_timeframe(Timeframe.parse(longer)) == Timeframe.parse("1h")
