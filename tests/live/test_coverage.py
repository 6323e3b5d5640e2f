"""Who carries a channel, and whose word counts."""

from __future__ import annotations

from btfeeds.live.coverage import Coverage


def test_of_two_sockets_the_older_one_is_the_voice_until_it_leaves() -> None:
    made = Coverage()
    assert made.voice("x") is None and made.by("x") == set()
    made.confirm("x", 2)
    made.confirm("x", 1)
    assert made.voice("x") == 1 and made.by("x") == {1, 2}
    made.leave("x", 1)
    made.leave("x", 9)
    assert made.voice("x") == 2
    made.leave("x", 2)
    assert made.voice("x") is None


def test_what_is_forgotten_leaves_no_trace() -> None:
    made = Coverage()
    made.confirm("x", 1)
    made.confirm("y", 1)
    made.forget("x")
    assert made.by("x") == set() and made.by("y") == {1}
