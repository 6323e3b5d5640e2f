"""A copy of a warehouse as it is at one instant, and the way back.

A copy is a folder, or one tar file: `catalogue.sqlite`, the sealed files, and `manifest.json` with the checksum of
each. It appears under its name when it is whole. What is restored is checked first, all of it; a warehouse that is in
the way is moved aside, not removed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from pathlib import Path

import msgspec

from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import WarehouseDamaged, WarehouseError, WarehouseLocked, WarehouseUnwritable
from btfeeds.warehouse import books, catalogue, places, schema
from btfeeds.warehouse.shelf import Shelf

MANIFEST = "manifest.json"
_FORMAT = "btfeeds warehouse backup"
_TAR = (".tar", ".tar.gz", ".tgz")


class Manifest(msgspec.Struct):
    """What a copy consists of. `files`: relative path to (SHA-256, bytes), the catalogue among them."""

    format: str
    version: int
    made: int
    files: dict[str, tuple[str, int]]


def backup(shelf: Shelf, target: str | os.PathLike[str]) -> Manifest:
    """Copy a warehouse to the folder or tar file `target`, which must not exist. Writers need not stop.

    Raises WarehouseDamaged when a sealed file is not whole: it goes into quarantine, and there is no copy.
    """
    path = Path(target)
    if path.exists():
        raise WarehouseError(f"{path} is there already.", "Nothing was copied.", "Name another place for the copy.")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        manifest = None
        while manifest is None:
            manifest = _copy(shelf, unfinished)
        _finish(unfinished, path, manifest)
        return manifest
    except (OSError, sqlite3.OperationalError) as error:
        raise _unwritable(path, error) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def restore(source: str | os.PathLike[str], root: str | os.PathLike[str], clock: Clock | None = None) -> Path | None:
    """Make the warehouse `root` what the copy `source` is. Returns where a former warehouse was moved to.

    Raises WarehouseDamaged when the copy is not whole, WarehouseLocked when the warehouse is in use.
    """
    path, to = Path(source), Path(root).expanduser().absolute()
    now = (clock or SystemClock()).now()
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as made:
            new = Path(made) / "new"
            _unpack(path, new)
            _check(path, new)
            _alone(to)
            aside = None
            if to.exists() and any(to.iterdir()):
                aside = to.with_name(f"{to.name}.before-{now}")
                os.replace(to, aside)
            os.replace(new, to)
            places.sync(to.parent)
            return aside
    except OSError as error:
        raise _unwritable(to, error) from None


def _copy(shelf: Shelf, folder: Path) -> Manifest | None:
    """None: a file was replaced while we copied; once more."""
    copy = folder / catalogue.NAME
    copy.unlink(missing_ok=True)
    shelf.catalogue.copy(copy)
    db = sqlite3.connect(copy)
    try:
        listed = [(one.subscription, books.files(db, books.make_series(db, one.subscription)))
                  for one in books.all_series(db)]  # fmt: skip
        with db:
            places.here(db)
    finally:
        db.close()
    place = places.Folder(folder)
    files = {}
    for subscription, of_series in listed:
        for file in of_series:
            content = shelf.content(subscription, file)
            if content is None:
                return None
            place.write(file.path, content)
            files[file.path] = (file.checksum, file.bytes)
    files[catalogue.NAME] = _measured(copy)
    manifest = Manifest(_FORMAT, 1, shelf.clock.now(), files)
    place.write(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _finish(folder: Path, path: Path, manifest: Manifest) -> None:
    """Read the copy once more, and give it its name when it is whole. Raises WarehouseDamaged when it is not."""
    if path.name.endswith(_TAR):
        beside = path.with_name(f"{path.name}.packing")
        try:
            with tarfile.open(beside, "w:gz" if path.name.endswith(_TAR[1:]) else "w") as tar:
                tar.add(folder, arcname=".")
            _compare(path, manifest, _packed(beside))
            places.sync(beside)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    else:
        _compare(path, manifest, {name: _measured(folder / name) for name in manifest.files})
        places.sync(folder / catalogue.NAME)
        os.replace(folder, path)
    places.sync(path.parent)


def _packed(tar_file: Path) -> dict[str, tuple[str, int]]:
    """What is in a tar file, as a manifest says it."""
    found = {}
    with tarfile.open(tar_file) as tar:
        for one in tar:
            content = tar.extractfile(one)
            if content is not None:
                digest = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
                found[one.name.removeprefix("./")] = (digest, one.size)
    return found


def _compare(path: Path, manifest: Manifest, found: dict[str, tuple[str, int]]) -> None:
    wrong = [name for name, expected in manifest.files.items() if found.get(name) != expected]
    if wrong:
        raise WarehouseDamaged(
            f"The copy {path} did not become what was to be copied: {wrong[0]} differs.", "It was removed.",
            "Look at the disk, or copy to another one.",
        )  # fmt: skip


def _unpack(path: Path, new: Path) -> None:
    try:
        if path.is_dir():
            shutil.copytree(path, new)
        else:
            with tarfile.open(path) as tar:
                tar.extractall(new, filter="data")
    except FileNotFoundError:
        raise WarehouseError(f"There is no copy {path}.", "Nothing was restored.", "Check the path.") from None
    except (tarfile.TarError, EOFError):
        raise _not_whole(path, "it cannot be unpacked") from None


def _check(path: Path, new: Path) -> None:
    """Compare every file with the manifest, and look whether the catalogue is one."""
    try:
        manifest = msgspec.json.decode((new / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.MsgspecError):
        raise _not_whole(path, f"{MANIFEST} is not there, or damaged") from None
    if manifest.format != _FORMAT or catalogue.NAME not in manifest.files:
        raise _not_whole(path, f"{MANIFEST} belongs to something else")
    for name, expected in manifest.files.items():
        file = new / name
        if not file.is_file() or _measured(file) != expected:
            raise _not_whole(path, f"{name} is not there, or not as it was")
        places.sync(file)
    db = sqlite3.connect(new / catalogue.NAME)
    try:
        found = schema.version(db)
        sound = db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        listed = {file.path for one in books.all_series(db)
                  for file in books.files(db, books.make_series(db, one.subscription))}  # fmt: skip
        db.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError:
        raise _not_whole(path, f"{catalogue.NAME} is damaged") from None
    finally:
        db.close()
    catalogue.check_version(found, path)
    if not sound or not listed <= manifest.files.keys():
        raise _not_whole(path, f"{catalogue.NAME} is damaged, or lists files that are not there")
    (new / MANIFEST).unlink()


def _alone(root: Path) -> None:
    """Raises WarehouseLocked while any process has the warehouse open."""
    path = root / catalogue.NAME
    if not path.is_file():
        return
    db = sqlite3.connect(path, timeout=0.5)
    try:
        db.execute("PRAGMA journal_mode = DELETE")  # only who is alone may
        db.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError:
        raise WarehouseLocked(
            f"The warehouse {root} is in use.", "Nothing was restored.", "End whatever uses it, and try again."
        ) from None
    except sqlite3.DatabaseError:
        return  # damaged: a reason to restore
    finally:
        db.close()


def _measured(file: Path) -> tuple[str, int]:
    with open(file, "rb") as content:
        return (hashlib.file_digest(content, "sha256").hexdigest(), file.stat().st_size)


def _not_whole(path: Path, why: str) -> WarehouseDamaged:
    return WarehouseDamaged(f"The copy {path} is damaged: {why}.", "Nothing was restored.", "Use another copy.")


def _unwritable(path: Path, error: Exception) -> WarehouseUnwritable:
    return WarehouseUnwritable(
        f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.", "What was there is as it was.",
        "Make room or make it writable, or name another place.",
    )  # fmt: skip
