"""A venue on this machine for the examples: it speaks Binance's protocol, and its time flies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from btfeeds.simulator import Simulator, serve
from btfeeds.simulator.walk import bars

PRICES = {"BTC/USDT": 64_000.0, "ETH/USDT": 3_400.0, "SOL/USDT": 145.0}
START = 1_709_287_200_000  # 2024-03-01T10:00Z
HISTORY = 300  # minutes


@dataclass
class Venue:
    simulator: Simulator

    @property
    def hosts(self) -> dict[str, Any]:
        """What a feed has to be told to use it: its hosts, and its time."""
        simulator = self.simulator
        return {"rest_url": simulator.rest_url, "stream_url": simulator.stream_url, "clock": simulator.clock}

    def until(self, minutes: int) -> dt.datetime:
        """So many minutes behind the first live bar."""
        return dt.datetime.fromtimestamp(self.simulator.start / 1000, dt.UTC) + dt.timedelta(minutes=minutes)


@contextmanager
def simulated(*symbols: str, faults: tuple[str, ...] = (), speed: float = 600.0) -> Iterator[Venue]:
    """The venue, open as long as the block runs."""
    markets = {symbol: bars(symbol, PRICES[symbol], START, HISTORY + 300) for symbol in symbols}
    with serve("binance", markets, history=HISTORY, speed=speed, faults=faults) as simulator:
        yield Venue(simulator)
