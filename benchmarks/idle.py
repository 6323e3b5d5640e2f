"""What a hundred feeds cost while nothing happens: one socket, one loop that sleeps."""

from __future__ import annotations

import threading
import time
from typing import Any

import backtrader as bt

from benchmarks import venue
from benchmarks.figures import Figure, until
from btfeeds.feeds import BinanceLiveDataFeed
from btfeeds.live.status import Status

_WANTED = 2.0  # per cent of a core


def measure(quick: bool) -> list[Figure]:
    count, seconds = (5, 0.3) if quick else (100, 6.0)
    with venue.running(0) as url:
        share = _share(url, count, seconds)
    return [Figure(f"idle, {count} feeds on one socket", "% CPU", share, f"< {_WANTED:g} %", share < _WANTED)]


class _Live(bt.Strategy):  # type: ignore[misc]
    params = (("live", None),)

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        if status == Status.LIVE:
            self.p.live.add(data._name)


def _share(url: str, count: int, seconds: float) -> float:
    live: set[str] = set()
    share: list[float] = []
    cerebro = bt.Cerebro(stdstats=False)
    for number in range(count):
        feed = BinanceLiveDataFeed(
            dataname=f"C{number}/USDT", stream_url=url, rest_url="http://127.0.0.1:9", backfill=False
        )
        cerebro.adddata(feed)
    cerebro.addstrategy(_Live, live=live)

    def watch() -> None:
        try:
            until(lambda: len(live) == count, 30)
            wall, cpu = time.perf_counter(), time.process_time()
            time.sleep(seconds)
            share.append(100 * (time.process_time() - cpu) / (time.perf_counter() - wall))
        finally:
            cerebro.runstop()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    cerebro.run()
    thread.join()
    return share[0]
