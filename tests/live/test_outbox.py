"""Words stand in their place between the bars, and a backlog is admitted."""

from __future__ import annotations

from btfeeds.errors import UnknownSymbol, UnsupportedTimeframe
from btfeeds.live.items import Delivery, Notice
from btfeeds.live.outbox import Outbox
from btfeeds.live.status import Status
from btfeeds.market import Bar


def bar(minute: int) -> Bar:
    return Bar(minute * 60_000, 1.0, 2.0, 0.5, 1.5, 1.0)


def told(outbox: Outbox, behind: int = 0) -> list[object]:
    out: list[object] = []
    while (item := outbox.take(behind)) is not None:
        out.append(item.status.name if isinstance(item, Notice) else item.bar.open_time // 60_000)
    return out


def test_bars_and_words_leave_in_the_order_they_were_put() -> None:
    outbox = Outbox()
    outbox.say(Status.DELAYED)
    outbox.put(bar(1), "live")
    outbox.say(Status.CONNBROKEN)
    assert told(outbox) == ["DELAYED", 1, "CONNBROKEN"]


def test_live_with_a_backlog_becomes_delayed_once() -> None:
    outbox = Outbox()
    outbox.say_now(Status.LIVE)
    for minute in (1, 2, 3):
        outbox.put(bar(minute), "live")
    outbox.say(Status.DELAYED)
    assert told(outbox) == ["DELAYED", 1, 2, 3]


def test_bars_that_wait_elsewhere_are_backlog_too() -> None:
    outbox = Outbox()
    outbox.say_now(Status.LIVE)
    outbox.put(bar(1), "live")
    assert outbox.take(2) == Notice(Status.DELAYED, "behind")
    assert outbox.take(2) == Delivery(bar(1), "live")


def test_a_fact_is_no_word() -> None:
    outbox = Outbox()
    outbox.say_now(Status.LIVE)
    outbox.say(Status.UNKNOWN, "gap")
    assert told(outbox) == ["UNKNOWN"] and outbox.word is Status.LIVE


def test_behind_disconnected_there_is_nothing() -> None:
    outbox = Outbox()
    outbox.say(Status.DISCONNECTED)
    outbox.put(bar(1), "live")
    assert told(outbox) == ["DISCONNECTED"] and outbox.finished


def test_behind_the_last_word_there_is_nothing() -> None:
    outbox = Outbox()
    outbox.end("closed")
    outbox.end("again")
    outbox.say(Status.CONNBROKEN)
    outbox.say(Status.UNKNOWN, "gap")
    outbox.put(bar(1), "live")
    assert told(outbox) == ["DISCONNECTED"] and outbox.finished


def test_a_timeframe_that_is_not_to_be_had_is_said_first_or_not_at_all() -> None:
    error = UnsupportedTimeframe("no 7m")
    first, later = Outbox(), Outbox()
    for outbox in (first, later):
        outbox.say(Status.DELAYED)
    assert told(later) == ["DELAYED"]
    for outbox in (first, later):
        outbox.refuse(error)
        outbox.end(error.what, error)
    assert told(first) == ["NOTSUPPORTED_TF", "DISCONNECTED"]
    assert told(later) == ["NOTSUBSCRIBED", "DISCONNECTED"]


def test_a_refusal_during_a_break_is_told_by_the_end_alone() -> None:
    outbox = Outbox()
    outbox.say(Status.CONNBROKEN)
    outbox.refuse(UnknownSymbol("no X/Y"))
    outbox.end("no X/Y")
    assert told(outbox) == ["CONNBROKEN", "DISCONNECTED"]
