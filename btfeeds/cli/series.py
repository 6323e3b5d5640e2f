"""What the commands of the warehouse share: its folder, which series are meant, sizes in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from btfeeds.errors import ConfigError, WarehouseError

if TYPE_CHECKING:
    from btfeeds.market import Subscription, TimeRange
    from btfeeds.warehouse import Series, Warehouse

_F = TypeVar("_F", bound=Callable[..., Any])
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

folder = click.option(
    "--warehouse", "folder", metavar="DIR", default="", help="The folder of bars. Default: BTFEEDS_WAREHOUSE."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def one_series(command: _F) -> _F:
    """The arguments that name one series."""
    for name in ("timeframe", "symbol", "venue"):
        command = click.argument(name)(command)
    return command


def some_series(command: _F) -> _F:
    """The arguments that name one series, those of a symbol or a venue, or, left out, all."""
    for name in ("timeframe", "symbol", "venue"):
        command = click.argument(name, required=False, default="")(command)
    return command


def named(venue: str, symbol: str, timeframe: str) -> Subscription:
    """The series that is named. Raises ConfigError for what cannot be one."""
    from btfeeds.manager import AUTO, series_venue
    from btfeeds.market import Subscription, Symbol, Timeframe

    advice = "Write whose bars they are: binance, my file."
    if not venue.strip():
        raise ConfigError("The venue has no name.", "Nothing was done.", advice)
    if venue.strip().lower() == AUTO:
        raise ConfigError(f"{AUTO} stands for whoever has a symbol; no bars are its own.", "Nothing was done.", advice)
    return Subscription(series_venue(venue), Symbol(symbol), Timeframe.parse(timeframe))


def existing(folder: str) -> Warehouse:
    """The warehouse in that folder, for a command that makes none. Raises WarehouseError where there is none."""
    from btfeeds import settings
    from btfeeds.warehouse import Warehouse
    from btfeeds.warehouse.catalogue import NAME

    root = settings.warehouse(folder)
    if root is not None and not (root / NAME).is_file():
        advice = "Check the path; `btfeeds fetch` and `btfeeds warehouse import` make one."
        raise WarehouseError(f"There is no warehouse in {root}.", "Nothing was done.", advice)
    return Warehouse(folder)


def there(warehouse: Warehouse, series: Subscription) -> TimeRange:
    """From the first to the last bar of a series. Raises ConfigError where there is none."""
    from btfeeds.inventory import extent

    span = extent(warehouse, series)
    if span is None:
        raise _nothing(warehouse, str(series))
    return span


def chosen(warehouse: Warehouse, venue: str, symbol: str, timeframe: str) -> list[Series]:
    """The series that are meant. Raises ConfigError where there is none."""
    from btfeeds.manager import series_venue
    from btfeeds.market import Symbol, Timeframe

    def fits(one: Subscription) -> bool:
        return (
            (not venue or one.venue == series_venue(venue))
            and (not symbol or one.symbol == Symbol(symbol))
            and (not timeframe or one.timeframe == Timeframe.parse(timeframe))
        )

    found = [one for one in warehouse.series() if fits(one.subscription)]
    if not found and (venue or symbol or timeframe):
        raise _nothing(warehouse, " ".join(word for word in (venue, symbol, timeframe) if word))
    return found


def counterparts(warehouse: Warehouse, some: Iterable[Subscription], venue: str) -> list[Subscription]:
    """The series of `venue` beside `some`. Raises ConfigError where there is none."""
    beside = dict.fromkeys(named(venue, one.symbol, str(one.timeframe)) for one in some)
    found = [one for one in beside if (known := warehouse.get(one)) is not None and known.rows]
    if beside and not found:
        raise _nothing(warehouse, ", ".join(map(str, beside)))
    return found


def size(text: str) -> int:
    """Bytes from "500M" or "2G"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    if not match:
        raise ConfigError(f"{text!r} is no size.", "Nothing was changed.", "Write 500M or 2G.")
    return round(float(match[1]) * _UNITS[match[2]])


def words(count: int) -> str:
    """Bytes for people."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} B"


def _nothing(warehouse: Warehouse, what: str) -> ConfigError:
    return ConfigError(
        f"There are no bars of {what} in {warehouse.root}.",
        "Nothing was done.",
        "`btfeeds warehouse ls` lists what there is; `btfeeds fetch` brings more.",
    )
