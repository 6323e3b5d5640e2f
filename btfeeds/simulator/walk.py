"""Bars of a market that never was: a random walk with volumes, quiet minutes and minutes without a trade."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Sequence

from btfeeds.market import Bar

_MINUTE = 60_000
_IDLE = 0.03  # share of minutes without a trade
_STEP = 0.0012  # how far a price moves in a minute, as a share


def bars(symbol: str, price: float, start: int, count: int, seed: int = 0) -> Sequence[Bar]:
    """`count` one-minute bars from `start` (epoch ms) at around `price`; the same seed gives the same bars."""
    rng = random.Random(seed << 32 | zlib.crc32(symbol.encode()))
    digits = max(2, 5 - len(str(int(price))))
    made: list[Bar] = []
    last = round(price, digits)
    drift = 0.0  # trends, so that averages cross
    for number in range(count):
        open_time = start + number * _MINUTE
        if rng.random() < _IDLE:
            made.append(Bar(open_time, last, last, last, last, 0.0, 0))
            continue
        drift = 0.7 * drift + rng.gauss(0, _STEP / 3)
        path = [last]
        for _ in range(8):
            path.append(round(path[-1] * math.exp(rng.gauss(drift / 8, _STEP / 4)), digits))
        volume = round(rng.lognormvariate(1.0, 0.8), 4)
        trades = rng.randint(8, 60)
        made.append(Bar(open_time, path[0], max(path), min(path), path[-1], volume, trades))
        last = path[-1]
    return made
