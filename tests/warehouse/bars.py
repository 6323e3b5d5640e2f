"""Bars and series that the tests of the warehouse share."""

from __future__ import annotations

from pathlib import Path

from btfeeds.market import Bar, Subscription, Symbol, Timeframe

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MARCH = 1_709_251_200_000  # 2024-03-01
APRIL = 1_711_929_600_000  # 2024-04-01
SERIES = Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))
GOLDEN = Path(__file__).parent / "golden"


def bars(count: int, first: int = 0, start: int = MARCH, step: int = MINUTE) -> list[Bar]:
    """`count` bars from the `first` after `start`: 100, 101, 102 ... as opening prices."""
    return [
        Bar(start + number * step, 100.0 + number, 102.5 + number, 99.5 + number, 101.0 + number, 0.5 * number, number)
        for number in range(first, first + count)
    ]
