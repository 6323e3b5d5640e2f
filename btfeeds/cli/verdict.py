"""What a strategy met, held against what the venue knows to be true: bar by bar, value by value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from btfeeds.market import Bar


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one symbol, or of all. `unfinished` counts bars whose values are not the final ones."""

    name: str
    venue: int
    delivered: int
    missing: int
    duplicate: int
    unfinished: int

    @property
    def good(self) -> bool:
        """Whether every closed bar was met exactly once, as it finally was."""
        return self.venue == self.delivered and not (self.missing or self.duplicate or self.unfinished)

    def line(self) -> str:
        """For people."""
        return (
            f"{self.name}  venue bars {self.venue:,} {'=' if self.venue == self.delivered else '≠'} "
            f"delivered {self.delivered:,} · missing {self.missing:,} · duplicate {self.duplicate:,} · "
            f"unfinished {self.unfinished:,} · {'OK' if self.good else 'BROKEN'}"
        )


def compare(name: str, met: Sequence[Bar], truth: Iterable[Bar]) -> Verdict:
    """Bars in the order they were met against the venue's closed ones.

    A bar that the venue does not have is an unfinished one; one that comes behind a later one counts as a duplicate.
    """
    final = {bar.open_time: bar for bar in truth}
    seen: set[int] = set()
    latest = -1
    duplicate = unfinished = 0
    for bar in met:
        if bar.open_time <= latest:
            duplicate += 1
        elif bar.open_time not in final or _values(bar) != _values(final[bar.open_time]):
            unfinished += 1
        latest = max(latest, bar.open_time)
        seen.add(bar.open_time)
    return Verdict(name, len(final), len(met), len(final.keys() - seen), duplicate, unfinished)


def total(verdicts: Sequence[Verdict]) -> Verdict:
    """All symbols together."""
    names = ("venue", "delivered", "missing", "duplicate", "unfinished")
    return Verdict("VERDICT", *(sum(getattr(verdict, name) for verdict in verdicts) for name in names))


def _values(bar: Bar) -> tuple[float, ...]:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)
