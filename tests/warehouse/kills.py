"""`python -m tests.warehouse.kills N [SEED]`: four processes write one series and seal it, and N times one is killed.

What a process was told to be safe has to be there at the end, nothing else may be, and nobody may be locked out.
Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from btfeeds.clock import ManualClock
from btfeeds.errors import WarehouseLocked
from btfeeds.market import Bar, TimeRange
from btfeeds.warehouse import Warehouse
from tests.warehouse.bars import APRIL, DAY, MARCH, MINUTE, SERIES

WRITERS = 4
NOW = APRIL + 100 * DAY
EVER = TimeRange(0, 2**60)
PERIOD = (APRIL - MARCH) // MINUTE  # minutes of March; the writers write March, and April as far


def bar_of(minute: int) -> Bar:
    """Every process gives a bar the same values."""
    price = 100.0 + minute % 977
    return Bar(MARCH + minute * MINUTE, price, price + 2, price - 2, price + 1, float(minute % 31), minute % 13)


def _write(root: Path, acknowledge: int, seed: int) -> NoReturn:
    rng = random.Random(seed)
    with Warehouse(root, clock=ManualClock(NOW)) as warehouse:
        while True:
            try:
                if rng.random() < 0.05:
                    warehouse.seal(SERIES)
                    continue
                first, count = rng.randrange(2 * PERIOD), rng.choice((1, 1, 1, 20))
                warehouse.add(SERIES, [bar_of(first + number) for number in range(count)], provider="binance")
            except WarehouseLocked:
                os.write(acknowledge, struct.pack("<ii", -1, 0))
                continue
            os.write(acknowledge, struct.pack("<ii", first, count))


def _start(root: Path, seed: int) -> tuple[int, int]:
    """A writer: its process and the pipe of its acknowledgements."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        try:
            _write(root, writes, seed)
        except BaseException as error:
            print(f"a writer ended with {error!r}", file=sys.stderr)
            os._exit(1)
    os.close(writes)
    return child, reads


def _drain(pipe: int, *, to_the_end: bool = False) -> Iterable[tuple[int, int]]:
    data = b""
    while to_the_end or select.select([pipe], [], [], 0)[0]:
        more = os.read(pipe, 65_536)
        if not more:
            break
        data += more
    return struct.iter_unpack("<ii", data)


def stress(kills: int, seed: int = 1) -> dict[str, object]:
    """Counts, and what was wrong."""
    rng = random.Random(seed)
    safe: set[int] = set()
    count: Counter[str] = Counter()
    wrong: list[str] = []

    def note(acknowledged: Iterable[tuple[int, int]]) -> None:
        for first, bars in acknowledged:
            if first < 0:
                count["locked"] += 1
            else:
                count["acknowledged"] += bars
                safe.update(range(first, first + bars))

    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        root = Path(made) / "w"
        Warehouse(root).close()
        writers = [_start(root, rng.random().__hash__()) for _ in range(WRITERS)]
        while count["killed"] < kills:
            select.select([], [], [], rng.uniform(0.002, 0.06))  # a moment, none too exact
            child, pipe = writers.pop(rng.randrange(WRITERS))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if not os.WIFSIGNALED(status):
                wrong.append("a writer ended by itself")
            note(_drain(pipe, to_the_end=True))
            os.close(pipe)
            for _, other in writers:
                note(_drain(other))
            count["killed"] += 1
            writers.append(_start(root, rng.random().__hash__()))
        for child, pipe in writers:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            note(_drain(pipe, to_the_end=True))
            os.close(pipe)
        with Warehouse(root, clock=ManualClock(NOW)) as warehouse:
            held = {bar.open_time: bar for bar in warehouse.bars(SERIES, EVER)}
            wrong += [f"not what was written: {bar}" for bar in held.values()
                      if bar != bar_of((bar.open_time - MARCH) // MINUTE)][:3]  # fmt: skip
            lost = [minute for minute in safe if MARCH + minute * MINUTE not in held]
            wrong += [f"lost: {minute}" for minute in lost[:3]]
            wrong += [str(finding) for finding in warehouse.verify()][:3]
            warehouse.seal()
            left = sum(len(names) for _, _, names in os.walk(root)) - len(warehouse.files())
            wrong += [str(finding) for finding in warehouse.verify()][:3]
            count["distinct"], count["lost"], count["held"] = len(safe), len(lost), len(held)
            count["other_files"] = left  # the catalogue and its companions, and locks
    return {**count, "seconds": round(time.monotonic() - begun, 1), "wrong": wrong}


if __name__ == "__main__":
    report = stress(int(sys.argv[1]), int((sys.argv[2:3] or ["1"])[0]))
    print(json.dumps(report))
    sys.exit(1 if report["wrong"] else 0)
