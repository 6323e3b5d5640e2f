"""Find a running simulator by any of its URLs, and keep its time."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from btfeeds.clock import ScaledClock
from btfeeds.errors import NetworkError, SimulatorError

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Attached:
    """Where a simulator is, and its clock."""

    rest_url: str
    stream_url: str
    clock: ScaledClock


def attach(url: str, *, timeout: float = 5.0) -> Attached:
    """The simulator behind `url`: its rest_url, stream_url or clock_url. Raises NetworkError and SimulatorError.

    The clock is set from the quickest of a few answers, half the round trip added.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if not parts.netloc or parts.scheme not in ("http", "https", "ws", "wss"):
        raise SimulatorError(f"{url!r} is no URL of a simulator.", "Nothing was started.", "Copy one it printed.")
    s = "s" if parts.scheme in ("https", "wss") else ""
    rest_url, stream_url = f"http{s}://{parts.netloc}", f"ws{s}://{parts.netloc}"
    opener = build_opener(ProxyHandler({}))  # never through a proxy: it is on this machine, or next to it
    best = float("inf")
    clock: ScaledClock | None = None
    for _ in range(_TRIES):
        asked = time.perf_counter()
        try:
            with opener.open(f"{rest_url}/btfeeds/clock", timeout=timeout) as answer:
                told = json.load(answer)
            now, speed = int(told["now"]), float(told["speed"])
        except (URLError, OSError) as error:
            raise NetworkError(
                f"No simulator answers at {rest_url}: {getattr(error, 'reason', error)}.",
                "Nothing was started.",
                "Start one with `btfeeds simulate`, and pass one of the URLs it prints.",
            ) from None
        except (KeyError, TypeError, ValueError):
            raise SimulatorError(
                f"What answers at {rest_url} is no simulator.", "Nothing was started.", "Copy a URL that it printed."
            ) from None
        trip = time.perf_counter() - asked
        if trip < best:
            best = trip
            clock = ScaledClock(int(now + trip / 2 * 1000 * speed), speed)
    assert clock
    return Attached(rest_url, stream_url, clock)
