from __future__ import annotations

import datetime as dt
import pickle
import threading
import time
from types import SimpleNamespace
from typing import Any

import backtrader as bt
import pandas as pd
import pytest

import btfeeds
from btfeeds.cerebro.wake import wake_of
from btfeeds.clock import ManualClock, ScaledClock
from btfeeds.errors import ConfigError, UnknownSymbol
from btfeeds.feeds import (
    BaseLiveDataFeed,
    BinanceFuturesLiveDataFeed,
    BinanceLiveDataFeed,
    BinanceUSLiveDataFeed,
    live,
)
from btfeeds.live.items import Gap, Notice
from btfeeds.live.status import Status
from btfeeds.market import Timeframe, to_ms
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, Diary, FakeFeed, FakeStream, bar, feed, run
from tests.shared import shared

BROKEN, CONNECTED = Notice(Status.CONNBROKEN, "reset"), Notice(Status.CONNECTED)


def minutes(count: int, start: int = 0) -> list[Any]:
    return [bar(NOON + n * MINUTE, price=100 + n % 9) for n in range(start, start + count)]


def kinds(pages: list[Any]) -> list[Any]:
    return [page if isinstance(page, str) else "bar" for page in pages]


# --- what a strategy sees --------------------------------------------------------------------------------------------


def test_bars_carry_the_instant_they_close() -> None:
    assert run(feed(DELAYED, bar(NOON), LIVE, END)).pages[1] == {"BTC/USDT": ("01 12:01", 1)}


def test_bars_carry_the_instant_they_open_when_asked_to() -> None:
    assert run(feed(DELAYED, bar(NOON), LIVE, END, stamp="open")).pages[1] == {"BTC/USDT": ("01 12:00", 1)}


def test_a_bar_keeps_all_its_values() -> None:
    data = feed(DELAYED, bar(NOON, price=10, volume=3), LIVE, END)
    run(data)
    assert [data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0]] == [10, 12, 8, 11, 3]
    assert data.openinterest[0] != data.openinterest[0]


def test_status_words_come_in_their_place_between_the_bars() -> None:
    items = [DELAYED, *minutes(2), LIVE, *minutes(1, 2), BROKEN, CONNECTED, DELAYED, *minutes(2, 3), LIVE, END]
    assert kinds(run(feed(*items)).pages) == [
        *("DELAYED", "bar", "bar", "LIVE", "bar"),
        *("CONNBROKEN", "CONNECTED", "DELAYED", "bar", "bar", "LIVE", "DISCONNECTED"),
    ]


def test_every_gap_is_told_although_the_word_is_the_same() -> None:
    gaps = [Notice(Status.UNKNOWN, "gap", Gap(NOON, NOON + n, "none")) for n in (1, 2)]

    class Told(bt.Strategy):
        def __init__(self) -> None:
            self.told: list[Any] = []

        def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
            self.told.append((data._getstatusname(status), *args))

    strategy = run(feed(DELAYED, gaps[0], LIVE, gaps[1], LIVE, END), strategy=Told)
    assert strategy.told == [
        ("DELAYED", ""),
        ("UNKNOWN", "gap", gaps[0].payload),
        ("LIVE", ""),
        ("UNKNOWN", "gap", gaps[1].payload),
        ("DISCONNECTED", "the end"),
    ]


def test_an_error_is_told_and_kept() -> None:
    error = UnknownSymbol("There is no BTC/USDD.")
    data = feed(DELAYED, Notice(Status.NOTSUBSCRIBED, error.what, error), END)
    data.p.stream.error = error
    assert run(data).pages == ["DELAYED", "NOTSUBSCRIBED", "DISCONNECTED"]
    assert data.error is error
    assert data.summary == "summary"


def test_a_bar_that_came_already_is_not_delivered_again() -> None:
    items = [DELAYED, *minutes(3), *minutes(2), LIVE, *minutes(2, 2), END]
    assert [page for page in kinds(run(feed(*items)).pages) if page == "bar"] == ["bar"] * 4


def test_a_feed_tells_where_its_bar_came_from_and_when_it_opened() -> None:
    class Sources(bt.Strategy):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def next(self) -> None:
            self.seen.append((self.data.source, self.data.open_time(), self.data.opened()))

    seen = run(feed(DELAYED, bar(NOON), LIVE, bar(NOON + MINUTE), END), strategy=Sources).seen
    assert seen == [
        ("history", NOON, dt.datetime(2024, 3, 1, 12)),
        ("live", NOON + MINUTE, dt.datetime(2024, 3, 1, 12, 1)),
    ]


def test_the_last_word_is_said_when_the_run_is_stopped() -> None:
    class Stops(Diary):
        def next(self) -> None:
            super().next()
            self.env.runstop()

    data = feed(DELAYED, *minutes(5))
    assert kinds(run(data, strategy=Stops).pages) == ["DELAYED", "bar", "DISCONNECTED"]
    assert data.p.stream.closed


def test_a_second_run_begins_anew() -> None:
    data = feed()
    data.p.stream = lambda: FakeStream([DELAYED, *minutes(3), LIVE, END])
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(data)
    cerebro.addstrategy(Diary)
    assert cerebro.run()[0].pages == cerebro.run()[0].pages


# --- what is asked of the stream -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "asked"),
    [
        ({}, (None, None)),
        ({"history": 10}, ("2024-03-01T11:50Z", None)),
        ({"history": "2h"}, ("2024-03-01T10:00Z", None)),
        ({"history": "2h", "backfill_start": False}, (None, None)),
        ({"history": "20000d"}, ("1970-01-01T00:00Z", None)),
        ({"fromdate": dt.datetime(1962, 1, 2)}, ("1970-01-01T00:00Z", None)),
        ({"fromdate": dt.datetime(2024, 2, 1)}, ("2024-02-01T00:00Z", None)),
        ({"fromdate": dt.datetime(2024, 2, 1), "tz": "Europe/Berlin"}, ("2024-01-31T23:00Z", None)),
        ({"fromdate": "2024-02-01T01:00+01:00", "tz": "Europe/Berlin"}, ("2024-02-01T00:00Z", None)),
        ({"todate": dt.datetime(2024, 3, 1, 13)}, (None, "2024-03-01T13:00Z")),
        ({"todate": dt.datetime(2024, 3, 1, 13), "stamp": "open"}, (None, "2024-03-01T13:01Z")),
        ({"todate": dt.date(2024, 3, 1)}, (None, "2024-03-02T00:00Z")),
        ({"todate": dt.date(2024, 3, 1), "stamp": "open"}, (None, "2024-03-02T00:00Z")),
    ],
    ids=str,
)
def test_parameters_say_which_bars_are_wanted(params: dict[str, Any], asked: tuple[Any, Any]) -> None:
    data = feed(DELAYED, END, **params)
    run(data)
    assert data.asked == tuple(None if time is None else to_ms(time) for time in asked)


def test_a_bar_behind_todate_ends_the_feed() -> None:
    data = feed(DELAYED, *minutes(5), todate=dt.datetime(2024, 3, 1, 12, 2))
    assert kinds(run(data).pages) == ["DELAYED", "bar", "bar", "DISCONNECTED"]


def test_bars_of_another_feed_can_come_first() -> None:
    index = pd.date_range("2024-03-01 12:01", periods=3, freq="min")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0), index=index)
    data = feed(DELAYED, *minutes(3, 2), LIVE, END, backfill_from=bt.feeds.PandasData(dataname=frame))
    pages = [page["BTC/USDT"] for page in run(data).pages if isinstance(page, dict)]
    assert pages == [("01 12:01", 5), ("01 12:02", 5), ("01 12:03", 5), ("01 12:04", 1), ("01 12:05", 1)]
    assert data.asked == (NOON + 3 * MINUTE, None)


@pytest.mark.parametrize("stamp", ["open", "close"])
def test_bars_of_a_feed_of_ours_that_come_first_are_stamped_as_the_feeds_own(stamp: str) -> None:
    index = pd.date_range("2024-03-01 12:00", periods=2, freq="min")  # when they open, as in a download
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0), index=index)
    first = BaseLiveDataFeed(dataname=frame, timeframe="1m", stamp=stamp)
    data = feed(DELAYED, *minutes(1, 2), LIVE, END, backfill_from=first)
    pages = [page["BTC/USDT"] for page in run(data).pages if isinstance(page, dict)]
    assert pages == [("01 12:01", 5), ("01 12:02", 5), ("01 12:03", 1)]
    assert data.asked == (NOON + 2 * MINUTE, None)


def test_a_feed_that_comes_first_may_have_lines_of_its_own() -> None:
    class Priced(bt.feeds.PandasData):
        lines = ("vwap",)
        params = (("vwap", -1),)

    index = pd.date_range("2024-03-01 12:01", periods=1, freq="min")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), 5.0), index=index)
    data = feed(DELAYED, *minutes(1, 1), LIVE, END, backfill_from=Priced(dataname=frame))
    assert [page for page in run(data).pages if isinstance(page, dict)] == [
        {"BTC/USDT": ("01 12:01", 5)}, {"BTC/USDT": ("01 12:02", 1)},
    ]  # fmt: skip


def test_bars_that_come_first_keep_in_step_with_another_feed() -> None:
    index = pd.date_range("2024-03-01 12:01", periods=2, freq="min")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0), index=index)
    first = bt.feeds.PandasData(dataname=frame)
    late = [lambda: None] * 3
    for order in (1, -1):
        a = feed(DELAYED, *late, *minutes(2, 2), LIVE, END, symbol="A/USDT", backfill_from=first)
        b = feed(DELAYED, *late, *minutes(2), *late, *minutes(2, 2), LIVE, END, symbol="B/USDT", settled=NOON)
        pages = [page for page in run(*(a, b)[::order]).pages if isinstance(page, dict)]
        assert [sorted(page) for page in pages] == [["A/USDT", "B/USDT"]] * 4


def test_the_stream_is_told_the_feeds_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    def stream(venue: Any, subscription: Any, **params: Any) -> str:
        made.update(params, venue=venue, subscription=subscription)
        return "stream"

    monkeypatch.setattr("btfeeds.live.stream.Stream", stream)
    clock = ManualClock(NOON)
    data = live("binanceus", "eth/usdt", "60m", clock=clock, gaps="fill", buffer=9, backfill=False, rest_url="http://x")
    assert data.make_stream(5, 7) == "stream"
    assert str(made.pop("subscription")) == "binanceus ETH/USDT 1h"
    assert (made["venue"].name, made.pop("venue").rest_url) == ("binanceus", "http://x")
    told = {"clock": clock, "start": 5, "until": 7, "gaps": "fill", "after": None, "capacity": 9, "backfill": False}
    assert made == {**told, "reckoned_at": NOON, "stored": None}


# --- several feeds ---------------------------------------------------------------------------------------------------


def test_a_bar_of_the_last_of_ten_feeds_ends_the_wait_at_once() -> None:
    feeds = [feed(DELAYED, LIVE, symbol=f"C{n}/USDT", settled=NOON, qcheck=20.0) for n in range(10)]
    reached = threading.Event()

    class Waits(Diary):
        def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
            super().notify_data(data, status)
            if self.pages.count("LIVE") == 10:
                reached.set()

        def next(self) -> None:
            self.cerebro.runstop()
            self.moved = [data._name for data in self.datas if len(data)]

    def push() -> None:
        reached.wait(10)
        feeds[9].p.stream.push(bar(NOON))

    thread = threading.Thread(target=push)
    thread.start()
    begun = time.monotonic()
    strategy = run(*feeds, strategy=Waits)
    thread.join()
    assert strategy.moved == ["C9/USDT"]
    assert time.monotonic() - begun < 15  # one wait of qcheck alone would be 20 s


def test_a_silent_feed_does_not_slow_down_another() -> None:
    class Three(bt.Strategy):
        def prenext(self) -> None:
            if len(self.data0) == 3:
                self.cerebro.runstop()

    busy = feed(DELAYED, LIVE, *minutes(3), symbol="A/USDT", settled=NOON, qcheck=20.0)
    silent = feed(DELAYED, LIVE, symbol="B/USDT", settled=NOON, qcheck=20.0)
    begun = time.monotonic()
    run(busy, silent, strategy=Three)
    assert time.monotonic() - begun < 15


def test_histories_of_several_feeds_go_in_step() -> None:
    a = feed(DELAYED, *minutes(3), LIVE, END, symbol="A/USDT")
    b = feed(DELAYED, symbol="B/USDT", settled=NOON)
    thread = threading.Timer(0.05, lambda: b.p.stream.push(*minutes(3), LIVE, END))
    thread.start()
    pages = [page for page in run(a, b).pages if isinstance(page, dict)]
    thread.join()
    assert [list(page) for page in pages] == [["A/USDT", "B/USDT"]] * 3


@pytest.mark.parametrize("order", [1, -1])
def test_histories_with_quiet_minutes_go_as_in_a_backtest(order: int) -> None:
    a = feed(DELAYED, *[bar(NOON + n * MINUTE) for n in (3, 4, 6)], LIVE, END, symbol="A/USDT", settled=NOON)
    b = feed(DELAYED, *[bar(NOON + n * MINUTE) for n in (0, 4, 5, 6)], LIVE, END, symbol="B/USDT", settled=NOON)
    pages = [page for page in run(*(a, b)[::order]).pages if isinstance(page, dict)]
    assert [{name[0]: stamp for name, (stamp, _) in page.items()} for page in pages] == [
        {"B": "01 12:01"},
        {"A": "01 12:04"},
        {"A": "01 12:05", "B": "01 12:05"},
        {"B": "01 12:06"},
        {"A": "01 12:07", "B": "01 12:07"},
    ]


def test_a_feed_tells_whether_another_history_has_yet_to_give_what_belongs_before_a_larger_bar() -> None:
    told: list[bool] = []
    a = feed(DELAYED, *minutes(5), LIVE, END, symbol="A/USDT", settled=NOON)
    b = feed(DELAYED, bar(NOON + 7 * MINUTE), LIVE, END, symbol="B/USDT", settled=NOON)

    class Asks(Diary):
        def next(self) -> None:
            told.append(b.ahead(NOON + 5 * MINUTE))

    run(a, b, strategy=Asks)
    assert told == [True, True, True, True, False, False]


def test_with_align_the_bars_of_one_instant_come_in_one_next() -> None:
    names = [f"{letter}/USDT" for letter in "ABCDE"]
    feeds = [feed(DELAYED, LIVE, symbol=name, settled=NOON, align=2.0) for name in names]

    def arrive() -> None:
        for minute in range(3):
            for one in feeds:
                one.p.stream.push(bar(NOON + minute * MINUTE))
        for one in feeds:
            one.p.stream.push(END)

    thread = threading.Timer(0.05, arrive)
    thread.start()
    pages = [page for page in run(*feeds).pages if isinstance(page, dict)]
    thread.join()
    assert [list(page) for page in pages] == [names] * 3


def test_with_align_a_bar_is_let_go_when_the_time_is_over() -> None:
    clock = ManualClock(NOON + MINUTE)
    a = feed(DELAYED, LIVE, bar(NOON), symbol="A/USDT", settled=NOON, align=2.0, clock=clock)
    b = feed(DELAYED, LIVE, symbol="B/USDT", settled=NOON, align=2.0, clock=clock)
    later = lambda: clock.advance(1_000)  # noqa: E731
    b.p.stream.items.extend([later] * 8 + [bar(NOON), END])
    a.p.stream.items.append(END)
    pages = [page for page in run(a, b).pages if isinstance(page, dict)]
    assert [list(page) for page in pages] == [["A/USDT"], ["B/USDT"]]


# --- waiting and leaving ---------------------------------------------------------------------------------------------


def test_runstop_of_another_thread_ends_a_run_that_waits() -> None:
    data = feed(DELAYED, qcheck=60.0)
    cerebro = bt.Cerebro()
    cerebro.adddata(data)
    thread = threading.Timer(0.1, cerebro.runstop)
    thread.start()
    begun = time.monotonic()
    cerebro.run()
    thread.join()
    assert time.monotonic() - begun < 10
    assert data.p.stream.closed


@pytest.mark.parametrize("order", [1, -1])
def test_a_feed_that_has_ended_lets_go_of_its_venue_and_the_others_go_on(order: int) -> None:
    class Looks(Diary):
        def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
            if data is a and status == data.DISCONNECTED:
                b.p.stream.push(*minutes(1, 1))

        def next(self) -> None:
            if len(b) == 2:
                self.left = (a.p.stream.closed, a.haslivedata(), wake_of(self.env).seats == [b._seat])
                self.env.runstop()

    a = feed(DELAYED, *minutes(1), LIVE, END, bar(NOON + MINUTE), symbol="A/USDT", settled=NOON)  # it still sends
    b = feed(DELAYED, *minutes(1), LIVE, symbol="B/USDT", settled=NOON)
    strategy = run(*(a, b)[::order], strategy=Looks)
    assert strategy.left == (True, False, True)
    assert (len(a), a.summary, b.p.stream.closed) == (1, "summary", True)


def test_an_idle_feed_does_not_spin() -> None:
    data = feed(qcheck=0.2)
    rounds = []
    data.p.stream.pull = lambda: rounds.append(1)
    cerebro = bt.Cerebro()
    cerebro.adddata(data)
    thread = threading.Timer(0.3, cerebro.runstop)
    thread.start()
    cerebro.run()
    thread.join()
    assert len(rounds) < 20


def test_the_time_offset_is_that_of_the_feeds_clock() -> None:
    data = feed(clock=ScaledClock(0, 1.0))
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None) + data._timeoffset()
    assert abs(now - dt.datetime(1970, 1, 1)) < dt.timedelta(minutes=1)


def test_filters_that_use_the_wall_clock_are_not_asked_during_history() -> None:
    asked = []

    class Filter:
        def __init__(self, data: Any) -> None:
            pass

        def __call__(self, data: Any) -> bool:
            return False

        def check(self, data: Any, _forcedata: Any = None) -> None:
            asked.append(data.p.stream.live)

    data = feed(DELAYED, lambda: None, *minutes(2), lambda: None, LIVE, lambda: None, *minutes(1, 2), END)
    data.addfilter(Filter)
    run(data)
    assert asked
    assert all(asked)


# --- the paper broker ------------------------------------------------------------------------------------------------


def test_a_limit_order_is_not_filled_on_a_bar_that_was_over() -> None:
    filled: list[Any] = []

    class Limit(bt.Strategy):
        def notify_order(self, order: bt.Order) -> None:
            if order.status == order.Completed:
                filled.append((bt.num2date(order.executed.dt), order.executed.price))

        def next(self) -> None:
            if len(self.data) == 1:
                self.buy(exectype=bt.Order.Limit, price=99.0)  # the low of this bar is 98, its close 101

    idle = [lambda: None] * 3
    run(feed(DELAYED, bar(NOON), LIVE, *idle, bar(NOON + MINUTE, 100), END), strategy=Limit)
    assert filled == [(dt.datetime(2024, 3, 1, 12, 2), 99.0)]


def test_an_indicator_may_begin_with_a_line_of_a_feed() -> None:
    class Crossed(bt.Strategy):
        def __init__(self) -> None:
            self.cross = bt.ind.CrossOver(self.data.close, bt.ind.SMA(period=2))  # it asks whose line that is
            self.values: list[float] = []

        def next(self) -> None:
            self.values.append(self.cross[0])

    bars = [bar(NOON + n * MINUTE, price) for n, price in enumerate((5.0, 4.0, 3.0, 9.0, 9.0))]
    assert run(feed(DELAYED, LIVE, *bars, END), strategy=Crossed).values == [0.0, 1.0, 0.0]


# --- backtests -------------------------------------------------------------------------------------------------------


class Crossing(bt.Strategy):
    params = (("fast", 10), ("slow", 30))

    def __init__(self) -> None:
        self.cross = bt.ind.CrossOver(bt.ind.SMA(period=self.p.fast), bt.ind.SMA(period=self.p.slow))
        self.trades: list[Any] = []

    def notify_order(self, order: bt.Order) -> None:
        if order.status == order.Completed:
            self.trades.append((len(self.data), order.isbuy(), order.executed.price))

    def next(self) -> None:
        if self.cross > 0:
            self.buy()
        elif self.cross < 0:
            self.close()


def backtest(data: Any, **options: Any) -> Any:
    cerebro = bt.Cerebro(**options)
    cerebro.broker.setcash(1_000_000)
    cerebro.adddata(data)
    cerebro.addstrategy(Crossing)
    strategy = cerebro.run()[0]
    return strategy.trades, cerebro.broker.getvalue()


@pytest.fixture(scope="module")
def real_bars() -> pd.DataFrame:
    path = shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")
    return pd.read_csv(path, index_col="open_time", parse_dates=True).iloc[:3000]


@pytest.mark.parametrize("stamp", [None, "close"])
@pytest.mark.parametrize("options", [{}, {"runonce": False}, {"preload": False, "runonce": False}], ids=str)
def test_a_dataframe_trades_as_pandasdata_does(real_bars: pd.DataFrame, options: Any, stamp: str | None) -> None:
    params = {"dataname": real_bars, "timeframe": bt.TimeFrame.Minutes}
    trades, value = backtest(BaseLiveDataFeed(**params, stamp=stamp), **options)
    assert len(trades) > 50
    assert (trades, value) == backtest(bt.feeds.PandasData(**params), **options)


def test_live_bars_trade_as_the_backtest_does(real_bars: pd.DataFrame) -> None:
    rows = real_bars.itertuples()
    bars = [btfeeds.Bar(to_ms(r.Index.to_pydatetime()), r.open, r.high, r.low, r.close, r.volume) for r in rows]
    data = feed(DELAYED, *bars[:1500], LIVE, *bars[1500:], END)
    expected = backtest(bt.feeds.PandasData(dataname=real_bars, timeframe=bt.TimeFrame.Minutes))
    assert backtest(data) == expected


class Downloads:
    """In place of the downloader: `count` hourly bars from `start`."""

    asked: list[Any] = []  # noqa: RUF012
    provider: SimpleNamespace

    @classmethod
    def create(cls, provider: str, **settings: Any) -> Downloads:
        cls.asked.append((provider, settings["rest_url"]))
        made = cls()
        made.provider = SimpleNamespace(bars_of=provider)
        return made

    def download(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> pd.DataFrame:
        self.asked.append((symbol, str(timeframe), start, end))
        index = pd.date_range(pd.Timestamp(start, unit="ms", tz="UTC"), periods=200, freq="h", name="datetime")
        prices = [100.0 + n * n % 23 for n in range(200)]
        return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), prices), index=index)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> type[Downloads]:
    monkeypatch.setattr("btfeeds.history.downloader.DataDownloaderFactory", Downloads)
    monkeypatch.setattr(Downloads, "asked", [])
    return Downloads


def historical(**params: Any) -> BaseLiveDataFeed:
    return live("binance", "BTC/USDT", "1h", historical=True, fromdate=dt.datetime(2024, 2, 1), **params)


def test_a_historical_feed_downloads_and_runs_once(downloads: type[Downloads]) -> None:
    class Once(bt.Strategy):
        def start(self) -> None:
            self.at_start = (self.data.buflen(), self.cerebro._dorunonce)

    cerebro = bt.Cerebro()
    data = historical(todate=dt.datetime(2024, 2, 9, 8))
    cerebro.adddata(data)
    cerebro.addstrategy(Once)
    strategy = cerebro.run()[0]
    assert not data.islive()
    assert strategy.at_start == (200, True)
    assert data.datetime.datetime(0) == dt.datetime(2024, 2, 9, 8)  # 200 hours later, stamped with its close
    start, end = to_ms("2024-02-01T00:00Z"), to_ms("2024-02-09T08:00Z")
    assert downloads.asked == [("binance", "https://api.binance.com"), ("BTC/USDT", "1h", start, end)]


def test_a_historical_feed_downloads_once_for_many_runs(downloads: type[Downloads]) -> None:
    data = historical()
    assert backtest(data) == backtest(data)
    assert len(downloads.asked) == 2


@pytest.mark.parametrize("cpus", [1, 2])
def test_strategies_can_be_optimized(downloads: type[Downloads], cpus: int) -> None:
    cerebro = bt.Cerebro(maxcpus=cpus, optreturn=True)
    cerebro.adddata(historical())
    cerebro.optstrategy(Crossing, fast=[5, 8, 10])
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    totals = [result[0].analyzers.trades.get_analysis()["total"]["total"] for result in cerebro.run()]
    alone = []
    for fast in (5, 8, 10):
        single = bt.Cerebro()
        single.adddata(historical())
        single.addstrategy(Crossing, fast=fast)
        single.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
        alone.append(single.run()[0].analyzers.trades.get_analysis()["total"]["total"])
    assert totals == alone
    assert min(totals) > 0


def test_a_zone_only_changes_how_time_is_shown(downloads: type[Downloads]) -> None:
    class Shows(bt.Strategy):
        def next(self) -> None:
            self.shown = (self.data.datetime.datetime(0), self.data.datetime[0])

    seen = []
    for tz in (None, "Europe/Berlin"):
        cerebro = bt.Cerebro()
        cerebro.adddata(historical(tz=tz, todate=dt.datetime(2024, 3, 1)))
        cerebro.addstrategy(Shows)
        seen.append(cerebro.run()[0].shown)
    assert seen[1][0] - seen[0][0] in (dt.timedelta(0), dt.timedelta(hours=1))
    assert seen[1][0].tzinfo is None


def test_a_live_feed_shows_time_in_its_zone() -> None:
    assert run(feed(DELAYED, bar(NOON), LIVE, END, tz="Europe/Berlin")).pages[1] == {"BTC/USDT": ("01 13:01", 1)}


# --- making feeds ----------------------------------------------------------------------------------------------------


def test_live_makes_the_feed_of_the_venue() -> None:
    classes = [type(live(name, "BTC/USDT", "1m")) for name in ("binance", "binanceus", "binanceusdm")]
    assert classes == [BinanceLiveDataFeed, BinanceUSLiveDataFeed, BinanceFuturesLiveDataFeed]


@pytest.mark.parametrize("name", ["yahoo", "YFinance", "stooq", "binancearchive", "ibkr"])
def test_who_has_no_stream_is_refused_when_the_feed_is_made(name: str) -> None:
    with pytest.raises(ConfigError, match="gives history only"):
        live(name, "AAPL", "1d")
    with pytest.raises(ConfigError, match="gives history only"):
        BaseLiveDataFeed(dataname="AAPL", venue=name, timeframe="1d", historical=True, history="30d")


def test_a_venue_nobody_knows_is_refused_when_the_feed_is_made() -> None:
    with pytest.raises(ConfigError, match="no venue 'nowhere'"):
        live("nowhere", "AAPL", "1d")


def test_a_feed_is_named_after_its_symbol() -> None:
    assert live("binance", "btc/usdt", "1m")._name == "BTC/USDT"
    assert live("binance", "BTC/USDT", "1m", name="mine")._name == "mine"


def test_a_feed_has_backtraders_lines_and_one_more_behind_them() -> None:
    lines = BinanceLiveDataFeed(dataname="BTC/USDT").getlinealiases()
    assert lines == (*bt.feeds.PandasData.lines.getlinealiases(), "filled")


def test_an_unknown_parameter_names_the_closest_one() -> None:
    with pytest.raises(TypeError, match="no parameter 'histroy'; did you mean 'history'"):
        live("binance", "BTC/USDT", "1m", histroy="2h")


def test_positional_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="keyword arguments only"):
        BinanceLiveDataFeed("BTC/USDT")


def test_a_running_feed_can_be_pickled_without_its_stream() -> None:
    data = feed(DELAYED, END, clock=None)
    cerebro = bt.Cerebro()
    cerebro.adddata(data)
    data.start()
    data.p.stream = None
    twin: FakeFeed = pickle.loads(pickle.dumps(data))
    assert twin._seat is None
    assert twin._name == "BTC/USDT"
    data.stop()
