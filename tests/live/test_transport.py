"""The socket's border: what the library raises becomes a Loss with a reason of the closed list."""

from __future__ import annotations

import http.server
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from btfeeds.live import transport
from btfeeds.live.effects import LOSSES
from btfeeds.live.transport import Dropped, Transport
from tests.live.scripted import Peer, Scripted


def dial(server: Scripted) -> Transport:
    return Transport(server.url, timeout=5)


def read(link: Transport) -> list[bytes | None]:
    """The next frames, however the wire cuts them."""
    while True:
        assert link.wait(10)
        if frames := link.receive():
            return frames


def loss(url: str) -> transport.Loss:
    with pytest.raises(Dropped) as dropped:
        Transport(url, timeout=2)
    assert dropped.value.loss.reason in LOSSES
    return dropped.value.loss


@contextmanager
def answering(status: int, **headers: str) -> Iterator[str]:
    """An HTTP server that refuses every upgrade with this status."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_frames_come_as_bytes_and_pings_as_none() -> None:
    def script(peer: Peer) -> None:
        peer.say(a=1)
        peer.connection.ping(b"x")
        peer.say(a=2)
        peer.connection.recv(timeout=10)

    with Scripted(script) as server:
        link = dial(server)
        frames: list[bytes | None] = []
        while len(frames) < 3:
            frames += read(link)
        assert frames == [b'{"a": 1}', None, b'{"a": 2}']
        link.close()


def test_a_reset_is_told_after_the_frames_before_it() -> None:
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.say(a=1)
        go.wait(10)
        peer.cut()

    with Scripted(script) as server:
        link = dial(server)
        assert read(link) == [b'{"a": 1}']
        go.set()
        with pytest.raises(Dropped) as dropped:
            read(link)
        assert dropped.value.loss.reason in ("reset", "ended")
        link.close()


def test_a_close_frame_carries_its_code() -> None:
    with Scripted(lambda peer: peer.connection.close(1012, "restart")) as server:
        link = dial(server)
        with pytest.raises(Dropped) as dropped:
            read(link)
        assert dropped.value.loss.reason == "close_code" and dropped.value.loss.detail == "1012 restart"
        link.close()


def test_a_frame_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    def script(peer: Peer) -> None:
        peer.connection.socket.sendall(b"\x82\x7f" + struct.pack("!Q", 1 << 40))
        peer.connection.recv(timeout=10)

    with Scripted(script) as server:
        link = dial(server)
        with pytest.raises(Dropped) as dropped:
            read(link)
        assert dropped.value.loss.reason == "protocol"
        link.close()


def test_nobody_listening_is_refused() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert loss(f"ws://127.0.0.1:{port}").reason == "refused"


def test_an_unknown_host_is_a_dns_loss() -> None:
    assert loss("ws://no-such-host.invalid").reason == "dns"


def test_429_waits_as_long_as_the_venue_says() -> None:
    with answering(429, Retry_After="7") as url:
        found = loss(url)
    assert (found.reason, found.not_before_ms, found.error) == ("http", 7_000, None)


@pytest.mark.parametrize("status", [451, 403])
def test_a_region_block_cannot_be_helped_by_trying_again(status: int) -> None:
    with answering(status) as url:
        error = loss(url).error
    assert error is not None and error.fatal and "region" in error.what


def test_a_redirect_is_not_followed() -> None:
    with answering(302, Location="ws://127.0.0.1:1/") as url:
        assert loss(url).reason in ("http", "protocol")


def test_whole_frames_are_handed_on_before_a_half_one_is_waited_for() -> None:
    def script(peer: Peer) -> None:
        peer.connection.socket.sendall(b"\x81\x02{}\x81\x05he")
        peer.connection.recv(timeout=10)
        peer.connection.socket.sendall(b"llo")
        peer.connection.recv(timeout=10)

    with Scripted(script) as server:
        link = dial(server)
        assert read(link) == [b"{}"]
        link.send("go on")
        assert read(link) == [b"hello"]
        link.close()


def test_abort_from_another_thread_ends_the_wait() -> None:
    with Scripted(lambda peer: peer.hear()) as server:
        link = dial(server)
        threading.Timer(0.1, link.abort).start()
        with pytest.raises(Dropped):
            read(link)
        link.close()
