"""Which file a bar belongs to, and what it is called. Pure.

A file holds a month up to 1m, a year below 1d, and everything from 1d on: a day is then read from one small file
however long the series is. Folders are `venue/symbol/timeframe`, written so that no file system confuses two of them:
some do not tell 1m from 1M, some know no colon, some no file called AUX.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange, to_ms

_MINUTE = 60_000
_DAY = 86_400_000
_OLD = 7 * _DAY  # a period that ended so long ago is sealed with the gaps it has
EVER = TimeRange(to_ms(dt.date(1, 1, 1)), to_ms(dt.date(9999, 12, 31)))

# names that Windows keeps for devices, with or without something behind a dot
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|COM\d|LPT\d)(?:\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Period:
    """What one sealed file holds: the bars that open in `span`."""

    label: str
    span: TimeRange


def period(timeframe: Timeframe, time: int) -> Period:
    """The period in which `time` lies."""
    if timeframe.ms >= _DAY:
        return Period("all", EVER)
    moment = dt.datetime.fromtimestamp(time // 1000, dt.UTC)
    return _month(moment.year, moment.month) if timeframe.ms <= _MINUTE else _year(moment.year)


@lru_cache(maxsize=64)  # a live feed asks with each bar
def _month(year: int, month: int) -> Period:
    behind = dt.date(year + month // 12, month % 12 + 1, 1)
    return Period(f"{year:04}-{month:02}", TimeRange(to_ms(dt.date(year, month, 1)), to_ms(behind)))


@lru_cache(maxsize=64)
def _year(year: int) -> Period:
    return Period(f"{year:04}", TimeRange(to_ms(dt.date(year, 1, 1)), to_ms(dt.date(year + 1, 1, 1))))


def periods(timeframe: Timeframe, span: TimeRange) -> list[Period]:
    """The periods that share an instant with `span`, ascending."""
    found: list[Period] = []
    time = span.start
    while time < span.end:
        found.append(period(timeframe, time))
        time = found[-1].span.end
    return found


def touched(timeframe: Timeframe, spans: Iterable[TimeRange]) -> list[Period]:
    """The periods that share an instant with one of ascending `spans`, each once: thousands may lie in one month."""
    found: list[Period] = []
    for span in spans:
        if not found or span.end > found[-1].span.end:
            behind = TimeRange(max(span.start, found[-1].span.end), span.end) if found else span
            found += periods(timeframe, behind)
    return found


def due(one: Period, covered: list[TimeRange], now: int) -> bool:
    """Whether a period is to be sealed: closed, and either wholly `covered` or old. What has no end is always due."""
    if one.span == EVER:
        return True
    if one.span.end > now:
        return False
    return one.span.end <= now - _OLD or complete(one, covered)


def complete(one: Period, covered: list[TimeRange]) -> bool:
    """Whether a period lies wholly in one of the spans that are covered (apart from each other)."""
    return any(span.start <= one.span.start and one.span.end <= span.end for span in covered)


def folder(subscription: Subscription) -> str:
    """Where the files of a series are: "binance/BTC~2FUSDT~3AUSDT/1mo"."""
    timeframe = subscription.timeframe
    length = f"{timeframe.count}mo" if timeframe.unit == "M" else str(timeframe)
    return f"{_escape(subscription.venue, 'a-z')}/{_escape(subscription.symbol, 'A-Z')}/{length}"


def subscription(folder: str) -> Subscription:
    """The series whose files are in `folder`: the reverse of `folder`."""
    venue, symbol, length = folder.split("/")
    timeframe = Timeframe.parse(length.removesuffix("o") if length.endswith("mo") else length)
    if length.endswith("mo"):
        timeframe = Timeframe(timeframe.count, "M")
    return Subscription(_unescape(venue), Symbol(_unescape(symbol)), timeframe)


def file_name(one: Period, checksum: str) -> str:
    """A file's name. It changes with what is in it, so a file that a reader has open is never written to."""
    return f"{one.label}.{checksum[:16]}.parquet"


def _escape(text: str, letters: str) -> str:
    """Letters of the other case, and all that is special somewhere, as ~ and the two hex digits of each byte."""
    text = re.sub(rf"[^{letters}0-9_.-]|^\.|\.$", lambda found: _hex(found[0]), text)
    return _hex(text[0]) + text[1:] if _DEVICE.fullmatch(text) else text


def _hex(letter: str) -> str:
    return "".join(f"~{byte:02X}" for byte in letter.encode())


def _unescape(text: str) -> str:
    # each run of escaped bytes is decoded as a whole: a letter may be several bytes
    return re.sub(r"(?:~[0-9A-F]{2})+", lambda found: bytes.fromhex(found[0].replace("~", "")).decode(), text)
