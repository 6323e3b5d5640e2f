"""Coinbase Exchange's oddities, and a recorded half minute of its matches."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

from btfeeds.live.aggregate import TradeBars, bars_from_trades
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade, iso
from btfeeds.venues.base import Accepted, Alive, TradesSeen, TradeUpdate
from btfeeds.venues.coinbase import Coinbase
from tests.shared import shared

COINBASE = Coinbase()
SECOND = Timeframe.parse("1s")
MINUTE = Timeframe.parse("1m")


def capture() -> list[str]:
    """The frames of the recording, without what the client sent."""
    lines = shared("coinbase/cryptofeed/COINBASE.ws.28.0").read_text(encoding="utf-8").splitlines()
    return [frame for time, _, frame in (line.partition(": ") for line in lines) if time.replace(".", "").isdigit()]


def test_all_9_946_recorded_frames_are_understood() -> None:
    kinds = Counter(type(event) for frame in capture() for event in COINBASE.parse_frame(frame))
    assert sum(kinds.values()) == 9_946
    assert kinds == {TradeUpdate: 107, Accepted: 3, Alive: 9_836}


def test_every_recorded_match_is_in_the_bar_of_its_own_time() -> None:
    made: dict[str, list[Trade]] = defaultdict(list)
    expected: dict[tuple[str, str], list[float]] = defaultdict(list)
    for frame in capture():
        for event in COINBASE.parse_frame(frame):
            if isinstance(event, TradeUpdate):
                made[event.channel] += event.trades
        said = json.loads(frame)
        if said["type"] in ("match", "last_match"):
            expected[f"matches:{said['product_id']}", said["time"][:19]].append(float(said["size"]))
    found = {
        (channel, iso(bar.open_time).rstrip("Z")): (bar.volume, bar.trades)
        for channel, trades in made.items()
        for bar in bars_from_trades(sorted(trades, key=lambda trade: trade.id), SECOND)
    }
    assert found == {key: (round(sum(sizes), 10), len(sizes)) for key, sizes in expected.items()}
    assert sum(len(sizes) for sizes in expected.values()) == 107


def test_a_heartbeat_that_knows_a_later_trade_makes_the_bar_doubtful() -> None:
    bars = TradeBars(MINUTE)
    for number, second in enumerate((0, 60, 61), 1):
        assert not bars.add(Trade(second * 1000, 10.0, 1.0, number))
    (seen,) = COINBASE.parse_frame('{"type":"heartbeat","last_trade_id":4,"product_id":"BTC-USD"}')
    assert isinstance(seen, TradesSeen) and seen == TradesSeen("matches:BTC-USD", 4)
    bars.seen(seen.last_id)
    assert not bars.add(Trade(120_000, 10.0, 1.0, 5)), "trade 4 was lost: history gives the bar"


def test_the_last_match_before_a_subscription_makes_the_next_bar_whole() -> None:
    bars = TradeBars(MINUTE)
    frame = {"type": "last_match", "trade_id": 7, "size": "1", "price": "10", "product_id": "A-B"}
    (last,) = COINBASE.parse_frame(json.dumps({**frame, "time": "2021-04-17T16:43:37.089723Z"}))
    assert isinstance(last, TradeUpdate)
    bars.add(last.trades[0])
    opened = MINUTE.floor(last.trades[0].time) + 60_000
    bars.add(Trade(opened + 5, 11.0, 2.0, 8))
    assert bars.add(Trade(opened + 60_000, 12.0, 1.0, 9)) == [Bar(opened, 11.0, 11.0, 11.0, 11.0, 2.0, 1)]


def test_no_request_is_for_more_than_300_candles() -> None:
    start = 1_709_251_200_000
    request = COINBASE.bars_request(Symbol("BTC/USD"), MINUTE, TimeRange(start, start + 300 * 60_000))
    assert request.path == "/products/BTC-USD/candles"
    assert dict(request.params) == {"granularity": "60", "start": "2024-03-01T00:00:00Z", "end": "2024-03-01T04:59:00Z"}
