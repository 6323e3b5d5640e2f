"""A backtest from the warehouse has the bars, the stamps and the words about gaps that a live feed has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

from btfeeds.cerebro.historyfeed import HistoryFeed
from btfeeds.clock import ManualClock
from btfeeds.errors import ConfigError, HistoryIncomplete
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse
from tests import fakes
from tests.fakes import NOON, run
from tests.history.venue import FakeVenue

M = 60_000
CLOCK = ManualClock(NOON + 1_000 * M)
SERIES = Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))


def bar(minute: int, volume: float = 1.0) -> Bar:
    return fakes.bar(NOON + minute * M, 100.0 + minute, volume)


def fill(warehouse: Warehouse, start: int, end: int, leave_out: tuple[int, ...] = (), venue: str = "binance") -> None:
    bars = [bar(minute, minute + 1.0) for minute in range(start, end) if minute not in leave_out]
    series = Subscription(venue, SERIES.symbol, SERIES.timeframe)
    warehouse.add(series, bars, provider=venue, span=TimeRange(NOON + start * M, NOON + end * M))


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "bars") as made:
        yield made


def feed(warehouse: Any, **params: Any) -> HistoryFeed:
    params = {"dataname": "BTC/USDT", "venue": "binance", "timeframe": "1m", "clock": CLOCK} | params
    return HistoryFeed(warehouse=warehouse, **params)


def pages(*feeds: HistoryFeed) -> list[Any]:
    """(stamp, volume) of each bar that came."""
    return [page["BTC/USDT"] for page in run(*feeds).pages]


def test_bars_are_stamped_with_their_close_as_live_ones_are(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 3)
    assert pages(feed(warehouse)) == [("01 12:01", 1.0), ("01 12:02", 2.0), ("01 12:03", 3.0)]
    assert pages(feed(warehouse, stamp="open"))[0] == ("01 12:00", 1.0)


def test_a_backtest_is_preloaded_and_may_run_once(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 50)
    data = feed(warehouse)
    assert not data.islive()
    assert len(pages(data)) == 50
    assert data.buflen() == 50


def test_from_when_until_when_is_said_as_for_a_live_feed(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 10)
    part = feed(warehouse, fromdate="2024-03-01T12:02Z", todate="2024-03-01T12:05Z")
    assert [stamp for stamp, _ in pages(part)] == ["01 12:03", "01 12:04", "01 12:05"]
    now = ManualClock(NOON + 10 * M + 5)
    assert [stamp for stamp, _ in pages(feed(warehouse, history=2, clock=now))] == ["01 12:09", "01 12:10"]


def test_a_folder_is_opened_for_the_run_and_the_settings_may_name_it(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse, 0, 3)
    assert len(pages(feed(str(warehouse.root)))) == 3
    monkeypatch.setenv("BTFEEDS_WAREHOUSE", str(warehouse.root))
    assert len(pages(HistoryFeed(dataname="BTC/USDT", venue="binance", timeframe="1m"))) == 3


class Sum(bt.Strategy):
    params = (("times", 1),)

    def __init__(self) -> None:
        self.total = 0.0

    def next(self) -> None:
        self.total += self.p.times * self.data.volume[0]

    def stop(self) -> None:
        self.analyzers.told.rets["total"] = self.total


class Told(bt.Analyzer):
    def create_analysis(self) -> None:
        self.rets = {}


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="backtrader sends iterators to its processes")
@pytest.mark.parametrize("preloaded", [True, False])
def test_an_optimization_may_use_several_processes(warehouse: Warehouse, preloaded: bool) -> None:
    fill(warehouse, 0, 4)
    cerebro = bt.Cerebro(maxcpus=2, optdatas=preloaded, stdstats=False)
    cerebro.adddata(feed(warehouse, clock=None))  # an open warehouse, not a folder
    cerebro.addanalyzer(Told, _name="told")
    cerebro.optstrategy(Sum, times=[1, 2, 3])
    assert [run[0].analyzers.told.rets["total"] for run in cerebro.run()] == [10.0, 20.0, 30.0]


def test_what_nobody_was_asked_for_is_not_passed_over_in_silence(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 3)
    fill(warehouse, 5, 8)
    with pytest.raises(HistoryIncomplete, match="nobody was asked yet for 2024-03-01T12:03:00Z") as told:
        pages(feed(warehouse))
    assert told.value.missing == ((NOON + 3 * M, NOON + 5 * M),)
    assert "btfeeds fetch binance BTC/USDT 1m --from 2024-03-01T12:00:00Z" in told.value.advice
    assert len(pages(feed(warehouse, missing="skip"))) == 6


def test_a_feed_that_would_be_empty_says_so(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 3)
    later = ManualClock(NOON + 10_000 * M)
    for params in ({"fromdate": "2024-03-01T12:05Z"}, {"history": "2h", "clock": later}, {"timeframe": "1d"}):
        with pytest.raises(HistoryIncomplete, match="has no whole bar from"):
            pages(feed(warehouse, **params))
    run(feed(warehouse, fromdate="2024-03-01T12:05Z", missing="skip"))


@pytest.mark.parametrize("missing", ["stop", "skip", "download"])
def test_an_end_before_the_beginning_is_refused(warehouse: Warehouse, missing: str) -> None:
    fill(warehouse, 0, 3)
    with pytest.raises(ConfigError, match="there is no time"):
        pages(feed(warehouse, fromdate="2024-03-01T12:02Z", todate="2024-03-01T12:01Z", missing=missing))


def test_a_minute_without_trades_is_nothing_missing_and_can_be_filled(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 4, leave_out=(2,))
    assert [stamp for stamp, _ in pages(feed(warehouse))] == ["01 12:01", "01 12:02", "01 12:04"]
    assert pages(feed(warehouse, gaps="fill"))[2] == ("01 12:03", 0.0)


def test_a_gap_of_a_venue_that_has_a_row_for_every_bar_can_stop_it(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 4, leave_out=(2,), venue="kraken")
    with pytest.raises(HistoryIncomplete, match="the venue has no bars"):
        pages(feed(warehouse, venue="kraken", gaps="stop"))
    fill(warehouse, 0, 4, leave_out=(2,), venue="my own file")
    assert len(pages(feed(warehouse, venue="My own file", gaps="stop"))) == 3


def test_what_is_missing_can_be_downloaded_and_is_kept(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = FakeVenue(10)
    monkeypatch.setattr(
        "btfeeds.history.downloader.DataDownloaderFactory.create", lambda name, **_: venue.downloader()
    )
    wanted = {"fromdate": "2024-03-01T12:00Z", "todate": "2024-03-01T12:10Z", "clock": venue.clock}
    assert len(pages(feed(warehouse, missing="download", **wanted))) == 10
    asked = len(venue.requests)
    assert len(pages(feed(warehouse, **wanted))) == 10
    assert len(venue.requests) == asked


def test_larger_bars_are_made_of_the_minutes_that_are_there(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 12)
    assert pages(feed(warehouse, timeframe="5m")) == [("01 12:05", 15.0), ("01 12:10", 40.0)]


def test_it_can_be_resampled_and_the_last_whole_bar_comes(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 10)

    class Hours(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            self.bars: list[Any] = []

        def next(self) -> None:
            if len(self.datas[0]) > len(self.bars):
                self.bars.append((self.datas[0].datetime.datetime(0).strftime("%H:%M"), self.datas[0].volume[0]))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.resampledata(feed(warehouse), timeframe=bt.TimeFrame.Minutes, compression=5)
    cerebro.addstrategy(Hours)
    assert cerebro.run()[0].bars == [("12:05", 15.0), ("12:10", 40.0)]


def test_a_series_that_is_not_there_says_how_to_get_it(warehouse: Warehouse) -> None:
    with pytest.raises(HistoryIncomplete, match="has no bars of binance BTC/USDT 1m"):
        pages(feed(warehouse))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"missing": "invent"}, "missing='invent' cannot be"),
        ({"venue": "auto"}, "venue='auto' cannot be"),
        ({"venue": None}, "venue=None cannot be"),
        ({"warehouse": 7}, "warehouse=7 cannot be"),
        ({"history": 5, "fromdate": "2024-01-01"}, "history=5 cannot be"),
    ],
)
def test_what_cannot_be_is_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        feed(params.pop("warehouse", "bars"), **params)


def test_a_parameter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="did you mean 'missing'"):
        HistoryFeed(dataname="BTC/USDT", venue="binance", mising="skip")


def test_an_indicator_may_begin_with_one_of_its_lines(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 10)

    class Crossing(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            self.cross = bt.ind.CrossOver(self.data.close, bt.ind.SMA(period=3))  # it asks whose line that is
            self.bars = 0

        def next(self) -> None:
            self.bars += 1

    assert run(feed(warehouse), strategy=Crossing).bars == 7


def test_beside_a_live_feed_its_bars_wait_for_what_belongs_before_them(warehouse: Warehouse) -> None:
    fill(warehouse, 0, 4)
    later = [lambda: None] * 3  # the live feed's next page has not come yet
    minutes = [bar(minute) for minute in range(5)]
    items = [fakes.DELAYED, *later, *minutes[:2], *later, *minutes[2:], fakes.LIVE, fakes.END]
    live = fakes.feed(*items, symbol="ETH/USDT", settled=NOON)
    moved = [sorted(page) for page in run(live, feed(warehouse)).pages if isinstance(page, dict)]
    assert moved == [["BTC/USDT", "ETH/USDT"]] * 4 + [["ETH/USDT"]]
