"""`btfeeds venues`: what can be named where a command asks for VENUE."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from btfeeds.venues.base import Provider


@click.command(short_help="List the venues and what they offer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(as_json: bool) -> None:
    """List the venues and what they offer, with the hosts that would be used now."""
    from btfeeds import venues

    rows = [_row(name, _made(name)) for name in venues.names()]
    rows.append(_row("ibkr", _ibkr()))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        _table(rows)


def _made(name: str) -> Provider:
    from btfeeds import settings, venues

    rest_url, stream_url = settings.hosts(name)
    return venues.provider(name, rest_url=rest_url, stream_url=stream_url, key="not needed to be listed")


def _ibkr() -> Provider:
    """It is asked through a program on this machine: there is no host."""
    from btfeeds.history.ibkr import Ibkr

    return Ibkr()


def _row(name: str, made: Provider) -> dict[str, object]:
    from btfeeds import settings
    from btfeeds.venues.base import Venue

    live = isinstance(made, Venue)
    limits = made.limits
    return {
        "name": name,
        "title": made.title,
        "live": live,
        "history": True,
        "timeframes": [str(timeframe) for timeframe in made.timeframes],
        "streamed": [str(timeframe) for timeframe in made.streamed] if isinstance(made, Venue) else [],
        "needs_key": made.needs_key,
        "serves": made.serves,
        "assets": list(made.assets),
        "adjusted": made.adjusted or None,
        "volume": made.has_volume,
        "depth": made.depth,
        "days_back": {str(timeframe): days for timeframe, days in made.days_back.items()},
        "delay_s": made.delay_ms // 1000,
        "free": made.free,
        "docs": made.docs,
        "hosts": list(made.hosts),
        "closing": made.closing.value if isinstance(made, Venue) else None,
        "limits": {
            "bars_per_request": limits.bars_per_request,
            "weight_per_minute": limits.weight_per_minute,
            "requests_per_day": limits.requests_per_day or None,
            "streams_per_connection": limits.streams_per_connection if live else None,
        },
        "rest_url": settings.mask(made.rest_url) or None,
        "stream_url": settings.mask(made.stream_url) if isinstance(made, Venue) else None,
    }


def _table(rows: list[dict[str, object]]) -> None:
    from rich import box
    from rich.table import Table

    from btfeeds.cli.output import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("venue", no_wrap=True)
    for title in ("gives", "timeframes", "a bar closes by", "how far back, and free"):
        table.add_column(title)
    table.add_column("hosts, documentation", no_wrap=True)
    for row in rows:
        named = (row["name"], row["title"], row["serves"] and f"({row['serves']})")
        gives = (
            ", ".join(_words(row, "assets")),
            "live" if row["live"] else "",
            "history",
            "" if row["volume"] else "no volume",
            row["adjusted"] and f"adjusted: {row['adjusted']}",
            "needs a key" if row["needs_key"] else "",
        )
        limits = row["limits"]
        assert isinstance(limits, dict)
        streams = limits["streams_per_connection"]
        page = f"{limits['bars_per_request']} bars/page" + (f"\n{streams} streams/socket" if streams else "")
        table.add_row(
            _lines(*named),
            _lines(*gives),
            " ".join(_words(row, "timeframes")),
            str(row["closing"] or ""),
            _lines(row["depth"], row["free"] and f"free: {row['free']}", page),
            _lines(row["rest_url"], row["stream_url"], row["docs"]),
        )
    console().print(table)


def _words(row: dict[str, object], key: str) -> list[str]:
    words = row[key]
    assert isinstance(words, list)
    return words


def _lines(*texts: object) -> str:
    return "\n".join(str(text) for text in texts if text)
