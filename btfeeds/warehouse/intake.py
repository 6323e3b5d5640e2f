"""What becomes of bars that are to be added: which are new, which correct others, and which cannot be bars. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from btfeeds.market import Bar, Timeframe, to_ms

# why a row is a dead letter: Bar.fault's reasons and these
REASONS = ("not_finite", "price_not_positive", "volume_negative", "high_low", "not_numbers", "off_grid", "future",
           "past", "damaged")  # fmt: skip

_EARLIEST = to_ms(dt.date(1600, 1, 1))  # before the first exchange


@dataclass(slots=True)
class Intake:
    """The outcome. `kept` are the bars to write, by opening time; `before` what they correct, oldest word first."""

    kept: dict[int, Bar] = field(default_factory=dict)
    before: list[Bar] = field(default_factory=list)
    new: int = 0
    same: int = 0
    revised: int = 0


def sift(bars: Iterable[Bar], timeframe: Timeframe, now: int) -> tuple[list[Bar], list[tuple[Bar, str]]]:
    """The bars that can be some, ascending, and those that cannot with the reason.

    A bar opening more than one bar after `now` is of the future: microseconds taken for milliseconds, for instance.
    One that is not over by our clock may be over by the venue's.
    """
    good: list[Bar] = []
    bad: list[tuple[Bar, str]] = []
    latest = now + timeframe.ms
    for bar in bars:
        try:
            reason = bar.fault() or _misplaced(bar.open_time, timeframe, latest)
        except TypeError:
            reason = "not_numbers"
        if reason:
            bad.append((bar, reason))
        else:
            good.append(bar)
    good.sort(key=lambda bar: bar.open_time)  # stable: of two words on one bar, the later stays behind
    return good, bad


def _misplaced(open_time: int, timeframe: Timeframe, latest: int) -> str:
    if open_time > latest:
        return "future"
    if open_time < _EARLIEST:
        return "past"
    return "" if timeframe.aligned(open_time) else "off_grid"


def judge(bars: Iterable[Bar], known: Mapping[int, Bar]) -> Intake:
    """Compare `bars`, the newest word, with those `known` already, by opening time."""
    outcome = Intake()
    for bar in bars:
        old = outcome.kept.get(bar.open_time) or known.get(bar.open_time)
        if old is None:
            outcome.new += 1
        elif _says_the_same(bar, old):
            outcome.same += 1
            continue
        else:
            outcome.revised += 1
            outcome.before.append(old)
        outcome.kept[bar.open_time] = bar
    return outcome


def _says_the_same(bar: Bar, old: Bar) -> bool:
    """Whether `bar` adds nothing to `old`. One that does not know the trades does not contradict one that does."""
    if bar == old:
        return True
    return bar.trades < 0 <= old.trades and _values(bar) == _values(old)


def _values(bar: Bar) -> tuple[float, ...]:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)
