"""How the demo is watched: a table that moves on a terminal, a line for each event elsewhere, nothing for programs."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from btfeeds import monitor
from btfeeds.cli.output import console
from btfeeds.cli.tellers import Told, plain, table
from btfeeds.cli.witness import Met
from btfeeds.live.status import Status
from btfeeds.market import Bar, iso

if TYPE_CHECKING:
    from btfeeds.simulator import Simulator

_EVENTS = 12
_REPEATED = (monitor.GapOpened, monitor.GapClosed, monitor.GapDeclared)  # the strategy's own words say it


def show_for(simulator: Simulator, *, as_json: bool, terminal: bool, naive: bool) -> Show:
    """What suits who watches."""
    if terminal:
        return Screen(simulator, naive=naive, stderr=as_json)
    return Quiet(simulator) if as_json else Show(simulator)


class Show(Told):
    """A line for each event on stdout."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__("binance")
        self.simulator = simulator
        self._told = 0  # faults of the simulator's log
        self._lock = threading.Lock()  # guards _told: events come on several threads

    def event(self, kind: str, text: str) -> None:
        """Something happened: kind is "fault", "status", "repair" or "order"."""
        self.faults()
        self.write(kind, text)

    def write(self, kind: str, text: str) -> None:
        click.echo(f"{iso(self.simulator.clock.now())[11:19]}  {kind:<6}  {text}")

    def faults(self) -> None:
        """Tell of the faults that have struck since."""
        with self._lock:
            log = self.simulator.log
            new, self._told = log[self._told :], len(log)
        for entry in new:
            if entry.what == "fault":
                self.write("fault", entry.detail)

    def bar(self, met: Met, bar: Bar, source: str) -> None:
        self.faults()
        if source != "history" and bar.open_time % 600_000 == 0:
            self.write("bar", f"{met.symbol} {iso(bar.open_time)[11:16]} closed at {bar.close:g} ({source})")

    def status(self, met: Met, word: Status, reason: str, time: int) -> None:
        self.event("status", f"{met.symbol} {word.name}" + (f" ({reason})" if reason else ""))

    def order(self, text: str) -> None:
        """An order was filled."""
        self.event("order", text)

    def remark(self, happening: monitor.Happening) -> None:
        if not isinstance(happening, _REPEATED):
            self.event("repair", plain(happening))


class Quiet(Show):
    """Says nothing."""

    def write(self, kind: str, text: str) -> None:
        pass


class Screen(Show):
    """The table, the last events below it."""

    def __init__(self, simulator: Simulator, *, naive: bool, stderr: bool) -> None:
        super().__init__(simulator)
        from rich.live import Live

        self._met: dict[str, Met] = {}
        self._events: deque[tuple[str, str, str]] = deque(maxlen=_EVENTS)
        self._naive = naive
        self._live: Any = Live(get_renderable=self._screen, console=console(stderr=stderr), refresh_per_second=10)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def write(self, kind: str, text: str) -> None:
        self._events.append((iso(self.simulator.clock.now())[11:19], kind, text))

    def bar(self, met: Met, bar: Bar, source: str) -> None:
        self._met[met.symbol] = met

    def status(self, met: Met, word: Status, reason: str, time: int) -> None:
        self._met[met.symbol] = met
        super().status(met, word, reason, time)

    def _screen(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        self.faults()
        now, speed = self.simulator.clock.now(), self.simulator.clock.speed
        title = "the naive feed" if self._naive else "btfeeds"
        head = Text(f"{title} on a simulated Binance · {iso(now)[:19]} · {speed:g}× as fast as life", style="bold")
        colors = {"fault": "red", "order": "cyan", "repair": "dim", "status": "default"}
        lines = [
            Text(f"{time}  {kind:<6}  {text}", style=colors.get(kind, "default"), no_wrap=True, overflow="ellipsis")
            for time, kind, text in list(self._events)
        ]
        return Group(head, table(list(self._met.values())), *lines)
