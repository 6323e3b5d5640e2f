"""The simulator over real sockets on 127.0.0.1, on a clock that moves when told."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from btfeeds.clock import ManualClock
from btfeeds.errors import PortInUse, SimulatorError
from btfeeds.simulator import Simulator, serve
from tests.simulator.helpers import MINUTE, START, minutes

_opener = build_opener(ProxyHandler({}))
FIRST_LIVE = START + 10 * MINUTE


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with serve("binance", minutes(40), history=10, clock=ManualClock()) as sim:
        yield sim


def _get(sim: Simulator, path: str) -> Any:
    with _opener.open(sim.rest_url + path, timeout=5) as answer:
        return json.load(answer)


@contextmanager
def _subscribed(sim: Simulator, path: str = "/ws", **settings: Any) -> Iterator[ClientConnection]:
    """A client of the one-minute bars whose subscription is confirmed."""
    with connect(sim.stream_url + path, proxy=None, open_timeout=5, close_timeout=1, **settings) as client:
        client.send('{"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":1}')
        assert json.loads(client.recv(5)) == {"result": None, "id": 1}
        yield client


def _until_closed_bar(client: ClientConnection) -> int:
    """The opening time of the next closed bar."""
    while True:
        frame = json.loads(client.recv(5))
        if frame["k"]["x"]:
            return int(frame["k"]["t"])


def test_rest_and_stream_share_a_port_and_a_clock(sim: Simulator) -> None:
    assert sim.rest_url.replace("http", "ws") == sim.stream_url
    assert _get(sim, "/api/v3/time") == {"serverTime": FIRST_LIVE}
    assert _get(sim, "/btfeeds/clock") == {"now": FIRST_LIVE, "speed": 1.0}


def test_the_date_header_is_in_the_simulators_time(sim: Simulator) -> None:
    with _opener.open(sim.rest_url + "/api/v3/ping") as answer:
        assert answer.headers["Date"] == "Fri, 01 Mar 2024 00:10:00 GMT"


def test_every_frame_due_is_sent_when_time_moves(sim: Simulator) -> None:
    with _subscribed(sim) as client:
        sim.run_until(FIRST_LIVE + MINUTE + 26)
        assert [json.loads(client.recv(5))["k"]["x"] for _ in range(8)] == [False] * 8
        with pytest.raises(TimeoutError):
            client.recv(0)
        sim.run_for(1)
        assert _until_closed_bar(client) == FIRST_LIVE


def test_a_step_is_one_happening(sim: Simulator) -> None:
    first = sim.step()
    assert FIRST_LIVE < first < sim.step()
    assert _get(sim, "/api/v3/time") == {"serverTime": sim.clock.now()}


def test_closed_bars_are_the_truth_so_far(sim: Simulator) -> None:
    bars = minutes(40)
    assert sim.closed_bars("BTC/USDT", "1m") == bars[:10]
    sim.run_for(3 * MINUTE)
    assert sim.closed_bars("BTCUSDT", "1m") == bars[:13]
    assert (sim.start, sim.end) == (FIRST_LIVE, START + 40 * MINUTE)
    with pytest.raises(SimulatorError, match="ETH"):
        sim.closed_bars("ETH/USDT", "1m")


def test_a_combined_stream_wraps_frames_and_not_replies(sim: Simulator) -> None:
    with _subscribed(sim, "/stream") as client:
        sim.run_for(20_000)
        frame = json.loads(client.recv(5))
        assert (frame["stream"], frame["data"]["e"]) == ("btcusdt@kline_1m", "kline")


def test_pings_are_answered_and_logged(sim: Simulator) -> None:
    with _subscribed(sim) as client:
        for _ in range(3):
            sim.run_for(20_000)
            client.recv(5)
        client.send('{"method":"LIST_SUBSCRIPTIONS","id":2}')
        while "result" not in client.recv(5):
            pass
        assert "pong" in [entry.what for entry in sim.log]


def test_connections_are_counted(sim: Simulator) -> None:
    with _subscribed(sim), _subscribed(sim):
        assert sim.connections == 2
    while sim.connections:  # the goodbye is on its way
        _get(sim, "/api/v3/ping")
    assert [entry.what for entry in sim.log].count("disconnect") == 2


@pytest.mark.parametrize("way", ["rst", "fin"])
def test_a_cut_is_felt_as_a_broken_connection(sim: Simulator, way: str) -> None:
    with _subscribed(sim) as client:
        sim.fault(f"cut:{way}")
        with pytest.raises(ConnectionClosedError) as broken:
            client.recv(5)
        assert broken.value.rcvd is None
        assert isinstance(broken.value.__cause__, ConnectionResetError) == (way == "rst")


def test_a_close_carries_its_code(sim: Simulator) -> None:
    with _subscribed(sim) as client:
        sim.fault("close:1012")
        with pytest.raises(ConnectionClosedError) as closed:
            client.recv(5)
        assert closed.value.rcvd and closed.value.rcvd.code == 1012


def test_a_silent_connection_neither_sends_nor_answers(sim: Simulator) -> None:
    with _subscribed(sim, ping_interval=None) as client:
        sim.fault("silence")
        pong = client.ping()
        sim.run_for(2 * MINUTE)
        with pytest.raises(TimeoutError):
            client.recv(0.05)
        assert not pong.is_set()
        assert sim.connections == 1
        sim.fault("cut")


def test_dripping_bytes_arrive_whole_in_the_end(sim: Simulator) -> None:
    with _subscribed(sim) as client:
        sim.fault("drip:30s")
        sim.run_for(29_000)
        frames = 0
        with pytest.raises(TimeoutError):
            while client.recv(0.05):
                frames += 1
        assert frames <= 3  # 1160 bytes: 8 each 200 ms
        sim.run_for(MINUTE)
        assert _until_closed_bar(client) == FIRST_LIVE


def test_faults_come_on_time() -> None:
    settings: dict[str, Any] = {"history": 10, "clock": ManualClock(), "faults": ["duplicate@30s"]}
    with serve("binance", minutes(40), **settings) as sim, _subscribed(sim) as client:
        sim.run_for(MINUTE + 100)
        assert (_until_closed_bar(client), _until_closed_bar(client)) == (FIRST_LIVE, FIRST_LIVE)


def test_refusals_reach_http_and_handshakes(sim: Simulator) -> None:
    sim.fault("ban:30s")
    with pytest.raises(HTTPError) as refused:
        _get(sim, "/api/v3/time")
    with refused.value:
        assert (refused.value.code, refused.value.headers["Retry-After"]) == (418, "30")
    with pytest.raises(InvalidStatus) as rejected, _subscribed(sim):
        pass
    assert rejected.value.response.status_code == 418


def test_a_path_that_is_not_there_is_refused(sim: Simulator) -> None:
    with pytest.raises(InvalidStatus) as rejected, _subscribed(sim, "/elsewhere"):
        pass
    assert rejected.value.response.status_code == 404


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)) as refused:
            serve("binance", minutes(20), history=10, port=port)
    assert len(str(refused.value).splitlines()) == 3


def test_after_close_nothing_is_left() -> None:
    threads = set(threading.enumerate())
    sim = serve("binance", minutes(20), history=10, clock=ManualClock())
    with _subscribed(sim) as client:
        sim.close()
        sim.close()
        with pytest.raises(ConnectionClosedError):
            client.recv(5)
    assert [thread for thread in set(threading.enumerate()) - threads if "btfeeds" in thread.name] == []
    with pytest.raises(SimulatorError, match="closed"):
        sim.fault("cut")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(sim.rest_url.rpartition(":")[2])), timeout=5)


def test_who_waits_for_it_is_told_when_it_has_ended() -> None:
    sim = serve("binance", minutes(20), history=10, clock=ManualClock())
    assert sim.wait(0) is False
    sim.close()
    assert sim.wait() is True


def test_who_waits_for_it_is_told_what_ended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    async def fails(_: Simulator) -> None:
        while not begun.is_set():
            await asyncio.sleep(0.001)
        raise ZeroDivisionError

    monkeypatch.setattr(Simulator, "_work", fails)
    sim = serve("binance", minutes(20), history=10, clock=ManualClock())
    begun.set()
    with pytest.raises(ZeroDivisionError):
        sim.wait()


def test_a_clock_that_runs_by_itself_cannot_be_stepped() -> None:
    with serve("binance", minutes(20), history=10) as sim, pytest.raises(SimulatorError, match="ManualClock"):
        sim.step()


def test_time_runs_by_itself_as_fast_as_asked() -> None:
    with serve("binance", minutes(40), history=10, speed=600) as sim, _subscribed(sim) as client:
        first = _until_closed_bar(client)
        assert first >= FIRST_LIVE
        assert _until_closed_bar(client) == first + MINUTE
        assert sim.clock.now() >= first + 2 * MINUTE


def test_what_a_simulator_sends_late_is_dated_when_it_was() -> None:
    class Halting:
        """A clock that stands still until it jumps, and of which the simulator hears only when somebody asks it."""

        speed = 1e-6

        def __init__(self) -> None:
            self.time = FIRST_LIVE

        def now(self) -> int:
            return self.time

        def monotonic(self) -> int:
            return self.time

        def sleep(self, ms: float) -> None:
            raise NotImplementedError

    clock = Halting()
    with serve("binance", minutes(40), history=10, clock=clock) as sim, _subscribed(sim) as client:
        clock.time = FIRST_LIVE + MINUTE + 15_000
        assert _get(sim, "/api/v3/time") == {"serverTime": FIRST_LIVE + MINUTE + 15_000}
        closed = False
        while not closed:
            frame = json.loads(client.recv(5))
            closed = frame["k"]["x"]
            late = frame["E"] - frame["k"]["t"] - MINUTE
            assert (0 <= late <= 1_000) if closed else late < 0


def test_tls_is_trusted_by_its_own_authority_alone() -> None:
    pytest.importorskip("trustme")
    with serve("binance", minutes(20), history=10, clock=ManualClock(), tls=True) as sim:
        assert sim.rest_url.startswith("https://") and sim.stream_url.startswith("wss://")
        assert sim.ca_pem
        with _subscribed(sim, ssl=ssl.create_default_context(cafile=str(sim.ca_pem))) as client:
            sim.run_for(MINUTE + 100)
            assert _until_closed_bar(client) == FIRST_LIVE
            sim.fault("cut")
            with pytest.raises(ConnectionClosedError):
                client.recv(5)
        with pytest.raises(ssl.SSLCertVerificationError), _subscribed(sim):
            pass
    assert not sim.ca_pem.exists()
