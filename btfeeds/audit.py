"""The promise, checked from outside: was each closed bar met exactly once, in order, none missing, none unfinished?

An Audit is told what a strategy met, in the order it met it, and knows nothing of the machinery in between. Bars lie
on the timeframe's grid, so a bar that was not met leaves a hole; a hole is no fault only where it was declared, or
where the venue has no bar for a span without trades.
"""

from __future__ import annotations

from btfeeds.live.status import Status, allowed
from btfeeds.market import Bar, Timeframe, TimeRange


class Audit:
    """One symbol and timeframe. `start`: the first bar asked for, in epoch ms; None where no history was asked for."""

    def __init__(self, timeframe: Timeframe, start: int | None = None) -> None:
        self.timeframe = timeframe
        self.delivered = 0
        self.duplicate = 0  # opens when, or before, one that was met opened
        self.unfinished = 0  # met before it was over
        self.reconnects = 0
        self.by_source: dict[str, int] = {}
        self.words: list[Status] = []
        self.wrong_words: list[tuple[Status | None, Status]] = []  # that may not follow each other
        self._due = None if start is None else timeframe.ceil(start)
        self._holes: list[TimeRange] = []
        self._declared: list[TimeRange] = []

    # --- what was met ------------------------------------------------------------------------------------------------

    def bar(self, bar: Bar, source: str, now: int) -> None:
        """A bar was met, at `now` by the venue's clock."""
        self.delivered += 1
        self.by_source[source] = self.by_source.get(source, 0) + 1
        close = self.timeframe.close(bar.open_time)
        if close > now:
            self.unfinished += 1
        if self._due is not None:
            if bar.open_time < self._due:
                self.duplicate += 1
                return
            if bar.open_time > self._due:
                self._holes.append(TimeRange(self._due, bar.open_time))
        self._due = close

    def status(self, word: Status) -> None:
        before = self.words[-1] if self.words else None
        if not allowed(before, word):
            self.wrong_words.append((before, word))
        if word is Status.UNKNOWN:
            return
        self.reconnects += word is Status.CONNECTED
        self.words.append(word)

    def gap(self, start: int, end: int) -> None:
        """A span was declared as one that the venue has no bars for."""
        self._declared.append(TimeRange(start, end))

    def end(self, now: int, patience_ms: int) -> None:
        """The run is over. If the last word was LIVE, a bar that closed more than `patience_ms` ago had to be there."""
        words = [word for word in self.words if word is not Status.DISCONNECTED]
        if self._due is None or not words or words[-1] is not Status.LIVE:
            return
        behind = self.timeframe.floor(now - patience_ms)
        if behind > self._due:
            self._holes.append(TimeRange(self._due, behind))
            self._due = behind

    # --- the verdict -------------------------------------------------------------------------------------------------

    @property
    def absent(self) -> int:
        """Bars of the grid that were neither met nor declared."""
        times = (time for hole in self._holes for time in self.timeframe.opens(hole))
        return sum(not any(time in span for span in self._declared) for time in times)

    def missing(self, no_trade: int = 0) -> int:
        """Bars that should have been met. `no_trade`: spans in which, as the venue says, nobody traded."""
        return max(0, self.absent - no_trade)

    def kept(self, no_trade: int = 0) -> bool:
        """Whether the promise was kept."""
        return not (self.missing(no_trade) or self.duplicate or self.unfinished or self.wrong_words)
