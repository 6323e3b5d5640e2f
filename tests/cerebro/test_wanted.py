"""What a feed asks for is tested with feeds (tests/test_feeds.py); here: whom it asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from btfeeds import venues
from btfeeds.feeds import BaseLiveDataFeed, live
from btfeeds.live.items import Gap
from btfeeds.live.resume import claim
from btfeeds.market import Subscription, Symbol, Timeframe
from btfeeds.warehouse import Warehouse
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, Diary, bar, feed, run
from tests.history.venue import FakeVenue


def test_the_venues_own_hosts_are_used_when_nobody_names_others() -> None:
    assert live("binance", "BTC/USDT", "1m")._venue().rest_url == "https://api.binance.com"


def test_the_environment_names_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_REST_URL", "http://127.0.0.1:7")
    assert live("binance", "BTC/USDT", "1m")._venue().rest_url == "http://127.0.0.1:7"


def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_REST_URL", "http://127.0.0.1:7")
    data = live("binance", "BTC/USDT", "1m", rest_url="http://127.0.0.1:8")
    assert data._venue().rest_url == "http://127.0.0.1:8"


def test_a_venue_made_by_the_caller_is_used_as_it_is() -> None:
    mine = venues.venue("binanceus", rest_url="http://127.0.0.1:9")
    assert BaseLiveDataFeed(dataname="BTC/USDT", venue=mine)._venue() is mine


def test_a_backtest_on_test_hosts_keeps_its_bars_apart_from_the_venues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = FakeVenue(10)
    monkeypatch.setattr(
        "btfeeds.history.downloader.DataDownloaderFactory.create", lambda name, **_: venue.downloader()
    )
    hosts = {"rest_url": "http://127.0.0.1:1", "stream_url": "ws://127.0.0.1:1", "sandbox": True}
    data = live("binance", "BTC/USDT", "1m", historical=True, fromdate=NOON, clock=venue.clock,
                warehouse=tmp_path / "bars", **hosts)  # fmt: skip
    assert len(data._download()) == 10
    with Warehouse(tmp_path / "bars") as warehouse:
        assert [str(one.subscription) for one in warehouse.series()] == ["binance sandbox BTC/USDT 1m"]


def test_an_earlier_run_decides_where_to_begin_unless_a_later_date_is_wanted(tmp_path: Path) -> None:
    place = tmp_path / "state.json"
    subscription = Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))
    before = claim(place, subscription, NOON)
    before.keep(bar(NOON - 90 * MINUTE))
    before.close()
    for given, start in (
        ({"history": "10m"}, NOON - 89 * MINUTE),
        ({}, NOON - 89 * MINUTE),
        ({"backfill_start": False}, NOON - 89 * MINUTE),
        ({"fromdate": NOON - 600 * MINUTE}, NOON - 89 * MINUTE),
        ({"fromdate": NOON - 5 * MINUTE}, NOON - 5 * MINUTE),
    ):
        data = feed(DELAYED, END, resume=place, **given)
        run(data)
        assert data.asked == (start, None)


def test_ticks_have_a_stream_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    def stream(venue: Any, subscription: Any, **params: Any) -> str:
        made.update(params, subscription=str(subscription), venue=venue.name)
        return "ticks"

    monkeypatch.setattr("btfeeds.live.ticks.TickStream", stream)
    data = live("kraken", "BTC/USD", "tick", buffer=9)
    assert data.make_stream(None, 7) == "ticks"
    told = {"venue": "kraken", "subscription": "kraken BTC/USD tick", "start": None, "until": 7, "capacity": 9}
    assert made == {**told, "clock": data._feed_clock}


def test_only_of_ticks_declared_gaps_make_larger_bars_lack_something() -> None:
    for timeframe, lacks in (("tick", True), ("1m", False)):
        data = live("kraken", "BTC/USD", timeframe)
        data._gaps.append(Gap(100, 200, "break"))
        assert [data.lacks(*span) for span in ((0, 100), (0, 101), (120, 130), (200, 300), (201, 300))] == [
            False, lacks, lacks, lacks, False,
        ]  # fmt: skip


def test_a_backtest_takes_no_notice_of_an_earlier_run(tmp_path: Path) -> None:
    index = pd.date_range("2024-03-01", periods=3, freq="min")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0), index=index)
    run(BaseLiveDataFeed(dataname=frame, timeframe="1m", resume=tmp_path / "state.json"))
    assert list(tmp_path.iterdir()) == []


def test_a_bar_that_was_put_off_for_an_older_one_is_not_written_down(tmp_path: Path) -> None:
    place = tmp_path / "state.json"

    class Ends(Diary):
        def prenext(self) -> None:
            super().next()

        def next(self) -> None:
            raise RuntimeError("at the bar that was put off")

    late = feed(DELAYED, LIVE, bar(NOON + MINUTE), END, symbol="A/USDT", resume=place)
    early = feed(DELAYED, LIVE, bar(NOON), END, symbol="B/USDT", resume=place)
    with pytest.raises(RuntimeError):
        run(late, early, strategy=Ends)
    assert list(json.loads(place.read_text())["positions"]) == ["binance B/USDT 1m"]


def test_a_bar_that_a_stop_kept_from_the_strategy_is_not_written_down(tmp_path: Path) -> None:
    place = tmp_path / "state.json"

    class Leaves(Diary):
        def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
            super().notify_data(data, status, *args, **kwargs)
            if status == data.LIVE:  # told when the second bar is loaded, before its next()
                self.env.runstop()

    met = run(feed(DELAYED, bar(NOON), LIVE, bar(NOON + MINUTE), END, resume=place), strategy=Leaves)
    assert sum(isinstance(page, dict) for page in met.pages) == 1
    assert json.loads(place.read_text())["positions"]["binance BTC/USDT 1m"]["open_time"] == NOON
