"""`btfeeds venues`: what can be named where a command asks for VENUE."""

from __future__ import annotations

import json

import click


@click.command(short_help="List the venues and what they offer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(as_json: bool) -> None:
    """List the venues and what they offer, with the hosts that would be used now."""
    from btfeeds import venues

    rows = [_row(name) for name in venues.names()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        _table(rows)


def _row(name: str) -> dict[str, object]:
    from btfeeds import settings, venues
    from btfeeds.venues.base import Venue

    rest_url, stream_url = settings.hosts(name)
    made = venues.provider(name, rest_url=rest_url, stream_url=stream_url, key="not needed to be listed")
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
        "hosts": list(made.hosts),
        "closing": made.closing.value if isinstance(made, Venue) else None,
        "limits": {
            "bars_per_request": limits.bars_per_request,
            "weight_per_minute": limits.weight_per_minute,
            "streams_per_connection": limits.streams_per_connection if live else None,
        },
        "rest_url": settings.mask(made.rest_url),
        "stream_url": settings.mask(made.stream_url) if isinstance(made, Venue) else None,
    }


def _table(rows: list[dict[str, object]]) -> None:
    from rich import box
    from rich.table import Table

    from btfeeds.cli.output import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("venue", "gives", "timeframes", "a bar closes by", "limits"):
        table.add_column(title)
    table.add_column("hosts", no_wrap=True)
    for row in rows:
        limits = row["limits"]
        assert isinstance(limits, dict)
        timeframes = row["timeframes"]
        assert isinstance(timeframes, list)
        streams = limits["streams_per_connection"]
        named = (row["name"], row["title"], row["serves"] and f"({row['serves']})")
        gives = ("live" if row["live"] else "", "history", "needs a key" if row["needs_key"] else "")
        table.add_row(
            "\n".join(str(word) for word in named if word),
            "\n".join(word for word in gives if word),
            " ".join(timeframes),
            str(row["closing"] or ""),
            f"{limits['bars_per_request']} bars/page" + (f"\n{streams} streams/socket" if streams else ""),
            "\n".join(str(url) for url in (row["rest_url"], row["stream_url"]) if url),
        )
    console().print(table)
