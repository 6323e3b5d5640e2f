"""A real Cerebro on the simulator's real sockets, and what its strategy met."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import backtrader as bt

import btfeeds
from btfeeds.market import Bar
from btfeeds.simulator import Simulator, walk

ROOT = Path(__file__).parents[2]
START = 1_709_287_200_000  # 2024-03-01T10:00Z
MINUTE = 60_000

Row = tuple[int, float, float, float, float, float]

# backtrader's words in the order of their numbers, and a letter for each; UNKNOWN changes nothing
_LETTERS = {"CONNECTED": "C", "DISCONNECTED": "X", "CONNBROKEN": "B", "DELAYED": "D", "LIVE": "L",
            "NOTSUBSCRIBED": "N", "NOTSUPPORTED_TF": "T", "UNKNOWN": ""}  # fmt: skip
_STATUSES = list(_LETTERS)
# what a strategy may meet: always DELAYED between CONNECTED and LIVE; after a break CONNECTED, or nothing but the end
_WORD = re.compile(
    r"(?:T|(?:[DL]|B(?:CB)*CD)(?:(?<=D)L|(?<=L)D|(?<=[DL])B(?:CB)*CD)*(?:N|B(?:CB)*C?)?|N|B(?:CB)*C?)?X"
)


def accepted(words: Sequence[str]) -> bool:
    """Whether a strategy may meet these words in this order; the last one is DISCONNECTED."""
    return bool(_WORD.fullmatch("".join(_LETTERS[word] for word in words)))


def market(count: int, seed: int = 1, symbol: str = "BTC/USDT", price: float = 60_000.0) -> Sequence[Bar]:
    """Minutes of a random walk from START."""
    return walk.bars(symbol, price, START, count, seed)


def rows(bars: Sequence[Bar]) -> list[Row]:
    return [(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]


class Diary(bt.Strategy):  # type: ignore[misc]
    """Every bar of every feed, every word, and what moved in each next()."""

    params = (("act", None),)

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {data._name: [] for data in self.datas}
        self.words: dict[str, list[str]] = {data._name: [] for data in self.datas}
        self.moves: list[list[str]] = []
        self._lengths = {data._name: 0 for data in self.datas}

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        self.words[data._name].append(_STATUSES[status])

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        moved = [data for data in self.datas if len(data) != self._lengths[data._name]]
        self.moves.append([data._name for data in moved])
        for data in moved:
            self._lengths[data._name] += 1
            values = (data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0])
            self.rows[data._name].append((data.open_time(), *values))
        if self.p.act is not None:
            self.p.act(self)


def feed(sim: Simulator, symbol: str = "BTC/USDT", timeframe: str = "1m", *, name: str = "", **params: Any) -> Any:
    """A live feed of the simulator."""
    params.setdefault("clock", sim.clock)
    if "history" not in params:
        params.setdefault("fromdate", START)
    made = btfeeds.live("binance", symbol, timeframe, rest_url=sim.rest_url, stream_url=sim.stream_url, **params)
    made._name = name or made._name
    return made


def run(*feeds: Any, strategy: Any = Diary, seconds: float = 30.0, **options: Any) -> Any:
    """Run a Cerebro with these feeds to its end, at most for so long; returns the strategy."""
    cerebro = bt.Cerebro(stdstats=False)
    for data in feeds:
        cerebro.adddata(data)
    cerebro.addstrategy(strategy, **options)
    timer = threading.Timer(seconds, cerebro.runstop)
    timer.start()
    try:
        return cerebro.run()[0]
    finally:
        timer.cancel()


def listening(sim: Simulator) -> None:
    """Wait until a client has been told that it is subscribed."""
    for _ in range(3_000):
        if any(entry.what == "message" and "SUBSCRIBE" in entry.detail.upper() for entry in sim.log):
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody subscribed")


def ours() -> list[str]:
    """The threads of feeds that do not end. A busy machine has ten seconds for those that are about to."""
    for _ in range(1_000):
        left = [thread for thread in threading.enumerate() if thread.name.startswith("btfeeds-binance")]
        if not left:
            break
        left[0].join(0.01)
    return [thread.name for thread in left]


# --- processes -------------------------------------------------------------------------------------------------------


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BTFEEDS_")}
    return {**clean, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def btfeeds_cli(*args: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """`btfeeds …`, which has to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "btfeeds", *args],
        capture_output=True, text=True, timeout=30, cwd=cwd, env=environment(**more),
    )  # fmt: skip


@contextmanager
def process(*command: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process with its lines to be read; killed at the end if it is still there."""
    child = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**more)
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def read_until(child: subprocess.Popen[str], wanted: Callable[[str], bool]) -> None:
    """Read lines until one is the wanted one."""
    assert child.stdout is not None
    for line in child.stdout:
        if wanted(line):
            return
    raise AssertionError(f"it ended before: {child.communicate()}")


@cache
def leaving_s() -> float:
    """How long a process may take to leave: two seconds, and what a busy machine adds, told by what importing takes."""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", "import backtrader, pandas"], check=True, env=environment())
    return 2.0 + 2 * (time.monotonic() - begun)


def tell(child: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal; the process has to be gone within two seconds."""
    seconds = leaving_s()
    child.send_signal(number)
    out, err = child.communicate(timeout=seconds)
    return child.returncode, out, err
