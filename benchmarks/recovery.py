"""From a cut to LIVE without a gap, beside what a connect, a handshake and one REST call cost anyway; and how long a
dead link and a mute subscription stay unnoticed.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from typing import Any

from benchmarks import noticing
from benchmarks.figures import Figure
from btfeeds.clock import ManualClock
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.live.stream import Stream
from btfeeds.live.transport import Transport
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.simulator import serve, walk
from btfeeds.venues.binance import Binance

_WANTED = 5.0
_START = 1_709_287_200_000
_MINUTE = 60_000
_LEAST_BARE = 20


def measure(quick: bool) -> list[Figure]:
    rounds = 10 if quick else 200
    logging.getLogger("btfeeds").setLevel(logging.ERROR)  # every cut is told otherwise
    with serve("binance", walk.bars("BTC/USDT", 60_000.0, _START, 3_000, 1), history=60, clock=ManualClock()) as sim:
        ours = sorted(_recoveries(sim, rounds))
        bare = sorted(_bare(sim, max(_LEAST_BARE, rounds)))
    p99, peer = ours[int(len(ours) * 0.99) - 1], bare[int(len(bare) * 0.99) - 1]
    return [
        Figure(
            "cut → LIVE without a gap, p99, bare connect + handshake + REST as peer",
            "ms",
            p99 * 1e3,
            f"≤ {_WANTED:g}× bare",
            p99 <= _WANTED * peer,
            peer * 1e3,
            peer / p99,
        ),
        *noticing.measure(quick),
    ]


def _recoveries(sim: Any, rounds: int) -> list[float]:
    venue = Binance("binance", rest_url=sim.rest_url, stream_url=sim.stream_url)
    # dialled as often as it takes
    venue.limits = dataclasses.replace(venue.limits, connects_per_5_minutes=10**6, weight_per_minute=10**9)
    rung = threading.Event()
    stream = Stream(
        venue,
        Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m")),
        clock=sim.clock,
        start=sim.clock.now() - 5 * _MINUTE,
        backoff_ms=(0,),
    )
    took: list[float] = []
    sim.run_for(15_000)  # long enough behind a close for history to be sure of it
    stream.open(rung.set)
    try:
        _until_live(stream, rung)
        for _ in range(rounds):
            sim.run_for(40_000)
            sim.fault("mute:BTC/USDT,10s")  # the closed frame gets lost, so that there is a gap to fill
            sim.run_for(20_000)
            cut = time.perf_counter()
            sim.fault("cut")
            _until_live(stream, rung)
            took.append(time.perf_counter() - cut)
    finally:
        stream.close()
    return took


def _until_live(stream: Any, rung: threading.Event) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        item = stream.pull()
        if item is None:
            rung.wait(0.05)
            rung.clear()
        elif getattr(getattr(item, "status", None), "name", "") == "LIVE":
            return
    raise TimeoutError("the stream did not come back")


def _bare(sim: Any, rounds: int) -> list[float]:
    venue = Binance("binance", rest_url=sim.rest_url, stream_url=sim.stream_url)
    venue.limits = dataclasses.replace(venue.limits, weight_per_minute=10**9)
    took = []
    downloader = Downloader(venue, HttpClient(sim.clock), sim.clock)  # made once, as a stream's
    for _ in range(rounds):
        start = time.perf_counter()
        link = Transport(venue.endpoint([]), timeout=5)
        now = sim.clock.now() - sim.clock.now() % _MINUTE
        list(downloader.pages("BTC/USDT", "1m", TimeRange(now - _MINUTE, now)))
        took.append(time.perf_counter() - start)
        link.close()
    downloader.close()
    return took
