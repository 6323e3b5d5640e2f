"""KuCoin and Bitfinex over real sockets: a token before the connection, numbers instead of names, a cut in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from btfeeds.clock import ScaledClock
from btfeeds.market import Bar
from tests.e2e.helpers import START, market
from tests.e2e.streaming import follow, values

SPEED, MINUTE = 300.0, 60_000
HISTORY, CUT, COUNT = 20, 26, 32  # bars before the first connection, before the cut, in all


class KuCoin:
    """What KuCoin says."""

    symbol = "BTC/USDT"
    greeting = '{"id":"btfeeds","type":"welcome"}'

    def rest(self, path: str, params: dict[str, list[str]], closed: list[Bar]) -> Any:
        if path == "/api/v1/bullet-public":
            return {"code": "200000", "data": {"token": "a-token", "instanceServers": []}}
        start, end = (int(params[name][0]) * 1000 for name in ("startAt", "endAt"))
        return {"code": "200000", "data": [self.row(bar) for bar in reversed(closed) if start <= bar.open_time < end]}

    def row(self, bar: Bar) -> list[str]:
        fields = (bar.open_time // 1000, bar.open, bar.close, bar.high, bar.low, bar.volume, 0)
        return [str(field) for field in fields]

    def answer(self, said: dict[str, Any], connection: int) -> str:
        return json.dumps({"id": said["id"], "type": "pong" if said["type"] == "ping" else "ack"})

    def frame(self, bar: Bar, connection: int) -> str:
        topic = "/market/candles:BTC-USDT_1min"
        return json.dumps({"type": "message", "topic": topic, "subject": "x", "data": {"candles": self.row(bar)}})


class Bitfinex:
    """What Bitfinex says; every connection numbers its channels anew."""

    symbol = "BTC/USD"
    greeting = '{"event":"info","version":2,"platform":{"status":1}}'

    def rest(self, path: str, params: dict[str, list[str]], closed: list[Bar]) -> Any:
        start, end = (int(params[name][0]) for name in ("start", "end"))
        return [self.row(bar) for bar in closed if start <= bar.open_time <= end]

    def row(self, bar: Bar) -> list[float]:
        return [bar.open_time, bar.open, bar.close, bar.high, bar.low, bar.volume]

    def answer(self, said: dict[str, Any], connection: int) -> str:
        if said["event"] == "ping":
            return '{"event":"pong","cid":1,"ts":0}'
        number = 1000 + connection
        return json.dumps({"event": "subscribed", "channel": "candles", "chanId": number, "key": said["key"]})

    def frame(self, bar: Bar, connection: int) -> str:
        return json.dumps([1000 + connection, self.row(bar)])


@contextmanager
def venue(speech: Any, bars: list[Bar]) -> Iterator[Any]:
    """A venue that streams each bar twice in its minute, on a clock of its own; it cuts the line once."""
    clock = ScaledClock(START + HISTORY * MINUTE, SPEED)
    gone, seen = threading.Event(), SimpleNamespace(paths=[], connects=0)

    class Rest(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            seen.paths.append((self.command, parts.path))
            closed = [bar for bar in bars if bar.open_time + MINUTE <= clock.now()]
            body = json.dumps(speech.rest(parts.path, parse_qs(parts.query), closed)).encode()
            self.send_response_only(200)
            self.send_header("Date", formatdate(clock.now() / 1000, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *args: Any) -> None:
            """Nobody reads it."""

    def stream(socket: ServerConnection) -> None:
        seen.connects += 1
        number = seen.connects
        with suppress(ConnectionClosed):
            socket.send(speech.greeting)
            socket.send(speech.answer(json.loads(socket.recv(timeout=10)), number))
            begun = clock.now()
            for at, bar in enumerate(bars):
                for share in (0.01, 0.97):  # no silence over the end of a bar
                    due = bar.open_time + share * MINUTE
                    if due < begun:
                        continue
                    # however late it is, the last update of a bar comes before the next bar
                    if gone.wait(max(0.0, (due - clock.now()) / 1000 / SPEED)):
                        return
                    if number == 1 and at == CUT:
                        return
                    with suppress(TimeoutError):
                        socket.send(speech.answer(json.loads(socket.recv(timeout=0)), number))
                    half = Bar(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume / 2)
                    socket.send(speech.frame(bar if share > 0.5 else half, number))
            gone.wait(10)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    sockets = serve(stream, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2)
    runs: list[Callable[[], None]] = [http.serve_forever, sockets.serve_forever]
    for run in runs:
        threading.Thread(target=run, daemon=True).start()
    rest, ws = f"http://127.0.0.1:{http.server_port}", f"ws://127.0.0.1:{sockets.socket.getsockname()[1]}"
    try:
        yield SimpleNamespace(rest_url=rest, stream_url=ws, clock=clock, seen=seen)
    finally:
        gone.set()
        http.shutdown()
        http.server_close()
        sockets.shutdown()


@pytest.mark.parametrize(("name", "speech"), [("kucoin", KuCoin()), ("bitfinex", Bitfinex())])
def test_every_bar_comes_once_and_finished_across_a_cut(name: str, speech: Any) -> None:
    bars = list(market(COUNT + 8))
    with venue(speech, bars) as sim:
        met = follow(sim, name, speech.symbol, start=START, until=START + COUNT * MINUTE)
    assert met.values == values(bars[:COUNT])
    assert {"history", "live"} <= set(met.sources)
    assert sim.seen.connects == 2
    if name == "kucoin":
        assert sim.seen.paths.count(("POST", "/api/v1/bullet-public")) == 2, "each connection has a token of its own"
