"""Bybit, OKX and Alpaca keep the promise: a real stream against each one's simulator, and every closed bar once."""

from __future__ import annotations

import pytest

from btfeeds import venues
from btfeeds.clock import ManualClock
from btfeeds.errors import UnsupportedTimeframe
from btfeeds.live.items import Gap
from btfeeds.live.stream import Stream
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
from btfeeds.simulator import serve
from tests.e2e.helpers import MINUTE, START, market
from tests.e2e.streaming import follow, values

HISTORY, LIVE = 40, 15
END = START + (HISTORY + LIVE) * MINUTE
VENUES = [
    ("bybit", "BTC/USDT"), ("bybitlinear", "BTC/USDT:USDT"), ("okx", "BTC/USDT"), ("alpacacrypto", "BTC/USD"),
    ("alpaca", "AAPL"),
]  # fmt: skip
DIALECTS = [VENUES[0], VENUES[2], VENUES[3]]
FAULTS = (
    "cut", "cut:fin", "close:1001", "silence:2m", "mute", "mute:{symbol},3m", "duplicate", "reorder", "unfinished",
    "delay:20s", "drip:30s", "rest_lag:5s", "rate_limit:20s", "ban:2m", "unavailable:90s", "malformed",
    "shutdown_notice:10s",
)  # fmt: skip


def expected(venue: str, bars: list[Bar]) -> list[Bar]:
    """What the venue's history has: Alpaca has no row for a minute without trades."""
    return [bar for bar in bars if bar.volume or not venue.startswith("alpaca")]


@pytest.mark.parametrize(("venue", "symbol"), VENUES)
def test_history_is_followed_by_live_bars_without_a_seam(venue: str, symbol: str) -> None:
    bars = list(market(HISTORY + LIVE + 60, symbol=symbol))
    with serve(venue, bars, symbol=symbol, history=HISTORY, speed=300) as sim:
        met = follow(sim, venue, symbol, start=START, until=END)
    assert met.values == values(expected(venue, bars[: HISTORY + LIVE]))
    assert {"history", "live"} <= set(met.sources)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("venue", "symbol"), DIALECTS)
def test_every_closed_bar_comes_once_whatever_happens(venue: str, symbol: str, fault: str) -> None:
    name, colon, argument = fault.format(symbol=symbol).partition(":")
    bars = list(market(HISTORY + LIVE + 60, symbol=symbol))
    faults = [f"{name}@{when}{colon}{argument}" for when in ("150s", "7m")]
    # what Alpaca sends has no time in it: an unfinished bar that comes after its end is not known for one
    speed = 100 if (venue, fault) == ("alpacacrypto", "unfinished") else 400
    with serve(venue, bars, symbol=symbol, history=HISTORY, speed=speed, faults=faults) as sim:
        met = follow(sim, venue, symbol, start=START, until=END)
    assert met.values == values(expected(venue, bars[: HISTORY + LIVE]))


@pytest.mark.parametrize("quiet", ["silent", "flat"])
@pytest.mark.parametrize(("venue", "symbol"), DIALECTS)
def test_a_quiet_market_ends_in_time_and_without_a_wrong_bar(venue: str, symbol: str, quiet: str) -> None:
    bars = list(market(HISTORY + 60, symbol=symbol))
    for number in range(HISTORY + 3, HISTORY + 45):
        price = bars[number - 1].close
        bars[number] = Bar(bars[number].open_time, price, price, price, price, 0.0, 0)
    if venue.startswith("alpaca") and quiet == "flat":
        pytest.skip("Alpaca sends no bar for a minute without trades")
    with serve(venue, bars, symbol=symbol, history=HISTORY, speed=300, quiet=quiet) as sim:
        met = follow(sim, venue, symbol, start=START, until=START + (HISTORY + 10) * MINUTE)
        assert sim.clock.now() < START + (HISTORY + 45) * MINUTE, "it waited for a trade"
    assert met.values == values(expected(venue, bars[: HISTORY + 10]))


def test_a_late_trade_corrects_a_minute_that_was_handed_over() -> None:
    bars = list(market(HISTORY + LIVE + 60, symbol="AAPL"))
    with serve("alpaca", bars, symbol="AAPL", history=HISTORY, speed=100, faults=["correct@330s:20s"]) as sim:
        met = follow(sim, "alpaca", "AAPL", start=START, until=START + (HISTORY + 12) * MINUTE)
    truth = values(expected("alpaca", bars[: HISTORY + 12]))
    [correction] = met.corrections
    place = truth.index(values([correction.after])[0])
    assert truth[place][0] == START + (HISTORY + 5) * MINUTE
    assert values([correction.before])[0] == met.values[place] != truth[place]
    assert [*met.values[:place], truth[place], *met.values[place + 1 :]] == truth


def test_a_key_that_is_refused_ends_the_feed_with_advice() -> None:
    bars = list(market(HISTORY + 60, symbol="AAPL"))
    with (
        serve("alpaca", bars, symbol="AAPL", history=HISTORY, speed=100) as sim,
        pytest.raises(AssertionError, match="BTFEEDS_ALPACA_API_KEY"),
    ):
        follow(sim, "alpaca", "AAPL", start=None, until=END, key="wrong")


def test_bars_that_no_history_can_give_come_live_and_across_a_break_a_gap_is_said() -> None:
    bars, begin = list(market(HISTORY + 60, symbol="BTC/USDT")), START + HISTORY * MINUTE
    with serve("bybit", bars, symbol="BTC/USDT", history=HISTORY, speed=300, faults=["cut@5m"]) as sim:
        met = follow(sim, "bybit", "BTC/USDT", "45s", start=None, until=begin + 12 * MINUTE)
    opens = [bar.open_time for bar in met.bars]
    assert opens == sorted(set(opens)) and all((time - START) % 45_000 == 0 for time in opens)
    gaps = [notice.payload for notice in met.notices if isinstance(notice.payload, Gap)]
    assert len(opens) >= 10 and set(met.sources) == {"live"}
    missing = set(range(opens[0], begin + 12 * MINUTE, 45_000)) - set(opens)
    assert missing and all(any(gap.start <= time < gap.end for gap in gaps) for time in missing), (missing, gaps)
    # bars that were whole add up: four of them are as long as three minutes
    for start in (time for time in opens if (time - START) % (3 * MINUTE) == 0):
        small = [bar for bar in met.bars if start <= bar.open_time < start + 3 * MINUTE]
        large = bars[(start - START) // MINUTE :][:3]
        if len(small) == 4:
            assert (small[0].open, small[-1].close) == (large[0].open, large[-1].close)
            assert sum(bar.volume for bar in small) == pytest.approx(sum(bar.volume for bar in large))


def test_bars_that_no_history_can_give_are_refused_with_history() -> None:
    venue = venues.venue("bybit", rest_url="http://127.0.0.1:9", stream_url="ws://127.0.0.1:9")
    subscription = Subscription("bybit", Symbol("BTC/USDT"), Timeframe.parse("45s"))
    stream = Stream(venue, subscription, clock=ManualClock(START), start=START)
    stream.open(lambda: None)
    assert isinstance(stream.error, UnsupportedTimeframe) and "history=None" in stream.error.advice
    stream.close()
