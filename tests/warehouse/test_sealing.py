"""Closed periods move into files, and each bar stays listed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from btfeeds import monitor
from btfeeds.clock import ManualClock
from btfeeds.errors import WarehouseUnwritable
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.monitor import Happening
from btfeeds.warehouse import Warehouse, books, places, sealing
from tests.warehouse.bars import APRIL, DAY, HOUR, MARCH, MINUTE, SERIES, bars

pytest.importorskip("pyarrow")
EVER = TimeRange(0, 2**60)
MONTH = TimeRange(MARCH, APRIL)
HOURS = Subscription("kraken", Symbol("ETH/USD"), Timeframe.parse("1h"))
DAYS = Subscription("yahoo", Symbol("^GSPC"), Timeframe.parse("1d"))


def opened(root: Path, now: int = APRIL) -> Warehouse:
    return Warehouse(root, clock=ManualClock(now))


def labels(warehouse: Warehouse) -> list[str]:
    return [file.path.rpartition("/")[2].partition(".")[0] for _, file in warehouse.files()]


def waiting(warehouse: Warehouse, subscription: Subscription = SERIES) -> int:
    """How many bars are in no file."""
    with warehouse._catalogue.reading() as db:
        return books.count_rows(db, books.make_series(db, subscription), EVER)


def test_a_month_that_becomes_whole_is_sealed_by_the_write_that_completes_it(tmp_path: Path) -> None:
    with opened(tmp_path) as warehouse:
        warehouse.add(SERIES, bars(10), provider="binance", span=TimeRange(MARCH, MARCH + DAY))
        assert labels(warehouse) == []
        warehouse.add(SERIES, bars(10, first=20_000), provider="binance", span=TimeRange(MARCH + DAY, APRIL))
        assert (labels(warehouse), waiting(warehouse)) == (["2024-03"], 0)
        assert warehouse.bars(SERIES, EVER) == bars(10) + bars(10, first=20_000)
        assert (tmp_path / "binance" / "BTC~2FUSDT" / "1m").is_dir()


def test_a_month_that_is_not_over_is_not_sealed(tmp_path: Path) -> None:
    with opened(tmp_path, APRIL - 1) as warehouse:
        warehouse.add(SERIES, bars(10), provider="binance", span=MONTH)
        assert (warehouse.seal(), waiting(warehouse)) == ([], 10)


def test_an_old_month_is_sealed_with_the_gaps_it_has(tmp_path: Path) -> None:
    with opened(tmp_path, APRIL + 7 * DAY) as warehouse:
        warehouse.add(SERIES, bars(10), provider="binance")
        (file,) = warehouse.seal()
        assert (file.rows, file.first, file.last, file.span) == (10, MARCH, MARCH + 9 * MINUTE, MONTH)
        assert warehouse.missing(SERIES, MONTH) == [TimeRange(MARCH + 10 * MINUTE, APRIL)]
        assert warehouse.seal() == []


def test_hours_are_sealed_by_the_year_and_days_in_one_file(tmp_path: Path) -> None:
    year = TimeRange(to_ms("2023-01-01"), to_ms("2024-01-01"))
    with opened(tmp_path) as warehouse:
        warehouse.add(HOURS, bars(9_000, start=year.start, step=HOUR), provider="kraken")
        assert labels(warehouse) == ["2023"]
        assert waiting(warehouse, HOURS) == 9_000 - 8_760
        warehouse.add(DAYS, bars(3_000, start=MARCH - 3_000 * DAY, step=DAY), provider="yahoo")
        warehouse.seal(DAYS)
        assert labels(warehouse) == ["2023", "all"]
        warehouse.add(DAYS, bars(1, first=3_000, start=MARCH - 3_000 * DAY, step=DAY), provider="yahoo")
        assert len(warehouse.seal(DAYS)) == 1
        assert len(warehouse.bars(DAYS, EVER)) == 3_001
        assert warehouse.verify() == []


def test_a_correction_of_a_sealed_bar_counts_at_once_and_is_sealed_later(tmp_path: Path) -> None:
    corrected = Bar(MARCH + MINUTE, 101.0, 200.0, 100.5, 102.0, 0.75, 2)
    expected = [bars(1)[0], corrected, bars(1, first=2)[0]]
    with opened(tmp_path) as warehouse:
        warehouse.add(SERIES, bars(3), provider="binance", span=MONTH)
        (before,) = [file for _, file in warehouse.files()]
        assert warehouse.revise(SERIES, corrected, provider="kraken")
        assert (warehouse.bars(SERIES, EVER), waiting(warehouse)) == (expected, 1)
        assert warehouse.read("binance", "BTC/USDT", "1m")["high"].tolist() == [102.5, 200.0, 104.5]
        assert warehouse.series()[0].rows == 3
        (after,) = warehouse.seal()
        assert (warehouse.bars(SERIES, EVER), waiting(warehouse), after.path != before.path) == (expected, 0, True)
        assert [one.provider for _, one in warehouse.origin(SERIES, EVER)] == ["binance", "kraken", "binance"]
        assert [one.before for one in warehouse.revisions(SERIES)] == [bars(1, first=1)[0]]
        assert warehouse.verify() == []


def test_what_is_the_same_as_a_sealed_bar_is_not_written(tmp_path: Path) -> None:
    with opened(tmp_path) as warehouse:
        warehouse.add(SERIES, bars(3), provider="binance", span=MONTH)
        added = warehouse.add(SERIES, bars(4), provider="kraken")
        assert (added.same, added.new, waiting(warehouse)) == (3, 1, 1)


def test_forgetting_takes_bars_out_of_files_and_catalogue(tmp_path: Path) -> None:
    with opened(tmp_path, APRIL + DAY) as warehouse:
        warehouse.add(SERIES, bars(30, start=APRIL - 10 * MINUTE), provider="binance",
                      span=TimeRange(MARCH, APRIL + DAY))  # fmt: skip
        gone = TimeRange(APRIL - 5 * MINUTE, APRIL + 5 * MINUTE)
        assert warehouse.forget(SERIES, gone) == 10
        held = [bar.open_time for bar in warehouse.bars(SERIES, EVER)]
        assert held == [APRIL + n * MINUTE for n in range(-10, 20) if not -5 <= n < 5]
        assert warehouse.missing(SERIES, TimeRange(MARCH, APRIL + DAY)) == [gone]
        assert warehouse.series()[0].rows == 20
        assert warehouse.forget(SERIES, MONTH) == 5
        assert (labels(warehouse), list((tmp_path / "binance").rglob("*.parquet"))) == ([], [])
        assert warehouse.verify() == []


def test_several_spans_are_forgotten_with_one_new_file_of_each_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    with opened(tmp_path, APRIL + 40 * DAY) as warehouse:
        warehouse.add(SERIES, bars(30, start=APRIL - 10 * MINUTE), provider="binance",
                      span=TimeRange(MARCH, APRIL + 30 * DAY))  # fmt: skip
        assert labels(warehouse) == ["2024-03", "2024-04"]
        write = warehouse._shelf.place.write
        monkeypatch.setattr(
            warehouse._shelf.place, "write", lambda path, content: (written.append(path), write(path, content))
        )
        gone = [TimeRange(APRIL + n * MINUTE, APRIL + (n + 1) * MINUTE) for n in (-8, -3, 2, 19)]
        assert warehouse.forget(SERIES, *gone) == 4
        assert [path.rpartition("/")[2][:7] for path in written] == ["2024-03", "2024-04"]
        held = [bar.open_time for bar in warehouse.bars(SERIES, EVER)]
        assert held == [APRIL + n * MINUTE for n in range(-10, 20) if n not in (-8, -3, 2, 19)]
        assert warehouse.missing(SERIES, TimeRange(MARCH, APRIL + 30 * DAY)) == gone
        assert warehouse.verify() == []


def test_a_file_that_loses_no_bar_is_left_when_a_gap_in_it_is_forgotten(tmp_path: Path) -> None:
    with opened(tmp_path) as warehouse:
        warehouse.add(SERIES, [*bars(3), *bars(3, first=10)], provider="binance", span=MONTH)
        files, gap = warehouse.files(), TimeRange(MARCH + 3 * MINUTE, MARCH + 10 * MINUTE)
        assert warehouse.forget(SERIES, gap) == 0
        assert (warehouse.files(), warehouse.missing(SERIES, MONTH)) == (files, [gap])
        assert len(warehouse.bars(SERIES, EVER)) == 6


def test_what_writers_left_behind_is_swept(tmp_path: Path) -> None:
    with opened(tmp_path) as warehouse:
        warehouse.add(SERIES, bars(3), provider="binance", span=MONTH)
        folder = tmp_path / "binance" / "BTC~2FUSDT" / "1m"
        (folder / "2024-03.0123.parquet.unfinished").touch()
        (folder / "2024-03.0123.parquet").touch()
        warehouse.seal()
        assert [path.name for path in folder.iterdir()] == [warehouse.files()[0][1].path.rpartition("/")[2]]


def test_bars_are_safe_when_sealing_fails_and_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Happening] = []

    def full(*arguments: object) -> None:
        raise WarehouseUnwritable("The disk is full.")

    monitor.add(told.append)
    with opened(tmp_path) as warehouse:
        with monkeypatch.context() as patch:
            patch.setattr(places.Folder, "write", full)
            assert warehouse.add(SERIES, bars(3), provider="binance", span=MONTH).new == 3
        assert (warehouse.bars(SERIES, EVER), waiting(warehouse)) == (bars(3), 3)
        assert [type(one).__name__ for one in told] == ["SealFailed"]
        assert len(warehouse.seal()) == 1
    monitor.remove(told.append)


def test_what_is_written_while_a_file_is_made_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = [Bar(MARCH + MINUTE, 1.0, 9.0, 1.0, 1.0, 1.0, 1), bars(1, first=7)[0]]
    with opened(tmp_path, APRIL + 7 * DAY) as warehouse, opened(tmp_path, APRIL) as other:
        warehouse.add(SERIES, bars(3), provider="binance")
        write = sealing._write

        def late(*arguments: object) -> object:
            made = write(*arguments)  # type: ignore[arg-type]
            monkeypatch.undo()
            other.add(SERIES, later, provider="kraken")
            return made

        monkeypatch.setattr(sealing, "_write", late)
        warehouse.seal()
        assert warehouse.bars(SERIES, EVER) == [bars(1)[0], later[0], bars(1, first=2)[0], later[1]]
        assert warehouse.verify() == []
        assert warehouse.series()[0].rows == 4
