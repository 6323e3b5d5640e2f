"""A warehouse that fails is told of once, and tried again after a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from btfeeds import monitor
from btfeeds.errors import WarehouseUnwritable
from btfeeds.history.outage import Outage

FULL = WarehouseUnwritable("The disk is full.", "Nothing was written.")


@pytest.fixture
def told() -> Iterator[list[monitor.Happening]]:
    heard: list[monitor.Happening] = []
    sink = monitor.add(heard.append)
    yield heard
    monitor.remove(sink)


def test_it_is_told_once_and_tried_again_after_a_while(told: list[monitor.Happening]) -> None:
    now = [100.0]
    one = Outage("binance", now=lambda: now[0], retry_s=30)
    assert one.usable()
    one.failed(FULL)
    one.failed(FULL)
    assert told == [monitor.WarehouseOut("binance", "The disk is full. Nothing was written.")]
    now[0] = 129.0
    assert not one.usable()
    now[0] = 130.0
    assert one.usable()
    one.failed(FULL)
    assert (one.usable(), len(told)) == (False, 1)


def test_its_end_is_told_and_the_next_one_again(told: list[monitor.Happening]) -> None:
    now = [100.0]
    one = Outage("binance", now=lambda: now[0])
    one.worked()
    assert told == []
    one.failed(FULL)
    now[0] = 145.0
    one.worked()
    assert one.usable()
    assert told[-1] == monitor.WarehouseBack("binance", 45)
    one.failed(FULL)
    assert len(told) == 3
