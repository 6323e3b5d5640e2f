"""Alpaca: only closed bars are sent, one connection is allowed, and late trades make it say a bar once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from btfeeds.market import to_ms
from btfeeds.venues.base import HttpRequest
from tests.virtual.schedule import MINUTE
from tests.virtual.speech.base import Trading, Values, content, stamp

if TYPE_CHECKING:
    from tests.virtual.venue import Link


class Alpaca(Trading):
    """Bars of BTC/USD."""

    host, symbol, channel, omits = "alpacacrypto", "BTC/USD", "bars:BTC/USD", True

    def greet(self, link: Link) -> None:
        link.send('[{"T":"success","msg":"connected"}]')

    def hear(self, link: Link, text: str) -> None:
        said = json.loads(text)
        if said["action"] == "auth":
            others = [other for other in self.venue.links if other is not link and other.open and not other.silent]
            if others:
                self.world.seen.add("406")
                link.send('[{"T":"error","code":406,"msg":"connection limit exceeded"}]')
            else:
                link.send('[{"T":"success","msg":"authenticated"}]')
        elif said["action"] == "unsubscribe":
            link.confirm('[{"T":"subscription","bars":[],"updatedBars":[]}]', set())
        elif link.refuses():
            link.send('[{"T":"error","code":410,"msg":"busy"}]')
        else:
            link.confirm('[{"T":"subscription","bars":["BTC/USD"],"updatedBars":["BTC/USD"]}]', {self.channel})

    def traded(self, opens: int, count: int) -> None:
        if count == 1 and self.venue.active("unfinished"):
            self.world.at(opens + self.dice.randrange(30_000, 55_000), lambda: self._unfinished(opens))

    def _unfinished(self, opens: int) -> None:
        made = [trade for trade in self.trades[opens] if trade.time <= self.world.now]
        if made and self.unfinished(opens):
            o, high, low, close, volume = content(made)
            self.say(said("b", opens, (o, high, low, close, round(volume / 2, 5))))

    def closed(self, opens: int) -> None:
        self.world.at(opens + MINUTE + self.late(self.dice.randrange(200, 1_500)), lambda: self._close(opens))
        if self.venue.active("correction"):
            changed = self.correction(opens)
            self.world.at(opens + MINUTE + 30_000, lambda: self.say(said("u", opens, changed)))

    def _close(self, opens: int) -> None:
        values = self.venue.allowed[opens][0]
        self.say(said("b", opens, values))
        if self.venue.active("future"):
            self.say(said("b", opens + 3 * MINUTE, values))

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        first, last = (to_ms(str(request.params[name])) for name in ("start", "end"))
        rows = [row for row in self.rows(seen, had) if first <= row[0] <= last]
        token = request.params.get("page_token")
        at, size = int(token or 0), len(rows)
        if self.venue.active("rest_short"):  # a page may be short, and even empty
            size = 0 if token is None and rows and self.dice.random() < 0.3 else self.dice.randrange(1, 4)
        more = str(at + size) if at + size < len(rows) else None
        part = [_values(*row) for row in rows[at : at + size]]
        return json.dumps({"bars": {"BTC/USD": part} if part else {}, "next_page_token": more}).encode()


def _values(opens: int, values: Values) -> dict[str, object]:
    o, high, low, close, volume = values
    return {"t": stamp(opens), "o": o, "h": high, "l": low, "c": close, "v": volume, "n": 3, "vw": o}


def said(kind: str, opens: int, values: Values) -> str:
    return json.dumps([{"T": kind, "S": "BTC/USD", **_values(opens, values)}])
