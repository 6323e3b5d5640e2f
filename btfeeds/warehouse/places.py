"""Where sealed files lie: a folder of this machine, or anything fsspec knows. Paths are relative, with slashes.

A local file is written beside its place, synced, renamed, and the folder synced: after any end of the process or the
machine the name has either nothing or the whole file. Object stores show an object when it is whole.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from btfeeds.errors import MissingExtra, WarehouseUnwritable

_UNFINISHED = ".unfinished"
_BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "adl")  # need no folders; asked for one, they make a bucket of it


class Place(Protocol):
    """What files lie in. `read` raises FileNotFoundError; other failures are OSError or WarehouseUnwritable."""

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
    """A prefix in an object store or another file system, as fsspec writes it: "s3://bucket/prefix"."""

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]

            self._system, self._prefix = url_to_fs(url)
        except ImportError:
            raise MissingExtra("s3fs", "remote", f"{url.partition('://')[0]}:// as a place for files") from None
        self._buckets = url.partition("://")[0] in _BUCKETS

    def read(self, path: str) -> bytes:
        self._system.invalidate_cache()
        content: bytes = self._system.cat_file(self._at(path))
        return content

    def write(self, path: str, content: bytes) -> None:
        try:
            if not self._buckets:
                self._system.makedirs(self._at(path).rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(self._at(path), content)
        except OSError as error:
            raise _unwritable(path, error) from None

    def move(self, path: str, to: str) -> None:
        content = self.read(path)
        self.write(to, content)
        self.remove(path)

    def remove(self, path: str) -> None:
        try:
            self._system.rm_file(self._at(path))
        except FileNotFoundError:
            return

    def local(self, path: str) -> Path | None:
        return None

    def names(self, folder: str) -> list[str]:
        self._system.invalidate_cache()
        try:
            found: list[Any] = self._system.ls(self._at(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(f"{folder}/{str(one).rpartition('/')[2]}" for one in found)

    def _at(self, path: str) -> str:
        return f"{self._prefix}/{path}"


def place(root: Path, url: str) -> Place:
    """The folder `root`, or what `url` names. Raises MissingExtra."""
    return Remote(url) if url else Folder(root)


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


def _unwritable(path: str, error: OSError) -> WarehouseUnwritable:
    return WarehouseUnwritable(
        f"{path} cannot be written: {error.strerror or error}.",
        "Nothing was changed; what was there is whole.",
        "Make room or make it writable, or name another folder with BTFEEDS_WAREHOUSE.",
    )
