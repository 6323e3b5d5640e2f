"""What a question to a provider brings: a page of closed bars, or the reason why there is none; and the asking itself,
once for all who ask, until the answer can be understood.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from btfeeds import monitor
from btfeeds.clock import Clock
from btfeeds.errors import BadFrame, BtfeedsError, NetworkError
from btfeeds.history.http import HttpClient
from btfeeds.market import EMPTY, Bar, TimeRange, to_ms
from btfeeds.venues.base import HttpRequest, HttpResponse, Provider

ASK_AGAIN = 2  # times, for a bar or an answer that cannot be right

Gone = Callable[[], bool]
Failed = Callable[[TimeRange, BtfeedsError], None]


class Page(msgspec.Struct, frozen=True):
    """A piece of time that the venue has answered: its closed bars, ascending, and no others opened in it.

    `venue_time` is the venue's time at the answer (epoch ms), and `took` is when the answer was under way by our clock:
    empty where the venue does not say its time, or somebody's cache answered. `stored`: it was on disk. `rejected` are
    rows of the answer that cannot be bars, of times beside the span.
    """

    span: TimeRange
    bars: list[Bar]
    venue_time: int = 0
    took: TimeRange = EMPTY
    stored: bool = False
    rejected: tuple[Bar, ...] = ()


class BadBars(BadFrame):
    """Single bars of an answer cannot be bars, however often they are asked for."""


class Asker:
    """Puts questions to one provider."""

    def __init__(self, provider: Provider, http: HttpClient, clock: Clock) -> None:
        self._provider = provider
        self._http = http
        self._clock = clock

    def parsed(self, request: HttpRequest, parse: Callable[[HttpResponse], list[Any]], gone: Gone) -> Any:
        """The good answer and what it says; asked again when it cannot be understood."""
        for again in range(ASK_AGAIN + 1):
            if gone():
                raise NetworkError("The download was given up.", "Nobody waits for it any more.")
            response = self._http.send(self._provider, request, gone)
            try:
                return response, parse(response)
            except BadFrame as error:
                monitor.publish(monitor.FrameRejected(self._provider.name, error.reason, f"history: {error.what}"))
                if again == ASK_AGAIN:
                    raise
        raise AssertionError("the last try returns or raises")

    def venue_now(self, response: HttpResponse, date: int) -> int:
        """The venue's time: a bar is closed when the venue says so, not when a clock here does."""
        return date or response.sent or self._clock.now()


def date_of(response: HttpResponse) -> int:
    """When the venue says it answered (epoch ms, whole seconds); 0 where it does not."""
    try:
        return to_ms(parsedate_to_datetime(response.headers["date"]).astimezone(dt.UTC))
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0


def took(response: HttpResponse, date: int) -> TimeRange:
    """When the answer was under way, by our clock; empty where nothing can be learned of the venue's clock from it."""
    fresh = response.headers.get("age", "0").strip() == "0"
    known = fresh and response.received and date
    return TimeRange(response.sent, response.received + 1) if known else EMPTY
