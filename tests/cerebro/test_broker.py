"""What backtrader's paper broker fills: never on prices from before the order, live and in a backtest alike."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from btfeeds.feeds import BaseLiveDataFeed
from btfeeds.market import Bar
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, FakeStream, feed

MIN = bt.TimeFrame.Minutes


def bar(minute: int, low: float = 99.0, price: float = 100.0) -> Bar:
    return Bar(NOON + minute * MINUTE, price, price + 1, low, price, 1.0)


def backtest(rows: list[Bar], timeframe: str = "1m", name: str = "A/USDT") -> BaseLiveDataFeed:
    table = [(one.open, one.high, one.low, one.close, one.volume) for one in rows]
    index = pd.DatetimeIndex(pd.to_datetime([one.open_time for one in rows], unit="ms", utc=True))
    frame = pd.DataFrame(table, columns=["open", "high", "low", "close", "volume"], index=index)
    return BaseLiveDataFeed(dataname=frame, timeframe=timeframe, stamp="close", name=name)


class Buys(bt.Strategy):
    """Buys `on` at 95 or lower when that feed, or `at`, has so many bars; says when that was filled, and at what."""

    params = (("on", 0), ("at", 0), ("length", 1), ("exectype", bt.Order.Limit))

    def __init__(self) -> None:
        self.order: Any = None
        self.filled: list[tuple[str, float]] = []
        self.rested: list[float] = []

    def prenext(self) -> None:
        self.next()

    def notify_order(self, order: bt.Order) -> None:
        if order.status == order.Completed:
            latest = max(data.datetime.datetime(0) for data in self.datas if len(data))
            self.filled.append((latest.strftime("%H:%M"), order.executed.price))

    def next(self) -> None:
        data = self.datas[self.p.on]
        self.rested.append(data.tick_high)
        if self.order is None and len(self.datas[self.p.at]) == self.p.length:
            self.order = self.buy(data=data, exectype=self.p.exectype, price=95.0, size=1)


def run(*feeds: Any, larger: int = 0, replayed: int = 0, cerebro: Any = None, **params: Any) -> Any:
    cerebro = bt.Cerebro(stdstats=False) if cerebro is None else cerebro
    for number, data in enumerate(feeds):
        if replayed and number == 0:
            cerebro.replaydata(data, timeframe=MIN, compression=replayed)
        else:
            cerebro.adddata(data)
    if larger:
        cerebro.resampledata(feeds[0], timeframe=MIN, compression=larger)
    cerebro.addstrategy(Buys, **params)
    return cerebro.run()[0]


def live(*rows: Any, name: str = "A/USDT") -> Any:
    return feed(DELAYED, *rows, LIVE, END, symbol=name, settled=NOON, fromdate="2024-03-01T12:00Z")


@pytest.mark.parametrize("make", [backtest, lambda rows: live(*rows)], ids=["backtest", "live"])
def test_an_order_behind_a_bar_is_not_filled_on_that_bar_when_a_larger_one_comes(make: Any) -> None:
    rows = [bar(minute, 90.0 if minute == 3 else 99.0) for minute in range(12) if minute != 4]
    assert run(make(rows), larger=5, length=4).filled == []


@pytest.mark.parametrize("options", [{}, {"runonce": False}, {"preload": False}], ids=str)
def test_an_order_on_a_larger_feed_waits_for_its_next_bar(options: dict[str, bool]) -> None:
    minutes = [bar(minute) for minute in range(20)]
    larger = [bar(0, 90.0), bar(5), bar(10, 94.0), bar(15)]
    feeds = (backtest(minutes), backtest(larger, "5m", "A5/USDT"))
    strategy = run(*feeds, on=1, at=1, cerebro=bt.Cerebro(stdstats=False, **options))
    assert strategy.filled == [("12:15", 95.0)]


def test_an_order_behind_the_last_bar_is_not_filled_on_it_when_the_last_larger_bar_comes() -> None:
    class Ending(FakeStream):
        def pull(self) -> Any:
            item = super().pull()
            self.settled = NOON + 5 * MINUTE if self.finished else self.settled
            return item

    data = feed()
    data.p.stream = Ending([LIVE, bar(0), bar(1), bar(2, 90.0), END], settled=NOON)
    strategy = run(data, larger=5, length=3)
    assert len(strategy.datas[1]) == 1
    assert strategy.filled == []


# --- replayed bars that are taken back -------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [6, 7], ids=["before the bar was loaded", "while it is put off"])
def test_a_replayed_bar_is_traded_on_when_it_is_shown(length: int) -> None:
    # nobody trades A in minute 6, so its minute 7 comes in the round in which B gives minute 6, and is taken back
    a = [bar(minute, 90.0 if minute == 7 else 99.0) for minute in range(12) if minute != 6]
    b = [bar(minute) for minute in range(12)]
    feeds = (feed(LIVE, *a, END, symbol="A/USDT", settled=NOON), feed(LIVE, *b, END, symbol="B/USDT", settled=NOON))
    assert run(*feeds, replayed=5, at=1, length=length).filled == [("12:08", 95.0)]


def test_while_a_replayed_bar_is_put_off_the_last_price_stands() -> None:
    a = [bar(minute, price=100.0 + minute) for minute in range(9) if minute != 6]
    b = [bar(minute) for minute in range(9)]
    feeds = (feed(LIVE, *a, END, symbol="A/USDT", settled=NOON), feed(LIVE, *b, END, symbol="B/USDT", settled=NOON))
    # one more than the price is the high of a minute; in minute 6 there is only the close of minute 5
    assert run(*feeds, replayed=5, length=99).rested == [101, 102, 103, 104, 105, 106, 105, 108, 109]


def test_the_extra_step_at_the_end_of_a_replayed_bar_is_not_traded_on() -> None:
    cerebro = bt.Cerebro(stdstats=False)
    data = live(*[bar(minute, price=100.0 + minute) for minute in (0, 1, 3, 5)])
    cerebro.replaydata(data, timeframe=MIN, compression=5, adjbartime=True)
    cerebro.addstrategy(Buys, length=99)
    # 12:01, 12:02, 12:04, then 12:05 without a trade, then 12:06
    assert cerebro.run()[0].rested == [101, 102, 104, 103, 106]


def test_nothing_is_lost_to_the_broker_where_memory_is_saved() -> None:
    rows = [bar(minute, 94.0 if minute == 2 else 99.0) for minute in range(5)]
    cerebro = bt.Cerebro(stdstats=False, exactbars=1)
    assert run(backtest(rows), cerebro=cerebro).filled == [("12:03", 95.0)]


# --- what a feed is worth before its first bar -----------------------------------------------------------------------


class AsksAll(bt.Strategy):
    """Asks for its position in every feed, as scripts do that begin before all feeds have bars; buys when it may."""

    def __init__(self) -> None:
        self.position_of_b = self.getposition(self.data1)
        self.worth: list[float] = []

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        self.worth.append(self.broker.getvalue())
        if len(self.data1) and not any(self.getposition(data) for data in self.datas):
            self.buy(data=self.data1)


def late() -> list[Any]:
    a = feed(DELAYED, *[bar(minute) for minute in range(4)], LIVE, END, symbol="A/USDT", settled=NOON)
    b = feed(DELAYED, *[bar(minute) for minute in (2, 3)], LIVE, END, symbol="B/USDT", settled=NOON)
    return [a, b]


def test_a_strategy_may_ask_for_its_position_in_a_feed_that_has_no_bar_yet() -> None:
    cerebro = bt.Cerebro(stdstats=False)
    for one in late():
        cerebro.adddata(one)
    cerebro.addstrategy(AsksAll)
    [strategy] = cerebro.run()
    assert strategy.worth == [10_000.0] * 4
    assert strategy.position_of_b.size == 1, "it is the same position all along"


def test_analyzers_that_ask_what_every_feed_is_worth_can_be_used_live() -> None:
    cerebro = bt.Cerebro()
    a, b = late()
    cerebro.adddata(a)
    cerebro.adddata(b)
    cerebro.resampledata(a, timeframe=MIN, compression=2)
    cerebro.addstrategy(AsksAll)
    cerebro.addanalyzer(bt.analyzers.PositionsValue, _name="worth")
    cerebro.addanalyzer(bt.analyzers.PyFolio)
    [strategy] = cerebro.run()
    worth = list(strategy.analyzers.worth.get_analysis().values())
    assert worth == [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 100.0, 0.0]]


def test_what_feeds_are_worth_may_be_asked_while_positions_are_gone_through() -> None:
    class Counts(AsksAll):
        def next(self) -> None:
            super().next()
            self.worth[-1] = sum(self.broker.get_value([data]) for data in self.broker.positions)
            assert self.broker.get_value(self.datas) == self.broker.get_value()

    cerebro = bt.Cerebro(stdstats=False)
    for one in late():
        cerebro.adddata(one)
    cerebro.addstrategy(Counts)
    [strategy] = cerebro.run()
    assert strategy.worth == [0.0, 0.0, 0.0, 100.0]


class Knows(bt.brokers.BackBroker):
    """A broker of somebody's own, made of backtrader's."""

    def _get_value(self, datas: Any = None, lever: bool = False) -> Any:
        super()._get_value(datas, lever)
        return 5.0


def test_a_broker_made_of_backtraders_keeps_its_own_way() -> None:
    made = Knows()
    a, b = late()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(a)
    cerebro.setbroker(made)
    cerebro.run()
    assert (made.get_value([a]), made.get_value([b])) == (5.0, 0.0)


def test_in_a_backtest_the_broker_is_left_alone() -> None:
    cerebro = bt.Cerebro()
    cerebro.adddata(backtest([bar(0)]))
    cerebro.run()
    assert "_get_value" not in vars(cerebro.broker)
