"""Every example runs, offline, and shows what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    "sma_cross_live": ["BTC/USDT LIVE", "bought at", "BTC/USDT DISCONNECTED", "the account is worth"],
    "many_symbols": ["(3 bars, together)"],
    "resample": ["5m at", "1h at", "1m: "],
    "status_words": ["CONNBROKEN after", "CONNECTED after", "LIVE after", "no time for orders"],
    "historical_backtest": ["bars, ", "trades, worth"],
    "warehouse_backtest": ["fetched 300 bars", "fetched 0 bars", "1m: 300 bars", "5m: 60 bars", "trades, worth"],
    "stream_without_backtrader": ["DELAYED", "LIVE", "delivered=30"],
}


def test_every_example_is_run() -> None:
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert scripts == {*EXAMPLES, "market"}  # `market` is what they all import


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_runs_and_shows_what_it_says(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py")],
        capture_output=True, text=True, timeout=50, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr  # warnings of broken connections are wanted there
    assert [text for text in EXAMPLES[name] if text not in done.stdout] == []
