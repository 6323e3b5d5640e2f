"""What is done to a socket through the library (test_server does it to real ones)."""

from __future__ import annotations

from websockets.asyncio.server import ServerConnection

from btfeeds.simulator.peer import Wire
from btfeeds.simulator.sockets import SocketWire, connection_class


def test_the_connection_is_the_librarys_with_ears_and_a_stopper() -> None:
    made = connection_class()
    assert issubclass(made, ServerConnection)
    assert (made.kept, made.heard) == (None, None)  # type: ignore[attr-defined]


def test_a_socket_can_do_what_the_engine_asks_of_a_wire() -> None:
    asked = {name for name in vars(Wire) if not name.startswith("_")}
    assert asked <= set(dir(SocketWire))
