"""When the end of a connection is known before, its successor takes over; the strategy notices nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import btfeeds
from btfeeds import venues
from btfeeds.market import iso
from btfeeds.simulator import Simulator, serve
from tests.e2e.helpers import MINUTE, START, Diary, market, rows, run

HISTORY, LIVE = 20, 26


class Changes(Diary):
    """The changes of status that are not owed to a busy machine."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[str] = []

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        super().notify_data(data, status, *args, **kwargs)
        word = self.words[data._name][-1]
        if args[0] != "behind" and not (word == "LIVE" and "LIVE" in self.changes):
            self.changes.append(word)


def handed_over(sim: Simulator, **facts: Any) -> Any:
    """A run at a venue with other facts than the real one's; returns the strategy."""
    venue = venues.venue("binance", rest_url=sim.rest_url, stream_url=sim.stream_url)
    venue.limits = dataclasses.replace(venue.limits, **facts)
    end = iso(START + (HISTORY + LIVE) * MINUTE)
    return run(
        btfeeds.BaseLiveDataFeed(
            dataname="BTC/USDT", timeframe="1m", venue=venue, fromdate=START, todate=end, clock=sim.clock
        ),
        strategy=Changes,
    )


def connects(sim: Simulator) -> int:
    return sum(1 for entry in sim.log if entry.what == "connect")


def test_a_notice_of_leaving_costs_no_word_and_no_bar() -> None:
    bars = market(HISTORY + LIVE + 60)
    faults = [f"shutdown_notice@{minute}m:2m" for minute in (4, 11, 18)]
    with serve("binance", bars, history=HISTORY, speed=300.0, faults=faults, quiet="flat") as sim:
        met = handed_over(sim)
        log = list(sim.log)
    first = next(at for at, entry in enumerate(log) if entry.what == "connect")
    count = sum(entry.what == "connect" for entry in log)
    notices = sum(entry.what == "fault" for entry in log[first:])  # those before, on a slow machine, met nobody
    assert met.rows["BTC/USDT"] == rows(bars[: HISTORY + LIVE])
    assert met.changes == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert notices > 0 and count == 1 + notices


def test_the_venues_limit_of_a_connections_life_is_anticipated() -> None:
    bars = market(HISTORY + LIVE + 60)
    with serve("binance", bars, history=HISTORY, speed=300.0, quiet="flat") as sim:
        sim._engine.dialect.life = 20 * MINUTE  # a day is too long for a test; both sides know of it
        met = handed_over(sim, connection_life_ms=20 * MINUTE)
        closed = [entry for entry in sim.log if entry.what == "disconnect" and "24 hours" in entry.detail]
        count = connects(sim)
    assert met.rows["BTC/USDT"] == rows(bars[: HISTORY + LIVE])
    assert met.changes == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert count == 3 and not closed, "every ten minutes, before the venue's own end"
