"""A warehouse of every earlier version becomes one of today's; golden/v<N>.sqlite was written by version N."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import WarehouseTooNew
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Provenance, Warehouse, schema
from tests.warehouse.bars import DAY, GOLDEN, HOUR, MARCH, MINUTE, bars

FUTURE = Subscription("binance", Symbol("BTC/USDT:USDT"), Timeframe.parse("1m"))
INDEX = Subscription("yahoo", Symbol("^GSPC"), Timeframe.parse("1d"))
EVER = TimeRange(0, 2**60)


@pytest.fixture(params=range(1, schema.VERSION + 1))
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shutil.copy(GOLDEN / f"v{request.param}.sqlite", tmp_path / "catalogue.sqlite")
    return tmp_path


def test_every_version_is_understood(golden: Path) -> None:
    with Warehouse(golden, clock=ManualClock(MARCH + DAY)) as warehouse:
        assert warehouse.verify() == []
        expected = bars(120)
        del expected[7:9]
        expected[1] = Bar(MARCH + MINUTE, 101.0, 104.0, 100.5, 102.0, 0.75, 2)
        assert warehouse.bars(FUTURE, EVER) == expected
        assert warehouse.covered(FUTURE, EVER) == [TimeRange(MARCH - 5 * MINUTE, MARCH + 120 * MINUTE)]
        assert [bar.open_time for bar in warehouse.bars(INDEX, EVER)] == [MARCH - day * DAY for day in (3, 2, 1)]
        (revision,) = warehouse.revisions(FUTURE)
        assert (revision.before, revision.provider, revision.by) == (bars(1, first=1)[0], "binance", "kraken")
        assert [letter.reason for letter in warehouse.dead_letters()] == ["high_low"]
        assert warehouse.checkpoint("fetch") == {"page": 3, "next": MARCH}
        assert [(one.rows, one.score) for one in warehouse.series()] == [(118, 97), (3, -1)]
        assert warehouse.origin(INDEX, EVER)[0][1] == Provenance("yahoo", MARCH + 4 * HOUR, True)


def test_an_older_version_takes_new_bars(golden: Path) -> None:
    with Warehouse(golden, clock=ManualClock(MARCH + DAY)) as warehouse:
        assert warehouse.add(FUTURE, bars(5, first=118), provider="binance").new == 3
        assert warehouse.verify() == []


def test_a_later_version_is_refused_with_advice_and_left_alone(tmp_path: Path) -> None:
    Warehouse(tmp_path).close()
    db = sqlite3.connect(tmp_path / "catalogue.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = (tmp_path / "catalogue.sqlite").read_bytes()
    for readonly in (False, True):
        with pytest.raises(WarehouseTooNew, match="format 99") as refused:
            Warehouse(tmp_path, readonly=readonly)
        assert "Update btfeeds" in str(refused.value)
    assert (tmp_path / "catalogue.sqlite").read_bytes() == before


def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(GOLDEN / "v1.sqlite", tmp_path / "catalogue.sqlite")

    def failing(db: sqlite3.Connection) -> None:
        schema._digests(db)
        raise RuntimeError("out of order")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(schema, "_STEPS", (failing,))
        Warehouse(tmp_path)
    db = sqlite3.connect(tmp_path / "catalogue.sqlite")
    assert schema.version(db) == 1
    db.close()
    with Warehouse(tmp_path, clock=ManualClock(MARCH + DAY)) as warehouse:
        assert warehouse.verify() == []


def test_there_is_a_golden_file_of_every_version() -> None:
    assert sorted(path.name for path in GOLDEN.iterdir()) == [f"v{n}.sqlite" for n in range(1, schema.VERSION + 1)]
