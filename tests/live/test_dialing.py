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
    monkeypatch.setenv("no_proxy", "venue.test, 10.0.0.0/8")
    assert dialing.proxy_variable("venue.test", True) == dialing.proxy_variable("10.1.2.3", True) == ""
    assert dialing.proxy_variable("11.1.2.3", True) == "HTTPS_PROXY"


# --- by a proxy ------------------------------------------------------------------------------------------------------


def by_proxy(monkeypatch: pytest.MonkeyPatch, url: str, host: str = "venue.invalid") -> socket.socket:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", url)
    return dialing.connect(host, 80, 30.0, secure=False)


@pytest.mark.parametrize(
    ("who", "head"),
    [("", b""), ("us%40er:pa%3Ass@", b"Proxy-Authorization: Basic dXNAZXI6cGE6c3M=\r\n")],  # us@er:pa:ss
)
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_is_asked_for_the_host_and_what_follows_its_answer_is_the_hosts(
    who: str, head: bytes, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []

    def handle(sock: socket.socket, _: int) -> None:
        heard.append(sock.recv(4096))
        sock.sendall(b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\nhello")
        sock.recv(1)

    with Listener(handle) as server, by_proxy(monkeypatch, f"{scheme}{who}127.0.0.1:{server.port}") as sock:
        assert sock.recv(5) == b"hello"
    assert heard == [b"CONNECT venue.invalid:80 HTTP/1.1\r\nHost: venue.invalid:80\r\n" + head + b"\r\n"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"HTTP/1.1 407 Who?\r\n\r\n", 407), (b"HTTP/1.1 503 Busy\r\n\r\n", 503), (b"SSH-2.0-x\r\n\r\n", 0), (b"HTT", 0),
     (b"HTTP/1.1 200 ok\r\nX: " + b"a" * 20_000, 0)],
)  # fmt: skip
def test_a_proxy_that_does_not_lead_on_is_told_by_its_status(
    answer: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handle(sock: socket.socket, _: int) -> None:
        sock.recv(4096)
        sock.sendall(answer)
        sock.shutdown(socket.SHUT_WR) if len(answer) < 100 else sock.recv(1)

    with Listener(handle) as server, pytest.raises(dialing.ProxyFailed) as failed:
        by_proxy(monkeypatch, f"http://127.0.0.1:{server.port}")
    assert failed.value.status == status


@pytest.mark.parametrize("url", ["http://user:cAnArY@proxy:port", "http://user:cAnArY@[::", "http://", "http://:3128"])
def test_what_is_no_url_of_a_proxy_is_told_without_a_word_of_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^http_proxy is not the URL of a proxy$"):
        by_proxy(monkeypatch, url)
    assert dialing.proxy_host("http_proxy") == ""


def test_only_the_host_of_a_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:cAnArY@proxy.test:3128")
    assert dialing.proxy_host("http_proxy") == "proxy.test" and dialing.proxy_host("") == ""
