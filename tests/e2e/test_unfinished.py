"""No unfinished bar is ever handed over: on stop, after a break and in a quiet market, for every closing rule."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from btfeeds import venues
from btfeeds.live.items import Delivery
from btfeeds.live.stream import Stream
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
from btfeeds.simulator import Simulator, serve
from btfeeds.venues.base import ClosingRule
from tests.e2e.helpers import MINUTE, START, market
from tests.e2e.streaming import values

HISTORY, SPEED = 20, 300.0
LIVE_FROM = START + HISTORY * MINUTE
RULES = {
    ClosingRule.FLAG: ("binance", "BTC/USDT"),
    ClosingRule.ROLL_OVER: ("kraken", "BTC/USD"),
    ClosingRule.CLOSED_ONLY: ("alpacacrypto", "BTC/USD"),
    ClosingRule.FROM_TRADES: ("coinbase", "BTC/USD"),
}


def met(sim: Simulator, rule: ClosingRule, over: Callable[[list[Bar]], bool]) -> list[Bar]:
    """What a stream hands over until `over` says that it is to be closed, and behind that."""
    name, symbol = RULES[rule]
    venue = venues.venue(name, rest_url=sim.rest_url, stream_url=sim.stream_url, key="key", secret="secret")
    subscription = Subscription(name, Symbol(symbol), Timeframe.parse("1m"))
    assert venue.closing_rule(subscription) is rule
    stream, woken, limit = Stream(venue, subscription, clock=sim.clock, start=START), threading.Event(), 30.0
    bars: list[Bar] = []
    stream.open(woken.set)
    end = time.monotonic() + limit
    while not over(bars):
        assert time.monotonic() < end, f"after {len(bars)} bars nothing more came"
        item = stream.pull()
        if isinstance(item, Delivery):
            assert item.bar.open_time + MINUTE <= sim.clock.now(), "its minute is not over"
            bars.append(item.bar)
        elif item is None:
            woken.wait(0.01)
            woken.clear()
    stream.close()
    while not stream.finished:
        item = stream.pull()
        bars += [item.bar] if isinstance(item, Delivery) else []
    return bars


def equal(bars: list[Bar], sim: Simulator, rule: ClosingRule) -> None:
    """They are the venue's own closed bars, each once and in order; most venues have none where nobody traded."""
    with_empty = rule in (ClosingRule.FLAG, ClosingRule.ROLL_OVER)
    truth = [bar for bar in sim.closed_bars(RULES[rule][1], "1m") if bar.volume or with_empty]
    assert values(bars) == values(truth)[: len(bars)]


def past(sim: Simulator, minutes: int) -> Callable[[list[Bar]], bool]:
    """Live bars have come, and at least so many minutes have gone and half of the one under way."""

    def over(bars: list[Bar]) -> bool:
        live, rest = divmod(sim.clock.now() - LIVE_FROM, MINUTE)
        return len(bars) > HISTORY and live >= minutes and MINUTE // 3 < rest < MINUTE - 5_000

    return over


@pytest.mark.parametrize("rule", RULES)
def test_on_stop_the_bar_under_way_stays_behind(rule: ClosingRule) -> None:
    with serve(RULES[rule][0], market(60), symbol=RULES[rule][1], history=HISTORY, speed=SPEED) as sim:
        bars = met(sim, rule, past(sim, 2))
        equal(bars, sim, rule)


@pytest.mark.parametrize("rule", RULES)
def test_after_a_break_the_bar_it_broke_is_whole(rule: ClosingRule) -> None:
    faults = ["cut@90s", "close@210s:1001"]
    with serve(RULES[rule][0], market(60), symbol=RULES[rule][1], history=HISTORY, speed=SPEED, faults=faults) as sim:
        bars = met(sim, rule, lambda bars: len(bars) >= HISTORY + 5)
        equal(bars, sim, rule)
        assert len([entry for entry in sim.log if entry.what == "connect"]) > 1


@pytest.mark.parametrize("rule", RULES)
def test_in_a_quiet_market_a_bar_is_over_when_its_time_is(rule: ClosingRule) -> None:
    bars = list(market(60))
    for number in range(HISTORY + 1, HISTORY + 5):  # so nothing rolls over
        price = bars[number - 1].close
        bars[number] = Bar(bars[number].open_time, price, price, price, price, 0.0, 0)
    with serve(RULES[rule][0], bars, symbol=RULES[rule][1], history=HISTORY, speed=SPEED) as sim:
        found = met(sim, rule, past(sim, 4))
        equal(found, sim, rule)
