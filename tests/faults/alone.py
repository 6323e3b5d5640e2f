"""What is counted in a process of its own, where nothing else opens, starts or keeps anything. Prints JSON.

    python -m tests.faults.alone reconnections

`test_process.py` runs it, and judges.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import logging
import os
import socket
import sys
import threading
import tracemalloc
from collections.abc import Callable

from btfeeds.clock import ManualClock
from tests.e2e.helpers import accepted
from tests.faults.rig import NOW, PATIENCE_S, Calm, Listener, Rig, bar, frame, frames_of, shake

Facts = dict[str, object]


class OneByOne(Listener):
    """Serves one connection after the other, on its only thread."""

    def _one(self, sock: socket.socket, number: int) -> None:
        with sock, contextlib.suppress(OSError):
            self._handle(sock, number)


def acknowledge(sock: socket.socket) -> None:
    """Shake hands and confirm the first subscription. Raises ConnectionError when the client leaves before."""
    data = shake(sock)
    while not (texts := [payload for opcode, payload in frames_of(data) if opcode == 1]):
        if not (piece := sock.recv(65_536)):
            raise ConnectionError("gone")
        data += piece
    sock.sendall(frame(json.dumps({"ack": json.loads(texts[0])["id"]}).encode()))


def in_use() -> int:
    """Bytes that Python has in use."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def reconnections() -> Facts:
    """A thousand and more. At every one descriptors and threads are counted; memory at every two hundredth."""
    descriptors: set[int] = set()
    threads: set[threading.Thread] = set()
    held: list[int] = []
    counted = threading.Event()
    clock = ManualClock(NOW)

    def acknowledge_and_close(sock: socket.socket, number: int) -> None:
        acknowledge(sock)
        descriptors.add(open_descriptors())
        threads.update(threading.enumerate())
        clock.advance(2_000)
        if number % 200 == 0:  # this one lasts until memory was looked at
            held.append(number)
            counted.wait(PATIENCE_S)
            counted.clear()

    class Lavish(Calm):
        limits = dataclasses.replace(Calm.limits, connects_per_5_minutes=200)  # 150 at this pace

    def memory_at(number: int) -> int:
        """Once this connection is at rest."""

        def at_rest() -> bool:
            rig.happened.clear()
            rig.payloads.clear()
            return held[-1:] == [number] and rig.words[-1:] == ["LIVE"]

        rig.until(at_rest)
        used = in_use()
        counted.set()
        return used

    fewest, before = open_descriptors(), set(threading.enumerate())
    with OneByOne(acknowledge_and_close) as server:  # noqa: SIM117
        with Rig(server.url, venue=Lavish(stream_url=server.url), clock=clock) as rig:
            used = [memory_at(number) for number in range(200, 1_001, 200)]
    rig.bell.until(lambda: set(threading.enumerate()) <= before and open_descriptors() == fewest)  # all is given back
    return {
        "more descriptors": sorted(count - fewest for count in descriptors),
        "more threads": sorted(thread.name for thread in threads - before),
        "memory": used,
        "breaks": rig.words.count("CONNBROKEN"),
        "accepted": accepted([*rig.words, "DISCONNECTED"]),
        "true": rig.proven(97, 97 + len(rig.rows) - 1),
    }


def days() -> Facts:
    """Thirty of 480 bars each, and a break behind every one. Memory is looked at in the evenings."""
    used: list[int] = []
    true: list[bool] = []
    peers: list[socket.socket] = []
    day_over = threading.Event()

    def one_day(sock: socket.socket, _: int) -> None:
        peers[:] = [sock]
        acknowledge(sock)
        day_over.wait(PATIENCE_S)
        day_over.clear()

    with OneByOne(one_day) as server, Rig(server.url) as rig:
        rig.until_live()
        for first in range(100, 100 + 30 * 480, 480):
            del rig.rows[:], rig.words[:], rig.payloads[:], rig.happened[:]
            for minute in range(first, first + 480):
                rig.advance_to(minute + 1)
                said = bar(minute)
                values = [said.open_time, said.open, said.high, said.low, said.close, said.volume]
                peers[0].sendall(frame(json.dumps({"bar": ["BTCUSDT@bars@1m", *values]}).encode()))
                rig.until_minute(minute)
            true.append(rig.proven(first, first + 479))
            used.append(in_use())
            day_over.set()
            rig.until(lambda: "CONNBROKEN" in rig.words and rig.words[-1] == "LIVE", tick=100)
        day_over.set()
    return {"memory": used, "true": all(true)}


STORIES: dict[str, Callable[[], Facts]] = {story.__name__: story for story in (reconnections, days)}

if __name__ == "__main__":
    logging.getLogger("btfeeds").disabled = True  # a line for each break
    tracemalloc.start()
    print(json.dumps(STORIES[sys.argv[1]]()))
