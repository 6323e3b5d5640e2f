"""Kraken: every trade brings the whole row of its bar, and a bar is over when a row of the next one comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from btfeeds.venues.base import HttpRequest
from tests.virtual.schedule import LIVE_MINUTES, MINUTE, START
from tests.virtual.speech.base import Trading, Values, stamp

if TYPE_CHECKING:
    from tests.virtual.venue import Link

_SNAPSHOT = 20  # rows
_BEAT_MS = 20_000  # in life one a second


class Kraken(Trading):
    """Candles of BTC/USD."""

    host, symbol, channel = "kraken", "BTC/USD", "ohlc-1:BTC/USD"

    def prepare(self) -> None:
        super().prepare()
        for time in range(START, START + (LIVE_MINUTES + 5) * MINUTE, _BEAT_MS):
            self.world.at(time, lambda: self._beat())

    def _beat(self) -> None:
        for link in self.venue.links:
            if link.open and link.subscribed:
                link.send('{"channel":"heartbeat"}')

    def hear(self, link: Link, text: str) -> None:
        said = json.loads(text)
        if said["method"] == "ping":
            link.send('{"method":"pong"}')
        elif said["method"] == "unsubscribe":
            link.confirm('{"method":"unsubscribe","result":{"channel":"ohlc"},"success":true}', set())
        elif link.refuses():
            told = {"error": "Exceeded msg rate", "method": "subscribe", "success": False, "symbol": "BTC/USD"}
            link.send(json.dumps({**told, "req_id": said["req_id"]}))
        else:
            result = {"channel": "ohlc", "interval": 1, "snapshot": True, "symbol": "BTC/USD"}
            told = {"method": "subscribe", "result": result, "success": True, "req_id": said["req_id"]}
            link.confirm(json.dumps(told), {self.channel})
            link.send(self._snapshot(), confirms={self.channel})

    def _snapshot(self) -> str:
        opened = [opens for opens in self.trades if opens <= self.world.now][-_SNAPSHOT:]
        rows = [(opens, values) for opens in opened if (values := self.so_far(opens)) is not None]
        return self._frame("snapshot", rows)

    def traded(self, opens: int, count: int) -> None:
        values = self.so_far(opens)
        assert values is not None
        self.say(self._frame("update", [(opens, values)]))
        if self.venue.active("future"):
            self.say(self._frame("update", [(opens + 3 * MINUTE, values)]))

    def _frame(self, kind: str, rows: list[tuple[int, Values]]) -> str:
        time = stamp(self.world.now)
        return json.dumps({"channel": "ohlc", "type": kind, "timestamp": time, "data": [_row(*row) for row in rows]})

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        since = int(request.params["since"]) * 1000
        rows = [
            [opens // 1000, *map(str, values[:4]), "0", str(values[4]), 3]
            for opens, values in self.rows(seen, had)
            if opens > since
        ]
        return json.dumps({"error": [], "result": {"XXBTZUSD": rows, "last": 0}}).encode()


def _row(opens: int, values: Values) -> dict[str, object]:
    o, high, low, close, volume = values
    prices = {"open": o, "high": high, "low": low, "close": close, "vwap": o}
    times = {"interval_begin": stamp(opens), "interval": 1, "timestamp": stamp(opens + MINUTE)}
    return {"symbol": "BTC/USD", **prices, "trades": 3, "volume": volume, **times}
