"""The warehouse: bars of many series in one folder, for many threads and processes at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from btfeeds import settings
from btfeeds.clock import Clock, SystemClock
from btfeeds.closing import Closing
from btfeeds.errors import ConfigError, WarehouseError
from btfeeds.history.ranges import subtract, whole
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.warehouse import adding, books, checking, places, sealed, sealing, sql
from btfeeds.warehouse.backup import Manifest, backup
from btfeeds.warehouse.catalogue import Catalogue
from btfeeds.warehouse.items import Added, Damage, DeadLetter, Provenance, Revision, SealedFile, Series
from btfeeds.warehouse.rows import NOTHING, Rows, joined
from btfeeds.warehouse.shelf import Shelf

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

EVER = TimeRange(-(2**62), 2**62)


class Warehouse(Closing):
    """Bars on disk. Safe to use from several threads and processes; raises the Warehouse errors.

    `path`: the folder (else BTFEEDS_WAREHOUSE); `files`: where sealed files lie if not in it, as fsspec writes it
    ("s3://bucket/prefix", which no other warehouse may share): said once, it is remembered. A folder that cannot be
    written is opened `readonly` when there is a warehouse in it. A warehouse that is sent to another process is opened
    there once more.

    What is damaged is taken out of the way when it is met, and has to be asked for again. Whoever reads is told once,
    by WarehouseDamaged with the spans; reading again gives what is left.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = "",
        *,
        files: str = "",
        readonly: bool = False,
        clock: Clock | None = None,
    ) -> None:
        root = settings.warehouse(path)
        if root is None:
            raise ConfigError(
                "No warehouse is named.", "Nothing was started.", "Give its folder, or set BTFEEDS_WAREHOUSE."
            )
        self.root = root
        self._clock: Clock = clock or SystemClock()
        self._catalogue = Catalogue(root, readonly=readonly)
        try:
            self._shelf = Shelf(self._catalogue, root, places.settled(self._catalogue, files), self._clock)
        except BaseException:
            self._catalogue.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.root, self.readonly, self._clock)

    @property
    def readonly(self) -> bool:
        """Whether nothing can be written."""
        return self._catalogue.readonly

    def close(self) -> None:
        """Let go of the files. May be called again."""
        self._catalogue.close()

    # --- what there is -----------------------------------------------------------------------------------------------

    def series(self) -> list[Series]:
        """Every series. Opens no file of bars."""
        with self._catalogue.reading() as db:
            return books.all_series(db)

    def timeframes(self, venue: str, symbol: Symbol) -> list[Timeframe]:
        """The timeframes of which there is a series of `symbol`, by length."""
        with self._catalogue.reading() as db:
            return books.timeframes(db, venue, symbol)

    def files(self, subscription: Subscription | None = None) -> list[tuple[Subscription, SealedFile]]:
        """The sealed files of one series or of all, by time in each."""
        with self._catalogue.reading() as db:
            wanted = [one.subscription for one in books.all_series(db)] if subscription is None else [subscription]
            numbers = [(each, books.series_id(db, each)) for each in wanted]
            return [(each, file) for each, n in numbers if n is not None for file in books.files(db, n)]

    def get(self, subscription: Subscription) -> Series | None:
        """One series, or None where nothing was ever added to it."""
        with self._catalogue.reading() as db:
            number = books.series_id(db, subscription)
            return None if number is None else books.all_series(db, number)[0]

    def covered(self, subscription: Subscription, span: TimeRange) -> list[TimeRange]:
        """What of `span`, widened to whole bars, was asked and answered."""
        wanted = whole(span, subscription.timeframe)
        with self._catalogue.reading() as db:
            number = books.series_id(db, subscription)
            known = [] if number is None or not wanted else books.coverage(db, number, wanted)
        return [TimeRange(max(one.start, wanted.start), min(one.end, wanted.end)) for one in known]

    def missing(self, subscription: Subscription, span: TimeRange) -> list[TimeRange]:
        """What of `span`, widened to whole bars, is still to be asked for."""
        return subtract([whole(span, subscription.timeframe)], self.covered(subscription, span))

    # --- reading -----------------------------------------------------------------------------------------------------

    def bars(self, subscription: Subscription, span: TimeRange) -> list[Bar]:
        """The bars that open in `span`, ascending."""
        return self.rows(subscription, span).bars.bars()

    def read(
        self, venue: str, symbol: str, timeframe: Timeframe | str, start: Any = None, end: Any = None
    ) -> pd.DataFrame:
        """The bars from `start` to `end` (excluded; None: all there are), as `Downloader.download` gives them."""
        subscription = Subscription(venue, Symbol(symbol), Timeframe.parse(timeframe))
        span = TimeRange(EVER.start if start is None else to_ms(start), EVER.end if end is None else to_ms(end))
        tables, rows = self._parts(subscription, span)
        return sealed.frame(_table(tables, rows)) if tables else rows.bars.frame()

    def arrow(self, subscription: Subscription, span: TimeRange) -> pa.Table:
        """The bars that open in `span` as a table; see Rows.arrow for its columns."""
        return _table(*self._parts(subscription, span))

    def rows(self, subscription: Subscription, span: TimeRange) -> Rows:
        """The bars that open in `span` as columns, each with the number of its provenance."""
        tables, rows = self._parts(subscription, span)
        return joined([*sealed.rows(tables), rows])

    def sql(self, query: str, *subscriptions: Subscription, params: Sequence[object] = ()) -> pa.Table:
        """The answer of DuckDB to `query` over the table `bars` of these series (none named: of all); see sql.run."""
        wanted = subscriptions or tuple(one.subscription for one in self.series())
        if not wanted:
            raise WarehouseError(f"There are no bars in {self.root}.", "Nothing was asked.", "Fetch some first.")
        while True:
            parts = {
                each: self._shelf.careful(each, partial(sql.sources, self._shelf, each), tell=True) for each in wanted
            }
            try:
                return sql.run(query, parts, params)
            except sql.Replaced:
                continue

    def backup(self, target: str | os.PathLike[str]) -> Manifest:
        """Copy everything, as it is at one instant, to a folder or a tar file; see backup.backup."""
        return backup(self._shelf, target)

    def origin(self, subscription: Subscription, span: TimeRange) -> list[tuple[TimeRange, Provenance]]:
        """Where the bars in `span` come from: runs of neighbouring bars, ascending."""
        rows = self.rows(subscription, span)
        with self._catalogue.reading() as db:
            known = books.origins(db, np.unique(rows.origin).tolist())
        changes = (np.flatnonzero(rows.origin[1:] != rows.origin[:-1]) + 1).tolist()
        runs = []
        for first, behind in zip([0, *changes], [*changes, len(rows)], strict=True):
            if first < behind:
                start, last = int(rows.times[first]), int(rows.times[behind - 1])
                runs.append((TimeRange(start, subscription.timeframe.close(last)), known[int(rows.origin[first])]))
        return runs

    def _parts(self, subscription: Subscription, span: TimeRange) -> tuple[list[pa.Table], Rows]:
        """What of `span` is in files, and what is in the catalogue; of one bar, the catalogue's word is the newer."""

        def look() -> tuple[list[pa.Table], Rows]:
            while True:
                with self._catalogue.reading() as db:
                    number = books.series_id(db, subscription)
                    files = [] if number is None else books.files(db, number, span)
                    rows = NOTHING if number is None else books.rows(db, number, span)
                tables = self._shelf.load(subscription, files, span)
                if tables is not None:
                    return tables, rows

        return self._shelf.careful(subscription, look, tell=True)

    # --- writing -----------------------------------------------------------------------------------------------------

    def add(
        self,
        subscription: Subscription,
        bars: Iterable[Bar],
        *,
        provider: str,
        span: TimeRange | None = None,
        adjusted: bool = False,
        venue_time: int = 0,
    ) -> Added:
        """Keep `bars`, and that `provider` has answered for `span` (None: for the bars' own time); on the disk then.

        A bar that is there already with other values is corrected, and the old one kept as a revision. What cannot be
        a bar becomes a dead letter, and its time is still to be asked for. `venue_time`: when that was by the venue's
        clock, where it is known; a bar of the future is one that both clocks say is.
        """
        return adding.add(
            self._shelf, subscription, bars, provider=provider, span=span, adjusted=adjusted, venue_time=venue_time
        )

    def revise(self, subscription: Subscription, bar: Bar, *, provider: str) -> bool:
        """The newest word on one bar; whether it changed anything."""
        added = self.add(subscription, [bar], provider=provider)
        return bool(added.new or added.revised)

    def seal(self, subscription: Subscription | None = None) -> list[SealedFile]:
        """Move closed periods of one series or of all into files, if they are wholly covered, or old.

        `add` does so by itself when it completes a period. Raises MissingExtra without pyarrow.
        """
        wanted = [one.subscription for one in self.series()] if subscription is None else [subscription]
        made: list[SealedFile] = []
        for each in wanted:
            made += self._shelf.careful(each, partial(sealing.seal, self._shelf, each), tell=False)
        return made

    def forget(self, subscription: Subscription, span: TimeRange, *more: TimeRange) -> int:
        """Drop the bars that open in these spans, and that they were asked for; returns how many. Each call writes the
        files anew that lose bars.
        """
        wanted = [whole(one, subscription.timeframe) for one in (span, *more)]
        return self._shelf.careful(subscription, partial(sealing.drop, self._shelf, subscription, wanted), tell=False)

    def reject(
        self, subscription: Subscription, reason: str, raw: str, *, provider: str, open_time: int | None = None
    ) -> None:
        """Keep a row that could not be understood as a dead letter."""
        with self._catalogue.writing() as db:
            number = books.make_series(db, subscription)
            books.put_dead_letters(
                db, number, [(open_time, reason, raw[: adding.RAW_LENGTH])], self._clock.now(), provider
            )

    def mark_validated(self, subscription: Subscription, time: int, score: int) -> None:
        """A series was validated at `time`, with a score of 0 to 100."""
        with self._catalogue.writing() as db:
            books.mark_validated(db, books.make_series(db, subscription), time, score)

    # --- notes -------------------------------------------------------------------------------------------------------

    def checkpoint(self, key: str) -> dict[str, Any] | None:
        """What was kept under `key`, or None."""
        with self._catalogue.reading() as db:
            text = books.checkpoint(db, key)
        return None if text is None else msgspec.json.decode(text, type=dict[str, Any])

    def set_checkpoint(self, key: str, value: dict[str, Any] | None) -> None:
        """Keep `value` under `key`; None forgets it."""
        with self._catalogue.writing() as db:
            books.set_checkpoint(db, key, None if value is None else msgspec.json.encode(value).decode())

    def dead_letters(self, subscription: Subscription | None = None, limit: int = 1_000) -> list[DeadLetter]:
        """The latest rows that could not be bars, of one series or of all, the oldest of them first."""
        with self._catalogue.reading() as db:
            number = None if subscription is None else books.series_id(db, subscription)
            if subscription is not None and number is None:
                return []
            return books.dead_letters(db, number, limit)

    def revisions(self, subscription: Subscription, span: TimeRange = EVER) -> list[Revision]:
        """What bars of `span` were before they were corrected, by opening time and then in the order of correction."""
        with self._catalogue.reading() as db:
            number = books.series_id(db, subscription)
            return [] if number is None else books.revisions(db, number, subscription, span)

    def quarantined(self) -> list[str]:
        """The notes about files that were set aside: which, why, and from when until when their bars opened."""
        return self._shelf.notes()

    def verify(self, subscription: Subscription | None = None, *, repair: bool = False) -> list[Damage]:
        """Read everything and compare it with the catalogue; with `repair`, what is damaged is put out of the way."""
        wanted = [one.subscription for one in self.series()] if subscription is None else [subscription]
        return [finding for each in wanted for finding in checking.check(self._shelf, each, repair=repair)]


def _opened(root: Path, readonly: bool, clock: Clock) -> Warehouse:
    """What was sent to this process."""
    return Warehouse(root, readonly=readonly, clock=clock)


def _table(tables: list[pa.Table], rows: Rows) -> pa.Table:
    """One table of both, ascending."""
    import pyarrow as pa

    newest = max((table.column("open_time")[-1].value for table in tables if len(table)), default=None)
    if newest is None or not len(rows) or newest < rows.times[0] * 1000:
        return pa.concat_tables([*tables, rows.arrow()])
    return joined([*sealed.rows(tables), rows]).arrow()
