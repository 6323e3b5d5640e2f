"""Which channels are asked for, confirmed, refused, and asked for again."""

from __future__ import annotations

import dataclasses

from btfeeds.live.channels import NEVER, Pace
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.requests import Requests, Unconfirmed
from btfeeds.venues.base import Accepted, Rejected
from tests.live.toy import Toy

ACK_MS, TRIES = 7_000, 3


class Threes(Toy):
    limits = dataclasses.replace(Toy.limits, streams_per_message=3)


def make(*channels: str, proven: tuple[str, ...] = ()) -> tuple[Requests, Pace]:
    """With these channels, all asked for at 0."""
    pace = Pace(100)
    made = Requests(Threes(), ConnectionPolicy(ack_ms=ACK_MS, ack_tries=TRIES), pace)
    made.ask(made.add(channels, proven))
    while made.send(0):
        pass
    return made, pace


def test_channels_that_wait_go_together_as_many_as_a_message_holds() -> None:
    made, pace = make("a", "b", "c", "d")
    assert list(pace.ready) == ['{"sub": ["a", "b", "c"], "id": 1}', '{"sub": ["d"], "id": 2}']
    assert len(made) == 2 and not made.waiting and not made.complete
    assert made.deadline == ACK_MS, "the second one leaves 100 ms later, and has as long"
    made.accepted(Accepted(1))
    assert made.deadline == ACK_MS + 100


def test_a_confirmation_by_number_by_name_or_by_data_counts_once() -> None:
    made, _ = make("a", "b", "c", "d", "e")
    assert made.accepted(Accepted(1)) == ("a", "b", "c")
    assert made.accepted(Accepted(None, ("d",))) == ("d",)
    assert made.confirmed(["d", "e"]) == ("e",)
    assert made.complete and len(made) == 0 and not made.pending and made.deadline == NEVER
    assert made.accepted(Accepted(2)) == ()


def test_what_is_not_confirmed_is_asked_for_again_and_then_given_up() -> None:
    made, pace = make("a", "b")
    made.confirmed(["a"])
    for number in range(1, TRIES):
        assert list(made.overdue(number * ACK_MS - 1)) == []
        assert list(made.overdue(number * ACK_MS)) == [Unconfirmed()]
        pace.ready.clear()
        assert made.waiting and made.send(number * ACK_MS)
        assert list(pace.ready) == [f'{{"sub": ["b"], "id": {number + 1}}}']
    [last] = made.overdue(TRIES * ACK_MS)
    assert [refused.channels for refused in last.refused] == [("b",)] and not last.sick
    assert "did not confirm" in last.refused[0].error.what
    assert list(made.channels) == ["a"] and not made.waiting


def test_a_new_socket_has_all_its_tries() -> None:
    made, pace = make("a")
    for number in range(1, 3 * TRIES):
        pace.ready.clear()
        if number % 2:
            assert list(made.overdue(number * ACK_MS)) == [Unconfirmed()]
        else:
            made.lost()
            made.ask(["a"])
        made.send(number * ACK_MS)
    assert list(made.channels) == ["a"]


def test_a_channel_that_the_venue_is_known_to_have_is_never_given_up() -> None:
    made, _ = make("a", proven=("a",))
    found = []
    for number in range(1, 2 * TRIES + 1):
        found += made.overdue(number * 2 * ACK_MS)
        made.send(number * 2 * ACK_MS)
    assert [one.sick for one in found] == [False, False, True] * 2
    assert not any(one.refused for one in found) and "a" in made.channels


def test_a_refusal_for_good_ends_its_channels_and_one_that_may_pass_does_not() -> None:
    made, _ = make("a", "b", "c", "d")
    assert made.rejected(Rejected("busy", 2)) == Unconfirmed() and made.waiting
    [refused] = made.rejected(Rejected("no such thing", 1, ("b",), fatal=True)).refused
    assert refused.channels == ("b",) and "no such thing" in refused.error.what
    assert list(made.channels) == ["a", "c", "d"]


def test_words_that_name_nothing_are_the_reason_when_nothing_else_comes() -> None:
    made, pace = make("a")
    assert made.rejected(Rejected("unknown pair")) == Unconfirmed()
    for number in range(1, TRIES + 1):
        found = list(made.overdue(number * ACK_MS))
        pace.ready.clear()
        made.send(number * ACK_MS)
    assert found[0].refused[0].error.what.endswith("unknown pair")


def test_a_new_socket_begins_with_nothing_said() -> None:
    made, _ = make("a", "b", "c", "d")
    made.accepted(Accepted(1))
    made.rejected(Rejected("busy", 2))
    made.lost()
    assert len(made) == 0 and not made.waiting and not made.pending and made.deadline == NEVER
    assert list(made.channels) == ["a", "b", "c", "d"] and not any(one.live for one in made.channels.values())


def test_a_channel_that_is_dropped_is_not_asked_for_any_more() -> None:
    made, pace = make("a", "b")
    made.ask(["a"])
    assert made.drop(["a", "x"]) == ["a"]
    assert not made.waiting and list(made.channels) == list(made.pending) == ["b"]
    pace.ready.clear()
    made.end(["a"])
    assert list(pace.ready) == ['{"unsub": ["a"], "id": 2}']


def test_a_refusal_for_good_that_names_nothing_is_of_the_only_channel_that_is_asked_for() -> None:
    made, _ = make("a")
    [refused] = made.rejected(Rejected("limit exceeded", fatal=True)).refused
    assert refused.channels == ("a",) and "limit exceeded" in refused.error.what
    assert len(made) == 0 and not made.waiting and not made.channels


def test_of_several_each_is_asked_for_by_itself_until_the_refused_one_is_found() -> None:
    made, pace = make("a", "b", "c", proven=("a",))
    pace.ready.clear()
    assert made.rejected(Rejected("limit exceeded", fatal=True)) == Unconfirmed()
    for number, name in ((2, "a"), (3, "b")):
        assert made.waiting and made.send(0) and not made.waiting and not made.send(0)
        assert list(pace.ready) == [f'{{"sub": ["{name}"], "id": {number}}}']
        pace.ready.clear()
        made.accepted(Accepted(number))
    assert made.send(0)
    [refused] = made.rejected(Rejected("limit exceeded", fatal=True)).refused
    assert refused.channels == ("c",) and list(made.channels) == ["a", "b"] and made.complete


def test_where_several_messages_are_under_way_nobody_is_blamed_before_they_are_asked_alone() -> None:
    made, pace = make("a", "b", "c", "d")
    for _ in range(2):  # one for each
        assert made.rejected(Rejected("limit exceeded", fatal=True)) == Unconfirmed()
    assert not made.waiting and len(made) == 2
    assert list(made.overdue(ACK_MS + 100)) == [Unconfirmed(), Unconfirmed()]
    pace.ready.clear()
    assert made.send(ACK_MS + 100) and not made.waiting
    assert list(pace.ready) == ['{"sub": ["a"], "id": 3}']


def test_on_the_next_socket_all_are_asked_for_together_again() -> None:
    made, pace = make("a", "b")
    made.rejected(Rejected("limit exceeded", fatal=True))
    made.lost()
    pace.ready.clear()
    made.ask(["a", "b"])
    assert made.send(0) and list(pace.ready) == ['{"sub": ["a", "b"], "id": 2}']
