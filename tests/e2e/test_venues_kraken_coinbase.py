"""Kraken and Coinbase keep the promise: a real stream against each one's simulator, and every closed bar once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from btfeeds import venues
from btfeeds.live.items import Delivery
from btfeeds.live.stream import Stream
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
from btfeeds.simulator import Simulator, serve
from tests.e2e.helpers import MINUTE, START, market

HISTORY, LIVE = 60, 20
SPEED = 600
BARS = market(HISTORY + LIVE + 60, symbol="BTC/USD")
# closing by roll-over; from trades; by the time of a frame; from trades in batches
KINDS = [("kraken", "1m"), ("coinbase", "1m"), ("coinbaseadvanced", "5m"), ("coinbaseadvanced", "1m")]
OTHERS = [("kraken", "5m"), ("kraken", "7m"), ("coinbase", "7m"), ("coinbaseadvanced", "7m")]
FAULTS = {
    "cut": ("cut@330s", "cut@9m:fin"),
    "mute": ("mute@330s:BTC/USD", "mute@8m:BTC/USD,3m"),
    "silence": ("silence@330s:2m",),
    "damage": ("duplicate@3m", "malformed@330s", "duplicate@7m", "malformed@8m", "delay@9m:20s", "reorder@12m"),
    "rest": ("rest_lag@0s:5s", "cut@4m", "rate_limit@242s:20s", "cut@9m", "unavailable@542s:60s"),
}


def delivered(sim: Simulator, venue: str, timeframe: str, end: int, start: int = START) -> list[Delivery]:
    """What a stream hands over until it ends by itself."""
    subscription = Subscription(venue, Symbol("BTC/USD"), Timeframe.parse(timeframe))
    made = venues.venue(venue, rest_url=sim.rest_url, stream_url=sim.stream_url)
    woken = threading.Event()
    stream = Stream(made, subscription, clock=sim.clock, start=start, until=end)
    stream.open(woken.set)
    met: list[Delivery] = []
    limit = time.monotonic() + 30
    try:
        while not stream.finished and time.monotonic() < limit:
            woken.clear()
            item = stream.pull()
            if isinstance(item, Delivery):
                met.append(item)
            elif item is None:
                due = stream.deadline
                wall = 0.05 if due is None else max(0.0, min(0.05, (due - sim.clock.now()) / 1000 / sim.clock.speed))
                woken.wait(wall)
        assert stream.finished, f"{len(met)} bars, then nothing more"
        assert stream.error is None, stream.error
    finally:
        stream.close()
    return met


def truth(sim: Simulator, venue: str, timeframe: str, end: int) -> list[Bar]:
    """The venue's closed bars as its history has them: Kraken says how many trades, only Kraken has bars of none."""
    bars = [bar for bar in sim.closed_bars("BTC/USD", timeframe) if bar.open_time < end]
    return bars if venue == "kraken" else [bar for bar in bars if bar.volume > 0]


def same(met: Sequence[Delivery], expected: Sequence[Bar]) -> None:
    assert [bar.bar.open_time for bar in met] == [bar.open_time for bar in expected]
    assert [_numbers(bar.bar) for bar in met] == [_numbers(bar) for bar in expected]
    assert all(one.bar.trades in (-1, bar.trades) for one, bar in zip(met, expected, strict=True))


def _numbers(bar: Bar) -> tuple[float, ...]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume


@pytest.mark.parametrize(("venue", "timeframe"), KINDS + OTHERS)
def test_history_is_followed_by_live_bars_without_a_seam(venue: str, timeframe: str) -> None:
    length = Timeframe.parse(timeframe).ms
    start = Timeframe.parse(timeframe).ceil(START)
    end = start + (HISTORY * MINUTE // length + LIVE * MINUTE // length) * length
    with serve(venue, BARS, symbol="BTC/USD", history=HISTORY, speed=SPEED) as sim:
        met = delivered(sim, venue, timeframe, end, start)
        expected = [bar for bar in truth(sim, venue, timeframe, end) if bar.open_time >= start]
    same(met, expected)
    if (venue, timeframe) in KINDS:  # the others have too few bars to be sure that one of them was not late
        assert "live" in {one.source for one in met}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize(("venue", "timeframe"), KINDS)
def test_every_closed_bar_comes_once_whatever_happens(venue: str, timeframe: str, kind: str) -> None:
    end = START + (HISTORY + LIVE) * MINUTE
    with serve(venue, BARS, symbol="BTC/USD", history=HISTORY, speed=SPEED, faults=FAULTS[kind]) as sim:
        met = delivered(sim, venue, timeframe, end)
        same(met, truth(sim, venue, timeframe, end))


@pytest.mark.parametrize(("venue", "timeframe"), KINDS)
def test_a_quiet_market_gives_its_bars_without_waiting_for_the_next_trade(venue: str, timeframe: str) -> None:
    bars = list(market(HISTORY + 60, symbol="BTC/USD"))
    for number in range(HISTORY + 1, HISTORY + 15):  # nobody trades, so nothing rolls over
        price = bars[number - 1].close
        bars[number] = Bar(bars[number].open_time, price, price, price, price, 0.0, 0)
    end = START + (HISTORY + 5) * MINUTE
    with serve(venue, bars, symbol="BTC/USD", history=HISTORY, speed=150) as sim:
        met = delivered(sim, venue, timeframe, end)
        assert sim.clock.now() < START + (HISTORY + 14) * MINUTE, "it waited for a trade"
        same(met, truth(sim, venue, timeframe, end))


@pytest.mark.parametrize("venue", ["kraken", "coinbase"])
def test_bars_of_45_seconds_are_made_of_trades_in_history_and_live(venue: str) -> None:
    three, end = Timeframe.parse("3m"), START + (HISTORY + 9) * MINUTE
    with serve(venue, BARS, symbol="BTC/USD", history=HISTORY, speed=SPEED) as sim:
        met = [one.bar for one in delivered(sim, venue, "45s", end)]
        minutes = truth(sim, venue, "1m", end)
    opens = [bar.open_time for bar in met]
    assert opens == sorted(set(opens)) and all((time - START) % 45_000 == 0 for time in opens)
    # four of them are as long as three minutes, and both were made of the same trades
    for start in range(START, end, three.ms):
        small = [bar for bar in met if start <= bar.open_time < start + three.ms]
        large = [bar for bar in minutes if start <= bar.open_time < start + three.ms and bar.volume > 0]
        assert (small[0].open, small[-1].close) == (large[0].open, large[-1].close)
        assert (max(b.high for b in small), min(b.low for b in small)) == (
            max(b.high for b in large), min(b.low for b in large),
        )  # fmt: skip
        assert sum(b.volume for b in small) == pytest.approx(sum(b.volume for b in large))
