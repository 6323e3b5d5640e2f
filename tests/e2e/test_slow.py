"""A strategy slower than the feed gets every bar; it is told that it is behind, and when it has caught up."""

from __future__ import annotations

import threading

from btfeeds import monitor
from btfeeds.market import iso
from btfeeds.simulator import serve
from tests.e2e.helpers import MINUTE, START, Diary, accepted, feed, market, rows, run

HISTORY, LIVE, BUFFER = 20, 42, 4


class Slow(Diary):
    """Stands still over twenty bars, once it is live; writes down under which word each bar was met."""

    def __init__(self) -> None:
        super().__init__()
        self.under: list[tuple[int, str]] = []
        self.stood = 0

    def next(self) -> None:
        super().next()
        self.under.append((self.data.open_time(), self.words["BTC/USDT"][-1]))
        clock = self.data._feed_clock
        if self.words["BTC/USDT"][-1] == "LIVE" and not self.stood:
            self.stood = self.data.open_time()
            until = clock.now() + 20 * MINUTE
            while clock.now() < until:
                threading.Event().wait(0.01)


def test_a_strategy_that_stands_still_misses_nothing_and_is_told() -> None:
    bars = market(HISTORY + LIVE + 60)
    overflows = 0

    def sink(happening: monitor.Happening) -> None:
        nonlocal overflows
        overflows += isinstance(happening, monitor.RingOverflowed)

    monitor.add(sink)
    try:
        with serve("binance", bars, history=HISTORY, speed=450.0, quiet="flat") as sim:
            data = feed(sim, buffer=BUFFER, todate=iso(START + (HISTORY + LIVE) * MINUTE))
            met = run(data, strategy=Slow)
    finally:
        monitor.remove(sink)
    assert met.stood and overflows > 10, "no more than the buffer waited: the rest came from history"
    assert met.rows["BTC/USDT"] == rows(bars[: HISTORY + LIVE])
    words = met.words["BTC/USDT"]
    assert words[:3] == ["DELAYED", "LIVE", "DELAYED"] and "LIVE" in words[3:] and accepted(words)
    assert "CONNBROKEN" not in words
    late = [word for time, word in met.under if met.stood < time <= met.stood + 17 * MINUTE]
    assert set(late) == {"DELAYED"}
