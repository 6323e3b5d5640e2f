"""A file that is replaced as a whole: the old one or the new one, whatever happens in between."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from btfeeds.errors import WarehouseUnwritable


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of `path` when the block ends well, and is on the disk then.

    When it does not, `path` stays as it was. What processes that were killed have left beside it is removed. Raises
    WarehouseUnwritable for what the system says.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    _sweep(path)
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


def _sweep(path: Path) -> None:
    """Remove the unfinished files of processes that are no more."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.new"):
        pid = left.name.removeprefix(f".{path.name}.").removesuffix(".new")
        if pid.isdigit() and not _runs(int(pid)):
            with suppress(OSError):
                left.unlink()


def _runs(pid: int) -> bool:
    if os.name != "posix":
        return False  # there the system itself keeps what a process has open
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's; or no process has such a number
        return True
    return True


def _settle(folder: Path) -> None:
    """The new name is on the disk, too."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
