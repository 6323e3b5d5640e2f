"""The only door to HTTP: what goes out, when, and what every kind of answer becomes."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import http.server
import logging
import random
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import trustme

from btfeeds import __version__
from btfeeds.clock import ManualClock, SystemClock
from btfeeds.errors import (
    BadFrame,
    BadRequest,
    Banned,
    BtfeedsError,
    NetworkError,
    ProxyRefused,
    RateLimited,
    TlsError,
    UnknownSymbol,
    VenueUnavailable,
)
from btfeeds.history.http import HttpClient
from btfeeds.venues.base import HttpRequest
from btfeeds.venues.binance import Binance
from tests.faults.rig import Listener
from tests.history.venue import Unread

BINANCE = Binance()
KLINES = HttpRequest("/api/v3/klines", {"symbol": "BTCUSDT", "limit": 5}, weight=2)
GOOD = httpx2.Response(200, content=b"[]")
LIMITED = httpx2.Response(429, headers={"Retry-After": "30"}, content=b'{"code":-1003,"msg":"slow down"}')
Answer = httpx2.Response | Exception


class Scripted:
    """A transport that answers in order (the last one for ever) and remembers what was asked, and when."""

    def __init__(self, clock: ManualClock, *answers: Answer) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.times: list[int] = []
        self.transport = Unread(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self.times.append(self.clock.now())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


def client(*answers: Answer, **options: int) -> tuple[HttpClient, Scripted]:
    clock = ManualClock()
    scripted = Scripted(clock, *answers)
    return HttpClient(clock, transport=scripted.transport, rng=random.Random(1), **options), scripted


# --- what goes out ---------------------------------------------------------------------------------------------------


def test_a_request_goes_to_the_venue_under_our_own_name() -> None:
    http, scripted = client(GOOD)
    response = http.send(BINANCE, KLINES)
    assert (response.status, response.body) == (200, b"[]")
    (request,) = scripted.requests
    assert str(request.url) == "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&limit=5"
    assert request.headers["User-Agent"] == f"btfeeds/{__version__}"


def test_header_names_come_back_in_lower_case() -> None:
    http, _ = client(httpx2.Response(200, headers={"X-MBX-USED-WEIGHT-1M": "7"}, content=b"[]"))
    assert http.send(BINANCE, KLINES).headers["x-mbx-used-weight-1m"] == "7"


def test_no_url_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "btfeeds")
    http, _ = client(httpx2.Response(500), GOOD)
    http.send(BINANCE, KLINES)
    assert "symbol=" not in caplog.text
    assert logging.getLogger("httpx2").getEffectiveLevel() >= logging.WARNING


# --- when ------------------------------------------------------------------------------------------------------------


def test_requests_wait_when_the_minute_s_budget_is_spent() -> None:
    http, scripted = client(GOOD)
    for _ in range(3):
        http.send(BINANCE, HttpRequest("/api/v3/klines", weight=3000))
    assert scripted.times == [0, 0, 60_000]


def test_the_venue_s_own_count_corrects_ours() -> None:
    http, scripted = client(httpx2.Response(200, headers={"X-MBX-USED-WEIGHT-1M": "5999"}, content=b"[]"), GOOD)
    http.send(BINANCE, KLINES)
    http.send(BINANCE, KLINES)
    assert scripted.times == [0, 60_000]


def test_hosts_have_budgets_of_their_own() -> None:
    http, scripted = client(GOOD)
    http.send(BINANCE, HttpRequest("/a", weight=6000))
    http.send(Binance("binanceus"), HttpRequest("/a", weight=1200))
    assert scripted.times == [0, 0]


def test_a_refused_request_is_repeated_exactly_at_the_deadline() -> None:
    http, scripted = client(LIMITED, GOOD)
    assert http.send(BINANCE, KLINES).status == 200
    assert scripted.times == [0, 30_000]


def test_every_request_to_a_host_waits_for_its_deadline() -> None:
    http, scripted = client(LIMITED, LIMITED, LIMITED, LIMITED, LIMITED, GOOD)
    with pytest.raises(RateLimited):
        http.send(BINANCE, KLINES)
    http.send(BINANCE, HttpRequest("/api/v3/other"))
    assert scripted.times == [0, 30_000, 60_000, 90_000, 120_000, 150_000]


def test_leave_to_come_back_at_once_is_not_taken_five_times_in_a_row() -> None:
    http, scripted = client(httpx2.Response(429, headers={"Retry-After": "0"}))
    with pytest.raises(RateLimited):
        http.send(BINANCE, KLINES)
    assert len(scripted.times) == len(set(scripted.times)) == 5


def test_a_ban_is_raised_at_once_and_nothing_is_sent_during_it() -> None:
    http, scripted = client(httpx2.Response(418, headers={"Retry-After": "120"}), GOOD)
    with pytest.raises(Banned):
        http.send(BINANCE, KLINES)
    scripted.clock.advance(20_000)
    with pytest.raises(Banned) as caught:
        http.send(BINANCE, KLINES)
    assert caught.value.retry_after == 100
    assert len(scripted.requests) == 1
    scripted.clock.advance(100_000)
    assert http.send(BINANCE, KLINES).status == 200


@pytest.mark.parametrize("answer", [httpx2.Response(503), httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")])
def test_what_may_pass_is_tried_again(answer: Answer) -> None:
    http, scripted = client(answer, answer, GOOD)
    assert http.send(BINANCE, KLINES).status == 200
    assert len(scripted.requests) == 3


def test_five_tries_are_enough_and_the_pauses_grow_with_jitter() -> None:
    http, scripted = client(httpx2.Response(503))
    with pytest.raises(VenueUnavailable):
        http.send(BINANCE, KLINES)
    pauses = [later - earlier for earlier, later in zip(scripted.times, scripted.times[1:], strict=False)]
    assert len(pauses) == 4
    assert all(0 <= pause <= most + 1 for pause, most in zip(pauses, (1_000, 2_000, 4_000, 8_000), strict=True))
    assert len(set(pauses)) == 4


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx2.Response(400, content=b'{"code":-1121,"msg":"Invalid symbol."}'), UnknownSymbol),
        (httpx2.Response(404), BadRequest),
        (httpx2.Response(407), ProxyRefused),
    ],
)
def test_what_cannot_pass_is_not_repeated(answer: Answer, error: type[BtfeedsError]) -> None:
    http, scripted = client(answer)
    with pytest.raises(error):
        http.send(BINANCE, KLINES)
    assert len(scripted.requests) == 1


def test_a_wait_ends_when_nobody_waits_any_more() -> None:
    http, scripted = client(LIMITED)
    with pytest.raises(NetworkError, match="given up"):
        http.send(BINANCE, KLINES, cancelled=lambda: scripted.clock.now() >= 1_000)
    assert scripted.clock.now() < 1_100
    assert len(scripted.requests) == 1


def test_closing_ends_a_wait() -> None:
    http, scripted = client(LIMITED)

    def close_soon() -> bool:
        if scripted.clock.now() >= 1_000:
            http.close()
        return False

    with pytest.raises(NetworkError, match="given up"):
        http.send(BINANCE, KLINES, cancelled=close_soon)
    assert scripted.clock.now() < 1_100


def test_requests_that_closing_cuts_off_say_nothing_about_the_host() -> None:
    clock = SystemClock()  # on it the clients of a process share what is known of a host
    for _ in range(16):
        leaving: list[HttpClient] = []

        def cut(_: httpx2.Request, leaving: list[HttpClient] = leaving) -> httpx2.Response:
            leaving[0].close()
            raise httpx2.ReadError("the connection was closed")

        leaving.append(HttpClient(clock, transport=httpx2.MockTransport(cut)))
        with pytest.raises(NetworkError):
            leaving[0].send(BINANCE, KLINES)
    http = HttpClient(clock, transport=Unread(lambda _: httpx2.Response(200, content=b"[]")))
    assert http.send(BINANCE, KLINES).status == 200


def test_after_closing_nothing_is_sent() -> None:
    http, scripted = client(GOOD)
    http.close()
    http.close()
    with pytest.raises(NetworkError):
        http.send(BINANCE, KLINES)
    assert scripted.requests == []


def test_threads_share_one_budget() -> None:
    released, answered = threading.Event(), threading.Semaphore(0)

    class Held(ManualClock):
        """Stands still until it is released."""

        def sleep(self, ms: float) -> None:
            assert released.wait(50)
            super().sleep(ms)

    def respond(request: httpx2.Request) -> httpx2.Response:
        times.append(clock.now())
        answered.release()
        return httpx2.Response(200, content=b"[]")

    times: list[int] = []
    clock = Held()
    http = HttpClient(clock, transport=Unread(respond))
    threads = [
        threading.Thread(target=http.send, args=(BINANCE, HttpRequest("/a", weight=1000))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    assert all(answered.acquire(timeout=50) for _ in range(6))
    assert times == [0] * 6
    released.set()
    for thread in threads:
        thread.join(50)
    assert len(times) == 12
    assert all(time >= 60_000 for time in times[6:])


# --- when a host does not answer -------------------------------------------------------------------------------------


def down(http: HttpClient) -> None:
    """Three requests have used up their five tries: the circuit is open for 5 s."""
    for _ in range(3):
        with pytest.raises(VenueUnavailable, match="503"):
            http.send(BINANCE, KLINES)


def test_a_host_that_does_not_answer_is_left_alone_for_a_while() -> None:
    http, scripted = client(*[httpx2.Response(503)] * 15, GOOD)
    down(http)
    start = scripted.clock.now()
    for _ in range(3):
        with pytest.raises(VenueUnavailable, match="tried again in 5 s"):
            http.send(BINANCE, KLINES)
    assert (len(scripted.requests), scripted.clock.now()) == (15, start)
    scripted.clock.advance(5_000)
    assert http.send(BINANCE, KLINES).status == http.send(BINANCE, KLINES).status == 200


def test_a_host_that_is_tried_is_tried_once() -> None:
    http, scripted = client(httpx2.Response(503))
    down(http)
    for pause in (5_000, 10_000, 20_000, 30_000, 30_000):
        scripted.clock.advance(pause - 1)
        with pytest.raises(VenueUnavailable, match="tried again in 1 s"):
            http.send(BINANCE, KLINES)
        scripted.clock.advance(1)
        with pytest.raises(VenueUnavailable, match="503"):
            http.send(BINANCE, KLINES)
    assert len(scripted.requests) == 15 + 5


def test_threads_wait_while_one_tries_the_host() -> None:
    trying, looked, answer = threading.Event(), threading.Event(), threading.Event()
    clock, asked, statuses = ManualClock(), [], []

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if len(asked) == 16:
            trying.set()
            answer.wait(50)
        return httpx2.Response(503 if len(asked) <= 15 else 200, content=b"[]")

    http = HttpClient(clock, transport=Unread(respond), rng=random.Random(1))
    down(http)
    clock.advance(5_000)
    looks: list[int] = []

    def count() -> bool:
        looks.append(len(asked))
        if len(looks) == 5:
            looked.set()
        return False

    threads = [threading.Thread(target=lambda: statuses.append(http.send(BINANCE, KLINES).status))]
    threads[0].start()
    assert trying.wait(50)
    threads.append(threading.Thread(target=lambda: statuses.append(http.send(BINANCE, KLINES, count).status)))
    threads[1].start()
    assert looked.wait(50)
    assert set(looks) == {16}
    answer.set()
    for thread in threads:
        thread.join(50)
    assert (statuses, len(asked)) == ([200, 200], 17)


@pytest.mark.parametrize("outage", [3_000, 30_000, 61_000, 600_000, 3_600_000])
def test_a_live_feed_s_questions_are_answered_within_a_minute_of_the_venue_s_return(outage: int) -> None:
    clock = ManualClock()

    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(503 if clock.now() < outage else 200, content=b"[]")

    http = HttpClient(clock, transport=Unread(respond), rng=random.Random(1))
    answered = False
    for pause in (1_000, 2_000, 4_000, 8_000, 15_000, *[30_000] * 200):  # a feed's own, between its questions
        with contextlib.suppress(VenueUnavailable):
            http.send(BINANCE, KLINES)
            answered = True
            break
        clock.advance(pause)
    assert answered
    assert clock.now() <= outage + 60_000 + 100


def test_a_day_s_requests_that_are_spent_are_told_instead_of_waited_for() -> None:
    http, scripted = client(GOOD)
    frugal = Binance()
    frugal.limits = dataclasses.replace(frugal.limits, requests_per_day=1)
    http.send(frugal, KLINES)
    with pytest.raises(RateLimited, match=r"24\.0 hours"):
        http.send(frugal, KLINES)
    assert (len(scripted.requests), scripted.clock.now()) == (1, 0)


# --- what comes back -------------------------------------------------------------------------------------------------


def redirect(location: str) -> httpx2.Response:
    return httpx2.Response(301, headers={"Location": location})


@pytest.mark.parametrize("location", ["https://evil.example/api", "http://api.binance.com/api", "//evil.example/x"])
def test_redirects_to_another_host_or_to_plain_http_are_refused(location: str) -> None:
    http, scripted = client(redirect(location))
    with pytest.raises(NetworkError, match="redirects"):
        http.send(BINANCE, KLINES)
    assert {request.url.host for request in scripted.requests} == {"api.binance.com"}
    assert {request.url.scheme for request in scripted.requests} == {"https"}


def test_a_redirect_on_the_same_host_is_followed() -> None:
    http, scripted = client(redirect("/api/v4/klines?limit=5"), GOOD)
    assert http.send(BINANCE, KLINES).status == 200
    assert scripted.requests[1].url.path == "/api/v4/klines"


def test_a_redirect_in_a_circle_ends() -> None:
    http, _ = client(redirect("/again"))
    with pytest.raises(NetworkError, match="circle"):
        http.send(BINANCE, KLINES)


def test_an_answer_that_is_too_large_is_not_read() -> None:
    http, _ = client(httpx2.Response(200, content=b"[" + b" " * 1000), max_bytes=1000)
    with pytest.raises(BadFrame) as caught:
        http.send(BINANCE, KLINES)
    assert caught.value.reason == "too_large"


def test_an_answer_that_unpacks_to_too_much_is_not_kept() -> None:
    packed = gzip.compress(b"[" + b" " * 10_000_000)
    transport = Unread(
        lambda request: httpx2.Response(200, headers={"Content-Encoding": "gzip"}, content=packed)
    )
    with pytest.raises(BadFrame) as caught:
        HttpClient(ManualClock(), transport=transport, max_bytes=100_000).send(BINANCE, KLINES)
    assert caught.value.reason == "too_large"


def test_a_page_in_the_place_of_json_is_a_bad_frame() -> None:
    http, _ = client(httpx2.Response(200, content=b"<html>please log in</html>"))
    with pytest.raises(BadFrame):
        http.send(BINANCE, KLINES)


# --- real sockets on this machine ------------------------------------------------------------------------------------


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Starts a server that answers every request the same way; returns its port."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(status: int = 200, context: ssl.SSLContext | None = None, body: bytes = b"[]") -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_CONNECT = answer

            def log_message(self, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *args: None  # type: ignore[method-assign]  # a refused handshake is no news
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_answer_comes_over_a_real_socket(serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    # a proxy is never asked for this machine itself
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    http_client = HttpClient(ManualClock())
    provider = Binance(rest_url=f"http://127.0.0.1:{serve()}")
    assert http_client.send(provider, KLINES).body == b"[]"
    http_client.close()


def test_nobody_at_the_port_is_a_network_error(serve: Callable[..., int]) -> None:
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1"):
        HttpClient(ManualClock()).send(Binance(rest_url="http://127.0.0.1:1"), KLINES)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_closing_ends_a_wait_for_an_answer_that_does_not_come(
    scheme: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca, asked, failed = trustme.CA(), threading.Event(), []
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)

    def never_answer(sock: socket.socket, _: int) -> None:
        with context.wrap_socket(sock, server_side=True) if scheme == "https" else sock as wire:
            wire.recv(4096)
            asked.set()
            wire.recv(4096)

    def ask() -> None:
        try:
            http_client.send(Binance(rest_url=f"{scheme}://127.0.0.1:{server.port}"), KLINES)
        except NetworkError as error:
            failed.append(str(error))

    with Listener(never_answer) as server:
        http_client = HttpClient(ManualClock(), 600.0)
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        assert asked.wait(50)
        threading.Event().wait(0.2)  # so that it waits, and is not about to
        http_client.close()
        thread.join(10)
    assert len(failed) == 1 and "given up" in failed[0]


def test_a_certificate_nobody_vouches_for_is_refused_at_once(serve: Callable[..., int]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    clock = ManualClock()
    with pytest.raises(TlsError, match="SSL_CERT_FILE"):
        HttpClient(clock).send(Binance(rest_url=f"https://localhost:{serve(context=context)}"), KLINES)
    assert clock.now() == 0


def test_a_certificate_of_ssl_cert_file_is_accepted(
    serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    http_client = HttpClient(ManualClock())
    assert http_client.send(Binance(rest_url=f"https://localhost:{serve(context=context)}"), KLINES).status == 200
    http_client.close()


def test_a_proxy_that_wants_credentials_is_named_without_its_password(
    serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://someone:sesame@127.0.0.1:{serve(407)}")
    with pytest.raises(ProxyRefused) as caught:
        HttpClient(ManualClock()).send(Binance(rest_url="https://api.binance.invalid"), KLINES)
    assert "HTTPS_PROXY" in str(caught.value)
    assert "sesame" not in str(caught.value) and "sesame" not in repr(caught.value)


def test_a_client_that_is_forgotten_closes_its_connections(serve: Callable[..., int]) -> None:
    http_client = HttpClient(ManualClock())
    http_client.send(Binance(rest_url=f"http://127.0.0.1:{serve()}"), KLINES)
    inner = http_client._client
    assert inner is not None
    forgotten = weakref.ref(http_client)
    del http_client
    assert forgotten() is None
    assert inner.is_closed
