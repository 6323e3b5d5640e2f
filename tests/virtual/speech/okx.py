"""OKX: a frame says that its bar is closed, and nothing says what time it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from btfeeds.venues.base import HttpRequest
from tests.virtual.schedule import MINUTE
from tests.virtual.speech.base import Trading, Values

if TYPE_CHECKING:
    from tests.virtual.venue import Link


class OKX(Trading):
    """Candles of BTC-USDT."""

    host, symbol, channel = "okx", "BTC/USDT", "candle1m:BTC-USDT"
    notice = '{"event":"notice","code":"64008","msg":"The connection will soon be closed"}'

    def hear(self, link: Link, text: str) -> None:
        if text == "ping":
            link.send("pong")
            return
        said = json.loads(text)
        if said["op"] == "unsubscribe":
            link.confirm(json.dumps({"event": "unsubscribe", "arg": said["args"][0]}), set())
        elif link.refuses():
            link.send(json.dumps({"event": "error", "code": "60014", "msg": "busy", "id": said["id"]}))
        else:
            confirmed = {"id": said["id"], "event": "subscribe", "arg": said["args"][0]}
            link.confirm(json.dumps(confirmed), {self.channel})

    def traded(self, opens: int, count: int) -> None:
        values = self.so_far(opens)
        assert values is not None
        self.say(_frame(opens, values, "0"))
        if count < len(self.trades[opens]) and self.unfinished(opens):
            self.say(_frame(opens, values, "1"))

    def closed(self, opens: int) -> None:
        self.world.at(opens + MINUTE + self.late(50), lambda: self._close(opens))

    def _close(self, opens: int) -> None:
        values = self.venue.truth[opens]
        self.say(_frame(opens, values, "1"))
        if self.venue.active("correction"):
            self.say(_frame(opens, self.correction(opens), "1"))
        if self.venue.active("future"):
            self.say(_frame(opens + 3 * MINUTE, values, "1"))

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        after, before = int(request.params["before"]), int(request.params["after"])
        rows = [
            _row(opens, values, "1" if opens + MINUTE <= self.world.now else "0")
            for opens, values in reversed(self.rows(seen, had))
            if after < opens < before
        ]
        return json.dumps({"code": "0", "msg": "", "data": rows[-300:]}).encode()


def _row(opens: int, values: Values, confirm: str) -> list[str]:
    return [str(opens), *map(str, values), "0", "0", confirm]


def _frame(opens: int, values: Values, confirm: str) -> str:
    arg = {"channel": "candle1m", "instId": "BTC-USDT"}
    return json.dumps({"arg": arg, "data": [_row(opens, values, confirm)]})
