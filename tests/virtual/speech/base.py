"""What a speaker is, and what those have in common whose bars come of trades."""

from __future__ import annotations

import datetime as dt
import math
import random
from typing import TYPE_CHECKING, NamedTuple

from btfeeds import venues
from btfeeds.venues.base import HttpRequest, Venue
from tests.virtual.schedule import HISTORY_MINUTES, LIVE_MINUTES, MINUTE, START

if TYPE_CHECKING:
    from tests.virtual.venue import Link, VirtualVenue

Values = tuple[float, float, float, float, float]  # open, high, low, close, volume


class Speaker:
    """One dialect, as far as one symbol's minutes need it."""

    host: str  # the venue's name in btfeeds
    symbol: str
    channel: str
    omits = False  # history has no row for a minute without trades
    notice = ""  # the frame that announces the end of a connection

    def __init__(self, venue: VirtualVenue) -> None:
        self.venue = venue
        self.world = venue.world
        self.plan = venue.plan
        self.dice = venue.dice

    def dialect(self) -> Venue:
        """The venue as btfeeds knows it."""
        return venues.venue(self.host, key="key", secret="secret")

    def truth(self) -> dict[int, Values]:
        """Every closed bar of the venue by opening time."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Plan what will be said."""
        raise NotImplementedError

    def greet(self, link: Link) -> None:
        """A client has connected."""

    def hear(self, link: Link, text: str) -> None:
        """A client has said something."""
        raise NotImplementedError

    def history(self, request: HttpRequest, seen: int, had: int) -> bytes:
        """The answer of REST, which sees the market as it was at `seen`, and knows what closed until `had`."""
        raise NotImplementedError


class Trade(NamedTuple):
    time: int
    price: float
    quantity: float
    number: int


class Trading(Speaker):
    """A market of single trades, a few each minute: what is forming has its real content at any time."""

    last: Trade | None = None

    def truth(self) -> dict[int, Values]:
        dice = random.Random(f"trades {self.plan.seed}")
        self.trades: dict[int, list[Trade]] = {}
        bars: dict[int, Values] = {}
        price, number = 20_000.0, 1_000
        busy = dice.random() < 0.6  # somebody trades about every end of a minute: bars roll over without a silence
        for minute in range(-HISTORY_MINUTES, LIVE_MINUTES + 10):
            opens = START + minute * MINUTE
            if minute in self.plan.lost_minutes:
                continue
            if dice.random() < self.plan.quiet:
                if not self.omits:
                    bars[opens] = (price, price, price, price, 0.0)
                continue
            times = {dice.randrange(MINUTE) for _ in range(dice.randrange(1, 6))}
            times |= {MINUTE - 10} if dice.random() < 0.3 else set()
            times |= {dice.randrange(50, 2_000), MINUTE - dice.randrange(1, 2_000)} if busy else set()
            made = self.trades[opens] = []
            for at in sorted(times):
                price = round(price + dice.randrange(-500, 501) / 100, 2)
                number += 1
                made.append(Trade(opens + at, price, dice.randrange(1, 10_000) / 1_000, number))
            bars[opens] = content(made)
        return bars

    def prepare(self) -> None:
        for opens, made in self.trades.items():
            if opens >= START - MINUTE:
                for count in range(1, len(made) + 1):
                    self.world.at(made[count - 1].time, lambda opens=opens, count=count: self._traded(opens, count))
                self.world.at(opens + MINUTE, lambda opens=opens: self.closed(opens))

    def _traded(self, opens: int, count: int) -> None:
        self.last = self.trades[opens][count - 1]
        self.traded(opens, count)

    def traded(self, opens: int, count: int) -> None:
        """The minute has had so many trades now."""

    def closed(self, opens: int) -> None:
        """A minute with trades is over."""

    def say(self, text: str) -> None:
        """One frame of data to all who listen, as the faults have it. Frames keep their order."""
        venue, delay = self.venue, 0
        if venue.active("mute"):
            return
        if venue.active("malformed") and self.dice.random() < 0.7:
            text = text[: len(text) // 2]
        elif venue.active("drop_frame") and self.dice.random() < 0.5:
            return
        if venue.active("delay"):
            delay = self.dice.choice((0, 500, 1_900, 12_000))
        for _ in range(1 + venue.active("duplicate")):
            self.say_after(delay, text)

    _said = 0  # when the last frame of data was sent

    def say_after(self, delay: int, text: str, *, data: bool = True) -> None:
        """Whatever is said later is behind it."""
        self._said = max(self._said, self.world.now + delay)
        self.world.at(self._said, lambda: self._send(text, data))

    def _send(self, text: str, data: bool) -> None:
        for link in self.venue.links:
            if link.open and self.channel in link.subscribed:
                link.send(text, confirms={self.channel} if data else None)  # data proves a subscription too

    def unfinished(self, opens: int) -> bool:
        """Whether a minute is said to be closed too early now.

        Frames without a time are judged by ours, which is right to a few seconds: one that is wrong in the last of a
        minute, or arrives behind its end, cannot be told from a right one.
        """
        active = self.venue.active
        return active("unfinished") and not active("delay") and self.world.now < opens + 55_000

    def late(self, punctual: int) -> int:
        """How long after its end a closed minute is told."""
        if self.venue.active("reorder") and self.dice.random() < 0.5:
            return MINUTE + self.dice.randrange(100, 3_000)
        return punctual

    def correction(self, opens: int) -> Values:
        """The venue changes its mind about a minute."""
        o, high, low, close, volume = self.venue.truth[opens]
        changed = (o, high, low, close, round(volume + 1.0, 3))
        self.venue.allowed[opens].append(changed)
        self.venue.truth[opens] = changed
        return changed

    def rows(self, seen: int, had: int) -> list[tuple[int, Values]]:
        """What history shows, oldest first; the last row may be forming."""
        found: list[tuple[int, Values]] = []
        for opens, values in sorted(self.venue.truth.items()):
            if opens > seen:
                break
            if opens + MINUTE > seen:
                made = [trade for trade in self.trades.get(opens, ()) if trade.time <= seen]
                if made:
                    found.append((opens, content(made)))
                elif not self.omits:
                    found.append((opens, (values[0], values[0], values[0], values[0], 0.0)))
            elif opens + MINUTE <= had:
                found.append((opens, values))
        return found

    def so_far(self, opens: int) -> Values | None:
        """A minute as it is now; None while nobody has traded in it."""
        if opens + MINUTE <= self.world.now:
            return self.venue.truth[opens]
        made = [trade for trade in self.trades[opens] if trade.time <= self.world.now]
        return content(made) if made else None


def content(made: list[Trade]) -> Values:
    """The bar of some trades."""
    prices = [trade.price for trade in made]
    return prices[0], max(prices), min(prices), prices[-1], round(math.fsum(trade.quantity for trade in made), 10)


def stamp(time: int) -> str:
    """RFC 3339, to the ms."""
    return dt.datetime.fromtimestamp(time / 1000, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
