"""The market of one symbol: what its bars and trades are at any instant, as a pure function of a file and a seed.

Everything a venue says follows from the trades, so that REST, bars and trades on the stream always agree. Prices
and volumes are whole numbers of their smallest unit; sums are exact.
"""

from __future__ import annotations

import random
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.simulator.path import UPDATES, Tick, needed, prices, split, times

_FIRST_TRADE = 1_000_000  # ids of a venue do not begin at 0
_TICKS_KEPT = 4_096


@dataclass(frozen=True, slots=True)
class Row:
    """A bar as a venue knows it: in whole units, with turnover and the ids of its trades (-1: no trade)."""

    open_time: int
    close_time: int  # the instant it closes, excluded
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int = 0
    first_id: int = -1
    last_id: int = -1
    turnover: int = 0
    taker_volume: int = 0  # bought by takers
    taker_turnover: int = 0


class Market:
    """One symbol. `seed` chooses the trades within the bars."""

    def __init__(self, symbol: Symbol, bars: Sequence[Bar], timeframe: Timeframe, seed: int = 0) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.price_digits = max(_digits([value for b in bars for value in (b.open, b.high, b.low, b.close)]), 2)
        self.volume_digits = max(_digits([b.volume for b in bars]), 8)
        self.start = bars[0].open_time
        self.end = timeframe.close(bars[-1].open_time)
        self._seed = seed << 32 | zlib.crc32(symbol.encode())
        self._bars = bars
        self._times = [bar.open_time for bar in bars]
        price, volume = self.price_digits, self.volume_digits
        self._prices = [
            (_units(b.open, price), _units(b.high, price), _units(b.low, price), _units(b.close, price)) for b in bars
        ]
        self._volumes = [_units(b.volume, volume) for b in bars]
        self._counts = [self._count(number) for number in range(len(bars))]
        self._groups = [self._group(number) for number in range(len(bars))]
        self._first_ids = list(accumulate(self._counts, initial=_FIRST_TRADE))
        self._first_groups = list(accumulate(self._groups, initial=_FIRST_TRADE))
        self._ticks: dict[int, tuple[Tick, ...]] = {}
        self._rows: dict[tuple[Timeframe, int], Row] = {}
        self._opens: dict[Timeframe, list[int]] = {timeframe: self._times}
        self.short = self.overlap = False  # faults of an answer: see `bars`

    def bar(self, timeframe: Timeframe, open_time: int, now: int) -> Row | None:
        """The bar that opens at `open_time` as it is at `now`; None where the file has none, or none yet.

        Before its first trade a bar is flat at the price before it.
        """
        if (known := self._rows.get((timeframe, open_time))) and known.close_time <= now:
            return known
        close_time = timeframe.close(open_time)
        first = bisect_left(self._times, open_time)
        behind = bisect_left(self._times, min(close_time, now + 1))
        if first == behind:
            return None
        row = self._sum(range(first, behind), open_time, close_time, now)
        if close_time <= now:
            self._rows[timeframe, open_time] = row
        return row

    def bars(self, timeframe: Timeframe, span: TimeRange, now: int, limit: int, *, newest: bool = False) -> list[Row]:
        """Up to `limit` bars that open in `span`, ascending: the oldest of them, or the newest; the forming one too.

        While `short` it is a third of them, while `overlap` one more that opens before.
        """
        opens = self.opens(timeframe)
        limit = max(1, limit // 3) if self.short else limit
        first = bisect_left(opens, span.start)
        behind = bisect_left(opens, min(span.end, now + 1))
        if newest:
            first = max(first, behind - limit)
        else:
            behind = min(behind, first + limit)
        if self.overlap and limit > 1:
            first = max(first - 1, 0)
        rows = (self.bar(timeframe, open_time, now) for open_time in opens[first:behind])
        return [row for row in rows if row]

    def opens(self, timeframe: Timeframe) -> list[int]:
        """The opening times of all bars of a timeframe, past and future."""
        if timeframe not in self._opens:
            self._opens[timeframe] = sorted({timeframe.floor(time) for time in self._times})
        return self._opens[timeframe]

    def closed(self, timeframe: Timeframe, now: int) -> list[Bar]:
        """The venue's truth at `now`: every closed bar, flat ones included, oldest first."""
        opens = self.opens(timeframe)
        rows = (self.bar(timeframe, time, now) for time in opens if timeframe.close(time) <= now)
        return [self.as_bar(row) for row in rows if row]

    def as_bar(self, row: Row) -> Bar:
        price, volume = 10**self.price_digits, 10**self.volume_digits
        return Bar(
            row.open_time,
            row.open / price,
            row.high / price,
            row.low / price,
            row.close / price,
            row.volume / volume,
            row.trades,
        )

    def ticks_after(self, time: int) -> Iterator[Tick]:
        """The trades behind `time` until the file ends."""
        for number in range(max(bisect_right(self._times, time) - 1, 0), len(self._times)):
            yield from (tick for tick in self.ticks(number) if tick.time > time)

    def ticks_between(self, start: int, end: int) -> Iterator[Tick]:
        """The trades from `start` to before `end`."""
        for tick in self.ticks_after(start - 1):
            if tick.time >= end:
                return
            yield tick

    def ticks_from(self, *, trade: int = 0, group: int = 0) -> Iterator[Tick]:
        """The trades from one with that id, or from the group with that id."""
        wanted, firsts = (trade, self._first_ids) if trade else (group, self._first_groups)
        for number in range(max(bisect_right(firsts, wanted) - 1, 0), len(self._times)):
            yield from (tick for tick in self.ticks(number) if (tick.last_id if trade else tick.group) >= wanted)

    def groups_until(self, now: int) -> int:
        """The id of the first group of trades that is still to come at `now`."""
        number = bisect_right(self._times, now) - 1
        if number < 0:
            return _FIRST_TRADE
        return self._first_groups[number] + sum(tick.time <= now for tick in self.ticks(number))

    def trades_until(self, now: int) -> int:
        """The id of the first trade that is still to come at `now`."""
        number = bisect_right(self._times, now) - 1
        if number < 0:
            return _FIRST_TRADE
        return self._first_ids[number] + sum(tick.count for tick in self.ticks(number) if tick.time <= now)

    def ticks(self, number: int) -> tuple[Tick, ...]:
        """The trades of the file's bar `number`."""
        if number not in self._ticks:
            if len(self._ticks) >= _TICKS_KEPT:
                self._ticks.clear()
            self._ticks[number] = self._draw(number)
        return self._ticks[number]

    def place(self, tick: Tick) -> tuple[int, int]:
        """Which group of its bar a tick is, and how many the bar has."""
        number = bisect_right(self._times, tick.time) - 1
        return tick.group - self._first_groups[number], self._groups[number]

    def price_text(self, units: int, pad: int = 0) -> str:
        """A price as the decimal text a venue sends, with at least `pad` digits behind the point."""
        return _text(units, self.price_digits, max(pad, self.price_digits))

    def volume_text(self, units: int, pad: int = 0) -> str:
        return _text(units, self.volume_digits, pad)

    def turnover_text(self, units: int, pad: int = 0) -> str:
        return _text(units, self.price_digits + self.volume_digits, pad)

    # --- from the file to trades ----------------------------------------------------------------------------------

    def _count(self, number: int) -> int:
        """How many trades a bar has: what the file says, where a bar with these prices and volume can have as many."""
        volume, said = self._volumes[number], self._bars[number].trades
        if volume == 0:
            return 0
        return max(min(UPDATES if said < 0 else said, volume), needed(*self._prices[number]))

    def _group(self, number: int) -> int:
        return min(self._counts[number], UPDATES)

    def _draw(self, number: int) -> tuple[Tick, ...]:
        groups = self._groups[number]
        if groups == 0:
            return ()
        start = self._times[number]
        rng = random.Random(self._seed << 64 | start)
        walk = prices(rng, *self._prices[number], groups)
        moments = times(rng, start, self.timeframe.close(start), groups)
        counts = split(rng, self._counts[number], groups)
        quantities = split(rng, self._volumes[number], groups)
        first, ticks = self._first_ids[number], []
        for index in range(groups):
            ticks.append(
                Tick(moments[index], walk[index], quantities[index], counts[index], first,
                     self._first_groups[number] + index, rng.random() < 0.5)
            )  # fmt: skip
            first += counts[index]
        return tuple(ticks)

    def _sum(self, numbers: range, open_time: int, close_time: int, now: int) -> Row:
        """One row of the file's bars `numbers` with the trades up to `now`: without trades, a flat one."""
        parts = [row for number in numbers if (row := self._part(number, now)).trades]
        if not parts:
            return self._flat(numbers[0], open_time, close_time)
        if len(parts) == 1 and (parts[0].open_time, parts[0].close_time) == (open_time, close_time):
            return parts[0]
        return Row(
            open_time,
            close_time,
            parts[0].open,
            max(part.high for part in parts),
            min(part.low for part in parts),
            parts[-1].close,
            sum(part.volume for part in parts),
            sum(part.trades for part in parts),
            parts[0].first_id,
            parts[-1].last_id,
            sum(part.turnover for part in parts),
            sum(part.taker_volume for part in parts),
            sum(part.taker_turnover for part in parts),
        )

    def _part(self, number: int, now: int) -> Row:
        """The file's bar `number` with the trades up to `now`."""
        open_time = self._times[number]
        close_time = self.timeframe.close(open_time)
        row = self._rows.get((self.timeframe, open_time))
        if row and close_time <= now:
            return row
        ticks = [tick for tick in self.ticks(number) if tick.time <= now]
        if not ticks:
            return self._flat(number, open_time, close_time)
        first, last = ticks[0], ticks[-1]
        high = low = first.price
        volume = trades = turnover = taker_volume = taker_turnover = 0
        for tick in ticks:
            high, low = max(high, tick.price), min(low, tick.price)
            worth = tick.price * tick.quantity
            volume += tick.quantity
            trades += tick.count
            turnover += worth
            if not tick.buyer_is_maker:
                taker_volume += tick.quantity
                taker_turnover += worth
        row = Row(
            open_time, close_time, first.price, high, low, last.price, volume, trades, first.first_id, last.last_id,
            turnover, taker_volume, taker_turnover,
        )  # fmt: skip
        if close_time <= now:
            self._rows[self.timeframe, open_time] = row
        return row

    def _flat(self, number: int, open_time: int, close_time: int) -> Row:
        """A bar without trades: what the file says of it, or while it forms, the price before it."""
        if self._counts[number] == 0:
            return Row(open_time, close_time, *self._prices[number], 0)
        price = self._prices[number - 1][3] if number else self._prices[0][0]
        return Row(open_time, close_time, price, price, price, price, 0)


def _digits(values: Sequence[float]) -> int:
    """How many digits behind the point these numbers need at most."""
    most = 0
    for value in values:
        text = repr(float(value))
        if "e" in text:
            exponent = Decimal(text).normalize().as_tuple().exponent
            most = max(most, -exponent if isinstance(exponent, int) else 0)
        elif not text.endswith(".0"):
            most = max(most, len(text) - text.index(".") - 1)
    return most


def _units(value: float, digits: int) -> int:
    """A number in whole units of its last digit, exactly."""
    scale: int = 10**digits
    scaled = value * scale
    units = round(scaled)
    if scaled < 2**52 and units / scale == value:
        return units
    return int(Decimal(repr(float(value))).scaleb(digits))


def _text(units: int, digits: int, pad: int) -> str:
    whole, fraction = divmod(units, 10**digits)
    text = f"{fraction:0{digits}d}" if digits else ""
    text = text.rstrip("0").ljust(pad, "0")
    return f"{whole}.{text}" if text else str(whole)
