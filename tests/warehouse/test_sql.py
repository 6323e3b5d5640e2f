"""SQL over files and what is in none yet."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import MissingExtra, WarehouseError
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse, sql
from tests.warehouse.bars import APRIL, DAY, MARCH, MINUTE, SERIES, bars

pytest.importorskip("pyarrow")
pytest.importorskip("duckdb")
OTHER = Subscription("kraken", Symbol("ETH/EUR"), Timeframe.parse("1m"))


@pytest.fixture(params=["", "memory://"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Five bars in a file, one of them corrected, and three in none; one bar of another series."""
    files = request.param and f"{request.param}/{tmp_path.name}"
    made = Warehouse(tmp_path / "it's", files=files, clock=ManualClock(APRIL + DAY))
    made.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
    made.add(SERIES, bars(3, start=APRIL), provider="binance")
    made.revise(SERIES, Bar(MARCH + MINUTE, 101.0, 999.0, 100.5, 102.0, 0.5, 1), provider="binance")
    made.add(OTHER, bars(1), provider="kraken")
    assert len(made.files()) == 1
    return made


def test_every_bar_is_there_once_with_the_newest_word(warehouse: Warehouse) -> None:
    answer = warehouse.sql("SELECT count(*) AS n, max(high) AS high, min(open_time) AS first FROM bars", SERIES)
    assert answer.to_pylist() == [{"n": 8, "high": 999.0, "first": dt.datetime(2024, 3, 1)}]


def test_without_a_series_all_are_asked(warehouse: Warehouse) -> None:
    answer = warehouse.sql("SELECT venue, symbol, timeframe, count(*) AS n FROM bars GROUP BY ALL ORDER BY venue")
    assert [tuple(row.values()) for row in answer.to_pylist()] == [
        ("binance", "BTC/USDT", "1m", 8), ("kraken", "ETH/EUR", "1m", 1),
    ]  # fmt: skip


def test_a_query_may_have_parameters(warehouse: Warehouse) -> None:
    answer = warehouse.sql("SELECT open FROM bars WHERE trades = ?", SERIES, params=[4])
    assert answer.to_pylist() == [{"open": 104.0}]


def test_a_query_does_not_hold_up_a_writer(warehouse: Warehouse) -> None:
    with warehouse._catalogue.writing() as db:
        db.execute("DELETE FROM checkpoint")
        reader = Warehouse(warehouse.root, readonly=True, files="")
        assert reader.series()[0].rows == 8
    assert warehouse.sql("SELECT 1 AS one FROM bars LIMIT 1", SERIES).to_pylist() == [{"one": 1}]


def test_a_query_that_makes_no_sense_is_said_with_the_names_there_are(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="cannot be answered") as refused:
        warehouse.sql("SELECT price FROM bars", SERIES)
    assert "open_time, open, high" in str(refused.value)


def test_a_file_that_is_replaced_meanwhile_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Warehouse(tmp_path, clock=ManualClock(APRIL)) as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        look = sql.sources

        def late(*arguments: object) -> sql.Sources:
            found = look(*arguments)  # type: ignore[arg-type]
            monkeypatch.undo()
            warehouse.revise(SERIES, Bar(MARCH, 1.0, 999.0, 1.0, 1.0, 0.5, 1), provider="binance")
            warehouse.seal()
            return found

        monkeypatch.setattr(sql, "sources", late)
        assert warehouse.sql("SELECT max(high) AS high FROM bars").to_pylist() == [{"high": 999.0}]


def test_there_has_to_be_something(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="no bars"):
        Warehouse(tmp_path).sql("SELECT 1 FROM bars")


def test_without_duckdb_the_error_names_what_to_install(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra, match="duckdb"):
        warehouse.sql("SELECT 1 FROM bars", SERIES)
