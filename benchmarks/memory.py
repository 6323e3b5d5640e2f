"""How memory grows over a million live bars with `keep`, in a process of its own; without it, as the peer.

`python -m benchmarks.memory BARS KEEP` prints MB per million bars.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Figure

_WANTED = 1.0  # MB per million bars
_KEEP = 5_000


def measure(quick: bool) -> list[Figure]:
    bars, peer_bars, keep = (4_000, 4_000, 500) if quick else (1_000_000, 150_000, _KEEP)
    slope = _apart(bars, keep)
    return [
        Figure(
            f"memory over {bars:,} live bars, keep={keep}, without keep as peer",
            "MB/1M bars",
            slope,
            f"< {_WANTED:g}",
            slope < _WANTED,
            _apart(peer_bars, 0),
        )
    ]


def _apart(bars: int, keep: int) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", str(bars), str(keep)]
    run = subprocess.run(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, check=True)
    return float(run.stdout)


def _resident() -> float:
    """Resident memory of this process in MB. Where the system does not tell, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _run(bars: int, keep: int) -> float:
    """The slope of resident memory, the first quarter left out: until then caches and lines fill."""
    import backtrader as bt
    import numpy as np

    from benchmarks.feeds import bar, ours
    from btfeeds.clock import ManualClock

    clock = ManualClock(bar(0).open_time)
    (feed,) = ours(1, clock, keep=keep)
    seen: list[tuple[int, float]] = []

    class Pusher(bt.Strategy):  # type: ignore[misc]
        """Has the next bar come when it has seen the last: nothing waits in between."""

        def __init__(self) -> None:
            self.average = bt.ind.SMA(period=30)

        def notify_data(self, data: object, status: int, *args: object, **kwargs: object) -> None:
            if status == bt.feed.DataBase.LIVE:
                feed.push(bar(0))

        def next(self) -> None:
            number = len(feed)
            if number % (bars // 100) == 0:
                seen.append((number, _resident()))
            if number == bars:
                self.env.runstop()
                return
            clock.advance(60_000)
            feed.push(bar(number))

        prenext = next

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed)
    cerebro.addstrategy(Pusher)
    cerebro.run()
    if len(feed) != bars:
        raise RuntimeError(f"{len(feed)} bars came instead of {bars}")
    numbers, sizes = np.array(seen[len(seen) // 4 :]).T
    return float(np.polyfit(numbers, sizes, 1)[0] * 1e6)


if __name__ == "__main__":
    print(_run(int(sys.argv[1]), int(sys.argv[2])))
