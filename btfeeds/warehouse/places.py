"""Where sealed files lie: a folder of this machine, or anything fsspec knows. Paths are relative, with slashes.

A local file is written beside its place, synced, renamed, and the folder synced: after any end of the process or the
machine the name has either nothing or the whole file. Object stores show an object when it is whole.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from btfeeds.errors import ConfigError, MissingExtra, WarehouseError, WarehouseUnwritable
from btfeeds.warehouse import books
from btfeeds.warehouse.catalogue import Catalogue

_UNFINISHED = ".unfinished"
_KEY = "place of the files"  # the checkpoint that says where they lie, if not in the folder
_BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "adl")  # need no folders; asked for one, they make a bucket of it


class Place(Protocol):
    """What files lie in. `read` raises FileNotFoundError; other failures are OSError or Warehouse errors."""

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, content: bytes) -> None:
        """All of it is on the disk when this returns. Raises WarehouseUnwritable."""
        ...

    def move(self, path: str, to: str) -> None:
        """Raises FileNotFoundError where there is nothing to move."""
        ...

    def remove(self, path: str) -> None:
        """Nothing happens when it is gone, or held open by a reader on a system that minds."""
        ...

    def local(self, path: str) -> Path | None:
        """Where a file is on this machine; None for one that is elsewhere."""
        ...

    def names(self, folder: str) -> list[str]:
        """The paths of the files in `folder`, unfinished ones too; none where there is no folder."""
        ...


class Folder:
    """A local folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        place = self._root / path
        beside = place.with_name(f"{place.name}{_UNFINISHED}")
        try:
            _make(place.parent)
            try:
                with open(beside, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(beside, place)
            except OSError:
                beside.unlink(missing_ok=True)  # after a failed sync the file is suspect: never tried again
                raise
            sync(place.parent)
        except OSError as error:
            raise _unwritable(str(place), error) from None

    def move(self, path: str, to: str) -> None:
        try:
            _make((self._root / to).parent)
            os.replace(self._root / path, self._root / to)
            sync((self._root / to).parent)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _unwritable(str(self._root / to), error) from None

    def remove(self, path: str) -> None:
        try:
            (self._root / path).unlink(missing_ok=True)
        except PermissionError:
            return

    def local(self, path: str) -> Path | None:
        return self._root / path

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(f"{folder}/{one.name}" for one in (self._root / folder).iterdir() if one.is_file())
        except FileNotFoundError:
            return []


class Remote:
    """A prefix in an object store or another file system, as fsspec writes it: "s3://bucket/prefix".

    Whatever its libraries raise ends here: each has errors of its own.
    """

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]

            self._system, self._prefix = url_to_fs(url)
        except ImportError:
            raise MissingExtra("s3fs", "remote", f"{url.partition('://')[0]}:// as a place for files") from None
        self._url = url
        self._buckets = url.partition("://")[0] in _BUCKETS

    def read(self, path: str) -> bytes:
        try:
            self._system.invalidate_cache()
            content: bytes = self._system.cat_file(self._at(path))
            return content
        except FileNotFoundError:
            self._check()
            raise
        except Exception as error:
            raise self._unreadable(str(error)) from None

    def write(self, path: str, content: bytes) -> None:
        try:
            if not self._buckets:
                self._system.makedirs(self._at(path).rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(self._at(path), content)
        except Exception as error:
            raise _unwritable(f"{self._url}/{path}", error) from None

    def move(self, path: str, to: str) -> None:
        content = self.read(path)
        self.write(to, content)
        self.remove(path)

    def remove(self, path: str) -> None:
        try:
            self._system.rm_file(self._at(path))
        except FileNotFoundError:
            return
        except Exception as error:
            raise _unwritable(f"{self._url}/{path}", error) from None

    def local(self, path: str) -> Path | None:
        return None

    def names(self, folder: str) -> list[str]:
        try:
            self._system.invalidate_cache()
            found: list[Any] = self._system.ls(self._at(folder), detail=False)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise self._unreadable(str(error)) from None
        return sorted(f"{folder}/{str(one).rpartition('/')[2]}" for one in found)

    def _check(self) -> None:
        """Raises WarehouseError where the whole place is not there: then no file of it is lost."""
        bucket = self._prefix.partition("/")[0] if self._buckets else self._prefix
        try:
            there = self._system.exists(bucket)
        except Exception as error:
            raise self._unreadable(str(error)) from None
        if not there:
            raise self._unreadable("it is not there")

    def _unreadable(self, why: str) -> WarehouseError:
        return WarehouseError(
            f"{self._url} cannot be read: {why}.", "Nothing was changed.",
            "Check the connection, the name of the place, and the credentials.",
        )  # fmt: skip

    def _at(self, path: str) -> str:
        return f"{self._prefix}/{path}"


def place(root: Path, url: str) -> Place:
    """The folder `root`, or what `url` names. Raises MissingExtra."""
    return Remote(url) if url else Folder(root)


def settled(catalogue: Catalogue, url: str) -> str:
    """Where the files are: where they have always been, or at `url` from the first one on. Raises ConfigError."""
    with catalogue.reading() as db:
        known = books.checkpoint(db, _KEY) or ""
        some = books.any_file(db)
    if url in ("", known):
        return known
    if urlsplit(url).password is not None:
        raise ConfigError(
            "The place for files of bars is given with a password in it.", "Nothing was started.",
            "Leave it out: the place is remembered. Put it where fsspec looks for it, as AWS_SECRET_ACCESS_KEY.",
        )  # fmt: skip
    if some:
        raise ConfigError(
            f"The files of {catalogue.path.parent} lie in {known or 'that folder'}, not in {url}.",
            "Nothing was started.",
            "Name another folder for the warehouse; backup and restore bring what is here into a folder.",
        )
    if not catalogue.readonly:
        with catalogue.writing() as db:
            books.set_checkpoint(db, _KEY, url)
    return url


def here(db: books.Connection) -> None:
    """In this copy of a catalogue the files lie beside it."""
    books.set_checkpoint(db, _KEY, None)


def _make(folder: Path) -> None:
    """Make a folder, so that it is still there after a power cut."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Have a file or a folder on the disk; where the system knows how to sync a folder."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unwritable(path: str, error: Exception) -> WarehouseUnwritable:
    return WarehouseUnwritable(
        f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.",
        "Nothing was changed; what was there is whole.",
        "Make room or make it writable, or name another folder with BTFEEDS_WAREHOUSE.",
    )
