"""Fetching over a real socket into a real folder: faults on the way, kill −9 at any moment, many symbols at a time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.simulator import serve
from btfeeds.warehouse import Warehouse
from tests.e2e.archive import MINUTE, START, Archive, values
from tests.e2e.helpers import btfeeds_cli, environment

HTML = "<html><body>Just a moment...</body></html>"


def fetch(archive: Archive, folder: Path, days: int, *more: str, symbols: str = "BTC/USDT") -> Any:
    return btfeeds_cli(
        "fetch", "binance", symbols, "1m", "--from", "2020-01-01", "--to", f"2020-01-{days + 1:02}",
        "--warehouse", str(folder), "--json", *more, BTFEEDS_BINANCE_REST_URL=archive.url,
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(folder: Path, minutes: int, symbol: str = "BTC/USDT") -> None:
    """Every minute is there, once, as the archive has it."""
    series = Subscription("binance", Symbol(symbol), Timeframe.parse("1m"))
    span = TimeRange(START, START + minutes * MINUTE)
    with Warehouse(folder) as warehouse:
        bars = warehouse.rows(series, span).bars
        assert warehouse.missing(series, span) == []
        assert warehouse.verify(series) == []
        assert warehouse.revisions(series) == []
    assert bars.open_time.tolist() == list(range(span.start, span.end, MINUTE))
    rows = zip(*(getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume")), strict=True)
    assert list(rows) == [values(number) for number in range(minutes)]


def test_what_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    with Archive() as archive:
        first = fetch(archive, tmp_path, 3)
        asked = len(archive.asked)
        second = fetch(archive, tmp_path, 3, "--resume")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (asked, len(archive.asked)) == (5, 5)
    [one, total] = told(first)
    assert (one["bars"], one["pages"], one["present"], one["missing"]) == (4_320, 5, 4_320, [])
    assert one["origin"] == [{"start": START, "end": START + 4_320 * MINUTE, "provider": "binance"}]
    assert total == {"type": "summary", "symbols": 1, "bars": 4_320, "pages": 5, "failed": 0}
    assert [one["bars"] for one in told(second)] == [0, 0]
    check(tmp_path, 4_320)


def test_faults_on_the_way_change_nothing(tmp_path: Path) -> None:
    with Archive() as archive:
        archive.faults = [
            429, lambda rows: rows, 503, lambda rows: rows[:300], HTML, lambda rows: rows,
            lambda rows: rows[:1], 502, lambda rows: [[rows[0][0] - MINUTE, *rows[0][1:]], *rows], 500,
        ]  # fmt: skip
        done = fetch(archive, tmp_path, 4)
    assert done.returncode == 0, done.stderr
    check(tmp_path, 5_760)


@pytest.mark.parametrize("venue", ["binance", "coinbase"])
def test_a_simulated_venue_with_everything_wrong_gives_the_exact_range(venue: str, tmp_path: Path) -> None:
    bars = tuple(Bar(START + number * MINUTE, *values(number)) for number in range(4_000))
    with serve(venue, bars, symbol="BTC/USD", history=3_990, speed=1) as sim:
        for fault in ("html:3s", "unavailable:4s", "rate_limit:5s", "overlap"):  # one behind the other
            sim.fault(fault)
        if venue == "binance":  # where bars without trades have no row, a short answer would be a lie
            sim.fault("short_pages")
        done = btfeeds_cli(
            "fetch", venue, "BTC/USD", "1m", "--from", "2020-01-01T00:07", "--to", "2020-01-03T12:00",
            "--sim", sim.rest_url, "--warehouse", str(tmp_path), "--json",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    series = Subscription(venue, Symbol("BTC/USD"), Timeframe.parse("1m"))
    span = TimeRange(START + 7 * MINUTE, START + 3_600 * MINUTE)
    with Warehouse(tmp_path) as warehouse:
        got = warehouse.rows(series, span).bars
        assert warehouse.missing(series, span) == []
    rows = zip(*(getattr(got, name).tolist() for name in ("open", "high", "low", "close", "volume")), strict=True)
    assert dict(zip(got.open_time.tolist(), rows, strict=True)) == {
        START + number * MINUTE: values(number) for number in range(7, 3_600)
    }


def test_many_symbols_at_a_time_do_not_get_mixed_up(tmp_path: Path) -> None:
    with Archive() as archive:
        done = fetch(archive, tmp_path, 2, "--jobs", "3", symbols="BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT")
    assert done.returncode == 0, done.stderr
    assert [one.get("symbol") for one in told(done)] == ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", None]
    assert sorted({symbol for symbol, _ in archive.asked}) == ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"]
    for symbol in ("BTC/USDT", "XRP/USDT"):
        check(tmp_path, 2_880, symbol)


def killed(archive: Archive, folder: Path, days: int) -> int:
    """Run a fetch until it is killed or done; gives its exit code."""
    command = [
        sys.executable, "-m", "btfeeds", "fetch", "binance", "BTC/USDT", "1m", "--from", "2020-01-01", "--to",
        f"2020-01-{days + 1:02}", "--warehouse", str(folder),
    ]  # fmt: skip
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment(BTFEEDS_BINANCE_REST_URL=archive.url),
    )  # fmt: skip
    CHILD.append(child.pid)
    try:
        return child.wait(30)
    finally:
        CHILD.clear()
        child.kill()
        child.wait()


CHILD: list[int] = []


def test_a_fetch_that_is_killed_goes_on_behind_its_last_page(tmp_path: Path) -> None:
    moments = random.Random(7).sample(range(1, 14), 4)  # the numbers of the requests during which it is killed

    def strike(count: int) -> None:
        if count in moments and CHILD:
            os.kill(CHILD[0], signal.SIGKILL)

    codes = []
    with Archive(on_request=strike) as archive:
        while not codes or codes[-1] != 0:
            assert len(codes) < 10
            codes.append(killed(archive, tmp_path, 8))
    assert codes == [-signal.SIGKILL] * 4 + [0]
    # a page whose answer did not arrive is asked for again; one that was kept is not
    assert len(archive.asked) == 12 + 4
    assert len({first for _, first in archive.asked}) == 12
    check(tmp_path, 11_520)


def test_an_interrupted_fetch_need_not_be_told_again_what_was_wanted(tmp_path: Path) -> None:
    with Archive() as archive:
        archive.faults = [lambda rows: rows, 451]
        first = fetch(archive, tmp_path, 2)
        again = btfeeds_cli(
            "fetch", "binance", "BTC/USDT", "1m", "--resume", "--warehouse", str(tmp_path), "--json",
            BTFEEDS_BINANCE_REST_URL=archive.url,
        )  # fmt: skip
        third = btfeeds_cli(
            "fetch", "binance", "BTC/USDT", "1m", "--resume", "--warehouse", str(tmp_path),
            BTFEEDS_BINANCE_REST_URL=archive.url,
        )  # fmt: skip
    assert first.returncode == 4
    assert told(first)[0]["missing"] == [{"start": START + 1_000 * MINUTE, "end": START + 2_880 * MINUTE}]
    assert (again.returncode, told(again)[0]["pages"]) == (0, 2)
    assert third.returncode == 2
    assert third.stderr.splitlines()[0] == "No fetch of binance BTC/USDT 1m was interrupted."
    check(tmp_path, 2_880)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    def strike(count: int) -> None:
        if count == 3:
            os.kill(CHILD[0], number)

    with Archive(on_request=strike) as archive:
        assert killed(archive, tmp_path, 30) == 128 + number
    assert len(archive.asked) <= 6
