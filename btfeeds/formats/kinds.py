"""Which kinds of files there are, and what their names say. Pure.

freqtrade calls a file BTC_USDT-1m.feather, and BTC_USDT_USDT-1m-futures.feather for a contract; months are 1Mo.
https://www.freqtrade.io/en/stable/data-download/
"""

from __future__ import annotations

import enum
import re
from pathlib import PurePath

from btfeeds.errors import ConfigError
from btfeeds.market import Symbol, Timeframe


class Kind(enum.Enum):
    """How bars are written down."""

    CSV = "csv"  # compressed where the name ends in .gz
    PARQUET = "parquet"
    FEATHER = "feather"  # freqtrade's columns: date, open, high, low, close, volume
    BACKTRADER = "backtrader"  # CSV in the order of GenericCSVData, each bar stamped with its close as in a live feed


_SUFFIXES = {".csv": Kind.CSV, ".gz": Kind.CSV, ".parquet": Kind.PARQUET, ".pq": Kind.PARQUET, ".feather": Kind.FEATHER}
_NAME = re.compile(r"(?P<symbol>[^-]+)-(?P<count>\d+)(?P<unit>Mo|[smhdw])(-futures)?\.\w+")


def kind_of(path: PurePath, kind: str = "", *, default: Kind | None = None) -> Kind:
    """The kind that is named, or that the suffix tells, or else the default. Raises ConfigError where there is none."""
    try:
        found = Kind(kind) if kind else _SUFFIXES.get(path.suffix.lower(), default)
    except ValueError:
        found = None
    if found is None:
        raise ConfigError(
            f"{kind or path.name} does not name a format of files.",
            "Nothing was read or written.",
            f"The suffixes are .csv .csv.gz .parquet .feather; the formats {', '.join(kind.value for kind in Kind)}.",
        )
    return found


def freqtrade_name(symbol: Symbol, timeframe: Timeframe) -> str:
    """What freqtrade calls the file of a series."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", symbol)
    futures = "-futures" if ":" in symbol else ""
    return f"{plain}-{str(timeframe).replace('M', 'Mo')}{futures}.feather"


def named(path: PurePath) -> tuple[Symbol, Timeframe] | None:
    """The series that a file's name tells in freqtrade's way; None where it tells none."""
    found = _NAME.fullmatch(path.name)
    parts = found["symbol"].split("_") if found else []
    if found is None or not 1 <= len(parts) <= 3:
        return None
    text = parts[0] + "".join(mark + part for mark, part in zip("/:", parts[1:], strict=False))
    try:
        return Symbol(text), Timeframe.parse(found["count"] + found["unit"].replace("Mo", "M"))
    except ConfigError:
        return None
