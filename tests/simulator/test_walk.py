"""The market that never was: well-formed bars, the same for the same seed."""

from __future__ import annotations

from btfeeds.simulator.walk import bars

START = 1_709_287_200_000


def test_the_same_seed_gives_the_same_bars() -> None:
    assert bars("BTC/USDT", 100.0, START, 50, seed=3) == bars("BTC/USDT", 100.0, START, 50, seed=3)
    assert bars("BTC/USDT", 100.0, START, 50, seed=3) != bars("BTC/USDT", 100.0, START, 50, seed=4)


def test_symbols_differ() -> None:
    assert bars("BTC/USDT", 100.0, START, 50) != bars("ETH/USDT", 100.0, START, 50)


def test_every_minute_has_a_bar_that_can_be_one() -> None:
    made = bars("BTC/USDT", 64_000.0, START, 500)
    assert [bar.open_time for bar in made] == [START + 60_000 * minute for minute in range(500)]
    assert {bar.fault() for bar in made} == {""}


def test_some_minutes_have_no_trade_and_are_flat() -> None:
    quiet = [bar for bar in bars("BTC/USDT", 64_000.0, START, 500) if bar.volume == 0]
    assert 3 < len(quiet) < 40
    assert all(bar.open == bar.high == bar.low == bar.close and bar.trades == 0 for bar in quiet)
