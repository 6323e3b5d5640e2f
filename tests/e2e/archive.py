"""A server of history on this machine: Binance's klines, worked out from the time, so that years of them cost nothing.

    with Archive() as archive:
        ... archive.url, archive.asked

`faults` are answers to give instead of a page, one for each request, until they are used up: a status, a page of HTML,
or a way to spoil the rows.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MINUTE = 60_000
START = 1_577_836_800_000  # 2020-01-01

Row = list[Any]
Spoil = Callable[[list[Row]], list[Row]]


def values(number: int) -> tuple[float, float, float, float, float]:
    """Open, high, low, close and volume of a minute, by its number since START."""
    price = 1_000.0 + number % 977
    return price, price + 3, price - 2, price + 1, float(number % 13) + 0.25


def row(number: int) -> Row:
    open_time = START + number * MINUTE
    return [open_time, *map(str, values(number)), open_time + MINUTE - 1, "0", 7, "0", "0", "0"]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle of an answer."""


class Archive:
    """Has the first `minutes` minutes from START of any symbol, 1,000 in a page."""

    def __init__(self, minutes: int = 10**9, *, on_request: Callable[[int], None] = lambda _: None) -> None:
        self.minutes = minutes
        self.asked: list[tuple[str, int]] = []  # symbol, number of the first minute that was asked for
        self.faults: list[int | str | Spoil] = []
        self._on_request = on_request
        self._lock = threading.Lock()  # guards asked and faults
        archive = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                archive._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Archive:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        params = dict(parse_qsl(urlsplit(handler.path).query))
        first = -(-(int(params["startTime"]) - START) // MINUTE)
        behind = min((int(params["endTime"]) - START) // MINUTE + 1, first + int(params["limit"]), self.minutes)
        with self._lock:
            self.asked.append((params["symbol"], first))
            count = len(self.asked)
            fault = self.faults.pop(0) if self.faults else None
        self._on_request(count)
        status, kind, rows = 200, "application/json", [row(number) for number in range(first, behind)]
        if isinstance(fault, int):
            status, body = fault, b"{}"
        elif isinstance(fault, str):
            kind, body = "text/html", fault.encode()
        else:
            body = json.dumps(fault(rows) if fault else rows).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        if status == 429:
            handler.send_header("Retry-After", "0.05")
        handler.end_headers()
        handler.wfile.write(body)
