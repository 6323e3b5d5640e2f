from __future__ import annotations

from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from btfeeds.cerebro.guest import Guest, guest_of
from btfeeds.cerebro.wake import Wake, wake_of
from btfeeds.feeds import BaseLiveDataFeed
from btfeeds.live.items import Notice
from btfeeds.live.status import Status
from tests.cerebro.test_wake import Wall, beginner, hold
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, Diary, bar, feed, run

HOUR = 60 * MINUTE


def hours(count: int, *, first: str = "2024-03-01 12:00", freq: str = "h", **params: Any) -> BaseLiveDataFeed:
    index = pd.date_range(first, periods=count, freq=freq)
    table = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0), index=index)
    return BaseLiveDataFeed(dataname=table, timeframe="1h" if freq == "h" else "1m", name="H", **params)


def pages(*feeds: Any) -> list[Any]:
    return [page for page in run(*feeds).pages if isinstance(page, dict)]


# --- its turn --------------------------------------------------------------------------------------------------------


def test_a_bar_waits_until_the_live_feed_has_given_what_belongs_before_it() -> None:
    wake, wall = Wake(), Wall()
    minutes = beginner(wall, "kraken")
    wake.join(minutes)
    guest = Guest(wake, by_close=False)
    assert not guest.goes(NOON + 2 * MINUTE)
    assert (guest.waits, guest.ready) == (True, False)
    hold(minutes, NOON)
    assert guest.waits, "12:01 is first"
    hold(minutes, NOON + MINUTE)
    assert not guest.waits, "12:02 comes together with it"
    assert guest.goes(NOON + 2 * MINUTE)


def test_a_live_history_lets_an_older_bar_of_a_backtest_go_first() -> None:
    wake, wall = Wake(), Wall()
    a, b = beginner(wall, "kraken"), beginner(wall, "kraken")
    wake.join(a)
    wake.join(b)
    guest = Guest(wake, by_close=False)
    hold(a, NOON + MINUTE)
    assert not guest.goes(NOON + MINUTE), "b may have something"
    hold(b, NOON + MINUTE)
    assert wake.must_hold(b)
    assert guest.goes(NOON + MINUTE)
    assert not wake.must_hold(b)


def test_a_venue_that_gives_nothing_keeps_a_backtest_for_a_minute_at_most() -> None:
    wake, wall = Wake(), Wall()
    wake.join(beginner(wall, "kraken"))
    guest = Guest(wake, by_close=False)
    assert not guest.goes(NOON + MINUTE)
    wall.seconds += 60.0
    assert guest.waits
    wall.seconds += 0.1
    assert not guest.waits


def test_a_backtest_that_waits_for_a_hanging_venue_does_not_keep_others_waiting_for_long() -> None:
    wake, wall = Wake(), Wall()
    up, hangs = beginner(wall, "kraken"), beginner(wall, "coinbase")
    wake.join(up)
    wake.join(hangs)
    guest = Guest(wake, by_close=False)
    assert not guest.goes(NOON + MINUTE)
    hold(up, NOON + MINUTE)
    wall.seconds += 2.1
    assert guest.waits
    assert not wake.must_hold(up)


def test_a_venue_that_is_down_keeps_a_backtest_no_longer_than_a_history_that_has_begun() -> None:
    wake, wall = Wake(), Wall()
    up, down = beginner(wall, "kraken"), beginner(wall, "coinbase")
    wake.join(up)
    wake.join(down)
    guest = Guest(wake, by_close=False)
    assert not guest.goes(NOON + 2 * MINUTE)
    up.stream.push(bar(NOON))
    up.held = up.pull()  # type: ignore[assignment]
    wall.seconds += 2.0
    assert (wake.must_hold(up), guest.waits) == (True, True)
    wall.seconds += 0.1
    assert (wake.must_hold(up), guest.waits) == (False, True), "12:01 is first"
    hold(up, NOON + MINUTE)
    assert (wake.must_hold(up), guest.waits) == (False, False), "12:02 comes together with it"


def test_a_feed_that_is_live_makes_a_backtest_no_less_patient_with_a_history() -> None:
    wake, wall = Wake(), Wall()
    alive, late = beginner(wall, "kraken"), beginner(wall, "coinbase")
    wake.join(alive)
    wake.join(late)
    guest = Guest(wake, by_close=False)
    assert not guest.goes(NOON + 2 * MINUTE)
    alive.stream.settled = NOON + MINUTE
    alive.stream.push(Notice(Status.LIVE))
    alive.pull()
    alive.hear(Status.LIVE)
    wall.seconds += 60.0
    assert guest.waits
    wall.seconds += 0.1
    assert not guest.waits


def test_nobody_waits_while_a_backtest_has_something_to_give() -> None:
    wake, wall = Wake(), Wall()
    minutes = beginner(wall, "kraken")
    wake.join(minutes)
    guest = Guest(wake, by_close=False)
    wake.ask(minutes)
    assert not wake.wait(minutes, 3600, lambda: False)
    guest.leave()
    guest.leave()
    wake.ask(minutes)
    assert wake.wait(minutes, 0.0, lambda: False)


# --- in a Cerebro ----------------------------------------------------------------------------------------------------


def test_only_beside_a_live_feed_there_is_something_to_wait_for() -> None:
    cerebro = bt.Cerebro()
    alone, outside, beside = hours(1), hours(1), feed()
    cerebro.adddata(alone)
    assert guest_of(alone) is None
    cerebro.adddata(beside)
    outside.setenvironment(cerebro)  # as backfill_from is
    assert guest_of(outside) is None
    guest = guest_of(alone)
    assert guest is not None
    assert guest.wake.guests == [guest]


@pytest.mark.parametrize(("own", "other", "by_close"), [
    ("close", "close", False), ("open", "close", False), ("close", "open", False), ("open", "open", True),
])  # fmt: skip
def test_bars_go_by_their_stamps_and_by_their_closes_where_all_stamps_are_openings(
    own: str, other: str, by_close: bool
) -> None:
    cerebro = bt.Cerebro()
    history = hours(1, stamp=own)
    cerebro.adddata(history)
    cerebro.adddata(feed(stamp=other))
    guest = guest_of(history)
    assert guest is not None
    assert guest.by_close is by_close


def test_an_hour_of_a_backtest_comes_with_its_last_minute_however_slow_the_history() -> None:
    later = [lambda: None] * 5  # the next page has not come yet
    minutes = [bar(NOON + n * MINUTE) for n in range(62)]
    live = feed(DELAYED, *later, *minutes[:30], *later, *minutes[30:], LIVE, END, symbol="M/USDT", settled=NOON)
    seen = [page for page in pages(live, hours(1, stamp="close")) if "H" in page]
    assert seen == [{"M/USDT": ("01 13:00", 1.0), "H": ("01 13:00", 5.0)}]


def test_an_hour_that_is_stamped_with_its_opening_comes_with_its_last_minute_too() -> None:
    minutes = [bar(NOON + n * MINUTE) for n in range(62)]
    live = feed(DELAYED, *minutes, LIVE, END, symbol="M/USDT", settled=NOON, stamp="open")
    seen = pages(live, hours(1, stamp="open"))
    assert [list(page) for page in seen[:59]] == [["M/USDT"]] * 59
    assert seen[59:61] == [{"H": ("01 12:00", 5.0)}, {"M/USDT": ("01 12:59", 1.0)}]


def test_a_backtest_goes_on_behind_the_end_of_the_live_feed() -> None:
    live = feed(DELAYED, bar(NOON), LIVE, END, symbol="M/USDT", settled=NOON)
    assert [list(page) for page in pages(live, hours(2, stamp="close"))] == [["M/USDT"], ["H"], ["H"]]


def test_behind_todate_nobody_waits_for_a_backtest() -> None:
    guests: list[int] = []

    class Counts(Diary):
        def next(self) -> None:
            guests.append(len(wake_of(self.env).guests))

    live = feed(DELAYED, *[bar(NOON + n * MINUTE) for n in range(3)], LIVE, END, symbol="M/USDT", settled=NOON)
    run(live, hours(50, freq="min", stamp="close", todate="2024-03-01T12:02"), strategy=Counts)
    assert guests == [1, 1, 0]


@pytest.mark.parametrize("todate", [None, "2024-03-01T12:03"])
def test_minutes_of_a_backtest_and_of_a_live_feed_come_in_one_next(todate: str | None) -> None:
    later = [lambda: None] * 3
    minutes = [bar(NOON + n * MINUTE) for n in range(5)]
    live = feed(DELAYED, *later, *minutes[:2], *later, *minutes[2:], LIVE, END, symbol="M/USDT", settled=NOON)
    beside = hours(4, freq="min", stamp="close", todate=todate)
    moved = [list(page) for page in pages(live, beside)]
    both = ["M/USDT", "H"]
    assert moved == [both] * (4 if todate is None else 3) + [["M/USDT"]] * (1 if todate is None else 2)
