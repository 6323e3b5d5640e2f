"""From a host to an open stream of bytes: addresses, the proxy where there is one, TCP, TLS.

A host often has addresses of both families, and one family may lead nowhere. They are tried a quarter of a second
apart and the first that answers is kept (RFC 8305, "happy eyeballs"): a dead IPv6 route costs that and no more.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import selectors
import socket
import ssl
import time
from base64 import b64encode
from collections import deque
from itertools import zip_longest
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

_HEAD_START_S = 0.25  # RFC 8305 §5
_LOCAL = ("localhost", "127.0.0.1", "::1")  # never through a proxy, as history
_SLICE_S = 0.1  # how soon it is noticed that an attempt was given up
_MOST_OF_A_PROXY = 16_384  # bytes of its answer
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK))

# Neither needs a file descriptor of its own, and descriptors above 1023 are none of poll's business.
Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class ProxyFailed(OSError):
    """The proxy does not lead to the host; `status` is what it answered, 0: nothing that is HTTP."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy answers {status or 'no HTTP'}")
        self.status = status


class Attempt:
    """One attempt to connect. Another thread may give it up; then the one that connects soon gets an OSError."""

    def __init__(self) -> None:
        self.given_up = False
        self._sock: socket.socket | None = None

    def hold(self, sock: socket.socket) -> None:
        """What would have to be woken. Raises ConnectionAbortedError when it was given up meanwhile."""
        self._sock = sock
        self.go_on()

    def go_on(self) -> None:
        if self.given_up:
            raise ConnectionAbortedError(errno.ECONNABORTED, "given up")

    def abort(self) -> None:
        """From any thread."""
        self.given_up = True
        if (sock := self._sock) is not None:
            with contextlib.suppress(OSError):  # it is closed already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # a TLS socket's own would pull the rug from its thread


def proxy_variable(host: str, secure: bool) -> str:
    """The environment variable that names a proxy for this host, or ""."""
    if host in _LOCAL:
        return ""
    name = "https_proxy" if secure else "http_proxy"
    found = next((name for name in (name, name.upper()) if os.environ.get(name, "").strip()), "")
    return "" if not found or proxy_bypass_environment(host) or _in_a_net(host) else found


def proxy_host(variable: str) -> str:
    """The host of the proxy that this environment variable names, without the credentials in it; "" without one."""
    try:
        return _proxy(variable)[0]
    except ValueError:
        return ""


def connect(
    host: str, port: int, seconds: float, *, secure: bool, ca_file: str | None = None, attempt: Attempt | None = None
) -> socket.socket:
    """A connected socket, with TLS where `secure`, through a proxy where the environment names one.

    All together takes at most `seconds` and the look-up of the name.

    Raises OSError: gaierror, ConnectionRefusedError, TimeoutError, ssl.SSLError, ProxyFailed …
    """
    attempt = attempt or Attempt()
    context = ssl.create_default_context(cafile=ca_file) if secure else None
    variable = proxy_variable(host, secure)
    first, first_port, credentials = _proxy(variable) if variable else (host, port, "")
    found = socket.getaddrinfo(first, first_port, type=socket.SOCK_STREAM)
    end = time.monotonic() + seconds
    sock = _race(_in_turns(found), end, attempt)
    try:
        attempt.hold(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if variable:
            _tunnel(sock, host, port, credentials, end)
        sock.settimeout(max(0.001, end - time.monotonic()))
        if context is None:
            return sock
        sock = wrapped = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        attempt.hold(wrapped)
        wrapped.do_handshake()
        return wrapped
    except BaseException:
        sock.close()
        raise


def _in_a_net(host: str) -> bool:
    """Whether NO_PROXY names a net that this address is in."""
    nets = os.environ.get("no_proxy", os.environ.get("NO_PROXY", "")).split(",")
    for net in (net.strip() for net in nets if "/" in net):
        with contextlib.suppress(ValueError):  # a host with a name, or no net
            if ipaddress.ip_address(host) in ipaddress.ip_network(net):
                return True
    return False


def _proxy(variable: str) -> tuple[str, int, str]:
    """Host and port of the proxy, and "user:password" or "". Raises ValueError for what is no URL."""
    value = os.environ.get(variable, "").strip()
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host = None
    if not host:  # the words of `urlsplit` would hold a part of the URL, and that may be the password
        raise ValueError(f"{variable} is not the URL of a proxy") from None
    credentials = "" if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return host, port, credentials


def _tunnel(sock: socket.socket, host: str, port: int, credentials: str, end: float) -> None:
    """Have the proxy lead on to the host (RFC 9110 §9.3.6). Raises ProxyFailed, or TimeoutError at `end`."""
    to = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {to} HTTP/1.1", f"Host: {to}"]
    if credentials:
        lines.append(f"Proxy-Authorization: Basic {b64encode(credentials.encode()).decode()}")
    sock.settimeout(max(0.001, end - time.monotonic()))
    sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    answer = bytearray()
    while not answer.endswith((b"\n\r\n", b"\n\n")):
        if (left := end - time.monotonic()) <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(left)
        byte = sock.recv(1)  # not one more: what follows is the host's
        if not byte or len(answer) >= _MOST_OF_A_PROXY:
            raise ProxyFailed(0)
        answer += byte
    found = re.match(rb"HTTP/1\.\d (\d{3})\b", answer)
    status = int(found[1]) if found else 0
    if not 200 <= status < 300:
        raise ProxyFailed(status)


def _in_turns(found: list[Any]) -> deque[Any]:
    """The addresses in the order of the system, but the families by turns."""
    first = [address for address in found if address[0] == found[0][0]]
    other = [address for address in found if address[0] != found[0][0]]
    return deque(address for pair in zip_longest(first, other) for address in pair if address is not None)


def _race(addresses: deque[Any], end: float, attempt: Attempt) -> socket.socket:
    """The first socket that connects. Raises the last failure, or TimeoutError at `end`."""
    failure: OSError | None = None
    next_at = 0.0
    with Selector() as selector:
        try:
            while True:
                attempt.go_on()
                now = time.monotonic()
                if now >= end:
                    raise TimeoutError("timed out")
                trying = len(selector.get_map())
                if addresses and (now >= next_at or not trying):
                    next_at = now + _HEAD_START_S
                    try:
                        selector.register(_begin(addresses.popleft()), selectors.EVENT_WRITE)
                    except OSError as error:
                        failure, next_at = error, now
                    continue
                if not trying:
                    raise failure or TimeoutError("no address")
                soon = min(end, next_at) if addresses else end
                for key, _ in selector.select(min(soon - now, _SLICE_S)):
                    sock: Any = key.fileobj
                    selector.unregister(sock)
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not code:
                        return sock  # type: ignore[no-any-return]
                    sock.close()
                    failure, next_at = OSError(code, os.strerror(code)), now
        finally:
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]


def _begin(address: Any) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        code = sock.connect_ex(where)
        if code not in _UNDER_WAY:
            raise OSError(code, os.strerror(code))
        return sock
    except BaseException:
        sock.close()
        raise
