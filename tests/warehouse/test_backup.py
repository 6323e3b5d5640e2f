"""Copies are whole or not there; what is restored is checked before anything is replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import WarehouseDamaged, WarehouseError, WarehouseLocked
from btfeeds.market import Bar, TimeRange
from btfeeds.warehouse import Warehouse, backup, places
from btfeeds.warehouse.backup import restore
from tests.warehouse.bars import APRIL, DAY, MARCH, SERIES, bars

pytest.importorskip("pyarrow")
EVER = TimeRange(0, 2**60)
HELD = [*bars(5), *bars(3, start=APRIL)]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """March in a file, three bars of April in none."""
    made = Warehouse(tmp_path / "w", clock=ManualClock(APRIL + DAY))
    made.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
    made.add(SERIES, bars(3, start=APRIL), provider="binance")
    made.set_checkpoint("a", {"b": 1})
    return made


def held(root: Path) -> list[Bar]:
    with Warehouse(root, clock=ManualClock(APRIL + DAY)) as warehouse:
        assert warehouse.verify() == []
        assert warehouse.checkpoint("a") == {"b": 1}
        return warehouse.bars(SERIES, EVER)


@pytest.mark.parametrize("name", ["copy", "copy.tar", "copy.tar.gz"])
def test_a_copy_is_restored_as_it_was(warehouse: Warehouse, tmp_path: Path, name: str) -> None:
    manifest = warehouse.backup(tmp_path / name)
    assert sorted(manifest.files) == ["binance/BTC~2FUSDT/1m/" + warehouse.files()[0][1].path.rpartition("/")[2],
                                      "catalogue.sqlite"]  # fmt: skip
    assert restore(tmp_path / name, tmp_path / "restored") is None
    assert held(tmp_path / "restored") == HELD
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "restored", "w"]


def test_a_folder_can_be_read_as_it_lies(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.backup(tmp_path / "copy")
    assert held(tmp_path / "copy") == HELD


def test_a_copy_is_of_one_instant_while_others_write(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = warehouse._shelf.content

    def late(*arguments: object) -> object:
        """A correction of a sealed bar, and the file replaced, after the catalogue was copied."""
        monkeypatch.undo()
        warehouse.revise(SERIES, Bar(MARCH, 1.0, 2.0, 1.0, 1.0, 0.5, 1), provider="kraken")
        warehouse.seal()
        return content(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(warehouse._shelf, "content", late)
    warehouse.backup(tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "restored")
    assert held(tmp_path / "restored") == warehouse.bars(SERIES, EVER)


@pytest.mark.parametrize("name", ["copy", "copy.tar", "copy.tar.gz"])
def test_a_copy_that_the_disk_spoilt_is_none(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write = places.Folder.write

    def spoilt(self: places.Folder, path: str, content: bytes) -> None:
        write(self, path, content.replace(b"PAR1", b"PAR2") if path.endswith(".parquet") else content)

    monkeypatch.setattr(places.Folder, "write", spoilt)
    with pytest.raises(WarehouseDamaged, match="did not become what was to be copied"):
        warehouse.backup(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
    assert warehouse.bars(SERIES, EVER) == HELD


def test_nothing_is_written_over(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(WarehouseError, match="is there already"):
        warehouse.backup(tmp_path / "copy")


def test_a_former_warehouse_is_moved_aside(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.backup(tmp_path / "copy")
    warehouse.add(SERIES, bars(1, first=3, start=APRIL), provider="binance")
    warehouse.close()
    aside = restore(tmp_path / "copy", tmp_path / "w", ManualClock(123))
    assert aside == tmp_path / "w.before-123"
    assert held(tmp_path / "w") == HELD
    assert held(aside) == [*HELD, *bars(1, first=3, start=APRIL)]


def test_a_warehouse_in_use_is_not_replaced(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.backup(tmp_path / "copy")
    with pytest.raises(WarehouseLocked):
        restore(tmp_path / "copy", tmp_path / "w")
    assert warehouse.bars(SERIES, EVER) == HELD


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("change", [_truncate, _flip, Path.unlink])
@pytest.mark.parametrize("victim", ["*.parquet", "catalogue.sqlite", "manifest.json"])
def test_a_damaged_copy_replaces_nothing(
    warehouse: Warehouse, tmp_path: Path, victim: str, change: object
) -> None:
    warehouse.backup(tmp_path / "copy")
    warehouse.close()
    (path,) = (tmp_path / "copy").rglob(victim)
    change(path)  # type: ignore[operator]
    with pytest.raises(WarehouseDamaged, match="is damaged"):
        restore(tmp_path / "copy", tmp_path / "w")
    assert held(tmp_path / "w") == HELD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "w"]


def test_a_torn_tar_replaces_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.backup(tmp_path / "copy.tar.gz")
    warehouse.close()
    path = tmp_path / "copy.tar.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WarehouseDamaged):
        restore(path, tmp_path / "w")
    assert held(tmp_path / "w") == HELD


def test_a_manifest_of_something_else_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.backup(tmp_path / "copy")
    path = tmp_path / "copy" / backup.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": "photographs"}))
    with pytest.raises(WarehouseDamaged, match="belongs to something else"):
        restore(tmp_path / "copy", tmp_path / "new")


def test_a_copy_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="There is no copy"):
        restore(tmp_path / "nothing", tmp_path / "w")
