"""A WebSocket server that plays a script, one function call per connection, on a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

Script = Callable[["Peer"], None]
PATIENCE_S = 50  # longer than the slowest machine needs, shorter than the time limit of a test


class Peer:
    """One client as the script sees it. `number` counts connections from 1."""

    def __init__(self, connection: ServerConnection, number: int, server: Scripted) -> None:
        self.connection = connection
        self.number = number
        self.server = server

    def say(self, **message: object) -> None:
        self.connection.send(json.dumps(message))

    def hear(self) -> dict[str, object]:
        """The next message; the connection's end ends the script."""
        said: dict[str, object] = json.loads(self.connection.recv(timeout=PATIENCE_S))
        self.server.heard.append((self.number, said))
        return said

    def acknowledge(self) -> list[str]:
        """Confirm the next subscribe message; returns its channels."""
        said = self.hear()
        self.say(ack=said["id"])
        return list(said.get("sub", ()))  # type: ignore[call-overload]

    def cut(self) -> None:
        """End with a TCP reset, without a word."""
        sock = self.connection.socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def stay(self) -> None:
        """Answer subscriptions until the client leaves."""
        while True:
            self.acknowledge()


class Scripted:
    """Use as a context manager; `url` is where to dial."""

    def __init__(self, script: Script, **options: Any) -> None:
        self._script = script
        self.heard: list[tuple[int, dict[str, object]]] = []
        self.connects = 0
        self.peers: list[Peer] = []
        self._lock = threading.Lock()  # guards connects and peers
        self._server = serve(self._handle, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2, **options)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"{'wss' if 'ssl' in options else 'ws'}://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _handle(self, connection: ServerConnection) -> None:
        with self._lock:
            self.connects += 1
            peer = Peer(connection, self.connects, self)
            self.peers.append(peer)
        with contextlib.suppress(ConnectionClosed, OSError, TimeoutError):  # the client is gone: so is the script
            self._script(peer)

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        for peer in self.peers:
            with contextlib.suppress(OSError):  # cut by the script already
                peer.connection.socket.close()
        self._thread.join(2)


class Bell:
    """Rung by `wake`; waits until something is true. Fails the test after PATIENCE_S."""

    def __init__(self) -> None:
        self._condition = threading.Condition()

    def ring(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def until(self, true: Callable[[], object]) -> None:
        with self._condition:
            # The short step is for facts that nobody rings for, as a thread's end.
            for _ in range(PATIENCE_S * 100):
                if true():
                    return
                self._condition.wait(0.01)
        raise AssertionError(f"it did not happen within {PATIENCE_S} seconds")
