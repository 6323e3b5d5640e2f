"""From a host to a socket: which address, which proxy, how long."""

from __future__ import annotations

import socket
import time

import pytest

from btfeeds.live import dialing
from tests.faults.rig import Listener, black_hole

V4, V6 = socket.AF_INET, socket.AF_INET6


def test_the_families_take_turns() -> None:
    found = [(V6, "a"), (V6, "b"), (V4, "c"), (V4, "d")]
    assert [name for _, name in dialing._in_turns(found)] == ["a", "c", "b", "d"]


def test_nobody_at_any_address_is_the_last_refusal() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            dialing.connect("127.0.0.1", closed.getsockname()[1], 5.0, secure=False)


def test_nothing_answers_until_the_time_is_over() -> None:
    with black_hole() as port:
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            dialing.connect("127.0.0.1", port, 0.2, secure=False)
        assert time.monotonic() - start >= 0.2


def test_a_server_that_never_shakes_hands_costs_no_more_than_the_time() -> None:
    silent = Listener(lambda sock, _: sock.recv(1) and sock.recv(100_000) and None)  # type: ignore[arg-type]
    with silent as server, pytest.raises(OSError):
        dialing.connect("127.0.0.1", server.port, 0.3, secure=True)


def test_a_proxy_is_taken_from_the_environment_unless_the_host_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert dialing.proxy_variable("venue.test", True) == ""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    assert dialing.proxy_variable("venue.test", True) == "HTTPS_PROXY"
    assert dialing.proxy_variable("venue.test", False) == ""
    monkeypatch.setenv("no_proxy", "venue.test")
    assert dialing.proxy_variable("venue.test", True) == ""
