"""Finding a simulator and its time by one of its URLs."""

from __future__ import annotations

import http.server
import threading

import pytest

from btfeeds.errors import NetworkError, SimulatorError
from btfeeds.simulator import attach, serve
from tests.simulator.helpers import minutes


@pytest.mark.parametrize("name", ["rest_url", "stream_url", "clock_url"])
def test_any_url_leads_to_hosts_and_clock(name: str) -> None:
    with serve("binance", minutes(2000), history=10, speed=60) as sim:
        found = attach(getattr(sim, name))
        assert (found.rest_url, found.stream_url) == (sim.rest_url, sim.stream_url)
        assert found.clock.speed == 60
        assert abs(found.clock.now() - sim.clock.now()) < 60_000  # a second of the wall


def test_where_nobody_listens_is_said_in_three_lines() -> None:
    sim = serve("binance", minutes(20), history=10)
    sim.close()
    with pytest.raises(NetworkError) as none:
        attach(sim.rest_url)
    assert len(str(none.value).splitlines()) == 3


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1", "http://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(SimulatorError):
        attach(url)


def test_another_server_is_not_taken_for_a_simulator() -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with pytest.raises(SimulatorError, match="no simulator"):
                attach(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
