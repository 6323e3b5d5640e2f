"""Stooq's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import httpx2
import pytest

from btfeeds.errors import BadFrame, Banned, HistoryIncomplete, UnknownSymbol
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.venues.base import HttpResponse
from btfeeds.venues.stooq import Stooq
from tests.venues.fake import FakeHost

DAY = Timeframe.parse("1d")
HEAD = "Date,Open,High,Low,Close,Volume\r\n"
MAY = "2024-04-30,10,12,9,11,5\r\n2024-05-02,11,13,10,12,6\r\n2024-05-03,12,14,11,13,7\r\n"


def read(text: str) -> list[Bar]:
    return Stooq().parse_bars(HttpResponse(200, text.encode()), DAY)


def test_a_day_has_the_name_of_its_date() -> None:
    assert read(HEAD + "2024-05-02,11,13,10,12,6\r\n") == [Bar(to_ms("2024-05-02"), 11, 13, 10, 12, 6)]


def test_a_table_without_volumes_has_none() -> None:
    assert read("Date,Open,High,Low,Close\n2024-05-02,11,13,10,12\n")[0].volume == 0.0


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "2024-05-02,11,13,10,12,6",  # no end of the line: who knows which digits are missing
        HEAD + "2024-05-02,11,13,10,12\r\n",
        HEAD + "2024-05-02,11,13,10,12,6,7\r\n",
        HEAD + "02.05.2024,11,13,10,12,6\r\n",
        HEAD + "20240502,11,13,10,12,6\r\n",
        HEAD + "2024-05-02,11,13,10,,6\r\n",
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen\r\n2024-05-02,11,13,10,12,6\r\n",
        "No data",
        "",
    ],
)
def test_what_is_no_table_of_days_is_refused(text: str) -> None:
    with pytest.raises(BadFrame):
        read(text)


def test_a_month_more_is_asked_for_so_that_nothing_means_unknown() -> None:
    request = Stooq().bars_request(Symbol("AAPL"), DAY, TimeRange(to_ms("2024-05-02"), to_ms("2024-05-04")))
    assert (request.path, dict(request.params)) == (
        "/q/d/l/", {"s": "aapl.us", "i": "d", "d1": "20240401", "d2": "20240503"}
    )


def test_a_weekend_is_empty_and_not_an_unknown_symbol() -> None:
    fake = FakeHost(to_ms("2024-06-01"), lambda request: httpx2.Response(200, content=(HEAD + MAY).encode()))
    with fake.downloader(Stooq()) as downloader:
        weekend = TimeRange(to_ms("2024-05-04"), to_ms("2024-05-06"))
        [page] = downloader.pages("AAPL", "1d", weekend)
        assert (page.span, page.bars) == (weekend, [])
        frame = downloader.download("AAPL", "1d", "2024-05-01", "2024-05-06")
    assert [str(stamp.date()) for stamp in frame.index] == ["2024-05-02", "2024-05-03"]


def test_weeks_are_made_of_days() -> None:
    fake = FakeHost(to_ms("2024-06-01"), lambda request: httpx2.Response(200, content=(HEAD + MAY).encode()))
    with fake.downloader(Stooq()) as downloader:
        [bar] = downloader.bars("AAPL", "1w", TimeRange(to_ms("2024-04-29"), to_ms("2024-05-06")))
    assert bar == Bar(to_ms("2024-04-29"), 10, 14, 9, 13, 18)


def test_a_symbol_it_does_not_know_is_named() -> None:
    fake = FakeHost(to_ms("2024-06-01"), lambda request: httpx2.Response(200, content=b"No data"))
    with fake.downloader(Stooq()) as downloader, pytest.raises(UnknownSymbol, match=r"does not list aapx\.us"):
        downloader.download("AAPX", "1d", "2024-05-01", "2024-05-06")
    assert len(fake.requests) == 1


def test_the_day_s_requests_are_over_at_once() -> None:
    no = httpx2.Response(200, content=b"Exceeded the daily hits limit")
    fake = FakeHost(to_ms("2024-06-01"), lambda request: no)
    with fake.downloader(Stooq()) as downloader:
        with pytest.raises(HistoryIncomplete, match="daily hits limit"):
            downloader.download("AAPL", "1d", "2024-05-01", "2024-05-06")
        with pytest.raises(Banned):
            downloader.bars("AAPL", "1d", TimeRange(to_ms("2024-05-01"), to_ms("2024-05-06")))
    assert len(fake.requests) == 1


def test_the_day_under_way_is_corrected_in_the_night_and_waits_for_it() -> None:
    fake = FakeHost(to_ms("2024-05-04T06:00Z"), lambda request: httpx2.Response(200, content=(HEAD + MAY).encode()))
    with fake.downloader(Stooq()) as downloader:
        frame = downloader.download("AAPL", "1d", "2024-05-01")
        fake.clock.advance(7 * 3_600_000)
        later = downloader.download("AAPL", "1d", "2024-05-01")
    assert [len(frame), len(later)] == [1, 2]


@pytest.mark.parametrize("symbol", ["BTC/USD", "EUR/USD:USD", "ES=F"])
def test_what_it_does_not_spell_is_refused(symbol: str) -> None:
    with pytest.raises(UnknownSymbol):
        Stooq().native_symbol(Symbol(symbol))
