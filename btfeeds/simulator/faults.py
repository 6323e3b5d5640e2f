"""What can go wrong at a venue, by name: `NAME@WHEN[:ARG]`, as in cut@60s, close@5m:1012, mute@150s:BTC/USDT,10m.

WHEN counts from the simulator's first live bar, on its own clock. Durations are written 1500ms, 60s, 5m or 1h; a
number alone is seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from btfeeds.errors import SimulatorError

FAULTS: Mapping[str, str] = {
    "cut": "[:rst|fin] every connection breaks without a word: reset (rst), or closed by TCP alone (fin)",
    "close": "[:CODE] every connection is closed with that code (1001)",
    "silence": "[:FOR] the open connections stay open, and nothing is read or sent on them any more (for ever)",
    "mute": "[:SYMBOL[,FOR]] one symbol's subscriptions (or all) go dead until they are made anew, or for a time",
    "duplicate": "the next closed bar is sent twice; so is the next trade",
    "reorder": "the next closed bar is sent behind the one that follows it",
    "unfinished": "a bar is flagged as closed while it is still forming; its true end follows",
    "delay": "[:BY] the next closed bar is sent that much later (10s)",
    "correct": "[:BY] the next closed bar lacks its last trade, and its correction follows that much later (30s), "
    "where the venue sends any",
    "drip": "[:FOR] what is sent arrives a few bytes at a time (30s)",
    "rest_lag": "[:BY] from now on REST shows the market as it was that long ago (5s; 0s ends it)",
    "rate_limit": "[:RETRY_AFTER] every request is answered with 429 for that long (10s)",
    "ban": "[:RETRY_AFTER] every request and every new connection is answered with 418 for that long (2m)",
    "unavailable": "[:FOR] every request and every new connection is answered with 503 (30s)",
    "html": "[:FOR] every request is answered with 502 and a page of HTML (10s)",
    "short_pages": "[:FOR] an answer holds a third of the bars that it may (for ever)",
    "overlap": "[:FOR] an answer begins with the bar before the first one that was asked for (for ever)",
    "region_block": "[:FOR] every request and every new connection is answered with 451 (for ever)",
    "malformed": "the next closed bar arrives as half a frame of JSON; so does the next trade",
    "shutdown_notice": "[:IN] the venue says that it will shut down, and closes every connection after that time (10s)",
}

FOREVER = 0
_DURATIONS = {  # ms when no ARG is given
    "silence": FOREVER,
    "delay": 10_000,
    "correct": 30_000,
    "drip": 30_000,
    "rest_lag": 5_000,
    "rate_limit": 10_000,
    "ban": 120_000,
    "unavailable": 30_000,
    "html": 10_000,
    "short_pages": FOREVER,
    "overlap": FOREVER,
    "region_block": FOREVER,
    "shutdown_notice": 10_000,
}
_UNITS = {"ms": 1, "": 1_000, "s": 1_000, "m": 60_000, "h": 3_600_000}
# codes that may travel in a close frame (RFC 6455, 7.4)
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, to happen `when` ms after the first live bar opened. What its name does not need stays empty."""

    name: str
    when: int = 0
    duration: int = FOREVER
    symbol: str = ""
    code: int = 1001
    way: str = "rst"


def parse(text: str | Fault, *, scheduled: bool = True) -> Fault:
    """From `NAME@WHEN[:ARG]`, or from `NAME[:ARG]` when not `scheduled`. Raises SimulatorError."""
    if isinstance(text, Fault):
        return text
    head, colon, argument = text.strip().partition(":")
    name, at, when = head.partition("@")
    if name not in FAULTS:
        raise _bad(f"There is no fault {name!r}.")
    if bool(at) != scheduled:
        raise _bad(f"The fault {text!r} does not say when." if scheduled else f"{text!r} is to happen now, not later.")
    if colon and not argument:
        raise _bad(f"The fault {text!r} ends with a colon and nothing behind it.")
    time = _duration(when, text) if scheduled else 0
    if not argument:
        return Fault(name, time, _DURATIONS.get(name, FOREVER))
    if name == "cut" and argument in ("rst", "fin"):
        return Fault(name, time, way=argument)
    if name == "close" and argument.isdigit() and int(argument) in _CLOSE_CODES:
        return Fault(name, time, code=int(argument))
    if name == "mute":
        symbol, comma, span = argument.partition(",")
        return Fault(name, time, _duration(span, text) if comma else FOREVER, symbol)
    if name in _DURATIONS:
        return Fault(name, time, _duration(argument, text))
    raise _bad(f"The fault {text!r} cannot have {argument!r}: {name} {FAULTS[name]}.")


def _duration(text: str, whole: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text)
    if not match:
        raise _bad(f"{text!r} in the fault {whole!r} is no time; write 1500ms, 60s, 5m or 1h.")
    return round(float(match[1]) * _UNITS[match[2]])


def _bad(what: str) -> SimulatorError:
    return SimulatorError(
        what, "Nothing was started.", f"Write NAME@WHEN[:ARG], as in cut@60s. Names: {', '.join(FAULTS)}."
    )
