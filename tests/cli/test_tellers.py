"""Three ways to tell what a strategy meets."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from btfeeds import monitor
from btfeeds.audit import Audit
from btfeeds.cli.tellers import Board, JsonLines, Lines, plain, table, teller_for, totals
from btfeeds.cli.witness import Met
from btfeeds.live.items import Gap, Summary
from btfeeds.live.status import Status
from btfeeds.market import Bar, Symbol, Timeframe

NOON = 1_709_294_400_000
BAR = Bar(NOON, 100.0, 102.5, 99.0, 101.0, 3.5)


class Feed:
    summary = Summary()


def met(symbol: str = "BTC/USDT", *sources: str, words: tuple[Status, ...] = ()) -> Met:
    made: Any = Met(Feed(), Symbol(symbol), Timeframe(1, "m"), Audit(Timeframe(1, "m")))  # type: ignore[arg-type]
    for number, source in enumerate(sources):
        made.last = Bar(NOON + number * 60_000, 100.0, 102.5, 99.0, 101.0, 3.5)
        made.audit.bar(made.last, source, NOON + 10**9)
    for word in words:
        made.audit.status(word)
        made.word = word.name
    return made  # type: ignore[no-any-return]


def test_programs_get_json_people_lines_and_terminals_a_table() -> None:
    assert type(teller_for("binance", as_json=True, terminal=True)) is JsonLines
    assert type(teller_for("binance", as_json=False, terminal=False)) is Lines
    assert type(teller_for("binance", as_json=False, terminal=True)) is Board


def test_the_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    teller, one = JsonLines("binance"), met("BTC/USDT", "history", "live")
    teller.status(one, Status.LIVE, "why", NOON)
    teller.bar(one, BAR, "live")
    teller.gap(one, Gap(NOON, NOON + 60_000, "no bars"))
    teller.summary([one])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {"type": "status", "status": "LIVE", "time": NOON, "symbol": "BTC/USDT", "reason": "why"},
        {"type": "bar", "venue": "binance", "symbol": "BTC/USDT", "timeframe": "1m", "open_time": NOON, "open": 100.0,
         "high": 102.5, "low": 99.0, "close": 101.0, "volume": 3.5, "source": "live"},
        {"type": "gap", "start": NOON, "end": NOON + 60_000, "reason": "no bars", "symbol": "BTC/USDT"},
        {"type": "summary", "delivered": 2, "missing": 0, "duplicate": 0, "unfinished": 0, "reconnects": 0,
         "backfilled": 0},
    ]  # fmt: skip


def test_one_cut_of_a_shared_connection_is_one_reconnection() -> None:
    cut = (Status.DELAYED, Status.LIVE, Status.CONNBROKEN, Status.CONNECTED, Status.DELAYED)
    both = [met("BTC/USDT", "history", "backfill", words=cut), met("ETH/USDT", "backfill", words=cut)]
    assert totals(both) == {
        "delivered": 3, "missing": 0, "duplicate": 0, "unfinished": 0, "reconnects": 1, "backfilled": 2,
    }  # fmt: skip


def test_the_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    teller, one = Lines("binance"), met("BTC/USDT", "live")
    teller.bar(one, BAR, "live")
    teller.status(one, Status.CONNBROKEN, "reset", NOON + 1)
    teller.gap(one, Gap(NOON, NOON + 60_000, "no bars"))
    teller.summary([one])
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "2024-03-01T12:00:00Z BTC/USDT 100 102.5 99 101 3.5 live",
        "2024-03-01T12:00:00Z BTC/USDT CONNBROKEN (reset)",
        "2024-03-01T12:00:00Z BTC/USDT no bars until 2024-03-01T12:01:00Z: no bars",
        "delivered 1 · missing 0 · duplicate 0 · unfinished 0 · reconnects 0 · backfilled 0",
    ]


def test_the_table_has_a_row_for_each_feed() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(table([met("BTC/USDT", "history", "live", words=(Status.LIVE,)), met("ETH/USDT")]))
    assert isinstance(console.file, io.StringIO)
    rows = [line.split() for line in console.file.getvalue().splitlines() if "USDT" in line]
    assert rows == [
        ["BTC/USDT", "1m", "LIVE", "2024-03-01", "12:01", "101", "3.5", "1", "1", "0", "0"],
        ["ETH/USDT", "1m", "0", "0", "0", "0"],
    ]


@pytest.mark.parametrize(
    ("happening", "text"),
    [
        (monitor.Connected("binance", 1), "connection confirmed"),
        (monitor.Disconnected("binance", 1, "reset", "", 1_500), "connection lost (reset); next try in 1.5 s"),
        (monitor.SilentSubscription("binance", "X", NOON, "resubscribe"), "X is mute: resubscribe"),
        (monitor.BarDuplicate("binance", "X", NOON), "X sent the bar of 12:00 twice: dropped"),
        (monitor.FrameRejected("binance", "schema", ""), "a frame was refused (schema)"),
        (monitor.GapOpened("binance", "X", NOON, NOON, "break"), "X has a gap from 12:00 (break): history is asked"),
        (monitor.GapClosed("binance", "X", NOON, NOON, 3), "X: gap closed with 3 bars"),
        (monitor.BackfillFailed("binance", "X", "no", 2_000), "X: history does not answer; next try in 2.0 s"),
        (monitor.WarehouseOut("binance", "full"), "the warehouse cannot be used, the feed goes on without: full"),
        (monitor.WarehouseBack("binance", 45), "the warehouse can be used again, after 45 s"),
        (monitor.RingOverflowed("binance", "X"), "RingOverflowed"),
    ],
)
def test_happenings_in_the_words_of_people(happening: monitor.Happening, text: str) -> None:
    assert plain(happening) == text
