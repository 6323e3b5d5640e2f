"""A venue in one object: answers as Binance's REST does, from bars and trades in memory, on a clock the test moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx2

from btfeeds.clock import ManualClock
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.market import Timeframe, Trade
from btfeeds.venues.base import Provider
from btfeeds.venues.binance import Binance

M = 60_000
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC

Row = list[Any]
Change = Callable[[dict[str, str], list[Row]], "list[Row] | httpx2.Response"]


def row(open_time: int, price: float = 100.0, **changes: Any) -> Row:
    fields = {"o": price, "h": price + 2, "l": price - 2, "c": price + 1, "v": 1.5} | changes
    return [open_time, *(str(fields[name]) for name in "ohlcv"), open_time + M - 1, "150", 3, "0", "0", "0"]


class Unread(httpx2.MockTransport):
    """Answers that have to be read, as those of the wire."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        made = super().handle_request(request)
        return httpx2.Response(made.status_code, headers=made.headers, stream=made.stream, extensions=made.extensions)


class FakeVenue:
    """`minutes` bars from noon. `change` may spoil an answer; `requests` remembers what was asked."""

    def __init__(self, minutes: int, *, now: int | None = None, change: Change | None = None) -> None:
        self.clock = ManualClock(NOON + minutes * M + M // 2 if now is None else now)
        self.rows = [row(NOON + n * M, 100.0 + n) for n in range(minutes)]
        self.trades: list[Trade] = []
        self.change = change
        self.date: int | None = None  # what the Date header says; None: there is none
        self.cap = 1000
        self.requests: list[dict[str, str]] = []

    def downloader(self, provider: Provider | None = None) -> Downloader:
        http = HttpClient(self.clock, transport=Unread(self._answer))
        return Downloader(provider or Binance(), http, self.clock)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        params = dict(request.url.params)
        self.requests.append(params)
        answer: Any = self._trades(params) if "aggTrades" in request.url.path else self._bars(params)
        headers = {} if self.date is None else {"Date": formatdate(self.date / 1000, usegmt=True)}
        if isinstance(answer, httpx2.Response):
            return answer
        return httpx2.Response(200, headers=headers, content=json.dumps(answer).encode())

    def _bars(self, params: dict[str, str]) -> list[Row] | httpx2.Response:
        length = Timeframe.parse(params["interval"]).ms
        start, end = int(params["startTime"]), int(params["endTime"])
        rows = [r for r in self.rows if start <= r[0] <= end and r[0] % length == 0]
        rows = rows[: min(int(params["limit"]), self.cap)]
        return self.change(params, rows) if self.change else rows

    def _trades(self, params: dict[str, str]) -> list[dict[str, Any]]:
        if "fromId" in params:
            found = [t for t in self.trades if t.id >= int(params["fromId"])]
        else:
            found = [t for t in self.trades if int(params["startTime"]) <= t.time <= int(params["endTime"])]
        return [
            {"a": t.id, "p": str(t.price), "q": str(t.quantity), "f": t.id, "l": t.id, "T": t.time}
            for t in found[: int(params["limit"])]
        ]
