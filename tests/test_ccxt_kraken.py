"""A client that others wrote agrees with the simulator of Kraken: ccxt, with nothing changed in it but its URLs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from btfeeds.market import Bar
from btfeeds.simulator import Simulator, serve
from tests.ccxtrig import MINUTE, real_minutes, redirected, rows_of, watched

ccxt = pytest.importorskip("ccxt")

HISTORY = 3_000


@pytest.fixture(scope="module")
def bars() -> tuple[Bar, ...]:
    return real_minutes()


@pytest.fixture
def sim(bars: tuple[Bar, ...]) -> Iterator[Simulator]:
    with serve("kraken", bars, history=HISTORY, speed=300) as sim:
        yield sim


def test_markets_are_loaded_under_the_old_names_of_coins(sim: Simulator) -> None:
    markets = redirected(ccxt.kraken(), sim).load_markets()
    assert list(markets) == ["BTC/USDT"]
    assert (markets["BTC/USDT"]["id"], markets["BTC/USDT"]["precision"]["price"]) == ("XBTUSDT", 0.01)


def test_the_newest_720_bars_come_in_pages_and_no_older_ones(bars: tuple[Bar, ...]) -> None:
    with serve("kraken", bars, history=HISTORY, speed=0.001) as sim:
        client = redirected(ccxt.kraken({"enableRateLimit": False}), sim)
        rows: list[list[float]] = []
        since = bars[0].open_time
        while since < sim.start:
            page = client.fetch_ohlcv("BTC/USDT", "1m", since=since, limit=200)
            rows += page
            since = page[-1][0] + MINUTE
    # the bar under way is the newest of the 720
    assert rows[:-1] == rows_of(bars[HISTORY - 719 : HISTORY])
    assert rows[-1][0] == sim.start


def test_trades_from_any_instant_on_add_up_to_their_bar(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    trades = redirected(ccxt.kraken(), sim).fetch_trades("BTC/USDT", since=bars[0].open_time)
    bar = next(bar for bar in bars if bar.volume > 0)
    inside = [trade for trade in trades if bar.open_time <= trade["timestamp"] < bar.open_time + MINUTE]
    assert len(inside) == bar.trades if bar.trades > 0 else inside
    assert sum(trade["amount"] for trade in inside) == pytest.approx(bar.volume, abs=1e-9)
    assert [inside[0]["price"], inside[-1]["price"]] == [bar.open, bar.close]


def test_errors_in_good_answers_are_understood(sim: Simulator) -> None:
    client = redirected(ccxt.kraken(), sim)
    client.load_markets()
    with pytest.raises(ccxt.ExchangeError, match="Unknown asset pair"):
        client.publicGetOHLC({"pair": "NONESUCH"})
    sim.fault("rate_limit:1h")
    with pytest.raises(ccxt.DDoSProtection):
        client.publicGetTime()


def test_live_bars_are_those_of_the_file(bars: tuple[Bar, ...]) -> None:
    import ccxt.pro

    with serve("kraken", bars, history=HISTORY, speed=300) as sim:
        seen = asyncio.run(asyncio.wait_for(watched(redirected(ccxt.pro.kraken(), sim), "BTC/USDT", 14), 30))
    truth = {row[0]: row for row in rows_of(bars)}
    assert seen == {time: truth[time] for time in seen}
    assert all(row[5] > 0 for row in seen.values()), "minutes without trades are skipped"
