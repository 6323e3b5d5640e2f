"""The same symbol on two venues in one Cerebro, and a venue that is down beside one that is up."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import btfeeds
from btfeeds.market import iso
from btfeeds.simulator import serve
from tests.e2e.helpers import MINUTE, START, Diary, market, rows, run

HISTORY, LIVE, SPEED = 60, 10, 600.0
END = START + (HISTORY + LIVE) * MINUTE
HERE = market(HISTORY + LIVE + 60, 1, symbol="BTC/USD", price=60_000.0)
THERE = market(HISTORY + LIVE + 60, 2, symbol="BTC/USD", price=61_000.0)
DOWN_S = 8.0  # at most; the one that is up needs less than a second, and another waits for its first page


def feed(venue: str, sim: Any, *, rest_url: str = "", stream_url: str = "", **params: Any) -> Any:
    made = btfeeds.live(
        venue, "BTC/USD", "1m", fromdate=iso(START), clock=sim.clock,
        rest_url=rest_url or sim.rest_url, stream_url=stream_url or sim.stream_url, **params,
    )  # fmt: skip
    made._name = venue
    return made


@contextlib.contextmanager
def port(*, listening: bool) -> Iterator[str]:
    """Host and port of somebody who accepts and never says a word; or of nobody."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        if listening:
            sock.listen(50)
        yield f"127.0.0.1:{sock.getsockname()[1]}"


def test_one_symbol_on_two_venues_is_two_markets() -> None:
    with (
        serve("kraken", HERE, symbol="BTC/USD", history=HISTORY, speed=SPEED) as here,
        serve("coinbase", THERE, symbol="BTC/USD", history=HISTORY, speed=SPEED) as there,
    ):
        met = run(*(feed(venue, sim, todate=iso(END)) for venue, sim in (("kraken", here), ("coinbase", there))))
        truth = [bar for bar in there.closed_bars("BTC/USD", "1m") if bar.open_time < END and bar.volume > 0]
    assert met.rows["kraken"] == rows(HERE[: HISTORY + LIVE])
    assert met.rows["coinbase"] == rows(truth)


@pytest.mark.parametrize("fails", ["refuses", "accepts and is silent", "streams, and its history hangs"])
def test_a_venue_that_is_down_does_not_delay_the_bars_of_another(fails: str) -> None:
    def enough(strategy: Diary) -> None:
        if len(strategy.rows["kraken"]) >= HISTORY + LIVE:
            strategy.env.runstop()

    with contextlib.ExitStack() as stack:
        up = stack.enter_context(serve("kraken", HERE, symbol="BTC/USD", history=HISTORY, speed=SPEED))
        where = stack.enter_context(port(listening=fails != "refuses"))
        hosts = {"rest_url": f"http://{where}", "stream_url": f"ws://{where}"}
        if fails == "streams, and its history hangs":
            other = stack.enter_context(serve("coinbase", THERE, symbol="BTC/USD", history=HISTORY, speed=SPEED))
            hosts["stream_url"] = other.stream_url
        met = run(feed("kraken", up), feed("coinbase", up, **hosts), act=enough, seconds=DOWN_S)
    assert met.rows["kraken"] == rows(HERE[: len(met.rows["kraken"])])
    assert len(met.rows["kraken"]) >= HISTORY + LIVE, met.words
