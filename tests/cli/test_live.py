"""`btfeeds live`: what ends it. That it shows what a strategy meets is tested end to end (tests/e2e)."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from btfeeds import monitor
from btfeeds.cli import app
from btfeeds.cli.live import _duration, _Ended, _Reach, _timed, _watched
from btfeeds.clock import ManualClock
from btfeeds.errors import ConfigError, NetworkError
from btfeeds.simulator import serve, walk

LOST = monitor.Disconnected("binance", 1, "refused", "nobody listens.", 5_000)
FAILED = monitor.BackfillFailed("binance", "X", "No answer.", 1_000)


class Cerebro:
    def __init__(self, *datas: Any) -> None:
        self.datas = datas
        self.stopped = 0

    def runstop(self) -> None:
        self.stopped += 1


def reach(*happenings: monitor.Happening, bars: int = 0) -> tuple[Cerebro, _Ended, list[monitor.Happening]]:
    cerebro, remarks = Cerebro([0] * bars), []  # type: ignore[var-annotated]
    ended = _Ended(cerebro)
    sink = _Reach(ended, remarks.append, "binance")
    for happening in happenings:
        sink(happening)
    return cerebro, ended, remarks


@pytest.mark.parametrize(("text", "ms"), [("90", 90_000), ("1500ms", 1_500), ("60s", 60_000), ("5m", 300_000),
                                          ("1.5h", 5_400_000), ("1d", 86_400_000)])  # fmt: skip
def test_how_long_may_be_written(text: str, ms: float) -> None:
    assert _duration(text) == ms


@pytest.mark.parametrize("text", ["", "s", "0", "1y", "-5s", "9" * 400 + "d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ConfigError):
        _duration(text)


def test_a_venue_that_cannot_be_dialled_twice_ends_the_run() -> None:
    cerebro, ended, remarks = reach(LOST)
    assert (cerebro.stopped, ended.error, remarks) == (0, None, [])
    cerebro, ended, remarks = reach(LOST, LOST)
    assert cerebro.stopped == 1
    assert isinstance(ended.error, NetworkError)
    assert ended.error.what == "binance cannot be reached: nobody listens."
    assert remarks == []


def test_a_history_that_never_answers_ends_the_run() -> None:
    assert reach(FAILED, FAILED, FAILED)[1].error is None
    assert reach(FAILED, FAILED, FAILED, FAILED)[1].error is not None


def test_a_venue_that_was_reached_is_waited_for() -> None:
    cerebro, ended, remarks = reach(monitor.Connected("binance", 1), LOST, LOST, LOST, bars=1)
    assert (cerebro.stopped, ended.error, ended.trouble) == (0, None, None)
    assert remarks[1:] == [LOST, LOST, LOST]


def test_a_history_that_was_there_is_waited_for() -> None:
    assert reach(*[FAILED] * 9, bars=1)[1].error is None


def test_the_trouble_is_told_when_the_time_was_over_before_anything_came() -> None:
    ended = reach(LOST)[1]
    assert isinstance(ended.unreached([]), NetworkError)
    ended.code = 130
    assert ended.unreached([]) is None


def _timers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "btfeeds-timer"]


def test_the_run_ends_when_its_time_is_over() -> None:
    ended = _Ended(Cerebro())
    with _timed(ended, 0.001, ManualClock()):
        for timer in _timers():
            timer.join(5)
        assert (ended.over, ended.cerebro.stopped) == (True, 1)


def test_a_time_longer_than_a_thread_can_wait_is_waited_for() -> None:
    ended = _Ended(Cerebro())
    with _timed(ended, 86_400e9, ManualClock()):
        [timer] = _timers()
    timer.join(5)
    assert (ended.over, timer.is_alive()) == (False, False)


def test_what_ends_a_run_before_it_has_begun_is_remembered() -> None:
    ended = _Ended(Cerebro())
    assert ended.over is False
    with _watched(ended, lambda _: None, "binance"):
        signal.raise_signal(signal.SIGINT)
    assert (ended.over, ended.code) == (True, 130)


@pytest.mark.parametrize("name", ["yahoo", "stooq", "ibkr"])
def test_who_has_no_stream_is_refused_in_three_lines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["live", name, "AAPL", "1d"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[0]) == (3, f"{name} gives history only: it has no stream.")


def test_a_symbol_that_is_refused_does_not_keep_the_others_and_is_told_by_the_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bars = walk.bars("BTC/USDT", 64_000.0, 1_709_287_200_000, 60, 7)
    with serve("binance", {"BTC/USDT": bars}, history=40, speed=120) as simulator:
        args = ["live", "binance", "BTC/USDT,DOGE/USDT", "1m", "--history", "5", "--bars", "6"]
        code = app._run([*args, "--sim", simulator.rest_url])
    out, err = capsys.readouterr()
    assert code == 4
    assert out.splitlines()[-1].startswith("delivered 6 · missing 0")
    assert err.splitlines()[0].startswith("Binance does not list DOGEUSDT")


def test_the_help_says_what_bars_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["live", "--help"]) == 0
    assert "N bars in all of each symbol" in capsys.readouterr().out
