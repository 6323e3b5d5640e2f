"""Alpaca, if it streamed bars of half a minute: those of a minute are put together from two."""

from __future__ import annotations

from btfeeds.venues import alpaca, reading
from btfeeds.venues.base import Venue
from tests.virtual.schedule import MINUTE
from tests.virtual.speech.alpaca import Alpaca, said
from tests.virtual.speech.base import Trade, content

HALF = MINUTE // 2


class Dialect(alpaca.Alpaca):
    """Alpaca with other streams; its history has minutes as ever."""

    streams = reading.timeframes("30s=bars")


class Halves(Alpaca):
    """Bars of BTC/USD. Of a half without trades there is none."""

    def dialect(self) -> Venue:
        return Dialect("alpacacrypto", key="key", secret="secret")

    def _half(self, opens: int) -> list[Trade]:
        return [trade for trade in self.trades[opens - opens % MINUTE] if opens <= trade.time < opens + HALF]

    def traded(self, opens: int, count: int) -> None:
        trade = self.trades[opens][count - 1]
        half = trade.time - trade.time % HALF
        if trade == self._half(half)[0]:  # of the second one nobody is told before the first is over
            self.world.at(half + HALF + self.late(self.dice.randrange(200, 1_500)), lambda: self._ended(half))
            if self.venue.active("unfinished"):
                self.world.at(half + self.dice.randrange(10_000, 25_000), lambda: self._early(half))

    def _ended(self, half: int) -> None:
        values = content(self._half(half))
        self.say(said("b", half, values))
        if self.venue.active("future"):
            self.say(said("b", half + 3 * MINUTE, values))

    def _early(self, half: int) -> None:
        made = [trade for trade in self._half(half) if trade.time <= self.world.now]
        if made and self.unfinished(half - HALF):  # five seconds before its end, as there
            o, high, low, close, volume = content(made)
            self.say(said("b", half, (o, high, low, close, round(volume / 2, 5))))

    def closed(self, opens: int) -> None:
        if self.venue.active("correction"):
            self.correction(opens)
            half = self.trades[opens][-1].time // HALF * HALF
            o, high, low, close, volume = content(self._half(half))
            changed = (o, high, low, close, round(volume + 1.0, 10))
            self.world.at(opens + MINUTE + 30_000, lambda: self.say(said("u", half, changed)))
