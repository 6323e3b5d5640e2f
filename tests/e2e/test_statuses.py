"""The words a strategy meets, in their places between the bars."""

from __future__ import annotations

from btfeeds.errors import RegionBlocked, UnknownSymbol, UnsupportedTimeframe
from btfeeds.market import iso
from btfeeds.simulator import serve
from tests.e2e.helpers import MINUTE, START, Diary, accepted, feed, market, run

HISTORY = 30


class Held(Diary):
    """Writes down the word under which each bar was met."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[str, int]] = []

    def next(self) -> None:
        super().next()
        name = self.data._name
        self.pairs.append((self.words[name][-1], self.rows[name][-1][0]))


def test_history_is_delayed_and_then_the_feed_is_live() -> None:
    with serve("binance", market(80), history=HISTORY, speed=90.0, quiet="flat") as sim:
        met = run(feed(sim, todate=iso(START + (HISTORY + 3) * MINUTE)), strategy=Held)
        first = sim.start
    assert met.words["BTC/USDT"] == ["DELAYED", "LIVE", "DISCONNECTED"]
    assert {word for word, time in met.pairs if time < first} == {"DELAYED"}
    assert met.pairs[-1][0] == "LIVE"


def test_around_a_cut_the_words_are_broken_connected_delayed_live() -> None:
    with serve("binance", market(120), history=HISTORY, speed=300.0, faults=["cut@10m"], quiet="flat") as sim:
        met = run(feed(sim, todate=iso(START + (HISTORY + 25) * MINUTE)), strategy=Held)
        cut = next(entry.time for entry in sim.log if entry.what == "fault")
    words = met.words["BTC/USDT"]
    assert words == ["DELAYED", "LIVE", "CONNBROKEN", "CONNECTED", "DELAYED", "LIVE", "DISCONNECTED"]
    assert all(time + MINUTE <= cut for word, time in met.pairs if word == "CONNBROKEN")


def test_an_unknown_symbol_is_not_subscribed_and_the_others_go_on() -> None:
    with serve("binance", market(80), history=HISTORY, speed=90.0) as sim:
        good = feed(sim, todate=iso(START + (HISTORY + 3) * MINUTE))
        bad = feed(sim, "DOGE/USDT")
        met = run(good, bad)
    assert met.words["DOGE/USDT"][-2:] == ["NOTSUBSCRIBED", "DISCONNECTED"]
    assert accepted(met.words["DOGE/USDT"])
    assert isinstance(bad.error, UnknownSymbol)
    assert len(met.rows["BTC/USDT"]) == HISTORY + 3
    assert met.words["BTC/USDT"] == ["DELAYED", "LIVE", "DISCONNECTED"]


def test_an_unknown_symbol_is_told_without_history_too() -> None:
    with serve("binance", market(80), history=HISTORY, speed=300.0) as sim:
        bad = feed(sim, "DOGE/USDT", history=None)
        met = run(bad)
    assert met.words["DOGE/USDT"][-2:] == ["NOTSUBSCRIBED", "DISCONNECTED"]
    assert isinstance(bad.error, UnknownSymbol)


def test_a_timeframe_that_nothing_gives_is_not_supported() -> None:
    with serve("binance", market(80), history=HISTORY, speed=300.0) as sim:
        bad = feed(sim, "BTC/USDT", "3d")
        met = run(bad)
    assert met.words["BTC/USDT"] == ["NOTSUPPORTED_TF", "DISCONNECTED"]
    assert isinstance(bad.error, UnsupportedTimeframe)


def test_a_blocked_region_ends_the_feed() -> None:
    with serve("binance", market(80), history=HISTORY, speed=300.0, faults=["region_block@0s"]) as sim:
        blocked = feed(sim)
        met = run(blocked, seconds=15)
    assert met.words["BTC/USDT"][-1] == "DISCONNECTED"
    assert accepted(met.words["BTC/USDT"])
    assert isinstance(blocked.error, RegionBlocked)


def test_disconnected_is_the_last_word_of_a_run_that_is_stopped() -> None:
    with serve("binance", market(80), history=HISTORY, speed=300.0) as sim:
        met = run(feed(sim), act=lambda strategy: strategy.env.runstop() if len(strategy.data) > 35 else None)
    assert met.words["BTC/USDT"][-1] == "DISCONNECTED"
    assert accepted(met.words["BTC/USDT"])
