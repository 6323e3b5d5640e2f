"""`btfeeds live … --record-payloads`: a folder of what the venue really sent, from a run as a user makes it."""

from __future__ import annotations

import json
from pathlib import Path

from btfeeds.simulator import serve
from btfeeds.venues.base import BarUpdate
from btfeeds.venues.binance import Binance
from tests.e2e.helpers import btfeeds_cli, market


def test_a_run_leaves_a_folder_of_frames_and_answers(tmp_path: Path) -> None:
    with serve("binance", market(4_000), symbol="BTC/USDT", history=20, speed=300) as sim:
        arguments = ("--history", "10", "--bars", "14", "--sim", sim.rest_url, "--record-payloads", str(tmp_path))
        done = btfeeds_cli("live", "binance", "BTC/USDT", "1m", *arguments)
    assert done.returncode == 0, done.stderr
    assert {"frame_accepted.json", "frame_bar_closed.json", "frame_bar_forming.json", "rest_bars.json"} <= {
        path.name for path in tmp_path.iterdir()
    }
    [event] = Binance().parse_frame((tmp_path / "frame_bar_closed.json").read_bytes())
    assert isinstance(event, BarUpdate) and event.closed
    lines = [json.loads(line) for line in (tmp_path / "received.jsonl").read_text().splitlines()]
    assert {line["file"] for line in lines} == {path.name for path in tmp_path.iterdir()} - {"received.jsonl"}
