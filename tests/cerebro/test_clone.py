"""A second view of a feed keeps pace with it, whatever Cerebro puts off, and comes in the order of time."""

from __future__ import annotations

import backtrader as bt
import pytest

from tests.cerebro.test_resample import MIN, bars, resampled, rounds, tally
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, Diary, bar, feed


def test_a_larger_bar_that_was_held_back_loses_none_of_the_bars_behind_it() -> None:
    # The other feed has an older bar, so Cerebro takes this feed's bars back for a round.
    a = feed(DELAYED, *bars(NOON, NOON + 10 * MINUTE), LIVE, END, symbol="A/USDT", settled=NOON)
    b = feed(DELAYED, bar(NOON + 3 * MINUTE), bar(NOON + 4 * MINUTE), LIVE, END, symbol="B/USDT", settled=NOON + 10**9)
    late = feed(DELAYED, LIVE, bar(NOON + 2 * MINUTE), END, symbol="C/USDT", settled=NOON + 10**9)
    cerebro = bt.Cerebro(stdstats=False)
    for data in (a, b, late):
        cerebro.adddata(data)
    cerebro.resampledata(a, timeframe=MIN, compression=5)
    cerebro.addstrategy(Diary)
    assert tally(cerebro.run()[0])["A/USDT 5m", 5] == 2


def test_a_larger_bar_shown_again_after_an_older_bar_of_another_feed_counts_once() -> None:
    a = feed(DELAYED, *bars(NOON, NOON + 10 * MINUTE), LIVE, END, symbol="A/USDT", settled=NOON)
    nothing = [lambda: None] * 8  # asked twice in each of the first four rounds
    b = feed(LIVE, *nothing, bar(NOON + MINUTE), END, symbol="B/USDT", settled=NOON + 10**9)
    cerebro = bt.Cerebro(stdstats=False)
    for data in (a, b):
        cerebro.adddata(data)
    cerebro.resampledata(a, timeframe=MIN, compression=5)
    cerebro.addstrategy(Diary)
    pages = rounds(cerebro.run()[0])
    assert pages[4] == {"B/USDT": ("01 12:02", 1)}
    assert pages[5] == {"A/USDT": ("01 12:05", 1), "A/USDT 5m": ("01 12:05", 5)}
    assert pages[-1] == {"A/USDT": ("01 12:10", 1), "A/USDT 5m": ("01 12:10", 5)}


def test_a_larger_bar_of_a_larger_bar_waits_for_its_last_part() -> None:
    data = feed(DELAYED, *bars(NOON, NOON + 13 * MINUTE), LIVE, settled=NOON)
    stream = data.p.stream
    stream.items.extend([lambda: setattr(stream, "settled", NOON + 15 * MINUTE), lambda: None, lambda: None, END])
    assert tally(resampled(data, (MIN, 5), (MIN, 15), plain=False))["BTC/USDT 15m", 13] == 1


def test_a_larger_bar_waits_for_a_bar_that_align_holds_back() -> None:
    a = feed(DELAYED, LIVE, *bars(NOON, NOON + 5 * MINUTE), END, symbol="A/USDT", settled=NOON, align=2.0)
    idle = [lambda: None] * 6
    source = bars(NOON, NOON + 5 * MINUTE)
    b = feed(DELAYED, LIVE, *source[:4], *idle, source[4], END, symbol="B/USDT", settled=NOON, align=2.0)
    cerebro = bt.Cerebro(stdstats=False)
    for data in (a, b):
        cerebro.adddata(data)
    cerebro.resampledata(a, timeframe=MIN, compression=5)
    cerebro.addstrategy(Diary)
    volumes = {name: volume for name, (_, volume) in rounds(cerebro.run()[0])[-1].items()}
    assert volumes == {"A/USDT": 1, "B/USDT": 1, "A/USDT 5m": 5}


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_larger_bar_of_a_quiet_feed_waits_for_older_bars_of_another_history(order: str) -> None:
    # nobody trades B from 12:03 to 12:07; A's next page of history takes its time
    page, next_page = bars(NOON, NOON + 3 * MINUTE), bars(NOON + 3 * MINUTE, NOON + 10 * MINUTE)
    quiet = [bar(NOON + minute * MINUTE) for minute in (0, 1, 2, 7, 8, 9)]
    since = {"settled": NOON, "fromdate": "2024-03-01T12:00Z"}
    feeds = {
        "a": feed(DELAYED, *page, *[lambda: None] * 6, *next_page, LIVE, END, symbol="A/USDT", **since),
        "b": feed(DELAYED, *quiet, LIVE, END, symbol="B/USDT", **since),
    }
    cerebro = bt.Cerebro(stdstats=False)
    for name in order:
        cerebro.adddata(feeds[name])
    cerebro.resampledata(feeds["b"], timeframe=MIN, compression=5)
    cerebro.addstrategy(Diary)
    pages = rounds(cerebro.run()[0])
    assert pages[3:6] == [
        {"A/USDT": ("01 12:04", 1)},
        {"A/USDT": ("01 12:05", 1), "B/USDT 5m": ("01 12:05", 3)},
        {"A/USDT": ("01 12:06", 1)},
    ]
