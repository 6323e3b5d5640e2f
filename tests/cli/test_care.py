"""`btfeeds warehouse check, repair, backup, restore, evict`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from btfeeds import venues
from btfeeds.cli.care import _refetchable
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.warehouse import Warehouse
from tests.cli.warehouse import BTC, NOON, M, Shell, bar, fill, span
from tests.history.venue import FakeVenue, row


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    fill(tmp_path / "bars")
    return Shell(tmp_path / "bars", capsys)


def test_check_says_that_a_series_is_sound_and_what_it_lost_points_for(shell: Shell) -> None:
    result = shell.json("check")
    assert (result["sound"], result["damage"]) == (True, [])
    assert result["gaps"]["source"] == 1
    assert 0 < result["report"]["score"] < 100
    assert list(result["report"]["losses"]) == ["missing"]
    [listed] = shell.json("ls")
    assert listed["score"] == result["report"]["score"]
    text = shell("check", "kraken")
    assert "kraken BTC/USD 1m: sound, 10 bars, score" in text
    assert "warning: missing (1 gaps), 1× from 2024-03-01T12:04:00Z" in text


def test_check_compares_with_another_venue(shell: Shell) -> None:
    fill(shell.folder, Subscription("bitstamp", BTC.symbol, BTC.timeframe), price=103.0)
    result = shell.json("check", "kraken", "--against", "bitstamp")
    assert (result["against"]["venue"], result["against"]["common"], result["against"]["equal"]) == ("bitstamp", 10, 0)
    assert result["report"]["losses"]["differing"] == 40.0
    assert "0.00% of 10 bars equal those of bitstamp, 10 differ" in shell("check", "kraken", "--against", "bitstamp")


def test_a_venue_without_bars_here_cannot_be_compared_with(shell: Shell) -> None:
    shell("check", "kraken", "--against", "bitstamp", code=2)
    assert "There are no bars of bitstamp BTC/USD 1m" in shell.err


def test_two_series_without_a_common_bar_are_not_said_to_be_equal(shell: Shell) -> None:
    with Warehouse(shell.folder) as warehouse:
        bars = [bar(1_000)]
        warehouse.add(Subscription("bitstamp", BTC.symbol, BTC.timeframe), bars, provider="bitstamp")
    assert "bitstamp has no bars of the same times here" in shell("check", "kraken", "--against", "bitstamp")
    against = shell.json("check", "kraken", "--against", "bitstamp")["against"]
    assert (against["common"], against["share"]) == (0, None)


FEBRUARY, MARCH = to_ms("2024-02-01"), to_ms("2024-03-01")
SEALED = Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))


def seal(folder: Path, venue: FakeVenue) -> Path:
    """A month of bars in a file."""
    venue.rows = [row(time) for time in range(FEBRUARY, MARCH, M)]
    venue.clock.set(MARCH + 100_000 * M)
    bars = venues.provider("binance")
    with Warehouse(folder) as warehouse:
        for page in venue.downloader(bars).pages("BTC/USDT", "1m", TimeRange(FEBRUARY, MARCH)):
            warehouse.add(SEALED, page.bars, provider="binance", span=page.span)
        [(_, file)] = warehouse.files()
        return folder / file.path


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> FakeVenue:
    made = FakeVenue(0, now=FEBRUARY)
    monkeypatch.setattr(
        "btfeeds.manager.DataDownloaderFactory.create", lambda name, **_: made.downloader(venues.provider(name))
    )
    return made


def test_damage_is_found_mended_and_gone(shell: Shell, venue: FakeVenue) -> None:
    path = seal(shell.folder, venue)
    assert shell.json("check", "binance")["sound"]
    path.write_bytes(path.read_bytes()[:-1])
    result = shell.json("check", "binance", code=1)
    assert [one["kind"] for one in result["damage"]] == ["file_damaged"]
    assert path.exists()  # to check changes nothing
    venue.requests.clear()
    mended = shell.json("repair", "binance")
    assert (mended["bars"], mended["left"]) == (29 * 1_440, [])
    assert len(venue.requests) == 42
    assert shell.json("check", "binance")["sound"]
    assert "whole" in shell("repair", "binance")
    assert len(venue.requests) == 42


def spoil(folder: Path, venue: str, minute: int) -> None:
    """A bar in the catalogue is changed by a fault of the disk."""
    with closing(sqlite3.connect(folder / "catalogue.sqlite")) as db, db:
        row = "series = (SELECT id FROM series WHERE venue = ?) AND time = ?"
        changed = db.execute(f"UPDATE bar SET close = 7 WHERE {row}", (venue, NOON + minute * M))
        assert changed.rowcount == 1


def test_a_damaged_row_is_found_and_left_and_the_other_series_are_checked(shell: Shell) -> None:
    fill(shell.folder, Subscription("bitstamp", BTC.symbol, BTC.timeframe))
    spoil(shell.folder, "bitstamp", 2)
    for _ in range(2):  # to check changes nothing
        text = shell("check", code=1)
        assert "bitstamp BTC/USD 1m: DAMAGED, not validated" in text
        assert "row_damaged: the bar of 2024-03-01T12:02:00Z is not what was written" in text
        assert "kraken BTC/USD 1m: sound, 10 bars" in text


def test_a_damaged_row_is_not_compared_with_and_left(shell: Shell) -> None:
    fill(shell.folder, Subscription("bitstamp", BTC.symbol, BTC.timeframe))
    spoil(shell.folder, "bitstamp", 2)
    for _ in range(2):
        result = shell.json("check", "kraken", "--against", "bitstamp", code=1)
        assert (result["sound"], result["report"]["rows"], result["against"]) == (False, 10, None)
        [damage] = result["damage"]
        assert damage["detail"] == "bitstamp BTC/USD 1m: the bar of 2024-03-01T12:02:00Z is not what was written"


def test_damage_is_told_although_there_is_nothing_to_compare_with(shell: Shell) -> None:
    spoil(shell.folder, "kraken", 2)
    fill(shell.folder, Subscription("bitstamp", BTC.symbol, BTC.timeframe))
    for against in ("gemini", "auto"):
        text = shell("check", "kraken", "--against", against, code=1)
        assert "row_damaged: the bar of 2024-03-01T12:02:00Z is not what was written" in text
    text = shell("check", "--against", "gemini", code=1)
    assert "kraken BTC/USD 1m: DAMAGED, not validated" in text
    assert "bitstamp BTC/USD 1m: sound, 10 bars" in text
    assert "gemini has no bars of the same times here" in text


def test_repair_says_what_is_left_with_exit_code_6(shell: Shell) -> None:
    mine = Subscription("my file", BTC.symbol, BTC.timeframe)
    fill(shell.folder, mine)
    text = shell("repair", "my file", code=6)
    assert "NOT WHOLE" in text
    assert f"still missing: {span(10, 13)}" in text


def test_a_copy_is_verified_and_put_back(shell: Shell, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tar"
    assert shell.json("backup", str(copy))["files"] >= 1
    with Warehouse(shell.folder) as warehouse:
        warehouse.forget(BTC, span(0, 100))
    back = shell.json("restore", str(copy))
    assert back["former"]
    assert [one["bars"] for one in shell.json("ls")] == [10]
    shell("restore", str(tmp_path / "nowhere.tar"), code=3)
    assert shell.err.splitlines()[0] == f"There is no copy {tmp_path / 'nowhere.tar'}."


def test_the_oldest_files_go_when_there_is_a_limit(shell: Shell, venue: FakeVenue) -> None:
    path = seal(shell.folder, venue)
    size = path.stat().st_size
    assert shell.json("evict", "--limit", "1G") == {"files": 0, "bytes": 0, "left": size}
    assert shell.json("evict", "--limit", "100") == {"files": 1, "bytes": size, "left": 0}
    with Warehouse(shell.folder) as warehouse:
        assert warehouse.missing(SEALED, TimeRange(FEBRUARY, MARCH)) == [TimeRange(FEBRUARY, MARCH)]
        assert len(warehouse.bars(BTC, span(0, 100))) == 10  # what is in no file stays
    shell("evict", "--limit", "much", code=2)


def test_only_what_can_be_had_again_may_go() -> None:
    names = _refetchable()
    assert {"binance", "binance live", "binance 1m"} <= names
    assert not {"kraken", "yahoo", "import mine.csv"} & names  # they do not reach back
    assert not {"gemini", "gemini live", "gemini 1m"} & names  # a day of minutes, whatever is asked for
    assert not {"binancetestnet", "binancedemo", "coinbasesandbox", "krakenbeta"} & names  # they are wiped


def test_results_for_programs_are_one_line_each(shell: Shell) -> None:
    fill(shell.folder, Subscription("bitstamp", BTC.symbol, BTC.timeframe))
    lines: list[Any] = [json.loads(line) for line in shell("check", "--json").splitlines()]
    assert [line["venue"] for line in lines] == ["bitstamp", "kraken"]
    assert lines[0]["report"]["first"] == NOON
