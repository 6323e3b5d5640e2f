"""Faults of the network on real sockets: rows N01 to N33 of the fault table (docs/faults.md), as far as they are not
shown elsewhere. The clock stands still but when told; the sockets are real.
"""

from __future__ import annotations

import http
import json
import logging
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from btfeeds.clock import ManualClock, SystemClock
from btfeeds.errors import Banned, NetworkError, ProxyRefused, RegionBlocked, UnknownSymbol, VenueUnavailable
from btfeeds.history.downloader import Page
from btfeeds.history.http import HttpClient
from btfeeds.live import dialing
from btfeeds.live.transport import Dropped, Transport
from btfeeds.venues.base import HttpRequest
from btfeeds.venues.binance import Binance
from btfeeds.venues.reading import CROWDED
from tests.e2e.helpers import accepted
from tests.faults.rig import NOW, PATIENCE_S, Calm, Listener, M, Rig, Truth, black_hole, frame, frames_of, say, shake
from tests.live.scripted import Peer, Scripted
from tests.live.toy import Toy

ROOT = Path(__file__).parents[2]


def raw(peer: Peer, data: bytes) -> None:
    peer.connection.socket.sendall(data)


def fin(peer: Peer) -> None:
    """TCP's own goodbye, without a close frame."""
    peer.connection.socket.shutdown(socket.SHUT_WR)


def half_a_frame(peer: Peer) -> None:
    raw(peer, frame(json.dumps({"bar": ["BTCUSDT@bars@1m", 101 * M, 1, 1, 1, 1, 1]}).encode())[:40])
    fin(peer)


def endless_fragments(peer: Peer) -> None:
    piece = b" " * 1_000_000
    raw(peer, frame(piece, 1, fin=False))
    for _ in range(15):
        raw(peer, frame(piece, 0, fin=False))


# row → (what the server does, the reason that is told, ms of patience it asks for)
BREAKS: dict[str, tuple[Callable[[Peer], None], str, int]] = {
    "N01 reset": (Peer.cut, "reset", 0),
    "N13 close 1000": (lambda peer: peer.connection.close(1000), "close_code", 0),
    "N13 close 1001": (lambda peer: peer.connection.close(1001), "close_code", 0),
    "N14 no close frame": (fin, "ended", 0),
    "N15 policy": (lambda peer: peer.connection.close(1008, "policy"), "close_code", 60_000),
    "N16 close 1011": (lambda peer: peer.connection.close(1011), "close_code", 0),
    "N16 close 1012": (lambda peer: peer.connection.close(1012), "close_code", 0),
    "N17 try later": (lambda peer: peer.connection.close(1013), "close_code", 30_000),
    "N18 a code of the venue's": (lambda peer: peer.connection.close(4002, "slow consumer"), "close_code", 0),
    "N24 half a frame": (half_a_frame, "ended", 0),
    "N25 a huge frame": (lambda peer: raw(peer, b"\x82\x7f" + struct.pack("!Q", 16 << 20)), "protocol", 0),
    "N25 endless fragments": (endless_fragments, "protocol", 0),
    "N26 a compressed frame nobody asked for": (lambda peer: raw(peer, frame(b"\x00" * 50, rsv=4)), "protocol", 0),
    "N27 reserved bits": (lambda peer: raw(peer, frame(b"{}", rsv=1)), "protocol", 0),
    "N27 an opcode that is none": (lambda peer: raw(peer, frame(b"{}", 3)), "protocol", 0),
    "N27 a continuation of nothing": (lambda peer: raw(peer, frame(b"{}", 0)), "protocol", 0),
}


@pytest.mark.parametrize("row", BREAKS)
def test_a_break_is_told_once_and_mended_without_a_gap(row: str) -> None:
    """CONNBROKEN once; then the missing bars from history, and LIVE; every bar once."""
    strike, reason, patience = BREAKS[row]
    now = threading.Event()

    def script(peer: Peer) -> None:
        peer.acknowledge()
        if peer.number == 1:
            now.wait(PATIENCE_S)
            strike(peer)
        peer.stay()

    with Scripted(script) as server, Rig(server.url) as rig:
        rig.until_live()
        rig.advance_to(101)
        say(server.peers[0], "BTCUSDT@bars@1m", 100)
        rig.until_minute(100)
        now.set()
        rig.until(rig.losses)
        if patience:
            rig.advance(patience - 1_000)
            rig.rest()
            assert server.connects == 1, "the venue asked to stay away"
        rig.advance_to(104)
        rig.until_live(2)
        rig.advance_to(105)
        rig.workers[0].ask(lambda connection, now: [])
        say(server.peers[-1], "BTCUSDT@bars@1m", 104)
        rig.until_minute(104)
    assert rig.proven(97, 104)
    assert rig.words[:6] == ["DELAYED", "LIVE", "CONNBROKEN", "CONNECTED", "DELAYED", "LIVE"]
    assert [loss.reason for loss in rig.losses()] == [reason]
    if reason == "protocol":  # said to the venue before hanging up
        assert server.peers[0].connection.close_code in (1002, 1009, 1006)


@pytest.mark.parametrize("way", ["N02 nothing arrives", "N04 a frame that drips"])
def test_a_dead_link_is_noticed_within_idle_and_ping_timeout(way: str) -> None:
    over = threading.Event()

    def handle(sock: socket.socket, number: int) -> None:
        data = shake(sock)
        while not over.is_set():
            data += sock.recv(65_536)
            for opcode, payload in frames_of(data):
                if opcode == 1:
                    sock.sendall(frame(json.dumps({"ack": json.loads(payload)["id"]}).encode()))
                elif opcode == 9:
                    sock.sendall(frame(payload, 10))
                if number == 1:
                    sock.sendall(frame(b"x" * 100)[:50] if way.startswith("N04") else b"")
                    over.wait(PATIENCE_S)  # it neither reads nor answers any more
            data = b""

    with Listener(handle) as server, Rig(server.url, venue=Toy(stream_url=server.url)) as rig:
        heartbeat = rig.stream.venue.heartbeat  # type: ignore[attr-defined]
        rig.until_live()
        start = rig.clock.now()
        rig.until(rig.losses, tick=500)
        assert rig.losses()[0].reason == "ping"
        assert rig.clock.now() - start <= heartbeat.idle_ms + heartbeat.timeout_ms + 2_000
        rig.until_live(2)
        over.set()
    assert rig.minutes == list(range(97, 97 + len(rig.minutes)))


def test_n03_a_mute_subscription_is_asked_about_and_renewed() -> None:
    def script(peer: Peer) -> None:
        peer.stay()

    with Scripted(script) as server, Rig(server.url) as rig:
        rig.until_live()
        rig.advance_to(101)
        say(server.peers[0], "BTCUSDT@bars@1m", 100)
        rig.until_minute(100)
        for minute, renewed, connects in ((101, 1, 1), (102, 1, 2)):  # first the subscription, then the socket
            rig.advance_to(minute + 1)
            rig.pull()
            assert rig.minutes[-1] == minute - 1, "it may still come"
            rig.advance(rig.stream.venue.grace_ms)
            rig.until_minute(minute)  # nobody sent it: history was asked at the close and the grace
            rig.until(lambda: sum("unsub" in said for _, said in server.heard) >= renewed)  # noqa: B023
            rig.until(lambda: server.connects == connects)  # noqa: B023
    assert rig.proven(97, 102)
    assert "CONNBROKEN" not in rig.words


def test_n04_a_handshake_that_drips_ends_at_the_timeout() -> None:
    def drip(sock: socket.socket, _: int) -> None:
        sock.recv(4096)
        for byte in b"HTTP/1.1 101 Switching Protocols\r\n" * 100:
            sock.sendall(bytes([byte]))
            threading.Event().wait(0.02)

    with Listener(drip) as server:
        with pytest.raises(Dropped) as dropped:  # to its end it would take longer than a test may
            Transport(server.url, timeout=0.3)
        assert dropped.value.loss.reason == "timeout"


def test_n04_a_handshake_without_end_is_given_up() -> None:
    def flood(sock: socket.socket, _: int) -> None:
        while True:
            sock.sendall(b"X-Line: " + b"x" * 60_000 + b"\r\n")

    with Listener(flood) as server, pytest.raises(Dropped) as dropped:
        Transport(server.url, timeout=PATIENCE_S)
    assert dropped.value.loss.reason in ("protocol", "reset")


@pytest.mark.parametrize(("row", "reason"), [("N05", "dns"), ("N06", "refused")])
def test_a_host_that_is_not_there_is_dialled_with_growing_pauses(row: str, reason: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = "ws://no-such-host.invalid" if row == "N05" else f"ws://127.0.0.1:{closed.getsockname()[1]}"
        with Rig(url, start=None, backoff_ms=(5_000, 10_000, 20_000, 40_000, 60_000)) as rig:
            rig.until(lambda: len(rig.losses()) >= 6, tick=1_000)
        losses = rig.losses()[:6]
    assert {loss.reason for loss in losses} == {reason}
    pauses = [loss.retry_in_ms for loss in losses]
    assert all(pause <= most for pause, most in zip(pauses, (5_000, 10_000, 20_000, 40_000, 60_000, 60_000), strict=True))  # noqa: E501
    assert rig.words == ["DELAYED", "CONNBROKEN"]


def test_n06_a_host_that_comes_back_is_found() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with Rig(f"ws://127.0.0.1:{port}", backoff_ms=(1_000,)) as rig:
        rig.until(rig.losses)
        with Scripted(Peer.stay) as server:
            rig.stream.venue.stream_url = server.url
            rig.until(lambda: "LIVE" in rig.words, tick=500)
    assert rig.minutes[:3] == [97, 98, 99]


def test_n07_a_black_hole_holds_a_thread_no_longer_than_the_timeout() -> None:
    with black_hole() as port:
        with pytest.raises(Dropped) as dropped:  # the system itself would try for two minutes
            Transport(f"ws://127.0.0.1:{port}", timeout=0.3)
        assert dropped.value.loss.reason == "timeout"


def proxy(status: bytes) -> Callable[[socket.socket, int], None]:
    def handle(sock: socket.socket, _: int) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    return handle


def test_n11_a_proxy_that_wants_credentials_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener(proxy(b"407 Proxy Authentication Required")) as server:
        monkeypatch.setenv("http_proxy", f"http://user:canary-7@127.0.0.1:{server.port}")
        with Rig("ws://venue.invalid") as rig:
            rig.until(lambda: rig.stream.finished)
        assert isinstance(rig.stream.error, ProxyRefused)
        assert "http_proxy" in str(rig.stream.error) and "canary" not in str(rig.stream.error) + str(rig.happened)
        assert server.accepted == 1


def test_n11_a_proxy_that_has_trouble_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener(proxy(b"503 Busy")) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
        with Rig("ws://venue.invalid") as rig:
            rig.until(lambda: server.accepted >= 2)
    assert not rig.stream.error


def test_n13_an_ordinary_close_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    def script(peer: Peer) -> None:
        peer.acknowledge()
        if peer.number == 1:
            peer.connection.close(1001)
        peer.stay()

    caplog.set_level(logging.DEBUG)
    with Scripted(script) as server, Rig(server.url) as rig:
        rig.until(lambda: "CONNECTED" in rig.words or server.connects == 2)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_n15_a_policy_close_three_times_in_a_row_ends_the_feed() -> None:
    def script(peer: Peer) -> None:
        peer.connection.close(1008, "banned for today")

    with Scripted(script) as server, Rig(server.url) as rig:
        rig.until(lambda: rig.stream.finished, tick=5_000)
        assert server.connects == 3
    assert isinstance(rig.stream.error, VenueUnavailable) and "1008" in rig.stream.error.what
    assert accepted(rig.words)


def test_n17_accept_then_close_connects_thirty_times_in_five_minutes_at_most() -> None:
    times: list[int] = []
    clock = ManualClock(NOW)

    def accept_and_close(sock: socket.socket, _: int) -> None:
        times.append(clock.now())
        shake(sock)

    with Listener(accept_and_close) as server, Rig(server.url, clock=clock, start=None) as rig:
        rig.until(lambda: clock.now() > NOW + 11 * M, tick=3_000)
    assert len(times) > 30
    assert all(later - first >= 290_000 for first, later in zip(times, times[30:], strict=False))


def refusing(*answers: tuple[int, dict[str, str]]) -> Callable[[object, object], object]:
    """The first handshakes are answered with these statuses, the others pass."""
    left = list(answers)

    def process(connection: object, request: object) -> object:
        if not left:
            return None
        status, headers = left.pop(0)
        response = connection.respond(http.HTTPStatus(status), "")  # type: ignore[attr-defined]
        response.headers.update(headers)
        return response

    return process


def dials(rig: Rig) -> int:
    return len([loss for loss in rig.losses() if loss.reason == "http"])


@pytest.mark.parametrize("status", [429, 418])
def test_n19_retry_after_is_waited_for_to_the_second(status: int) -> None:
    options = {"process_request": refusing((status, {"Retry-After": "7"}))}
    with Scripted(Peer.stay, **options) as server, Rig(server.url) as rig:
        rig.until(lambda: dials(rig) == 1)
        rig.advance(6_900)
        rig.rest()
        assert server.connects == 0
        rig.advance(200)
        rig.until_live()
        assert server.connects == 1


def test_n19_a_closed_host_is_closed_to_every_connection_of_the_process() -> None:
    with Scripted(Peer.stay, process_request=refusing((429, {"Retry-After": "30"}))) as server:
        clock = ManualClock(NOW)
        with Rig(server.url, clock=clock) as first:
            first.until(lambda: dials(first) == 1)
            with Rig(server.url, clock=clock, symbol="ETH/USDT", ca_file="another-hub") as second:
                second.rest()
                assert server.connects == 0, "a second hub of this host has to wait, too"
                clock.advance(31_000)
                for rig in (first, second):
                    rig.advance(0)
                    rig.until_live()


BANNED = """
import sys
from btfeeds.errors import Banned
from btfeeds.history.http import HttpClient
from btfeeds.venues.base import HttpRequest
from btfeeds.venues.binance import Binance
try:
    HttpClient().send(Binance(rest_url=sys.argv[1]), HttpRequest("/api/v3/klines"))
except Banned as error:
    print(round(error.retry_after))
"""


def test_n20_during_a_ban_nothing_is_sent_even_after_a_restart(state_of_its_own: Path) -> None:
    def banning(sock: socket.socket, _: int) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 418 Teapot\r\nRetry-After: 120\r\nContent-Length: 2\r\n\r\n{}")

    with Listener(banning) as server:
        url = f"http://127.0.0.1:{server.port}"
        with pytest.raises(Banned):
            HttpClient().send(Binance(rest_url=url), HttpRequest("/api/v3/klines"))
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", BANNED, url], capture_output=True, text=True, timeout=PATIENCE_S, env=env, check=True
        )
        assert 0 < int(done.stdout) <= 120
        assert server.accepted == 1


def test_n20_a_banned_stream_is_not_dialled_after_a_restart(state_of_its_own: Path) -> None:
    with Scripted(Peer.stay, process_request=refusing((418, {"Retry-After": "120"}))) as server:
        with Rig(server.url, clock=SystemClock(), start=None) as rig:
            rig.until(lambda: dials(rig) == 1)
        from btfeeds.live import hub

        hub._budgets.clear()  # what a restart forgets
        with Rig(server.url, clock=SystemClock(), start=None) as again:
            again.until(lambda: again.workers and again.workers[0].connection.deadline() is not None)
            (worker,) = again.workers
            assert worker.connection.deadline() - SystemClock().monotonic() > 60_000
        assert server.connects == 0


@pytest.mark.parametrize("status", [451, 403])
def test_n21_a_blocked_region_ends_the_feed_at_once(status: int) -> None:
    with Scripted(Peer.stay, process_request=refusing(*[(status, {})] * 5)) as server, Rig(server.url) as rig:
        rig.until(lambda: rig.stream.finished)
        assert dials(rig) == 0
    assert isinstance(rig.stream.error, RegionBlocked) and "STREAM_URL" in str(rig.stream.error)
    assert accepted(rig.words)


class Crowded(Calm):
    """A venue that says 403 to whom it serves, but not so often."""

    problems = CROWDED


def forbidden(*bodies: str) -> Callable[[object, object], object]:
    left = list(bodies)
    return lambda connection, _: connection.respond(http.HTTPStatus(403), left.pop(0)) if left else None  # type: ignore[attr-defined]


def test_n19_where_403_means_too_many_requests_it_is_waited_for() -> None:
    answers = forbidden(*["access too frequent"] * 4)
    with (
        Scripted(Peer.stay, process_request=answers) as server,
        Rig(server.url, venue=Crowded(stream_url=server.url)) as rig,
    ):
        rig.until(lambda: dials(rig) == 1)
        rig.advance(59_000)
        rig.rest()
        assert dials(rig) == 1
        rig.until(lambda: "LIVE" in rig.words, tick=1_000)
        assert dials(rig) == 4


def test_n21_there_a_blocked_region_is_known_by_its_words() -> None:
    answers = forbidden("We do not serve your country.")
    with (
        Scripted(Peer.stay, process_request=answers) as server,
        Rig(server.url, venue=Crowded(stream_url=server.url)) as rig,
    ):
        rig.until(lambda: rig.stream.finished)
    assert isinstance(rig.stream.error, RegionBlocked)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_n22_an_error_of_the_venues_own_is_tried_again(status: int) -> None:
    with Scripted(Peer.stay, process_request=refusing((status, {}))) as server, Rig(server.url) as rig:
        rig.until_live()
        assert dials(rig) == 1


def test_n23_a_redirect_is_not_followed() -> None:
    with Scripted(Peer.stay) as elsewhere:
        moved = refusing((302, {"Location": elsewhere.url}), (301, {"Location": elsewhere.url}))
        with Scripted(Peer.stay, process_request=moved) as server, Rig(server.url) as rig:
            rig.until_live()
        assert elsewhere.connects == 0


def test_n25_a_message_in_fragments_is_read_whatever_comes_between() -> None:
    closed = threading.Event()

    def script(peer: Peer) -> None:
        (channel,) = peer.acknowledge()
        closed.wait(PATIENCE_S)
        text = json.dumps({"bar": [channel, 100 * M, 110, 112, 108, 111, 101]}).encode()
        for piece in (frame(text[:10], 1, fin=False), frame(b"p", 9), frame(text[10:20], 0, fin=False), frame(text[20:], 0)):  # noqa: E501
            for at in range(0, len(piece), 5):
                raw(peer, piece[at : at + 5])
                threading.Event().wait(0.001)
        peer.stay()

    with Scripted(script) as server, Rig(server.url) as rig:
        rig.until_live()
        rig.advance_to(101)
        closed.set()
        rig.until_minute(100)
        assert server.connects == 1
    assert rig.proven(97, 100)


def test_n25_n26_memory_does_not_grow_with_what_is_refused() -> None:
    def script(peer: Peer) -> None:
        endless_fragments(peer)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):
        with Scripted(script) as server:
            link = Transport(server.url, timeout=PATIENCE_S)
            with pytest.raises(Dropped) as dropped:
                while True:
                    if link.wait(PATIENCE_S):
                        link.receive()
            assert dropped.value.loss.reason == "protocol"
            link.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # KiB


def test_n27_text_that_is_not_utf_8_is_rejected_and_the_bar_comes_from_history() -> None:
    def script(peer: Peer) -> None:
        peer.acknowledge()
        raw(peer, frame(b'{"bar": ["\xff\xfe"]}'))
        peer.stay()

    with Scripted(script) as server, Rig(server.url, venue=Binanceish(server.url)) as rig:
        rig.until(rig.rejected)
        rig.until_live()
        assert server.connects == 1
    assert rig.rejected() == ["malformed"]


def Binanceish(url: str) -> object:
    class Strict(Toy):
        def parse_frame(self, frame: bytes | str):  # type: ignore[no-untyped-def]
            from btfeeds.errors import BadFrame

            try:
                return super().parse_frame(frame)
            except UnicodeDecodeError:
                raise BadFrame("not UTF-8") from None

    return Strict(stream_url=url)


def test_n28_a_flood_of_pings_is_answered_but_not_one_by_one() -> None:
    pongs: list[bytes] = []
    two = threading.Event()

    def script(sock: socket.socket, _: int) -> None:
        data = shake(sock)
        sock.sendall(b"".join(frame(str(number).encode(), 9) for number in range(300)))
        while len(pongs) < 2:
            data += sock.recv(65_536)
            pongs[:] = [payload for opcode, payload in frames_of(data) if opcode == 10]
        two.set()

    with Listener(script) as server:
        link = Transport(server.url, timeout=PATIENCE_S, pong_every=3_600.0)
        pings = 0
        while pings < 300:
            pings += len(link.receive()) if link.wait(PATIENCE_S) else 0
        assert len(pongs) <= 1, "the first is answered, the others have to wait"
        link._pong_at = 0.0  # an hour later
        link.wait(0)
        assert two.wait(PATIENCE_S)
        link.close()
    assert pongs == [b"0", b"299"]


def test_n28_an_unsolicited_pong_does_no_harm() -> None:
    def script(peer: Peer) -> None:
        peer.acknowledge()
        raw(peer, frame(b"?", 10) * 20)
        peer.stay()

    with Scripted(script) as server, Rig(server.url) as rig:
        rig.until_live()
        assert server.connects == 1


def test_n29_a_refused_subscription_is_asked_for_three_times() -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.say(nack=peer.hear()["id"])

    class Down(Truth):
        def pages(self, *_: object, **__: object) -> Iterator[Page]:
            raise NetworkError("history does not answer, so nobody knows the symbol")

    down = Down(ManualClock(NOW))
    with Scripted(script) as server, Rig(server.url, venue=Calm(stream_url=server.url), downloader=down) as rig:
        rig.until(lambda: rig.stream.finished, tick=100)
        assert len(server.heard) == 3
    assert isinstance(rig.stream.error, UnknownSymbol)
    assert rig.words[-2:] == ["NOTSUBSCRIBED", "DISCONNECTED"] and "LIVE" not in rig.words


def test_n29_a_lost_or_foreign_confirmation_is_waited_for_and_asked_again() -> None:
    def script(peer: Peer) -> None:
        peer.hear()
        peer.say(ack=999)
        peer.acknowledge()
        peer.stay()

    with Scripted(script) as server, Rig(server.url) as rig:
        rig.bell.until(lambda: server.heard)
        rig.pull()
        assert "LIVE" not in rig.words
        rig.advance(10_000)  # so long a confirmation is waited for
        rig.bell.until(lambda: len(server.heard) == 2)
        rig.until_live()
        assert len(server.heard) == 2 and server.connects == 1


def test_n30_one_refused_channel_of_many_leaves_the_others_alone() -> None:
    def script(peer: Peer) -> None:
        while True:
            said = peer.hear()
            bad = any("BAD" in channel for channel in said.get("sub", ()))  # type: ignore[attr-defined]
            peer.say(**({"nack": said["id"], "fatal": True} if bad else {"ack": said["id"]}))

    clock = ManualClock(NOW)
    with Scripted(script) as server, Rig(server.url, clock=clock) as good:
        good.until_live()
        with Rig(server.url, venue=good.stream.venue, clock=clock, symbol="BAD/USDT") as bad:
            bad.until(lambda: bad.stream.finished, tick=100)
        good.pull()
        assert server.connects == 1
    assert bad.words[-2:] == ["NOTSUBSCRIBED", "DISCONNECTED"]
    assert good.words == ["DELAYED", "LIVE"]


def test_n31_what_lies_behind_the_end_of_a_connection_is_not_read() -> None:
    """Five frames that cannot be read end it; a bar that came in the same breath is of the old connection."""
    now = threading.Event()
    stale = {"bar": ["BTCUSDT@bars@1m", 100 * M, 1.0, 1.0, 1.0, 1.0, 1.0]}  # not what the venue's books say

    def script(peer: Peer) -> None:
        peer.acknowledge()
        if peer.number == 1:
            now.wait(PATIENCE_S)
            raw(peer, frame(b"{half a fra") * 5 + frame(json.dumps(stale).encode()))
        peer.stay()

    with Scripted(script) as server, Rig(server.url) as rig:
        rig.until_live()
        rig.advance_to(101)
        now.set()
        rig.until_live(2)
        rig.until_minute(100)
        assert server.connects == 2
    assert rig.rejected() == ["malformed"] * 5
    assert rig.proven(97, 100)


def test_n33_a_dead_address_costs_a_quarter_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener(lambda sock, _: shake(sock)) as server, black_hole("127.0.0.2") as port:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
        # one after the other, the second would get its turn when the test's time is long over
        dialing.connect("venue.test", 1, 600.0, secure=False).close()
