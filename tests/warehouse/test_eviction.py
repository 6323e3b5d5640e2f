"""Below a size: the oldest periods go, and never what cannot be fetched again."""

from __future__ import annotations

from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import SealedFile, Warehouse
from btfeeds.warehouse.eviction import choose, evict
from tests.warehouse.bars import APRIL, DAY, MARCH, MINUTE, SERIES, bars

OTHER = Subscription("kraken", Symbol("ETH/EUR"), Timeframe.parse("1h"))
EVER = TimeRange(0, 2**60)


def file(last: int, size: int = 100) -> SealedFile:
    return SealedFile(str(last), TimeRange(0, last + 1), 1, last, last, "c", size, 0)


def test_the_oldest_go_until_it_is_enough() -> None:
    files = [(SERIES, file(30)), (OTHER, file(10)), (SERIES, file(20))]
    assert choose(files, 101, lambda *_: True) == [(OTHER, file(10)), (SERIES, file(20))]
    assert choose(files, 0, lambda *_: True) == []


def test_what_cannot_be_fetched_again_is_passed_over() -> None:
    files = [(SERIES, file(10)), (SERIES, file(20)), (SERIES, file(30))]
    assert choose(files, 100, lambda _, one: one.last > 10) == [(SERIES, file(20))]


def test_what_goes_is_to_be_asked_for_again_and_the_rest_stays(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    february = MARCH - 29 * DAY
    with Warehouse(tmp_path, clock=ManualClock(APRIL)) as warehouse:
        warehouse.add(SERIES, bars(5, start=february), provider="binance", span=TimeRange(february, MARCH))
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        sizes = [one.bytes for _, one in warehouse.files()]
        assert [one.last for _, one in evict(warehouse, sizes[1], ["binance"])] == [february + 4 * MINUTE]
        assert warehouse.bars(SERIES, EVER) == bars(5)
        assert warehouse.missing(SERIES, TimeRange(february, APRIL)) == [TimeRange(february, MARCH)]
        assert len(list((tmp_path / "binance").rglob("*.parquet"))) == 1
        assert evict(warehouse, sizes[1], ["binance"]) == []
        assert warehouse.verify() == []


def test_a_file_with_a_bar_that_nobody_can_give_again_stays(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with Warehouse(tmp_path, clock=ManualClock(APRIL)) as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        warehouse.revise(SERIES, Bar(MARCH, 1.0, 2.0, 1.0, 1.0, 0.5, 1), provider="a tape")
        assert evict(warehouse, 0, ["binance"]) == []
        assert len(evict(warehouse, 0, ["binance", "a tape"])) == 1
