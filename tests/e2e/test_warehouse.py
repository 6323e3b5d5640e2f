"""A live feed with a warehouse: what is on disk is not downloaded, and what comes live is there the next time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import btfeeds
from btfeeds import monitor
from btfeeds.errors import WarehouseUnwritable
from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange
from btfeeds.simulator import serve
from btfeeds.warehouse import Warehouse
from tests.e2e.helpers import MINUTE, START, btfeeds_cli, feed, market, rows, run

BARS = market(240)
HISTORY = 120
SERIES = Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))


def end_after(count: int) -> Any:
    """Ends a run after so many bars."""

    def act(strategy: Any) -> None:
        if len(strategy.rows["BTC/USDT"]) >= count:
            strategy.env.runstop()

    return act


def on_disk(folder: Path) -> list[tuple[Any, ...]]:
    with Warehouse(folder) as warehouse:
        return rows(warehouse.bars(SERIES, TimeRange(START, START + 10_000 * MINUTE)))


def test_history_and_live_bars_are_on_disk_afterwards(tmp_path: Path) -> None:
    with serve("binance", BARS, history=HISTORY, speed=600) as sim:
        diary = run(feed(sim, warehouse=tmp_path), act=end_after(HISTORY + 6))
    got = diary.rows["BTC/USDT"]
    assert got == rows(BARS[: len(got)])
    assert len(got) >= HISTORY + 6
    kept = on_disk(tmp_path)
    assert kept == rows(BARS[: len(kept)])
    assert len(kept) >= len(got) - 1  # the last one may have been on its way


def test_the_next_run_reads_them_and_asks_for_the_rest_only(tmp_path: Path) -> None:
    with Warehouse(tmp_path) as warehouse:
        # told apart from the venue's: as if it had been corrected since
        bars = [btfeeds.Bar(*(*rows([bar])[0][:5], 77.0), bar.trades) for bar in BARS[:100]]
        warehouse.add(SERIES, bars, provider="binance", span=TimeRange(START, START + 100 * MINUTE))
    with serve("binance", BARS, history=HISTORY, speed=600) as sim:
        diary = run(feed(sim, warehouse=str(tmp_path)), act=end_after(HISTORY + 2))
    volumes = [row[5] for row in diary.rows["BTC/USDT"]]
    assert volumes[:100] == [77.0] * 100
    assert diary.rows["BTC/USDT"][100 : HISTORY + 2] == rows(BARS[100 : HISTORY + 2])


def test_a_gap_is_mended_from_the_venue_and_on_disk_as_well(tmp_path: Path) -> None:
    faults = ("cut@150s", "cut@400s")
    with serve("binance", BARS, history=HISTORY, speed=600, faults=faults) as sim:
        diary = run(feed(sim, warehouse=tmp_path), act=end_after(HISTORY + 12))
    got = diary.rows["BTC/USDT"]
    assert got == rows(BARS[: len(got)])
    kept = on_disk(tmp_path)
    assert kept == rows(BARS[: len(kept)])


def test_a_full_disk_costs_the_feed_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[monitor.Happening] = []
    sink = monitor.add(told.append)

    def full(*_: Any, **__: Any) -> None:
        raise WarehouseUnwritable("The disk is full.", "What was there is as it was.")

    try:
        with Warehouse(tmp_path) as warehouse, serve("binance", BARS, history=HISTORY, speed=600) as sim:
            monkeypatch.setattr(warehouse, "add", full)
            diary = run(feed(sim, warehouse=warehouse), act=end_after(HISTORY + 6))
    finally:
        monitor.remove(sink)
    got = diary.rows["BTC/USDT"]
    assert got == rows(BARS[: len(got)])
    assert [type(one).__name__ for one in told].count("WarehouseOut") == 1


def test_a_backtest_of_the_same_script_has_the_same_bars_and_stamps(tmp_path: Path) -> None:
    span = {"fromdate": "2024-03-01T10:00Z", "todate": "2024-03-01T11:00Z"}
    with serve("binance", BARS, history=HISTORY, speed=600) as sim:
        first = run(feed(sim, warehouse=tmp_path, historical=True, **span))
    again = run(btfeeds.HistoryFeed(dataname="BTC/USDT", venue="binance", timeframe="1m", warehouse=tmp_path, **span))
    assert first.rows == again.rows == {"BTC/USDT": rows(BARS[:60])}
    assert first.data.datetime.array == again.data.datetime.array




def test_the_commands_share_a_folder(tmp_path: Path) -> None:
    folder = str(tmp_path / "bars")
    with serve("binance", BARS, history=HISTORY, speed=60) as sim:
        first = btfeeds_cli("fetch", "binance", "BTC/USDT", "1m", "--from", "2024-03-01T10:00Z", "--warehouse", folder,
                            "--sim", sim.rest_url, "--json")  # fmt: skip
        live = btfeeds_cli("live", "binance", "BTC/USDT", "1m", "--history", "30", "--bars", "32", "--json",
                           "--warehouse", folder, "--sim", sim.rest_url)  # fmt: skip
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout.splitlines()[0])["bars"] >= HISTORY - 1
    assert live.returncode == 0, live.stderr
    listed = btfeeds_cli("warehouse", "show", "binance", "BTC/USDT", "1m", "--warehouse", folder, "--json")
    facts = json.loads(listed.stdout)
    assert facts["bars"] >= HISTORY + 1
    assert {one["provider"] for one in facts["origin"]} == {"binance", "binance live"}
