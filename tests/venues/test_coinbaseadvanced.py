"""Advanced Trade's oddities, and what was recorded of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from btfeeds.errors import BadFrame
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, Trade
from btfeeds.venues.base import Accepted, Alive, BarUpdate, ClosingRule, HttpResponse, TradeUpdate
from btfeeds.venues.coinbaseadvanced import CoinbaseAdvanced
from tests.shared import shared

ADVANCED = CoinbaseAdvanced()
OPENED = 1_775_521_800_000
BAR = Bar(OPENED, 68900.0, 68950.0, 68850.0, 68920.5, 42.15)


def candle(time: str) -> Any:
    frame = json.loads(shared("coinbase/nautilus/ws_candles.json").read_text(encoding="utf-8"))
    frame["timestamp"] = time
    (event,) = ADVANCED.parse_frame(json.dumps(frame))
    return event


@pytest.mark.parametrize(("time", "closed"), [
    ("2026-04-07T00:34:59.900000Z", False),
    ("2026-04-07T00:35:00.400000Z", False),  # candles come once a second: this one may be of the second before
    ("2026-04-07T00:35:01.000000Z", True),
])  # fmt: skip
def test_a_candle_is_closed_when_it_is_shown_a_second_behind_its_end(time: str, closed: bool) -> None:
    event = candle(time)
    assert isinstance(event, BarUpdate)
    assert (event.channel, event.bar, event.closed) == ("candles:BTC-USD", BAR, closed)


@pytest.mark.parametrize(("timeframe", "channel", "rule"), [
    ("5m", "candles:BTC-USD", ClosingRule.FLAG),
    ("1m", "market_trades:BTC-USD", ClosingRule.FROM_TRADES),
    ("7m", "market_trades:BTC-USD", ClosingRule.FROM_TRADES),
    ("1h", "market_trades:BTC-USD", ClosingRule.FROM_TRADES),
])  # fmt: skip
def test_only_five_minutes_are_streamed_as_bars(timeframe: str, channel: str, rule: ClosingRule) -> None:
    subscription = Subscription("coinbaseadvanced", Symbol("BTC/USDC"), Timeframe.parse(timeframe))
    assert (ADVANCED.channel(subscription), ADVANCED.closing_rule(subscription)) == (channel, rule)


def test_trades_of_several_products_in_one_frame_are_told_apart() -> None:
    def trade(product: str, number: int) -> dict[str, str]:
        named = {"product_id": product, "trade_id": str(number), "side": "BUY", "time": "2026-04-07T14:30:02.789Z"}
        return {**named, "price": "10", "size": "2"}

    events = [{"type": "update", "trades": [trade("A-USD", 9), trade("B-USD", 5), trade("A-USD", 8)]}]
    made = ADVANCED.parse_frame(json.dumps({"channel": "market_trades", "timestamp": "", "events": events}))
    assert [(event.channel, [t.id for t in event.trades]) for event in made if isinstance(event, TradeUpdate)] == [
        ("market_trades:B-USD", [5]),
        ("market_trades:A-USD", [8, 9]),
    ]


def test_frames_of_2026_are_understood() -> None:
    lines = shared("_live_frames/live_frames_2026.jsonl").read_text(encoding="utf-8").splitlines()
    frames = [line["raw"] for line in map(json.loads, lines) if line["venue"] == "coinbase"]
    events = [event for raw in frames for event in ADVANCED.parse_frame(raw)]
    assert [type(event) for event in events] == [TradeUpdate, TradeUpdate, TradeUpdate, Accepted]
    assert events[2] == TradeUpdate(
        "market_trades:BTC-USD",
        (
            Trade(1_790_527_326_712, 84451.04, 0.00224626, 1099158136),
            Trade(1_790_527_326_745, 84451.04, 0.00046022, 1099158137),
        ),
    )
    assert events[3] == Accepted(channels=("market_trades:BTC-USD",))


def test_recorded_candles_of_history_are_understood() -> None:
    body = shared("coinbase/nautilus/http_candles.json").read_bytes()
    assert ADVANCED.parse_bars(HttpResponse(200, body), Timeframe.parse("1h")) == [
        Bar(1_712_188_800_000, 65984.18, 66387.77, 65857.35, 66314.59, 358.74851052),
        Bar(1_712_192_400_000, 66312.4, 66331.99, 66055.14, 66181.6, 355.82896243),
    ]


@pytest.mark.parametrize(
    ("name", "kind"), [("ws_heartbeats", Alive), ("ws_subscriptions", Accepted), ("ws_market_trades", TradeUpdate)]
)
def test_shapes_of_the_documentation_are_understood(name: str, kind: type) -> None:
    events = list(ADVANCED.parse_frame(shared(f"coinbase/nautilus/{name}.json").read_bytes()))
    assert [type(event) for event in events] == [kind]


def test_trades_that_do_not_name_their_product_are_rejected() -> None:
    frame = shared("coinbase/nautilus/ws_market_trades.json").read_text(encoding="utf-8")
    with pytest.raises(BadFrame):
        ADVANCED.parse_frame(frame.replace("product_id", "product"))
