"""What comes over the wire, for who wants to see it raw. Nobody listens unless told to; then on the thread that reads.

A listener that raises is dropped with a log line rather than allowed to break a feed.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from btfeeds.venues.base import HttpRequest, HttpResponse, Provider

logger = logging.getLogger("btfeeds")


class Listener(Protocol):
    """Who is told. `request` is None for a frame of a stream."""

    def __call__(self, provider: Provider, data: bytes | HttpResponse, request: HttpRequest | None) -> None: ...


listeners: tuple[Listener, ...] = ()  # replaced, never changed: read without the lock
_lock = threading.Lock()  # guards the replacing of listeners


def listen(listener: Listener) -> None:
    """Tell this one, too."""
    global listeners
    with _lock:
        listeners = (*listeners, listener)


def leave(listener: Listener) -> None:
    """Tell this one no longer."""
    global listeners
    with _lock:
        listeners = tuple(other for other in listeners if other != listener)


def told(provider: Provider, data: bytes | HttpResponse, request: HttpRequest | None = None) -> None:
    """A frame, or an answer to a request, has come."""
    for listener in listeners:
        try:
            listener(provider, data, request)
        except Exception:
            logger.exception("a listener to raw frames failed and was removed: %r", listener)
            leave(listener)
