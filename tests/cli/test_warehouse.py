"""`btfeeds warehouse ls, show, stats`: what is on disk, for people and for programs."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from btfeeds.cli import app
from btfeeds.cli.warehouse import command
from btfeeds.clock import SystemClock
from btfeeds.history.reliability import Reliability
from btfeeds.market import Subscription, Symbol, Timeframe
from btfeeds.warehouse import Warehouse
from tests.cli.warehouse import NOON, M, Shell, fill


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    fill(tmp_path / "bars")
    return Shell(tmp_path / "bars", capsys)


def test_the_commands_are_these_and_every_option_says_what_it_is_for() -> None:
    assert sorted(command.commands) == [
        "backup", "check", "evict", "export", "import", "ls", "repair", "restore", "show", "stats",
    ]  # fmt: skip
    for name, one in command.commands.items():
        options = [param for param in one.params if isinstance(param, click.Option)]
        assert [option.name for option in options if not option.help] == [], name
        assert {"--warehouse", "--json"} <= {text for option in options for text in option.opts}, name


def test_ls_lists_the_series(shell: Shell) -> None:
    fill(shell.folder, Subscription("binance", Symbol("ETH/USDT"), Timeframe.parse("1h")), 1)
    rows = shell.json("ls")
    assert [(one["venue"], one["symbol"], one["timeframe"], one["bars"]) for one in rows] == [
        ("binance", "ETH/USDT", "1h", 1), ("kraken", "BTC/USD", "1m", 10),
    ]  # fmt: skip
    assert (rows[1]["first"], rows[1]["last"], rows[1]["score"]) == (NOON, NOON + 13 * M, None)
    assert len(shell.json("ls", "kraken")) == 1
    assert "kraken BTC/USD 1m" in shell("ls", "kraken", "btc/usd", "60s")
    assert "2024-03-01 12:00" in shell("ls")


def test_show_tells_where_bars_come_from_and_which_gaps_there_are(shell: Shell) -> None:
    facts = shell.json("show", "kraken", "BTC/USD", "1m")
    assert [(one["provider"], one["start"], one["end"]) for one in facts["origin"]] == [
        ("kraken", NOON, NOON + 10 * M), ("kraken live", NOON + 13 * M, NOON + 14 * M),
    ]  # fmt: skip
    assert facts["covered"] == [
        {"start": NOON, "end": NOON + 10 * M}, {"start": NOON + 13 * M, "end": NOON + 14 * M},
    ]  # fmt: skip
    totals = {cause: count for cause, count in facts["gaps"]["totals"].items() if count}
    assert totals == {"never asked": 3, "source": 1}
    text = shell("show", "kraken", "BTC/USD", "1m")
    assert "10 bars from 2024-03-01T12:00:00Z to 2024-03-01T12:13:00Z" in text
    assert "3 bars from 2024-03-01T12:10:00Z: never asked" in text
    assert "1 bars from 2024-03-01T12:04:00Z: source" in text


def test_stats_have_totals_and_how_providers_have_answered(shell: Shell) -> None:
    known = Reliability(SystemClock())
    known.answered("kraken", good=True, ms=120)
    known.save()
    facts = shell.json("stats")
    assert facts["venues"] == {"kraken": {"series": 1, "bars": 10, "bytes": 0}}
    assert facts["providers"] == {"kraken": {"asked": 1, "failed": 0, "success": 1.0, "ms": 120}}
    assert (facts["dead_letters"], facts["quarantined"]) == (0, 0)
    assert "kraken was asked 1×, failed 0×, takes 120 ms" in shell("stats")


def test_what_is_not_there_is_said_in_three_lines(shell: Shell) -> None:
    shell("show", "kraken", "ETH/USD", "1m", code=2)
    assert shell.err.splitlines()[0] == f"There are no bars of kraken ETH/USD 1m in {shell.folder}."
    shell("ls", "bitstamp", code=2)
    assert len(shell.err.splitlines()) == 3


def test_without_a_folder_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["warehouse", "ls"]) == 2
    assert capsys.readouterr().err.startswith("No warehouse is named.")


def test_an_empty_warehouse_is_an_empty_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Warehouse(tmp_path / "none").close()
    assert Shell(tmp_path / "none", capsys).json("ls") == []


@pytest.mark.parametrize(
    "args",
    [("ls",), ("stats",), ("check",), ("repair",), ("evict", "--limit", "1G"), ("backup", "copy"),
     ("show", "kraken", "BTC/USD", "1m"), ("export", "kraken", "BTC/USD", "1m", "--to-file", "bars.csv")],
)  # fmt: skip
def test_a_warehouse_that_is_not_there_is_not_made_by_who_looks_for_it(
    args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path / "nosuchdir", capsys)
    assert shell(*args, code=3) == ""
    assert shell.err.splitlines()[0] == f"There is no warehouse in {tmp_path / 'nosuchdir'}."
    assert list(tmp_path.iterdir()) == []
