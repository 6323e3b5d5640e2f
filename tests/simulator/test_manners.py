"""What the venue does for its clients at intervals, and when it hangs up."""

from __future__ import annotations

import pytest

from btfeeds.simulator.binance import Binance
from btfeeds.simulator.dialect import Session
from btfeeds.simulator.engine import Engine
from tests.simulator.helpers import START, KeptWire, market, minutes


class Strict(Binance):
    """As Binance, but for what a test changes."""

    ping_every = beat_every = subscribe_within = idle_within = life = 0

    def __init__(self, **demands: int) -> None:
        super().__init__("binance", {"BTCUSDT": market(minutes(20))})
        self.ping_every = self.life = 0
        for name, value in demands.items():
            setattr(self, name, value)

    def greet(self, session: Session) -> list[str]:
        return [f"welcome {session.now - START}"]

    def beat(self, session: Session) -> list[str]:
        return [f"beat {session.now - START}"]


def visit(seconds: int, speed: float = 1.0, **demands: int) -> KeptWire:
    """What a client meets that says nothing, within so many seconds."""
    engine, wire = Engine(Strict(**demands), START, speed), KeptWire()
    engine.connect(wire, Session(), "/ws", START)
    while (due := engine.next_due) is not None and due <= START + seconds * 1000:
        engine.run_next()
    return wire


def test_a_client_is_greeted_before_it_says_anything() -> None:
    assert visit(1).texts == ["welcome 0"]


def test_heartbeats_come_at_intervals() -> None:
    assert visit(3, beat_every=1_000).texts == ["welcome 0", *(f"beat {second * 1000}" for second in range(4))]


def test_on_a_fast_clock_there_are_fewer_heartbeats() -> None:
    assert len(visit(60, 600.0, beat_every=1_000).texts) == 1 + 3


@pytest.mark.parametrize(
    ("demand", "code"),
    [({"subscribe_within": 5_000}, 1008), ({"idle_within": 5_000}, 4004), ({"life": 5_000}, 1001),
     ({"ping_every": 1_000, "pong_within": 4_000}, 1008)],
)  # fmt: skip
def test_who_does_not_do_what_is_demanded_is_sent_away(demand: dict[str, int], code: int) -> None:
    assert visit(4, **demand).done == []
    assert [done[:2] for done in visit(6, **demand).done] == [("close", code)]


def test_on_a_fast_clock_there_is_time_all_the_same() -> None:
    assert visit(60, 600.0, subscribe_within=5_000).done == []
