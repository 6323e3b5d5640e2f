"""How the demo is watched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from btfeeds import monitor
from btfeeds.cli.show import Quiet, Screen, Show, show_for
from btfeeds.clock import ManualClock
from btfeeds.live.status import Status
from tests.cli.test_tellers import BAR, NOON, met


def simulator(*faults: str) -> Any:
    struck = [SimpleNamespace(what="fault", detail=fault) for fault in faults]
    return SimpleNamespace(clock=ManualClock(NOON), log=[SimpleNamespace(what="connect", detail="/stream"), *struck])


def test_terminals_get_a_table_pipes_lines_and_programs_nothing() -> None:
    assert type(show_for(simulator(), as_json=False, terminal=True, naive=False)) is Screen
    assert type(show_for(simulator(), as_json=True, terminal=True, naive=False)) is Screen
    assert type(show_for(simulator(), as_json=False, terminal=False, naive=False)) is Show
    assert type(show_for(simulator(), as_json=True, terminal=False, naive=False)) is Quiet


def test_a_line_for_each_event_and_each_fault_once(capsys: pytest.CaptureFixture[str]) -> None:
    show = Show(simulator("cut"))
    show.status(met(), Status.CONNBROKEN, "reset", NOON)
    show.order("12:00 BTC/USDT buy 1 at 100")
    show.remark(monitor.Connected("binance", 1))
    show.remark(monitor.GapOpened("binance", "X", NOON, NOON, "break"))
    assert capsys.readouterr().out.splitlines() == [
        "12:00:00  fault   cut",
        "12:00:00  status  BTC/USDT CONNBROKEN (reset)",
        "12:00:00  order   12:00 BTC/USDT buy 1 at 100",
        "12:00:00  repair  connection confirmed",
    ]


def test_of_live_bars_every_tenth_minute_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show = Show(simulator())
    show.bar(met(), BAR, "history")
    show.bar(met(), BAR, "live")
    assert capsys.readouterr().out == "12:00:00  bar     BTC/USDT 12:00 closed at 101 (live)\n"


def test_programs_are_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Quiet(simulator("cut")).status(met(), Status.LIVE, "", NOON)
    assert capsys.readouterr().out == ""


def test_the_screen_shows_the_table_and_the_last_events() -> None:
    import io

    from rich.console import Console

    screen = Screen(simulator("mute"), naive=True, stderr=False)
    screen.bar(met("BTC/USDT", "live"), BAR, "live")
    screen.status(met("ETH/USDT", words=(Status.LIVE,)), Status.LIVE, "", NOON)
    file = io.StringIO()
    Console(file=file, width=120).print(screen._screen())
    text = file.getvalue()
    assert "the naive feed on a simulated Binance · 2024-03-01T12:00:00" in text
    assert all(word in text for word in ("BTC/USDT 1m", "ETH/USDT 1m", "LIVE", "fault   mute"))
