"""A client as the engine sees it."""

from __future__ import annotations

from btfeeds.simulator.dialect import Session
from btfeeds.simulator.peer import Peer
from tests.simulator.helpers import KeptWire


def test_a_sixth_message_within_a_second_is_a_flood() -> None:
    peer = Peer(1, KeptWire(), Session())
    assert [peer.flooding(time, 5) for time in (0, 100, 200, 300, 400, 999)] == [False] * 5 + [True]


def test_messages_a_second_old_no_longer_count() -> None:
    peer = Peer(1, KeptWire(), Session())
    assert [peer.flooding(time, 5) for time in (0, 100, 200, 300, 400, 1000)] == [False] * 6
