"""serve(): what it takes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from btfeeds import simulator
from btfeeds.clock import ManualClock
from btfeeds.errors import BadBarFile, BtfeedsError, ConfigError, SimulatorError
from tests.simulator.helpers import MINUTE, START, minutes


def _frame() -> pd.DataFrame:
    columns = ("open_time", "open", "high", "low", "close", "volume", "trades")
    return pd.DataFrame([{name: getattr(bar, name) for name in columns} for bar in minutes(20)])


def test_bars_may_be_a_list_a_frame_or_a_file(tmp_path: Path) -> None:
    _frame().to_csv(tmp_path / "bars.csv", index=False)
    for bars in (minutes(20), _frame(), tmp_path / "bars.csv", str(tmp_path / "bars.csv")):
        with simulator.serve("binance", bars, history=5, clock=ManualClock()) as sim:
            assert sim.closed_bars("BTC/USDT", "1m") == minutes(5)


def test_several_symbols_share_one_venue() -> None:
    bars = {"BTC/USDT": minutes(20), "ETH/USDT": minutes(10)}
    with simulator.serve("binance", bars, history=5, clock=ManualClock()) as sim:
        assert len(sim.closed_bars("ETH/USDT", "1m")) == 5


def test_the_first_live_bar_opens_behind_the_history() -> None:
    with simulator.serve("binance", minutes(20), history=7) as sim:
        assert sim.start == START + 7 * MINUTE
        assert sim.start <= sim.clock.now() < sim.start + MINUTE


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"venue": "nasdaq"}, ConfigError),
        ({"history": 20}, SimulatorError),
        ({"history": -1}, SimulatorError),
        ({"speed": 0}, SimulatorError),
        ({"speed": float("nan")}, SimulatorError),
        ({"speed": float("inf")}, SimulatorError),
        ({"quiet": "loud"}, SimulatorError),
        ({"faults": ["explode@1s"]}, SimulatorError),
        ({"faults": ["mute@1s:ETH/USDT"]}, SimulatorError),
        ({"bars": {}}, SimulatorError),
        ({"bars": []}, BadBarFile),
    ],
)
def test_what_cannot_be_served_is_refused_in_three_lines(change: dict[str, Any], error: type[BtfeedsError]) -> None:
    settings: dict[str, Any] = {"venue": "binance", "bars": minutes(20), "history": 5, **change}
    with pytest.raises(error) as refused:
        simulator.serve(settings.pop("venue"), settings.pop("bars"), **settings)
    assert len(str(refused.value).splitlines()) == 3
