"""What happens to a process: rows P08 to P17 of the fault table, as far as not shown elsewhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

import btfeeds
from btfeeds.clock import SystemClock
from btfeeds.live.connection import Connection
from btfeeds.simulator import serve
from tests.e2e.helpers import accepted, leaving_s, market
from tests.faults.rig import PATIENCE_S, Listener, Rig, say
from tests.live.scripted import Peer, Scripted
from tests.live.toy import Toy

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system has no /proc to count with")


def script_of(text: str, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", text, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=env)


def counted_alone(story: str) -> Any:
    """What alone.py says of that story."""
    command = [sys.executable, "-m", "tests.faults.alone", story]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE_S, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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


def test_p09_a_host_that_accepts_and_never_answers_holds_no_thread_back() -> None:
    """The thread that asks history would wait for half a minute; it is gone a second after the run."""
    cerebro, patience = bt.Cerebro(stdstats=False), leaving_s() / 2

    def never_answer(sock: socket.socket, _: int) -> None:
        sock.recv(4096)
        cerebro.runstop()
        sock.recv(4096)

    with Listener(never_answer) as rest, serve("binance", market(200), history=60, speed=60.0) as sim:
        url = f"http://127.0.0.1:{rest.port}"
        feed = btfeeds.live(
            "binance", "BTC/USDT", "1m", history=20, clock=sim.clock, rest_url=url, stream_url=sim.stream_url
        )
        cerebro.adddata(feed)
        cerebro.run()
        end = time.monotonic() + patience
        asking = [thread for thread in threading.enumerate() if thread.name.startswith("btfeeds-binance")]
        for thread in asking:
            thread.join(max(0.0, end - time.monotonic()))
        assert not any(thread.is_alive() for thread in asking), asking
        assert rest.accepted == 1


def test_p13_thirty_days_of_bars_and_breaks_take_no_more_memory_than_five() -> None:
    happened = counted_alone("days")
    used = happened["memory"]
    assert len(used) == 30 and happened["true"]
    assert max(used[5:]) - used[4] < 25 * 480 * 4, f"four bytes for each of 12,000 bars are a leak: {used}"


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


@LINUX
def test_p16_a_thousand_reconnections_leave_nothing_behind() -> None:
    happened = counted_alone("reconnections")
    # the listening socket, both ends of the connection, both ends of what wakes the worker: never one more or less
    assert happened["more descriptors"] == [5]
    # the server's thread, one worker's all the time, and the few that ask history, which are made when first needed
    names = happened["more threads"]
    asking = [name for name in names if name.startswith("btfeeds-toy-history-")]
    assert 1 <= len(asking) <= 4 and len(names) == len(asking) + 2 and "btfeeds-toy-1" in names, names
    used = happened["memory"]
    assert max(used) - used[0] < 800 * 256, f"a quarter of a KiB for each of 800 is a leak: {used}"
    assert happened["breaks"] >= 500 and happened["accepted"] and happened["true"]


def test_p17_a_bug_in_a_callback_costs_the_connection_only(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = threading.Event()

    def script(peer: Peer) -> None:
        (channel,) = peer.acknowledge()
        if peer.number == 1:
            closed.wait(PATIENCE_S)
            say(peer, channel, 100)
        peer.stay()

    from btfeeds.live.tap import Tap

    put, failed = Tap._put, []

    def fails_once(self: Tap, *args: object) -> None:
        if not failed:
            failed.append(True)
            raise ZeroDivisionError("a bug")
        put(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Tap, "_put", fails_once)
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
