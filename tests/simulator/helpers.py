"""A small market, an engine on it, and a wire that keeps what is sent."""

from __future__ import annotations

import json
from typing import Any

from btfeeds.market import Bar, Symbol, Timeframe
from btfeeds.simulator.binance import Binance
from btfeeds.simulator.engine import Engine
from btfeeds.simulator.market import Market
from btfeeds.simulator.peer import Peer

START = 1_709_251_200_000  # 2024-03-01T00:00Z
MINUTE = 60_000


def minutes(count: int, *, quiet: tuple[int, ...] = (), trades: int = 20) -> list[Bar]:
    """Bars that rise by 1 each; those with a number in `quiet` have no trades."""
    bars = []
    for number in range(count):
        price = 100.0 + number
        if number in quiet:
            bars.append(Bar(START + number * MINUTE, price, price, price, price, 0.0, 0))
        else:
            bars.append(Bar(START + number * MINUTE, price, price + 2, price - 1, price + 1, 2.5, trades))
    return bars


def market(bars: list[Bar], symbol: str = "BTC/USDT", seed: int = 0) -> Market:
    return Market(Symbol(symbol), bars, Timeframe.parse("1m"), seed)


class KeptWire:
    """Keeps what is done to it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.pings: list[bytes] = []
        self.done: list[tuple[Any, ...]] = []

    def text(self, text: str) -> None:
        self.texts.append(text)

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def close(self, code: int, reason: str) -> None:
        self.done.append(("close", code, reason))

    def cut(self, way: str) -> None:
        self.done.append(("cut", way))

    def read(self, on: bool) -> None:
        self.done.append(("read", on))

    def drip(self, on: bool) -> None:
        self.done.append(("drip", on))

    def drop(self, count: int) -> None:
        self.done.append(("drop", count))


class Scene:
    """An engine whose first live bar is number `history` of the bars, and clients that echo its pings."""

    echo = True

    def __init__(self, bars: list[Bar], history: int = 10, name: str = "binance", speed: float = 1.0, **settings: Any):
        self.market = market(bars)
        self.engine = Engine(Binance(name, {"BTCUSDT": self.market}), START + history * MINUTE, speed, **settings)

    def client(self, path: str = "/ws/btcusdt@kline_1m", query: str = "") -> tuple[Peer, KeptWire]:
        wire = KeptWire()
        session = self.engine.dialect.open(path, query)
        assert session
        return self.engine.connect(wire, session, path, self.engine.now), wire

    def run(self, ms: int) -> None:
        """Let everything happen that is due within `ms`."""
        until = self.engine.now + ms
        while (due := self.engine.next_due) is not None and due <= until:
            self.engine.run_next()
            for peer in self.engine.peers if self.echo else ():
                peer.pings.clear()
        self.engine.now = until


def klines(wire: KeptWire, *, closed: bool | None = None) -> list[tuple[int, bool]]:
    """The opening minute, counted from START, and the flag of each bar frame."""
    frames = [json.loads(text) for text in wire.texts]
    bars = [((f["k"]["t"] - START) // MINUTE, f["k"]["x"]) for f in frames if f.get("e") == "kline"]
    return [bar for bar in bars if closed is None or bar[1] == closed]
