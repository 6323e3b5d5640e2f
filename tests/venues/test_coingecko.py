"""CoinGecko's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import httpx2
import pytest

from btfeeds.errors import HistoryIncomplete, RateLimited, UnknownSymbol
from btfeeds.market import Symbol, Timeframe, TimeRange, to_ms
from btfeeds.venues.base import HttpResponse
from btfeeds.venues.coingecko import CoinGecko
from tests.venues.fake import FakeHost

NOW = to_ms("2024-03-01T12:10Z")
HALF, HALVES = 1_800_000, Timeframe.parse("30m")


def served(request: httpx2.Request) -> httpx2.Response:
    """Half hours of a day, or 4 hours of 30 days, named by their close; the last row is this moment's price."""
    days = int(request.url.params["days"])
    step = HALF if days == 1 else 8 * HALF
    last = NOW - NOW % step
    closes = list(range(last - days * 86_400_000 + step, last + 1, step))
    rows = [[time, 10.0, 12.0, 9.0, 11.0] for time in [*closes, NOW]]
    return httpx2.Response(200, json=rows)


def test_a_row_is_named_by_its_close_and_has_no_volume() -> None:
    body = b"[[1700001000000,1.0,3.0,0.5,2.0]]"
    [bar] = CoinGecko().parse_bars(HttpResponse(200, body), HALVES)
    assert (bar.open_time, bar.volume) == (1_699_999_200_000, 0.0) and not CoinGecko().has_volume


def test_a_day_of_half_hours_is_what_there_is_and_older_ones_are_missing() -> None:
    fake = FakeHost(NOW, served)
    with fake.downloader(CoinGecko()) as downloader:
        frame = downloader.download("BTC/USD", "30m", "2024-02-29", partial=True)
        assert frame.attrs["missing"] == ((to_ms("2024-02-29"), to_ms("2024-02-29T13:00Z")),)
        with pytest.raises(HistoryIncomplete, match="of the last 1 days only"):
            downloader.bars("BTC/USD", "30m", TimeRange(to_ms("2024-02-20"), NOW))
    assert str(frame.index[0]) == "2024-02-29 13:00:00+00:00"
    assert str(frame.index[-1]) == "2024-03-01 10:30:00+00:00", "what may still change is left out"
    assert fake.requests[0].url.params["days"] == "1"


def test_days_are_made_of_four_hours() -> None:
    fake = FakeHost(NOW, served)
    with fake.downloader(CoinGecko()) as downloader:
        frame = downloader.download("BTC/USD", "1d", "2024-02-10", "2024-02-14")
    assert list(frame.iloc[0]) == [10.0, 12.0, 9.0, 11.0, 0.0] and len(frame) == 4
    assert [dict(one.url.params) for one in fake.requests] == [{"vs_currency": "usd", "days": "30"}]


def test_a_plan_has_hours_and_days() -> None:
    pro = CoinGecko("coingeckopro", key="a-key")
    request = pro.bars_request(Symbol("ETH/EUR"), Timeframe.parse("1h"), TimeRange(NOW, NOW + 2 * HALF))
    assert request.path == "/api/v3/coins/ethereum/ohlc"
    assert dict(request.params) == {"vs_currency": "eur", "days": "90", "interval": "hourly"}
    assert request.headers == {"x-cg-pro-api-key": "a-key"} and pro.needs_key


def test_a_key_is_sent_where_there_is_one() -> None:
    span = TimeRange(NOW, NOW + HALF)
    assert CoinGecko().bars_request(Symbol("BTC/USD"), HALVES, span).headers == {}
    with_key = CoinGecko(key="a-key").bars_request(Symbol("BTC/USD"), HALVES, span)
    assert with_key.headers == {"x-cg-demo-api-key": "a-key"}


@pytest.mark.parametrize("symbol", ["PEPE/USD", "BTC", "AAPL", "BTC/USDT:USDT"])
def test_a_ticker_that_may_mean_several_coins_is_not_guessed_at(symbol: str) -> None:
    with pytest.raises(UnknownSymbol, match="id=pepe/USD"):
        CoinGecko().native_symbol(Symbol(symbol))


def test_a_coin_can_be_written_by_its_name() -> None:
    assert CoinGecko().native_symbol(Symbol("id=the-open-network/usd")) == "the-open-network/usd"


def test_a_wait_of_no_time_is_a_minute() -> None:
    with pytest.raises(RateLimited) as caught:
        CoinGecko().check(HttpResponse(429, b"{}", {"retry-after": "0"}))
    assert caught.value.retry_after == 60
