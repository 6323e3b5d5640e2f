"""The promise, checked from outside."""

from __future__ import annotations

import pytest

from btfeeds.audit import Audit
from btfeeds.live.status import Status
from btfeeds.market import Bar, Timeframe

NOON = 1_709_294_400_000
M = 60_000
LATER = NOON + 1_000 * M


def audit(*minutes: int, start: int | None = NOON) -> Audit:
    """What an audit makes of bars at these minutes behind noon."""
    made = Audit(Timeframe(1, "m"), start)
    for minute in minutes:
        made.bar(Bar(NOON + minute * M, 1.0, 1.0, 1.0, 1.0, 1.0), "live", LATER)
    return made


def test_bars_without_a_hole_keep_the_promise() -> None:
    made = audit(0, 1, 2)
    assert (made.delivered, made.missing(), made.duplicate, made.unfinished, made.kept()) == (3, 0, 0, 0, True)


@pytest.mark.parametrize(("minutes", "missing"), [((0, 2), 1), ((0, 4, 5, 7), 4), ((2,), 2)])
def test_a_hole_is_missing_bars(minutes: tuple[int, ...], missing: int) -> None:
    made = audit(*minutes)
    assert (made.missing(), made.kept()) == (missing, False)


def test_without_history_the_first_bar_may_be_any() -> None:
    assert audit(7, 8, start=None).kept()


def test_a_start_between_two_bars_means_the_later_one() -> None:
    assert audit(1, 2, start=NOON + 1).kept()


def test_a_declared_hole_is_not_missing() -> None:
    made = audit(0, 4)
    made.gap(NOON + M, NOON + 3 * M)
    assert made.missing() == 1
    made.gap(NOON + 3 * M, NOON + 4 * M)
    assert made.kept()


def test_a_hole_without_trades_is_not_missing() -> None:
    made = audit(0, 3)
    assert (made.missing(no_trade=1), made.missing(no_trade=2), made.kept(no_trade=2)) == (1, 0, True)


@pytest.mark.parametrize("minutes", [(0, 1, 1), (0, 1, 0)])
def test_a_bar_that_is_not_newer_is_a_duplicate(minutes: tuple[int, ...]) -> None:
    made = audit(*minutes)
    assert (made.duplicate, made.kept()) == (1, False)


def test_a_bar_before_its_end_is_unfinished() -> None:
    made = audit()
    bar = Bar(NOON, 1.0, 1.0, 1.0, 1.0, 1.0)
    made.bar(bar, "live", NOON + M - 1)
    assert (made.unfinished, made.kept()) == (1, False)
    made = audit()
    made.bar(bar, "live", NOON + M)
    assert made.kept()


def test_words_that_may_not_follow_each_other_break_the_promise() -> None:
    made = audit(0)
    for word in (Status.DELAYED, Status.LIVE, Status.UNKNOWN, Status.CONNBROKEN, Status.CONNECTED):
        made.status(word)
    assert (made.kept(), made.reconnects) == (True, 1)
    made.status(Status.LIVE)
    assert made.wrong_words == [(Status.CONNECTED, Status.LIVE)]
    assert not made.kept()


def test_sources_are_counted() -> None:
    assert audit(0, 1).by_source == {"live": 2}


def test_a_live_feed_has_no_bar_outstanding_at_its_end() -> None:
    made = audit(0)
    made.status(Status.LIVE)
    made.status(Status.DISCONNECTED)
    made.end(NOON + 3 * M + 10_000, patience_ms=M)
    assert made.missing() == 1  # 12:01 closed more than a minute ago, 12:02 may be on its way


def test_a_feed_that_is_behind_owes_nothing_at_its_end() -> None:
    made = audit(0)
    made.status(Status.DELAYED)
    made.end(NOON + 60 * M, patience_ms=M)
    assert made.kept()
