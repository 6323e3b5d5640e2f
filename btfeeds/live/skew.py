"""How far the venue's clock is ahead of ours, from the times in its frames and answers."""

from __future__ import annotations

from dataclasses import dataclass

from btfeeds.market import TimeRange

_FRAME_NOISE_MS = 250
_DATE_MS = 2_000  # so much later may be what a Date header says: it counts whole seconds, and servers keep them a while
_KNOWN = 3  # so many samples make a skew known
_DOUBTS = 5
_LEAP_MS = 30_000  # our clock may be wrong by more, but then the first answer of history has told


@dataclass(slots=True)
class Skew:
    """The venue's lead in ms (`value`).

    A frame is never early, only late: the largest difference of this window and the one before is the best guess.
    """

    window_ms: int = 60_000
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
        best = max(known for known in (self._best, self._before) if known is not None)
        self.value = best if abs(best) > _FRAME_NOISE_MS else 0

    def plausible(self, venue_time: int, now: int) -> bool:
        """Whether a frame can have been made at `venue_time`: not when that is far in the venue's future.

        Before the skew is known a lag (value < 0) may be a single late frame's, which must not make the punctual ones
        behind it look early. Several doubtful frames in a row are right, and what we believed was wrong.
        """
        believed = self.value if self._samples >= _KNOWN else max(self.value, 0)
        if venue_time - now - believed <= _LEAP_MS:
            self._doubts = 0
            return True
        self._doubts += 1
        if self._doubts < _DOUBTS:
            return False
        self._best = self._before = None
        self.value = self._samples = self._doubts = 0
        return True

    def sample_date(self, date: int, took: TimeRange) -> None:
        """The Date of an HTTP answer that was under way for `took` by our clock: it bounds the lead from both sides.

        A belief within the bounds stays. Another was wrong: the smallest lead within them takes its place at once.
        """
        least, most = date - (took.end - 1), date + _DATE_MS - took.start
        self._samples = _KNOWN
        if not least - _FRAME_NOISE_MS <= self.value <= most + _FRAME_NOISE_MS:
            self.value = self._best = min(max(0, least), most)
            self._before, self._since = None, took.end - 1
