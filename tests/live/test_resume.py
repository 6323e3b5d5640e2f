"""The file a feed resumes from: whole at any time, one process at a time, and never overwritten when it is not ours."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from btfeeds import monitor
from btfeeds.errors import StateError
from btfeeds.live import resume
from btfeeds.live.resume import claim
from btfeeds.market import Bar, Subscription, Symbol, Timeframe

M = 60_000
BTC = Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))
ETH = Subscription("binance", Symbol("ETH/USDT"), Timeframe.parse("1m"))


def bar(minute: int) -> Bar:
    return Bar(minute * M, 0.1, 0.30000000000000004, 0.1, 0.2, 1e-9, 3)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_a_first_run_has_no_position_and_a_second_one_has_the_last_bar(place: Path) -> None:
    first = claim(place, BTC, 99 * M)
    assert first.last is None
    for minute in range(5):
        first.keep(bar(minute))
    first.close()
    second = claim(place, BTC, 99 * M)
    assert second.last == bar(4), "bit for bit"
    second.close()


def test_subscriptions_share_a_file_and_keep_each_others_places(place: Path) -> None:
    btc, eth = claim(place, BTC, 99 * M), claim(str(place), ETH, 99 * M)
    btc.keep(bar(1))
    eth.keep(bar(2))
    btc.close()
    eth.close()
    only = claim(place, BTC, 99 * M)
    only.keep(bar(3))
    only.close()
    assert {key: held["open_time"] // M for key, held in json.loads(place.read_text())["positions"].items()} == {
        "binance BTC/USDT 1m": 3,
        "binance ETH/USDT 1m": 2,
    }


def test_a_position_that_is_closed_twice_or_used_afterwards_does_no_harm(place: Path) -> None:
    position = claim(place, BTC, 99 * M)
    position.close()
    position.close()
    position.keep(bar(1))
    assert position.last == bar(1) and not place.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"name": "package", "version": 1}',
        b'{"format": "btfeeds positions", "version": 2, "positions": {}}',
        b'{"format": "another", "version": 1, "positions": {}}',
        b'{"format": "btfeeds positions", "version": 1, "positions": {"x": {"open_time": 0}}}',
        b'{"format": "btfeeds positions", "version": 1, "positions": {"x": {"open_time": 0, "open": 1, "high": 1,'
        b' "low": 2, "close": 1, "volume": 1}}}',
    ],
)
def test_a_damaged_or_foreign_file_is_refused_in_three_lines_and_left_as_it_is(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    with pytest.raises(StateError) as caught:
        claim(place, BTC, 99 * M)
    assert len(str(caught.value).splitlines()) == 3 and str(place) in caught.value.what
    assert place.read_bytes() == content
    place.unlink()
    claim(place, BTC, 99 * M).close()  # nothing is left locked


def test_a_position_in_the_future_is_refused(place: Path) -> None:
    position = claim(place, BTC, 99 * M)
    position.keep(bar(50))
    position.close()
    with pytest.raises(StateError, match="still to come"):
        claim(place, BTC, 40 * M)
    claim(place, BTC, 51 * M).close()


def test_the_same_subscription_cannot_use_a_file_twice_at_the_same_time(place: Path) -> None:
    first = claim(place, BTC, 99 * M)
    with pytest.raises(StateError, match="serves binance BTC/USDT 1m already"):
        claim(place, BTC, 99 * M)
    first.keep(bar(1))
    first.close()
    assert place.exists()


def test_another_process_cannot_use_the_file_at_the_same_time(place: Path) -> None:
    position = claim(place, BTC, 99 * M)
    code = f"""if True:
        from btfeeds.errors import StateError
        from btfeeds.live.resume import claim
        from btfeeds.market import Subscription, Symbol, Timeframe
        try:
            claim({str(place)!r}, Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m")), 0)
        except StateError as error:
            print(error)
    """
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    position.close()
    assert "is in use by another process" in child.stdout and len(child.stdout.splitlines()) == 3


def test_a_lock_left_by_a_dead_process_is_none(place: Path) -> None:
    FileLock(f"{place}.lock").acquire().lock.release()
    Path(f"{place}.new").write_bytes(b"half a fi")
    claim(place, BTC, 99 * M).close()


def test_a_place_where_no_file_can_be_is_refused_in_three_lines(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "state.json", tmp_path):
        with pytest.raises(StateError) as caught:
            claim(place, BTC, 99 * M)
        assert len(str(caught.value).splitlines()) == 3


def test_a_full_disk_is_told_once_and_the_old_file_stays_whole(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    position = claim(place, BTC, 99 * M)
    position.keep(bar(1))
    position.close()
    before = place.read_bytes()
    told: list[monitor.Happening] = []
    monitor.add(told.append)

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            position = claim(place, BTC, 99 * M)
            for minute in range(2, 50):
                position.keep(bar(minute))
            position.close()
    finally:
        monitor.remove(told.append)
    assert place.read_bytes() == before
    assert told == [monitor.PositionNotSaved("", str(place), "No space left on device")]


def test_a_write_that_is_cut_anywhere_leaves_the_old_file_or_the_new_one(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resume._replace(place, b"old")
    steps = []
    for name in ("fsync", "replace", "open"):
        original = getattr(os, name)

        def cut(*args: object, name: str = name, original: object = original) -> object:
            steps.append(name)
            if len(steps) == at:
                raise KeyboardInterrupt
            return original(*args)  # type: ignore[operator]

        monkeypatch.setattr(os, name, cut)
    for at in range(1, 6):  # noqa: B007 - `cut` looks at it
        steps.clear()
        try:
            resume._replace(place, b"new")
        except KeyboardInterrupt:
            assert place.read_bytes() in (b"old", b"new")
    assert steps == ["fsync", "replace", "open", "fsync"], "the file is on the disk before its name is, and then that"


def test_keeping_a_position_never_waits_for_the_disk(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    hold, reached = threading.Event(), threading.Event()
    original = resume._replace

    def slow(path: Path, content: bytes) -> None:
        reached.set()
        hold.wait(10)
        original(path, content)

    monkeypatch.setattr(resume, "_replace", slow)
    position = claim(place, BTC, 99 * M)
    position.keep(bar(1))
    assert reached.wait(10)
    for minute in range(2, 20):
        position.keep(bar(minute))  # the disk is still busy with the first
    hold.set()
    position.close()
    assert json.loads(place.read_text())["positions"][str(BTC)]["open_time"] == 19 * M
