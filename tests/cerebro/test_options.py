from __future__ import annotations

import datetime as dt
from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from btfeeds.cerebro.historyfeed import HistoryFeed
from btfeeds.cerebro.options import history_start
from btfeeds.errors import ConfigError
from btfeeds.feeds import BinanceLiveDataFeed
from btfeeds.market import Timeframe, to_ms

NOW = to_ms("2024-03-01T12:00:30Z")
BARS = pd.DataFrame(columns=["open", "high", "low", "close", "volume"], dtype=float)


@pytest.mark.parametrize(
    ("history", "start"),
    [
        ("2h", "2024-03-01T10:00Z"),
        ("30d", "2024-01-31T12:00Z"),
        (500, "2024-03-01T03:40Z"),
        ("500", "2024-03-01T03:40Z"),
        (dt.timedelta(hours=1), "2024-03-01T11:00Z"),
    ],
)
def test_history_is_a_time_or_a_number_of_bars(history: Any, start: str) -> None:
    assert history_start(history, Timeframe.parse("1m"), NOW) == to_ms(start)


def test_no_history_has_no_start() -> None:
    assert history_start(None, Timeframe.parse("1m"), NOW) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"history": "soon"},
        {"history": True},
        {"history": -5},
        {"history": 2.5},
        {"history": 999_999_999},
        {"history": "99999M"},
        {"history": dt.timedelta(days=99_999)},
        {"history": "1d", "fromdate": dt.datetime(2024, 1, 1)},
        {"stamp": "middle"},
        {"gaps": "ignore"},
        {"align": -1},
        {"align": "2"},
        {"keep": 1.5},
        {"buffer": 0},
        {"qcheck": float("inf")},
        {"historical": True},
        {"historical": 1, "history": "1d"},
        {"historical": True, "history": "1d", "backfill_start": False},
        {"venue": None},
        {"venue": "nowhere"},
        {"dataname": None},
        {"dataname": "not a symbol"},
        {"timeframe": "1x"},
        {"timeframe": bt.TimeFrame.MicroSeconds},
        {"timeframe": bt.TimeFrame.Ticks, "compression": 2},
        {"timeframe": "tick", "history": "1d"},
        {"timeframe": "tick", "historical": True},
        {"tz": "Mars/Olympus"},
        {"tzinput": "Europe/Berlin"},
        {"sessionstart": "09:30"},
        {"sessionend": 16},
        {"todate": "2024-02-30"},
        {"fromdate": "yesterday"},
        {"sandbox": "yes"},
    ],
    ids=str,
)
def test_wrong_values_are_refused_before_anything_starts(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        BinanceLiveDataFeed(**{"dataname": "BTC/USDT", **wrong})
    assert len(str(error.value).splitlines()) == 3


def test_a_timeframe_may_be_a_text_or_backtraders_pair() -> None:
    text = BinanceLiveDataFeed(dataname="BTC/USDT", timeframe="4h")
    pair = BinanceLiveDataFeed(dataname="BTC/USDT", timeframe=bt.TimeFrame.Minutes, compression=240)
    assert (text._timeframe, text._compression) == (pair._timeframe, pair._compression) == (bt.TimeFrame.Minutes, 240)


def test_the_timeframe_is_a_minute_for_symbols_and_a_day_for_dataframes() -> None:
    assert BinanceLiveDataFeed(dataname="BTC/USDT")._timeframe == bt.TimeFrame.Minutes
    assert BinanceLiveDataFeed(dataname=BARS)._timeframe == bt.TimeFrame.Days


def test_ticks_take_no_frame_and_no_warehouse() -> None:
    with pytest.raises(ConfigError, match="A DataFrame does not go with single trades"):
        BinanceLiveDataFeed(dataname=BARS, timeframe=bt.TimeFrame.Ticks)
    with pytest.raises(ConfigError, match="tick"):
        HistoryFeed(dataname="BTC/USDT", venue="binance", timeframe="tick")


def test_a_trade_has_one_stamp_whatever_is_asked_for() -> None:
    assert [BinanceLiveDataFeed(dataname="BTC/USDT", timeframe="tick", stamp=stamp).p.stamp
            for stamp in (None, "close", "open")] == ["close"] * 3  # fmt: skip


def test_test_hosts_have_to_be_named() -> None:
    data = BinanceLiveDataFeed(dataname="BTC/USDT", sandbox=True)
    with pytest.raises(ConfigError, match="sandbox"):
        data._venue()


@pytest.mark.parametrize(
    "wrong",
    [{"gaps": "hold", "backfill": False}, {"resume": 5}, {"resume": "state.json", "backfill_from": object()}],
)
def test_what_cannot_go_together_is_refused_before_anything_starts(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        BinanceLiveDataFeed(dataname="BTC/USDT", timeframe="1m", **wrong)


def test_a_live_feed_has_no_bars_that_could_come_first() -> None:
    with pytest.raises(ConfigError, match="give no live feed"):
        BinanceLiveDataFeed(dataname="BTC/USDT", backfill_from=BinanceLiveDataFeed(dataname="BTC/USDT"))


@pytest.mark.parametrize("backtest", [{"historical": True, "history": "1d"}, {"dataname": BARS}])
def test_a_backtest_with_bars_of_another_feed_before_its_own_is_refused(backtest: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="backfill_from does not go with a backtest"):
        BinanceLiveDataFeed(**{"dataname": "BTC/USDT", "backfill_from": object(), **backtest})


def test_bars_of_a_sandbox_are_not_kept_as_the_venues() -> None:
    hosts = {"rest_url": "http://127.0.0.1:1", "stream_url": "ws://127.0.0.1:1"}
    assert BinanceLiveDataFeed(dataname="BTC/USDT", sandbox=True, **hosts)._venue().bars_of == "binance sandbox"
    assert BinanceLiveDataFeed(dataname="BTC/USDT", **hosts)._venue().bars_of == ""


@pytest.mark.parametrize("day", ["2024-02-27", dt.date(2024, 2, 27)], ids=str)
@pytest.mark.parametrize("stamp", ["close", "open"])
def test_a_plain_date_as_todate_means_its_whole_day(day: Any, stamp: str) -> None:
    data = BinanceLiveDataFeed(dataname="BTC/USDT", todate=day, stamp=stamp)
    assert data._until_ms() == to_ms("2024-02-28T00:00Z")


def test_a_session_is_given_in_times() -> None:
    data = BinanceLiveDataFeed(dataname="BTC/USDT", sessionstart=dt.time(9, 30), sessionend=dt.datetime(2024, 1, 1, 16))
    assert (data.p.sessionstart, data.p.sessionend) == (dt.time(9, 30), dt.time(16))


def test_the_index_of_a_dataframe_may_be_in_a_zone_of_its_own() -> None:
    assert BinanceLiveDataFeed(dataname=BARS, tzinput="Europe/Berlin").p.tzinput == "Europe/Berlin"
