"""Bars as a DataFrame, and what happens to pages that fail."""

from __future__ import annotations

import datetime as dt

import httpx2
import pandas as pd
import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import Banned, ConfigError, HistoryIncomplete, NetworkError, UnknownSymbol
from btfeeds.history.downloader import DataDownloaderFactory, Downloader, frame
from btfeeds.market import Bar, TimeRange
from btfeeds.venues.binance import Binance
from tests.history.test_paging import limited
from tests.history.venue import NOON, FakeVenue, M, Row, row

UNAVAILABLE = httpx2.Response(503)


def failing(*minutes: int) -> FakeVenue:
    """Pages that begin at one of these minutes are never answered."""

    def change(params: dict[str, str], rows: list[Row]) -> list[Row] | httpx2.Response:
        return UNAVAILABLE if (int(params["startTime"]) - NOON) // M in minutes else rows

    return FakeVenue(20, change=change)


def test_the_frame_has_the_promised_shape() -> None:
    made = FakeVenue(10).downloader().download("BTC/USDT", "1m", "2024-03-01T12:00Z", "2024-03-01T12:03Z")
    assert isinstance(made.index, pd.DatetimeIndex)
    assert (made.index.name, str(made.index.tz)) == ("datetime", "UTC")
    assert list(made.index) == [pd.Timestamp("2024-03-01 12:00", tz="UTC") + pd.Timedelta(minutes=n) for n in range(3)]
    assert list(made.columns) == ["open", "high", "low", "close", "volume", "trades"]
    assert [str(kind) for kind in made.dtypes[:5]] == ["float64"] * 5
    assert list(made.iloc[2]) == [102, 104, 100, 103, 1.5, 3]


def test_without_bars_the_frame_keeps_its_shape() -> None:
    made = frame([])
    assert (len(made), list(made.columns)) == (0, ["open", "high", "low", "close", "volume"])
    assert made.index.name == "datetime"


def test_unknown_trades_are_left_out() -> None:
    assert "trades" not in frame([Bar(NOON, 1, 1, 1, 1, 1), Bar(NOON + M, 1, 1, 1, 1, 1, 5)])


def test_without_an_end_everything_closed_is_loaded() -> None:
    assert len(FakeVenue(10).downloader().download("BTC/USDT", "1m", dt.datetime(2024, 3, 1, 12))) == 10


def test_bars_come_in_one_list() -> None:
    bars = FakeVenue(10).downloader(limited(bars_per_request=3)).bars("btc/usdt", "1m", TimeRange(NOON, NOON + 7 * M))
    assert [bar.open_time for bar in bars] == [NOON + n * M for n in range(7)]


def test_a_span_of_no_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="before the end"):
        FakeVenue(1).downloader().download("BTC/USDT", "1m", "2024-03-02", "2024-03-01")


def test_a_failed_page_does_not_stop_the_others_and_is_reported() -> None:
    venue = failing(3)
    with pytest.raises(HistoryIncomplete) as caught:
        venue.downloader(limited(bars_per_request=3)).download("BTC/USDT", "1m", NOON, NOON + 9 * M)
    assert caught.value.missing == ((NOON + 3 * M, NOON + 6 * M),)
    assert "2024-03-01T12:03:00Z" in str(caught.value)
    assert len(venue.requests) == 2 + 5


def test_partial_gives_what_there_is_and_names_the_rest() -> None:
    downloader = failing(3).downloader(limited(bars_per_request=3))
    made = downloader.download("BTC/USDT", "1m", NOON, NOON + 9 * M, partial=True)
    assert [stamp.minute for stamp in made.index] == [0, 1, 2, 6, 7, 8]
    assert made.attrs["missing"] == ((NOON + 3 * M, NOON + 6 * M),)


def test_after_three_failed_pages_in_a_row_the_rest_is_missing() -> None:
    venue = failing(*range(3, 20))
    made = venue.downloader(limited(bars_per_request=3)).download("BTC/USDT", "1m", NOON, NOON + 18 * M, partial=True)
    assert made.attrs["missing"] == ((NOON + 3 * M, NOON + 18 * M),)
    assert len(venue.requests) == 1 + 3 * 5


def test_failed_pages_among_good_ones_do_not_end_the_download() -> None:
    venue = failing(0, 6, 12)
    made = venue.downloader(limited(bars_per_request=3)).download("BTC/USDT", "1m", NOON, NOON + 18 * M, partial=True)
    assert [stamp.minute for stamp in made.index] == [3, 4, 5, 9, 10, 11, 15, 16, 17]


def test_a_ban_ends_the_download() -> None:
    venue = FakeVenue(20)
    banned = httpx2.Response(418, headers={"Retry-After": "600"})
    venue.change = lambda params, rows: rows if len(venue.requests) == 1 else banned
    downloader = venue.downloader(limited(bars_per_request=3))
    with pytest.raises(HistoryIncomplete) as caught:
        downloader.download("BTC/USDT", "1m", NOON, NOON + 18 * M)
    assert caught.value.missing == ((NOON + 3 * M, NOON + 18 * M),)
    assert len(venue.requests) == 2
    with pytest.raises(Banned):
        downloader.bars("BTC/USDT", "1m", TimeRange(NOON, NOON + M))


def test_a_bad_bar_is_missing_and_nothing_else() -> None:
    venue = FakeVenue(10, change=lambda params, rows: [row(r[0], l=-1) if r[0] == NOON + M else r for r in rows])
    made = venue.downloader().download("BTC/USDT", "1m", NOON, NOON + 4 * M, partial=True)
    assert [stamp.minute for stamp in made.index] == [0, 2, 3]
    assert made.attrs["missing"] == ((NOON + M, NOON + 2 * M),)


def test_what_cannot_be_cured_is_raised_at_once() -> None:
    no = httpx2.Response(400, json={"code": -1121, "msg": "Invalid symbol."})
    venue = FakeVenue(5, change=lambda params, rows: no)
    with pytest.raises(UnknownSymbol):
        venue.downloader().download("BTC/USDX", "1m", NOON, NOON + M, partial=True)
    assert len(venue.requests) == 1


def test_progress_is_told_after_every_page() -> None:
    shares: list[float] = []
    venue = FakeVenue(10)
    venue.downloader(limited(bars_per_request=2)).download("BTC/USDT", "1m", NOON, NOON + 4 * M, shares.append)
    assert shares == [0.5, 1.0]


def test_a_closed_downloader_asks_nobody() -> None:
    venue = FakeVenue(5)
    with venue.downloader() as downloader:
        pass
    with pytest.raises(NetworkError):
        downloader.bars("BTC/USDT", "1m", TimeRange(NOON, NOON + M))
    assert venue.requests == []


# --- the factory ------------------------------------------------------------------------------------------------------


def test_the_factory_knows_every_provider() -> None:
    assert {"binance", "binanceus", "binanceusdm"} <= set(DataDownloaderFactory.names())


def test_the_factory_makes_a_downloader_of_the_host_given() -> None:
    downloader = DataDownloaderFactory.create("binanceus", rest_url="http://127.0.0.1:8000/", clock=ManualClock())
    assert isinstance(downloader, Downloader)
    assert isinstance(downloader.provider, Binance)
    assert (downloader.provider.name, downloader.provider.rest_url) == ("binanceus", "http://127.0.0.1:8000")


def test_the_factory_takes_the_host_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_REST_URL", "http://127.0.0.1:9000")
    assert DataDownloaderFactory.create("binance").provider.rest_url == "http://127.0.0.1:9000"


@pytest.mark.parametrize(("name", "settings"), [("nowhere", {}), ("binance", {"speed": 3})])
def test_what_the_factory_does_not_know_is_a_configuration_error(name: str, settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        DataDownloaderFactory.create(name, **settings)
