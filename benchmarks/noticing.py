"""How long a dead link and a mute subscription stay unnoticed: on real sockets, with real threads, several times.

A half-open socket is there but dead: the venue's end neither reads nor writes any more, and nobody is told. It is
looked at on a clock as fast as the wall's. A mute subscription is noticed only when its bar has not come, so its clock
runs faster, by less than any of its timers minds.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.figures import Figure, until
from btfeeds.live.items import Delivery
from btfeeds.live.status import Status
from btfeeds.live.stream import Stream
from btfeeds.market import Subscription, Symbol, Timeframe
from btfeeds.simulator import serve, walk
from btfeeds.venues.binance import Binance

_START = 1_709_287_200_000
_MINUTE = 60_000
_REST_S = 10.0  # what history may take to answer
_MACHINE_S = 1.0  # what waking a thread may take
_PATIENCE_S = 60.0  # of the wall


def measure(quick: bool) -> list[Figure]:
    times = 2 if quick else 5
    heartbeat, grace_ms = Binance.heartbeat, Binance.grace_ms
    with ThreadPoolExecutor(2 * times) as pool:  # all at once: most of it is waiting
        dead = [pool.submit(_half_open, number, 20.0 if quick else 1.0) for number in range(times)]
        mute = [pool.submit(_mute, number, 20.0 if quick else 3.0) for number in range(times)]
        return [
            *_figures(
                "a half-open socket is noticed after",
                [job.result() for job in dead],
                (heartbeat.idle_ms + heartbeat.timeout_ms) / 1000 + _MACHINE_S,
            ),
            *_figures(
                "a mute subscription's bar comes behind its close by",
                [job.result() for job in mute],
                grace_ms / 1000 + _REST_S,
            ),
        ]


def _figures(what: str, took: list[float], most: float) -> list[Figure]:
    return [
        Figure(f"{what}, {name} of {len(took)}", "s", seconds, f"≤ {most:g}", seconds <= most)
        for name, seconds in (("p50", statistics.median(took)), ("slowest", max(took)))
    ]


def _half_open(number: int, speed: float) -> float:
    """From the last byte to CONNBROKEN, in seconds of the venue's clock."""
    with _live(speed) as (sim, pull_until):
        sim.clock.sleep(number * 700)  # not all in the same place between two frames
        cut = sim.clock.now()
        sim.fault("silence")
        pull_until(lambda item: getattr(item, "status", None) is Status.CONNBROKEN)
        return float(sim.clock.now() - cut) / 1000


def _mute(number: int, speed: float) -> float:
    """From the close of the bar that is not said to its delivery, in seconds of the venue's clock."""
    with _live(speed) as (sim, pull_until):
        into_the_minute = sim.clock.now() % _MINUTE
        sim.clock.sleep(40_000 + number * 2_000 - into_the_minute)
        sim.fault("mute:BTC/USDT")
        opened = sim.clock.now() // _MINUTE * _MINUTE  # of the first bar whose close is not said any more
        bar = pull_until(lambda item: isinstance(item, Delivery) and item.bar.open_time >= opened)
        if bar.source != "backfill":
            raise RuntimeError("the bar came although its subscription was mute")
        return float(sim.clock.now() - opened - _MINUTE) / 1000


@contextlib.contextmanager
def _live(speed: float) -> Iterator[tuple[Any, Callable[[Callable[[Any], bool]], Any]]]:
    """A venue of its own and a stream of it that is LIVE, with what pulls from it until something comes."""
    with serve("binance", walk.bars("BTC/USDT", 60_000.0, _START, 200, 1), history=60, speed=speed) as sim:
        stream = Stream(
            Binance("binance", rest_url=sim.rest_url, stream_url=sim.stream_url),
            Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m")),
            clock=sim.clock,
            start=sim.clock.now() - 5 * _MINUTE,
        )

        def pull_until(wanted: Callable[[Any], bool]) -> Any:
            found: list[Any] = []

            def look() -> bool:
                while not found and (item := stream.pull()) is not None:
                    found.extend([item] if wanted(item) else [])
                return bool(found)

            until(look, _PATIENCE_S)
            return found[0]

        stream.open(lambda: None)
        try:
            pull_until(lambda item: getattr(item, "status", None) is Status.LIVE)
            yield sim, pull_until
        finally:
            stream.close()
