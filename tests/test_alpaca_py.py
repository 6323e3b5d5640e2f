"""alpaca-py agrees with the simulator of Alpaca, with nothing changed in it but its URLs."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from btfeeds import barfile
from btfeeds.market import Bar, to_ms
from btfeeds.simulator import Simulator, serve
from tests.shared import shared

pytest.importorskip("alpaca")

HISTORY = 1_500
MINUTE = 60_000


@pytest.fixture(scope="module")
def bars() -> tuple[Bar, ...]:
    return barfile.read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")).bars


@pytest.fixture
def sim(bars: tuple[Bar, ...]) -> Iterator[Simulator]:
    with serve("alpaca", bars, symbol="AAPL", history=HISTORY, speed=300) as sim:
        yield sim


def _values(bar: Any) -> tuple[Any, ...]:
    if isinstance(bar, Bar):
        return bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume
    return to_ms(bar.timestamp), bar.open, bar.high, bar.low, bar.close, bar.volume


def _moment(time: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time / 1000, dt.UTC)


def _history(client: Any, request: Any, bars: tuple[Bar, ...], **more: Any) -> list[Any]:
    from alpaca.data.timeframe import TimeFrame

    start, end = _moment(bars[0].open_time), _moment(bars[HISTORY - 1].open_time)
    asked = request(timeframe=TimeFrame.Minute, start=start, end=end, **more)
    get = client.get_crypto_bars if hasattr(client, "get_crypto_bars") else client.get_stock_bars
    [found] = get(asked).data.values()
    return list(found)


def test_history_is_the_file_row_for_row(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest

    client = StockHistoricalDataClient("key", "secret", url_override=sim.rest_url)
    found = _history(client, StockBarsRequest, bars, symbol_or_symbols="AAPL")
    assert [_values(bar) for bar in found] == [_values(bar) for bar in bars[:HISTORY] if bar.volume]


def test_history_of_crypto_is_the_file_row_for_row(bars: tuple[Bar, ...]) -> None:
    from alpaca.data.historical import CryptoHistoricalDataClient
    from alpaca.data.requests import CryptoBarsRequest

    with serve("alpacacrypto", bars, symbol="BTC/USD", history=HISTORY, speed=300) as sim:
        client = CryptoHistoricalDataClient("key", "secret", url_override=sim.rest_url)
        found = _history(client, CryptoBarsRequest, bars, symbol_or_symbols="BTC/USD")
    assert [_values(bar) for bar in found] == [_values(bar) for bar in bars[:HISTORY] if bar.volume]


def test_an_answer_in_many_pages_is_put_together(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    from alpaca.data.historical import StockHistoricalDataClient

    client = StockHistoricalDataClient("key", "secret", url_override=sim.rest_url)
    rows: list[float] = []
    token: str | None = ""
    while token is not None:
        asked = {"symbols": "AAPL", "timeframe": "1Min", "limit": 100, "start": _moment(bars[0].open_time).isoformat(),
                 "end": _moment(bars[999].open_time).isoformat(), "page_token": token}  # fmt: skip
        answer: Any = client.get("/stocks/bars", asked)
        rows += [bar["c"] for bar in answer["bars"]["AAPL"]]
        token = answer["next_page_token"]
    assert rows == [bar.close for bar in bars[:1000] if bar.volume]


def test_a_wrong_key_is_refused(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    from alpaca.common.exceptions import APIError
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest

    client = StockHistoricalDataClient("wrong", "secret", url_override=sim.rest_url)
    with pytest.raises(APIError, match="unauthorized"):
        _history(client, StockBarsRequest, bars, symbol_or_symbols="AAPL")


def _streamed(stream: Any, subscribe: Callable[[Any], None], wanted: int) -> list[Any]:
    """The first bars that come on a stream of alpaca-py, in MessagePack as it wants them."""
    seen: list[Any] = []
    enough = threading.Event()

    async def take(bar: Any) -> None:
        seen.append(bar)
        if len(seen) == wanted:
            enough.set()

    subscribe(take)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    came = enough.wait(30)
    asyncio.run_coroutine_threadsafe(stream.stop_ws(), stream._loop).result(5)
    thread.join(10)
    assert came and not thread.is_alive()
    return seen[:wanted]


def test_live_bars_are_those_of_the_file(sim: Simulator, bars: tuple[Bar, ...]) -> None:
    from alpaca.data.live import StockDataStream

    stream = StockDataStream("key", "secret", url_override=f"{sim.stream_url}/v2/iex")
    seen = _streamed(stream, lambda take: stream.subscribe_bars(take, "AAPL"), 4)
    truth = {bar.open_time: _values(bar) for bar in bars}
    assert [bar.symbol for bar in seen] == ["AAPL"] * 4
    assert [_values(bar) for bar in seen] == [truth[to_ms(bar.timestamp)] for bar in seen]


def test_a_correction_comes_on_its_own_channel(bars: tuple[Bar, ...]) -> None:
    from alpaca.data.live import StockDataStream

    with serve("alpaca", bars, symbol="AAPL", history=HISTORY, speed=100, faults=["correct@150s:5s"]) as sim:
        stream = StockDataStream("key", "secret", url_override=f"{sim.stream_url}/v2/iex")

        def subscribe(take: Any) -> None:
            stream.subscribe_updated_bars(take, "AAPL")

            async def nothing(bar: Any) -> None:
                pass

            stream.subscribe_bars(nothing, "AAPL")

        [revised] = _streamed(stream, subscribe, 1)
    truth = {bar.open_time: _values(bar) for bar in bars}
    assert _values(revised) == truth[to_ms(revised.timestamp)]
