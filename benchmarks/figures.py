"""A figure: what was measured, what a peer did in the same run, and what is wanted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `ratio` says how many times better than the peer."""

    what: str
    unit: str
    ours: float
    wanted: str
    met: bool
    peer: float | None = None
    ratio: float | None = None


def until(true: Callable[[], object], seconds: float) -> None:
    """Wait until something is true. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("what a benchmark waits for did not happen")
        time.sleep(0.01)
