"""Gap-free bars for a program without backtrader: a Stream, pulled whenever it wakes.

    python examples/stream_without_backtrader.py
"""

from __future__ import annotations

import threading

from market import simulated

from btfeeds import Subscription, Symbol, Timeframe, venues
from btfeeds.live.items import Delivery
from btfeeds.live.stream import Stream

with simulated("BTC/USDT", faults=("cut@5m",)) as local:
    hosts = local.hosts
    clock = hosts.pop("clock")
    venue = venues.venue("binance", **hosts)
    minute = Timeframe.parse("1m")
    start = minute.back(minute.floor(clock.now()), 10)
    stream = Stream(venue, Subscription(venue.name, Symbol("BTC/USDT"), minute), clock=clock, start=start)
    something = threading.Event()
    stream.open(something.set)
    met = 0
    while met < 30:
        item = stream.pull()
        if item is None:  # nothing now: wait until it wakes, and at the latest until a bar is overdue
            wait = 1.0 if stream.deadline is None else (stream.deadline - clock.now()) / 1000 / clock.speed
            something.wait(min(max(wait, 0.01), 1.0))
            something.clear()
        elif isinstance(item, Delivery):
            met += 1
            print(item.bar.open_time, item.bar.close, item.source)
        else:
            print(item.status.name, item.reason)
    stream.close()
    print(stream.summary)
