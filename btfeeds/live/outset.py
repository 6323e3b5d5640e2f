"""What a clock has set: where a stream begins, and from where on bars can come live. A clock may be wrong, and then
both were set too late: bars that are there would be taken for repetitions, and the feed would wait for the future.

Times are epoch ms of the venue's clock, as far as it is known.
"""

from __future__ import annotations

from btfeeds.market import Timeframe


class Outset:
    """`horizon`: bars that open before it cannot come live any more. `reckoned_at`: the now that the first bar wanted
    was reckoned from, as long as that is the one that is due; None: it does not hang on a clock.
    """

    def __init__(self, timeframe: Timeframe, horizon: int, reckoned_at: int | None) -> None:
        self.horizon = horizon
        self.reckoned_at = reckoned_at
        self._timeframe = timeframe
        self._confirmed_at = -1
        self._first: tuple[int, int] | None = None  # what was due at first, and when the bar under way opened then

    def confirmed(self, now: int) -> int:
        """The stream is confirmed, or asked for; returns when the bar under way opened."""
        opened = self._timeframe.floor(now)
        self._confirmed_at, self.horizon = now, max(self.horizon, opened)
        return opened

    def moved(self, ms: int, due: int | None) -> int | None:
        """The venue's time is later by so much than was thought. Returns the first bar wanted, when that is earlier."""
        floor, at = self._timeframe.floor, self._confirmed_at
        if at >= 0:
            self._confirmed_at += ms
            if ms < 0 and self.horizon == floor(at):
                self.horizon = floor(at + ms)
        if self.reckoned_at is None or due is None:
            return due
        self._first = self._first or (due, floor(self.reckoned_at))
        self.reckoned_at += ms
        first, opened = self._first
        return min(due, floor(first - (opened - floor(self.reckoned_at))))
