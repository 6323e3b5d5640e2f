from __future__ import annotations

import datetime as dt
from typing import Any

import backtrader as bt
import pandas as pd

from btfeeds.cerebro.clone import Clone
from btfeeds.cerebro.hosted import HostedFeed
from btfeeds.feeds import BaseLiveDataFeed
from btfeeds.live.items import Delivery
from btfeeds.live.status import Status
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, Diary, bar, feed


def test_unknown_is_told_each_time_and_changes_no_status() -> None:
    data = feed()
    data._laststatus = Status.LIVE
    data.put_notification(Status.UNKNOWN, "one")
    data.put_notification(Status.UNKNOWN, "two")
    data.put_notification(Status.LIVE)
    assert data.get_notifications() == [(7, ("one",), {}), (7, ("two",), {})]


def test_cerebro_is_not_told_that_a_feed_is_resampled() -> None:
    data = feed()
    data.resample(timeframe=bt.TimeFrame.Minutes, compression=5)
    assert data.resampling == 0
    assert data._resampling == 1


def test_a_copy_has_its_own_name() -> None:
    copy = feed().copyas("other")
    assert isinstance(copy, Clone)
    assert (copy._name, copy._dataname) == ("other", "other")


def test_an_aware_moment_needs_no_zone() -> None:
    data = feed()
    data._tz = data._gettz()
    moment = dt.datetime(2024, 3, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert data.date2num(moment) == bt.date2num(dt.datetime(2024, 3, 1, 12))


def test_one_bar_is_kept_in_mind_where_memory_is_saved() -> None:
    class Last(Diary):
        pass

    data = feed(DELAYED, *[bar(NOON + n * MINUTE) for n in range(20)], LIVE, END)
    cerebro = bt.Cerebro(exactbars=1, stdstats=False)
    cerebro.adddata(data)
    cerebro.addstrategy(Last)
    assert len([page for page in cerebro.run()[0].pages if isinstance(page, dict)]) == 20


class Ticks(bt.Strategy):
    """Writes down what the paper broker will trade on."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, ...]] = []

    def next(self) -> None:
        names = ("open", "high", "low", "close", "last", "volume", "filled")
        self.seen.append(tuple(getattr(self.data, f"tick_{name}") for name in names))


def test_the_broker_trades_on_the_bar_that_was_handed_over() -> None:
    data = feed(DELAYED, Delivery(bar(NOON), "live"), Delivery(bar(NOON + MINUTE), "filled"), LIVE, END)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(data)
    cerebro.addstrategy(Ticks)
    first, second = cerebro.run()[0].seen
    one = bar(NOON)
    assert first == (one.open, one.high, one.low, one.close, one.close, one.volume, 0.0)
    assert second[-1] == 1.0


def test_a_feed_of_no_kind_knows_nothing_and_trusts_the_clock() -> None:
    blank: Any = HostedFeed.__new__(HostedFeed)
    assert (HostedFeed.settled(blank), HostedFeed.begins(blank, 7), HostedFeed.trusts_clock(blank)) == (0, 7, True)


def filled_feed(**params: Any) -> Any:
    """Four minutes, the second and the third filled."""
    source = ["history", "filled", "filled", "live"]
    items = [Delivery(bar(NOON + minute * MINUTE), source[minute]) for minute in range(4)]
    return feed(DELAYED, *items, LIVE, END, settled=NOON, **params)


class Filled(bt.Strategy):
    """Writes down the line `filled` of every feed that moved."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = [[] for _ in self.datas]

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        for data, seen in zip(self.datas, self.seen, strict=True):
            if len(data) > len(seen):
                seen.append(data.filled[0])


def test_the_line_filled_tells_filled_bars_and_clones_carry_it() -> None:
    cerebro = bt.Cerebro(stdstats=False)
    data = filled_feed()
    cerebro.adddata(data)
    cerebro.adddata(data.clone(), name="clone")
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=2)
    cerebro.addstrategy(Filled)
    [strategy] = cerebro.run()
    assert strategy.seen == [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0]]


def test_a_larger_bar_is_filled_when_all_its_bars_are() -> None:
    source = ["live", "live", "filled", "filled", "filled", "live"]
    volume = {"live": 1.0, "filled": 0.0}
    items = [Delivery(bar(NOON + m * MINUTE, volume=volume[source[m]]), source[m]) for m in range(6)]
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.resampledata(feed(DELAYED, LIVE, *items, END), timeframe=bt.TimeFrame.Minutes, compression=2)
    cerebro.addstrategy(Filled)
    [strategy] = cerebro.run()
    assert strategy.seen == [[0, 1, 0]]


def test_in_a_backtest_nothing_is_filled_unless_the_frame_says_so() -> None:
    index = pd.date_range("2024-03-01", periods=3, freq="min")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0), index=index)
    for preload in (True, False):
        for marked in (frame, frame.assign(filled=[0.0, 1.0, 0.0]), frame.assign(volume=[1, 2, 3]).astype(object)):
            cerebro = bt.Cerebro(stdstats=False, preload=preload, runonce=False)
            cerebro.adddata(BaseLiveDataFeed(dataname=marked, timeframe="1m"))
            cerebro.addstrategy(Filled)
            [strategy] = cerebro.run()
            assert strategy.seen == [[0, 1, 0] if "filled" in marked else [0, 0, 0]]
