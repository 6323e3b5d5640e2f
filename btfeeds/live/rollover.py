"""Finished bars where no frame says so: a bar is final when the venue speaks of a later one.

The bar held when the stream breaks is never trusted: history gives it. In a quiet market nothing rolls over; then the
splice finds the bar overdue, and history confirms it. So it does when the later bar is not the very next one, and when
the stream was silent over the bar's end: whether nobody traded there, or the stream was mute, nothing here can tell.
"""

from __future__ import annotations

from btfeeds.market import Bar, Timeframe

SILENCE_MS = 5_000  # a longer one over a bar's end makes history confirm the bar
_KEPT = 4  # bars before the one that is held, whose words are remembered


class RollOver:
    """Watches one channel's updates, each the whole bar as it is now."""

    def __init__(self, timeframe: Timeframe) -> None:
        self._timeframe = timeframe
        self._held: Bar | None = None
        self._spoke = 0  # when the last update came
        self._before: dict[int, Bar] = {}
        self._from = 0  # bars that open before this are not given

    def update(self, bar: Bar, time: int = 0) -> tuple[Bar | None, Bar | None]:
        """Take an update of `time` (the venue's, epoch ms; 0: unknown).

        Returns (the bar it closes, the closed bar it corrects), mostly neither.
        """
        # a step back: what we took for the venue's time was wrong, so that nobody knows how long it was silent
        silence, self._spoke = abs(time - self._spoke), time
        held = self._held
        if held is None or bar.open_time == held.open_time:
            # where two connections overlap, one of them lags: of the same bar the fuller update is the later one
            if held is None or bar.volume >= held.volume:
                self._held = bar
            return None, None
        if bar.open_time < held.open_time:
            known = self._before.get(bar.open_time)
            if known is not None and bar.volume <= known.volume:
                return None, None
            self._remember(bar)
            return None, bar
        self._held = bar
        self._remember(held)
        next_one = bar.open_time == self._timeframe.close(held.open_time)
        return (held if next_one and silence <= SILENCE_MS and held.open_time >= self._from else None), None

    def distrust(self, now: int) -> None:
        """The stream was proved mute: of what is under way now, or soon, it may have left out the end."""
        self._from = now + self._timeframe.ms

    def broken(self) -> None:
        """The stream broke: what is held may lack its end."""
        self._held = None

    def _remember(self, bar: Bar) -> None:
        self._before[bar.open_time] = bar
        if len(self._before) > _KEPT:
            del self._before[min(self._before)]
