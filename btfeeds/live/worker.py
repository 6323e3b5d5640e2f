"""Owns one socket and one thread, carries out what its Connection decides, and never decides.

Commands come from other threads through `ask`; frames go to `sink.frame`-like callbacks on this thread. A bug in here
must never be silent: whatever escapes is logged, the connection is given up and dialled again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from btfeeds import monitor, wire
from btfeeds.clock import Clock
from btfeeds.errors import BadFrame, BtfeedsError
from btfeeds.history.http import HttpClient
from btfeeds.live.connection import Connection
from btfeeds.live.dialing import Attempt, Selector
from btfeeds.live.effects import Covered, Data, Dial, Doubt, Effect, HangUp, Loss, Lost, Ping, Refused, Relieve, Send
from btfeeds.live.states import State
from btfeeds.live.transport import Dropped, Transport
from btfeeds.venues.base import BarRevised, BarUpdate, HttpResponse, TradesSeen, TradeUpdate, Venue

logger = logging.getLogger("btfeeds")

_RETRY_S = 1.0
# What waits on a socket stands still while a machine sleeps, and its clock does not: after a sleep of hours what is
# overdue is noticed so much later at most.
_LONGEST_S = 3.0

Command = Callable[[Connection, int], list[Effect]]


class Listener(Protocol):
    """Who hears what a worker brings. Every call comes on the worker's thread."""

    def data(self, worker: Worker, event: Data) -> None: ...

    def covered(self, worker: Worker, channels: tuple[str, ...]) -> None: ...

    def lost(self, worker: Worker, effect: Lost) -> None: ...

    def refused(self, worker: Worker, effect: Refused) -> None: ...

    def relieve(self, worker: Worker, reason: str) -> None: ...

    def ended(self, worker: Worker) -> bool | None:
        """The thread leaves. False: a successor is wanted and could not be started; it is asked again, then."""


class Worker:
    """A thread with a socket. `number` names the connection in events: frames of an old one cannot be mistaken."""

    def __init__(
        self,
        connection: Connection,
        listener: Listener,
        clock: Clock,
        number: int,
        *,
        dial_timeout: float = 10.0,
        ca_file: str | None = None,
    ) -> None:
        self.number = number
        self.heard_at = 0  # all that came until then is handed on, and something came behind it (monotonic clock, ms)
        self.connection = connection
        self.venue: Venue = connection.venue
        self._listener = listener
        self._clock = clock
        self._dial_timeout = dial_timeout
        self._ca_file = ca_file or os.environ.get("SSL_CERT_FILE")
        self._commands: deque[Command] = deque()  # appended by any thread, popped by ours; deque is thread-safe
        self._wake_in: socket.socket | None = None  # made on our thread, where a lack of descriptors can be waited for
        self._wake_out: socket.socket | None = None
        self._transport: Transport | None = None
        self._attempt: Attempt | None = None  # while a connection is being opened
        self._asking: HttpClient | None = None  # while a ticket for one is asked for
        self._stopping = False
        self._retry = threading.Event()  # set by stop
        self._thread = threading.Thread(target=self._run, name=f"btfeeds-{self.venue.name}-{number}", daemon=True)

    # --- from any thread ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Raises RuntimeError where the system allows no further thread; nothing is left behind of it then."""
        self._thread.start()
        self.ask(lambda connection, now: connection.start(now))

    def ask(self, command: Command) -> None:
        """Have `command` run on the worker's thread and its effects carried out."""
        self._commands.append(command)
        self._wake()

    def stop(self) -> None:
        """End soon: the thread closes the socket and leaves. Does not wait."""
        self._stopping = True
        self._retry.set()
        self._wake()
        if (attempt := self._attempt) is not None:
            attempt.abort()
        if (asking := self._asking) is not None:
            asking.close()

    def join(self, seconds: float) -> bool:
        """Wait for the thread to leave; False when it did not in time."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(seconds / 2)
            if self._thread.is_alive() and (transport := self._transport) is not None:
                transport.abort()  # it is in the midst of sending what nobody takes
            self._thread.join(seconds / 2)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _wake(self) -> None:
        wake = self._wake_in
        if wake is not None:  # without one the thread has not come to wait yet
            with contextlib.suppress(OSError):  # full, so the thread will wake; or closed, so there is none
                wake.send(b"!")

    # --- the worker's thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._open_wake()
            while self.connection.state is not State.CLOSED:
                try:
                    self._turn()
                except Dropped as dropped:
                    if not self._stopping:  # a dial that was given up is no loss
                        self._do(self.connection.lost(dropped.loss, self._clock.monotonic()))
                except Exception as error:  # the thread's outermost border: a silent death would mute the feed
                    logger.critical("a connection to %s failed inside: %r", self.venue.name, error, exc_info=True)
                    self._do(
                        self.connection.lost(Loss("protocol", f"internal error: {error!r}"), self._clock.monotonic())
                    )
        finally:
            self._hang_up()
            for end in (self._wake_in, self._wake_out):
                if end is not None:
                    end.close()
            while self._listener.ended(self) is False and not self._stopping:
                self._retry.wait(_RETRY_S)

    def _open_wake(self) -> None:
        """Make what wakes us. Without file descriptors for it, wait until there are, or until nobody wants us."""
        while not self._stopping:
            try:
                self._wake_out, wake_in = socket.socketpair()
            except OSError as error:
                logger.warning("a connection to %s waits for file descriptors: %s", self.venue.name, error)
                self._retry.wait(_RETRY_S)
                continue
            wake_in.setblocking(False)
            self._wake_out.setblocking(False)
            self._wake_in = wake_in
            return
        self._do(self.connection.stop())

    def _turn(self) -> None:
        connection, clock = self.connection, self._clock
        # first of all, so that the answer to a ping that is sent in this turn cannot have lain there
        transport, dry = self._transport, clock.monotonic()
        lay_there = transport is not None and not self._stopping and transport.wait(0)
        if transport is not None and lay_there:  # when it came, nobody knows
            self._read(transport)
        while self._commands:
            self._do(self._commands.popleft()(connection, clock.monotonic()))
        if self._stopping:
            self._do(connection.stop())
            return
        self._do(connection.tick(clock.monotonic()))
        if lay_there or connection.state is State.CLOSED:
            return
        deadline = connection.deadline()
        seconds = None
        if deadline is not None:
            seconds = min(_LONGEST_S, max(0.0, (deadline - clock.monotonic()) / 1000 / clock.speed))
        transport = self._transport
        if transport is None:
            with Selector() as selector:
                selector.register(self._woken, selectors.EVENT_READ)
                selector.select(seconds)
            self._drain_wake()
        elif transport.wait(seconds):
            if self._read(transport):
                self.heard_at = dry
        else:
            self._drain_wake()

    @property
    def _woken(self) -> socket.socket:
        assert self._wake_out is not None
        return self._wake_out

    def _drain_wake(self) -> None:
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _read(self, transport: Transport) -> bool:
        """Hand on what has come; whether anything had."""
        connection, parse, clock, heard = self.connection, self.venue.parse_frame, self._clock, False
        for frame in transport.receive():
            now, heard = clock.monotonic(), True
            if frame is None:
                connection.heard(now)
                continue
            if wire.listeners:
                wire.told(self.venue, frame)
            try:
                effects = connection.received(parse(frame), now)
            except BadFrame as error:
                monitor.publish(monitor.FrameRejected(self.venue.name, error.reason, error.what))
                connection.heard(now)
                effects = connection.unreadable(error.what, now)
            if effects:
                self._do(effects)
                if self._transport is not transport:
                    return False  # the machine hung up in the midst of the batch
        transport.check()
        return heard

    def _do(self, effects: list[Effect]) -> None:
        listener = self._listener
        for effect in effects:
            kind = type(effect)
            if kind is BarUpdate or kind is TradeUpdate or kind is BarRevised or kind is TradesSeen or kind is Doubt:
                listener.data(self, effect)  # type: ignore[arg-type]
            elif isinstance(effect, Send):
                if self._transport:
                    self._transport.send(effect.text)
            elif isinstance(effect, Ping):
                if self._transport:
                    self._transport.ping()
            elif isinstance(effect, Covered):
                listener.covered(self, effect.channels)
            elif isinstance(effect, Lost):
                listener.lost(self, effect)
            elif isinstance(effect, Refused):
                listener.refused(self, effect)
            elif isinstance(effect, Relieve):
                listener.relieve(self, effect.reason)
            elif isinstance(effect, HangUp):
                self._hang_up()
            elif isinstance(effect, Dial):
                self._dial(effect)

    def _dial(self, effect: Dial) -> None:
        """Blocks up to the dial timeout. Raises Dropped."""
        self._hang_up()
        try:
            url = self.venue.endpoint(effect.channels, self._ticket())
        except BtfeedsError as error:  # what came for a ticket is none
            raise Dropped(Loss("http", error.line(), error=error if error.fatal else None)) from None
        pong_every = 1.0 / max(1.0, self._clock.speed)
        attempt = self._attempt = Attempt()
        if self._stopping:  # said before there was anything to give up
            attempt.abort()
        try:
            transport = Transport(
                url,
                timeout=self._dial_timeout,
                ca_file=self._ca_file,
                pong_every=pong_every,
                attempt=attempt,
                check=self.venue.check,
            )
        finally:
            self._attempt = None
        transport.watch(self._woken.fileno())
        self._transport = transport
        self._do(self.connection.opened(self._clock.monotonic()))

    def _ticket(self) -> HttpResponse | None:
        """What the venue wants to be asked over REST before a socket is opened. Raises Dropped."""
        request = self.venue.ticket_request()
        if request is None:
            return None
        client = self._asking = HttpClient(self._clock, self._dial_timeout)
        if self._stopping:  # said before there was anything to close
            client.close()
        try:
            return client.send(self.venue, request, lambda: self._stopping)
        except BtfeedsError as error:
            raise Dropped(Loss("http", error.line(), error=error if error.fatal else None)) from None
        finally:
            self._asking = None
            client.close()

    def _hang_up(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
