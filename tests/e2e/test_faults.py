"""Whatever happens on the way, the strategy meets every closed bar of the venue exactly once, in order."""

from __future__ import annotations

import pytest

from btfeeds.market import iso
from btfeeds.simulator import serve
from btfeeds.simulator.faults import FAULTS
from tests.e2e.helpers import MINUTE, START, accepted, feed, market, rows, run

HISTORY, LIVE = 60, 30
# region_block ends a feed for good: see test_statuses; correct is Alpaca's: see test_venues_bybit_okx_alpaca
CASES = (
    "cut", "cut:fin", "close:1000", "close:1008", "close:1012", "silence", "silence:2m", "mute:BTC/USDT",
    "mute:BTC/USDT,3m", "duplicate", "reorder", "unfinished", "delay:20s", "drip:1m", "rest_lag:5s", "rate_limit:20s",
    "ban:2m", "unavailable:90s", "html:30s", "short_pages:3m", "overlap:3m", "malformed", "shutdown_notice:10s",
)  # fmt: skip
OF_HISTORY = {"rest_lag", "rate_limit", "html", "short_pages", "overlap"}  # met by who asks: a cut makes the feed ask


def test_every_named_fault_has_a_case() -> None:
    assert {case.partition(":")[0] for case in CASES} == set(FAULTS) - {"region_block", "correct"}


@pytest.mark.parametrize("fault", CASES)
def test_the_strategy_meets_exactly_the_venues_bars(fault: str) -> None:
    name, colon, argument = fault.partition(":")
    bars = market(HISTORY + LIVE + 60)
    end = START + (HISTORY + LIVE) * MINUTE
    faults = [f"{name}@{when}{colon}{argument}" for when in ("450s", "13m")]
    if name in OF_HISTORY:
        faults += ["cut@451s", "cut@781s"]
    with serve("binance", bars, history=HISTORY, speed=450.0, faults=faults) as sim:
        met = run(feed(sim, todate=iso(end)))
    assert met.rows["BTC/USDT"] == rows(bars[: HISTORY + LIVE])
    assert accepted(met.words["BTC/USDT"]), met.words


def test_faults_that_come_together_are_survived_together() -> None:
    bars = market(HISTORY + LIVE + 60)
    end = START + (HISTORY + LIVE) * MINUTE
    faults = ["rest_lag@0s:10s", "cut@3m", "unavailable@185s:20s", "duplicate@8m", "mute@9m:BTC/USDT", "cut@12m",
              "malformed@15m", "close@20m:1011", "reorder@22m", "unfinished@25m"]  # fmt: skip
    with serve("binance", bars, history=HISTORY, speed=300.0, faults=faults) as sim:
        met = run(feed(sim, todate=iso(end)))
    assert met.rows["BTC/USDT"] == rows(bars[: HISTORY + LIVE])
    assert accepted(met.words["BTC/USDT"]), met.words
