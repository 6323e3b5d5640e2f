"""The socket: the only file that knows the WebSocket library (websocket-client).

One thread owns a `Transport`. Foreign exceptions end here: above it there is only `Loss`, which says why a connection
is gone, how long to stay away at least, and whether trying again can help.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import time
from http.cookies import CookieError
from urllib.parse import urlsplit

import websocket
from websocket import ABNF

from btfeeds import __version__
from btfeeds.errors import TlsError
from btfeeds.live.dialing import Attempt, ProxyFailed, Selector, connect, proxy_host, proxy_variable
from btfeeds.live.effects import Loss
from btfeeds.live.losses import Check, bad_status, closed, proxy_refused
from btfeeds.venues.base import HttpResponse

# websocket-client logs payloads and headers when tracing is on, and errors of its own at ERROR: neither is wanted.
logging.getLogger("websocket").setLevel(logging.CRITICAL)

MAX_FRAME = 8 * 1024 * 1024  # bytes; the largest message a venue documents is far below
_MAX_HANDSHAKE = 256 * 1024
_OF_TIME = (9, 10)  # OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_BATCH = 256  # frames handed up at once: keeps stopping prompt under a flood


class Dropped(Exception):
    """The socket is gone; `loss` says why."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss.detail)
        self.loss = loss


class _TooLarge(websocket.WebSocketProtocolException):
    """More bytes than any venue sends."""


class _Buffered:
    """A socket that reads ahead: one system call for many small frames instead of three for each."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        """`end` (monotonic, s) is when the handshake must be over, however slowly its bytes drip in."""
        self._sock = sock
        self._data = bytearray()
        self._at = 0
        self._end = end
        self._handshake = _MAX_HANDSHAKE
        self._patience: float | None = None  # of one `send`
        self.send_by: float | None = None  # of the frame that is being sent: all of it, a few bytes at a time or not

    def pending(self) -> bool:
        """Whether there is something to do without waiting for the wire: a whole frame, or bytes that TLS holds."""
        tls = getattr(self._sock, "pending", None)
        return self.complete() or bool(tls and tls())

    def complete(self) -> bool:
        """Whether a whole frame is at hand. Raises WebSocketProtocolException for one that is too large."""
        data, at = self._data, self._at
        held = len(data) - at
        if held < 2:
            return False
        size, length = 2, data[at + 1] & 0x7F
        if length == 126:
            size = 4
        elif length == 127:
            size = 10
        if held < size:
            return False
        if size > 2:
            length = int.from_bytes(data[at + 2 : at + size], "big")
            if length > MAX_FRAME:  # a length field alone must not make us allocate gigabytes
                raise _TooLarge(f"a frame of {length} bytes")
        if data[at + 1] & 0x80:
            size += 4
        return held >= size + length

    def opened(self) -> None:
        """The handshake is over: from now on nobody waits in `fill`."""
        self._sock.settimeout(0)

    def fill(self) -> None:
        """Read once. Raises WebSocketConnectionClosedException at the end of the stream.

        What can be read may still hold nothing for us: TLS has words of its own, and half a record is none yet.
        """
        try:
            chunk = self._sock.recv(65_536)
        except _NOT_YET:
            return
        if not chunk:
            raise websocket.WebSocketConnectionClosedException("end of stream")
        if self._at:
            del self._data[: self._at]
            self._at = 0
        self._data += chunk

    def recv(self, size: int) -> bytes:
        """What the library calls: in the handshake, and then only when a whole frame is at hand."""
        if self._at == len(self._data):
            if (left := self._end - time.monotonic()) <= 0:
                raise TimeoutError("the handshake takes too long")
            if self._handshake <= 0:
                raise websocket.WebSocketProtocolException("the handshake does not end")
            self._sock.settimeout(left)
            self.fill()
            self._handshake -= len(self._data)
        at = self._at
        self._at = end = min(at + size, len(self._data))
        return bytes(self._data[at:end])

    def send(self, data: bytes) -> int:
        """Send what goes at once, or wait for the first bytes to go. Raises TimeoutError."""
        end = self.send_by
        if end is None and self._patience is not None:
            end = time.monotonic() + self._patience
        while True:
            try:
                return self._sock.send(data)
            except _NOT_YET as error:
                event = selectors.EVENT_READ if isinstance(error, ssl.SSLWantReadError) else selectors.EVENT_WRITE
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("nothing was taken")
            with Selector() as selector:
                selector.register(self._sock, event)
                selector.select(left)

    def gettimeout(self) -> float | None:
        return self._patience

    def settimeout(self, timeout: float | None) -> None:
        """How long one `send` may take."""
        self._patience = timeout

    def fileno(self) -> int:
        return self._sock.fileno()

    def shutdown(self, how: int) -> None:
        socket.socket.shutdown(self._sock, how)  # a TLS socket's own would pull the rug from its thread

    def close(self) -> None:
        self._sock.close()


class Transport:
    """One WebSocket. All methods but `abort` belong to the thread that owns it."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10.0,
        ca_file: str | None = None,
        pong_every: float = 1.0,
        attempt: Attempt | None = None,
        check: Check = lambda answer: None,
    ) -> None:
        """Dial. `timeout` in seconds of the wall, for TCP, TLS and the handshake together, and for one frame.

        `attempt` can be given up by another thread; `check` knows what the venue's refusals mean.

        Pings are answered at once, but at most every `pong_every` seconds: venues limit what a client may send, and
        an answer to the last ping answers those before it (RFC 6455 §5.5.3). Raises Dropped.
        """
        self.url = url
        self._timeout = timeout
        # fragments are put together here, where they are bounded
        ws = websocket.WebSocket(skip_utf8_validation=True, fire_cont_frame=True, enable_multithread=False)
        self._ws = ws
        try:
            self._socket = self._open(url, timeout, ca_file, attempt)
            response = ws.handshake_response
            if response is None or response.status != 101:
                status = response.status if response else 0
                raise Dropped(Loss("http", f"the venue answered {status} instead of a WebSocket", 30_000))
            self._selector = Selector()
            self._selector.register(self._socket.fileno(), selectors.EVENT_READ, "socket")
        except Dropped:
            _shut(ws)
            raise
        except (websocket.WebSocketException, OSError, ValueError, CookieError) as error:
            _shut(ws)
            raise Dropped(_why_not(error, url, check)) from None
        ws.pong = self._pinged  # type: ignore[method-assign, assignment]  # the library answers every ping at once
        self._pong_every = pong_every
        self._pong_at = 0.0
        self._owed: bytes | None = None  # the ping that is answered next
        self._parts: bytearray | None = None  # a message whose end has not come yet
        self._goodbye = 1000

    def _open(self, url: str, timeout: float, ca_file: str | None, attempt: Attempt | None) -> _Buffered:
        """Connect and shake hands."""
        ws, end = self._ws, time.monotonic() + timeout
        options = {"timeout": timeout, "redirect_limit": 0, "header": [f"User-Agent: btfeeds/{__version__}"]}
        parts = urlsplit(url)
        secure, host = parts.scheme == "wss", parts.hostname or ""
        port = parts.port or (443 if secure else 80)
        raw = connect(host, port, timeout, secure=secure, ca_file=ca_file, attempt=attempt)
        sock = _Buffered(raw, end)
        ws.sock = sock  # type: ignore[assignment]  # so that a failure closes it; it offers all that the library calls
        ws.connect(url, socket=sock, **options)  # type: ignore[no-untyped-call]
        sock.settimeout(timeout)
        sock.opened()
        return sock

    def watch(self, fileno: int) -> None:
        """`wait` returns, too, when this descriptor can be read."""
        self._selector.register(fileno, selectors.EVENT_READ, "other")

    def wait(self, seconds: float | None) -> bool:
        """Wait (of the wall) for bytes or for the watched descriptor; True when there are bytes to read.

        Raises Dropped, when a pong that is due cannot be sent.
        """
        if self._owed is not None:
            left = max(0.0, self._pong_at - time.monotonic())
            seconds = left if seconds is None else min(seconds, left)
            if not left:
                self._pong(self._owed)
        try:
            if self._socket.pending():
                return True
        except websocket.WebSocketProtocolException:
            return True  # `receive` says why
        return any(key.data == "socket" for key, _ in self._selector.select(seconds))

    def receive(self) -> list[bytes | None]:
        """The whole frames at hand, none when the bytes that came do not complete one. Call it when `wait` says so.

        None stands for a ping or pong (pings are answered already). Raises Dropped.
        """
        frames: list[bytes | None] = []
        ws, sock = self._ws, self._socket
        try:
            if not sock.complete():
                sock.fill()
            while sock.complete() and len(frames) < _BATCH:
                opcode, frame = ws.recv_data_frame(True)
                if opcode <= ABNF.OPCODE_BINARY:  # text, binary, or what continues one
                    if frame.fin and self._parts is None:
                        frames.append(frame.data)
                    else:
                        self._join(frame, frames)
                elif opcode == ABNF.OPCODE_CLOSE:
                    raise Dropped(closed(frame.data))
                else:
                    frames.append(None)
            return frames
        except Dropped as dropped:
            ended = dropped
        except (websocket.WebSocketException, OSError, ValueError) as error:
            ended = Dropped(_gone(error))
            if ended.loss.reason == "protocol":
                self._goodbye = 1009 if isinstance(error, _TooLarge) else 1002
        if not frames:
            raise ended
        self._ended = ended  # hand over what came before the end first
        return frames

    _ended: Dropped | None = None

    def _join(self, frame: ABNF, frames: list[bytes | None]) -> None:
        """A piece of a message that comes in pieces."""
        if self._parts is None:
            self._parts = bytearray()
        self._parts += frame.data  # type: ignore[arg-type]  # bytes: what arrives is never text
        if len(self._parts) > MAX_FRAME:
            raise _TooLarge(f"a message of more than {MAX_FRAME} bytes")
        if frame.fin:
            frames.append(bytes(self._parts))
            self._parts = None

    def _pinged(self, payload: bytes = b"") -> None:
        """The venue pings: answer, now or as soon as it may be."""
        if time.monotonic() >= self._pong_at:
            self._pong(payload)
        else:
            self._owed = payload

    def _pong(self, payload: bytes) -> None:
        self._owed = None
        self._pong_at = time.monotonic() + self._pong_every
        self._frame(payload, ABNF.OPCODE_PONG)

    def check(self) -> None:
        """Raises Dropped when the socket ended right behind the frames that `receive` gave."""
        if self._ended is not None:
            raise self._ended

    def send(self, text: str) -> None:
        """Send a text frame. Raises Dropped."""
        self._frame(text, ABNF.OPCODE_TEXT)

    def ping(self) -> None:
        """Send a ping frame. Raises Dropped."""
        self._frame(b"", ABNF.OPCODE_PING)

    def _frame(self, payload: str | bytes, opcode: int) -> None:
        self._socket.send_by = time.monotonic() + self._timeout
        try:
            self._ws.send(payload, opcode)
        except (websocket.WebSocketException, OSError) as error:
            raise Dropped(_gone(error)) from None
        finally:
            self._socket.send_by = None

    def abort(self) -> None:
        """From any thread: make the owner's `receive` return at once."""
        with contextlib.suppress(OSError):  # it is gone already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say goodbye without waiting for an answer, and close."""
        self._selector.close()
        try:
            self._socket.settimeout(0.2)
            self._ws.send_close(self._goodbye)
        except (websocket.WebSocketException, OSError, ValueError):
            pass  # nobody is listening any more
        _shut(self._ws)


def _shut(ws: websocket.WebSocket) -> None:
    sock = ws.sock
    ws.sock = None
    ws.connected = False
    if sock is not None:
        sock.close()


def _gone(error: Exception) -> Loss:
    """Why an open connection ended."""
    if isinstance(error, websocket.WebSocketProtocolException | websocket.WebSocketPayloadException | ValueError):
        return Loss("protocol", str(error))
    if isinstance(error, websocket.WebSocketTimeoutException | TimeoutError):
        return Loss("timeout", "the venue does not take what is sent")
    if isinstance(error, websocket.WebSocketConnectionClosedException):
        return Loss("ended", "the venue closed the connection without a word")
    return Loss("reset", str(error))


def _why_not(error: Exception, url: str, check: Check) -> Loss:
    """Why a connection could not be opened."""
    host = urlsplit(url).hostname or url
    if isinstance(error, websocket.WebSocketBadStatusException):
        headers = {str(name).lower(): str(value) for name, value in (error.resp_headers or {}).items()}
        return bad_status(HttpResponse(error.status_code, error.resp_body or b"", headers, url), check)
    if isinstance(error, ProxyFailed):
        if error.status == 407:
            return Loss("http", "HTTP 407", error=proxy_refused(url))
        return Loss("http", f"the proxy does not connect to {host}: {error}")
    if proxy := proxy_host(proxy_variable(host, url.startswith("wss"))):
        host = f"{host} (by the proxy {proxy})"
    if isinstance(error, ssl.SSLCertVerificationError):
        refused = TlsError(
            f"The certificate of {host} is not accepted: {error.verify_message or error.reason}.",
            "Nothing was sent. btfeeds never switches verification off.",
            "Check the machine's clock; behind a company proxy set SSL_CERT_FILE to its certificate.",
        )
        # what has expired gets renewed, and a clock put right; who has another name, or no authority, keeps it
        passes = error.verify_code in _OF_TIME
        return Loss("tls", str(error), 60_000, None if passes else refused, alarm=refused)
    if isinstance(error, ssl.SSLError):
        return Loss("tls", f"{host} and this machine do not come to terms: {error}")
    if isinstance(error, websocket.WebSocketAddressException | socket.gaierror):
        return Loss("dns", f"{host} is not known: {error}")
    if isinstance(error, ConnectionRefusedError):
        return Loss("refused", f"{host} refuses connections")
    if isinstance(error, websocket.WebSocketTimeoutException | TimeoutError):
        return Loss("timeout", f"{host} does not answer")
    if isinstance(error, websocket.WebSocketConnectionClosedException):
        return Loss("ended", f"{host} closed the connection before it was open")
    if isinstance(error, OSError):
        return Loss("dial", str(error))
    return Loss("protocol", str(error))
