"""However a run ends, its socket is closed, its threads are gone, and the process ends within two seconds."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from btfeeds.simulator import Simulator, serve
from tests.e2e.helpers import feed, leaving_s, market, ours, process, read_until, run, tell

SCRIPT = """
import sys
import backtrader as bt
import btfeeds
from btfeeds.simulator import attach

sim = attach(sys.argv[1])
how = sys.argv[2]

class Show(bt.Strategy):
    def next(self):
        print(len(self), flush=True)
        if how == "raise" and len(self) > 25:
            raise ZeroDivisionError("in next")

    def stop(self):
        print("stopped", flush=True)

cerebro = bt.Cerebro()
cerebro.addstrategy(Show)
for symbol in ("BTC/USDT", "ETH/USDT"):
    cerebro.adddata(btfeeds.live("binance", symbol, "1m", history=20, rest_url=sim.rest_url,
                                 stream_url=sim.stream_url, clock=sim.clock))
cerebro.run()
"""


@pytest.fixture
def sim() -> object:
    markets = {symbol: market(2_000, symbol=symbol) for symbol in ("BTC/USDT", "ETH/USDT")}
    with serve("binance", markets, history=60, speed=300.0) as served:
        yield served


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return str(path)


def _gone(sim: Simulator) -> None:
    """The simulator has noticed that nobody is connected any more."""
    for _ in range(200):
        if sim.connections == 0:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{sim.connections} sockets are still open")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_script_is_gone_within_two_seconds_of_a_signal(
    sim: Simulator, script: str, number: signal.Signals
) -> None:
    with process(script, sim.rest_url, "run") as child:
        read_until(child, lambda line: int(line) > 22)
        code, _, err = tell(child, number)
    assert code in (-number, 1, 130)
    assert number is signal.SIGTERM or "KeyboardInterrupt" in err
    _gone(sim)


def test_an_exception_in_next_ends_the_process(sim: Simulator, script: str) -> None:
    with process(script, sim.rest_url, "raise") as child:
        read_until(child, lambda line: int(line) > 25)
        _, err = child.communicate(timeout=leaving_s())
    assert child.returncode == 1
    assert err.rstrip().endswith("ZeroDivisionError: in next")
    _gone(sim)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_sums_up_and_goes(sim: Simulator, number: signal.Signals, code: int) -> None:
    args = ["-m", "btfeeds", "live", "binance", "BTC/USDT,ETH/USDT", "1m", "--history", "20", "--json"]
    with process(*args, "--sim", sim.rest_url) as child:
        read_until(child, lambda line: '"live"' in line)
        ended, out, err = tell(child, number)
    assert (ended, err) == (code, "")
    assert '"type": "summary"' in out.splitlines()[-1]
    assert '"missing": 0, "duplicate": 0, "unfinished": 0' in out.splitlines()[-1]
    _gone(sim)


def test_an_exception_in_next_leaves_no_thread(sim: Simulator) -> None:
    def act(strategy: object) -> None:
        if len(strategy.data) > 25:  # type: ignore[attr-defined]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(feed(sim), feed(sim, "ETH/USDT"), act=act)
    assert ours() == []
    _gone(sim)


def test_runstop_leaves_no_thread(sim: Simulator) -> None:
    run(feed(sim), feed(sim, "ETH/USDT"), act=lambda strategy: strategy.env.runstop() if len(strategy) > 70 else None)
    assert ours() == []
    _gone(sim)
