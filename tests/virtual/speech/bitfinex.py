"""Bitfinex: rows without a time of their own, on numbered channels. The last word about a bar may come behind the first
row of the next one, and what was said last is sometimes said once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from btfeeds.venues.base import HttpRequest
from tests.virtual.schedule import LIVE_MINUTES, MINUTE, START
from tests.virtual.speech.base import Trading, Values

if TYPE_CHECKING:
    from tests.virtual.venue import Link

_SNAPSHOT = 20  # rows
_BEAT_MS = 15_000


class Bitfinex(Trading):
    """Candles of tBTCUSD."""

    host, symbol, channel, omits = "bitfinex", "BTC/USD", "trade:1m:tBTCUSD", True
    notice = '{"event":"info","code":20051,"msg":"Stopping. Please try to reconnect"}'

    def prepare(self) -> None:
        super().prepare()
        self._numbers: dict[Link, int] = {}
        for time in range(START, START + (LIVE_MINUTES + 5) * MINUTE, _BEAT_MS):
            self.world.at(time, self._beat)

    def _beat(self) -> None:
        for link in self.venue.links:
            if link.open and link.subscribed:
                link.send(f'[{self._numbers[link]},"hb"]')

    def hear(self, link: Link, text: str) -> None:
        said = json.loads(text)
        if said["event"] == "ping":
            link.send('{"event":"pong","cid":1}')
        elif said["event"] == "unsubscribe":
            link.confirm(json.dumps({"event": "unsubscribed", "status": "OK", "chanId": said["chanId"]}), set())
        elif link.refuses():
            link.send(json.dumps({"event": "error", "msg": "busy", "code": 10300, "key": said["key"]}))
        else:
            number = self._numbers[link] = 100 + len(self._numbers)
            told = {"event": "subscribed", "channel": "candles", "chanId": number, "key": said["key"]}
            link.confirm(json.dumps(told), {self.channel})
            opened = [opens for opens in reversed(self.trades) if opens <= self.world.now][:_SNAPSHOT]
            rows = [_row(opens, values) for opens in opened if (values := self.so_far(opens)) is not None]
            link.send(f"[{number},{json.dumps(rows)}]")

    def traded(self, opens: int, count: int) -> None:
        made = self.trades[opens]
        if count == len(made) and made[-1].time >= opens + MINUTE - 500 and self.dice.random() < 0.5:
            late = opens + MINUTE + self.dice.randrange(100, 1_200)
            self.world.at(late, lambda: self._send_row(opens))
            return
        values = self.so_far(opens)
        assert values is not None
        self._tell(opens, values)
        before = opens - MINUTE
        if count == 1 and before in self.trades and self.dice.random() < 0.3:
            self._tell(before, self.venue.truth[before])
        if self.venue.active("future"):
            self._tell(opens + 3 * MINUTE, values)

    def _tell(self, opens: int, values: Values) -> None:
        self.say(json.dumps(_row(opens, values)))

    def _send_row(self, opens: int) -> None:
        self._send(json.dumps(_row(opens, self.venue.truth[opens])), True)

    def _send(self, text: str, data: bool) -> None:
        for link in self.venue.links:
            if link.open and self.channel in link.subscribed:
                link.send(f"[{self._numbers[link]},{text}]", confirms={self.channel} if data else None)

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        first, last = int(request.params["start"]), int(request.params["end"])
        return json.dumps([_row(*row) for row in self.rows(seen, had) if first <= row[0] <= last]).encode()


def _row(opens: int, values: Values) -> list[float]:
    o, high, low, close, volume = values
    return [opens, o, close, high, low, volume]
