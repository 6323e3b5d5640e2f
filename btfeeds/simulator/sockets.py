"""What the engine may do to a client's socket, on top of the websockets library: send, ping, break, hold back."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.protocol import Event

_BACKLOG = 32 << 20  # bytes a client may leave unread before it is dropped
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class Connection(Protocol):
    """The library's connection, with what we have added to it."""

    kept: bytearray | None  # what is held back while the wire drips
    heard: Callable[[str, bytes], None] | None  # told of every ping and pong of the client


class SocketWire:
    """A Wire to a real client."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._added: Connection = connection  # type: ignore[assignment]  # made by connection_class
        self._task: asyncio.Task[None] | None = None

    def text(self, text: str | bytes) -> None:
        if self._open():
            if isinstance(text, bytes):
                self._connection.protocol.send_binary(text)
            else:
                self._connection.protocol.send_text(text.encode())
            self._connection.send_data()
            if self._connection.transport.get_write_buffer_size() > _BACKLOG:
                self.cut("rst")

    def ping(self, payload: bytes) -> None:
        if self._open():
            self._connection.protocol.send_ping(payload)
            self._connection.send_data()

    def close(self, code: int, reason: str) -> None:
        self._task = asyncio.get_running_loop().create_task(self._connection.close(code, reason))

    def cut(self, way: str) -> None:
        transport = self._connection.transport
        if way == "rst":
            if not transport.is_closing():
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        else:
            transport.close()

    def read(self, on: bool) -> None:
        transport = self._connection.transport
        if not transport.is_closing():
            if on:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def drip(self, on: bool) -> None:
        if on and self._added.kept is None:
            self._added.kept = bytearray()
        elif not on and self._added.kept is not None:
            self.drop(len(self._added.kept))
            self._added.kept = None

    def drop(self, count: int) -> None:
        kept = self._added.kept
        if kept and not self._connection.transport.is_closing():
            self._connection.transport.write(bytes(kept[:count]))
            del kept[:count]

    def _open(self) -> bool:
        from websockets.protocol import State

        return self._connection.protocol.state is State.OPEN


def connection_class() -> type[ServerConnection]:
    """The library's connection, which also tells of pings and pongs and can hold bytes back."""
    from websockets.asyncio.server import ServerConnection
    from websockets.frames import Frame, Opcode

    class Hearing(ServerConnection):
        kept: bytearray | None = None
        heard: Callable[[str, bytes], None] | None = None

        def process_event(self, event: Event) -> None:
            super().process_event(event)
            if self.heard and isinstance(event, Frame) and event.opcode in (Opcode.PING, Opcode.PONG):
                self.heard(event.opcode.name.lower(), bytes(event.data))

        def send_data(self) -> None:
            if self.kept is None:
                super().send_data()
            else:
                self.kept += b"".join(self.protocol.data_to_send())

    return Hearing


def listen_to(connection: ServerConnection, heard: Callable[[str, bytes], None]) -> None:
    """Have `heard("ping" or "pong", payload)` called from now on."""
    added: Connection = connection  # type: ignore[assignment]  # made by connection_class
    added.heard = heard
