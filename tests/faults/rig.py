"""A stream on real sockets, with a clock that moves when told: what faults are tried on."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from btfeeds import monitor
from btfeeds.clock import Clock, ManualClock
from btfeeds.history.downloader import Page
from btfeeds.live.items import Delivery
from btfeeds.live.states import State
from btfeeds.live.stream import Stream
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import Heartbeat, Venue
from tests.live.scripted import Bell, Peer
from tests.live.toy import Toy

PATIENCE_S = 50  # of the wall: longer than the slowest machine needs, shorter than the time limit of a test
M = 60_000
NOW = 100 * M + 1_000  # bar 99 has closed, bar 100 forms


def bar(minute: int) -> Bar:
    """What is true of a minute: no two are alike."""
    return Bar(minute * M, 10.0 + minute, 12.0 + minute, 8.0 + minute, 11.0 + minute, 1.0 + minute)


def _values(row: Bar) -> tuple[float, ...]:
    return (row.open_time, row.open, row.high, row.low, row.close, row.volume)


def _at_rest(worker: Any) -> bool:
    """Whether a worker waits for time to pass: it has done what was due, and no answer of the server is on its way.

    On a slow machine the clock would otherwise run ahead of the threads, and what is on time would come too late.
    """
    connection, now = worker.connection, worker._clock.monotonic()
    deadline = connection.deadline()
    paced = connection._pace.ready or connection._requests.waiting  # what waits for its turn to be sent
    settled = connection.state in (State.WAITING, State.STREAMING, State.CLOSED) and not connection._requests
    return bool(paced or settled) and (deadline is None or deadline > now)


class Truth:
    """A downloader that has every minute which has closed by the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def pages(
        self, symbol: str, timeframe: Timeframe, span: TimeRange, cancelled: Callable[[], bool]
    ) -> Iterator[Page]:
        end = min(span.end, timeframe.floor(self.clock.now()))
        yield Page(TimeRange(span.start, end), [bar(time // M) for time in timeframe.opens(TimeRange(span.start, end))])

    def close(self) -> None:
        pass


class Calm(Toy):
    """Never pings."""

    heartbeat = Heartbeat(idle_ms=10**12)


class Rig:
    """History from minute `start`, then what the server at `url` says. Use as a context manager."""

    def __init__(
        self,
        url: str,
        *,
        venue: Venue | None = None,
        symbol: str = "BTC/USDT",
        start: int | None = 97,
        clock: Any = None,
        downloader: Any = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or ManualClock(NOW)
        self.bell = Bell()  # for what is no business of the stream's
        self._rung = threading.Event()
        self.rows: list[Bar] = []
        self.words: list[str] = []
        self.payloads: list[object] = []
        self.happened: list[monitor.Happening] = []
        truth = downloader or Truth(self.clock)
        self.stream = Stream(
            venue or Calm(stream_url=url),
            Subscription("toy", Symbol(symbol), Timeframe.parse("1m")),
            clock=self.clock,
            start=None if start is None else start * M,
            downloader=lambda: truth,
            **{"backoff_ms": (0,), **settings},
        )

    def __enter__(self) -> Rig:
        monitor.add(self.happened.append)
        self.stream.open(self.ring)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()
        monitor.remove(self.happened.append)

    def pull(self) -> None:
        """Take everything that is ready."""
        while (item := self.stream.pull()) is not None:
            if isinstance(item, Delivery):
                self.rows.append(item.bar)
            else:
                self.words.append(item.status.name)
                self.payloads.append(item.payload)

    def until(self, true: Callable[[], object], tick: int = 0) -> None:
        """Pull until something is true. With every look `tick` ms of the clock pass, when nobody is in their way.

        The wall's seconds only end what would never end.
        """
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if tick and all(map(_at_rest, self.workers)):
                self.advance(tick)
            self.pull()
            if true():
                return
            self._rung.wait(0.01)
            self._rung.clear()
        raise AssertionError(f"it did not happen within {PATIENCE_S} seconds: {self.words} {self.minutes[-3:]}")

    def ring(self) -> None:
        self._rung.set()

    def rest(self) -> None:
        """Until nobody has anything to do at this time of the clock: what has not happened now will not."""
        self.until(lambda: self.workers and all(map(_at_rest, self.workers)))

    def until_live(self, times: int = 1) -> None:
        self.until(lambda: self.words.count("LIVE") == times)

    def until_minute(self, minute: int) -> None:
        """Until the bar of this minute was delivered."""
        self.until(lambda: self.rows and self.rows[-1].open_time == minute * M)

    def advance(self, ms: int) -> None:
        """Let time pass, and have everybody notice."""
        self.clock.advance(ms)
        for worker in self.workers:
            worker._wake()

    def advance_to(self, minute: float) -> None:
        """Let the clock show so many minutes, and 20 ms."""
        self.advance(int(minute * M) + 20 - self.clock.now())

    @property
    def workers(self) -> list[Any]:
        hub = self.stream._hub
        return [] if hub is None else [worker for shard in list(hub._shards) for worker in list(shard._workers)]

    def losses(self) -> list[monitor.Disconnected]:
        return [happening for happening in self.happened if isinstance(happening, monitor.Disconnected)]

    def rejected(self) -> list[str]:
        return [happening.reason for happening in self.happened if isinstance(happening, monitor.FrameRejected)]

    @property
    def minutes(self) -> list[int]:
        return [row.open_time // M for row in self.rows]

    def proven(self, first: int, last: int) -> bool:
        """Whether exactly the true bars of these minutes were delivered, in order."""
        return list(map(_values, self.rows)) == [_values(bar(minute)) for minute in range(first, last + 1)]


def say(peer: Peer, channel: str, minute: int, **more: object) -> None:
    """The closed bar of a minute, as the toy venue says it."""
    row = bar(minute)
    peer.say(bar=[channel, row.open_time, row.open, row.high, row.low, row.close, row.volume], **more)


# --- servers that are no WebSocket servers, or hardly -----------------------------------------------------------------


class Listener:
    """Accepts TCP connections and gives each to `handle(socket, number)` on a thread of its own."""

    def __init__(self, handle: Callable[[socket.socket, int], None], address: str = "127.0.0.1") -> None:
        self._handle = handle
        self._sock = socket.create_server((address, 0))
        self.port: int = self._sock.getsockname()[1]
        self.url = f"ws://{address}:{self.port}"
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            self.accepted += 1
            self._one(sock, self.accepted)

    def _one(self, sock: socket.socket, number: int) -> None:
        def run() -> None:
            with sock, contextlib.suppress(OSError):
                self._handle(sock, number)

        threading.Thread(target=run, daemon=True).start()

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # what ends accept()
        self._sock.close()
        self._thread.join(2)


def shake(sock: socket.socket) -> bytes:
    """The server's half of the WebSocket handshake; returns what came behind the request."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(4096)
        if not piece:
            raise ConnectionError("gone")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    key = next(line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))  # noqa: E501
    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + proof + b"\r\n\r\n"
    )  # fmt: skip
    return rest


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame as a server sends it, whole or not, allowed or not."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """The client's whole frames in `data`: (opcode, payload)."""
    found = []
    at = 0
    while len(data) - at >= 6:
        size, start = data[at + 1] & 0x7F, at + 2
        if size == 126:
            size, start = struct.unpack("!H", data[at + 2 : at + 4])[0], at + 4
        mask, body = data[start : start + 4], data[start + 4 : start + 4 + size]
        if len(body) < size:
            break
        found.append((data[at] & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(body))))
        at = start + 4 + size
    return found


@contextmanager
def black_hole(address: str = "127.0.0.1") -> Iterator[int]:
    """A port where SYNs vanish: its queue of connections is full, and nobody accepts. Yields the port."""
    with socket.socket() as sock, contextlib.ExitStack() as waiting:
        sock.bind((address, 0))
        sock.listen(0)
        for _ in range(4):
            filler = waiting.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        yield sock.getsockname()[1]
