"""Recorded data of real venues. It lies beside the project, not in it: its licences differ."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared(name: str) -> Path:
    """The path of a recorded file, as in "binance/nautilus/kline_stream_closed.json"; skips the test without it."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the recorded data is not here: shared/data/{name}")
    return path
