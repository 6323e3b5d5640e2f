"""How far the venue's clock is ahead of ours, from the times in its frames and answers."""

from __future__ import annotations

from dataclasses import dataclass

from btfeeds.market import TimeRange

_FRAME_NOISE_MS = 250
_DATE_MS = 2_000  # so much later may be what a Date header says: it counts whole seconds, and servers keep them a while
_KNOWN = 3  # so many samples make a skew known
_DOUBTS = 5
_AHEAD_MS = 2_500  # so far behind may our idea of a venue's clock be that only Date headers tell
_LEAP_MS = 30_000  # our clock may be wrong by more, but then the first answer of history has told


@dataclass(slots=True)
class Skew:
    """The venue's lead in ms (`value`).

    A frame is never early, only late: the largest difference of this window and the one before is the best guess.
    `floor_ms`: on a fast clock the wire is not faster, and no time below this can be told from a busy machine.
    """

    window_ms: int = 60_000
    floor_ms: int = 0
    value: int = 0
    _best: int | None = None
    _before: int | None = None
    _since: int = 0
    _samples: int = 0
    _doubts: int = 0

    def sample(self, venue_time: int, now: int) -> None:
        """A frame was made at `venue_time` and met by us at `now` (both epoch ms, each by its own clock)."""
        difference = venue_time - now
        self._samples += 1
        if now - self._since >= self.window_ms or now < self._since:
            self._before, self._best, self._since = self._best, difference, now
        elif self._best is None or difference > self._best:
            self._best = difference
        elif self.value == self._best:
            return  # nothing new: the usual case, once a frame
        best = self._best if self._before is None or self._best > self._before else self._before
        self.value = best if abs(best) > _FRAME_NOISE_MS else 0

    def plausible(self, venue_time: int, now: int) -> bool:
        """Whether a frame can have been made at `venue_time`: not when that is far in the venue's future.

        Before the skew is known a lag (value < 0) may be a single late frame's, which must not make the punctual ones
        behind it look early. Several doubtful frames in a row are right, and what we believed was wrong.
        """
        believed = self.value if self._samples >= _KNOWN else max(self.value, 0)
        if venue_time - now - believed <= max(_LEAP_MS, self.floor_ms):
            self._doubts = 0
            return True
        self._doubts += 1
        if self._doubts < _DOUBTS:
            return False
        self._best = self._before = None
        self.value = self._samples = self._doubts = 0
        return True

    def told(self, venue_time: int, now: int) -> bool:
        """Learn from a frame, if it can have been made at `venue_time`; returns whether it can."""
        plausible = self.plausible(venue_time, now)
        if plausible:
            self.sample(venue_time, now)
        return plausible

    def early(self, time: int, now: int) -> bool:
        """Whether what is said to have happened at `time` (a trade, the beginning of a bar) has not happened yet.

        If it has, and is later than we take the venue's time to be, then the venue's clock is at least so far.
        """
        ahead = time - now - self.value
        if ahead > max(_AHEAD_MS if self._samples >= _KNOWN else _LEAP_MS, self.floor_ms):
            self._doubts += 1
            if self._doubts < _DOUBTS:
                return True
            self._best = self._before = None
            self.value = self._samples = 0
        self._doubts = 0
        if ahead > 0:
            self.sample(time, now)
        return False

    def sample_date(self, date: int, took: TimeRange) -> None:
        """The Date of an HTTP answer that was under way for `took` by our clock: it bounds the lead from both sides.

        A belief within the bounds stays. Another was wrong: the smallest lead within them takes its place at once.
        """
        least, most = date - (took.end - 1), date + _DATE_MS - took.start
        self._samples = _KNOWN
        if not least - _FRAME_NOISE_MS <= self.value <= most + _FRAME_NOISE_MS:
            self.value = self._best = min(max(0, least), most)
            self._before, self._since = None, took.end - 1
