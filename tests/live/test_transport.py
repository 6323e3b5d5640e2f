"""The socket's border: what the library raises becomes a Loss with a reason of the closed list."""

from __future__ import annotations

import http.server
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import trustme

from btfeeds.live import transport
from btfeeds.live.effects import LOSSES
from btfeeds.live.transport import Dropped, Transport
from tests.faults.rig import Listener, frame, shake
from tests.live.scripted import Peer, Scripted

_T = TypeVar("_T")


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


# --- nothing blocks --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A certificate of 127.0.0.1 and venue.invalid, and the file of its authority."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "venue.invalid").configure_cert(context)
    file: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return context, str(file)


class Records:
    """A server's end of TLS. It is as a socket to `shake`, and it shows its records instead of sending them."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._sock, self._in, self._out = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._do(self._tls.do_handshake)

    def _do(self, step: Callable[[], _T]) -> _T:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._sock.sendall(self._out.read())
                self._in.write(self._sock.recv(65_536))
                continue
            self._sock.sendall(self._out.read())
            return done

    def recv(self, size: int) -> bytes:
        return self._do(lambda: self._tls.read(size))

    def sendall(self, data: bytes) -> None:
        self._do(lambda: self._tls.write(data))

    def record(self, data: bytes) -> bytes:
        self._tls.write(data)
        return self._out.read()


def test_a_part_of_a_tls_record_is_not_waited_for(served: tuple[ssl.SSLContext, str]) -> None:
    """Nor is a record without data: to the socket both are bytes that bring nothing."""
    context, ca_file = served
    go_on = threading.Event()

    def handle(sock: socket.socket, _: int) -> None:
        records = Records(sock, context)
        shake(records)  # type: ignore[arg-type]
        record = records.record(frame(b"{}"))
        sock.sendall(record[:7])
        go_on.wait(10)
        sock.sendall(record[7:])
        sock.recv(1)

    with Listener(handle) as server:
        link = Transport(f"wss://127.0.0.1:{server.port}", timeout=5, ca_file=ca_file)
        assert link.wait(10)
        assert link.receive() == []
        go_on.set()
        assert read_whole(link) == [b"{}"]
        link.close()


def read_whole(link: Transport) -> list[bytes | None]:
    """As `read`, where what comes may bring nothing."""
    frames: list[bytes | None] = []
    while not frames:
        assert link.wait(10)
        frames = link.receive()
    return frames


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_what_does_not_go_out_at_once_goes_out_as_it_is_taken(scheme: str, served: tuple[ssl.SSLContext, str]) -> None:
    context, ca_file = served
    text, heard = "0123456789" * 1_000_000, []

    def script(peer: Peer) -> None:
        heard.append(peer.connection.recv(timeout=30))
        peer.say(a=1)
        peer.connection.recv(timeout=10)

    options = {"ssl": context} if scheme == "wss" else {}
    with Scripted(script, max_size=None, **options) as server:
        link = Transport(server.url, timeout=30, ca_file=ca_file)
        link.send(text)
        assert read_whole(link) == [b'{"a": 1}']
        link.close()
    assert heard == [text]


def test_a_venue_that_takes_nothing_is_waited_for_no_longer_than_the_timeout() -> None:
    done = threading.Event()

    def handle(sock: socket.socket, _: int) -> None:
        shake(sock)
        done.wait(30)

    with Listener(handle) as server:
        link = Transport(server.url, timeout=2.0)
        with pytest.raises(Dropped) as dropped:
            link.send("0123456789" * 2_000_000)
        done.set()
        assert dropped.value.loss.reason == "timeout"
        link.close()


def test_a_venue_that_takes_a_little_at_a_time_is_waited_for_no_longer() -> None:
    done = threading.Event()

    def handle(sock: socket.socket, _: int) -> None:
        shake(sock)
        while not done.wait(0.1) and sock.recv(100_000):
            pass

    with Listener(handle) as server:
        link = Transport(server.url, timeout=2.0)
        with pytest.raises(Dropped) as dropped:
            link.send("0123456789" * 2_000_000)
        done.set()
        assert dropped.value.loss.reason == "timeout"
        link.close()


# --- handshakes ------------------------------------------------------------------------------------------------------


def test_a_cookie_that_is_none_is_a_loss_and_not_a_bug() -> None:
    class WithCookie:
        def __init__(self, sock: socket.socket) -> None:
            self.recv = sock.recv
            self._sock = sock

        def sendall(self, data: bytes) -> None:
            self._sock.sendall(data.replace(b"Upgrade: ", b"Set-Cookie: a/b=c; Domain=x\r\nUpgrade: ", 1))

    def handle(sock: socket.socket, _: int) -> None:
        shake(WithCookie(sock))  # type: ignore[arg-type]
        sock.recv(1)

    with Listener(handle) as server:
        assert loss(server.url).reason == "protocol"


def proxied(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_venue_is_reached_by_a_proxy(
    scheme: str, served: tuple[ssl.SSLContext, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, ca_file = served

    def handle(sock: socket.socket, _: int) -> None:
        assert sock.recv(4096).startswith(b"CONNECT venue.invalid:")
        sock.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
        if scheme == "wss":
            sock = context.wrap_socket(sock, server_side=True)
        with sock:
            shake(sock)
            sock.sendall(frame(b"{}"))
            sock.recv(1)

    with Listener(handle) as server:
        proxied(monkeypatch, server.port)
        link = Transport(f"{scheme}://venue.invalid/path", timeout=10, ca_file=ca_file)
        assert read_whole(link) == [b"{}"]
        link.close()


def test_a_proxy_whose_answer_drips_is_given_up_at_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def handle(sock: socket.socket, _: int) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 ok\r\nX: ")
        for _ in range(400):  # much longer than the timeout, and not for ever
            sock.sendall(b"a")
            if done.wait(0.02):
                return

    with Listener(handle) as server:
        proxied(monkeypatch, server.port)
        with pytest.raises(Dropped) as dropped:
            Transport("ws://venue.invalid", timeout=0.5)
        done.set()
    assert dropped.value.loss.reason == "timeout"
    assert dropped.value.loss.detail == "venue.invalid (by the proxy 127.0.0.1) does not answer"
