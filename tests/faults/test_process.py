"""What happens to a process: rows P08 to P17 of the fault table, as far as not shown elsewhere."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from btfeeds.clock import SystemClock
from btfeeds.live.connection import Connection
from tests.e2e.helpers import accepted
from tests.faults.rig import PATIENCE_S, Calm, Listener, Rig, say, shake
from tests.live.scripted import Peer, Scripted
from tests.live.toy import Toy

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system has no /proc to count with")


def script_of(text: str, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", text, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=env)


FORK = """
import os, sys
from tests.faults.rig import Rig
with Rig(sys.argv[1]) as rig:
    rig.until_live()
    child = os.fork()
    if not child:
        rig.pull()
        print(rig.words, flush=True)
        print(rig.stream.error, flush=True)
        rig.stream.close()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    rig.pull()
    print(rig.words, rig.stream.error, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_p08_in_a_forked_child_the_feed_says_so_and_the_parents_goes_on() -> None:
    with Scripted(Peer.stay) as server:
        done = script_of(FORK, server.url)
    words, what, did, advice, parent = done.stdout.splitlines()
    assert words == "['DELAYED', 'LIVE', 'NOTSUBSCRIBED', 'DISCONNECTED']"
    assert "forked" in what and "stopped" in did and "spawn" in advice
    assert parent == "['DELAYED', 'LIVE'] None"
    assert server.connects == 1


def test_p14_after_a_sleep_the_connection_is_dialled_anew_at_once() -> None:
    with Scripted(Peer.stay) as server, Rig(server.url, venue=Toy(stream_url=server.url)) as rig:
        rig.until_live()
        rig.advance(8 * 3_600_000)  # the lid was closed for a night
        # the night's bars may come from history before the worker has seen that its socket is dead
        rig.until(lambda: server.connects > 1 and rig.words[-1] == "LIVE" and rig.minutes[-1] == 100 + 8 * 60 - 1)
        assert server.connects == 2
        assert accepted([*rig.words, "DISCONNECTED"])
    assert rig.proven(97, 100 + 8 * 60 - 1)


@pytest.mark.parametrize("step", [3_600, -3_600])
def test_p15_a_step_of_the_wall_clock_is_not_felt(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(Peer.stay) as server, Rig(server.url, clock=SystemClock(), start=None) as rig:
        rig.until_live()
        before = rig.stream.now()
        ns, s = time.time_ns, time.time
        monkeypatch.setattr(time, "time_ns", lambda: ns() + step * 1_000_000_000)
        monkeypatch.setattr(time, "time", lambda: s() + step)
        rig.workers[0]._wake()
        for _ in range(5):
            rig.pull()
            threading.Event().wait(0.01)
        assert abs(rig.stream.now() - before) < 1_000_000
        assert rig.losses() == [] and rig.words == ["DELAYED", "LIVE"] and server.connects == 1


STARVED = """
import os, resource, sys
from tests.faults.rig import Rig
with Rig(sys.argv[1], backoff_ms=(200,)) as rig:
    rig.until_live()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    rig.stream._hub._shards[0]._workers[0]._transport.abort()
    rig.until(lambda: len(rig.losses()) >= 3, tick=100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    rig.until(lambda: rig.words.count("LIVE") == 2, tick=100)
    print(rig.words, sorted({loss.reason for loss in rig.losses()[1:]}))
"""


@LINUX
def test_p16_without_file_descriptors_it_waits_and_comes_back() -> None:
    with Scripted(Peer.stay) as server:
        done = script_of(STARVED, server.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['DELAYED', 'LIVE', 'CONNBROKEN', 'CONNECTED', 'DELAYED', 'LIVE']"), done.stdout
    assert "'dial'" in done.stdout or "'dns'" in done.stdout


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@LINUX
def test_p16_a_thousand_reconnections_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    enough = threading.Event()
    measured: dict[int, tuple[int, int, int]] = {}

    def accept_and_close(sock: object, number: int) -> None:
        nonlocal count
        shake(sock)  # type: ignore[arg-type]
        count = number
        if number in (200, 1_000):
            measured[number] = (threading.active_count(), _descriptors(), _resident())
        if number >= 1_000:
            enough.set()

    class Lavish(Calm):
        limits = dataclasses.replace(Calm.limits, connects_per_5_minutes=10**6)

    with Listener(accept_and_close) as server:  # noqa: SIM117
        with Rig(server.url, venue=Lavish(stream_url=server.url), start=None) as rig:
            rig.happened.clear()
            rig.until(enough.is_set)
    early, late = measured[200], measured[1_000]
    # a few of the server's may be on their way out; a leak would be one for each of 800
    assert abs(late[0] - early[0]) <= 40, "threads"
    assert abs(late[1] - early[1]) <= 40, "file descriptors"
    assert late[2] - early[2] < 8_000_000, "memory"
    assert accepted([*rig.words, "DISCONNECTED"])


def test_p17_a_bug_in_a_callback_costs_the_connection_only(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = threading.Event()

    def script(peer: Peer) -> None:
        (channel,) = peer.acknowledge()
        if peer.number == 1:
            closed.wait(PATIENCE_S)
            say(peer, channel, 100)
        peer.stay()

    from btfeeds.live.tap import Tap

    put, failed = Tap.put, []

    def fails_once(self: Tap, *args: object) -> None:
        if not failed:
            failed.append(True)
            raise ZeroDivisionError("a bug")
        put(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Tap, "put", fails_once)
    with Scripted(script) as server, Rig(server.url) as rig:
        rig.until_live()
        rig.advance_to(101)
        closed.set()
        rig.until_minute(100)  # from history: the stream's was lost in the bug
        assert server.connects == 2
    assert rig.proven(97, 100)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_p17_a_thread_that_dies_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tick, deadly = Connection.tick, threading.Event()

    def dies_once(self: Connection, now: int) -> list[object]:
        if deadly.is_set():
            deadly.clear()
            raise SystemExit  # nothing catches it: the thread ends
        return tick(self, now)  # type: ignore[return-value]

    monkeypatch.setattr(Connection, "tick", dies_once)
    with Scripted(Peer.stay) as server, Rig(server.url) as rig:
        rig.until_live()
        deadly.set()
        rig.workers[0]._wake()
        rig.until_live(2)
        assert server.connects == 2
    assert rig.words == ["DELAYED", "LIVE", "CONNBROKEN", "CONNECTED", "DELAYED", "LIVE"]
    assert any(record.levelname == "CRITICAL" for record in caplog.records)


