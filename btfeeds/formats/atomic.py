"""A file that is replaced as a whole: the old one or the new one, whatever happens in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from btfeeds.errors import WarehouseUnwritable


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of `path` when the block ends well, and is on the disk then.

    When it does not, `path` stays as it was. Raises WarehouseUnwritable for what the system says.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _settle(path.parent)
    except OSError as error:
        raise WarehouseUnwritable(
            f"{path} cannot be written: {error.strerror or error}.",
            "Nothing was changed: an older file of this name is as it was.",
            "Make room, or choose another place.",
        ) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """The new name is on the disk, too."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
