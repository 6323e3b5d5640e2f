"""Real trades, as they were recorded, on the path that makes bars of trades: they equal what pandas makes of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import pandas as pd
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

import btfeeds
from btfeeds.clock import ScaledClock
from btfeeds.market import iso
from tests.e2e.helpers import accepted, run
from tests.shared import shared

FILE = "binance/lasota/test_positive_binance_trade_stream_spot_trxusdt_04-03-2025.csv.gz"
START = 1_741_046_400_000  # 2025-03-04T00:00Z
END = 1_741_049_100_000  # 00:45, where a bar of seven minutes ends
SPEED = 600.0


class _Venue:
    """Sends recorded trades when their time has come; its history is empty."""

    def __init__(self, trades: list[dict[str, Any]], clock: ScaledClock) -> None:
        self._trades = trades
        self._clock = clock
        self._gone = threading.Event()

    def rest(self, connection: ServerConnection, request: Any) -> Any:
        if "Upgrade" in request.headers:
            return None
        answer = connection.respond(200, "[]")
        del answer.headers["Date"]
        answer.headers["Date"] = formatdate(self._clock.now() / 1000, usegmt=True)
        return answer

    def stream(self, connection: ServerConnection) -> None:
        try:
            said = json.loads(connection.recv(timeout=10))
            connection.send(json.dumps({"result": None, "id": said["id"]}))
            [channel] = said["params"]
            for trade in self._trades:
                wait = (trade["T"] - self._clock.now()) / 1000 / SPEED
                if wait > 0.002 and self._gone.wait(wait):
                    return
                connection.send(json.dumps({"stream": channel, "data": _as(channel, trade)}))
            self._gone.wait(10)
        except ConnectionClosed:
            pass  # the feed has what it wanted

    @contextmanager
    def serving(self) -> Iterator[str]:
        server = serve(self.stream, "127.0.0.1", 0, process_request=self.rest, close_timeout=0.2, ping_interval=None)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            self._gone.set()
            server.shutdown()
            thread.join(2)


def _as(channel: str, trade: dict[str, Any]) -> dict[str, Any]:
    """The event of that channel: where aggregates are subscribed, each trade is an aggregate of one."""
    if channel.endswith("@trade"):
        return {"e": "trade", "E": trade["T"], "s": "TRXUSDT", "m": True, "M": True, **trade}
    same = {"a": trade["t"], "p": trade["p"], "q": trade["q"], "T": trade["T"], "f": trade["t"], "l": trade["t"]}
    return {"e": "aggTrade", "E": trade["T"], "s": "TRXUSDT", "m": True, "M": True, **same}


def test_bars_made_of_recorded_trades_equal_those_of_pandas() -> None:
    frame = pd.read_csv(shared(FILE), dtype={"Price": str, "Quantity": str})
    times = frame["TransactionTime"].astype("int64")
    times = times.where(times < 10**14, times // 1000)
    columns = (frame[name] for name in ("TradeId", "Price", "Quantity"))
    trades = [
        {"t": int(number), "p": price, "q": quantity, "T": int(time)}
        for number, price, quantity, time in zip(*columns, times, strict=True)
    ]
    clock = ScaledClock(START, SPEED)
    with _Venue(trades, clock).serving() as host:
        feed = btfeeds.live(
            "binance", "TRX/USDT", "7m", rest_url=f"http://{host}", stream_url=f"ws://{host}", clock=clock,
            todate=iso(END),
        )  # fmt: skip
        met = run(feed)

    numbers = pd.DataFrame({"p": frame["Price"].astype(float), "q": frame["Quantity"].map(Decimal)})
    numbers.index = pd.to_datetime(times, unit="ms")
    groups = numbers.resample("7min", origin="epoch")
    expected = groups["p"].ohlc().assign(volume=groups["q"].agg("sum").astype(float))
    # of the first seven minutes nobody heard all trades, and the history here is empty: they are declared, not guessed
    end = pd.Timestamp(END, unit="ms")
    expected = expected[(expected.index > pd.Timestamp(START, unit="ms")) & (expected.index < end)]
    assert len(expected) == 6
    assert [row[0] for row in met.rows["TRX/USDT"]] == [int(time.value // 1_000_000) for time in expected.index]
    assert [list(row[1:]) for row in met.rows["TRX/USDT"]] == expected.to_numpy().tolist()
    assert accepted(met.words["TRX/USDT"])
