"""The sealed files of a warehouse: reading them with care, and taking the damaged ones out of the way."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from btfeeds import monitor
from btfeeds.clock import Clock
from btfeeds.errors import WarehouseDamaged, WarehouseError
from btfeeds.history.ranges import union
from btfeeds.market import Subscription, TimeRange, iso
from btfeeds.warehouse import books, layout, locks, places, sealed
from btfeeds.warehouse.catalogue import Catalogue
from btfeeds.warehouse.items import SealedFile
from btfeeds.warehouse.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

_T = TypeVar("_T")

QUARANTINE = "quarantine"
_NOTE = ".txt"


class Shelf:
    """Files and the catalogue that lists them. A file is read whole and compared with its checksum, every time."""

    def __init__(self, catalogue: Catalogue, root: Path, url: str, clock: Clock) -> None:
        self.catalogue = catalogue
        self.clock = clock
        self.place = places.place(root, url)
        self._locks = root / "locks"
        self._mine = threading.local()  # .held: the series this thread has locked

    def load(self, subscription: Subscription, files: Sequence[SealedFile], span: TimeRange) -> list[pa.Table] | None:
        """The rows of `files` that open in `span`; None when a file has been replaced: look into the catalogue again.

        Damaged files go into quarantine; then WarehouseDamaged names their spans. The next call finds them gone.
        """
        loaded, damaged, replaced = [], [], False
        for file in files:
            why, content = self._read(file)
            if not why:
                loaded.append(sealed.decode(content, span))
            elif self.quarantine(subscription, file, why):
                damaged.append((file, why))
            else:
                replaced = True
        if damaged:
            raise _damaged(subscription, damaged, kept=self.catalogue.readonly)
        return None if replaced else loaded

    def content(self, subscription: Subscription, file: SealedFile) -> bytes | None:
        """The bytes of a file; None when it has been replaced. Raises WarehouseDamaged, as `load` does."""
        why, content = self._read(file)
        if not why:
            return content
        if self.quarantine(subscription, file, why):
            raise _damaged(subscription, [(file, why)], kept=self.catalogue.readonly)
        return None

    def look(self, file: SealedFile) -> tuple[Rows | None, str]:
        """All rows of a file; None for a damaged one, and why."""
        why, content = self._read(file)
        return (None, why) if why else (sealed.rows([sealed.decode(content, layout.EVER)])[0], "")

    @contextlib.contextmanager
    def lock(self, subscription: Subscription, patience_s: float = locks.PATIENCE_S) -> Iterator[None]:
        """Held by whoever writes files of a series; the same thread may hold it twice. Raises WarehouseLocked."""
        held = self._mine.__dict__.setdefault("held", set())
        if subscription in held:
            yield
            return
        path = self._locks / f"{layout.folder(subscription)}.lock"
        with locks.held(path, f"the series {subscription}", patience_s):
            held.add(subscription)
            try:
                yield
            finally:
                held.remove(subscription)

    def quarantine(self, subscription: Subscription, file: SealedFile, why: str) -> bool:
        """Move a file aside, with a note, and have its span asked for again. False: it has been replaced meanwhile."""
        if not self.listed(subscription, file):
            return False
        if not self.catalogue.readonly:
            with self.lock(subscription):
                if not self.listed(subscription, file):
                    return False
                self._set_aside(file, why)
                with self.catalogue.writing() as db:
                    _take_off(db, books.make_series(db, subscription), file)
        monitor.publish(
            monitor.FileQuarantined(
                subscription.venue, str(subscription), file.path, file.span.start, file.span.end, why
            )
        )
        return True

    def discard(self, subscription: Subscription, times: Sequence[int]) -> WarehouseDamaged:
        """Make damaged rows of the catalogue dead letters, to be asked for again; returns what is to be told."""
        spans = union(TimeRange(time, subscription.timeframe.close(time)) for time in times)
        if not self.catalogue.readonly:
            with self.catalogue.writing() as db:
                number = books.make_series(db, subscription)
                letters = [(time, "damaged", text) for time in times for text in books.take_row(db, number, time)]
                books.put_dead_letters(db, number, letters, self.clock.now(), "")
                for span in spans:
                    books.uncover(db, number, span)
                books.count_again(db, number)
        monitor.publish(monitor.RowsRejected(subscription.venue, str(subscription), len(times), "damaged"))
        return WarehouseDamaged(
            f"{len(times)} bars of {subscription} in {self.catalogue.path.name} are not what was written.",
            "They were dropped; no bar was taken from them.",
            _advice(spans),
            spans=tuple((span.start, span.end) for span in spans),
        )

    def careful(self, subscription: Subscription, act: Callable[[], _T], *, tell: bool) -> _T:
        """Do `act`. What turns out to be damaged is put out of the way, and then told (`tell`), or tried without."""
        while True:
            try:
                return act()
            except books.DamagedRows as damaged:
                told = self.discard(subscription, damaged.times)
            except WarehouseDamaged as error:
                told = error
            if tell or self.catalogue.readonly or not told.spans:
                raise told

    def notes(self) -> list[str]:
        """What was noted about each file in quarantine, in the order of their names."""
        found = [path for path in self.place.names(QUARANTINE) if path.endswith(_NOTE)]
        return [self.place.read(path).decode(errors="replace") for path in found]

    def listed(self, subscription: Subscription, file: SealedFile) -> bool:
        """Whether a file is one of the series' still."""
        with self.catalogue.reading() as db:
            number = books.series_id(db, subscription)
            return number is not None and file in books.files(db, number)

    def sweep(self, subscription: Subscription) -> None:
        """Remove what no catalogue lists: files that were replaced, and those of writers that died. Under the lock."""
        with self.catalogue.reading() as db:
            number = books.series_id(db, subscription)
            listed = set() if number is None else {file.path for file in books.files(db, number)}
        with contextlib.suppress(OSError, WarehouseError):  # another time, then: what lies about does no harm
            for path in self.place.names(layout.folder(subscription)):
                if path not in listed:
                    self.place.remove(path)

    def _read(self, file: SealedFile) -> tuple[str, bytes]:
        """What is wrong with a file ("": nothing), and its content."""
        try:
            content = self.place.read(file.path)
        except FileNotFoundError:
            return "it is not there", b""
        except OSError as error:
            raise WarehouseError(
                f"{file.path} cannot be read: {error.strerror or error}.", "Nothing was changed.",
                "Look at the disk, or at the rights of the file.",
            ) from None  # fmt: skip
        if len(content) != file.bytes:
            return f"it has {len(content)} bytes instead of {file.bytes}", content
        if sealed.checksum(content) != file.checksum:
            return "its checksum is not the one it was written with", content
        return "", content

    def _set_aside(self, file: SealedFile, why: str) -> None:
        """Before the catalogue forgets it: a file that nothing lists would be swept away."""
        aside = f"{QUARANTINE}/{file.path.replace('/', '.')}.{self.clock.now()}"
        note = (
            f"{file.path}\n{why}\nexpected: SHA-256 {file.checksum}, {file.bytes} bytes, {file.rows} bars\n"
            f"bars: {iso(file.first)} .. {iso(file.last)}\nset aside: {iso(self.clock.now())}\n"
        )
        with contextlib.suppress(FileNotFoundError):
            self.place.move(file.path, aside)
        self.place.write(f"{aside}{_NOTE}", note.encode())


def _take_off(db: books.Connection, number: int, file: SealedFile) -> None:
    """A file is no more: its bars are not counted, its span is to be asked for again."""
    books.remove_file(db, file)
    books.set_over(db, number, file.span, [])
    books.uncover(db, number, file.span)
    books.count_again(db, number)


def _damaged(
    subscription: Subscription, damaged: Sequence[tuple[SealedFile, str]], *, kept: bool
) -> WarehouseDamaged:
    spans = union(file.span for file, _ in damaged)
    (first, why), more = damaged[0], len(damaged) - 1
    others = f" And {more} more." if more else ""
    return WarehouseDamaged(
        f"A file of {subscription} is damaged: {first.path}: {why}.{others}",
        "No bar was taken from it." if kept else f"It was moved to {QUARANTINE}; no bar was taken from it.",
        _advice(spans),
        spans=tuple((span.start, span.end) for span in spans),
    )


def _advice(spans: Sequence[TimeRange]) -> str:
    return f"Fetch {', '.join(map(str, spans[:3]))} again: `btfeeds warehouse repair` does."
