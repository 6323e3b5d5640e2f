"""Three ways to tell what a strategy meets: lines of JSON, lines for people, and a table that moves."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

import click

from btfeeds import monitor
from btfeeds.cli.witness import Met, Teller
from btfeeds.live.items import Gap
from btfeeds.live.status import Status
from btfeeds.market import Bar, iso


def teller_for(venue: str, *, as_json: bool, terminal: bool) -> Told:
    """The way that suits who reads: a program, a terminal, or a pipe."""
    return JsonLines(venue) if as_json else Board(venue) if terminal else Lines(venue)


def totals(met: list[Met]) -> dict[str, int]:
    """What the last line says. A cut of the one connection that feeds share is one reconnection."""
    audits = [one.audit for one in met]
    return {
        "delivered": sum(audit.delivered for audit in audits),
        "missing": sum(one.missing for one in met),
        "duplicate": sum(audit.duplicate for audit in audits),
        "unfinished": sum(audit.unfinished for audit in audits),
        "reconnects": max((audit.reconnects for audit in audits), default=0),
        "backfilled": sum(audit.by_source.get("backfill", 0) for audit in audits),
    }


class Told(Teller):
    """A teller for a whole run: used as a context, it ends with `summary`."""

    def __init__(self, venue: str) -> None:
        self.venue = venue

    def __enter__(self) -> Told:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the terminal back as it was."""

    def summary(self, met: list[Met]) -> None:
        """Say what the run came to."""

    def order(self, text: str) -> None:
        """An order was filled."""

    def remark(self, happening: monitor.Happening) -> None:
        """Something happened below the strategy."""
        monitor.log(happening)


class JsonLines(Told):
    """One line of JSON for each thing."""

    def bar(self, met: Met, bar: Bar, source: str) -> None:
        _line(
            type="bar", venue=self.venue, symbol=met.symbol, timeframe=str(met.timeframe), open_time=bar.open_time,
            open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume, source=source,
        )  # fmt: skip

    def status(self, met: Met, word: Status, reason: str, time: int) -> None:
        _line(type="status", status=word.name, time=time, symbol=met.symbol, reason=reason)

    def gap(self, met: Met, gap: Gap) -> None:
        _line(type="gap", start=gap.start, end=gap.end, reason=gap.reason, symbol=met.symbol)

    def summary(self, met: list[Met]) -> None:
        _line(type="summary", **totals(met))


class Lines(Told):
    """One line of text for each thing."""

    def bar(self, met: Met, bar: Bar, source: str) -> None:
        prices = " ".join(f"{price:>12.8g}" for price in (bar.open, bar.high, bar.low, bar.close, bar.volume))
        click.echo(f"{iso(bar.open_time)} {met.symbol:<10} {prices}  {source}")

    def status(self, met: Met, word: Status, reason: str, time: int) -> None:
        click.echo(f"{iso(time // 1000 * 1000)} {met.symbol:<10} {word.name}" + (f" ({reason})" if reason else ""))

    def gap(self, met: Met, gap: Gap) -> None:
        click.echo(f"{iso(gap.start)} {met.symbol:<10} no bars until {iso(gap.end)}: {gap.reason}")

    def summary(self, met: list[Met]) -> None:
        click.echo(" · ".join(f"{name} {count:,}" for name, count in totals(met).items()))


class Board(Lines):
    """A table with a row for each feed, on a terminal; remarks scroll above it."""

    def __init__(self, venue: str) -> None:
        super().__init__(venue)
        from rich.live import Live

        from btfeeds.cli.output import console

        self._rows: dict[str, Met] = {}
        self._console = console()
        self._live: Any = Live(get_renderable=self._table, console=self._console, refresh_per_second=8)

    def __enter__(self) -> Board:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def bar(self, met: Met, bar: Bar, source: str) -> None:
        self._rows[met.symbol] = met

    def status(self, met: Met, word: Status, reason: str, time: int) -> None:
        self._rows[met.symbol] = met

    def gap(self, met: Met, gap: Gap) -> None:
        self._rows[met.symbol] = met

    def remark(self, happening: monitor.Happening) -> None:
        if type(happening).__name__ in ("Disconnected", "Connected", "SilentSubscription", "RingOverflowed"):
            self._console.print(f"[dim]{plain(happening)}[/dim]")

    def _table(self) -> Any:
        return table(list(self._rows.values()))


COLORS = {"LIVE": "green", "DELAYED": "yellow", "CONNBROKEN": "red", "CONNECTED": "yellow"}


def table(met: list[Met]) -> Any:
    """A row for each feed: its status, its last bar, and where its bars came from."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("symbol", "status", "last bar (UTC)"):
        made.add_column(title, min_width=len("NOTSUPPORTED_TF") if title == "status" else None)
    for title in ("close", "volume", "history", "live", "backfill", "gaps"):
        made.add_column(title, justify="right")
    for one in list(met):
        last, sources = one.last, one.audit.by_source
        made.add_row(
            f"{one.symbol} {one.timeframe}",
            f"[{COLORS.get(one.word, 'default')}]{one.word}[/]",
            iso(last.open_time)[:16].replace("T", " ") if last else "",
            f"{last.close:.8g}" if last else "",
            f"{last.volume:.6g}" if last else "",
            *(f"{sources.get(source, 0):,}" for source in ("history", "live", "backfill")),
            str(one.gaps),
        )
    return made


def plain(happening: monitor.Happening) -> str:
    """A happening in the words of people."""
    if isinstance(happening, monitor.Disconnected):
        return f"connection lost ({happening.reason}); next try in {happening.retry_in_ms / 1000:.1f} s"
    if isinstance(happening, monitor.Connected):
        return "connection confirmed"
    if isinstance(happening, monitor.SilentSubscription):
        return f"{happening.feed} is mute: {happening.action}"
    if isinstance(happening, monitor.BarDuplicate):
        return f"{happening.feed} sent the bar of {iso(happening.open_time)[11:16]} twice: dropped"
    if isinstance(happening, monitor.GapOpened):
        return f"{happening.feed} has a gap from {iso(happening.start)[11:16]} ({happening.reason}): history is asked"
    if isinstance(happening, monitor.GapDeclared):
        begin = iso(happening.start)[11:16]
        return f"{happening.feed}: {happening.bars} bars from {begin} are not there ({happening.reason})"
    if isinstance(happening, monitor.PositionNotSaved):
        return f"{happening.path} could not be written: {happening.error}"
    if isinstance(happening, monitor.WarehouseOut):
        return f"the warehouse cannot be used, the feed goes on without: {happening.error}"
    if isinstance(happening, monitor.WarehouseBack):
        return f"the warehouse can be used again, after {happening.seconds} s"
    if isinstance(happening, monitor.GapClosed):
        return f"{happening.feed}: gap closed with {happening.bars} bars"
    if isinstance(happening, monitor.FrameRejected):
        return f"a frame was refused ({happening.reason})"
    if isinstance(happening, monitor.BackfillFailed):
        return f"{happening.feed}: history does not answer; next try in {happening.retry_in_ms / 1000:.1f} s"
    return type(happening).__name__


def _line(**fields: Any) -> None:
    click.echo(json.dumps(fields, ensure_ascii=False))
