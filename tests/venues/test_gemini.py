"""Gemini's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import json

import pytest

from btfeeds.errors import BadFrame, UnsupportedTimeframe
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.gemini import Gemini
from tests.venues.model import ModelServer

M, START = 60_000, 1_709_294_400_000
WINDOW = {"start": None, "end": None, "limit": None, "cap": None, "gives": "newest"}


def test_a_quiet_span_inside_the_window_is_empty_and_no_error() -> None:
    # the answer holds bars before and behind the span, and none of it
    bars = [Bar(START + n * M, 10.0, 11.0, 9.0, 10.0, 1.0) for n in (0, 1, 2, 6, 7)]
    server = ModelServer(Gemini(), WINDOW, bars, START + 20 * M)
    with server.downloader() as downloader:
        assert downloader.bars("BTC/USD", "1m", TimeRange(START + 3 * M, START + 6 * M)) == []
        assert downloader.bars("BTC/USD", "1m", TimeRange(START + 2 * M, START + 7 * M)) == bars[2:4]


def test_nothing_but_its_own_timeframes_is_streamed() -> None:
    with pytest.raises(UnsupportedTimeframe, match="1m, 5m"):
        Gemini().channel(Subscription("gemini", Symbol("BTC/USD"), Timeframe.parse("7m")))


def test_longer_bars_of_history_are_made_of_shorter_ones() -> None:
    assert Gemini().base_timeframe(Timeframe.parse("10m")) == Timeframe.parse("5m")


def test_a_row_with_a_column_more_is_not_understood() -> None:
    frame = {"type": "candles_1m_updates", "symbol": "BTCUSD", "changes": [[START, 10, 11, 9, 10, 1, 5]]}
    with pytest.raises(BadFrame):
        list(Gemini().parse_frame(json.dumps(frame)))


@pytest.mark.parametrize("longer", ["6h", "1d"])
def test_its_days_open_at_four_so_ours_are_made_of_hours(longer: str) -> None:
    assert Gemini().base_timeframe(Timeframe.parse(longer)) == Timeframe.parse("1h")
