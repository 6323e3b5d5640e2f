"""A feed that starts again continues where it ended, whatever ended it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from btfeeds.errors import StateError
from btfeeds.market import iso
from btfeeds.simulator import serve
from tests.e2e.helpers import MINUTE, START, Diary, environment, feed, market, rows, run

HISTORY = 40
KILLS = 24

# A process that has everything loaded makes one child after another; each trades until it is killed in mid-flight.
CHILDREN = """
import os, random, signal, sys, time
import backtrader as bt
import btfeeds, btfeeds.feeds, btfeeds.live.stream
from btfeeds.simulator import attach

url, state, log, kills = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
dice = random.Random(7)
out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

class Writes(bt.Strategy):
    def next(self):
        values = (self.data.open_time(), self.data.open[0], self.data.high[0], self.data.low[0], self.data.close[0],
                  self.data.volume[0])
        os.write(out, (",".join(map(repr, values)) + "\\n").encode())
        if self.p.bars and len(self) == self.p.bars:
            self.env.runstop()
    params = (("bars", 0),)

def trade(bars):
    there = attach(url)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(btfeeds.live("binance", "BTC/USDT", "1m", fromdate=FROM, resume=state, clock=there.clock,
                                 rest_url=there.rest_url, stream_url=there.stream_url))
    cerebro.addstrategy(Writes, bars=bars)
    cerebro.run()
    os._exit(0)

for number in range(kills + 2):
    pid = os.fork()
    if pid == 0:
        trade(0 if number < kills else 5)
    if number < kills:
        size = os.fstat(out).st_size
        until = time.monotonic() + (3 if number % 4 else 0.1 * dice.random())  # some are killed before their first bar
        while os.fstat(out).st_size == size and time.monotonic() < until:
            os.sched_yield()
        until = time.monotonic() + dice.choice((0, 0.0001, 0.001, 0.003, 0.01, 0.3)) * dice.random()
        while time.monotonic() < until:
            os.sched_yield()
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    kept = open(state).read() if os.path.exists(state) else ""
    os.write(out, (f"END {kept}\\n").encode())
"""


def test_kill_9_at_any_moment_loses_nothing_and_repeats_only_what_was_not_written_down(tmp_path: Path) -> None:
    state, log = tmp_path / "state.json", tmp_path / "log"
    bars = market(2_000)
    truth = rows(bars)
    with serve("binance", bars, history=HISTORY, speed=600.0, quiet="flat") as sim:
        code = CHILDREN.replace("FROM", repr(iso(START)))
        command = [sys.executable, "-c", code, sim.clock_url, str(state), str(log), str(KILLS)]
        subprocess.run(command, check=True, timeout=50, env=environment(), capture_output=True)
    due = 0  # the place in the truth at which a run has to begin
    runs: list[list[tuple[float, ...]]] = [[]]
    repeated = []
    for line in log.read_text().splitlines():
        if not line.startswith("END"):
            runs[-1].append(tuple(map(float, line.split(","))))
            continue
        met = runs[-1]
        assert met == truth[due : due + len(met)], "in order, none missing, none repeated, none changed within a run"
        kept = json.loads(line[4:])["positions"]["binance BTC/USDT 1m"]["open_time"] if line[4:] else START - MINUTE
        behind = (kept - START) // MINUTE + 1
        assert behind <= due + len(met), "a bar is never written down before the strategy has dealt with it"
        repeated.append(due + len(met) - behind)
        due = behind
        runs.append([])
    assert len(repeated) == KILLS + 2 and sum(1 for met in runs if met) > KILLS // 2
    print("repeated after each kill:", repeated)
    assert repeated[-2:] == [0, 0], "after an orderly end nothing comes again"


def test_a_run_continues_behind_the_last_bar_of_the_run_before(tmp_path: Path) -> None:
    bars = market(160)
    with serve("binance", bars, history=HISTORY, speed=600.0, quiet="flat") as sim:
        runs = []
        for count in (HISTORY - 10, 14, 8):
            met = run(
                feed(sim, resume=tmp_path / "state.json"),
                act=lambda strategy, count=count: strategy.env.runstop() if len(strategy.data) == count else None,
            )
            runs.append(met.rows["BTC/USDT"])
            assert met.words["BTC/USDT"][0] == "DELAYED" and met.words["BTC/USDT"][-1] == "DISCONNECTED"
    assert [len(met) for met in runs] == [HISTORY - 10, 14, 8]
    assert runs[0] + runs[1] + runs[2] == rows(bars[: HISTORY + 12])


def test_without_a_state_file_every_run_starts_at_its_own_fromdate(tmp_path: Path) -> None:
    bars = market(160)
    with serve("binance", bars, history=HISTORY, speed=300.0, quiet="flat") as sim:
        for _ in range(2):
            met = run(feed(sim), act=lambda s: s.env.runstop() if len(s.data) == HISTORY + 5 else None)
            assert met.rows["BTC/USDT"] == rows(bars[: HISTORY + 5])


def test_a_bar_whose_next_raised_comes_again(tmp_path: Path) -> None:
    bars = market(160)

    def act(strategy: Diary) -> None:
        if len(strategy.data) == 7:
            raise RuntimeError("the strategy has a bug")

    with serve("binance", bars, history=HISTORY, speed=300.0) as sim:
        with pytest.raises(RuntimeError, match="bug"):
            run(feed(sim, resume=tmp_path / "state.json"), act=act)
        met = run(
            feed(sim, resume=tmp_path / "state.json"), act=lambda s: s.env.runstop() if len(s.data) == 3 else None
        )
    assert met.rows["BTC/USDT"] == rows(bars[6:9])


def test_a_resampled_feed_continues_with_whole_larger_bars(tmp_path: Path) -> None:
    import backtrader as bt

    bars = market(400)
    runs: list[list[tuple[int, float]]] = []

    class Fives(bt.Strategy):  # type: ignore[misc]
        def next(self) -> None:
            runs[-1].append((self.data.open_time(), self.data.volume[0]))
            if len(self) == 6:
                self.env.runstop()

    with serve("binance", bars, history=100, speed=300.0, quiet="flat") as sim:
        for _ in range(3):
            runs.append([])
            cerebro = bt.Cerebro(stdstats=False)
            cerebro.resampledata(
                feed(sim, resume=tmp_path / "state.json"), timeframe=bt.TimeFrame.Minutes, compression=5
            )
            cerebro.addstrategy(Fives)
            cerebro.run()
    met = [time for part in runs for time, _ in part]
    assert met == [START + n * 5 * MINUTE for n in range(18)]
    assert [round(volume, 6) for _, volume in runs[1]] == [
        round(sum(bar.volume for bar in bars[n * 5 : n * 5 + 5]), 6) for n in range(6, 12)
    ]


def test_two_feeds_share_one_file(tmp_path: Path) -> None:
    btc, eth = market(160), market(160, seed=2, symbol="ETH/USDT", price=3_000.0)
    with serve("binance", {"BTC/USDT": btc, "ETH/USDT": eth}, history=HISTORY, speed=300.0, quiet="flat") as sim:
        met = []
        for count in (13, 9):
            feeds = [feed(sim, symbol, resume=tmp_path / "state.json") for symbol in ("BTC/USDT", "ETH/USDT")]
            met.append(run(*feeds, act=lambda s, count=count: s.env.runstop() if len(s.data) == count else None))
    for name, bars in (("BTC/USDT", btc), ("ETH/USDT", eth)):
        both = met[0].rows[name] + met[1].rows[name]
        assert both == rows(bars[: len(both)]) and len(both) >= 21


def test_a_damaged_file_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with serve("binance", market(80), history=HISTORY, speed=300.0) as sim, pytest.raises(StateError):
        run(feed(sim, resume=tmp_path / "state.json"))
    assert (tmp_path / "state.json").read_text() == "{"


def test_a_larger_bar_under_way_at_the_end_is_begun_again_and_whole(tmp_path: Path) -> None:
    import backtrader as bt

    opened: list[int] = []

    class Fives(bt.Strategy):  # type: ignore[misc]
        def next(self) -> None:
            opened.append((self.data.open_time() - START) // MINUTE)

    with serve("binance", market(160), history=HISTORY, speed=300.0) as sim:
        for minutes in (13, 27):
            data = feed(sim, resume=tmp_path / "state.json", todate=iso(START + minutes * MINUTE))
            cerebro = bt.Cerebro(stdstats=False)
            cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5)
            cerebro.addstrategy(Fives)
            cerebro.run()
    assert opened == [0, 5, 10, 15, 20]
