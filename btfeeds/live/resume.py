"""Where a feed continues after a restart: a small file with the last bar of each subscription that was handed over.

What can be relied on: a bar is written down only after the strategy's `next()` has returned for it, so no bar is ever
lost, whatever ends the process and whenever. A bar that was handed over after the last write comes again: with live
bars that can only be the last one (a write takes milliseconds), while a long history is caught up those of the last
twentieth of a second. After an orderly end nothing comes again.

The file is replaced as a whole, on a thread of its own, at most once a bar. One process at a time may use it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from btfeeds import monitor
from btfeeds.errors import StateError
from btfeeds.market import Bar, Subscription, iso

_PACE_S = 0.05  # a disk is not asked for more than about twenty writes a second
_LEAVE_S = 2.0  # the longest wait for the last write
_FORMAT = "btfeeds positions"


class _Content(msgspec.Struct):
    """What is in the file."""

    format: str
    version: int
    positions: dict[str, Bar]


class Position:
    """Where one subscription stands. `last` is the bar behind which an earlier run ended; None: there was none."""

    def __init__(self, file: _File, key: str, last: Bar | None) -> None:
        self.last = last
        self._file: _File | None = file
        self._key = key

    def keep(self, bar: Bar) -> None:
        """`bar` has been dealt with: continue behind it. Never blocks."""
        self.last = bar
        if self._file is not None:
            self._file.keep(self._key, bar)

    def close(self) -> None:
        """Write what is not written yet (at most two seconds), and let go of the file with its last position."""
        file, self._file = self._file, None
        if file is not None:
            _release(file, self._key)


class _File:
    """One state file of this process, with its lock and its writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.users: set[str] = set()
        # thread_local=False: whoever ends the last feed lets go
        self._lock = FileLock(f"{path}.lock", thread_local=False)
        self._changed = threading.Condition()  # guards everything below
        self._positions: dict[str, Bar] = {}
        self._dirty = self._ended = False
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise _unusable(path, "is in use by another process", "Give every process a file of its own.") from None
        except OSError as error:
            raise _unusable(path, f"cannot be written: {error.strerror}", "Choose another place for it.") from None
        try:
            self._positions = _read(path)
        except StateError:
            self._lock.release()
            raise
        self._thread = threading.Thread(target=self._run, name="btfeeds-resume", daemon=True)
        self._thread.start()

    def position(self, key: str) -> Bar | None:
        with self._changed:
            return self._positions.get(key)

    def keep(self, key: str, bar: Bar) -> None:
        with self._changed:
            self._positions[key] = bar
            self._dirty = True
            self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(_LEAVE_S)
        if not self._thread.is_alive():  # a disk that hangs keeps the file ours until the process ends
            self._lock.release()

    def _run(self) -> None:
        told = ""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or self._ended)
                if not self._dirty:
                    return
                self._dirty = False
                content = msgspec.json.encode(_Content(_FORMAT, 1, self._positions))
            try:
                _replace(self.path, content)
                told = ""
            except OSError as error:  # a full disk must not end a feed; the file that is there stays whole
                reason = error.strerror or str(error)
                if reason != told:
                    told = reason
                    monitor.publish(monitor.PositionNotSaved("", str(self.path), reason))
            with self._changed:
                self._changed.wait_for(lambda: self._ended, _PACE_S)


_files: dict[tuple[int, Path], _File] = {}
_registry = threading.RLock()  # guards _files and the users of each


def claim(path: str | os.PathLike[str], subscription: Subscription, now: int) -> Position:
    """The position of a subscription in the state file `path`, kept until it is closed. Raises StateError."""
    place, key = Path(path).expanduser().resolve(), str(subscription)
    with _registry:
        file = _files.get((os.getpid(), place)) or _File(place)
        _files[os.getpid(), place] = file
        try:
            last = file.position(key)
            if key in file.users:
                raise _unusable(place, f"serves {key} already", "Give the second feed a file of its own.")
            if last is not None and last.open_time > now + subscription.timeframe.ms:
                when = iso(last.open_time)
                raise _unusable(place, f"ends {key} at {when}, which is still to come", "Check the clock, or move it.")
        except StateError:
            if not file.users:
                _release(file, key)
            raise
        file.users.add(key)
        return Position(file, key, last)


def _release(file: _File, key: str) -> None:
    with _registry:
        file.users.discard(key)
        if file.users:
            return
        _files.pop((os.getpid(), file.path), None)
        file.end()


def _read(path: Path) -> dict[str, Bar]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}", "Choose another place for it.") from None
    advice = "Look at it; move it away to begin anew, or name another file."
    try:
        content = msgspec.json.decode(text, type=_Content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _unusable(path, "is damaged, or belongs to something else", advice) from None
    if content.format != _FORMAT or content.version != 1:
        raise _unusable(path, "belongs to something else, or to a later btfeeds", advice)
    for key, bar in content.positions.items():
        if bar.fault():
            raise _unusable(path, f"is damaged: {key} ends with what cannot be a bar", advice)
    return content.positions


def _replace(path: Path, content: bytes) -> None:
    """The old file or the new one, each whole, whatever happens in between; new for good when this returns."""
    beside = path.with_name(f"{path.name}.new")
    with open(beside, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unusable(path: Path, why: str, advice: str) -> StateError:
    what = f"The file to resume from, {path}, {why}."
    return StateError(what, "The feed was not started; the file is as it was.", advice)
