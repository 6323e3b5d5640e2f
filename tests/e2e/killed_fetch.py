"""A long fetch that is killed (−9) again and again, against one that is left alone.

    python -m tests.e2e.killed_fetch 1000000 10

The suite has a short one (test_fetch.py). This prints what it came to, and fails where the two differ, where a page
that was kept is asked for again, or where a fetch takes more memory than it may.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse
from tests.e2e.archive import MINUTE, START, Archive
from tests.e2e.helpers import environment

SERIES = Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))
MOST_MB = 300
_CODE = """
import resource, sys
from btfeeds.cli.app import _run
code = _run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
sys.exit(code)
"""


class Killer:
    """Kills the fetch under way during the requests with these numbers."""

    def __init__(self, numbers: list[int], rng: random.Random) -> None:
        self.numbers = numbers
        self.child: subprocess.Popen[str] | None = None
        self._rng = rng

    def strike(self, count: int) -> None:
        child = self.child
        if self.numbers and child is not None and count >= self.numbers[0]:
            self.numbers.pop(0)
            threading.Event().wait(self._rng.uniform(0, 0.05))  # somewhere between the answer and the disk
            os.kill(child.pid, signal.SIGKILL)


def fetch(archive: Archive, folder: Path, span: TimeRange, killer: Killer) -> tuple[int, int]:
    """Its exit code, and the most memory it took in MB (0 where it was killed)."""
    args = ["fetch", "binance", SERIES.symbol, "1m", "--from", str(span.start), "--to", str(span.end),
            "--warehouse", str(folder)]  # fmt: skip
    env = environment(BTFEEDS_BINANCE_REST_URL=archive.url)
    killer.child = subprocess.Popen([sys.executable, "-c", _CODE, *args], stdout=subprocess.PIPE, text=True, env=env)
    out, _ = killer.child.communicate()
    code, killer.child = killer.child.returncode, None
    return code, int(out.splitlines()[-1]) if code == 0 else 0


def main(count: int, kills: int, seed: int = 20) -> int:
    rng = random.Random(seed)
    span = TimeRange(START, START + count * MINUTE)
    pages = -(-count // 1_000)
    killer = Killer(sorted(rng.sample(range(2, pages + kills), kills)), rng)
    with tempfile.TemporaryDirectory() as root:
        killed, whole = Path(root, "killed"), Path(root, "whole")
        with Archive(on_request=killer.strike) as archive:
            codes, memory = [-9], 0
            while codes[-1] != 0 and len(codes) <= kills + 1:
                code, memory = fetch(archive, killed, span, killer)
                codes.append(code)
            asked, distinct = len(archive.asked), len({first for _, first in archive.asked})
        with Archive() as archive:
            begun = time.monotonic()
            _, alone = fetch(archive, whole, span, Killer([], rng))
            seconds = time.monotonic() - begun
        with Warehouse(killed) as one, Warehouse(whole) as other:
            bars = one.rows(SERIES, span).bars
            same = bars.same(other.rows(SERIES, span).bars) and not one.missing(SERIES, span) and not one.verify(SERIES)
    print(f"{len(bars):,} bars, killed {codes.count(-9) - 1}×, {asked} requests for {distinct} pages")
    print(f"equal to the one that was left alone: {same}; that took {seconds:.0f} s")
    print(f"the most memory: {max(memory, alone)} MB")
    good = same and len(bars) == count and distinct == pages and asked <= pages + kills
    return 0 if good and max(memory, alone) < MOST_MB else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
