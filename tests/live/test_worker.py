"""A worker carries out what its connection decides, whatever goes wrong around it."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from btfeeds.clock import ManualClock, SystemClock
from btfeeds.live import worker as worker_module
from btfeeds.live.budget import Budget
from btfeeds.live.connection import Connection
from btfeeds.live.dialing import Attempt
from btfeeds.live.effects import Data, Doubt, Lost, Refused
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.transport import Dropped, Transport
from btfeeds.live.worker import Worker
from btfeeds.venues.base import BarUpdate, Event, HttpRequest
from tests.faults.rig import Listener, black_hole, frame
from tests.live.scripted import Bell, Peer, Scripted
from tests.live.toy import Toy


class Ear:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.said: list[str] = []
        self.bars: list[BarUpdate] = []

    def _note(self, word: str) -> None:
        self.said.append(word)
        self.bell.ring()

    def data(self, worker: Worker, event: Data) -> None:
        if isinstance(event, Doubt):
            self.said.append("doubt")
            return
        assert isinstance(event, BarUpdate)
        self.bars.append(event)
        self._note("bar")

    def covered(self, worker: Worker, channels: tuple[str, ...]) -> None:
        self._note("covered")

    def lost(self, worker: Worker, effect: Lost) -> None:
        self._note(f"lost {effect.loss.reason}")

    def refused(self, worker: Worker, effect: Refused) -> None:
        self._note("refused")

    def relieve(self, worker: Worker, reason: str) -> None:
        self._note("relieve")

    def ended(self, worker: Worker) -> bool | None:
        self._note("ended")
        return None


def made(url: str, ear: Ear, venue: Toy | None = None, dial_timeout: float = 10.0) -> Worker:
    connection = Connection(
        venue or Toy(stream_url=url),
        Budget(1_000, 300_000, threading.Lock()),
        jitter=lambda: 1.0,
        policy=ConnectionPolicy(backoff_ms=(0,)),
    )
    worker = Worker(connection, ear, SystemClock(), 1, dial_timeout=dial_timeout)
    worker.ask(lambda connection, now: connection.want(["x"], now))
    return worker


def start(url: str, ear: Ear, venue: Toy | None = None, dial_timeout: float = 10.0) -> Worker:
    worker = made(url, ear, venue, dial_timeout)
    worker.start()
    return worker


def say_bar(peer: Peer) -> None:
    peer.say(bar=["x", 60_000, 1, 2, 0.5, 1.5, 1])


def test_it_dials_subscribes_and_hands_on_bars() -> None:
    def script(peer: Peer) -> None:
        assert peer.acknowledge() == ["x"]
        say_bar(peer)
        peer.stay()

    ear = Ear()
    with Scripted(script) as server:
        worker = start(server.url, ear)
        ear.bell.until(lambda: ear.bars)
        worker.stop()
        assert worker.join(2)
    assert ear.said == ["covered", "bar", "ended"]


def test_after_a_cut_it_dials_again_and_subscribes_again() -> None:
    def script(peer: Peer) -> None:
        peer.acknowledge()
        say_bar(peer)
        if peer.number < 3:
            peer.connection.close(1012)
        peer.stay()

    ear = Ear()
    with Scripted(script) as server:
        worker = start(server.url, ear)
        ear.bell.until(lambda: len(ear.bars) == 3)
        worker.stop()
        assert worker.join(2)
    assert ear.said == ["covered", "bar", "lost close_code"] * 2 + ["covered", "bar", "ended"]


def test_a_bug_in_the_dialect_costs_the_connection_but_not_the_thread() -> None:
    class Buggy(Toy):
        failed = False

        def parse_frame(self, frame: bytes | str) -> list[Event]:
            events = list(super().parse_frame(frame))
            if not Buggy.failed and isinstance(events[0], BarUpdate):
                Buggy.failed = True
                raise ZeroDivisionError("a bug")
            return events

    def script(peer: Peer) -> None:
        peer.acknowledge()
        say_bar(peer)
        peer.stay()

    ear = Ear()
    with Scripted(script) as server:
        worker = start(server.url, ear, Buggy(stream_url=server.url))
        ear.bell.until(lambda: ear.bars)
        worker.stop()
        assert worker.join(2)
    assert ear.said == ["covered", "lost protocol", "covered", "bar", "ended"]


def test_unreadable_frames_are_survived() -> None:
    def script(peer: Peer) -> None:
        peer.acknowledge()
        peer.connection.send("{half a fra")
        say_bar(peer)
        peer.stay()

    ear = Ear()
    with Scripted(script) as server:
        worker = start(server.url, ear)
        ear.bell.until(lambda: ear.bars)
        worker.stop()
        assert worker.join(2)
    assert ear.said == ["covered", "doubt", "bar", "ended"]


class Arriving:
    """A transport in which some readings lie already, and others come when they are waited for, a second later."""

    def __init__(self, clock: ManualClock, *readings: tuple[bool, list[bytes | None]]) -> None:
        self.clock, self.readings = clock, list(readings)
        self.waits: list[float | None] = []

    def wait(self, seconds: float | None) -> bool:
        if seconds == 0:
            return bool(self.readings) and self.readings[0][0]
        self.waits.append(seconds)
        self.clock.advance(1_000)
        return bool(self.readings)

    def receive(self) -> list[bytes | None]:
        self.clock.advance(1_000)
        return self.readings.pop(0)[1]

    def check(self) -> None:
        pass


def test_the_venue_was_heard_when_there_was_nothing_left_to_hand_on_and_then_something_came() -> None:
    """Else a bar would be let go while the word that it waits for lies behind what was read."""
    clock, handed = ManualClock(5_000_000), []

    class Handed(Ear):
        def data(self, worker: Worker, event: Data) -> None:
            handed.append(worker.heard_at)

    connection = Connection(Toy(), Budget(9, 300_000, threading.Lock()), jitter=lambda: 1.0)
    worker = Worker(connection, Handed(), clock, 1)
    connection.want(["x"], clock.monotonic())
    connection.start(clock.monotonic())
    connection.opened(clock.monotonic())
    bar = json.dumps({"bar": ["x", 60_000, 1, 2, 0.5, 1.5, 1]}).encode()
    worker._wake_out, other = socket.socketpair()
    worker._wake_out.setblocking(False)
    start = clock.monotonic()
    lies, comes, half = (True, [bar]), (False, [None]), (False, [])
    worker._transport = Arriving(clock, lies, lies, comes, half, lies)  # type: ignore[assignment]
    heard = []
    for _ in range(5):
        worker._turn()
        heard.append(worker.heard_at and worker.heard_at - start)
    assert heard == [0, 0, 2_000, 2_000, 2_000] and len(handed) == 3
    worker._wake_out.close()
    other.close()


def test_frames_behind_the_one_that_ended_the_connection_are_dropped() -> None:
    def script(peer: Peer) -> None:
        peer.acknowledge()
        if peer.number == 1:
            stale = json.dumps({"bar": ["x", 60_000, 1, 2, 0.5, 1.5, 99]}).encode()
            peer.connection.socket.sendall(frame(b"{half a fra") * 5 + frame(stale))
        else:
            say_bar(peer)
        peer.stay()

    ear = Ear()
    with Scripted(script) as server:
        worker = start(server.url, ear)
        ear.bell.until(lambda: ear.bars)
        worker.stop()
        assert worker.join(2)
    assert ear.said == ["covered", *["doubt"] * 4, "lost protocol", "covered", "bar", "ended"]
    assert [event.bar.volume for event in ear.bars] == [1]


def test_it_leaves_promptly_even_in_the_midst_of_a_frame_that_does_not_come() -> None:
    half = threading.Event()

    def script(peer: Peer) -> None:
        peer.acknowledge()
        peer.connection.socket.sendall(b"\x81\x05he")
        half.set()
        peer.stay()

    ear = Ear()
    with Scripted(script) as server:
        worker = start(server.url, ear)
        half.wait(10)
        ear.bell.until(lambda: "covered" in ear.said)
        worker.stop()
        assert worker.join(0.5)


class Ticketed(Toy):
    """Has to be asked over REST before it can be dialled."""

    def ticket_request(self) -> HttpRequest:
        return HttpRequest("/ticket")


@pytest.mark.parametrize("where", ["tcp", "tls", "handshake", "ticket", "proxy"])
def test_it_leaves_promptly_while_nobody_answers_the_dial(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ear, dialled = Ear(), threading.Event()

    def silent(sock: socket.socket, _number: int) -> None:
        dialled.set()
        while sock.recv(4096):
            pass

    with black_hole() as port, Listener(silent) as server:
        scheme = "wss" if where == "tls" else "ws"
        url = f"ws://127.0.0.1:{port}" if where == "tcp" else f"{scheme}://127.0.0.1:{server.port}"
        if where == "proxy":
            url = "ws://venue.invalid"
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
        rest = Ticketed(rest_url=f"http://127.0.0.1:{server.port}", stream_url=url)
        worker = start(url, ear, rest if where == "ticket" else None, dial_timeout=60)
        if where != "tcp":
            assert dialled.wait(10)
        ear.bell.until(lambda: where == "ticket" or worker._attempt is not None)
        worker.stop()
        assert worker.join(10)  # a sixth of what the dial may take
    assert ear.said == ["ended"]


def test_a_dial_that_was_given_up_before_it_began_does_not_begin() -> None:
    attempt = Attempt()
    attempt.abort()
    with Scripted(Peer.stay) as server:
        with pytest.raises(Dropped):
            Transport(server.url, attempt=attempt)
        assert server.connects == 0


def test_no_wait_is_longer_than_what_a_sleeping_machine_may_cost() -> None:
    """A wait stands still while the machine sleeps: a socket that died would be found only after all of it."""
    clock = ManualClock(5_000_000)
    connection = Connection(Toy(), Budget(9, 300_000, threading.Lock()), jitter=lambda: 1.0)
    worker = Worker(connection, Ear(), clock, 1)
    connection.start(clock.monotonic())
    connection.opened(clock.monotonic())
    worker._wake_out, other = socket.socketpair()
    worker._wake_out.setblocking(False)
    worker._transport = link = Arriving(clock)  # type: ignore[assignment]
    worker._turn()
    assert connection.deadline() == clock.monotonic() - 1_000 + Toy.heartbeat.idle_ms
    assert link.waits == [3.0]  # type: ignore[attr-defined]
    worker._wake_out.close()
    other.close()


# --- a system without room for another thread ------------------------------------------------------------------------


def test_a_thread_that_cannot_be_started_leaves_nothing_behind_and_may_be_started_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_room(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ear = Ear()

    def script(peer: Peer) -> None:
        peer.acknowledge()
        say_bar(peer)
        peer.stay()

    with Scripted(script) as server:
        worker = made(server.url, ear)
        with monkeypatch.context() as scarce:
            scarce.setattr(threading.Thread, "start", no_room)
            with pytest.raises(RuntimeError):
                worker.start()
        assert not worker.alive and worker._wake_in is None and worker.join(0)
        worker.start()
        ear.bell.until(lambda: ear.bars)
        worker.stop()
        assert worker.join(2)
    assert ear.said == ["covered", "bar", "ended"]


class Starved(Ear):
    """Finds no thread for a successor, the first times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    def ended(self, worker: Worker) -> bool:
        self._note("ended")
        self._times -= 1
        return self._times < 0


def test_a_thread_that_leaves_tries_again_until_its_successor_could_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "_RETRY_S", 0.01)
    ear = Starved(2)
    with Scripted(Peer.stay) as server:
        worker = start(server.url, ear)
        ear.bell.until(lambda: "covered" in ear.said)
        worker.ask(lambda connection, now: connection.stop())
        ear.bell.until(lambda: not worker.alive)
    assert ear.said == ["covered", "ended", "ended", "ended"]


def test_and_no_longer_than_anybody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "_RETRY_S", 3_600.0)
    ear = Starved(10**9)
    with Scripted(Peer.stay) as server:
        worker = start(server.url, ear)
        ear.bell.until(lambda: "covered" in ear.said)
        worker.ask(lambda connection, now: connection.stop())
        ear.bell.until(lambda: "ended" in ear.said)
        assert worker.alive
        worker.stop()
        assert worker.join(10)
