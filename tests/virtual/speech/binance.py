"""Binance: a frame says that its bar is closed, and what time it is."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from btfeeds.venues.base import HttpRequest
from tests.virtual.schedule import HISTORY_MINUTES, LIVE_MINUTES, MINUTE, START
from tests.virtual.speech.base import Speaker, Values

if TYPE_CHECKING:
    from tests.virtual.venue import Link, VirtualVenue


class Binance(Speaker):
    """Klines of BTCUSDT. What is forming is known only as half of what it will be: fast, and never right."""

    host, symbol, channel = "binance", "BTC/USDT", "btcusdt@kline_1m"
    notice = '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'

    def __init__(self, venue: VirtualVenue) -> None:
        super().__init__(venue)
        self._rows: dict[int, tuple[Values, str]] = {}  # of history, by opening time: what they say, and how

    def truth(self) -> dict[int, Values]:
        dice = random.Random(f"truth {self.plan.seed}")
        cents, bars = 2_000_000, {}
        for minute in range(-HISTORY_MINUTES, LIVE_MINUTES + 10):
            if minute in self.plan.lost_minutes:
                continue
            price = cents / 100
            if dice.random() < self.plan.quiet:
                bars[START + minute * MINUTE] = (price, price, price, price, 0.0)
                continue
            luck = dice.getrandbits(40)
            opened, cents = cents, cents + (luck & 1023) - 511
            high = (max(opened, cents) + (luck >> 10 & 255)) / 100
            low = (min(opened, cents) - (luck >> 18 & 255)) / 100
            bars[START + minute * MINUTE] = (price, high, low, cents / 100, (1 + (luck >> 26)) / 1_000)
        return bars

    def prepare(self) -> None:
        self.world.at(START - MINUTE, lambda: self._minute(START - MINUTE))

    def hear(self, link: Link, text: str) -> None:
        said = json.loads(text)
        begins = said["method"] == "SUBSCRIBE"
        if begins and link.refuses():
            link.send(json.dumps({"error": {"code": 9, "msg": "busy"}, "id": said["id"]}))
            return
        channels = link.subscribed.union(said["params"]) if begins else link.subscribed.difference(said["params"])
        link.confirm(json.dumps({"result": None, "id": said["id"]}), channels)

    def _minute(self, opens: int) -> None:
        """What a minute brings: perhaps a forming update in its midst, the closed frame just after its end."""
        world, dice, active = self.world, self.dice, self.venue.active
        values = self.venue.truth.get(opens)
        if values is not None and values[4] > 0.0:  # without a trade the stream is silent
            if dice.random() < 0.15:
                middle = 5_000 + int(dice.random() * 45_000)
                world.at(opens + middle, lambda: self._say(opens, _partial(values), closed=False))
            if active("unfinished"):
                early = dice.randrange(52_000, 59_900)
                world.at(opens + early, lambda: self._say(opens, _partial(values), closed=True))
        world.at(opens + MINUTE + 30, lambda: self._end(opens))

    def _end(self, opens: int) -> None:
        values, dice, active = self.venue.truth.get(opens), self.dice, self.venue.active
        self._minute(opens + MINUTE)
        if values is None or values[4] == 0.0:
            return
        late = 0
        if active("delay"):
            late = dice.choice((0, 1_870, dice.randrange(2_000, 20_000)))
        if active("reorder") and dice.random() < 0.5:
            late = 60_000 + dice.randrange(100, 3_000)
        if late:
            self.world.at(self.world.now + late, lambda: self._close(opens))
        else:
            self._close(opens)

    def _close(self, opens: int) -> None:
        venue, values = self.venue, self.venue.truth[opens]
        if venue.calm:
            self._say(opens, values, closed=True)
            return
        if venue.active("malformed") and self.dice.random() < 0.7:
            venue.each(lambda link: link.send('{"stream":"btcusdt@kline_1m","data":{"e":"kline","k":{"t":'))
            return
        if venue.active("drop_frame") and self.dice.random() < 0.5:
            return
        self._say(opens, values, closed=True)
        if venue.active("duplicate"):
            for _ in range(self.dice.randrange(1, 3)):
                self._say(opens, values, closed=True)
        if venue.active("future"):
            self._say(opens + 3 * MINUTE, values, closed=True, event_time=opens + 4 * MINUTE)
        if venue.active("correction"):
            changed = (values[0], values[1], values[2], values[3], round(values[4] + 1.0, 3))
            venue.allowed[opens].append(changed)
            venue.truth[opens] = changed
            self._say(opens, changed, closed=True)

    def _say(self, opens: int, values: Values, *, closed: bool, event_time: int = 0) -> None:
        links = [link for link in self.venue.links if link.open and self.channel in link.subscribed]
        if not links or self.venue.active("mute"):
            return
        event_time = event_time or self.world.now
        o, h, lo, c, v = values
        text = (
            f'{{"stream":"{self.channel}","data":{{"e":"kline","E":{event_time},"s":"BTCUSDT","k":{{"t":{opens},'
            f'"T":{opens + MINUTE - 1},"s":"BTCUSDT","i":"1m","f":1,"L":9,"o":"{o}","c":"{c}","h":"{h}",'
            f'"l":"{lo}","v":"{v}","n":9,"x":{str(closed).lower()},"q":"1","V":"1","Q":"1","B":"0"}}}}}}'
        )
        for link in links:
            link.send(text, confirms={self.channel})  # data proves a subscription too

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        first, last = int(request.params["startTime"]), int(request.params["endTime"])
        limit = int(request.params.get("limit", 500))
        if self.venue.active("rest_short"):
            limit = min(limit, self.dice.randrange(1, 4))
        rows: list[str] = []
        for opens in range(first + (START - first) % MINUTE, min(last, seen) + 1, MINUTE):
            values = self.venue.truth.get(opens)
            if values is None:
                continue
            if opens + MINUTE > seen:
                values = _partial(values)  # still forming in this answer
            elif opens + MINUTE > had:
                continue  # closed, but history does not have it yet
            rows.append(self._row(opens, values))
            if len(rows) == limit:
                break
        return f"[{','.join(rows)}]".encode()

    def _row(self, opens: int, values: Values) -> str:
        known = self._rows.get(opens)
        if known is None or known[0] is not values:
            o, h, lo, c, v = values
            text = f'[{opens},"{o}","{h}","{lo}","{c}","{v}",{opens + MINUTE - 1},"0",9,"0","0","0"]'
            known = self._rows[opens] = (values, text)
        return known[1]


def _partial(values: Values) -> Values:
    """The bar before its end: other content that must never be taken for the final one."""
    o, _, _, _, v = values
    return (o, o, o, o, v / 2)
