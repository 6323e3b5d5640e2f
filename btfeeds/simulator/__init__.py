"""A venue on this machine that speaks the venue's real protocol, from a file of bars, with faults on demand.

    with btfeeds.simulator.serve("binance", "bars.csv.gz", symbol="BTC/USDT", speed=60) as sim:
        feed = btfeeds.live("binance", "BTC/USDT", "1m", rest_url=sim.rest_url, stream_url=sim.stream_url, …)

`attach(url)` finds one that runs in another process, and its clock.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from btfeeds import barfile
from btfeeds.clock import Clock, ManualClock, ScaledClock
from btfeeds.errors import SimulatorError
from btfeeds.market import Symbol
from btfeeds.simulator.attach import Attached, attach
from btfeeds.simulator.engine import Engine, Entry
from btfeeds.simulator.faults import FAULTS, Fault, parse
from btfeeds.simulator.market import Market
from btfeeds.simulator.server import Simulator
from btfeeds.venues import canonical

if TYPE_CHECKING:
    from btfeeds.barfile import Source

__all__ = ["FAULTS", "Attached", "Entry", "Fault", "Simulator", "attach", "serve"]

# Whose dialects there are: the module here and its class, made with the host's name and the markets by BASEQUOTE.
_DIALECTS: Mapping[str, tuple[str, str]] = {
    "binance": ("binance", "Binance"),
    "binanceus": ("binance", "Binance"),
    "binanceusdm": ("binance", "Binance"),
    "kraken": ("kraken", "Kraken"),
    "krakenbeta": ("kraken", "Kraken"),
    "coinbase": ("coinbase", "Coinbase"),
    "coinbasesandbox": ("coinbase", "Coinbase"),
    "coinbaseadvanced": ("coinbaseadvanced", "CoinbaseAdvanced"),
    **dict.fromkeys(("bybit", "bybitlinear", "bybitinverse"), ("bybit", "Bybit")),
    "okx": ("okx", "OKX"),
    **dict.fromkeys(("alpaca", "alpacasip", "alpacatest", "alpacacrypto"), ("alpaca", "Alpaca")),
}


def serve(
    venue: str,
    bars: Source | Mapping[str, Source],
    *,
    symbol: str | None = None,
    history: int = 500,
    speed: float = 1.0,
    port: int = 0,
    faults: Iterable[str | Fault] = (),
    tls: bool = False,
    seed: int = 0,
    clock: Clock | None = None,
    delay: int = 27,
    quiet: str = "silent",
) -> Simulator:
    """Serve `bars` (a file, a DataFrame, a list, or one of these for each symbol) as that venue would.

    The first live bar opens where `history` bars of the (first) file lie in the past. Time runs `speed` times as fast
    as the wall, or on `clock`; on a ManualClock nothing happens until `step` or `run_until`. `delay` is how many ms
    behind its close a closed bar is sent. A bar without trades is in history alone; `quiet="flat"` streams it too.

    Raises BadBarFile, PortInUse, SimulatorError, MissingExtra.
    """
    name = canonical(venue)
    if name not in _DIALECTS:
        raise _bad(f"There is no simulator of {venue!r}.", f"Choose one of: {', '.join(_DIALECTS)}.")
    if not 0 < speed < math.inf or delay < 0 or history < 0:
        raise _bad("speed must be a number above 0; delay and history not below it.", "Correct the arguments.")
    if quiet not in ("silent", "flat"):
        raise _bad(f"quiet cannot be {quiet!r}.", 'Choose "silent" or "flat".')
    parsed = [parse(fault) for fault in faults]
    sources = bars if isinstance(bars, Mapping) else {symbol or "BTC/USDT": bars}
    markets: dict[str, Market] = {}
    for text, source in sources.items():
        listed = Symbol(text)
        content = barfile.read(source)
        markets[f"{listed.base}{listed.quote}"] = Market(listed, content.bars, content.timeframe, seed)
    if not markets:
        raise _bad("There are no bars to serve.", "Give at least one file.")
    first = next(iter(markets.values()))
    opens = first.opens(first.timeframe)
    if history >= len(opens):
        raise _bad(
            f"Of {len(opens)} bars {history} cannot lie in the past and one be live.",
            f"Choose a history of {len(opens) - 1} or less, or a longer file.",
        )
    start = opens[history]
    clock = clock or ScaledClock(start, speed)
    if isinstance(clock, ManualClock) and clock.now() < start:
        clock.set(start)
    module, dialect = _DIALECTS[name]
    made = getattr(importlib.import_module(f"btfeeds.simulator.{module}"), dialect)(name, markets)
    engine = Engine(made, start, clock.speed, delay=delay, quiet=quiet)
    for fault in parsed:
        engine.schedule(fault)
    return Simulator(engine, clock, port=port, tls=tls)


def _bad(what: str, advice: str) -> SimulatorError:
    return SimulatorError(what, "Nothing was started.", advice)
