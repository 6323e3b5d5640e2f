"""Raw frames and answers, for who wants to see them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from btfeeds import wire
from btfeeds.venues.base import HttpRequest, HttpResponse, Provider
from btfeeds.venues.binance import Binance
from tests.history.venue import NOON, FakeVenue


@pytest.fixture
def heard() -> Iterator[list[tuple[object, object]]]:
    told: list[tuple[object, object]] = []

    def listener(provider: Provider, data: bytes | HttpResponse, request: HttpRequest | None) -> None:
        told.append((data, request))

    wire.listen(listener)
    yield told
    wire.leave(listener)


def test_nobody_listens_unless_told_to() -> None:
    assert wire.listeners == ()


def test_a_listener_hears_frames_until_it_leaves(heard: list[tuple[object, object]]) -> None:
    wire.told(Binance(), b"{}")
    assert heard == [(b"{}", None)]
    wire.leave(wire.listeners[0])
    wire.told(Binance(), b"{}")
    assert len(heard) == 1


def test_answers_come_with_what_was_asked(heard: list[tuple[object, object]]) -> None:
    venue = FakeVenue(3)
    with venue.downloader() as downloader:
        downloader.download("BTC/USDT", "1m", NOON, NOON + 180_000)
    (response, request), *_ = heard
    assert isinstance(response, HttpResponse) and response.status == 200
    assert isinstance(request, HttpRequest) and request.path == "/api/v3/klines"


def test_a_listener_that_fails_is_removed_and_breaks_nothing() -> None:
    def broken(provider: Provider, data: bytes | HttpResponse, request: HttpRequest | None) -> None:
        raise ValueError("no")

    wire.listen(broken)
    wire.told(Binance(), b"{}")
    assert wire.listeners == ()
