from __future__ import annotations

import pickle
from typing import Any

import backtrader as bt
import matplotlib
import pandas as pd
import pytest

from btfeeds.cerebro import guard
from btfeeds.errors import ConfigError
from btfeeds.feeds import BaseLiveDataFeed
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, bar, feed


class Leaves(bt.Strategy):
    params = (("how", ValueError),)

    def next(self) -> None:
        raise self.p.how("enough")


@pytest.mark.parametrize("how", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_in_next_closes_every_stream(how: type[BaseException]) -> None:
    feeds = [feed(DELAYED, bar(NOON), symbol=symbol) for symbol in ("A/USDT", "B/USDT")]
    streams = [one.p.stream for one in feeds]
    cerebro = bt.Cerebro()
    for one in feeds:
        cerebro.adddata(one)
    cerebro.addstrategy(Leaves, how=how)
    with pytest.raises(how):
        cerebro.run()
    assert [stream.closed for stream in streams] == [True, True]


def test_a_feed_that_cannot_start_does_not_leave_another_open() -> None:
    good, bad = feed(DELAYED), feed(symbol="B/USDT")

    def fail(start: Any, until: Any) -> Any:
        raise OSError("no")

    bad.make_stream = fail
    cerebro = bt.Cerebro()
    cerebro.adddata(good)
    cerebro.adddata(bad)
    with pytest.raises(OSError, match="no"):
        cerebro.run()
    assert good.p.stream.closed


def test_a_run_that_ends_by_itself_closes_its_streams() -> None:
    data = feed(DELAYED, bar(NOON), LIVE, END)
    cerebro = bt.Cerebro()
    cerebro.adddata(data)
    cerebro.run()
    assert data.p.stream.closed


def test_wrappers_are_put_on_once_and_can_be_pickled() -> None:
    cerebro = bt.Cerebro()
    guard.install(cerebro)
    wrapper = cerebro.runstrategies
    guard.install(cerebro)
    assert cerebro.runstrategies is wrapper
    twin = pickle.loads(pickle.dumps(cerebro))
    assert twin.runstrategies.cerebro is twin


def test_a_chart_can_be_drawn_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    data = feed(DELAYED, *[bar(NOON + n * MINUTE, 100 + n % 7) for n in range(40)], LIVE, END)
    cerebro = bt.Cerebro()
    cerebro.adddata(data)
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5)
    cerebro.addstrategy(bt.Strategy)
    cerebro.run()
    figures = cerebro.plot(style="candle")
    assert matplotlib.get_backend().lower() == "agg"
    assert len(figures[0][0].axes) >= 2
    matplotlib.pyplot.close("all")


def test_a_display_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("sys.platform", "linux")
    assert not guard.headless()
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert guard.headless()
    monkeypatch.setattr("sys.platform", "darwin")
    assert not guard.headless()


@pytest.mark.parametrize("first", ["adddata", "resampledata", "replaydata"])
def test_a_feed_is_added_once_and_the_plain_one_first(first: str) -> None:
    cerebro, data = bt.Cerebro(), feed()
    options = {} if first == "adddata" else {"timeframe": bt.TimeFrame.Minutes, "compression": 5}
    getattr(cerebro, first)(data, **options)
    with pytest.raises(ConfigError, match="BTC/USDT is in this Cerebro already"):
        cerebro.adddata(data)


def test_memory_is_not_saved_at_the_price_of_bars() -> None:
    data = feed(DELAYED, bar(NOON), LIVE, END)
    cerebro = bt.Cerebro(stdstats=False, exactbars=1)
    cerebro.adddata(data)
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5)
    with pytest.raises(ConfigError, match="exactbars=1 with more than one feed"):
        cerebro.run()
    assert not data.p.stream.opened


@pytest.mark.parametrize("exactbars", [False, -1, -2])
def test_the_other_ways_to_save_memory_go_with_several_feeds(exactbars: int) -> None:
    data = feed(DELAYED, *[bar(NOON + n * MINUTE) for n in range(5)], LIVE, END, settled=NOON)
    cerebro = bt.Cerebro(stdstats=False, exactbars=exactbars)
    cerebro.adddata(data)
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5)
    cerebro.run()
    assert [len(one) for one in cerebro.datas] == [5, 1]


def frame_feed() -> BaseLiveDataFeed:
    index = pd.date_range("2024-03-01 12:00", periods=3, freq="min")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0), index=index)
    return BaseLiveDataFeed(dataname=frame, timeframe="1m")


@pytest.mark.parametrize("part", [frame_feed, feed])
def test_a_chain_of_our_feeds_is_refused_in_three_lines(part: Any) -> None:
    cerebro = bt.Cerebro()
    cerebro.chaindata(part(), name="chain")
    with pytest.raises(ConfigError, match="chaindata does not go") as error:
        cerebro.run()
    assert len(str(error.value).splitlines()) == 3


def test_a_roll_over_takes_feeds_of_a_backtest_and_no_live_ones() -> None:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.rolloverdata(frame_feed(), name="roll")
    cerebro.run()
    assert len(cerebro.datas[0]) == 3
    cerebro = bt.Cerebro()
    cerebro.rolloverdata(feed(), feed(symbol="B/USDT"), name="roll")
    with pytest.raises(ConfigError, match="rolloverdata does not go with live feeds"):
        cerebro.run()
