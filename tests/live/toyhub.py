"""A hub of the toy venue on a scripted server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from btfeeds.clock import SystemClock
from btfeeds.live.backfill import Backfill
from btfeeds.live.hub import Hub
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.ring import Ring
from btfeeds.live.tap import Tap
from btfeeds.market import Subscription, Symbol, Timeframe
from tests.live.scripted import Bell, Peer, Scripted
from tests.live.toy import Toy

QUICK = ConnectionPolicy(backoff_ms=(0,))
M = 60_000


class NoHistory:
    """A downloader that is never asked."""

    def close(self) -> None:
        pass


@contextmanager
def hub(script: Callable[[Peer], None]) -> Iterator[tuple[Hub, Scripted]]:
    with Scripted(script) as server:
        made = Hub(Toy(stream_url=server.url), SystemClock(), Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
        try:
            yield made, server
        finally:
            made.stop()


def tap(made: Hub, bell: Bell, symbol: str = "BTC/USDT", timeframe: str = "1m") -> Tap:
    subscription = Subscription("toy", Symbol(symbol), Timeframe.parse(timeframe))
    attached = Tap(made.venue, subscription, Ring(100, threading.Lock()), bell.ring)
    made.attach(attached)
    return attached


def entries(attached: Tap) -> list[object]:
    return list(attached.ring._entries)
