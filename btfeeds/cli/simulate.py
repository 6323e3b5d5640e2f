"""`btfeeds simulate`: a venue on this machine that speaks the venue's real protocol, with faults on demand."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from btfeeds.cli import app

_LOOK_S = 0.5  # on Windows a signal is noticed between two waits only


class _Command(click.Command):
    """Its help ends with the list of faults, which the simulator knows."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from btfeeds.simulator.faults import FAULTS

        with formatter.section("Faults"):
            formatter.write_dl([(name, str(what)) for name, what in FAULTS.items()])


@click.command(cls=_Command, short_help="Run a venue on this machine, from a file of bars.")
@click.argument("venue")
@click.option(
    "--bars",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV, CSV.gz or Parquet with a header: open_time (or datetime, timestamp), open, high, low, close, volume.",
)
@click.option("--symbol", help="The symbol of the bars, as in BTC/USDT.")
@click.option("--history", default=500, show_default=True, type=click.IntRange(0), help="Bars that lie in the past.")
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds of the venue in one of the wall's.",
)
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port on 127.0.0.1; 0: any free one.")
@click.option("--fault", "faults", multiple=True, metavar="NAME@WHEN[:ARG]", help="See below. May be repeated.")
@click.option("--tls", is_flag=True, help="Serve https and wss, with a certificate made for this run.")
@click.option("--seed", default=0, show_default=True, type=int, help="Chooses how prices move within a bar.")
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the line of JSON.")
def command(
    venue: str,
    bars: Path,
    symbol: str | None,
    history: int,
    speed: float,
    port: int,
    faults: tuple[str, ...],
    tls: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Run VENUE on this machine, from a file of bars, until Ctrl+C.

    The first live bar opens where --history bars of the file lie in the past; from there the venue's time runs
    --speed times faster than the wall. One line of JSON says where it listens. WHEN counts from the first live bar on
    the venue's own clock: cut@60s, close@5m:1012, mute@150s:BTC/USDT.
    """
    from btfeeds.simulator import serve

    simulator = serve(
        venue, bars, symbol=symbol, history=history, speed=speed, port=port, faults=faults, tls=tls, seed=seed
    )
    try:
        ready: dict[str, object] = {
            "rest_url": simulator.rest_url,
            "stream_url": simulator.stream_url,
            "clock_url": simulator.clock_url,
            "pid": os.getpid(),
        }
        if tls:
            ready["ca_pem"] = str(simulator.ca_pem)
        click.echo(json.dumps(ready))
        if not as_json and sys.stderr.isatty():
            click.echo(f"Ctrl+C ends it. Elsewhere: btfeeds live {venue} … --sim {simulator.rest_url}", err=True)
        while not simulator.wait(_LOOK_S):
            app.leave_if_told()
    finally:
        simulator.close()
