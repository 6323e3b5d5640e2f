"""Cut the socket after every message of a run, and inside every one: what the strategy gets is always the same."""

from __future__ import annotations

import json
import threading
from functools import cache

import pytest

from btfeeds.clock import ManualClock
from btfeeds.market import Bar
from tests.e2e.helpers import accepted
from tests.faults.rig import NOW, Calm, M, Rig, bar, frame
from tests.live.scripted import Bell, Peer, Scripted

CHANNEL = "BTCUSDT@bars@1m"
FIRST, MINUTES = 100, 8
UNTIL = FIRST + MINUTES


def _messages() -> list[tuple[int, bytes]]:
    """(when, what): the confirmation, and for each minute two looks at the forming bar and then the closed one."""
    said: list[tuple[int, bytes]] = [(NOW, b"")]
    for minute in range(FIRST, UNTIL):
        true = bar(minute)
        values = [CHANNEL, true.open_time, true.open, true.high, true.low]
        forming = json.dumps({"bar": [*values, true.low, 0.5], "closed": False}).encode()
        closed = json.dumps({"bar": [*values, true.close, true.volume], "closed": True}).encode()
        said += [(minute * M + 20_000, forming), (minute * M + 40_000, forming), ((minute + 1) * M + 20, closed)]
    return said


MESSAGES = _messages()


def play(cut: int | None, *, inside: bool = False) -> tuple[list[Bar], list[str], int]:
    """The run with the socket cut behind (or inside) message number `cut`: bars, words, connects."""
    clock = ManualClock(NOW)
    left = list(enumerate(MESSAGES))
    over = threading.Event()
    rigs: list[Rig] = []

    def in_step(number: int) -> bool:
        """Whether the strategy has all that closed before this message: the venue is not faster than the world."""
        last = FIRST + (number - 1) // 3 - 1
        return bool(rigs) and "LIVE" in rigs[0].words and rigs[0].minutes[-1:] == [last]

    def script(peer: Peer) -> None:
        asked = peer.hear()["id"]
        if peer.number > 1:
            peer.say(ack=asked)  # every connection confirms
        while left:
            number, (time, text) = left.pop(0)
            if number:
                Bell().until(lambda: in_step(number))  # noqa: B023
            clock.advance(max(0, time - clock.now()))
            data = frame(text if number else json.dumps({"ack": asked}).encode())
            if number == cut and inside:
                peer.connection.socket.sendall(data[: len(data) // 2])
            else:
                peer.connection.socket.sendall(data)
            if number == cut:
                peer.cut()
                return
        over.set()
        peer.stay()

    with Scripted(script) as server:
        venue = Calm(stream_url=server.url)
        with Rig(server.url, venue=venue, clock=clock, until=UNTIL * M, start=97) as rig:
            rigs.append(rig)
            rig.until(over.is_set)
            rig.until(lambda: rig.stream.finished, tick=1_000)
        return rig.rows, rig.words, server.connects


@cache
def uncut() -> list[Bar]:
    rows, words, connects = play(None)
    assert connects == 1 and words == ["DELAYED", "LIVE", "DISCONNECTED"], words
    return rows


def test_the_uncut_run_is_the_truth() -> None:
    assert len(MESSAGES) == 25
    assert uncut() == [bar(minute) for minute in range(97, UNTIL)]


@pytest.mark.parametrize("inside", [False, True], ids=["after", "inside"])
@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_a_cut_anywhere_changes_nothing(number: int, inside: bool) -> None:
    rows, words, connects = play(number, inside=inside)
    assert rows == uncut()
    assert connects == 2
    assert accepted(words), words
