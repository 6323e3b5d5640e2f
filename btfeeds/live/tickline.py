"""Single trades for a strategy: each once, in the venue's order. It decides and never acts.

Sockets' threads put trades in, and what happens to the stream; the consumer's thread takes deliveries and words out.
What waits in between is bounded: when the consumer is that far behind, the oldest trade makes room.

Trades are told apart by their numbers, or by what else the venue calls them. Where a symbol's trades are numbered
without holes (`counted`) the numbers prove what is missing, and that nothing is: one that came out of order is put in
its place as long as no later one was handed out. Elsewhere a break, a frame that nobody could read, another socket and
trades that made room may have cost some. Either way history has no answer: what is or may be missing is declared,
between the trades before and behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager

import msgspec

from btfeeds import monitor
from btfeeds.errors import BtfeedsError
from btfeeds.live.items import Delivery, Gap, Notice, Summary
from btfeeds.live.numbering import Numbering
from btfeeds.live.outbox import Outbox
from btfeeds.live.ring import Down, Refusal, Up
from btfeeds.live.status import Status
from btfeeds.market import Bar, Trade

_BEHIND_MS = 1_000  # a trade that has waited so long for the strategy was late


class _Waiting(msgspec.Struct, gc=False):
    """A trade in line. `arrived`: by the monotonic clock, in ms. `doubted`: trades may be missing before it."""

    trade: Trade
    arrived: int
    doubted: bool


_Entry = _Waiting | Up | Down | Refusal


class TickLine:
    """The trades of one symbol on their way. `lock` guards everything inside."""

    def __init__(
        self,
        lock: AbstractContextManager[object],
        *,
        name: str = "",
        venue: str = "",
        counted: bool = True,
        capacity: int = 4_096,
        grace_ms: int = 5_000,
        behind_ms: int = _BEHIND_MS,
        until: int | None = None,
    ) -> None:
        """`grace_ms`: so late a trade may come. `until`: trades later than this are not wanted (epoch ms)."""
        self._lock = lock
        self.name, self._venue, self._capacity = name, venue, capacity
        self._grace_ms, self._behind_ms, self._until = grace_ms, behind_ms, until
        self._line: deque[_Entry] = deque()
        self._trades = 0  # how many of these are trades
        # as the trades come
        self._numbers = Numbering(counted=counted)
        self._doubted = False  # some may be missing behind the last one
        self._owed = -1  # the venue has spoken of a trade of this number
        # as they go
        self._out = Outbox()
        self._last: int | None = None  # the time of the last trade; before any went, of the first that made room
        self._taken = -1  # its number; -1: it has none, or the venue counts anew since then
        self._made_room = False
        self._reached = 0  # the latest time of a trade
        self._promised = 0  # by the clock no trade from before this is expected any more
        self._online = self._proven = False
        self.summary = Summary()
        self.happenings: list[monitor.Happening] = []
        self.error: BtfeedsError | None = None
        self._out.say(Status.DELAYED, "start")

    # --- what happens: on sockets' threads ---------------------------------------------------------------------------

    def add(self, trades: Iterable[Trade], arrived: int) -> list[monitor.Happening]:
        """Trades have come; returns what is to be told of them."""
        told: list[monitor.Happening] = []
        with self._lock:
            self._proven = True
            for trade in trades:
                if self._ended:
                    break
                if trade.id >= 0 and self._numbers.begins_anew(trade):
                    self._taken = self._owed = -1
                    self._doubted = True
                newest = self._numbers.newest
                if (trade.id >= 0 or trade.key) and not self._numbers.is_new(trade):
                    self.summary.dropped_duplicates += 1
                elif trade.id < 0 or trade.id > newest:
                    self._append(trade, arrived)
                elif trade.id < self._taken:
                    told.append(monitor.FrameRejected(self._venue, "late", f"{self.name} {trade.time}"))
                else:
                    self._insert(trade, arrived)
                if self._trades > self._capacity and self._make_room():
                    told.append(monitor.RingOverflowed(self._venue, self.name))
        return told

    def seen(self, number: int) -> None:
        """The venue says that its last trade has this number."""
        with self._lock:
            self._owed = max(self._owed, number)

    def doubt(self) -> None:
        """A trade may be lost. Where trades are counted the next one tells."""
        with self._lock:
            self._doubted = self._trades > 0 or self._last is not None

    def up(self, time: int) -> None:
        self.doubt()
        self._put(Up(time))

    def down(self, reason: str) -> None:
        self.doubt()
        self._put(Down(reason))

    def refused(self, error: BtfeedsError) -> None:
        self._put(Refusal(error))

    # --- on the consumer's thread ------------------------------------------------------------------------------------

    def prove(self) -> None:
        """The venue has this symbol."""
        with self._lock:
            self._proven = True

    def refuse(self, error: BtfeedsError) -> None:
        """The trades cannot be had: say so and end."""
        with self._lock:
            self._refuse(error)

    def stop(self, reason: str) -> None:
        """The end was asked for. From any thread."""
        with self._lock:
            self._end(reason)

    def take(self, now: int, instant: int) -> Delivery | Notice | None:
        """The next thing for the strategy. `now`: the venue's clock, epoch ms; `instant`: the monotonic clock, ms."""
        with self._lock:
            while True:
                item = self._out.take()
                if item is not None or self._ended:
                    self.summary.delivered = self._out.delivered
                    return item
                if not self._line:
                    return self._rest(now)
                entry = self._line[0]
                if type(entry) is _Waiting:
                    self._hand_out(entry, instant)
                    continue
                self._line.popleft()
                if type(entry) is Up:
                    self._came_up()
                elif type(entry) is Down:
                    self._online = False
                    if self._out.word is not Status.CONNBROKEN:
                        self._out.say(Status.CONNBROKEN, entry.reason)
                elif isinstance(entry, Refusal):
                    self._refuse(entry.error)

    def clock_moved(self, now: int) -> None:
        """The venue's clock is known better; it shows `now`. What was promised by one that was ahead is not true."""
        with self._lock:
            self._promised = min(self._promised, now - self._grace_ms)

    def settled(self, now: int) -> int:
        """Every trade from before this was taken or, as far as anyone knows, will never come."""
        with self._lock:
            waits = self._out.next_open()
            if waits is None:
                waits = next((entry.trade.time for entry in self._line if type(entry) is _Waiting), None)
            sure = self._online and not self._doubted and not self._owed > self._numbers.newest >= 0
            if waits is None and sure and self.live:
                self._promised = max(self._promised, now - self._grace_ms)
            settled = max(self._reached, self._promised)
            return settled if waits is None else min(waits, settled)

    @property
    def waiting(self) -> bool:
        """Whether `take` has something."""
        return len(self._out) > 0 or len(self._line) > 0

    @property
    def backlog(self) -> int:
        """How many trades wait."""
        return self._trades

    @property
    def proven(self) -> bool:
        """Whether the venue is known to have this symbol."""
        return self._proven

    @property
    def live(self) -> bool:
        """Whether LIVE was the last word."""
        return self._out.word is Status.LIVE

    @property
    def finished(self) -> bool:
        """Whether DISCONNECTED was taken."""
        return self._out.finished

    def deadline(self) -> int | None:
        """When (the venue's clock) `take` will have something although nothing came."""
        return None if self._until is None or self._ended else self._until + self._grace_ms + 1

    # --- inside: in line ---------------------------------------------------------------------------------------------

    @property
    def _ended(self) -> bool:
        return self._out.word is Status.DISCONNECTED

    def _put(self, entry: Up | Down | Refusal) -> None:
        with self._lock:
            if not self._ended:
                _put_word(self._line, entry)

    def _append(self, trade: Trade, arrived: int) -> None:
        self._line.append(_Waiting(trade, arrived, self._doubted))
        self._doubted = False
        self._trades += 1

    def _insert(self, trade: Trade, arrived: int) -> None:
        """In its place by number: no later one was handed out yet."""
        newest, places = self._numbers.newest, enumerate(self._line)
        later = (n for n, entry in places if type(entry) is _Waiting and trade.id < entry.trade.id <= newest)
        place = next(later, len(self._line))
        self._line.insert(place, _Waiting(trade, arrived, False))
        self._trades += 1

    def _make_room(self) -> bool:
        """Drop the oldest trade; returns whether that is news."""
        line, words = self._line, deque[_Entry]()
        dropped: _Waiting | None = None
        while True:
            entry = line.popleft()
            if type(entry) is not _Waiting:
                _put_word(words, entry)  # of breaks among trades that are gone one is left
            elif dropped is None:
                dropped = entry
            else:
                break
        self._trades -= 1
        if self._last is None:
            self._last = dropped.trade.time
        entry.doubted = True
        line.appendleft(entry)
        line.extendleft(reversed(words))
        news, self._made_room = not self._made_room, True
        return news

    # --- inside: handing out -----------------------------------------------------------------------------------------

    def _hand_out(self, entry: _Waiting, instant: int) -> None:
        trade, out = entry.trade, self._out
        late = self._made_room or instant - entry.arrived > self._behind_ms or trade.time < self._promised
        if late and out.word is Status.LIVE:
            out.say(Status.DELAYED, "behind")
        self._declare(entry)
        if self._until is not None and trade.time > self._until:
            self._end_at(self._until)
            return
        self._line.popleft()
        self._trades -= 1
        price = trade.price
        out.put(Bar(trade.time, price, price, price, price, trade.quantity, trade.count), "live")
        self._last = trade.time
        if trade.id <= self._numbers.newest:  # else it is of an older count
            self._taken = trade.id
        self._reached = max(self._reached, trade.time)

    def _declare(self, entry: _Waiting) -> None:
        """Say what is missing before this trade, if anything is."""
        number = entry.trade.id
        proof = self._numbers.counted and number > self._taken >= 0
        missing = number - self._taken - 1 if proof else 0
        if missing or (entry.doubted and not proof):
            self._gap(entry.trade.time, missing)

    def _gap(self, end: int, missing: int = 0) -> None:
        """`missing`: how many trades, 0 where nobody knows."""
        if self._last is None:
            return
        self._out.say(Status.UNKNOWN, "gap", Gap(self._last, end, "break"))
        self.summary.declared += max(1, missing)
        self.happenings.append(monitor.GapDeclared(self._venue, self.name, self._last, end, missing, "break"))

    def _came_up(self) -> None:
        self._online = True
        if self._out.word is Status.CONNBROKEN:
            self.summary.reconnects += 1
            self._out.say(Status.CONNECTED)
            self._out.say(Status.DELAYED, "reconnected")

    def _rest(self, now: int) -> Notice | None:
        """Nothing waits: LIVE, when that has become true; or the end."""
        self._made_room = False
        if self._until is not None and now - self._grace_ms > self._until:
            if self._doubted:
                self._gap(self._until)
            self._end_at(self._until)
        elif self._online and self._proven and self._out.word is Status.DELAYED:
            return self._out.say_now(Status.LIVE)
        item = self._out.take()
        assert not isinstance(item, Delivery)
        return item

    def _refuse(self, error: BtfeedsError) -> None:
        if self._ended or self.error:
            return
        self.error = error
        self._out.refuse(error)
        self._end(error.what, error)

    def _end(self, reason: str, payload: object = None) -> None:
        if not self._ended:
            self._out.say(Status.DISCONNECTED, reason, payload)
            self._line.clear()
            self._trades = 0

    def _end_at(self, until: int) -> None:
        self._reached = max(self._reached, until + 1)
        self._end("the end of the asked range")


def _put_word(line: deque[_Entry], entry: _Entry) -> None:
    """Behind the last one; a break that was mended while nobody looked, and came again, is one break."""
    if type(entry) is Down and line:
        if type(line[-1]) is Down:
            return  # still gone
        if len(line) >= 2 and type(line[-1]) is Up and type(line[-2]) is Down:
            line.pop()
            return
    line.append(entry)
