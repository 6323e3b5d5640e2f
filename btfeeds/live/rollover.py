"""Finished bars where no frame says so: a bar is final when the venue speaks of a later one.

The bar held when the stream breaks is never trusted: history gives it. In a quiet market nothing rolls over; then the
splice finds the bar overdue, and history confirms it. So it does when the later bar is not the very next one: whether
nobody traded in between, or the stream was mute, nothing here can tell.
"""

from __future__ import annotations

from btfeeds.market import Bar, Timeframe


class RollOver:
    """Watches one channel's updates, each the whole bar as it is now."""

    def __init__(self, timeframe: Timeframe) -> None:
        self._timeframe = timeframe
        self._held: Bar | None = None
        self._from = 0  # bars that open before this are not given

    def update(self, bar: Bar) -> tuple[Bar | None, Bar | None]:
        """Take an update; returns (the bar it closes, the closed bar it corrects), mostly neither."""
        held = self._held
        if held is None or bar.open_time == held.open_time:
            # where two connections overlap, one of them lags: of the same bar the fuller update is the later one
            if held is None or bar.volume >= held.volume:
                self._held = bar
            return None, None
        if bar.open_time < held.open_time:
            return None, bar
        self._held = bar
        next_one = bar.open_time == self._timeframe.close(held.open_time)
        return (held if next_one and held.open_time >= self._from else None), None

    def distrust(self, now: int) -> None:
        """The stream was proved mute: of what is under way now, or soon, it may have left out the end."""
        self._from = now + self._timeframe.ms

    def broken(self) -> None:
        """The stream broke: what is held may lack its end."""
        self._held = None
