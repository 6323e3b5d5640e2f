"""Filling a warehouse with one series: what is missing of a span is downloaded, page by page, and the result is told.

Every page is on the disk before the next is asked for, so a fetch can be killed at any time and goes on from there.
What was asked for is noted as well: a fetch that did not come to its end can be resumed without being told again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from btfeeds import inventory
from btfeeds.errors import BtfeedsError, ConfigError, HistoryIncomplete, WarehouseError
from btfeeds.history.derived import MINUTE, Derived, makes
from btfeeds.history.ranges import subtract, union, whole
from btfeeds.manager import DataManager, series_venue
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.findings import Report
from btfeeds.warehouse.gapreport import Cause, GapReport


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be had: `provider` may be "auto"; `larger` timeframes are made of the minutes."""

    provider: str
    symbol: Symbol
    timeframe: Timeframe
    span: TimeRange
    larger: tuple[Timeframe, ...] = ()

    def __str__(self) -> str:
        return f"{self.provider} {self.symbol} {self.timeframe}"


@dataclass(slots=True)
class Fetched:
    """How far it is, and what it came to. `done` is the share of the span that is dealt with, 0 to 1."""

    wish: Wish
    done: float = 0.0
    pages: int = 0
    bars: int = 0
    larger: dict[str, int] = field(default_factory=dict)
    origin: list[tuple[TimeRange, str]] = field(default_factory=list)  # in whose series the span lies now
    missing: list[TimeRange] = field(default_factory=list)
    unpublished: list[TimeRange] = field(default_factory=list)  # of a provider that is late, see Provider.delay_ms
    gaps: GapReport | None = None
    quality: Report | None = None
    error: BtfeedsError | None = None
    seconds: float = 0.0

    def json(self) -> dict[str, Any]:
        wish = self.wish
        return {
            "type": "fetched", "provider": wish.provider, "symbol": wish.symbol, "timeframe": str(wish.timeframe),
            "start": wish.span.start, "end": wish.span.end, "pages": self.pages, "bars": self.bars,
            "origin": [{"start": one.start, "end": one.end, "provider": name} for one, name in self.origin],
            "missing": [{"start": one.start, "end": one.end} for one in self.missing],
            "unpublished": [{"start": one.start, "end": one.end} for one in self.unpublished],
            "present": self.gaps.present if self.gaps else None,
            "gaps": {cause.value: self.gaps.bars(cause) for cause in Cause} if self.gaps else None,
            "score": self.quality.score if self.quality else None,
            "larger": self.larger, "seconds": round(self.seconds, 3),
            "error": self.error.line() if self.error else None,
        }  # fmt: skip


def fetch(
    manager: DataManager,
    warehouse: Warehouse,
    wish: Wish,
    *,
    report: Callable[[Fetched], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    resumable: bool = True,
) -> Fetched:
    """Have a wish come true, as far as it can. What the provider or the network says is in the result, not raised;
    the errors of the warehouse are raised: without it nothing is worth downloading.

    Until it has come true it is noted, if `resumable`, together with what an earlier fetch has left over.
    """
    begun = time.monotonic()
    result = Fetched(wish)
    before = _noted(warehouse, wish)
    if resumable:
        _note(warehouse, wish if before is None else _joined(before, wish))
    filled: list[tuple[str, TimeRange]] = []
    try:
        for had in manager.fill(wish.provider, wish.symbol, wish.timeframe, wish.span, cancelled=cancelled):
            result.pages += 1
            result.bars += len(had.page.bars)
            done = (had.page.span.end - wish.span.start) / (wish.span.end - wish.span.start)
            result.done = max(result.done, done)
            result.seconds = time.monotonic() - begun
            filled.append((series_venue(had.provider), had.page.span))
            report(result)
    except HistoryIncomplete as error:
        result.error = error
        result.missing = [TimeRange(*one) for one in error.missing]
    except BtfeedsError as error:
        if isinstance(error, WarehouseError) or cancelled():
            raise
        result.error = error
        result.missing = manager.missing(wish.provider, wish.symbol, wish.timeframe, wish.span)
    plan = manager.plan(wish.provider, wish.symbol, wish.timeframe, wish.span)
    result.origin = [(piece, series_venue(owner)) for piece, owner in plan if owner]
    if result.error is None:
        result.unpublished = _unpublished(manager, wish, [piece for piece, owner in plan if not owner])
    _make_larger(warehouse, result, filled)
    _take_stock(warehouse, result)
    if result.error is None:
        if resumable:
            _settle(manager, warehouse, wish, before)
        result.done = 1.0
    result.seconds = time.monotonic() - begun
    report(result)
    return result


def note(warehouse: Warehouse, wishes: Iterable[Wish]) -> None:
    """That they are to come true, also those that have to wait for others; each `fetch` says it of its own."""
    for wish in wishes:
        if _noted(warehouse, wish) is None:
            _note(warehouse, wish)


def interrupted(warehouse: Warehouse, provider: str, symbol: Symbol, timeframe: Timeframe) -> TimeRange:
    """What a fetch that did not come to its end was to have. Raises ConfigError where there is none."""
    return left_over(warehouse, provider, symbol, timeframe).span


def left_over(warehouse: Warehouse, provider: str, symbol: Symbol, timeframe: Timeframe) -> Wish:
    """The wish of a fetch that did not come to its end. Raises ConfigError where there is none."""
    wish = Wish(provider, symbol, timeframe, TimeRange(0, 0))
    noted = _noted(warehouse, wish)
    if noted is None:
        raise ConfigError(
            f"No fetch of {wish} was interrupted.", "Nothing was started.", "Say what is wanted with --from and --to."
        )
    return noted


def check_larger(timeframe: Timeframe, larger: Sequence[Timeframe], symbols: Sequence[Symbol] = ()) -> None:
    """Raises ConfigError where larger bars cannot be made, or not of these symbols."""
    for one in larger:
        if timeframe != MINUTE or one == MINUTE or not one.holds(MINUTE):
            raise ConfigError(
                f"Bars of {one} cannot be made of bars of {timeframe}.",
                "Nothing was started.",
                "Larger bars are made of minutes: fetch 1m, and name timeframes above it.",
            )
        for symbol in symbols:
            if not makes(symbol, one):
                raise ConfigError(
                    f"Bars of {one} of {symbol} cannot be made of its minutes: its days are not those of UTC.",
                    "Nothing was started.",
                    f"Fetch the venue's own: btfeeds fetch … {symbol} 1d. Larger bars below a day can be made.",
                )


def _unpublished(manager: DataManager, wish: Wish, unanswered: list[TimeRange]) -> list[TimeRange]:
    """What of the `unanswered` is still to come, where everybody who can be asked is late (Provider.delay_ms)."""
    asked = [manager.history(name).provider for name in manager.candidates(wish.provider, wish.symbol, wish.timeframe)]
    if not all(provider.delay_ms for provider in asked):
        return []
    over = wish.timeframe.floor(wish.span.end)  # a bar that is not closed is awaited of everybody
    return union(TimeRange(one.start, min(one.end, over)) for one in unanswered)


def _make_larger(warehouse: Warehouse, result: Fetched, filled: list[tuple[str, TimeRange]]) -> None:
    wish, derived = result.wish, Derived(warehouse)
    for owner in dict.fromkeys(name for _, name in result.origin):
        for timeframe in wish.larger:
            wanted = Subscription(owner, wish.symbol, timeframe)
            made = derived.make(wanted, [whole(wish.span, timeframe)])
            result.larger[str(timeframe)] = result.larger.get(str(timeframe), 0) + made
        added = union(span for name, span in filled if name == owner)
        derived.follow(Subscription(owner, wish.symbol, wish.timeframe), added)


def _take_stock(warehouse: Warehouse, result: Fetched) -> None:
    wish = result.wish
    owners = {owner for _, owner in result.origin}
    if len(owners) == 1:  # of several, each has its own series
        series = Subscription(owners.pop(), wish.symbol, wish.timeframe)
        asked = TimeRange(wish.span.start, max(piece.end for piece, _ in result.origin))
        result.gaps = inventory.gaps(warehouse, series, asked)
        result.quality = inventory.validated(warehouse, series, asked).joined(result.gaps.finding())


# --- what is noted until it is had -----------------------------------------------------------------------------------


def _key(wish: Wish) -> str:
    return f"fetch {wish}"


def _noted(warehouse: Warehouse, wish: Wish) -> Wish | None:
    """What is noted of the same series, asked of the same provider."""
    noted = warehouse.checkpoint(_key(wish))
    if noted is None:
        return None
    larger = tuple(Timeframe.parse(text) for text in noted.get("larger", ()))
    return replace(wish, span=TimeRange(int(noted["start"]), int(noted["end"])), larger=larger)


def _note(warehouse: Warehouse, wish: Wish) -> None:
    noted = {"start": wish.span.start, "end": wish.span.end, "larger": [str(one) for one in wish.larger]}
    warehouse.set_checkpoint(_key(wish), noted)


def _joined(before: Wish, wish: Wish) -> Wish:
    """One wish for both, and for what lies between them."""
    span = TimeRange(min(before.span.start, wish.span.start), max(before.span.end, wish.span.end))
    return replace(wish, span=span, larger=tuple(dict.fromkeys((*before.larger, *wish.larger))))


def _settle(manager: DataManager, warehouse: Warehouse, wish: Wish, before: Wish | None) -> None:
    """A wish has come true. What was noted `before` stays noted where it is not had with it."""
    others = [] if before is None else subtract([before.span], [wish.span])
    left = any(manager.missing(wish.provider, wish.symbol, wish.timeframe, other) for other in others)
    if before is not None and (left or not set(before.larger) <= set(wish.larger)):
        _note(warehouse, before)
    else:
        warehouse.set_checkpoint(_key(wish), None)
