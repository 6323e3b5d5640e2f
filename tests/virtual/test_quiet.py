"""Real quiet markets in virtual time: no trade is no fault, and a mute subscription is found out all the same."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator

import pytest

from btfeeds.barfile import read
from btfeeds.market import Bar
from btfeeds.venues.binance import Binance
from tests.shared import shared
from tests.virtual.checker import violations
from tests.virtual.schedule import HISTORY_MINUTES, LIVE_MINUTES, MINUTE, START, Fault, Schedule
from tests.virtual.soak import END
from tests.virtual.world import World

WINDOW = HISTORY_MINUTES + LIVE_MINUTES + 10


def played(bars: dict[int, Bar], first: int, *faults: Fault, omits: bool = False) -> tuple[World, list[str]]:
    """Two hours of a real market, as if they were the world's; returns the world and what is wrong."""
    world = World(Schedule(1, True, 0, 0.0, 4_096, (), faults))
    truth = {}
    for minute in range(WINDOW):
        bar = bars.get(first + minute * MINUTE)
        if bar is not None:
            truth[START + (minute - HISTORY_MINUTES) * MINUTE] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    world.venue.truth = truth
    world.venue.allowed = {time: [values] for time, values in truth.items()}
    world.run(END)
    wrong = violations(
        world.log,
        world.venue.allowed,
        start=world.start,
        end=END,
        connects=world.venue.connects,
        early_requests=0,
        omits=omits,
    )
    return world, wrong


def windows(bars: dict[int, Bar], most: int) -> Iterator[int]:
    """Beginnings of two hours each, spread over the whole time."""
    begin, end = min(bars), max(bars) - WINDOW * MINUTE
    step = max(LIVE_MINUTES * MINUTE, (end - begin) // most // MINUTE * MINUTE)
    yield from range(begin, end, step)


def flat_rows() -> dict[int, Bar]:
    """Three weeks with a row for every minute."""
    return {bar.open_time: bar for bar in read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")).bars}


def omitted_rows() -> dict[int, Bar]:
    """A venue that has no row for a minute without trades: most minutes are not there."""
    bars = {}
    with gzip.open(shared("bitfinex/zombie3000/ETHUSD_1m_2016.csv.gz"), "rt") as file:
        for row in csv.reader(file):
            if row[0].isdigit():
                time, o, c, h, lo, v = int(row[0]), *map(float, row[1:6])
                bars[time] = Bar(time, o, h, lo, c, v)
    return bars


def test_minutes_without_trades_cause_no_reconnection_and_no_change_of_status() -> None:
    bars = flat_rows()
    quiet = 0
    for first in windows(bars, 120):
        world, wrong = played(bars, first)
        assert wrong == [] and len(world.venue.connects) == 1, first
        assert [line[2] for line in world.log if line[1] == "status"] == ["DELAYED", "LIVE"]
        quiet += sum(1 for values in world.venue.truth.values() if values[4] == 0)
    assert quiet > 100


def test_minutes_that_the_venue_omits_cause_no_reconnection_and_no_change_of_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Binance, "omits_empty_bars", True)
    bars = omitted_rows()
    omitted = 0
    for first in windows(bars, 120):
        world, wrong = played(bars, first, omits=True)
        if not world.venue.truth or max(world.venue.truth) < END - 10 * MINUTE:
            continue  # the recording itself has a hole, or nobody traded at the end
        assert [found for found in wrong if not found.startswith("I1: no bar")] == [], first
        assert len(world.venue.connects) == 1
        assert [line[2] for line in world.log if line[1] == "status"] == ["DELAYED", "LIVE"]
        assert not any(line[1] == "gap" for line in world.log)
        omitted += WINDOW - len(world.venue.truth)
    assert omitted > 1_000


def test_a_mute_subscription_is_found_out_within_the_grace_and_a_question_in_a_quiet_market_too() -> None:
    bars = flat_rows()
    times = []
    for first in list(windows(bars, 120))[:60]:
        world, wrong = played(bars, first, Fault("mute", 20 * MINUTE, 9 * MINUTE))
        assert wrong == []
        late = {int(line[2]): int(line[0]) - int(line[2]) - MINUTE for line in world.log if line[1] == "bar"}  # type: ignore[call-overload]
        muted = range(START + 20 * MINUTE, START + 28 * MINUTE, MINUTE)
        times += [late[time] for time in muted if world.venue.truth[time][4] > 0]
    times.sort()
    print(f"the bar of a mute subscription is there {times[len(times) // 2]} ms after its close, {times[-1]} at worst")
    assert times[-1] <= 5_000 + 1_000 and len(times) > 300
