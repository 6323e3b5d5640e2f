"""A venue's stream on localhost, in a process of its own: Binance's combined stream, as fast as it is read.

Confirms subscriptions; behind the fifth it sends as many minutes of five symbols as it was told to, forming bars
mostly. `python -m benchmarks.venue MINUTES` prints its URL.
"""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

SYMBOLS = ("BTC", "ETH", "BNB", "SOL", "XRP")
CHANNELS = [f"{symbol.lower()}usdt@kline_1m" for symbol in SYMBOLS]
UPDATES = 50  # forming bars of a symbol in a minute; Binance sends one every two seconds, or every second
FRAMES_PER_MINUTE = len(SYMBOLS) * (UPDATES + 1)
_FIRST = 1_709_294_400_000
_TIME = 1_111_111_111_111  # a place for a time, of its width


@contextlib.contextmanager
def running(minutes: int) -> Iterator[str]:
    """The URL of a venue in another process."""
    command = [sys.executable, "-m", "benchmarks.venue", str(minutes)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()  # it leaves when nobody holds its input
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _minute() -> tuple[bytes, list[int]]:
    """The frames of a minute, headers included, with places (`%d`) for its times, and those times from its opening."""
    frames = bytearray()
    times: list[int] = []
    for update in range(UPDATES + 1):
        closed = update == UPDATES
        for at, (symbol, channel) in enumerate(zip(SYMBOLS, CHANNELS, strict=True)):
            price = 84_281.32 / (at * at + 1) + update * 0.37
            bar = {
                "t": _TIME,
                "T": _TIME,
                "s": f"{symbol}USDT",
                "i": "1m",
                "f": 6_710_335_076 + update,
                "L": 6_710_338_274 + update,
                "o": f"{price - 1:.8f}",
                "c": f"{price + 0.68:.8f}",
                "h": f"{price + 8.68:.8f}",
                "l": f"{price - 29.32:.8f}",
                "v": f"{11.30572 + update:.8f}",
                "n": 3_199 + update,
                "x": closed,
                "q": f"{952_813.2073756 + update:.8f}",
                "V": f"{2.83796 + update:.8f}",
                "Q": f"{239_164.5765292 + update:.8f}",
                "B": "0",
            }
            data = {"e": "kline", "E": _TIME, "s": f"{symbol}USDT", "k": bar}
            message = {"stream": channel, "data": data}
            payload = json.dumps(message, separators=(",", ":")).encode()
            header = struct.pack("!BBH", 0x81, 126, len(payload))
            frames += header.replace(b"%", b"%%") + payload.replace(str(_TIME).encode(), b"%d")
            times += [60_026 if closed else update * 60_000 // UPDATES, 0, 59_999]
    return bytes(frames), times


def _serve(minutes: int) -> None:
    minute, times = _minute()

    def handle(connection: ServerConnection) -> None:
        channels = 0
        try:
            while True:
                asked = json.loads(connection.recv())
                waited = channels < len(SYMBOLS)
                channels += len(asked["params"])
                connection.send(json.dumps({"result": None, "id": asked["id"]}))
                for number in range(minutes if waited and channels >= len(SYMBOLS) else 0):
                    opened = _FIRST + number * 60_000
                    connection.socket.sendall(minute % tuple(opened + time for time in times))
        except (ConnectionClosed, OSError):
            return

    with serve(handle, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2, compression=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"ws://127.0.0.1:{server.socket.getsockname()[1]}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
