"""Packets that vanish on their way, where the machine lets a test have a network of its own: N02, N07 and N33 in
earnest. Elsewhere the same rows are shown with servers that fall silent.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rig import PATIENCE_S

ROOT = Path(__file__).parents[2]
WAYS = (("unshare", "-Urn"), ("unshare", "-n"))  # as anybody where users may have namespaces, or as root
PROBE = "ip link set lo up && nft add table inet probe"


@functools.cache
def way() -> tuple[tuple[str, ...], str]:
    """The command that runs another one in a network of its own; and, when there is none, why."""
    if lacking := [name for name in ("unshare", "ip", "nft") if shutil.which(name) is None]:
        return (), f"not installed: {', '.join(lacking)}"
    for command in WAYS:
        done = subprocess.run([*command, "sh", "-c", PROBE], capture_output=True, text=True, timeout=PATIENCE_S)
        if not done.returncode:
            return command, ""
    return (), f"this machine does not permit it: {done.stderr.strip()}"


def told(story: str) -> Any:
    """What happened in that story of packets.py."""
    command, why_not = way()
    if not command:
        pytest.skip(f"no network of one's own: {why_not}")
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.faults.packets", story],
        capture_output=True, text=True, timeout=2 * PATIENCE_S, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_n02_a_connection_whose_packets_vanish_is_noticed_and_made_anew() -> None:
    """No FIN, no RST: only the ping that nobody answers tells. Idle for 15 s, then 10 s for an answer."""
    happened = told("half_open")
    assert 25_000 <= happened["after_ms"] <= 27_000
    assert happened["losses"] == ["ping"] and happened["connects"] == 2
    assert happened["words"][:6] == ["DELAYED", "LIVE", "CONNBROKEN", "CONNECTED", "DELAYED", "LIVE"]
    assert happened["true"] and happened["the venue's end is open"]


def test_n07_syns_that_vanish_hold_a_thread_no_longer_than_the_timeout() -> None:
    happened = told("black_hole")
    assert happened["reason"] == "timeout" and happened["accepted"] == 0
    assert 0.5 <= happened["took_s"] < 10  # the system would try for two minutes


def test_n33_a_dead_ipv6_costs_less_than_two_seconds() -> None:
    happened = told("dead_ipv6")
    assert happened["peer"] == "127.0.0.1"
    assert 0.25 <= happened["took_s"] < 2, "it was tried, and the other one a quarter of a second later"
