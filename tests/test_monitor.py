"""What happened is said once, to every sink, and no sink can break a feed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import pytest

from btfeeds import monitor
from btfeeds.monitor import Connected, Counts, Disconnected, GapClosed, Happening, RingOverflowed


@pytest.fixture(autouse=True)
def sinks() -> Iterator[None]:
    """The sinks are those of before again afterwards."""
    before = list(monitor._sinks)
    yield
    monitor._sinks[:] = before


def test_every_sink_is_told() -> None:
    first: list[Happening] = []
    second: list[Happening] = []
    monitor.add(first.append)
    monitor.add(second.append)
    happening = Connected("binance", 1)
    monitor.publish(happening)
    assert first == second == [happening]


def test_a_removed_sink_is_told_nothing() -> None:
    told: list[Happening] = []
    sink = monitor.add(told.append)
    monitor.remove(sink)
    monitor.remove(sink)
    monitor.publish(Connected("binance", 1))
    assert told == []


def test_a_sink_that_fails_is_dropped_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Happening] = []
    asked: list[Happening] = []

    def failing(happening: Happening) -> None:
        asked.append(happening)
        raise RuntimeError("out of order")

    monitor.add(failing)
    monitor.add(told.append)
    monitor.publish(Connected("binance", 1))
    monitor.publish(Connected("binance", 2))
    assert (len(asked), len(told)) == (1, 2)
    assert "out of order" in caplog.text


def test_what_is_published_under_a_hushed_lock_is_told_in_its_order_when_no_such_lock_is_held() -> None:
    told: list[str] = []
    sink = monitor.add(lambda happening: told.append(happening.venue))
    outer, inner = monitor.Hushed(), monitor.Hushed()
    try:
        with outer:
            monitor.publish(monitor.Connected("a", 1))
            with inner, outer:
                monitor.publish(monitor.Connected("b", 1))
            assert told == []
        assert told == ["a", "b"]
        with contextlib.suppress(ValueError), inner:
            monitor.publish(monitor.Connected("c", 1))
            raise ValueError
        monitor.publish(monitor.Connected("d", 1))
    finally:
        monitor.remove(sink)
    assert told == ["a", "b", "c", "d"]


def test_a_sink_that_takes_a_hushed_lock_and_publishes_is_heard() -> None:
    told: list[str] = []
    lock = monitor.Hushed()

    def sink(happening: monitor.Happening) -> None:
        told.append(happening.venue)
        if happening.venue == "a":
            with lock:
                monitor.publish(monitor.Connected("b", 1))

    monitor.add(sink)
    try:
        with lock:
            monitor.publish(monitor.Connected("a", 1))
            monitor.publish(monitor.Connected("c", 1))
    finally:
        monitor.remove(sink)
    assert sorted(told) == ["a", "b", "c"]


def test_counts_are_kept_by_kind() -> None:
    counts = Counts()
    monitor.add(counts)
    monitor.publish(Connected("binance", 1))
    monitor.publish(Connected("binance", 2))
    monitor.publish(RingOverflowed("binance", "binance BTC/USDT 1m"))
    assert (counts["Connected"], counts["RingOverflowed"], counts["Disconnected"]) == (2, 1, 0)


@pytest.mark.parametrize(
    ("happening", "level", "text"),
    [
        (
            Disconnected("binance", 3, "reset", "peer", 5_000),
            logging.WARNING,
            "Disconnected venue=binance connection=3 reason=reset detail=peer retry_in_ms=5000",
        ),
        (
            GapClosed("binance", "binance BTC/USDT 1m", 0, 60_000, 1),
            logging.INFO,
            "GapClosed venue=binance feed=binance BTC/USDT 1m start=0 end=60000 bars=1",
        ),
    ],
)
def test_the_log_has_the_facts_and_a_fitting_level(
    caplog: pytest.LogCaptureFixture, happening: Happening, level: int, text: str
) -> None:
    with caplog.at_level(logging.DEBUG, logger="btfeeds"):
        monitor.publish(happening)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, text)]


def test_what_happened_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Connected("binance", 1).connection = 2  # type: ignore[misc]
