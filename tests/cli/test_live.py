"""`btfeeds live`: what ends it. That it shows what a strategy meets is tested end to end (tests/e2e)."""

from __future__ import annotations

from typing import Any

import pytest

from btfeeds import monitor
from btfeeds.cli import app
from btfeeds.cli.live import _duration, _Ended, _Reach
from btfeeds.errors import ConfigError, NetworkError

LOST = monitor.Disconnected("binance", 1, "refused", "nobody listens.", 5_000)
FAILED = monitor.BackfillFailed("binance", "X", "No answer.", 1_000)


class Cerebro:
    def __init__(self, *datas: Any) -> None:
        self.datas = datas
        self.stopped = 0

    def runstop(self) -> None:
        self.stopped += 1


def reach(*happenings: monitor.Happening, bars: int = 0) -> tuple[Cerebro, _Ended, list[monitor.Happening]]:
    cerebro, ended, remarks = Cerebro([0] * bars), _Ended(), []  # type: ignore[var-annotated]
    sink = _Reach(cerebro, ended, remarks.append, "binance")
    for happening in happenings:
        sink(happening)
    return cerebro, ended, remarks


@pytest.mark.parametrize(("text", "ms"), [("90", 90_000), ("1500ms", 1_500), ("60s", 60_000), ("5m", 300_000),
                                          ("1.5h", 5_400_000), ("1d", 86_400_000)])  # fmt: skip
def test_how_long_may_be_written(text: str, ms: float) -> None:
    assert _duration(text) == ms


@pytest.mark.parametrize("text", ["", "s", "0", "1y", "-5s"])
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


def test_the_help_says_what_bars_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["live", "--help"]) == 0
    assert "N bars in all of each symbol" in capsys.readouterr().out
