"""What happens at the venue, in the order of its time: trades, updates, closed bars, pings, the faults that were asked.

The engine decides what goes to whom and when; clients' sockets are wires it is given. It is told the time and owns
no thread: everything here runs on the server's.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from btfeeds.errors import SimulatorError
from btfeeds.simulator.dialect import Ask, Dialect, Reply, Session, Stream
from btfeeds.simulator.faults import FOREVER, Fault
from btfeeds.simulator.manners import Manners
from btfeeds.simulator.market import Market, Row
from btfeeds.simulator.path import UPDATES, Tick
from btfeeds.simulator.peer import Peer, Wire

_FRAMES_PER_SECOND = 2_000  # of the wall; updates of forming bars are thinned out to stay below
_DRIP_EVERY, _DRIP_BYTES = 200, 8
_END_OF_TIME = 1 << 62
_GATES = ("region_block", "ban", "unavailable", "rate_limit")
_PAGES = ("html", "short_pages", "overlap")  # what is wrong with the answers themselves
_ARMED: Mapping[str, Sequence[str]] = {  # faults that wait for the next frame, and which kinds of frames they spoil
    "duplicate": ("closed", "trade"),
    "malformed": ("closed", "trade"),
    "reorder": ("closed",),
    "unfinished": ("forming",),
    "delay": ("closed",),
    "correct": ("closed",),
}
_NOT_YET = -1


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the simulator's log. `what`: rest, connect, refuse, message, ping, pong, disconnect, fault."""

    time: int
    what: str
    detail: str
    connection: int = 0


class Engine:
    """One venue at work. `delay` ms behind its close a closed bar is sent; `quiet` "flat" sends bars without trades."""

    def __init__(
        self, dialect: Dialect, start: int, speed: float = 1.0, *, delay: int = 27, quiet: str = "silent"
    ) -> None:
        self.dialect = dialect
        self.start = start
        self.now = start
        self.log: list[Entry] = []
        self.peers: set[Peer] = set()
        self._speed = speed
        self._delay = delay
        self._quiet = quiet
        self._numbers = itertools.count(1)
        self._order = itertools.count()
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._streams: dict[str, tuple[Stream, set[Peer]]] = {}  # by channel: who listens
        self._stride = 1
        self._armed: dict[tuple[str, str], Fault] = {}  # by name and kind of frame; `when` is the instant it acts on
        self._held: dict[str, str] = {}  # closed bars that wait for the next one of their channel
        self._muted: dict[str, int] = {}  # symbol ("" for all) → until when nothing of it is sent
        self._gates: dict[str, int] = {}
        self._lag = 0
        self._manners = Manners(self, speed)
        for symbol, market in dialect.markets.items():
            self._follow(self._trading(symbol, market))
            self._follow(self._closing(symbol, market))

    # --- the agenda -----------------------------------------------------------------------------------------------

    def at(self, when: int, action: Callable[[], None]) -> None:
        """Do something at `when`."""
        heapq.heappush(self._due, (when, next(self._order), action))

    @property
    def next_due(self) -> int | None:
        return self._due[0][0] if self._due else None

    def run_next(self) -> None:
        """Do what is due next, whatever the time."""
        when, _, action = heapq.heappop(self._due)
        self.now = max(self.now, when)
        action()

    def _follow(self, happenings: Iterator[tuple[int, Callable[[], None]]]) -> None:
        """Put a row of happenings on the agenda, one at a time."""
        following = next(happenings, None)
        if following is None:
            return
        when, action = following

        def act() -> None:
            self._follow(happenings)
            action()

        self.at(when, act)

    def _trading(self, symbol: str, market: Market) -> Iterator[tuple[int, Callable[[], None]]]:
        for tick in market.ticks_after(self.start):
            yield tick.time, partial(self._tick, symbol, tick)

    def _closing(self, symbol: str, market: Market) -> Iterator[tuple[int, Callable[[], None]]]:
        close = market.timeframe.close(market.timeframe.floor(max(self.start, market.start)))
        while True:  # behind the file's end too, where larger bars close
            yield close + self._delay + self.dialect.closed_after, partial(self._close, symbol, close)
            close = market.timeframe.close(close)

    # --- clients --------------------------------------------------------------------------------------------------

    def ask(self, path: str, query: Mapping[str, str], now: int, headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a REST request."""
        self.now = max(self.now, now)
        seen = self.now - self._lag
        html, short, overlap = (self._gates.get(name, 0) > self.now for name in _PAGES)
        for market in self.dialect.markets.values():
            market.short, market.overlap = short, overlap
        reply = self._gate(_GATES) or self.dialect.answer(Ask(path, query, self.now, seen, headers or {}))
        for market in self.dialect.markets.values():
            market.short = market.overlap = False  # what is streamed is whole
        if html:
            reply = Reply(502, "<html><body><h1>Bad gateway</h1></body></html>", {"Content-Type": "text/html"})
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        self.note("rest", f"{reply.status} {path}{'?' if asked else ''}{asked}")
        return reply

    def refusal(self, now: int) -> Reply | None:
        """Why a new connection is refused, if it is."""
        self.now = max(self.now, now)
        return self._gate(_GATES[:3])

    def _gate(self, names: Sequence[str]) -> Reply | None:
        for name in names:
            if self._gates.get(name, 0) > self.now:
                return self.dialect.refuse(name, math.ceil((self._gates[name] - self.now) / 1000), self.now)
        return None

    def connect(self, wire: Wire, session: Session, path: str, now: int) -> Peer:
        """A client is there."""
        self.now = max(self.now, now)
        peer = Peer(next(self._numbers), wire, session)
        self.peers.add(peer)
        self.note("connect", path, peer.number)
        self._listen(peer, ())
        self._manners.welcome(peer)
        return peer

    def disconnect(self, peer: Peer) -> None:
        """A client is gone."""
        if peer in self.peers:
            self.peers.discard(peer)
            self.dialect.leave(peer.session)
            for _, listeners in self._streams.values():
                listeners.discard(peer)
            self._thin()
            self.note("disconnect", "", peer.number)

    def message(self, peer: Peer, text: str, now: int) -> None:
        """A client's text."""
        self.now = max(self.now, now)
        self.note("message", text, peer.number)
        if peer not in self.peers or self._manners.flooded(peer):  # what has happened by now may have cut it off
            return
        before = tuple(peer.session.channels)
        peer.session.now = self.now
        replies = self.dialect.message(peer.session, text)
        self._listen(peer, before)
        for channel in [channel for channel in peer.muted if f'"{channel}"' in text]:
            peer.muted.discard(channel)  # made anew, or ended
        for reply in replies:
            self.send(peer, reply)
        if peer.session.ending:
            self.end(peer, peer.session.ending, "")

    def heard(self, peer: Peer, what: str, payload: bytes, now: int) -> None:
        """A client's ping, which the server answers, or pong; the echo of a ping keeps the connection."""
        self.now = max(self.now, now)
        self.note(what, payload.decode("latin-1"), peer.number)
        if not self._manners.flooded(peer) and what == "pong" and payload in peer.pings:
            del peer.pings[: peer.pings.index(payload) + 1]  # the echo of a later ping answers the earlier ones too

    def _listen(self, peer: Peer, before: Sequence[str]) -> None:
        """Bring the streams up to date with what a client has subscribed."""
        channels = () if peer.session.silent else tuple(peer.session.channels)
        for channel in before:
            if channel not in peer.session.channels and channel in self._streams:
                self._streams[channel][1].discard(peer)
                peer.muted.discard(channel)
        for channel in channels:
            if channel not in self._streams and (stream := self.dialect.stream(channel)):
                self._streams[channel] = (stream, set())
            if channel in self._streams:
                self._streams[channel][1].add(peer)
        self._thin()

    def _thin(self) -> None:
        """How many trades go by between two updates of a forming bar, so that the wall's second is not flooded."""
        frames = sum(
            len(listeners) * UPDATES * self._speed * 1000 / self.dialect.markets[stream.symbol].timeframe.ms
            for stream, listeners in self._streams.values()
            if stream.kind == "bars"
        )
        self._stride = max(1, math.ceil(frames / _FRAMES_PER_SECOND))

    def end(self, peer: Peer, code: int, reason: str) -> None:
        """Hang up on a client that still listens."""
        if peer in self.peers and not self._is_silent(peer):
            self.disconnect(peer)
            peer.wire.close(code, reason)

    def _is_silent(self, peer: Peer) -> bool:
        return peer.silent_until > self.now

    def send(self, peer: Peer, text: str) -> None:
        """Send a text, unless the client has fallen silent."""
        if not self._is_silent(peer):
            peer.sent_at = self.now
            peer.wire.text(self.dialect.encode(peer.session, text))

    # --- the market -----------------------------------------------------------------------------------------------

    def _listened(self, symbol: str) -> list[tuple[str, Stream]]:
        return [(name, stream) for name, (stream, who) in self._streams.items() if stream.symbol == symbol and who]

    def _tick(self, symbol: str, tick: Tick) -> None:
        market = self.dialect.markets[symbol]
        for channel, stream in self._listened(symbol):
            if stream.kind != "bars":
                for frame in self.dialect.trade_frames(stream, tick, self.now):
                    self._publish(channel, stream, "trade", frame)
                continue
            index, groups = market.place(tick)
            last = index + 1 == groups
            lying = not last and self._hits("unfinished", "forming")
            row = market.bar(stream.timeframe, stream.timeframe.floor(tick.time), tick.time)
            final = last and not self.dialect.flags  # there is no other last word
            if row and (lying or final or (self.dialect.forming and index % self._stride == 0)):
                kind = "closed" if final else "forming"
                self._publish(channel, stream, kind, self.dialect.bar_frame(stream, row, bool(lying), self.now))

    def _close(self, symbol: str, close: int) -> None:
        market = self.dialect.markets[symbol]
        for channel, stream in self._listened(symbol) if self.dialect.flags else ():
            if stream.kind != "bars" or not stream.timeframe.aligned(close):
                continue
            row = market.bar(stream.timeframe, stream.timeframe.floor(close - 1), close)
            if row and (row.trades or self._quiet == "flat"):
                if late := self._hits("correct", "closed"):
                    row = self._without_last(stream, row, late.duration)
                self._publish(channel, stream, "closed", self.dialect.bar_frame(stream, row, True, self.now))

    def _without_last(self, stream: Stream, row: Row, later: int) -> Row:
        """The bar as it was before its last trade; the whole one follows as a correction, where the venue sends any."""
        market = self.dialect.markets[stream.symbol]
        last = [tick.time for tick in market.ticks_between(row.open_time, row.close_time)][-1:]
        before = market.bar(stream.timeframe, row.open_time, last[0] - 1) if last else None
        correction = self.dialect.correction(stream, row)
        if correction is None or before is None or not before.trades:
            return row
        channel, frame = correction
        if channel in self._streams:
            self.at(self.now + later, lambda: self._broadcast(channel, self._streams[channel][0], [frame]))
        return before

    def _publish(self, channel: str, stream: Stream, kind: str, frame: str) -> None:
        """Send a frame to everybody who listens, as the faults of this instant would have it."""
        frames = [frame]
        if self._hits("malformed", kind):
            frames = [frame[: len(frame) // 2]]
        if self._hits("duplicate", kind):
            frames *= 2
        if not self.dialect.flags:  # on one connection nothing overtakes anything, and here nothing could repair it
            self._broadcast(channel, stream, frames)
            return
        if late := self._hits("delay", kind):
            self.at(self.now + late.duration, lambda: self._broadcast(channel, stream, frames))
            return
        if self._hits("reorder", kind):
            self._held[channel] = frame
            return
        if kind == "closed" and channel in self._held:
            frames.append(self._held.pop(channel))
        self._broadcast(channel, stream, frames)

    def _broadcast(self, channel: str, stream: Stream, frames: Sequence[str]) -> None:
        if max(self._muted.get(stream.symbol, 0), self._muted.get("", 0)) > self.now:
            return
        for peer in tuple(self._streams[channel][1]):
            if channel not in peer.muted:
                for frame in [",".join(frames)] if self.dialect.batches else frames:
                    self.send(peer, self.dialect.wrap(peer.session, channel, frame))

    def _hits(self, name: str, kind: str) -> Fault | None:
        """The armed fault when it acts on a frame of this kind: on all of one instant, then no more."""
        fault = self._armed.get((name, kind))
        if fault is None:
            return None
        if fault.when == _NOT_YET:
            fault = self._armed[name, kind] = replace(fault, when=self.now)
        if fault.when == self.now:
            return fault
        del self._armed[name, kind]
        return None

    # --- faults ---------------------------------------------------------------------------------------------------

    def schedule(self, fault: Fault) -> None:
        """Let a fault happen `when` ms after the first live bar opened. Raises SimulatorError."""
        self._native(fault.symbol)
        self.at(self.start + fault.when, lambda: self.strike(fault))

    def strike(self, fault: Fault) -> None:
        """Let a fault happen now. Raises SimulatorError."""
        native = self._native(fault.symbol)
        self.note("fault", fault.name)
        until = self.now + fault.duration if fault.duration != FOREVER else _END_OF_TIME
        if fault.name in _ARMED:
            for kind in _ARMED[fault.name]:
                self._armed[fault.name, kind] = replace(fault, when=_NOT_YET)
        elif fault.name in _GATES + _PAGES:
            self._gates[fault.name] = until
        elif fault.name == "rest_lag":
            self._lag = fault.duration
        elif fault.name == "mute":
            self._mute(native, fault.duration, until)
        else:
            for peer in sorted(self.peers, key=lambda peer: peer.number):
                self._strike_peer(fault, peer, until)

    def _native(self, symbol: str) -> str:
        """The venue's spelling of a fault's symbol; "" stays "", all of them."""
        markets = self.dialect.markets
        native = next((name for name, market in markets.items() if symbol in (name, market.symbol)), None)
        if symbol and native is None:
            raise SimulatorError(
                f"A fault names {symbol!r}, which is not served.",
                "It was not scheduled.",
                f"Choose one of: {', '.join(market.symbol for market in markets.values())}.",
            )
        return native if symbol and native else ""

    def _mute(self, native: str, duration: int, until: int) -> None:
        if duration != FOREVER:
            self._muted[native] = until
            return
        for channel, (stream, listeners) in self._streams.items():
            if native in ("", stream.symbol):
                for peer in listeners:
                    peer.muted.add(channel)

    def _strike_peer(self, fault: Fault, peer: Peer, until: int) -> None:
        match fault.name:
            case "cut":
                self.disconnect(peer)
                peer.wire.cut(fault.way)
            case "close":
                self.end(peer, fault.code, "")
            case "silence":
                peer.silent_until = until
                peer.wire.read(False)
                if until < _END_OF_TIME:
                    self.at(until, lambda: peer.wire.read(True))
            case "drip":
                peer.wire.drip(True)
                self.at(self.now + _DRIP_EVERY, lambda: self._drip(peer, until))
            case "shutdown_notice":
                if notice := self.dialect.farewell(peer.session, self.now):
                    self.send(peer, notice)
                self.at(until, lambda: self.end(peer, 1001, "shutdown"))

    def _drip(self, peer: Peer, until: int) -> None:
        if peer not in self.peers:
            return
        if self.now >= until:
            peer.wire.drip(False)
            return
        peer.wire.drop(_DRIP_BYTES)
        self.at(self.now + _DRIP_EVERY, lambda: self._drip(peer, until))

    def note(self, what: str, detail: str, connection: int = 0) -> None:
        """Write a line of the log."""
        self.log.append(Entry(self.now, what, detail, connection))
