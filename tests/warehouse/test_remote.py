"""Sealed files in an object store: moto's server stands for S3."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import WarehouseDamaged, WarehouseError, WarehouseUnwritable
from btfeeds.market import Bar, TimeRange
from btfeeds.mending import lost
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.backup import restore
from tests.warehouse.bars import APRIL, MARCH, MINUTE, SERIES, bars

pytest.importorskip("pyarrow")
s3fs = pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")
EVER = TimeRange(0, 2**60)
_numbers = itertools.count()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a prefix in an empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bars-{next(_numbers)}"  # moto keeps its buckets when its server ends
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}/prefix"
    s3fs.S3FileSystem.clear_instance_cache()
    moto.stop()


def opened(root: Path, bucket: str) -> Warehouse:
    return Warehouse(root, files=bucket, clock=ManualClock(APRIL))


def test_files_lie_in_the_bucket_and_are_read_corrected_and_copied(tmp_path: Path, bucket: str) -> None:
    corrected = Bar(MARCH, 1.0, 2.0, 1.0, 1.0, 0.5, 1)
    with opened(tmp_path / "w", bucket) as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        ((_, file),) = warehouse.files()
        assert s3fs.S3FileSystem().cat_file(f"{bucket}/{file.path}")[:4] == b"PAR1"
        assert not (tmp_path / "w" / "binance").exists()
        warehouse.revise(SERIES, corrected, provider="kraken")
        warehouse.seal()
        warehouse.backup(tmp_path / "copy.tar")
    with Warehouse(tmp_path / "w", clock=ManualClock(APRIL)) as warehouse:  # it knows by itself where they are
        assert warehouse.verify(repair=True) == []
        assert warehouse.bars(SERIES, EVER) == [corrected, *bars(4, first=1)]
        names = s3fs.S3FileSystem().ls(f"{bucket}/binance/BTC~2FUSDT/1m", refresh=True)
        assert [name.rpartition("/")[2] for name in names] == [warehouse.files()[0][1].path.rpartition("/")[2]]
    restore(tmp_path / "copy.tar", tmp_path / "restored")
    with Warehouse(tmp_path / "restored") as warehouse:
        assert warehouse.bars(SERIES, EVER) == [corrected, *bars(4, first=1)]


def test_a_changed_object_is_never_delivered(tmp_path: Path, bucket: str) -> None:
    with opened(tmp_path, bucket) as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        ((_, file),) = warehouse.files()
        store = s3fs.S3FileSystem()
        content = bytearray(store.cat_file(f"{bucket}/{file.path}"))
        content[60] ^= 1
        store.pipe_file(f"{bucket}/{file.path}", bytes(content))
        with pytest.raises(WarehouseDamaged):
            warehouse.bars(SERIES, EVER)
        assert warehouse.missing(SERIES, TimeRange(MARCH, APRIL)) == [TimeRange(MARCH, APRIL)]
        assert len(store.ls(f"{bucket}/quarantine", refresh=True)) == 2
        (note,) = warehouse.quarantined()
        assert note.startswith(f"{file.path}\nits checksum is not the one")
        assert lost(warehouse.quarantined()) == {SERIES: [TimeRange(MARCH, MARCH + 5 * MINUTE)]}


def test_a_bucket_that_is_not_there_loses_nothing(tmp_path: Path, bucket: str) -> None:
    with opened(tmp_path, "s3://nowhere/prefix") as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        assert (warehouse.bars(SERIES, EVER), warehouse.files()) == (bars(5), [])
        with pytest.raises(WarehouseUnwritable):
            warehouse.seal()


def test_a_bucket_or_a_store_that_is_away_has_lost_no_file(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, bucket) as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        s3fs.S3FileSystem().rm(bucket.partition("/prefix")[0], recursive=True)
        with pytest.raises(WarehouseError, match=rf"{bucket} cannot be read: it is not there\."):
            warehouse.bars(SERIES, EVER)
        assert len(warehouse.files()) == 1
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with Warehouse(tmp_path, clock=ManualClock(APRIL)) as warehouse:
        for act in (lambda: warehouse.bars(SERIES, EVER), lambda: warehouse.verify(repair=True)):
            with pytest.raises(WarehouseError, match="Could not connect"):
                act()
        assert len(warehouse.files()) == 1
        later = warehouse.add(SERIES, bars(5, start=APRIL - 5 * MINUTE), provider="binance")
        assert later.rejected == 0
