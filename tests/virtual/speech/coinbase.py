"""Coinbase: single trades, numbered without holes, and a heartbeat that says which was the last, and when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from btfeeds.market import to_ms
from btfeeds.venues.base import HttpRequest
from tests.virtual.schedule import LIVE_MINUTES, MINUTE, START
from tests.virtual.speech.base import Trade, Trading, stamp

if TYPE_CHECKING:
    from tests.virtual.venue import Link

_BEAT_MS = 10_000  # in life one a second


class Coinbase(Trading):
    """Matches of BTC-USD."""

    host, symbol, channel, omits = "coinbase", "BTC/USD", "matches:BTC-USD", True

    def prepare(self) -> None:
        super().prepare()
        for time in range(START, START + (LIVE_MINUTES + 5) * MINUTE, _BEAT_MS):
            self.world.at(time, lambda: self._beat())

    def _beat(self) -> None:
        muted = self.venue.active("mute") and self.plan.seed % 2  # in one half of all cases heartbeats go on
        if self.last is None or muted:
            return
        said = f'"last_trade_id":{self.last.number},"product_id":"BTC-USD","time":"{stamp(self.world.now)}"'
        self.say_after(0, f'{{"type":"heartbeat",{said}}}', data=False)

    def hear(self, link: Link, text: str) -> None:
        said = json.loads(text)
        if said["type"] == "unsubscribe":
            link.confirm('{"type":"subscriptions","channels":[]}', set())
        elif link.refuses():
            link.send('{"type":"error","message":"Failed to subscribe","reason":"busy"}')
        else:
            channels = [{"name": "matches", "product_ids": ["BTC-USD"]}]
            link.confirm(json.dumps({"type": "subscriptions", "channels": channels}), {self.channel})
            if self.last is not None:
                link.send(_match("last_match", self.last), confirms={self.channel})

    def traded(self, opens: int, count: int) -> None:
        trade = self.trades[opens][count - 1]
        if self.venue.active("reorder") and self.dice.random() < 0.4:
            late = self.dice.choice((20, 800, 5_000))
            self.world.at(self.world.now + late, lambda: self.say(_match("match", trade)))
        else:
            self.say(_match("match", trade))
        if self.venue.active("future"):
            self.say(_match("match", trade._replace(time=trade.time + 3 * MINUTE, number=trade.number + 1)))

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        first, last = (to_ms(str(request.params[name])) for name in ("start", "end"))
        rows = [
            [opens // 1000, low, high, o, close, volume]
            for opens, (o, high, low, close, volume) in reversed(self.rows(seen, had))
            if first <= opens <= last
        ]
        return json.dumps(rows).encode()


def _match(kind: str, trade: Trade) -> str:
    said = {"trade_id": trade.number, "side": "sell", "size": str(trade.quantity), "price": str(trade.price)}
    return json.dumps({"type": kind, **said, "product_id": "BTC-USD", "sequence": 1, "time": stamp(trade.time)})
