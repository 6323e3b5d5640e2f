"""The last bars that were delivered, kept to notice when the venue's word about one of them changes."""

from __future__ import annotations

from collections import deque

from btfeeds.market import Bar

_KEPT = 16  # venues correct within a minute or so


class Memory:
    """A short memory of bars."""

    def __init__(self, last: Bar | None = None) -> None:
        self._bars: deque[Bar] = deque([last] if last else [], maxlen=_KEPT)
        self.last = last

    def add(self, bar: Bar) -> None:
        """Remember a bar that was delivered."""
        self._bars.append(bar)
        self.last = bar

    def correct(self, bar: Bar) -> Bar | None:
        """Remember the venue's new word about a bar; returns the old one when they differ and it is known."""
        for index, known in enumerate(self._bars):
            if known.open_time == bar.open_time:
                self._bars[index] = bar
                return known if _values(known) != _values(bar) else None
        return None

    def lacked(self, bar: Bar) -> bool:
        """Whether this one was passed over among the bars that are remembered; from now on it is one of them. One
        without trades is never lacking.
        """
        times = [known.open_time for known in self._bars]
        lacked = bool(times) and times[0] < bar.open_time and bar.open_time not in times and bar.trades != 0
        if lacked:
            self._bars.append(bar)
        return lacked


def _values(bar: Bar) -> tuple[float, ...]:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)
