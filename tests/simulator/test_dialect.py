"""What a dialect says travels as values."""

from __future__ import annotations

from btfeeds.simulator.dialect import Reply, Session


def test_a_session_begins_with_nothing_subscribed() -> None:
    assert (Session().channels, Session().combined, Session().silent) == ({}, False, False)


def test_a_reply_needs_no_headers() -> None:
    assert Reply(200, "{}").headers == {}
