"""Twelve canaries in every place a secret can stand: rows S01 to S06 of the fault table. Not one gets out, in no
spelling, whatever goes wrong, with everything logged at DEBUG and nothing redacted by the handler.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from btfeeds.simulator import FAULTS, serve
from tests.e2e.helpers import market
from tests.faults.rig import Listener

ROOT = Path(__file__).parents[2]

# as awkward as secrets are: what a URL has to escape, and long enough to be found in base64
CANARIES = {
    f"BTFEEDS_{venue}_API_{kind}": f"cAnArY/{number:02d}+{venue.lower()}&={kind.lower()}"
    for number, (venue, kind) in enumerate(
        (venue, kind) for venue in ("BINANCE", "ALPACACRYPTO", "BINANCEUSDM") for kind in ("KEY", "SECRET")
    )
}
PROXY_USER, PROXY_PASSWORD = "cAnArY-06-user", "cAnArY-07-word"
REST_PASSWORD, STREAM_PASSWORD = "cAnArY-08-rest", "cAnArY-09-stream"
MISTYPED, UNREADABLE = "cAnArY-10-mistyped", "cAnArY-11-unreadable"
ALL = [*CANARIES.values(), PROXY_USER, PROXY_PASSWORD, REST_PASSWORD, STREAM_PASSWORD, MISTYPED, UNREADABLE]

SCRIPT = """
import logging, sys, traceback
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
import threading
import backtrader as bt
import btfeeds
from btfeeds.simulator import attach

venue, symbol, url, rest_password, stream_password, bars, folder = sys.argv[1:]
sim = attach(url)
rest = sim.rest_url.replace("//", "//user:" + rest_password + "@")
stream = sim.stream_url.replace("//", "//user:" + stream_password + "@")

class Show(bt.Strategy):
    def notify_data(self, data, status, *args, **kwargs):
        print("status", status, args, kwargs)
    def next(self):
        print("bar", len(self))
        if len(self) >= int(bars):
            self.env.runstop()

nowhere = {"rest_url": "http://venue.invalid", "stream_url": "ws://venue.invalid"}
for hosts in ({"rest_url": rest, "stream_url": stream}, nowhere):
    cerebro = bt.Cerebro()
    cerebro.addstrategy(Show)
    feed = btfeeds.live(venue, symbol, "1m", history=20, clock=sim.clock, warehouse=folder + "/bars",
                        resume=folder + "/place.json", **hosts)
    cerebro.adddata(feed)
    timer = threading.Timer(25, cerebro.runstop)
    timer.start()
    try:
        cerebro.run()
    except Exception:
        traceback.print_exc()
    timer.cancel()
    print("error", repr(feed.error), feed.error, feed.summary)
try:
    btfeeds.DataDownloaderFactory.create(venue, rest_url=rest).download("NO/SUCH", "1m", "2024-03-01", "2024-03-02")
except Exception:
    traceback.print_exc()
print("the end")
"""
# every fault that the simulator knows; the one that ends a feed comes last, and is met by dialling
MATRIX = (
    "correct", "cut", "cut:fin", "close:1001", "close:1008", "close:4000", "mute", "duplicate", "reorder", "unfinished",
    "delay", "malformed", "drip", "rest_lag:5s", "rate_limit", "ban:20s", "unavailable", "html", "short_pages:1m",
    "overlap:1m", "shutdown_notice", "silence:1m", "region_block",
    "cut",
)  # fmt: skip
APART_S, SPEED = 240, 450.0


def spellings(secret: str) -> set[str]:
    """Plain, in a URL, reversed, and in base64 with whatever neighbours."""
    found = {secret, quote(secret, safe=""), quote(secret), secret[::-1]}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + secret.encode()).decode()
        found.add(whole[(0, 2, 3)[shift] : (shift + len(secret)) * 8 // 6])
    return found


def assert_clean(text: str) -> None:
    out = [secret for secret in ALL if any(spelling in text for spelling in spellings(secret))]
    assert out == [], "\n".join(line for line in text.splitlines() if any(s in line for o in out for s in spellings(o)))


@pytest.fixture
def environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {
        **clean,
        **CANARIES,
        "BTFEEDS_BINANCE_API_KEYY": MISTYPED,
        "BTFEEDS_LOG_LEVEL": "DEBUG",
        "PYTHONPATH": str(ROOT),
    }


def outputs(environment: dict[str, str], *command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=55, env=environment, cwd=cwd
    )
    return done.stdout + done.stderr


def test_there_are_twelve_canaries() -> None:
    assert len(set(ALL)) == 12


def test_the_matrix_is_whole() -> None:
    assert {fault.partition(":")[0] for fault in MATRIX} == set(FAULTS)


@pytest.mark.parametrize(
    ("venue", "symbol"),
    [("binance", "BTC/USDT"), ("alpacacrypto", "BTC/USD")],  # the second one is sent its key, over both protocols
)
def test_s01_s02_s06_no_secret_gets_out_of_a_run_through_faults(
    environment: dict[str, str], tmp_path: Path, venue: str, symbol: str
) -> None:
    def wants_credentials(sock: object, _: int) -> None:
        sock.recv(4096)  # type: ignore[attr-defined]
        sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]

    faults = []
    for number, fault in enumerate(MATRIX, 1):
        name, colon, argument = fault.partition(":")
        faults += [f"{name}@{number * APART_S}s{colon}{argument}"]
    live = len(MATRIX) * APART_S // 60
    with (
        Listener(wants_credentials) as proxy,
        serve(venue, market(500, symbol=symbol), symbol=symbol, history=60, speed=SPEED, faults=faults) as sim,
    ):
        url = f"http://{PROXY_USER}:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}"
        env = {**environment, "http_proxy": url, "HTTPS_PROXY": url, "NO_PROXY": "127.0.0.1",
               "BTFEEDS_STATE": str(tmp_path)}  # fmt: skip
        args = (venue, symbol, sim.rest_url, REST_PASSWORD, STREAM_PASSWORD, str(20 + live + 60), str(tmp_path))
        text = outputs(env, "-c", SCRIPT, *args)
        struck = [entry.detail for entry in sim.log if entry.what == "fault"]
    assert "the end" in text and "DEBUG" in text, text[-2_000:]
    assert len(struck) == len(MATRIX), struck
    assert "error RegionBlocked(" in text or "error ConfigError(" in text, "the last fault was met"
    assert "407" in text, "the proxy was met"
    assert_clean(text)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"place.json", "catalogue.sqlite"} <= {file.name for file in files}
    for file in files:
        assert_clean(file.read_bytes().decode("latin-1"))


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_s06_the_command_line_shows_none(environment: dict[str, str], options: tuple[str, ...]) -> None:
    with serve("binance", market(400), history=60, speed=600.0, faults=["cut@2m", "malformed@4m"]) as sim:
        run = ("-m", "btfeeds", "live", "binance", "BTC/USDT", "1m", "--history", "20", "--bars", "28")
        text = outputs(environment, *run, "--sim", sim.rest_url, *options)
    assert "BTFEEDS_BINANCE_API_KEYY" in text, "a name that is none is warned about"
    assert_clean(text)


def test_s03_a_line_that_cannot_be_read_is_not_shown(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"BTFEEDS_BINANCE_API_KEY='{UNREADABLE}\n", encoding="utf-8")
    text = outputs(environment, "-m", "btfeeds", "venues", cwd=tmp_path)
    assert ".env" in text
    assert_clean(text)


def test_s04_tracebacks_show_no_variables() -> None:
    shown = [path for path in (ROOT / "btfeeds").rglob("*.py") if "show_locals=True" in path.read_text(encoding="utf-8")]  # noqa: E501
    assert shown == []


def test_s05_a_readable_file_with_a_secret_is_told_with_the_cure(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"BTFEEDS_BINANCE_API_KEY={UNREADABLE}\n", encoding="utf-8")
    file.chmod(0o644)
    text = outputs(environment, "-m", "btfeeds", "venues", cwd=tmp_path)
    assert f"chmod 600 {file}" in text
    assert_clean(text)
