"""The only door to HTTP: sends what a venue says, paced, retried and checked, and brings back what it answered.

Foreign exceptions end here. Every wait runs on the feed's `Clock` and can be interrupted, which is why the retries
are our own: the retry libraries (stamina, tenacity) sleep on the wall's clock, and a run against a fast simulator
would wait for real.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import random
import socket
import ssl
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from btfeeds import __version__, wire
from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import BadFrame, Banned, BtfeedsError, NetworkError, ProxyRefused, RateLimited, TlsError
from btfeeds.history.budget import Budgets
from btfeeds.venues.base import HttpRequest, HttpResponse, Provider

logger = logging.getLogger("btfeeds")
# It logs every URL, with its query, at INFO.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_BACKOFF_MS = (1_000, 2_000, 4_000, 8_000)
_REDIRECTS = 3
_MAX_BYTES = 16 * 1024 * 1024  # the largest answer a venue documents is far below
_POLL_MS = 50  # of the wall: how soon a wait notices that nobody waits for it any more
_LOCAL = ("all://127.0.0.1", "all://localhost", "all://[::1]")  # never through a proxy
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def _never() -> bool:
    return False


class _Sockets:
    """The sockets of one client, by which whoever waits on one is woken: closing alone wakes nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards everything below
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._shut = False

    def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        """What happens to a connection, as httpcore2 tells it (its extension "trace")."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._open.add(facts["return_value"].get_extra_info("socket"))
                if self._shut:  # it was connecting meanwhile
                    self._wake()

    def shut(self) -> None:
        """From any thread: end every wait for an answer, now and from now on."""
        with self._lock:
            self._shut = True
            self._wake()

    def _wake(self) -> None:
        for sock in self._open:
            with contextlib.suppress(OSError):  # it is closed already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # a TLS socket's own would pull the rug from its thread


class HttpClient:
    """Connections and budgets, shared by threads. `timeout` in seconds of the wall, for each step and twice for all."""

    def __init__(
        self,
        clock: Clock | None = None,
        timeout: float = 30.0,
        max_bytes: int = _MAX_BYTES,
        *,
        transport: httpx2.BaseTransport | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._transport = transport
        self._rng = rng or random.Random()
        self._lock = threading.Lock()  # guards _client
        self._client: httpx2.Client | None = None
        self._sockets = _Sockets()
        self._budgets = Budgets(self._clock)
        self._closed = False

    def close(self) -> None:
        """Drop the connections; waits end at once with a NetworkError. From any thread, any number of times."""
        self._closed = True
        self._sockets.shut()
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def send(
        self, provider: Provider, request: HttpRequest, cancelled: Callable[[], bool] | None = None
    ) -> HttpResponse:
        """The good answer to `request`. Raises what `provider.check` raises, or a NetworkError.

        A host that has not answered for long is left alone for a while: VenueUnavailable at once, without a request.

        `cancelled` is asked during waits: when it says True they end with a NetworkError.
        """
        gone = cancelled or _never
        for backoff in (*_BACKOFF_MS, None):
            self._wait_for_turn(provider, request, gone)
            try:
                with self._budgets.asked(provider, lambda: self._closed or gone()):
                    return self._once(provider, request)
            except BtfeedsError as error:
                # a certificate does not get better within seconds, and asking during a ban prolongs it
                hopeless = error.fatal or isinstance(error, Banned | TlsError)
                if hopeless or backoff is None or self._budgets.resting(provider):
                    raise
                logger.info("%s is asked again: %s", provider.name, error.line())
                if not isinstance(error, RateLimited) or error.retry_after < 1:  # 0 is no leave to come at once
                    self._wait(self._rng.uniform(0, backoff), gone)
        raise AssertionError("the last try returns or raises")

    # --- pacing ------------------------------------------------------------------------------------------------------

    def _wait_for_turn(self, provider: Provider, request: HttpRequest, gone: Callable[[], bool]) -> None:
        while wait := self._budgets.turn(provider, request.weight):
            if wait > 5_000:
                level = logging.WARNING if wait > 60_000 else logging.INFO
                logger.log(level, "%s: the next request waits for %.1f s", provider.name, wait / 1000)
            self._wait(wait, gone)

    def _wait(self, ms: float, gone: Callable[[], bool]) -> None:
        step = max(1, int(_POLL_MS * self._clock.speed))
        end = self._clock.monotonic() + math.ceil(ms)  # whole ms: a clock may know no smaller step
        while not (self._closed or gone()):
            left = end - self._clock.monotonic()
            if left <= 0:
                return
            self._clock.sleep(min(left, step))
        raise _given_up()

    # --- one exchange ------------------------------------------------------------------------------------------------

    def _once(self, provider: Provider, request: HttpRequest) -> HttpResponse:
        sent = self._clock.now()
        response = dataclasses.replace(self._exchange(provider, request), sent=sent, received=self._clock.now())
        if wire.listeners:
            wire.told(provider, response, request)
        used = provider.used_weight(response)
        if used is not None:
            self._budgets.learn(provider, used)
        try:
            provider.check(response)
        except RateLimited as error:
            self._budgets.hold(provider, error)
            raise
        return response

    def _exchange(self, provider: Provider, request: HttpRequest) -> HttpResponse:
        url = httpx2.URL(provider.rest_url + request.path, params=dict(request.params))
        client = self._open()
        with _translated(provider, self._timeout):
            for _ in range(_REDIRECTS + 1):
                response = self._read(client, url, request, provider)
                if response.status not in (301, 302, 303, 307, 308):
                    return response
                url = httpx2.URL(_followed(str(url), response.headers.get("location", ""), provider))
        raise NetworkError(f"{provider.title} redirects in a circle.", "The request was given up.")

    def _open(self) -> httpx2.Client:
        with self._lock:
            if self._closed:
                raise _given_up()
            if self._client is None:
                self._client = httpx2.Client(
                    timeout=self._timeout,
                    transport=self._transport,
                    mounts=dict.fromkeys(_LOCAL),
                    headers={
                        "User-Agent": f"btfeeds/{__version__}",
                        "Accept": "application/json",
                        "Accept-Encoding": "gzip",
                    },
                )
                # who forgets to close leaves no socket behind
                weakref.finalize(self, self._client.close)
            return self._client

    def _read(self, client: httpx2.Client, url: httpx2.URL, request: HttpRequest, provider: Provider) -> HttpResponse:
        # `timeout` is for each piece; a venue that drips would otherwise keep us for ever
        deadline = time.monotonic() + 2 * self._timeout
        body = bytearray()
        traced = {"trace": self._sockets}
        with client.stream(
            request.method, url, headers=dict(request.headers), follow_redirects=False, extensions=traced
        ) as answer:
            if answer.status_code == 407:
                raise _proxy_refused()
            # unpacked here, where a small answer that unpacks to a huge one can be stopped in the middle
            unpack = zlib.decompressobj(31) if answer.headers.get("content-encoding") == "gzip" else None
            for piece in answer.iter_raw(65_536):
                body += unpack.decompress(piece, self._max_bytes + 1 - len(body)) if unpack else piece
                if len(body) > self._max_bytes:
                    raise BadFrame(
                        f"{provider.title} answers with more than {self._max_bytes:,} bytes.",
                        "The rest was not read.",
                        "Ask for a shorter span.",
                        reason="too_large",
                    )
                if time.monotonic() > deadline:
                    raise NetworkError(
                        f"{provider.title} took more than {2 * self._timeout:.0f} s to answer.",
                        "The request was given up.",
                        "Check the network.",
                    )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return HttpResponse(answer.status_code, bytes(body), headers, str(url))


@contextlib.contextmanager
def _translated(provider: Provider, timeout: float) -> Iterator[None]:
    """The border: what httpx2 raises ends here."""
    try:
        yield
    except httpx2.ProxyError as error:
        raise (_proxy_refused() if "407" in str(error) else _unreachable(provider, "the proxy says no")) from None
    except httpx2.TimeoutException:
        raise _unreachable(provider, f"no answer within {timeout:g} s") from None
    except httpx2.HTTPError as error:
        if _certificate := _cause(error, ssl.SSLCertVerificationError):
            raise TlsError(
                f"The certificate of {provider.title} is not accepted: {_certificate}",
                "Nothing was sent; certificates are always verified.",
                "Check the machine's date; behind a company's proxy name its CA file in SSL_CERT_FILE.",
            ) from None
        raise _unreachable(provider, str(error) or type(error).__name__) from None
    except (httpx2.InvalidURL, zlib.error, RuntimeError) as error:  # RuntimeError: closed by another thread
        raise _unreachable(provider, str(error)) from None


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    link: BaseException | None = error
    while link is not None and not isinstance(link, kind):
        link = link.__cause__ or link.__context__
    return link


def _unreachable(provider: Provider, why: str) -> NetworkError:
    host = urlsplit(provider.rest_url).hostname
    return NetworkError(
        f"{provider.title} ({host}) cannot be reached: {why}.",
        "The request was given up.",
        "Check the network, the proxy variables and the host's name.",
    )


def _followed(url: str, location: str, provider: Provider) -> str:
    """Where a redirect leads. Raises NetworkError when that is another host, or no longer encrypted."""
    target = urljoin(url, location)
    old, new = urlsplit(url), urlsplit(target)
    if new.netloc != old.netloc or new.scheme not in (old.scheme, "https"):
        raise NetworkError(
            f"{provider.title} redirects to {new.scheme}://{new.hostname}.",
            "That was refused: only its own host is asked.",
            "If this network has a login page, pass it first; if the venue has moved, set its REST_URL.",
        )
    return target


def _proxy_refused() -> ProxyRefused:
    name = next((name for name in _PROXIES if os.environ.get(name)), "HTTPS_PROXY")
    host = urlsplit(os.environ.get(name, "")).hostname or "?"
    return ProxyRefused(
        f"The proxy {host} wants credentials (407).",
        "The request was not sent on.",
        f"Put user and password into the proxy's URL in {name}.",
    )


def _given_up() -> NetworkError:
    return NetworkError("The request was given up.", "Nobody waits for it any more.")
