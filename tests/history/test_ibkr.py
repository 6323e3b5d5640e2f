"""Bars from Interactive Brokers: what is asked, at which pace, and what the rows mean; with a fake in TWS's place."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from types import SimpleNamespace
from typing import Any

import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import BadFrame, ConfigError, HistoryIncomplete, NetworkError, RateLimited, UnknownSymbol
from btfeeds.history import ibkr
from btfeeds.history.downloader import DataDownloaderFactory, Downloader
from btfeeds.history.ibkr import Ibkr, IbkrDownloader, Pace
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.offer import ADJUSTED, ASSETS
from tests.history.test_tws import FakeIB, RequestError, gateway
from tests.shared import shared

pytest.importorskip("ib_async")

M, DAY = 60_000, 86_400_000
MORNING = 1_609_837_200_000  # 2021-01-05 09:00 UTC
BUSY = RequestError(162, "Historical Market Data Service error message:Historical data request pacing violation")


def row(time: int, price: float = 100.0, volume: float = 5.0, count: int = 2) -> Any:
    date = dt.datetime.fromtimestamp(time / 1000, dt.UTC)
    return SimpleNamespace(
        date=date, open=price, high=price + 1, low=price - 1, close=price, volume=volume, average=price, barCount=count
    )


def made(*answers: Any, now: int = MORNING + 2 * DAY) -> tuple[FakeIB, IbkrDownloader, ManualClock]:
    ib, clock = FakeIB(*answers), ManualClock(now)
    ib.time = dt.datetime.fromtimestamp(now / 1000, dt.UTC)
    return ib, IbkrDownloader(gateway(ib), clock), clock


def recorded() -> list[Any]:
    """Real minutes with trades of one day. The recording does not say of which zone its times are: taken for UTC."""
    with gzip.open(shared("ibkr/nautilus/bars.json.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for one in rows:
        one["date"] = dt.datetime.fromisoformat(one["date"]).replace(tzinfo=dt.UTC)
    return [SimpleNamespace(**one) for one in rows]


def test_recorded_bars_come_whole_through_the_downloader() -> None:
    ib, downloader, _ = made(recorded())
    with downloader:
        frame = downloader.download("AAPL", "1m", "2021-01-05", "2021-01-06")
    assert len(frame) == 405 and len(ib.asked) == 1
    assert list(frame.columns) == ["open", "high", "low", "close", "volume", "trades"]
    assert list(frame.loc["2021-01-05 10:28"]) == [218.34, 218.34, 218.34, 218.34, 12.0, 2]
    assert str(frame.index[0]) == "2021-01-05 09:28:00+00:00"


def test_minutes_are_asked_for_by_days_with_one_more_than_is_wanted() -> None:
    ib, downloader, _ = made()
    with downloader:
        downloader.bars("AAPL", "1m", TimeRange(MORNING - DAY, MORNING + DAY // 2))
    asked = [request for _, request in ib.asked]
    assert [(str(one["endDateTime"]), one["durationStr"]) for one in asked] == [
        ("2021-01-05 09:00:00+00:00", "2 D"),
        ("2021-01-05 21:00:00+00:00", "2 D"),
    ]
    first = {name: asked[0][name] for name in ("barSizeSetting", "whatToShow", "useRTH", "formatDate", "timeout")}
    assert first == {
        "barSizeSetting": "1 min", "whatToShow": "TRADES", "useRTH": False, "formatDate": 2, "timeout": 0
    }


def test_seconds_are_asked_for_by_half_hours() -> None:
    ib, downloader, _ = made()
    with downloader:
        downloader.bars("AAPL", "1s", TimeRange(MORNING, MORNING + 45 * M))
    assert [request["durationStr"] for _, request in ib.asked] == ["1800 S", "900 S"]


def test_days_of_trading_before_the_span_are_no_error_and_no_bars() -> None:
    _, downloader, _ = made([row(MORNING - DAY), row(MORNING)])
    with downloader:
        found = downloader.bars("AAPL", "1m", TimeRange(MORNING, MORNING + 5 * M))
    assert found == [Bar(MORNING, 100, 101, 99, 100, 5, 2)]


def test_an_answer_of_older_days_only_says_that_there_was_nothing() -> None:
    _, downloader, _ = made([row(MORNING - DAY)])
    with downloader:
        [page] = downloader.pages("AAPL", "1m", TimeRange(MORNING, MORNING + 5 * M))
    assert (page.span, page.bars) == (TimeRange(MORNING, MORNING + 5 * M), [])


def test_days_are_named_by_their_date() -> None:
    day = row(MORNING)
    day.date = dt.date(2021, 1, 5)
    _, downloader, _ = made([day])
    with downloader:
        [bar] = downloader.bars("AAPL", "1d", TimeRange(MORNING - DAY, MORNING + DAY))
    assert bar.open_time == MORNING - 9 * 60 * M


def test_hours_make_larger_bars_whose_grid_there_is_another() -> None:
    _, downloader, _ = made([row(MORNING + n * 60 * M, 100 + n) for n in range(3, 7)])
    with downloader:
        found = downloader.bars("AAPL", "4h", TimeRange(MORNING + 180 * M, MORNING + 420 * M))
    assert found == [Bar(MORNING + 180 * M, 103, 107, 102, 106, 20, 8)]


def test_currencies_have_no_volume_and_no_count() -> None:
    ib, downloader, _ = made([row(MORNING, 1.2, -1.0, -1)])
    with downloader:
        [bar] = downloader.bars("EUR/USD", "1m", TimeRange(MORNING, MORNING + M))
    assert (bar.volume, bar.trades) == (0.0, -1)
    assert ib.asked[0][1]["whatToShow"] == "MIDPOINT"


def test_the_bar_under_way_is_no_bar_yet() -> None:
    _, downloader, _ = made([row(MORNING), row(MORNING + M)], now=MORNING + M + 30_000)
    with downloader:
        found = downloader.bars("AAPL", "1m", TimeRange(MORNING, MORNING + 5 * M))
    assert [bar.open_time for bar in found] == [MORNING]


@pytest.mark.parametrize("ahead", [-7_200_000, 0, 45_000, 120_000, 7_200_000])
def test_what_is_closed_tws_s_time_tells_and_not_ours(ahead: int) -> None:
    _, downloader, clock = made([row(MORNING), row(MORNING + M)], now=MORNING + M + 20_000)
    clock.advance(ahead)
    with downloader:
        [page] = downloader.pages("AAPL", "1m", TimeRange(MORNING, MORNING + 180 * M))
    assert (page.span, [bar.open_time for bar in page.bars]) == (TimeRange(MORNING, MORNING + M), [MORNING])
    assert page.venue_time == MORNING + M + 20_000 and page.took, "what is known of its clock"


@pytest.mark.parametrize(("moment", "closed"), [("T01:00", 0), ("T04:59", 0), ("T05:01", 1)])
@pytest.mark.parametrize("ahead", [0, 2 * DAY])
def test_a_day_is_over_at_midnight_in_new_york(moment: str, closed: int, ahead: int) -> None:
    day = row(MORNING)
    day.date = dt.date(2021, 1, 5)
    _, downloader, clock = made([day], now=to_ms(f"2021-01-06{moment}"))
    clock.advance(ahead)
    with downloader:
        found = downloader.bars("AAPL", "1d", TimeRange(to_ms("2021-01-05"), to_ms("2021-01-07")))
    assert len(found) == closed, "hours behind the close end at 20:00"


def test_a_bar_that_cannot_be_one_is_missing_and_nothing_else() -> None:
    bad = [row(MORNING), row(MORNING + M, -5.0), row(MORNING + 2 * M)]
    _, downloader, _ = made(bad, bad, bad)
    with downloader, pytest.raises(HistoryIncomplete) as caught:
        downloader.download("AAPL", "1m", MORNING, MORNING + 3 * M)
    assert caught.value.missing == ((MORNING + M, MORNING + 2 * M),)


@pytest.mark.parametrize("date", [dt.datetime(2021, 1, 5, 9), "2021-01-05 09:00", None, 5])
def test_a_time_without_a_zone_is_refused(date: Any) -> None:
    with pytest.raises(BadFrame):
        ibkr._bar(SimpleNamespace(**{**vars(row(MORNING)), "date": date}))


@pytest.mark.parametrize("wrong", [{"open": "x"}, {"barCount": None}, {"volume": None}])
def test_a_row_that_is_no_bar_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadFrame):
        ibkr._bar(SimpleNamespace(**{**vars(row(MORNING)), **wrong}))


def test_a_volume_that_is_no_number_does_not_become_none() -> None:
    assert ibkr._bar(row(MORNING, volume=float("nan"))).fault() == "not_finite"


def test_bars_of_seconds_older_than_six_months_are_missing_before_anything_is_asked() -> None:
    ib, downloader, _ = made(now=MORNING + 200 * DAY)
    with downloader, pytest.raises(HistoryIncomplete, match="last 180 days only"):
        downloader.bars("AAPL", "5s", TimeRange(MORNING, MORNING + 5 * M))
    assert ib.asked == []


# --- symbols ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "fields"),
    [
        ("AAPL", "STK AAPL SMART USD"),
        ("BRK.B", "STK BRK B SMART USD"),
        ("EUR/USD", "CASH EUR IDEALPRO USD"),
        ("BTC/USD", "CRYPTO BTC PAXOS USD"),
        ("^GSPC", "IND SPX CBOE USD"),
    ],
)
def test_symbols_become_contracts(symbol: str, fields: str) -> None:
    assert Ibkr().native_symbol(Symbol(symbol)) == fields


@pytest.mark.parametrize("symbol", ["BTC/USDT:USDT", "EUR/USD:USD", "^XYZ", "ES=F"])
def test_a_symbol_that_cannot_be_a_contract_is_refused(symbol: str) -> None:
    with pytest.raises(UnknownSymbol):
        Ibkr().native_symbol(Symbol(symbol))


# --- pace -------------------------------------------------------------------------------------------------------------


def test_the_same_question_is_not_put_twice_within_15_seconds() -> None:
    pace = Pace()
    assert [pace.wait("AAPL", "a", 0), pace.wait("AAPL", "a", 1_000), pace.wait("AAPL", "a", 15_000)] == [0, 14_000, 0]


def test_a_contract_is_asked_for_five_times_in_two_seconds_and_another_at_once() -> None:
    pace = Pace()
    assert [pace.wait("AAPL", str(n), 100 * n) for n in range(6)] == [0, 0, 0, 0, 0, 1_500]
    assert pace.wait("MSFT", "x", 500) == 0
    assert pace.wait("AAPL", "5", 2_000) == 0


def test_sixty_questions_fit_into_ten_minutes() -> None:
    pace = Pace()
    assert all(pace.wait(f"C{n}", str(n), n) == 0 for n in range(60))
    assert pace.wait("C60", "60", 60) == 599_940
    assert pace.wait("C60", "60", 600_000) == 0
    assert pace.wait("C61", "61", 600_000) == 1


def test_after_a_pacing_violation_nothing_is_asked_for_a_minute() -> None:
    ib, downloader, clock = made(BUSY, [row(MORNING)])
    before = clock.monotonic()
    with downloader:
        assert len(downloader.bars("AAPL", "1m", TimeRange(MORNING, MORNING + M))) == 1
    assert len(ib.asked) == 2 and clock.monotonic() - before >= 60_000


def test_three_violations_in_a_row_are_told() -> None:
    ib, downloader, _ = made(BUSY, BUSY, BUSY)
    with downloader, pytest.raises(RateLimited):
        downloader.bars("AAPL", "1m", TimeRange(MORNING, MORNING + M))
    assert len(ib.asked) == 3


def test_a_link_that_broke_is_made_again_a_little_later() -> None:
    ib, downloader, clock = made(ConnectionError("Socket disconnect"), [row(MORNING)])
    before = clock.monotonic()
    with downloader:
        assert len(downloader.bars("AAPL", "1m", TimeRange(MORNING, MORNING + M))) == 1
    assert len(ib.asked) == 2 and clock.monotonic() - before >= 15_000


def test_where_nobody_listens_that_is_said_at_once() -> None:
    class Deaf(FakeIB):
        async def connectAsync(self, **target: Any) -> None:
            raise ConnectionRefusedError(111, "Connect call failed")

    clock = ManualClock(MORNING + 2 * DAY)
    before = clock.monotonic()
    with IbkrDownloader(gateway(Deaf()), clock) as downloader, pytest.raises(NetworkError, match="Start TWS"):
        downloader.bars("AAPL", "1m", TimeRange(MORNING, MORNING + M))
    assert clock.monotonic() == before


def test_what_cannot_be_cured_is_asked_once() -> None:
    ib, downloader, _ = made(RequestError(200, "No security definition has been found for the request"))
    with downloader, pytest.raises(UnknownSymbol):
        downloader.download("AAPX", "1m", MORNING, MORNING + M, partial=True)
    assert len(ib.asked) == 1


def test_a_long_download_keeps_the_pace() -> None:
    ib, downloader, clock = made(now=MORNING + 100 * DAY)
    before = clock.monotonic()
    with downloader:
        downloader.bars("AAPL", "1m", TimeRange(MORNING, MORNING + 70 * DAY))
    assert len(ib.asked) == 70 and clock.monotonic() - before >= 600_000


# --- the factory ------------------------------------------------------------------------------------------------------


def test_the_factory_makes_one_and_asks_nobody() -> None:
    assert "ibkr" in DataDownloaderFactory.names()
    downloader = DataDownloaderFactory.create("IBKR", host="127.0.0.1", port=4002, client_id=7)
    assert isinstance(downloader, IbkrDownloader) and isinstance(downloader, Downloader)
    assert downloader._gateway.address == "127.0.0.1:4002"
    downloader.close()


def test_the_settings_can_say_where_the_gateway_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_IBKR_REST_URL", "http://gateway.test:4002")
    for given, address in (({}, "gateway.test:4002"), ({"port": 4001}, "gateway.test:4001")):
        downloader = DataDownloaderFactory.create("ib", **given)
        assert isinstance(downloader, IbkrDownloader) and downloader._gateway.address == address
        downloader.close()


@pytest.mark.parametrize("wrong", [{"stream_url": "http://127.0.0.1"}, {"speed": 3}])
def test_a_setting_it_does_not_have_is_a_configuration_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="host, port, client_id"):
        DataDownloaderFactory.create("ibkr", **wrong)


def test_what_it_offers_is_said_in_the_words_of_all_providers() -> None:
    assert set(Ibkr.assets) <= set(ASSETS) and Ibkr.adjusted in ADJUSTED
    assert Timeframe.parse("1m") in Ibkr.timeframes and Ibkr().base_timeframe(Timeframe.parse("1w")).unit == "d"
