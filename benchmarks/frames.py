"""How many frames of a venue a core can take: receive, decode, state machine, tap; forming bars mostly.

The peer is websocket-client alone, which receives frames and does nothing with them.
"""

from __future__ import annotations

import json
import threading
import time
from statistics import median

import websocket

from benchmarks import venue
from benchmarks.figures import Figure
from btfeeds.clock import SystemClock
from btfeeds.history.downloader import Downloader
from btfeeds.live.backfill import Backfill
from btfeeds.live.hub import Hub
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.ring import Ring
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
from btfeeds.venues.binance import Binance

_WANTED = 60_000


def measure(quick: bool) -> list[Figure]:
    minutes, rounds = (4, 1) if quick else (600, 3)
    ours, bare = [], []
    for _ in range(rounds):
        with venue.running(minutes) as url:
            ours.append(_ours(url, minutes))
            bare.append(_bare(url, minutes))
    best = median(ours)
    return [
        Figure(
            "frames per second and core, websocket-client alone as peer",
            "frames/s",
            best,
            f"≥ {_WANTED:,}",
            best >= _WANTED,
            median(bare),
            best / median(bare),
        )
    ]


def _ours(url: str, minutes: int) -> float:
    """Frames per second of this process' CPU."""
    clock = SystemClock()
    dialect = Binance(stream_url=url, rest_url="http://127.0.0.1:9")
    hub = Hub(dialect, clock, Backfill(Downloader(dialect, clock=clock)), ConnectionPolicy())
    wanted = minutes * len(venue.SYMBOLS)
    wake = threading.Event()
    rings = []
    cpu = time.process_time()
    for symbol in venue.SYMBOLS:
        ring = Ring(4_096, threading.Lock())
        rings.append(ring)
        hub.attach(Tap(dialect, _minutes(dialect, symbol), ring, wake.set))
    bars = 0
    end = time.monotonic() + 60
    while bars < wanted and time.monotonic() < end:
        wake.wait(1.0)
        wake.clear()
        for ring in rings:
            while (entry := ring.get()) is not None:
                bars += type(entry) is Bar
    cpu = time.process_time() - cpu
    hub.stop()
    if bars != wanted:
        raise RuntimeError(f"{bars} closed bars came instead of {wanted}")
    return minutes * venue.FRAMES_PER_MINUTE / cpu


def _minutes(dialect: Binance, symbol: str) -> Subscription:
    return Subscription(dialect.name, Symbol(f"{symbol}/USDT"), Timeframe.parse("1m"))


def _bare(url: str, minutes: int) -> float:
    ws = websocket.create_connection(url, skip_utf8_validation=True)
    try:
        ws.send(json.dumps({"method": "SUBSCRIBE", "params": venue.CHANNELS, "id": 1}))
        ws.recv()
        cpu = time.process_time()
        for _ in range(minutes * venue.FRAMES_PER_MINUTE):
            ws.recv()
        return minutes * venue.FRAMES_PER_MINUTE / (time.process_time() - cpu)
    finally:
        ws.close()
