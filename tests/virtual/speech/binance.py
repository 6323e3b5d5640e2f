"""Binance: a frame says that its bar is closed, and what time it is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from btfeeds.venues.base import HttpRequest
from tests.virtual.schedule import HISTORY_MINUTES, LIVE_MINUTES, MINUTE, START
from tests.virtual.speech.base import Speaker, Values

if TYPE_CHECKING:
    from tests.virtual.venue import Link


class Binance(Speaker):
    """Klines of BTCUSDT. What is forming is known only as half of what it will be: fast, and never right."""

    host, symbol, channel = "binance", "BTC/USDT", "btcusdt@kline_1m"
    notice = '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'

    def truth(self) -> dict[int, Values]:
        dice = random.Random(f"truth {self.plan.seed}")
        price, bars = 20_000.0, {}
        for minute in range(-HISTORY_MINUTES, LIVE_MINUTES + 10):
            if minute in self.plan.lost_minutes:
                continue
            if dice.random() < self.plan.quiet:
                bars[START + minute * MINUTE] = (price, price, price, price, 0.0)
                continue
            close = round(price + dice.randrange(-500, 501) / 100, 2)
            high = round(max(price, close) + dice.randrange(0, 200) / 100, 2)
            low = round(min(price, close) - dice.randrange(0, 200) / 100, 2)
            bars[START + minute * MINUTE] = (price, high, low, close, dice.randrange(1, 10_000) / 1_000)
            price = close
        return bars

    def prepare(self) -> None:
        for minute in range(-1, LIVE_MINUTES + 5):
            self.world.at(START + minute * MINUTE, self._minute(START + minute * MINUTE))

    def hear(self, link: Link, text: str) -> None:
        said = json.loads(text)
        begins = said["method"] == "SUBSCRIBE"
        if begins and link.refuses():
            link.send(json.dumps({"error": {"code": 9, "msg": "busy"}, "id": said["id"]}))
            return
        channels = link.subscribed.union(said["params"]) if begins else link.subscribed.difference(said["params"])
        link.confirm(json.dumps({"result": None, "id": said["id"]}), channels)

    def _minute(self, opens: int) -> Callable[[], None]:
        """What a minute brings: a forming update in its midst, the closed frame after its end."""

        def happen() -> None:
            values = self.venue.truth.get(opens)
            if values is None or values[4] == 0.0:
                return  # no trade: the stream is silent
            world, dice, active = self.world, self.dice, self.venue.active
            middle = dice.randrange(5_000, 50_000)
            world.at(opens + middle, lambda: self._say(opens, _partial(values), closed=False))
            if active("unfinished"):
                early = dice.randrange(52_000, 59_900)
                world.at(opens + early, lambda: self._say(opens, _partial(values), closed=True))
            late = 1_900 if active("delay") and dice.random() < 0.5 else 30
            if active("delay") and dice.random() < 0.3:
                late = dice.randrange(2_000, 20_000)
            if active("reorder") and dice.random() < 0.5:
                late = 60_000 + dice.randrange(100, 3_000)
            world.at(opens + MINUTE + late, lambda: self._close(opens))

        return happen

    def _close(self, opens: int) -> None:
        venue, values = self.venue, self.venue.truth[opens]
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
        if self.venue.active("mute"):
            return
        event_time = event_time or self.world.now
        o, h, lo, c, v = values
        text = (
            f'{{"stream":"{self.channel}","data":{{"e":"kline","E":{event_time},"s":"BTCUSDT","k":{{"t":{opens},'
            f'"T":{opens + MINUTE - 1},"s":"BTCUSDT","i":"1m","f":1,"L":9,"o":"{o:.8f}","c":"{c:.8f}","h":"{h:.8f}",'
            f'"l":"{lo:.8f}","v":"{v:.8f}","n":9,"x":{str(closed).lower()},"q":"1","V":"1","Q":"1","B":"0"}}}}}}'
        )
        for link in self.venue.links:
            if link.open and self.channel in link.subscribed:
                link.send(text, confirms={self.channel})  # data proves a subscription too

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        first, last = int(request.params["startTime"]), int(request.params["endTime"])
        limit = int(request.params.get("limit", 500))
        if self.venue.active("rest_short"):
            limit = min(limit, self.dice.randrange(1, 4))
        rows: list[list[object]] = []
        for opens in range(first + (START - first) % MINUTE, min(last, seen) + 1, MINUTE):
            values = self.venue.truth.get(opens)
            if values is None:
                continue
            if opens + MINUTE > seen:
                values = _partial(values)  # still forming in this answer
            elif opens + MINUTE > had:
                continue  # closed, but history does not have it yet
            rows.append([opens, *(f"{value:.8f}" for value in values), opens + MINUTE - 1, "0", 9, "0", "0", "0"])
            if len(rows) == limit:
                break
        return json.dumps(rows).encode()


def _partial(values: Values) -> Values:
    """The bar before its end: other content that must never be taken for the final one."""
    o, _, _, _, v = values
    return (o, o, o, o, v / 2)
