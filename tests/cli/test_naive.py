"""The feed as they are usually written does what they do: it works until something goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from btfeeds import venues
from btfeeds.cli.naive import NaiveFeed, _closed
from btfeeds.cli.verdict import compare
from btfeeds.cli.witness import Witness
from btfeeds.market import Bar
from btfeeds.simulator import serve, walk
from tests.e2e.helpers import run

START = 1_709_287_200_000
HISTORY, LIVE = 30, 15
BARS = walk.bars("BTC/USDT", 100.0, START, HISTORY + LIVE + 10, 2)


def _met(*faults: str) -> list[Bar]:
    """The bars that a strategy meets up to the last live one wanted."""
    bars: list[Bar] = []

    class Collect(Witness):
        def meet(self) -> None:
            super().meet()
            bars.append(self.met[0].last)
            if self.met[0].last.open_time >= START + (HISTORY + LIVE - 1) * 60_000:
                self.env.runstop()

    with serve("binance", BARS, history=HISTORY, speed=300.0, quiet="flat", faults=faults) as sim:
        venue = venues.venue("binance", rest_url=sim.rest_url, stream_url=sim.stream_url)
        make: Any = NaiveFeed
        feed = make(dataname="BTC/USDT", venue=venue, clock=sim.clock, start=START)
        feed._name = "BTC/USDT"
        run(feed, strategy=Collect, seconds=10)
    return [bar for bar in bars if bar.open_time < START + (HISTORY + LIVE) * 60_000]


def test_it_passes_a_duplicate_on() -> None:
    assert compare("", _met("duplicate@330s"), BARS[: HISTORY + LIVE]).duplicate == 1


def test_it_loses_what_closes_while_it_is_away() -> None:
    met = _met("cut@355s", "unavailable@356s:2m")
    assert compare("", met, BARS[: HISTORY + LIVE]).missing >= 1


def test_it_believes_an_unfinished_bar() -> None:
    verdict = compare("", _met("unfinished@330s"), BARS[: HISTORY + LIVE])
    assert verdict.unfinished + verdict.duplicate >= 1


@pytest.mark.parametrize("frame", [None, b"{", b'{"result":null,"id":1}'])
def test_what_is_no_closed_bar_is_passed_over(frame: bytes | None) -> None:
    assert _closed(venues.venue("binance"), frame) == []
