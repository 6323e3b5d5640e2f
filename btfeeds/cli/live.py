"""`btfeeds live`: history, then live bars, as a strategy in a real Cerebro meets them; and whether all of them came."""

from __future__ import annotations

import contextlib
import math
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from btfeeds.cli import app
from btfeeds.errors import BtfeedsError, ConfigError, NetworkError

if TYPE_CHECKING:
    from btfeeds import monitor
    from btfeeds.cli.witness import Met
    from btfeeds.clock import Clock

_UNITS = {"ms": 1, "": 1_000, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DIALS = 2  # a venue that could not be reached so often, and never could, is not there
_QUESTIONS = 4  # the same for history
_WAIT_S = 3_600.0


@click.command(short_help="Show history, then live bars, as a strategy meets them.")
@click.argument("venue")
@click.argument("symbols", metavar="SYMBOL[,SYMBOL…]")
@click.argument("timeframe")
@click.option("--history", metavar="2h|500", help="How much before now: a time, or a number of bars. Default: nothing.")
@click.option(
    "--bars", metavar="N", type=click.IntRange(1),
    help="End after N bars in all of each symbol; one that the venue refuses is not waited for.",
)
@click.option("--for", "span", metavar="60s", help="End after that much time, on the venue's clock under --sim.")
@click.option(
    "--warehouse", metavar="DIR",
    help="Read history from this folder first, and keep what comes live in it. BTFEEDS_WAREHOUSE is not taken for it.",
)  # fmt: skip
@click.option("--sim", metavar="URL", help="Any URL that `btfeeds simulate` printed: its hosts and its clock are used.")
@click.option(
    "--record-payloads", "record", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Keep one raw frame and one answer of each kind in DIR, secrets masked.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON for each thing that is met.")
def command(
    venue: str, symbols: str, timeframe: str, history: str | None, bars: int | None, span: str | None,
    warehouse: str | None, sim: str | None, record: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Show history, then live bars of VENUE, as a strategy in a Cerebro meets them.

    It runs until Ctrl+C, unless --bars or --for ends it. The last line says whether every closed bar was met exactly
    once; the exit code is 0 only if none was missing, twice, or unfinished.
    """
    import backtrader as bt

    from btfeeds import settings
    from btfeeds.cli.tellers import teller_for
    from btfeeds.cli.witness import Witness
    from btfeeds.clock import SystemClock
    from btfeeds.feeds import live, streaming
    from btfeeds.market import Symbol, Timeframe

    Timeframe.parse(timeframe)  # single trades are for scripts: there is no grid to audit them on
    seconds = None if span is None else _duration(span) / 1000
    name = streaming(venue)
    clock: Clock = SystemClock()
    rest_url, stream_url = settings.hosts(name)
    if sim:
        from btfeeds.simulator import attach

        attached = attach(sim)
        rest_url, stream_url, clock = attached.rest_url, attached.stream_url, attached.clock

    cerebro = bt.Cerebro(stdstats=False)
    for symbol in dict.fromkeys(Symbol(symbol) for symbol in symbols.split(",")):
        hosts = {"rest_url": rest_url, "stream_url": stream_url}
        cerebro.adddata(live(name, symbol, timeframe, history=history, clock=clock, warehouse=warehouse, **hosts))
    teller = teller_for(name, as_json=as_json, terminal=sys.stdout.isatty())
    ended = _Ended(cerebro)
    cerebro.addstrategy(Witness, teller=teller, bars=bars or 0, over=lambda: ended.over)
    with _recorded(record, clock), teller, _watched(ended, teller.remark, name), _timed(ended, seconds, clock):
        [witness] = cerebro.run()
    return _verdict(witness.met, teller, ended, clock)


def _recorded(folder: Path | None, clock: Clock) -> contextlib.AbstractContextManager[object]:
    if folder is None:
        return contextlib.nullcontext()
    from btfeeds.recorder import Recorder

    return Recorder(folder, clock)


def _verdict(met: list[Met], teller: Any, ended: _Ended, clock: Clock) -> int:
    from btfeeds.cli.witness import patience

    kept = True
    for one in met:
        one.audit.end(clock.now(), patience(one.timeframe, clock.speed))
        kept = kept and one.kept
    teller.summary(met)
    error = ended.error or ended.unreached(met) or next((one.feed.error for one in met if one.feed.error), None)
    if error is not None:
        raise error
    if ended.code:
        return ended.code
    return 0 if kept else 1


# --- what ends a run -------------------------------------------------------------------------------------------------


class _Ended:
    """How a run came to its end from outside."""

    def __init__(self, cerebro: Any) -> None:
        self.cerebro = cerebro
        self.over = False  # also before the run has begun: Cerebro forgets what it was told before
        self.code = 0
        self.error: BtfeedsError | None = None
        self.trouble: BtfeedsError | None = None  # why the venue could not be reached, if it never could

    def stop(self) -> None:
        """End the run in good order, or as soon as it begins."""
        self.over = True
        self.cerebro.runstop()

    def unreached(self, met: list[Met]) -> BtfeedsError | None:
        """The trouble, when the run was over before anything came; who ends it by hand has seen that."""
        nothing = not any(one.audit.delivered for one in met)
        return self.trouble if nothing and not self.code else None


@contextlib.contextmanager
def _watched(ended: _Ended, remark: Any, venue: str) -> Iterator[None]:
    """Ends the run at Ctrl+C and SIGTERM in good order, and when the venue was never there."""
    from btfeeds import monitor

    def told(number: int, _frame: FrameType | None) -> None:
        if ended.code:  # the second time nothing is waited for
            raise SystemExit(ended.code)
        ended.code = 128 + number
        ended.stop()

    reach = monitor.add(_Reach(ended, remark, venue))
    monitor.remove(monitor.log)
    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        app.leave_if_told()
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        monitor.add(monitor.log)
        monitor.remove(reach)


@contextlib.contextmanager
def _timed(ended: _Ended, seconds: float | None, clock: Clock) -> Iterator[None]:
    """Ends the run after so many seconds of the clock."""
    if seconds is None:
        yield
        return
    cancelled = threading.Event()
    until = time.monotonic() + seconds / clock.speed

    def wait() -> None:
        # in pieces: there is a limit to one wait, on Windows of 49 days
        while (left := until - time.monotonic()) > 0:
            if cancelled.wait(min(left, _WAIT_S)):
                return
        ended.stop()

    threading.Thread(target=wait, name="btfeeds-timer", daemon=True).start()
    try:
        yield
    finally:
        cancelled.set()


class _Reach:
    """A sink: as long as the venue was never reached, troubles are counted rather than told, and end the run."""

    def __init__(self, ended: _Ended, remark: Any, venue: str) -> None:
        self._ended = ended
        self._remark = remark
        self._venue = venue
        self._reached = False
        self._dials = self._questions = 0

    def __call__(self, happening: monitor.Happening) -> None:
        from btfeeds import monitor

        if isinstance(happening, monitor.Connected):
            self._reached, self._ended.trouble = True, None
        elif isinstance(happening, monitor.Disconnected) and not self._reached:
            self._dials += 1
            self._trouble(happening.detail or happening.reason, self._dials == _DIALS)
            return
        elif isinstance(happening, monitor.BackfillFailed) and not self._met():
            self._questions += 1
            self._trouble(happening.error, self._questions == _QUESTIONS)
            return
        elif isinstance(happening, monitor.SubscriptionRefused):
            return  # the strategy meets NOTSUBSCRIBED, and the error ends the command
        self._remark(happening)

    def _met(self) -> bool:
        return any(len(data) for data in self._ended.cerebro.datas)

    def _trouble(self, why: str, enough: bool) -> None:
        self._ended.trouble = NetworkError(
            f"{self._venue} cannot be reached: {why.rstrip('.')}.",
            "Nothing was received, and the run was ended.",
            "Check the network, the proxy variables and the hosts (`btfeeds venues` shows them).",
        )
        if enough:
            self._ended.error = self._ended.trouble
            self._ended.stop()


def _duration(text: str) -> float:
    """Milliseconds from 1500ms, 60s, 5m, 1h; a number alone is seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)", text.strip())
    if not match or not 0 < float(match[1]) < math.inf:
        raise ConfigError(f"--for {text!r} is no time.", "Nothing was started.", "Write 90s, 5m or 1h.")
    return float(match[1]) * _UNITS[match[2]]
