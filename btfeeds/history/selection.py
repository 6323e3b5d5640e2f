"""Who can be asked for a symbol, and who of them first: rules, then what is known of how they answer.

A provider that cannot be asked (no key is set, it does not know the timeframe, it cannot spell the symbol) is passed
over before any request. Nothing of this is silent: who was passed over is in the error when nobody is left, and every
change of provider in mid-download is an event (monitor.ProviderChanged).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise

from btfeeds import settings
from btfeeds.errors import BtfeedsError, ConfigError, UnsupportedTimeframe
from btfeeds.history.downloader import DataDownloaderFactory, canonical, offered
from btfeeds.history.kinds import SHARES, classify
from btfeeds.history.reliability import Reliability
from btfeeds.history.rules import parse, providers
from btfeeds.market import Symbol, Timeframe, TimeRange
from btfeeds.venues.base import Provider

_DAY = TimeRange(0, 86_400_000)


class Selection:
    """Chooses providers by their names. `rules` as in history.rules; "" means BTFEEDS_PROVIDERS."""

    def __init__(self, reliability: Reliability, rules: str = "") -> None:
        self._reliability = reliability
        self._rules = parse(settings.providers(rules), canonical)

    def candidates(self, symbol: Symbol, timeframe: Timeframe) -> list[str]:
        """Who can be asked, best first, at least one. Raises ConfigError."""
        able: list[str] = []
        adjusted = ""
        passed_over: list[str] = []
        for name in self._reliability.ordered(self._known(symbol)):
            made, why = _able(name, symbol, timeframe)
            if made is None:
                passed_over.append(why)
                continue
            # bars of shares with splits worked in do not go on where bars without them end
            own = made.adjusted if classify(symbol) in SHARES else ""
            adjusted = adjusted or own
            if own in ("", adjusted):
                able.append(name)
            else:
                passed_over.append(f"{made.title} has bars with other adjustments than {able[0]}")
        if not able:
            raise ConfigError(
                f"Nobody can be asked for {symbol} {timeframe} ({classify(symbol).value}): {'; '.join(passed_over)}.",
                "Nothing was started.",
                "Name a provider, set its key, or write a rule in BTFEEDS_PROVIDERS.",
            )
        return able

    def _known(self, symbol: Symbol) -> list[str]:
        known = set(DataDownloaderFactory.names())
        return [name for name in providers(symbol, self._rules) if name in known]


def _able(name: str, symbol: Symbol, timeframe: Timeframe) -> tuple[Provider | None, str]:
    """The provider, or why it cannot be asked."""
    try:
        made = offered(name)
        made.native_symbol(symbol)
        _check_timeframe(made, symbol, timeframe)
    except BtfeedsError as error:
        return None, error.what.rstrip(".")
    return made, ""


def _check_timeframe(made: Provider, symbol: Symbol, timeframe: Timeframe) -> None:
    try:
        made.base_timeframe(timeframe)
    except UnsupportedTimeframe:
        if made.trades_request(symbol, _DAY) is None:
            raise


def turn(names: list[str], reach: Mapping[str, int], at: int, end: int) -> tuple[str, int]:
    """Whose turn it is at `at`, and until when: the first that reaches back so far, until one before it does, too.

    `reach` are the oldest opening times there are (none: no limit). Where nobody reaches back so far, the first one is
    asked, and says so.
    """
    for place, name in enumerate(names):
        if reach.get(name, at) <= at:
            before = (reach[other] for other in names[:place] if other in reach)
            return name, min([end, *(time for time in before if at < time)])
    return names[0], end


def assigned(span: TimeRange, held: list[tuple[str, list[TimeRange]]]) -> Iterator[tuple[TimeRange, str]]:
    """`span` in ascending pieces, and who has each on disk: the first of those that do, "" where nobody does."""
    edges = {span.start, span.end}
    for _, spans in held:
        edges.update(edge for one in spans for edge in (one.start, one.end) if span.start < edge < span.end)
    cuts = sorted(edges)
    last: tuple[TimeRange, str] | None = None
    for start, end in pairwise(cuts):
        owner = next((name for name, spans in held if _among(spans, start)), "")
        if last is not None and last[1] == owner:
            last = (TimeRange(last[0].start, end), owner)
        else:
            if last is not None:
                yield last
            last = (TimeRange(start, end), owner)
    if last is not None and last[0]:
        yield last


def _among(spans: list[TimeRange], time: int) -> bool:
    """Whether `time` lies in one of `spans`, which ascend and lie apart."""
    place = bisect_right(spans, time, key=lambda one: one.start)
    return place > 0 and time in spans[place - 1]
