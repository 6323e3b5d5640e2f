"""A small warehouse, and the commands about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from btfeeds.cli import app
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse

M = 60_000
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC
BTC = Subscription("kraken", Symbol("BTC/USD"), Timeframe.parse("1m"))


def bar(minute: int, price: float = 100.0) -> Bar:
    return Bar(NOON + minute * M, price, price + 1, price - 1, price, 2.0, 3)


def span(start: int, end: int) -> TimeRange:
    return TimeRange(NOON + start * M, NOON + end * M)


def fill(folder: Path, series: Subscription = BTC, minutes: int = 10, *, price: float = 100.0) -> None:
    """Bars with a minute that the venue did not have, and three that nobody was asked about."""
    with Warehouse(folder) as warehouse:
        bars = [bar(minute, price + minute % 3) for minute in range(minutes) if minute != 4]
        warehouse.add(series, bars, provider=series.venue, span=span(0, minutes))
        warehouse.add(series, [bar(minutes + 3, price)], provider=f"{series.venue} live")


class Shell:
    """Runs `btfeeds warehouse …` on one folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.err = ""

    def __call__(self, *args: str, code: int = 0) -> str:
        """What it prints; it has to end with `code`."""
        assert app._run(["warehouse", *args, "--warehouse", str(self.folder)]) == code
        told = self._capsys.readouterr()
        self.err = told.err
        return told.out

    def json(self, *args: str, code: int = 0) -> Any:
        out = self(*args, "--json", code=code)
        return json.loads(out)
