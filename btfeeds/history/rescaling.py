"""Series that are given with splits worked in: a split changes all of their past, and what is on disk has the former
scale.

Such a series is looked at once a day before it is continued: is a bar on disk still what the provider gives for that
time? A bar that was fetched before the last look, since what came later may have the new scale already. If its prices
are a multiple of what they were, the bars on disk are forgotten, so that they are asked for again; two scales in one
series would be a jump that nobody has traded. When the last look was is kept in the warehouse.

In a warehouse that is only read nothing can be forgotten or noted: there it is remembered as long as the process lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from btfeeds import monitor
from btfeeds.errors import WarehouseError
from btfeeds.history.derived import MINUTE, Derived, provider
from btfeeds.history.kinds import SHARES, classify
from btfeeds.market import Bar, Subscription, Symbol, TimeRange
from btfeeds.venues.base import Provider

if TYPE_CHECKING:
    from btfeeds.warehouse import Warehouse
    from btfeeds.warehouse.items import Provenance

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000  # so exactly is it known when a bar was fetched
_CORRECTION = 0.02  # less than this is no split: a correction, or a rounding
_ALIKE = 0.005  # how far the ratios of the four prices may lie apart
_TRIES = 3  # bars that are asked for until the provider has one of them
_CHUNK = 1_000  # bars whose origin is looked up at once, at first
_EVER = TimeRange(-(2**62), 2**62)


class Rescaling:
    """Looks at the adjusted series of one provider. May be used from several threads."""

    def __init__(self, warehouse: Warehouse, provider: Provider) -> None:
        self._warehouse = warehouse
        self._provider = provider
        self._looked: dict[Subscription, int] = {}  # what a warehouse that is only read cannot note
        self._former: dict[Subscription, list[TimeRange]] = {}  # and what it cannot forget

    def concerns(self, series: Subscription) -> bool:
        """Whether a split changes the past of `series`."""
        return classify(series.symbol) in SHARES and adjusts(self._provider, series.symbol)

    def former(self, series: Subscription) -> list[TimeRange]:
        """Where bars on disk do not count, which a warehouse that is only read cannot forget."""
        return self._former.get(series, [])

    def distrust(self, series: Subscription) -> None:
        """No look can be taken at bars of a warehouse that is only read: for this process, they do not count."""
        self._former[series] = [_EVER]

    def mixed(self, series: Subscription) -> WarehouseError:
        """What there is to say when bars that were handed out already do not count any more."""
        did = "The reading ended there: two scales are not mixed."
        if self.former(series) == [_EVER]:
            return WarehouseError(
                f"{series}: while it was read, a damaged file was met; whether its bars on disk have prices of before "
                "a split cannot be said without it.",
                did,
                "Mend the warehouse with `btfeeds warehouse repair`.",
            )
        return WarehouseError(
            f"{series}: while it was read, its bars on disk turned out to have prices of before a split.",
            did,
            "Read it again: all of it is asked for anew.",
        )

    def check(
        self, series: Subscription, now: int, reach: int | None, ask: Callable[[TimeRange], list[Bar]]
    ) -> bool:
        """Whether bars of `series` are forgotten now because their scale is an old one; told as PricesRescaled.

        `reach` is the oldest opening time that can be asked for. `ask` gives the provider's bars of a span, or none of
        those it has no more. Raises its errors, and those of the warehouse; then the look is still to be taken.
        """
        known = self._warehouse.get(series)
        if known is None or not known.rows or known.last < (reach or known.last):
            return False
        noted = self._warehouse.checkpoint(_key(series)) or {}
        looked = int(noted.get("looked", 0))
        if looked > self._looked.get(series, 0):  # another process has looked since, and could write
            self._former.pop(series, None)
        looked = max(looked, self._looked.get(series, 0))
        looked = looked if looked <= now else 0  # a clock that was ahead
        if now - looked < _DAY_MS:
            return False
        start = known.first if reach is None else max(known.first, series.timeframe.ceil(reach))
        end = series.timeframe.close(known.last)
        behind = end
        for _ in range(_TRIES):
            found = self._fetched_before(series, TimeRange(start, behind), looked)
            if found is None:
                if behind == end:  # imported, all of it
                    self._note(series, now)
                return False
            bar, fetched = found
            if now - fetched < _DAY_MS:  # so are all others: there was nothing to look at before
                self._note(series, fetched)
                return False
            held, fresh = self._warehouse.bars(series, bar), ask(bar)
            if held and fresh:
                ratio = factor(held[0], fresh[0])
                if ratio != 1.0:
                    self._forget(series, TimeRange(start, end), ratio, known.rows)
                self._note(series, now)
                return ratio != 1.0
            behind = bar.start
        return False

    def _fetched_before(self, series: Subscription, span: TimeRange, looked: int) -> tuple[TimeRange, int] | None:
        """The last bar in `span` that an adjusting provider gave before the last look, or else the one given first.

        With it when it was fetched; None where no such bar is.
        """
        found: tuple[TimeRange, int] | None = None
        end, count = span.end, _CHUNK
        while end > span.start:
            begin = max(span.start, series.timeframe.back(end, count))
            for run, origin in reversed(self._warehouse.origin(series, TimeRange(begin, end))):
                if not self._ours(series, origin):
                    continue
                bar = TimeRange(series.timeframe.floor(run.end - 1), run.end)
                fetched = self._fetched(series, bar, origin)
                if found is None or fetched < found[1]:
                    found = bar, fetched
                    if fetched // _HOUR_MS < looked // _HOUR_MS:
                        return found
            end, count = begin, count * 4
        return found

    def _fetched(self, series: Subscription, bar: TimeRange, origin: Provenance) -> int:
        """When a bar was given; of one that was made here, its minutes: they have the scale of that time."""
        if origin.provider != provider(series.venue):
            return origin.fetched
        minutes = self._warehouse.origin(Subscription(series.venue, series.symbol, MINUTE), bar)
        return min((one.fetched for _, one in minutes), default=origin.fetched)

    def _forget(self, series: Subscription, span: TimeRange, ratio: float, rows: int) -> None:
        ours = self._given(series, span)
        if self._warehouse.readonly:
            gone = sum(len(self._warehouse.rows(series, each)) for each in ours)
            self._former[series] = ours
        else:
            gone = sum(self._warehouse.forget(series, each) for each in ours)
            Derived(self._warehouse).correct(series, ours, gone=True)
        monitor.publish(
            monitor.PricesRescaled(
                series.venue, str(series), round(ratio, 6), ours[0].start, ours[-1].end, rows - gone
            )
        )

    def _note(self, series: Subscription, looked: int) -> None:
        if self._warehouse.readonly:
            self._looked[series] = looked
        else:
            self._warehouse.set_checkpoint(_key(series), {"looked": looked})

    def _given(self, series: Subscription, span: TimeRange) -> list[TimeRange]:
        """Where bars lie that an adjusting provider gave; those of an import cannot be asked for again."""
        runs: list[TimeRange] = []
        joins = False
        for one, origin in self._warehouse.origin(series, span):
            ours = self._ours(series, origin)
            if ours and joins:
                runs[-1] = TimeRange(runs[-1].start, one.end)
            elif ours:
                runs.append(one)
            joins = ours
        return runs

    def _ours(self, series: Subscription, origin: Provenance) -> bool:
        """Whether a provider gave it with splits worked in. Of its own, and what was made of them, it need not be said:
        former versions of btfeeds did not."""
        return origin.adjusted or origin.provider in (self._provider.name, provider(series.venue))


def adjusts(provider: Provider, symbol: Symbol) -> bool:
    """Whether bars of a provider have splits worked in; of shares that is so where it does not say (Stooq)."""
    if provider.adjusted:
        return provider.adjusted != "raw"
    return "equities" in provider.assets and classify(symbol) in SHARES


def factor(before: Bar, now: Bar) -> float:
    """By what the prices of one bar were multiplied; 1.0 where they were not: a correction is no multiple."""
    pairs = ((now.open, before.open), (now.high, before.high), (now.low, before.low), (now.close, before.close))
    ratios = [new / old for new, old in pairs]
    if before.open_time != now.open_time or max(ratios) > min(ratios) * (1 + _ALIKE):
        return 1.0
    ratio = now.close / before.close
    return ratio if abs(ratio - 1.0) > _CORRECTION else 1.0


def _key(series: Subscription) -> str:
    return f"scale {series}"
