"""Bitstamp: single trades whose numbers have holes, some a little late, and nothing that says which was the last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from btfeeds.venues.base import HttpRequest
from tests.virtual.schedule import MINUTE
from tests.virtual.speech.base import Trade, Trading

if TYPE_CHECKING:
    from tests.virtual.venue import Link


class Bitstamp(Trading):
    """Trades of btcusd."""

    host, symbol, channel, omits = "bitstamp", "BTC/USD", "live_trades_btcusd", True
    notice = '{"event":"bts:request_reconnect","channel":"","data":""}'

    def hear(self, link: Link, text: str) -> None:
        said = json.loads(text)
        if said["event"] == "bts:heartbeat":
            link.send('{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}')
        elif said["event"] == "bts:unsubscribe":
            link.confirm(_told("unsubscription_succeeded", self.channel), set())
        elif link.refuses():
            link.send('{"event":"bts:error","channel":"","data":{"code":null,"message":"busy"}}')
        else:
            link.confirm(_told("subscription_succeeded", self.channel), {self.channel})

    def traded(self, opens: int, count: int) -> None:
        trade = self.trades[opens][count - 1]
        held_up = self.venue.active("delay") or self._said > self.world.now
        if self.dice.random() < 0.15 and not held_up:
            self.world.at(self.world.now + self.dice.choice((20, 300, 700)), lambda: self._say_late(trade))
        else:
            self.say(_trade(trade))
        if self.venue.active("future"):
            self.say(_trade(trade._replace(time=trade.time + 3 * MINUTE, number=10**9 + trade.number)))

    def _say_late(self, trade: Trade) -> None:
        """Out of its order, and not held up as well: a trade might then come later than the venue says."""
        if not self.venue.active("mute"):
            self._send(_trade(trade), True)

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        first, last = (1000 * int(request.params[name]) for name in ("start", "end"))
        rows = [
            {"timestamp": opens // 1000, "open": o, "high": high, "low": low, "close": close, "volume": volume}
            for opens, (o, high, low, close, volume) in self.rows(seen, had)
            if first <= opens <= last
        ]
        return json.dumps({"data": {"pair": "BTC/USD", "ohlc": rows}}).encode()


def _told(what: str, channel: str) -> str:
    return json.dumps({"event": f"bts:{what}", "channel": channel, "data": {}})


def _trade(trade: Trade) -> str:
    # numbers are of all pairs together
    said = {"id": 7 * trade.number, "microtimestamp": str(1000 * trade.time), "amount": trade.quantity}
    return json.dumps({"event": "trade", "channel": Bitstamp.channel, "data": said | {"price": trade.price}})
