"""`btfeeds simulate`: says in one line where it listens, and goes when it is told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from btfeeds.cli import app
from btfeeds.simulator import Simulator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Two hours of minutes, one trade each."""
    start = 1_709_251_200_000
    rows = [f"{start + minute * 60_000},100,101,99,100.5,2,4" for minute in range(120)]
    path = tmp_path / "BTCUSDT_1m.csv"
    path.write_text("\n".join(["open_time,open,high,low,close,volume,trades", *rows]), encoding="utf-8")
    return path


@contextmanager
def _running(*args: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "btfeeds", "simulate", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield process, json.loads(line or "{}")
    finally:
        process.kill()
        process.communicate()


def test_one_line_of_json_says_where_it_listens(bars: Path) -> None:
    with _running("binance", "--bars", str(bars), "--symbol", "BTC/USDT", "--history", "60", "--json") as (
        process,
        ready,
    ):
        assert sorted(ready) == ["clock_url", "pid", "rest_url", "stream_url"]
        assert ready["pid"] == process.pid
        assert ready["rest_url"].startswith("http://127.0.0.1:")
        assert ready["stream_url"].startswith("ws://127.0.0.1:")
        with urlopen(f"{ready['rest_url']}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=5") as answer:
            assert len(json.load(answer)) == 5
        with urlopen(ready["clock_url"]) as answer:
            assert json.load(answer)["speed"] == 1.0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_goes_when_it_is_told(bars: Path, number: signal.Signals, code: int) -> None:
    with _running("binance", "--bars", str(bars), "--symbol", "BTC/USDT", "--history", "60") as (process, _):
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (code, "", "")


def test_a_port_that_is_taken_is_said_in_three_lines(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        args = ["simulate", "binance", "--bars", str(bars), "--history", "60", "--port", port]
        assert app._run(args) == 2
    err = capsys.readouterr().err
    assert port in err
    assert len(err.splitlines()) == 3


def test_a_bad_file_of_bars_is_said_in_three_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("open_time,open\n1,2\n", encoding="utf-8")
    assert app._run(["simulate", "binance", "--bars", str(path), "--symbol", "BTC/USDT"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_file_that_is_not_there_is_said_in_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["simulate", "binance", "--bars", "nowhere.csv", "--symbol", "BTC/USDT"]) != 0
    err = capsys.readouterr().err
    assert "nowhere.csv" in err
    assert len(err.splitlines()) == 3


@pytest.mark.parametrize("speed", ["nan", "inf", "0"])
def test_a_speed_that_is_no_number_is_refused(bars: Path, speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["simulate", "binance", "--bars", str(bars), "--symbol", "BTC/USDT", "--history", "60"]
    assert app._run([*args, "--speed", speed]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 3)


def test_a_simulator_that_fails_ends_the_command(
    bars: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(_: Simulator) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Simulator, "_work", fails)
    args = ["simulate", "binance", "--bars", str(bars), "--symbol", "BTC/USDT", "--history", "60"]
    assert app._run(args) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_unknown_fault_is_refused_with_the_list(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["simulate", "binance", "--bars", str(bars), "--symbol", "BTC/USDT", "--fault", "explode@1s"]
    assert app._run(args) == 2
    err = capsys.readouterr().err
    assert "explode" in err and "mute" in err
    assert len(err.splitlines()) == 3


def test_the_help_lists_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["simulate", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("cut", "mute", "rest_lag", "shutdown_notice"))
