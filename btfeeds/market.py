"""The things a market is made of: bars, trades, timeframes, spans of time, symbols.

All times are integer epoch milliseconds UTC. A bar is named by the instant it opens; spans exclude their end.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from btfeeds.errors import ConfigError

_UTC = dt.UTC
_DAY = 86_400_000
_UNIT_MS = {"t": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": _DAY, "w": 7 * _DAY}
_LONGEST = 36_600 * _DAY  # so that whatever is reckoned with it stays within the calendar
_MONDAY = 4 * _DAY  # 1970-01-05 was a Monday; weeks that open on another day (Kraken, KuCoin) are not used


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One bar. `open_time` in epoch ms UTC; prices in quote currency; `volume` in base currency.

    `trades` is the number of trades, or -1 where the venue does not say.
    """

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int = -1

    def fault(self) -> str:
        """Why this cannot be a bar ("" if it can): the names are the closed list of rejection reasons."""
        low, high = self.low, self.high
        # what is sound is told at once; NaN fails every comparison
        if 0 < low <= self.open <= high < math.inf and low <= self.close <= high and 0 <= self.volume < math.inf:
            return ""
        values = (self.open, self.high, self.low, self.close, self.volume)
        if not all(map(math.isfinite, values)):
            return "not_finite"
        if min(self.open, self.high, self.low, self.close) <= 0:
            return "price_not_positive"
        if self.volume < 0:
            return "volume_negative"
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            return "high_low"
        return ""


OPEN_CLOSE, HIGH_LOW = 1, 2  # what of a bar a trade may move besides volume and number of trades
PRICES = OPEN_CLOSE | HIGH_LOW


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade (or one aggregate of trades of the same taker order, `count` of them). `time` in epoch ms UTC.

    `key` is what the venue calls it where it has no number that tells earlier from later; two trades may have one key.
    `moves` is less than PRICES where the trade's conditions keep it out of the prices of a bar.
    """

    time: int
    price: float
    quantity: float
    id: int = -1
    count: int = 1
    key: str = ""
    moves: int = PRICES


class TimeRange(msgspec.Struct, frozen=True, gc=False):
    """From `start` to `end` in epoch ms; `end` is excluded. Empty when start >= end."""

    start: int
    end: int

    def __bool__(self) -> bool:
        return self.start < self.end

    def __contains__(self, time: int) -> bool:
        return self.start <= time < self.end

    def __str__(self) -> str:
        return f"{iso(self.start)} .. {iso(self.end)}"


EMPTY = TimeRange(0, 0)


@dataclass(frozen=True, slots=True, order=False)
class Timeframe:
    """How long a bar lasts: a count and a unit (s, m, h, d, w, M). `Timeframe.parse("1m")`; 60m equals 1h."""

    count: int
    unit: str
    ms: int = field(init=False, repr=False, compare=False)  # length; for months the longest possible one

    def __post_init__(self) -> None:
        length = self.count * (_UNIT_MS[self.unit] if self.unit != "M" else 31 * _DAY)
        object.__setattr__(self, "ms", length)  # computed once: everything asks for it

    @classmethod
    def parse(cls, text: str | Timeframe) -> Timeframe:
        """From "1m", "4h", "1d", "1w", "1M". Raises ConfigError."""
        if isinstance(text, Timeframe):
            return text
        return _parse_timeframe(text)

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    def floor(self, time: int) -> int:
        """The opening time of the bar in which `time` lies."""
        if self.unit == "M":
            months = _month(time)
            return _month_start(months - months % self.count)
        if self.unit == "w":
            return time - (time - _MONDAY) % self.ms
        return time - time % self.ms

    def close(self, open_time: int) -> int:
        """The instant the bar that opens at `open_time` closes: the opening time of the next bar."""
        if self.unit == "M":
            return _month_start(_month(open_time) + self.count)
        return open_time + self.ms

    def back(self, open_time: int, bars: int) -> int:
        """The opening time of the bar `bars` before the one that opens at `open_time`."""
        if self.unit == "M":
            return _month_start(_month(open_time) - bars * self.count)
        return open_time - bars * self.ms

    def aligned(self, time: int) -> bool:
        """Whether a bar of this timeframe opens at `time`."""
        return self.floor(time) == time

    def ceil(self, time: int) -> int:
        """The opening time of the first bar that opens at `time` or later."""
        opened = self.floor(time)
        return opened if opened == time else self.close(opened)

    def count_in(self, span: TimeRange) -> int:
        """How many bars open inside `span`."""
        if self.unit == "M":
            return sum(1 for _ in self.opens(span))
        return max(0, self.ceil(span.end) - self.ceil(span.start)) // self.ms

    def opens(self, span: TimeRange) -> Iterator[int]:
        """The opening times inside `span`, ascending."""
        time = self.floor(span.start)
        if time < span.start:
            time = self.close(time)
        while time < span.end:
            yield time
            time = self.close(time)

    def holds(self, smaller: Timeframe) -> bool:
        """Whether every bar of this timeframe is made of whole bars of the smaller one."""
        if smaller.unit == "M":
            return self.unit == "M" and self.count % smaller.count == 0
        if smaller.unit == "w":
            return self.unit == "w" and self.count % smaller.count == 0
        if self.unit in "wM":
            return _DAY % smaller.ms == 0
        return self.ms % smaller.ms == 0


class _Tick(Timeframe):
    """Single trades as bars: one opens and closes in the same instant, and several may do so in the same one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "tick"

    def close(self, open_time: int) -> int:
        return open_time

    def back(self, open_time: int, bars: int) -> int:
        return open_time

    def holds(self, smaller: Timeframe) -> bool:
        return False


TICK = _Tick(1, "t")  # only a live feed can have it, so no text is parsed as this


@lru_cache(maxsize=256)
def _parse_timeframe(text: str) -> Timeframe:
    match = re.fullmatch(r"([1-9]\d{0,4})(s|m|h|d|w|M)", str(text).strip())
    if not match:
        raise ConfigError(
            f"{text!r} is not a timeframe.",
            "Nothing was started.",
            "Write a number and a unit: 1s, 1m, 5m, 1h, 1d, 1w or 1M (m is minutes, M is months).",
        )
    count, unit = int(match[1]), match[2]
    for small, large, factor in (("s", "m", 60), ("m", "h", 60), ("h", "d", 24)):
        if unit == small and count % factor == 0:
            count, unit = count // factor, large
    made = Timeframe(count, unit)
    if made.ms > _LONGEST:
        raise ConfigError(
            f"{text!r} is longer than a hundred years.", "Nothing was started.", "Write something shorter, as in 10d."
        )
    return made


class Symbol(str):
    """A unified symbol: `BTC/USDT`, `BTC/USDT:USDT` (a future settled in USDT) or `AAPL`. A str with parts."""

    __slots__ = ()

    def __new__(cls, text: str) -> Symbol:
        """Raises ConfigError when the text cannot be a symbol."""
        clean = str(text).strip()
        if not re.fullmatch(r"[A-Za-z0-9.\-_^=]{1,32}(/[A-Za-z0-9]{1,16}(:[A-Za-z0-9]{1,16})?)?", clean):
            raise ConfigError(
                f"{text!r} is not a symbol.",
                "Nothing was started.",
                "Write BASE/QUOTE as in BTC/USDT, or a plain ticker as in AAPL.",
            )
        return super().__new__(cls, clean.upper())

    @property
    def base(self) -> str:
        return self.partition("/")[0]

    @property
    def quote(self) -> str:
        """The quote currency, or "" for a plain ticker."""
        return self.partition("/")[2].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a feed wants: a venue's bars of one symbol and timeframe."""

    venue: str
    symbol: Symbol
    timeframe: Timeframe

    def __str__(self) -> str:
        return f"{self.venue} {self.symbol} {self.timeframe}"


def iso(time: int) -> str:
    """Epoch ms as ISO 8601 UTC text, for people."""
    moment = dt.datetime.fromtimestamp(time // 1000, _UTC)
    millis = time % 1000
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{millis:03d}Z" if millis else "Z")


def to_ms(moment: dt.datetime | dt.date | str | int | float) -> int:
    """Epoch ms of a datetime (naive means UTC), a date, ISO text, or an epoch number of s, ms, µs or ns by magnitude.

    Raises ConfigError when it is none of these.
    """
    if isinstance(moment, bool):
        raise _bad_time(moment)
    if isinstance(moment, int | float):
        return _epoch(moment)
    if isinstance(moment, str):
        text = moment.strip()
        if re.fullmatch(r"\d{9,19}", text):
            return _epoch(int(text))
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise _bad_time(text) from None
    if isinstance(moment, dt.date) and not isinstance(moment, dt.datetime):
        moment = dt.datetime(moment.year, moment.month, moment.day)
    if not isinstance(moment, dt.datetime):
        raise _bad_time(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=_UTC)) // dt.timedelta(milliseconds=1)


def _epoch(number: float) -> int:
    """Epoch ms from a number whose unit its magnitude tells (years 1973 to 5000 are unambiguous)."""
    size = abs(number)
    if size < 1e11:
        return round(number * 1000)
    if size < 1e14:
        return int(number)
    if size < 1e17:
        return int(number) // 1_000
    return int(number) // 1_000_000


def _bad_time(value: object) -> ConfigError:
    return ConfigError(
        f"{value!r} is not a time.",
        "Nothing was started.",
        "Write ISO 8601 as in 2024-03-01T12:00Z, a date, or epoch milliseconds.",
    )


def _month(time: int) -> int:
    moment = dt.datetime.fromtimestamp(time // 1000, _UTC)
    return moment.year * 12 + moment.month - 1


def _month_start(months: int) -> int:
    return to_ms(dt.datetime(months // 12, months % 12 + 1, 1))
