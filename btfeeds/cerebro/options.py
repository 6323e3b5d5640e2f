"""What a feed may be told, checked before anything starts."""

from __future__ import annotations

import datetime as dt
import os
import re
from typing import Any

import backtrader as bt

from btfeeds.cerebro.hosted import HostedFeed
from btfeeds.cerebro.stamps import pair, parsed, timeframe, utc
from btfeeds.cerebro.zones import zone
from btfeeds.errors import ConfigError
from btfeeds.market import Timeframe, to_ms

_LONGEST_MS = 36_600 * 86_400_000


def settle(p: Any, *, framed: bool) -> None:
    """Bring a live feed's parameters into their one form. `framed`: the bars are in a DataFrame. Raises ConfigError."""
    settle_series(p, framed=framed)
    if p.gaps == "hold" and not p.backfill:
        raise _wrong("gaps", p.gaps, "What is held is waited for from history: leave backfill=True.")
    if p.resume is not None and not isinstance(p.resume, str | os.PathLike):
        raise _wrong("resume", p.resume, 'Write the path of a file, as in "state.json".')
    if p.resume is not None and p.backfill_from is not None:
        raise _wrong("resume", p.resume, "Give resume or backfill_from, not both: its bars would come again.")
    if p.backfill_from is not None and (p.historical or framed):
        raise ConfigError(
            "backfill_from does not go with a backtest: its bars come before live ones.",
            "Nothing was started.",
            "Leave it out, or backtest one DataFrame that has all the bars (pd.concat).",
        )
    if isinstance(p.backfill_from, HostedFeed) and p.backfill_from.islive():
        raise _wrong("backfill_from", p.backfill_from._name, "Its bars have to be there already: give no live feed.")
    _number("align", p.align, 0.0)
    _number("qcheck", p.qcheck, 0.0)
    _number("keep", p.keep, 0, whole=True)
    _number("buffer", p.buffer, 1, whole=True)
    for name in ("historical", "backfill_start", "backfill", "sandbox"):
        if not isinstance(getattr(p, name), bool):
            raise _wrong(name, getattr(p, name), "Write True or False.")
    if p.timeframe == bt.TimeFrame.Ticks:
        _check_ticks(p, framed)
    if p.historical and not framed and p.history is None and p.fromdate is None:
        raise _wrong("historical", True, 'Say from when: history="30d" or fromdate=…')
    if p.historical and not framed and not p.backfill_start:
        raise _wrong("backfill_start", False, "A backtest is history: leave backfill_start out.")


def settle_series(p: Any, *, framed: bool) -> None:
    """The parameters that say which bars are wanted, and how they are shown. Raises ConfigError."""
    if isinstance(p.timeframe, str | Timeframe):
        number, count = pair(parsed(p.timeframe))
        p.timeframe, p.compression = number, count * p.compression
    if p.timeframe is None:
        p.timeframe = bt.TimeFrame.Days if framed else bt.TimeFrame.Minutes
    if not framed:
        timeframe(p.timeframe, p.compression)
        if not isinstance(p.dataname, str):
            raise _wrong("dataname", p.dataname, 'Write the symbol, as in "BTC/USDT", or pass a DataFrame.')
        if p.venue is None:
            raise _wrong("venue", None, 'Name one, as in venue="binance", or use its class, as BinanceLiveDataFeed.')
    if p.stamp is None:
        p.stamp = "open" if framed else "close"
    if p.stamp not in ("open", "close"):
        raise _wrong("stamp", p.stamp, 'Write "close" or "open".')
    if p.gaps not in ("mark", "fill", "hold", "stop"):
        raise _wrong("gaps", p.gaps, 'Write "mark", "fill", "hold" or "stop".')
    check_warehouse(p.warehouse)
    zone(p.tz)
    zone(p.tzinput)
    if p.tzinput is not None and not framed:
        raise _wrong("tzinput", p.tzinput, "Bars of a venue are in UTC; leave it out, or use tz to see them in a zone.")
    _session(p)
    _dates(p)
    if p.history is not None:
        if p.fromdate is not None:
            raise _wrong("history", p.history, "Give history or fromdate, not both.")
        history_start(p.history, Timeframe(1, "m"), 0)


def _check_ticks(p: Any, framed: bool) -> None:
    """Single trades come live, one by one. Raises ConfigError for what speaks of their past, or of a grid of bars."""
    asked = {
        "A DataFrame": framed,
        "history=": p.history is not None,
        "fromdate=": p.fromdate is not None,
        "historical=True": p.historical,
        "warehouse=": p.warehouse is not None and p.warehouse is not False,
        "resume=": p.resume is not None,
        "backfill_from=": p.backfill_from is not None,
        f"gaps={p.gaps!r}": p.gaps != "mark",
        "align=": p.align > 0,
    }
    for name in [name for name, is_asked in asked.items() if is_asked]:
        raise ConfigError(
            f"{name} does not go with single trades (bt.TimeFrame.Ticks).",
            "Nothing was started.",
            "Ticks come live only, one by one, and there are no old ones: leave it out, or take bars of seconds.",
        )
    p.stamp = "close"  # of a trade both are the same instant


def check_missing(p: Any) -> None:
    """What a feed of the warehouse cannot have, and what to do about bars nobody was asked for. Raises ConfigError."""
    if p.timeframe == bt.TimeFrame.Ticks:
        raise _wrong("timeframe", "tick", "The warehouse has bars; single trades come live only.")
    if p.missing not in ("stop", "skip", "download"):
        raise _wrong("missing", p.missing, 'Write "stop", "skip" or "download".')
    if p.venue == "auto" and p.missing != "download":
        raise _wrong("venue", p.venue, 'Name a series of the warehouse, or let bars be fetched: missing="download".')


def check_warehouse(warehouse: Any) -> None:
    """Raises ConfigError for what cannot be one. One that is open is known by what it can do: it may be a stand-in."""
    if not (warehouse is None or isinstance(warehouse, str | os.PathLike | bool) or hasattr(warehouse, "missing")):
        raise _wrong("warehouse", warehouse, "Write a folder, a Warehouse, or True for the one of BTFEEDS_WAREHOUSE.")


def history_start(history: Any, frame: Timeframe, now: int) -> int | None:
    """The opening time of the first bar of history: "30d", "2h", a number of bars (or its text), or None."""
    if history is None:
        return None
    text = str(history).strip()
    if isinstance(history, dt.timedelta):
        return frame.floor(now - _reachable(history, history // dt.timedelta(milliseconds=1)))
    if isinstance(history, int | str) and not isinstance(history, bool):
        if re.fullmatch(r"\d{1,9}", text):
            _reachable(history, int(text) * frame.ms)
            return frame.back(frame.floor(now), int(text))
        if re.fullmatch(r"[1-9]\d{0,4}[smhdwM]", text):
            return frame.floor(now - Timeframe.parse(text).ms)
    raise _wrong("history", history, 'Write a time as in "30d" or "2h", or a number of bars.')


def _reachable(history: Any, ms: int) -> int:
    if ms > _LONGEST_MS:
        raise _wrong("history", history, "Give less than a hundred years.")
    return ms


def sandbox_hosts(p: Any) -> tuple[str, str]:
    """The hosts a feed names. A sandbox has to be named: known test hosts are venues of their own."""
    if p.sandbox and not (p.rest_url and p.stream_url):
        advice = "Name the test hosts with rest_url and stream_url, or take a venue of them, such as binancetestnet."
        raise _wrong("sandbox", True, advice)
    return p.rest_url, p.stream_url


def sandbox_series(venue: str) -> str:
    """Under which name a warehouse keeps the bars of a venue's test hosts: they are not the venue's."""
    return f"{venue} sandbox"


def _session(p: Any) -> None:
    for name in ("sessionstart", "sessionend"):
        value = getattr(p, name)
        if value is not None and not isinstance(value, dt.time | dt.datetime):
            raise _wrong(name, value, "Write a time: datetime.time(9, 30).")


def _dates(p: Any) -> None:
    if isinstance(p.todate, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", p.todate.strip()):
        to_ms(p.todate.strip())  # raises for a day that there is not
        p.todate = dt.date.fromisoformat(p.todate.strip())
    for name in ("fromdate", "todate"):
        value = getattr(p, name)
        if isinstance(value, str | int | float):
            setattr(p, name, utc(to_ms(value)).replace(tzinfo=dt.UTC))
        elif value is not None and not isinstance(value, dt.date):
            raise _wrong(name, value, "Write a date, a datetime or ISO text.")
    day = p.todate
    if isinstance(day, dt.date) and not isinstance(day, dt.datetime) and p.stamp == "close" and p.sessionend is None:
        # the last bar of a day is stamped with the next midnight
        p.todate = dt.datetime(day.year, day.month, day.day) + dt.timedelta(days=1)


def _number(name: str, value: Any, least: float, *, whole: bool = False) -> None:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < float("inf"):
        raise _wrong(name, value, f"Write a{' whole' if whole else ''} number from {least} upwards.")


def _wrong(name: str, value: Any, advice: str) -> ConfigError:
    return ConfigError(f"{name}={value!r} cannot be.", "Nothing was started.", advice)
