"""A provider's host in one object: every request goes to a function of the test, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable

import httpx2

from btfeeds.clock import ManualClock
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.venues.base import Provider
from tests.history.venue import Unread

Answer = Callable[[httpx2.Request], httpx2.Response]

PAGE = httpx2.Response(200, content=b"<html><body>Log in to this network first</body></html>")


class FakeHost:
    """Answers as `answer` says; what is in `first` comes before, once each."""

    def __init__(self, now: int, answer: Answer, *first: httpx2.Response) -> None:
        self.clock = ManualClock(now)
        self.requests: list[httpx2.Request] = []
        self._answer = answer
        self._first = list(first)

    def downloader(self, provider: Provider) -> Downloader:
        return Downloader(provider, HttpClient(self.clock, transport=Unread(self._handle)), self.clock)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self._first.pop(0) if self._first else self._answer(request)
