"""Several symbols and timeframes in one Cerebro: one socket, the right bars for each, in one next() when asked to."""

from __future__ import annotations

import threading
from typing import Any

from btfeeds.market import Timeframe, TimeRange, iso
from btfeeds.simulator import serve
from tests.e2e.helpers import MINUTE, START, feed, listening, market, rows, run

SYMBOLS = {"BTC/USDT": 60_000.0, "ETH/USDT": 3_000.0, "SOL/USDT": 150.0}
HISTORY, LIVE = 60, 20
END = START + (HISTORY + LIVE) * MINUTE


def _markets() -> dict[str, object]:
    return {
        symbol: market(HISTORY + LIVE + 60, symbol=symbol, price=price) for symbol, price in SYMBOLS.items()
    }


def test_three_symbols_of_two_timeframes_share_one_socket() -> None:
    markets = _markets()
    wanted = [(symbol, timeframe) for symbol in SYMBOLS for timeframe in ("1m", "5m")]
    sockets: list[int] = []
    with serve("binance", markets, history=HISTORY, speed=450.0) as sim:
        feeds = [feed(sim, *one, name=" ".join(one), todate=iso(END)) for one in wanted]
        met = run(*feeds, act=lambda strategy: sockets.append(sim.connections))
        truth = {
            f"{symbol} {timeframe}": [bar for bar in sim.closed_bars(symbol, timeframe) if bar.open_time < END]
            for symbol, timeframe in wanted
        }
        assert len([entry for entry in sim.log if entry.what == "connect"]) == 1
    assert max(sockets) == 1
    for name, bars in truth.items():
        assert len(bars) == (HISTORY + LIVE) // (5 if name.endswith("5m") else 1)
        assert met.rows[name] == rows(bars), name


def test_the_bars_of_a_minute_come_in_one_next_with_align() -> None:
    with serve("binance", _markets(), history=HISTORY, speed=60.0, quiet="flat") as sim:
        feeds = [feed(sim, symbol, align=30.0, todate=iso(START + (HISTORY + 4) * MINUTE)) for symbol in SYMBOLS]
        met = run(*feeds)
    assert met.moves == [list(SYMBOLS)] * (HISTORY + 4)


def test_histories_stay_in_step_although_the_connection_is_cut_while_they_come_in() -> None:
    count = 3_000
    symbols = ("BTC/USDT", "ETH/USDT")
    markets = {symbol: market(count + 60, seed, symbol) for seed, symbol in enumerate(symbols)}

    def act(strategy: Any) -> None:
        if len(strategy) == 1:
            listening(sim)
            sim.fault("cut:fin")

    with serve("binance", markets, history=count, speed=60.0) as sim:
        feeds = [feed(sim, symbol, todate=iso(START + count * MINUTE)) for symbol in symbols]
        met = run(*feeds, act=act)
    assert any("CONNBROKEN" in words for words in met.words.values())
    assert met.moves == [list(symbols)] * count


def test_a_market_larger_than_a_page_is_loaded_whole() -> None:
    bars = market(2_500)
    with serve("binance", bars, history=2_400, speed=450.0) as sim:
        met = run(feed(sim, todate=iso(START + 2_405 * MINUTE)))
    assert met.rows["BTC/USDT"] == rows(bars[:2_405])


def test_larger_bars_are_the_sums_of_the_minutes_in_them() -> None:
    bars = market(HISTORY + LIVE + 60)
    with serve("binance", bars, history=HISTORY, speed=450.0) as sim:
        met = run(feed(sim, timeframe="5m", todate=iso(END)))
    five = Timeframe.parse("5m")
    for row in met.rows["BTC/USDT"]:
        inside = [bar for bar in bars if bar.open_time in TimeRange(row[0], five.close(row[0]))]
        assert row[2] == max(bar.high for bar in inside)
        assert row[3] == min(bar.low for bar in inside)
        assert row[4] == inside[-1].close
        assert abs(row[5] - sum(bar.volume for bar in inside)) < 1e-6


def test_a_feed_that_has_ended_is_unsubscribed_while_another_goes_on() -> None:
    def told() -> bool:
        return any(entry.what == "message" and "UNSUBSCRIBE" in entry.detail.upper() for entry in sim.log)

    def act(strategy: Any) -> None:
        if strategy.moves[-1] == ["BTC/USDT"] and not waited:
            waited.append(True)
            for _ in range(1_000):
                if told():
                    break
                threading.Event().wait(0.01)
            unsubscribed.append(told())

    waited: list[bool] = []
    unsubscribed: list[bool] = []
    with serve("binance", _markets(), history=HISTORY, speed=60.0, quiet="flat") as sim:
        short = feed(sim, "ETH/USDT", align=30.0, todate=iso(START + (HISTORY + 2) * MINUTE))
        long = feed(sim, "BTC/USDT", align=30.0, todate=iso(START + (HISTORY + 4) * MINUTE))
        met = run(short, long, act=act)
    assert unsubscribed == [True]
    assert (len(met.rows["ETH/USDT"]), len(met.rows["BTC/USDT"])) == (HISTORY + 2, HISTORY + 4)
