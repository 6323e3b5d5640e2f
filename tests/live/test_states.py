"""The table of a connection's states."""

from __future__ import annotations

from btfeeds.live.states import TABLE, Input, State


def test_every_state_can_be_stopped_and_closed_is_final() -> None:
    assert all(TABLE[state, Input.STOP] is State.CLOSED for state in State)
    assert not any((State.CLOSED, what) in TABLE for what in Input if what is not Input.STOP)


def test_a_lost_connection_waits_before_it_dials_again() -> None:
    for state in (State.DIALING, State.SUBSCRIBING, State.STREAMING):
        assert TABLE[state, Input.LOST] is State.WAITING
    assert TABLE[State.WAITING, Input.RETRY] is State.DIALING


def test_every_state_can_be_reached_from_the_first() -> None:
    reached = {State.IDLE}
    for _ in State:
        reached |= {after for (before, _), after in TABLE.items() if before in reached}
    assert reached == set(State)
