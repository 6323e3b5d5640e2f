"""A file that is torn, changed or gone is never delivered: it goes into quarantine and is asked for again (P07)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from btfeeds import monitor
from btfeeds.clock import ManualClock
from btfeeds.errors import WarehouseDamaged, WarehouseUnwritable
from btfeeds.market import TimeRange
from btfeeds.monitor import FileQuarantined, Happening
from btfeeds.warehouse import Warehouse
from tests.warehouse.bars import APRIL, DAY, MARCH, MINUTE, SERIES, bars

pytest.importorskip("pyarrow")
EVER = TimeRange(0, 2**60)
MONTH = TimeRange(MARCH, APRIL)
FEW = bars(3)


def opened(root: Path, readonly: bool = False) -> Warehouse:
    return Warehouse(root, clock=ManualClock(APRIL + 10 * DAY), readonly=readonly)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A warehouse with one small sealed file, which answers for all of March."""
    with opened(tmp_path / "w") as warehouse:
        warehouse.add(SERIES, FEW, provider="binance", span=MONTH)
    return tmp_path / "w"


@pytest.fixture
def told() -> Iterator[list[Happening]]:
    told: list[Happening] = []
    monitor.add(told.append)
    yield told
    monitor.remove(told.append)


def file_of(root: Path) -> Path:
    (file,) = (root / "binance").rglob("*.parquet")
    return file


def flip(path: Path, at: int, bits: int = 0x10) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= bits
    path.write_bytes(content)


def readers(warehouse: Warehouse) -> list[Callable[[], object]]:
    return [
        lambda: warehouse.bars(SERIES, EVER),
        lambda: warehouse.read("binance", "BTC/USDT", "1m"),
        lambda: warehouse.arrow(SERIES, EVER),
        lambda: warehouse.origin(SERIES, EVER),
        lambda: warehouse.sql("SELECT * FROM bars", SERIES),
        lambda: warehouse.backup(warehouse.root.parent / "copy"),
    ]


@pytest.mark.parametrize("reader", range(6))
def test_whoever_reads_a_damaged_file_is_told_and_finds_it_gone_the_next_time(
    root: Path, told: list[Happening], reader: int
) -> None:
    pytest.importorskip("duckdb")
    file = file_of(root)
    flip(file, 100)
    with opened(root) as warehouse:
        with pytest.raises(WarehouseDamaged) as damaged:
            readers(warehouse)[reader]()
        assert damaged.value.spans == ((MARCH, APRIL),)
        assert not (root.parent / "copy").exists()
        readers(warehouse)[reader]()
        assert warehouse.bars(SERIES, EVER) == []
        assert warehouse.missing(SERIES, MONTH) == [MONTH]
        assert warehouse.series()[0].rows == 0
        assert warehouse.verify() == []
        warehouse.add(SERIES, FEW, provider="binance", span=MONTH)
        assert warehouse.bars(SERIES, EVER) == FEW
    moved, note = sorted((root / "quarantine").iterdir())
    assert (moved.read_bytes()[100], file_of(root).read_bytes()[100]) == (file_of(root).read_bytes()[100] ^ 0x10,
                                                                          moved.read_bytes()[100] ^ 0x10)  # fmt: skip
    assert "checksum" in note.read_text(encoding="utf-8")
    event = next(one for one in told if isinstance(one, FileQuarantined))
    assert (event.feed, event.start, event.end, event.path) == (str(SERIES), MARCH, APRIL, str(file.relative_to(root)))


def test_no_changed_byte_and_no_torn_end_is_ever_delivered(root: Path, tmp_path: Path) -> None:
    with opened(root) as warehouse:
        ((subscription, listed),) = warehouse.files()
        whole = file_of(root).read_bytes()
        shelf = warehouse._shelf
        for at in range(len(whole)):
            changed = bytearray(whole)
            changed[at] ^= 1 << at % 8
            file_of(root).write_bytes(changed)
            assert shelf.look(listed)[0] is None, at
        for length in range(len(whole)):
            file_of(root).write_bytes(whole[:length])
            assert shelf.look(listed)[0] is None, length
        file_of(root).write_bytes(whole)
        rows, why = shelf.look(listed)
        assert (subscription, why, rows and rows.bars.bars()) == (SERIES, "", FEW)


def test_a_file_that_is_gone_is_damaged_too(root: Path) -> None:
    file_of(root).unlink()
    with opened(root) as warehouse:
        with pytest.raises(WarehouseDamaged, match="it is not there"):
            warehouse.bars(SERIES, EVER)
        assert warehouse.bars(SERIES, EVER) == []
    (note,) = (root / "quarantine").iterdir()
    assert note.suffix == ".txt"


def test_where_nothing_can_be_written_a_damaged_file_stays_and_is_told_each_time(root: Path) -> None:
    flip(file_of(root), 100)
    with opened(root, readonly=True) as warehouse:
        for _ in range(2):
            with pytest.raises(WarehouseDamaged):
                warehouse.bars(SERIES, EVER)
    assert file_of(root).exists()


def test_whoever_writes_beside_a_damaged_file_is_not_held_up(root: Path, told: list[Happening]) -> None:
    flip(file_of(root), 100)
    with opened(root) as warehouse:
        assert warehouse.add(SERIES, FEW[:1], provider="binance").new == 1
        assert warehouse.bars(SERIES, EVER) == FEW[:1]
        assert warehouse.missing(SERIES, MONTH) == [TimeRange(MARCH + MINUTE, APRIL)]
    assert any(isinstance(one, FileQuarantined) for one in told)


def test_a_changed_bar_in_the_catalogue_is_never_delivered(tmp_path: Path) -> None:
    with opened(tmp_path) as warehouse:
        warehouse.add(SERIES, FEW, provider="binance")
        with warehouse._catalogue.writing() as db:
            db.execute("UPDATE bar SET high = high + 1e-9 WHERE time = ?", (FEW[1].open_time,))
        with pytest.raises(WarehouseDamaged) as damaged:
            warehouse.bars(SERIES, EVER)
        assert damaged.value.spans == ((FEW[1].open_time, FEW[2].open_time),)
        assert warehouse.bars(SERIES, EVER) == [FEW[0], FEW[2]]
        assert warehouse.missing(SERIES, TimeRange(MARCH, MARCH + 3 * MINUTE)) == [
            TimeRange(FEW[1].open_time, FEW[2].open_time)
        ]
        assert [letter.reason for letter in warehouse.dead_letters(SERIES)] == ["damaged"]
        assert warehouse.verify() == []


def test_a_reader_with_an_old_list_of_files_looks_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(root) as warehouse, opened(root) as other:
        load = warehouse._shelf.load
        asked = []

        def late(subscription: object, files: object, span: object) -> object:
            """The other one replaces the file after we have looked into the catalogue."""
            asked.append(files)
            if len(asked) == 1:
                other.revise(SERIES, bars(1, first=1_000, start=MARCH - 999 * MINUTE)[0], provider="kraken")
                other.seal()
            return load(subscription, files, span)  # type: ignore[arg-type]

        monkeypatch.setattr(warehouse._shelf, "load", late)
        assert [bar.open for bar in warehouse.bars(SERIES, EVER)] == [100.0, 1100.0, 102.0]
        assert len(asked) == 2
        assert len(list((root / "binance").rglob("*.parquet"))) == 1, "the old file is swept"


def test_a_warehouse_that_was_moved_is_read_where_it_is(root: Path, tmp_path: Path) -> None:
    shutil.move(root, tmp_path / "elsewhere")
    with opened(tmp_path / "elsewhere") as warehouse:
        assert warehouse.bars(SERIES, EVER) == FEW


def test_what_cannot_be_swept_away_now_lies_until_another_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise WarehouseUnwritable("The store is away.")

    with Warehouse(root, clock=ManualClock(APRIL + DAY)) as warehouse:
        monkeypatch.setattr(warehouse._shelf.place, "remove", refused)
        (root / "binance/BTC~2FUSDT/1m/left.parquet").write_bytes(b"")
        warehouse._shelf.sweep(SERIES)
        monkeypatch.undo()
        warehouse._shelf.sweep(SERIES)
    assert not (root / "binance/BTC~2FUSDT/1m/left.parquet").exists()
