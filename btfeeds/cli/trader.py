"""The strategy of the demo: two moving averages that cross, orders only while LIVE, and a diary of everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import backtrader as bt

from btfeeds.cli.tellers import Told
from btfeeds.cli.witness import Met, Witness
from btfeeds.live.items import Gap
from btfeeds.live.status import Status
from btfeeds.market import Bar

_STAKE = 10_000.0  # of the account's currency, for each position


@dataclass(frozen=True, slots=True)
class Row:
    """A bar as it was met, and when by the venue's clock."""

    met: int
    symbol: str
    bar: Bar
    source: str


class Trader(Witness):
    """Long while the quick average is above the slow one. Ends when every feed gave the bar that opens at `last`."""

    params: ClassVar[Any] = (("quick", 3), ("slow", 8), ("last", 0))

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self.words: list[tuple[int, str, str, str]] = []
        self.trades: list[tuple[str, str, str, float, float, float, float]] = []
        averages = bt.indicators.SMA
        self._cross = {
            id(feed): bt.indicators.CrossOver(
                averages(feed, period=self.p.quick), averages(feed, period=self.p.slow)
            )
            for feed in self.datas
        }
        self._show: Told = self.p.teller
        self.p.teller = _Diary(self)

    def prenext(self) -> None:
        self.meet()

    def next(self) -> None:
        before = {id(met): met.seen for met in self.met}
        self.meet()
        for met in self.met:
            if met.seen != before[id(met)] and met.word == "LIVE":
                self._decide(met.feed)
        if all(met.last is not None and met.last.open_time >= self.p.last for met in self.met):
            self.env.runstop()

    def _decide(self, feed: Any) -> None:
        cross, position = self._cross[id(feed)][0], self.getposition(feed).size
        if cross > 0 and not position:
            self.buy(feed, size=round(_STAKE / feed.close[0], 4))
        elif cross < 0 and position:
            self.close(feed)

    def notify_order(self, order: Any) -> None:
        if order.status != order.Completed:
            return
        done = order.executed
        side = "buy" if order.isbuy() else "sell"
        when = bt.num2date(done.dt).isoformat(timespec="seconds")
        price, size = round(done.price, 8), round(abs(done.size), 8)
        trade = (when, order.data._name, side, size, price, round(done.comm, 4), round(self.broker.getvalue(), 2))
        self.trades.append(trade)
        self._show.order(f"{when[11:16]} {order.data._name} {side} {size:g} at {price:g}")


class _Diary(Told):
    """Writes down, and passes on."""

    def __init__(self, trader: Trader) -> None:
        super().__init__("binance")
        self._trader = trader

    def bar(self, met: Met, bar: Bar, source: str) -> None:
        self._trader.rows.append(Row(met.feed.venue_time(), met.symbol, bar, source))
        self._trader._show.bar(met, bar, source)

    def status(self, met: Met, word: Status, reason: str, time: int) -> None:
        self._trader.words.append((time, met.symbol, word.name, reason))
        self._trader._show.status(met, word, reason, time)

    def gap(self, met: Met, gap: Gap) -> None:
        self._trader.words.append((met.feed.venue_time(), met.symbol, "UNKNOWN", gap.reason))
        self._trader._show.gap(met, gap)
