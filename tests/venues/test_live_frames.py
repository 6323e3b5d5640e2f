"""Frames of 2026, captured from the venues: each is understood by its dialect."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from btfeeds import venues
from btfeeds.venues.base import BarUpdate, Event, TradeUpdate, Venue
from tests.shared import shared

# what the file calls a venue → ours
NAMES = {"binance_usdm": "binanceusdm", "coinbase": "coinbaseadvanced"}
# venue → how often which events come; a trade that no dialect asks for is a sign of life
MEANING = {
    "kraken": {"Alive": 2, "Accepted": 1, "Rejected": 1, "BarUpdate": 10},
    "binance": {"BarUpdate": 1, "TradeUpdate": 1},
    "binanceusdm": {"BarUpdate": 2, "TradeUpdate": 1},
    "okx": {"BarUpdate": 1, "Rejected": 1, "TradeUpdate": 1},
    "bybit": {"BarUpdate": 1, "Rejected": 1, "TradeUpdate": 1},
    "coinbaseadvanced": {"Accepted": 1, "TradeUpdate": 3},
    "bitfinex": {"Accepted": 1, "TradeUpdate": 1},
    "bitstamp": {"TradeUpdate": 1},
}


def frames() -> dict[str, list[str]]:
    lines = [json.loads(line) for line in shared("_live_frames/live_frames_2026.jsonl").read_text().splitlines()]
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(NAMES.get(line["venue"], line["venue"]), []).append(line["raw"])
    return found


def test_every_captured_frame_is_of_a_venue_we_have() -> None:
    assert sum(map(len, frames().values())) == 24
    assert set(frames()) == set(MEANING) <= set(venues.names())


@pytest.mark.parametrize("name", MEANING)
def test_every_captured_frame_is_understood(name: str) -> None:
    venue = venues.provider(name, key="key", secret="secret")
    assert isinstance(venue, Venue)
    events: list[Event] = [event for raw in frames()[name] for event in venue.parse_frame(raw)]
    assert Counter(type(event).__name__ for event in events) == MEANING[name]
    assert all(event.bar.fault() == "" for event in events if isinstance(event, BarUpdate))
    for event in events:
        if isinstance(event, TradeUpdate):
            assert all(1_781_000_000_000 < trade.time < 1_791_000_000_000 for trade in event.trades)
