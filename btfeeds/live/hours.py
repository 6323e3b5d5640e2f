"""When a bar is overdue: the hours of a market. While it is closed no bar is due, and time without bars is no gap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from btfeeds.market import Bar, Timeframe

NextOpen = Callable[[int], int]


class Hours:
    """The hours of one stream's market. `next_open(time)` is the first open instant at or behind `time`."""

    def __init__(
        self, timeframe: Timeframe, grace_ms: int, until: int | None = None, next_open: NextOpen | None = None
    ) -> None:
        self._timeframe = timeframe
        self._grace_ms = grace_ms
        self._until = until
        self._next_open = next_open or (lambda time: time)
        self._asked = self._answer = -1  # about one bar one asks again and again

    def overdue(self, due: int) -> int:
        """From when on the bar that opens at `due`, or the first one behind it in open hours, is overdue."""
        if due != self._asked:
            self._asked, self._answer = due, self._overdue(due)
        return self._answer

    def _overdue(self, due: int) -> int:
        close = self._timeframe.close(self._timeframe.floor(self._next_open(due)))
        if self._until is not None:  # the end is reached in closed hours, too
            close = max(self._timeframe.close(due), min(close, self._until))
        return close + self._grace_ms

    def shut(self, due: int, open_time: int) -> bool:
        """Whether no bar was due from `due` until the one that opens at `open_time`: the market was closed."""
        return due < open_time <= self._timeframe.floor(self._next_open(due))

    def owed(self, bars: Iterable[Bar]) -> Iterator[Bar]:
        """Those that open, at least in part, in open hours."""
        return (bar for bar in bars if self._next_open(bar.open_time) < self._timeframe.close(bar.open_time))
