"""What cannot work is said in three lines, with an exit code, and nothing hangs."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from btfeeds.simulator import Simulator, serve
from tests.e2e.helpers import btfeeds_cli, market

DEAD = {"BTFEEDS_BINANCE_REST_URL": "http://127.0.0.1:1", "BTFEEDS_BINANCE_STREAM_URL": "ws://127.0.0.1:1"}


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with serve("binance", market(2_000), history=60, speed=60.0) as served:
        yield served


def _three(err: str) -> list[str]:
    lines = err.splitlines()
    assert len(lines) == 3, err
    return lines


def test_a_wrong_symbol(sim: Simulator) -> None:
    for history in ([], ["--history", "20"]):
        done = btfeeds_cli("live", "binance", "DOGE/USDT", "1m", *history, "--sim", sim.rest_url, "--json")
        assert done.returncode == 4
        assert "DOGEUSDT" in _three(done.stderr)[0]
        assert json.loads(done.stdout.splitlines()[-1])["delivered"] == 0


@pytest.mark.parametrize("args", [("live", "nowhere", "BTC/USDT", "1m"), ("live", "binance", "BTC USDT", "1m"),
                                  ("live", "binance", "BTC/USDT", "7x"),
                                  ("live", "binance", "BTC/USDT", "1m", "--for", "x"),
                                  ("live", "binance", "BTC/USDT", "1m", "--history", "x")])  # fmt: skip
def test_a_wrong_argument(args: tuple[str, ...]) -> None:
    done = btfeeds_cli(*args)
    assert done.returncode == 2
    _three(done.stderr)


def test_a_timeframe_that_the_venue_cannot_give(sim: Simulator) -> None:
    done = btfeeds_cli("live", "binance", "BTC/USDT", "2M", "--history", "20", "--sim", sim.rest_url)
    assert done.returncode == 4
    _three(done.stderr)


@pytest.mark.parametrize("history", [[], ["--history", "2h"], ["--for", "1s"]])
def test_no_network(history: list[str]) -> None:
    done = btfeeds_cli("live", "binance", "BTC/USDT", "1m", *history, **DEAD)
    assert done.returncode == 5
    assert "cannot be reached" in _three(done.stderr)[0]


def test_no_simulator() -> None:
    done = btfeeds_cli("live", "binance", "BTC/USDT", "1m", "--sim", "http://127.0.0.1:1")
    assert done.returncode == 5
    _three(done.stderr)


@pytest.mark.parametrize("history", [[], ["--history", "20"]])
def test_a_blocked_region(history: list[str]) -> None:
    with serve("binance", market(200), history=60, speed=60.0, faults=["region_block@0s"]) as blocked:
        done = btfeeds_cli("live", "binance", "BTC/USDT", "1m", *history, "--sim", blocked.rest_url)
    assert done.returncode == 4
    _three(done.stderr)


def test_a_bad_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BTFEEDS_BINANCE_REST_URL=nonsense\n", encoding="utf-8")
    done = btfeeds_cli("live", "binance", "BTC/USDT", "1m", cwd=tmp_path)
    assert done.returncode == 2
    assert ".env:1" in _three(done.stderr)[0]


def test_a_bad_bar_file(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("open_time,open,high,low,close,volume\n1709287200000,1,2,3,1,1\n", encoding="utf-8")
    done = btfeeds_cli("simulate", "binance", "--bars", str(path), "--symbol", "BTC/USDT")
    assert done.returncode == 3
    assert "line 2" in _three(done.stderr)[0]


def test_a_port_in_use(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    rows = [f"{1_709_287_200_000 + minute * 60_000},1,1,1,1,1" for minute in range(10)]
    path.write_text("\n".join(["open_time,open,high,low,close,volume", *rows]), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = btfeeds_cli("simulate", "binance", "--bars", str(path), "--history", "5", "--port", port)
    assert done.returncode == 2
    assert port in _three(done.stderr)[0]


def test_a_good_run_is_summed_up_and_ends_with_0(sim: Simulator) -> None:
    args = ["live", "binance", "BTC/USDT", "1m", "--history", "20", "--bars", "22", "--json"]
    done = btfeeds_cli(*args, "--sim", sim.stream_url)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    bars = [line for line in lines if line["type"] == "bar"]
    assert (done.returncode, done.stderr) == (0, "")
    assert [bar["open_time"] for bar in bars] == [bars[0]["open_time"] + 60_000 * n for n in range(22)]
    assert {bar["source"] for bar in bars[:20]} == {"history"}
    assert [line["status"] for line in lines if line["type"] == "status"] == ["DELAYED", "LIVE", "DISCONNECTED"]
    summary = {"type": "summary", "delivered": 22, "missing": 0, "duplicate": 0, "unfinished": 0, "reconnects": 0,
               "backfilled": lines[-1]["backfilled"]}  # fmt: skip
    assert lines[-1] == summary
