"""A venue that exists nowhere: the smallest dialect, for tests of what stands above dialects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import ClassVar

from btfeeds.errors import BadFrame
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, Trade
from btfeeds.venues.base import (
    Accepted,
    Alive,
    BarUpdate,
    ClosingRule,
    Event,
    Host,
    HttpResponse,
    Leaving,
    Limits,
    Rejected,
    TradeUpdate,
    Venue,
)


class Toy(Venue):
    """Frames are JSON: {"ack": n}, {"nack": n, "fatal": bool}, {"bar": [channel, …], "closed": bool}, {"bye": 1}."""

    hosts: ClassVar = {"toy": Host("Toy", "http://127.0.0.1:1", "ws://127.0.0.1:1")}
    timeframes: ClassVar = {Timeframe.parse("1m"): "1m", Timeframe.parse("5m"): "5m"}
    limits = Limits(100, 1_000, streams_per_connection=4, messages_per_second=2.0, streams_per_message=2)
    closing = ClosingRule.FLAG

    def native_symbol(self, symbol: Symbol) -> str:
        return symbol.replace("/", "")

    def endpoint(self, channels: Sequence[str], ticket: HttpResponse | None = None) -> str:
        return self.stream_url + "/stream"

    def channel(self, subscription: Subscription) -> str:
        self.base_timeframe(subscription.timeframe)
        kind = "bars" if subscription.timeframe in self.timeframes else "trades"
        return f"{self.native_symbol(subscription.symbol)}@{kind}@{subscription.timeframe if kind == 'bars' else ''}"

    def subscribe(self, channels: Sequence[str], request: int) -> list[str]:
        return [json.dumps({"sub": list(channels), "id": request})]

    def unsubscribe(self, channels: Sequence[str], request: int) -> list[str]:
        return [json.dumps({"unsub": list(channels), "id": request})]

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        try:
            said = json.loads(frame)
        except ValueError:
            raise BadFrame("not JSON") from None
        if "ack" in said:
            return [Accepted(said["ack"])]
        if "nack" in said:
            return [Rejected("no", said["nack"], fatal=said.get("fatal", False))]
        if "bar" in said:
            channel, *values = said["bar"]
            return [BarUpdate(channel, Bar(*values), said.get("closed", True), said.get("time", 0))]
        if "trade" in said:
            channel, *values = said["trade"]
            return [TradeUpdate(channel, (Trade(*values),))]
        if "bye" in said:
            return [Leaving("bye")]
        return [Alive()]
