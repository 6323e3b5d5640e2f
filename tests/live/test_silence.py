"""A mute subscription is one that history contradicts."""

from __future__ import annotations

from btfeeds.live.items import Remedy
from btfeeds.live.silence import Silence
from btfeeds.market import Bar


def bar(minute: int, volume: float = 1.0) -> Bar:
    return Bar(minute * 60_000, 1.0, 2.0, 0.5, 1.5, volume)


def test_the_first_proof_renews_the_subscription_and_the_next_the_connection() -> None:
    silence = Silence()
    assert [silence.judge(bar(minute), minute) for minute in (1, 2, 3)] == [
        Remedy.RESUBSCRIBE,
        Remedy.RECONNECT,
        Remedy.RECONNECT,
    ]


def test_all_bars_of_one_answer_are_one_proof() -> None:
    silence = Silence()
    assert [silence.judge(bar(minute), 7) for minute in (1, 2, 3)] == [Remedy.RESUBSCRIBE, None, None]
    assert silence.judge(bar(4), 8) is Remedy.RECONNECT


def test_a_finished_bar_of_the_stream_clears_it() -> None:
    silence = Silence()
    silence.judge(bar(1), 1)
    silence.spoke()
    assert silence.judge(bar(2), 2) is Remedy.RESUBSCRIBE


def test_a_bar_nobody_traded_proves_nothing() -> None:
    assert Silence().judge(bar(1, volume=0.0), 1) is None


def test_a_bar_that_began_before_the_stream_came_up_proves_nothing() -> None:
    silence = Silence()
    silence.online_since = 60_001
    assert silence.judge(bar(1), 1) is None


def test_a_bar_the_stream_showed_forming_proves_nothing() -> None:
    silence = Silence()
    silence.seen = 60_000
    assert silence.judge(bar(1), 1) is None
    assert silence.judge(bar(2), 2) is Remedy.RESUBSCRIBE
