"""A venue on 127.0.0.1: one thread with one port, behind which the engine answers REST and WebSocket clients."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http
import json
import logging
import tempfile
import threading
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from btfeeds.clock import Clock, ManualClock
from btfeeds.errors import MissingExtra, PortInUse, SimulatorError
from btfeeds.market import Bar, Timeframe
from btfeeds.simulator.dialect import Reply, Session
from btfeeds.simulator.engine import Engine, Entry
from btfeeds.simulator.faults import Fault, parse
from btfeeds.simulator.sockets import SocketWire, connection_class, listen_to

if TYPE_CHECKING:
    import ssl

    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

logger = logging.getLogger("btfeeds")
_T = TypeVar("_T")
_BURST = 200  # happenings between two looks at the sockets


class Simulator:
    """A venue at work until `close()`; also a context manager. Made by `btfeeds.simulator.serve`."""

    def __init__(self, engine: Engine, clock: Clock, *, port: int = 0, tls: bool = False) -> None:
        try:
            import websockets.asyncio.server  # noqa: F401  (told before anything starts)
        except ImportError:
            raise MissingExtra("websockets", "sim", "The simulator") from None
        self.clock = clock
        self.ca_pem: Path | None = None
        self._engine = engine
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._tls = self._certificate() if tls else None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self._wake: asyncio.Event | None = None
        self._port = port
        self._thread = threading.Thread(target=self._run, name="btfeeds-simulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        failure: BaseException | None = self._failure
        if failure:
            self._thread.join()
            self._forget_certificate()
            raise failure

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- where it is, and what it knows ---------------------------------------------------------------------------

    @property
    def rest_url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}"

    @property
    def stream_url(self) -> str:
        return f"ws{'s' if self._tls else ''}://127.0.0.1:{self._port}"

    @property
    def clock_url(self) -> str:
        return f"{self.rest_url}/btfeeds/clock"

    @property
    def start(self) -> int:
        """The instant the first live bar opens."""
        return self._engine.start

    @property
    def end(self) -> int:
        """The instant the last bar closes; the market is silent from then on."""
        return max(market.end for market in self._engine.dialect.markets.values())

    @property
    def log(self) -> list[Entry]:
        """What clients asked and what became of them, with the simulator's times."""
        return list(self._engine.log)

    @property
    def connections(self) -> int:
        """How many WebSocket clients are connected."""
        return len(self._engine.peers)

    def closed_bars(self, symbol: str, timeframe: str | Timeframe) -> list[Bar]:
        """The truth so far: every bar the venue has closed, from the first of the file; flat ones included."""
        markets = self._engine.dialect.markets
        market = next((market for name, market in markets.items() if symbol in (name, market.symbol)), None)
        if market is None:
            raise SimulatorError(f"The simulator has no symbol {symbol!r}.", "", f"It has: {', '.join(markets)}.")
        frame = Timeframe.parse(timeframe)
        return self._call(lambda: market.closed(frame, self.clock.now()))

    # --- what can be done to it -----------------------------------------------------------------------------------

    def fault(self, text: str | Fault) -> None:
        """Let a fault happen now: `cut`, `mute:BTC/USDT,10m`. It has happened when this returns."""
        fault = parse(text, scheduled=False)

        def strike() -> None:
            self._catch_up()
            self._engine.now = max(self._engine.now, self.clock.now())
            self._engine.strike(fault)
            self._poke()

        self._call(strike)

    def step(self) -> int:
        """On a ManualClock: go to the next thing that happens, let it happen, return its time."""
        self._manual()
        return self._call(self._step)

    def run_until(self, time: int) -> None:
        """On a ManualClock: let everything happen that is due until `time` (epoch ms), each at its own time.

        When it returns every frame has been handed to its socket, and the clock stands at `time`.
        """
        clock = self._manual()

        async def run() -> None:
            while (due := self._engine.next_due) is not None and due <= time:
                self._step()
                await asyncio.sleep(0)  # what was sent goes out, what was closed gets closed
            clock.set(max(time, clock.now()))
            self._catch_up()

        self._await(run())

    def run_for(self, ms: int) -> None:
        """On a ManualClock: `run_until`, that long from now."""
        self.run_until(self.clock.now() + ms)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it has ended, within that many seconds; raises what ended it, unless that was `close`."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        if self._failure:
            raise self._failure
        return True

    def close(self) -> None:
        """End it: clients are cut off, the port is free, the thread has ended."""
        loop, closing = self._loop, self._closing
        if loop and closing and self._thread.is_alive():
            loop.call_soon_threadsafe(closing.set)
            self._poke_from_outside()
            self._thread.join()
        self._forget_certificate()

    def _manual(self) -> ManualClock:
        if not isinstance(self.clock, ManualClock):
            raise SimulatorError("Only a simulator on a ManualClock can be stepped.", "", "Pass clock=ManualClock().")
        return self.clock

    def _step(self) -> int:
        clock, due = self._manual(), self._engine.next_due
        if due is None:
            return clock.now()
        clock.set(max(due, clock.now()))
        self._engine.run_next()
        return clock.now()

    def _call(self, action: Callable[[], _T]) -> _T:
        async def call() -> _T:
            return action()

        return self._await(call())

    def _await(self, work: Coroutine[Any, Any, _T]) -> _T:
        loop = self._loop
        if loop is None or not self._thread.is_alive():
            work.close()
            raise SimulatorError("The simulator is closed.", "", "Call serve() again.")
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    # --- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # the border of the thread: whoever called serve() is told
            if self._ready.is_set():
                logger.exception("the simulator has ended")
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        server = await self._listen()
        self._loop, self._closing, self._wake = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._port = next(iter(server.sockets)).getsockname()[1]
        self._ready.set()
        try:
            await self._work()
        finally:
            for peer in tuple(self._engine.peers):
                self._engine.disconnect(peer)
                peer.wire.cut("rst")
            server.close()
            await server.wait_closed()

    async def _listen(self) -> Server:
        from websockets.asyncio.server import serve

        quiet = logging.getLogger("btfeeds.simulator.websockets")  # clients that break off are daily business here
        quiet.setLevel(logging.CRITICAL)
        try:
            return await serve(
                self._handle,
                "127.0.0.1",
                self._port,
                process_request=self._process_request,
                create_connection=connection_class(),
                ssl=self._tls,
                compression=None,
                ping_interval=None,  # the engine pings, in its own time
                close_timeout=1,
                server_header=None,
                logger=quiet,
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortInUse(
                f"Port {self._port} on 127.0.0.1 is taken.",
                "The simulator was not started.",
                "Choose another one, or 0 for any that is free.",
            ) from None

    async def _work(self) -> None:
        """Let happen what is due, when it is due; on a ManualClock only when told."""
        assert self._closing and self._wake
        manual = isinstance(self.clock, ManualClock)
        while not self._closing.is_set():
            self._wake.clear()
            due = None if manual else self._engine.next_due
            if due is not None and due <= self.clock.now():
                self._catch_up(_BURST)
                await asyncio.sleep(0)
                continue
            wait = None if due is None else (due - self.clock.now()) / 1000 / self.clock.speed
            try:
                await asyncio.wait_for(self._wake.wait(), wait if wait is None else max(wait, 0.0005))
            except TimeoutError:
                continue

    def _catch_up(self, most: int = 1 << 30) -> None:
        for _ in range(most):
            due = self._engine.next_due
            if due is None or due > self.clock.now():
                return
            self._engine.run_next()

    def _present(self) -> int:
        """The time, behind all that was due by now: who has been held up must not date old news with it."""
        now = self.clock.now()  # once: while there is much to do it goes on
        if not isinstance(self.clock, ManualClock):
            while (due := self._engine.next_due) is not None and due <= now:
                self._engine.run_next()
        return now

    def _poke(self) -> None:
        if self._wake:
            self._wake.set()

    def _poke_from_outside(self) -> None:
        if self._loop:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._poke)

    # --- HTTP and WebSocket ---------------------------------------------------------------------------------------

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        path, now = unquote(url.path), self._present()
        if request.headers.get("Upgrade", "").lower() != "websocket":
            query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            if path == "/btfeeds/clock":
                return self._response(Reply(200, self._clock_body()), now)
            return self._response(self._engine.ask(path, query, now, _headers(request)), now)
        if refusal := self._engine.refusal(now):
            self._engine.note("refuse", f"{refusal.status} {path}")
            return self._response(refusal, now)
        if self._engine.dialect.open(path, unquote(url.query)) is None:
            self._engine.note("refuse", f"404 {path}")
            return self._response(Reply(404, ""), now)
        return None

    def _clock_body(self) -> str:
        return json.dumps({"now": self.clock.now(), "speed": self.clock.speed})

    def _response(self, reply: Reply, now: int) -> Response:
        from websockets.datastructures import Headers
        from websockets.http11 import Response

        body = reply.body.encode()
        headers = Headers({"Date": formatdate(now / 1000, usegmt=True), "Connection": "close"})
        for name, value in {"Content-Type": "application/json;charset=UTF-8", **reply.headers}.items():
            headers[name] = value
        headers["Content-Length"] = str(len(body))
        return Response(reply.status, _reason(reply.status), headers, body)

    async def _handle(self, connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        assert connection.request
        url = urlsplit(connection.request.path)
        engine = self._engine
        session = engine.dialect.open(unquote(url.path), unquote(url.query)) or Session()
        session.path, session.headers = unquote(url.path), _headers(connection.request)
        peer = engine.connect(SocketWire(connection), session, connection.request.path, self._present())
        listen_to(connection, lambda what, payload: engine.heard(peer, what, payload, self._present()))
        self._poke()
        try:
            async for text in connection:
                message = text if isinstance(text, str) else engine.dialect.decode(session, text)
                engine.message(peer, message, self._present())
                self._poke()
        except ConnectionClosed:
            pass
        except Exception:  # a mistake of the simulator's: its users must hear of it, and the others go on
            logger.exception("the simulator failed on a message")
        finally:
            engine.disconnect(peer)

    def _certificate(self) -> ssl.SSLContext:
        try:
            import trustme
        except ImportError:
            raise MissingExtra("trustme", "sim", "A simulator with TLS") from None
        import ssl

        self._folder = tempfile.TemporaryDirectory(prefix="btfeeds-")
        self.ca_pem = Path(self._folder.name) / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_pem))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        return context

    def _forget_certificate(self) -> None:
        if self._folder:
            self._folder.cleanup()
            self._folder = None


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.raw_items()}


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
