"""The splice decides which bar comes next; every case here is a story told in minutes since the epoch."""

from __future__ import annotations

import msgspec
import pytest

from btfeeds import monitor
from btfeeds.errors import HistoryIncomplete, NetworkError, UnknownSymbol, UnsupportedTimeframe
from btfeeds.live.items import Correction, Delivery, Gap, Notice, Remedy, SplicePolicy
from btfeeds.live.splice import Splice
from btfeeds.live.status import Status, allowed
from btfeeds.market import Bar, Timeframe, TimeRange

M = 60_000
MINUTE = Timeframe.parse("1m")


def bar(minute: int, volume: float = 1.0, close: float = 1.5) -> Bar:
    return Bar(minute * M, 1.0, 2.0, 0.5, close, volume, 3)


def bars(first: int, last: int) -> list[Bar]:
    return [bar(minute) for minute in range(first, last)]


def story(splice: Splice) -> list[object]:
    """What the strategy would meet: words as text, bars as (minute, source)."""
    told: list[object] = []
    while (item := splice.take()) is not None:
        told.append(item.status.name if isinstance(item, Notice) else (item.bar.open_time // M, item.source))
    return told


def make(start: int | None = 0, *, now: int = 5 * M + 1_000, **settings: object) -> Splice:
    splice = Splice(MINUTE, None if start is None else start * M, name="x", **settings)  # type: ignore[arg-type]
    splice.begin(now)
    return splice


def live_splice(now: int = 5 * M + 1_000, **settings: object) -> Splice:
    """A splice that has delivered minutes 0 to 4 and said LIVE."""
    splice = make(now=now, **settings)
    splice.connected(now)
    ask = splice.ask(now)
    assert ask is not None
    splice.answered(ask, ask.span, bars(0, now // M), now, done=True)
    story(splice)
    assert splice.settle(now) == Notice(Status.LIVE)
    return splice


def test_history_is_asked_from_the_start_to_the_last_closed_bar() -> None:
    ask = make().ask(5 * M + 1_000)
    assert ask is not None and ask.span == TimeRange(0, 5 * M) and ask.reason == "history"


def test_a_start_between_two_bars_begins_with_the_next_one() -> None:
    splice = Splice(MINUTE, 30_000)
    splice.begin(5 * M)
    ask = splice.ask(5 * M)
    assert ask is not None and ask.span.start == M


def test_live_bars_wait_for_history() -> None:
    splice = make()
    now = 5 * M + 1_000
    ask = splice.ask(now)
    splice.connected(now)
    splice.live(bar(5), 6 * M + 50)
    assert story(splice) == ["DELAYED"]
    assert ask is not None
    splice.answered(ask, ask.span, bars(0, 5), 6 * M + 60, done=True)
    assert story(splice) == [
        (0, "history"),
        (1, "history"),
        (2, "history"),
        (3, "history"),
        (4, "history"),
        (5, "live"),
    ]


def test_live_is_said_when_history_is_handed_over_and_nothing_waits() -> None:
    splice = make()
    splice.connected(5 * M)
    assert splice.settle(5 * M) is None
    ask = splice.ask(5 * M)
    assert ask is not None
    splice.answered(ask, ask.span, bars(0, 5), 5 * M, done=True)
    assert splice.settle(5 * M) is None, "bars still wait"
    story(splice)
    assert splice.settle(5 * M) == Notice(Status.LIVE)
    assert splice.settle(5 * M) is None, "said once"


def test_live_is_not_said_before_the_stream_is_confirmed() -> None:
    splice = make()
    ask = splice.ask(5 * M)
    assert ask is not None
    splice.answered(ask, ask.span, bars(0, 5), 5 * M, done=True)
    story(splice)
    assert splice.settle(5 * M) is None


def test_without_history_the_first_bar_is_the_one_that_forms_when_the_stream_is_confirmed() -> None:
    splice = make(None)
    splice.connected(5 * M + 20_000)
    splice.live(bar(5), 6 * M)
    assert story(splice) == ["DELAYED", (5, "live")]


def test_without_history_the_symbol_is_checked_by_asking_for_one_bar() -> None:
    splice = make(None)
    ask = splice.ask(5 * M + 20_000)
    assert ask is not None and ask.reason == "check" and ask.span == TimeRange(4 * M, 5 * M)
    splice.connected(5 * M + 20_000)
    splice.answered(ask, ask.span, [bar(4)], 5 * M + 20_100, done=True)
    assert story(splice) == ["DELAYED"], "the bar of the check is not delivered"
    assert splice.settle(5 * M + 20_100) == Notice(Status.LIVE)


@pytest.mark.parametrize("by", ["live", "revised"])
def test_a_bar_that_the_venue_tells_after_it_was_stepped_over_is_declared(by: str) -> None:
    splice = live_splice()
    splice.live(bar(5), 6 * M)
    now = 7 * M + 15_000
    ask = splice.ask(now)
    assert ask is not None and ask.span == TimeRange(6 * M, 7 * M)
    splice.answered(ask, ask.span, [], now, done=True)  # nobody traded, says history
    splice.live(bar(7), 8 * M)
    assert story(splice) == [(5, "live"), (7, "live")] and splice.summary.declared == 0
    for _ in range(2):
        splice.live(bar(6), 8 * M + 100) if by == "live" else splice.revised(bar(6))
    notice = splice.take()
    assert isinstance(notice, Notice) and notice.status is Status.UNKNOWN
    assert notice.payload == Gap(6 * M, 7 * M, "the venue told it late")
    assert splice.take() is None and splice.summary.declared == 1


def test_a_duplicate_of_the_stream_is_dropped_and_counted() -> None:
    splice = live_splice()
    splice.live(bar(5), 6 * M)
    splice.live(bar(5), 6 * M + 1)
    assert story(splice) == [(5, "live")]
    assert splice.summary.dropped_duplicates == 1


def test_a_bar_ahead_of_the_one_due_waits_until_history_gave_the_missing_one() -> None:
    splice = live_splice()
    splice.live(bar(6), 7 * M + 50)
    assert story(splice) == []
    ask = splice.ask(7 * M + 50)
    assert ask is not None and ask.reason == "hole" and ask.span.start == 5 * M
    splice.answered(ask, ask.span, [bar(5), bar(6)], 7 * M + 90, done=True)
    assert story(splice) == ["DELAYED", (5, "backfill"), (6, "live")]
    assert splice.settle(7 * M + 100) == Notice(Status.LIVE)


def test_bars_that_come_out_of_order_leave_in_order_without_history() -> None:
    splice = live_splice()
    splice.live(bar(6), 7 * M)
    splice.live(bar(5), 7 * M + 10)
    assert story(splice) == [(5, "live"), (6, "live")]


def test_a_break_is_told_in_its_place_and_backfilled() -> None:
    splice = live_splice()
    splice.live(bar(5), 6 * M)
    splice.broken("reset")
    splice.connected(9 * M + 2_000)
    assert story(splice) == [(5, "live"), "CONNBROKEN", "CONNECTED", "DELAYED"]
    ask = splice.ask(9 * M + 2_000)
    assert ask is not None and ask.span == TimeRange(6 * M, 9 * M) and ask.reason == "break"
    splice.live(bar(9), 10 * M)
    splice.answered(ask, ask.span, bars(6, 9), 10 * M, done=True)
    assert story(splice) == [(6, "backfill"), (7, "backfill"), (8, "backfill"), (9, "live")]
    assert splice.settle(10 * M) == Notice(Status.LIVE)
    assert splice.summary.reconnects == 1 and splice.summary.backfilled == 3


UNREADABLE = HistoryIncomplete("It cannot be a bar.", missing=((5 * M, 6 * M),))


def after_unreadable(tries: int, *, omits_empty: bool = True, gaps: str = "mark") -> Splice:
    """Minute 5 was lost in a break; what history has there cannot be a bar, however often it is asked."""
    splice = live_splice(omits_empty=omits_empty, gaps=gaps)
    splice.broken()
    splice.connected(7 * M + 500)
    now = 7 * M + 500
    for _ in range(tries):
        ask = splice.ask(now)
        assert ask is not None and ask.span.start == 5 * M
        splice.refused(ask, UNREADABLE, now, TimeRange(5 * M, 6 * M))
        now += 31_000
    return splice


@pytest.mark.parametrize("omits_empty", [True, False])
def test_what_cannot_be_a_bar_is_asked_for_six_times_more_and_then_declared(omits_empty: bool) -> None:
    assert "UNKNOWN" not in story(after_unreadable(6, omits_empty=omits_empty))
    splice = after_unreadable(7, omits_empty=omits_empty)
    payloads = [item.payload for item in iter(splice.take, None) if isinstance(item, Notice) and item.payload]
    assert payloads == [Gap(5 * M, 6 * M, "what the venue has here cannot be a bar")]
    assert splice.error is None and splice.due == 6 * M
    ask = splice.ask(11 * M)
    assert ask is not None and ask.span.start == 6 * M
    splice.answered(ask, ask.span, [bar(6), bar(7), bar(8), bar(9), bar(10)], 11 * M, done=True)
    assert story(splice)[:2] == [(6, "backfill"), (7, "backfill")]


def test_what_cannot_be_a_bar_is_waited_for_or_ends_the_feed_as_the_policy_says() -> None:
    held = after_unreadable(7, gaps="hold")
    assert held.due == 5 * M and held.error is None
    stopped = after_unreadable(7, gaps="stop")
    assert story(stopped)[-2:] == ["NOTSUBSCRIBED", "DISCONNECTED"] or story(stopped)[-1:] == []
    assert isinstance(stopped.error, HistoryIncomplete)


def test_a_feed_that_began_by_a_clock_ten_minutes_ahead_begins_now() -> None:
    splice = Splice(MINUTE, None, name="x")
    splice.begin(15 * M + 500)
    splice.connected(15 * M + 600)
    assert splice.due == 15 * M
    check = splice.ask(15 * M + 700)
    assert check is not None
    splice.answered(check, check.span, [], 15 * M + 800, done=True)
    splice.clock_moved(-10 * M)
    assert splice.due == 5 * M and splice.deadline() == 6 * M + 5_000
    splice.live(bar(5), 6 * M + 50)
    assert story(splice) == ["DELAYED", (5, "live")]
    splice.clock_moved(-2 * M)
    assert splice.due == 6 * M, "what was given is given"


def test_the_look_whether_there_is_such_a_symbol_steps_over_no_bar_that_is_due() -> None:
    splice = make(None)
    splice.connected(5 * M + 1_000)
    first = splice.ask(5 * M + 1_000)
    assert first is not None and first.span == TimeRange(4 * M, 5 * M)
    splice.refused(first, NetworkError("no", "", ""), 5 * M + 2_000)
    splice.broken()
    splice.connected(8 * M + 500)
    splice.live(bar(8), 9 * M + 50)
    again = splice.ask(9 * M + 60)
    assert again is not None and again.span == TimeRange(4 * M, 5 * M)
    splice.answered(again, again.span, [bar(4)], 9 * M + 70, done=True)
    missing = splice.ask(9 * M + 80)
    assert missing is not None and missing.span == TimeRange(5 * M, 9 * M)
    splice.answered(missing, missing.span, bars(5, 9), 9 * M + 90, done=True)
    told = story(splice)
    assert [said for said in told if not isinstance(said, str)] == [
        (5, "history"), (6, "history"), (7, "history"), (8, "live"),
    ]  # fmt: skip
    assert splice.summary.dropped_duplicates == 0 and splice.summary.declared == 0


def test_a_look_that_failed_is_repeated_after_its_pause_and_not_at_the_end_of_the_bar() -> None:
    hour = Splice(Timeframe.parse("1h"), None, name="x")
    hour.begin(M)
    first = hour.ask(M)
    assert first is not None
    hour.connected(M + 500)
    hour.refused(first, NetworkError("no", "", ""), M + 1_000)
    assert hour.deadline() == M + 1_000 + SplicePolicy().retry_ms[0]
    again = hour.ask(M + 1_000 + SplicePolicy().retry_ms[0])
    assert again is not None
    hour.answered(again, again.span, [], 2 * M, done=True)
    assert story(hour) == ["DELAYED"] and hour.settle(2 * M) == Notice(Status.LIVE)


def test_a_feed_without_history_stays_live_while_history_does_not_answer() -> None:
    splice = make(None)
    splice.connected(5 * M + 1_000)
    told, asked = [], 0
    for second in range(5 * 60 + 1, 35 * 60):
        now = second * 1_000
        if second % 60 == 0:
            splice.live(bar(second // 60 - 1), now + 50)
        if (ask := splice.ask(now)) is not None:
            asked += 1
            splice.refused(ask, NetworkError("no", "", ""), now + 100)
        told += [said for said in story(splice) if isinstance(said, str)]
        if notice := splice.settle(now + 200):
            told.append(notice.status.name)
    assert told == ["DELAYED", "LIVE"]
    assert asked == 6, "until the first bar had come: after 1, 2, 4, 8, 15 and 30 s"


def test_a_gap_that_was_closed_by_bars_that_came_meanwhile_is_told_as_closed() -> None:
    splice = live_splice()
    splice.broken()
    splice.connected(6 * M + 500)
    ask = splice.ask(6 * M + 600)
    assert ask is not None and ask.span == TimeRange(5 * M, 6 * M)
    splice.live(bar(5), 6 * M + 700)
    splice.refused(ask, NetworkError("no", "", ""), 6 * M + 800)
    assert [type(one).__name__ for one in splice.happenings] == ["GapOpened", "GapClosed"]


def test_no_answer_about_a_bar_that_has_come_meanwhile_is_no_trouble() -> None:
    splice = live_splice()
    late = splice.ask(6 * M + 6_000)
    assert late is not None and late.reason == "overdue"
    splice.live(bar(5), 6 * M + 7_000)
    splice.refused(late, NetworkError("no", "", ""), 6 * M + 8_000)
    assert story(splice) == [(5, "live")] and splice.word is Status.LIVE
    assert splice.deadline() == 7 * M + 5_000, "when the next one is overdue"


def test_the_pause_after_a_failure_ends_although_the_clock_was_hours_ahead() -> None:
    splice = Splice(MINUTE, 120 * M, name="x", reckoned_at=125 * M)
    splice.begin(125 * M)
    splice.connected(125 * M + 100)
    first = splice.ask(125 * M + 100)
    assert first is not None
    splice.refused(first, NetworkError("no", "", ""), 125 * M + 200)
    splice.clock_moved(-120 * M)
    again = splice.ask(5 * M + 200 + SplicePolicy().retry_ms[0])
    assert again is not None and again.span == TimeRange(0, 5 * M)


def test_a_history_that_was_reckoned_from_a_clock_ahead_is_asked_for_anew() -> None:
    splice = Splice(MINUTE, 12 * M, name="x", reckoned_at=15 * M + 500)
    splice.begin(15 * M + 500)
    first = splice.ask(15 * M + 500)
    assert first is not None and first.span.start == 12 * M
    splice.clock_moved(-10 * M)
    splice.answered(first, first.span, [], 5 * M + 700, done=True)
    again = splice.ask(5 * M + 700)
    assert again is not None and again.span == TimeRange(2 * M, 5 * M)
    fixed = Splice(MINUTE, 12 * M, name="x")
    fixed.begin(15 * M)
    fixed.clock_moved(-10 * M)
    assert fixed.due == 12 * M, "a beginning that was named stays"


@pytest.mark.parametrize("ms", [1, -1, -M // 2])
def test_what_is_known_to_be_without_trades_is_not_asked_for_again_when_the_clock_is_known_better(ms: int) -> None:
    splice = Splice(MINUTE, 0, name="x", reckoned_at=5 * M + 500)
    splice.begin(5 * M + 500)
    splice.connected(5 * M + 600)
    ask = splice.ask(5 * M + 700)
    assert ask is not None
    splice.answered(ask, ask.span, [], 5 * M + 10_000, done=True)
    assert splice.due == 5 * M
    splice.clock_moved(ms)
    assert splice.due == 5 * M and splice.ask(5 * M + 10_000 + ms) is None
    nothing = Splice(MINUTE, None, name="x")
    nothing.connected(5 * M + 600)
    nothing.quiet(TimeRange(5 * M, 7 * M), 7 * M + 100)
    nothing.clock_moved(ms)
    assert nothing.due == 7 * M


def test_a_network_that_failed_before_is_no_reason_to_give_a_damaged_bar_up() -> None:
    splice = live_splice()
    splice.broken()
    splice.connected(7 * M + 500)
    now = 7 * M + 500
    for _ in range(8):
        ask = splice.ask(now)
        assert ask is not None
        splice.refused(ask, NetworkError("no answer"), now)
        now += 31_000
    ask = splice.ask(now)
    assert ask is not None
    splice.refused(ask, UNREADABLE, now, TimeRange(5 * M, 6 * M))
    assert splice.due == 5 * M


def test_a_clock_that_is_set_back_leaves_nothing_to_do_before_the_bar_has_closed_by_it() -> None:
    splice = live_splice(now=5 * M + 1_000)
    splice.broken()
    splice.connected(6 * M + 500)  # by a clock that was a minute ahead
    now = 5 * M + 700
    assert splice.ask(now) is None
    assert splice.deadline() == 6 * M


def test_a_bar_that_history_does_not_have_yet_is_asked_for_again() -> None:
    splice = live_splice()
    splice.broken()
    splice.connected(6 * M + 500)
    ask = splice.ask(6 * M + 500)
    assert ask is not None
    splice.answered(ask, ask.span, [], 6 * M + 600, done=True)
    assert splice.due == 5 * M
    assert splice.ask(6 * M + 601) is None, "not at once"
    again = splice.ask(6 * M + 1_600)
    assert again is not None and again.span == TimeRange(5 * M, 6 * M)
    splice.answered(again, again.span, [bar(5)], 6 * M + 1_700, done=True)
    assert story(splice) == ["CONNBROKEN", "CONNECTED", "DELAYED", (5, "backfill")]


def test_after_an_answer_that_lagged_a_whole_one_in_pieces_brings_live_back() -> None:
    splice = live_splice()
    splice.broken("cut")
    now = 6 * M + 2_000
    splice.connected(now)
    ask = splice.ask(now)
    assert ask is not None and ask.span == TimeRange(5 * M, 6 * M)
    splice.answered(ask, TimeRange(5 * M, 5 * M), [], now, done=True)  # not there yet
    again = splice.ask(now + 1_000)
    assert again is not None
    splice.answered(again, again.span, [bar(5)], now + 1_100, done=False)
    splice.answered(again, TimeRange(6 * M, 6 * M), [], now + 1_100, done=True)
    assert story(splice) == ["CONNBROKEN", "CONNECTED", "DELAYED", (5, "backfill")]
    assert splice.settle(now + 1_100) == Notice(Status.LIVE)


def test_a_minute_without_trades_is_stepped_over_once_history_is_sure() -> None:
    splice = live_splice()
    now = 6 * M + 11_000
    ask = splice.ask(now)
    assert ask is not None and ask.reason == "overdue" and ask.span == TimeRange(5 * M, 6 * M)
    splice.answered(ask, ask.span, [], now, done=True)
    assert splice.due == 6 * M and story(splice) == []
    assert splice.summary.no_trade == 1
    assert splice.word is Status.LIVE, "a quiet minute is no reason to leave LIVE"


def test_a_missing_row_in_the_middle_is_settled_by_the_later_one() -> None:
    splice = live_splice()
    splice.broken()
    splice.connected(8 * M + 100)
    ask = splice.ask(8 * M + 100)
    assert ask is not None
    splice.answered(ask, ask.span, [bar(5), bar(7)], 8 * M + 150, done=True)
    assert [item for item in story(splice) if isinstance(item, tuple)] == [(5, "backfill"), (7, "backfill")]


def test_a_venue_that_has_a_row_for_every_bar_declares_the_missing_one() -> None:
    splice = live_splice(omits_empty=False)
    splice.broken()
    splice.connected(8 * M + 100)
    ask = splice.ask(8 * M + 100)
    assert ask is not None
    splice.answered(ask, ask.span, [bar(5), bar(7)], 8 * M + 150, done=True)
    items = []
    while (item := splice.take()) is not None:
        items.append(item)
    assert [i.payload for i in items if isinstance(i, Notice) and i.status is Status.UNKNOWN] == [
        Gap(6 * M, 7 * M, "the venue has no bars here")
    ]
    assert splice.summary.declared == 1


def test_an_overdue_bar_that_history_has_is_delivered_and_the_mute_subscription_renewed() -> None:
    splice = live_splice()
    splice.live(bar(5), 6 * M)
    story(splice)
    assert splice.ask(7 * M + 4_999) is None, "within its grace it is not overdue"
    for minute, remedy in ((6, Remedy.RESUBSCRIBE), (7, Remedy.RECONNECT)):
        now = (minute + 1) * M + 5_000
        ask = splice.ask(now)
        assert ask is not None and ask.reason == "overdue"
        splice.answered(ask, ask.span, [bar(minute)], now + 20, done=True)
        assert story(splice) == [(minute, "backfill")]
        assert splice.remedies.pop() is remedy
    assert splice.word is Status.LIVE


def test_a_quiet_flat_row_is_no_proof_of_a_mute_subscription() -> None:
    splice = live_splice(omits_empty=False)
    ask = splice.ask(6 * M + 5_000)
    assert ask is not None
    splice.answered(ask, ask.span, [bar(5, volume=0.0)], 6 * M + 5_020, done=True)
    assert story(splice) == [(5, "backfill")]
    assert splice.remedies == []


def test_a_stream_that_showed_the_bar_forming_is_not_mute() -> None:
    splice = live_splice()
    splice.silence.seen = 6 * M
    splice.live(bar(5), 6 * M)
    ask = splice.ask(7 * M + 5_000)
    assert ask is not None
    splice.answered(ask, ask.span, [bar(6)], 7 * M + 5_020, done=True)
    assert splice.remedies == []


def test_a_bar_of_the_stream_clears_the_suspicion() -> None:
    splice = live_splice()
    splice.live(bar(5), 6 * M)
    for minute in (6, 8):
        now = (minute + 1) * M + 5_000
        ask = splice.ask(now)
        assert ask is not None
        splice.answered(ask, ask.span, [bar(minute)], now, done=True)
        splice.live(bar(minute + 1), (minute + 2) * M)
    assert splice.remedies == [Remedy.RESUBSCRIBE, Remedy.RESUBSCRIBE]


def test_when_history_fails_the_feed_is_delayed_and_asks_again_later() -> None:
    splice = live_splice()
    now = 6 * M + 5_000
    ask = splice.ask(now)
    assert ask is not None
    splice.refused(ask, NetworkError("no answer"), now)
    assert story(splice) == ["DELAYED"]
    assert splice.ask(now + 999) is None
    again = splice.ask(now + 1_000)
    assert again is not None
    splice.refused(again, NetworkError("no answer"), now + 1_000)
    assert splice.ask(now + 2_999) is None, "the second wait is twice the first"
    assert splice.ask(now + 3_000) is not None


def test_an_unknown_symbol_ends_the_stream() -> None:
    splice = make()
    ask = splice.ask(5 * M)
    assert ask is not None
    splice.refused(ask, UnknownSymbol("no such symbol"), 5 * M)
    assert story(splice) == ["DELAYED", "NOTSUBSCRIBED", "DISCONNECTED"]
    assert splice.finished and splice.ask(9 * M) is None


def test_an_unsupported_timeframe_is_the_first_word() -> None:
    splice = make()
    splice.refuse(UnsupportedTimeframe("no 7s"))
    assert story(splice) == ["NOTSUPPORTED_TF", "DISCONNECTED"]


def test_after_a_break_a_refusal_goes_straight_to_disconnected() -> None:
    splice = live_splice()
    splice.broken("reset")
    splice.refuse(UnknownSymbol("delisted"))
    assert story(splice) == ["CONNBROKEN", "DISCONNECTED"]


def test_a_bar_from_the_future_is_rejected() -> None:
    splice = live_splice()
    splice.live(bar(9), 6 * M)
    assert story(splice) == [] and splice.ask(6 * M) is None
    assert isinstance(splice.happenings[-1], monitor.FrameRejected)


def test_a_corrected_bar_is_told_but_not_delivered_again() -> None:
    splice = live_splice()
    splice.live(bar(5), 6 * M)
    story(splice)
    splice.revised(bar(5, close=1.25))
    item = splice.take()
    assert isinstance(item, Notice) and item.payload == Correction(bar(5), bar(5, close=1.25))
    assert splice.take() is None and splice.summary.corrected == 1


def test_a_bar_that_is_gone_is_told_as_a_correction_to_nothing() -> None:
    splice = live_splice()
    splice.live(bar(5), 6 * M)
    story(splice)
    nothing = msgspec.structs.replace(bar(5), volume=0.0, trades=0)
    splice.revised(nothing, gone=True)
    item = splice.take()
    assert isinstance(item, Notice) and item.payload == Correction(bar(5), nothing)
    assert item.payload.gone and not Correction(bar(5), bar(5, close=1.25)).gone
    assert splice.take() is None and splice.summary.declared == 0


def test_a_bar_that_is_gone_while_it_waits_is_left_to_history() -> None:
    splice = live_splice()
    splice.live(bar(6), 7 * M)  # five is lacking
    splice.revised(msgspec.structs.replace(bar(6), volume=0.0, trades=0), gone=True)
    ask = splice.ask(7 * M + 5_000)
    assert ask is not None and ask.span == TimeRange(5 * M, 7 * M)
    splice.answered(ask, TimeRange(5 * M, 6 * M), [bar(5)], 7 * M + 5_000, done=True)
    assert [entry[0] for entry in story(splice) if isinstance(entry, tuple)] == [5]


def test_a_bar_that_is_gone_and_was_never_given_is_no_news() -> None:
    splice = live_splice()
    splice.live(bar(5), 6 * M)
    ask = splice.ask(7 * M + 15_000)
    assert ask is not None
    splice.answered(ask, ask.span, [], 7 * M + 15_000, done=True)
    story(splice)
    splice.revised(msgspec.structs.replace(bar(6), volume=0.0, trades=0), gone=True)
    assert splice.take() is None and splice.summary.declared == 0


def test_a_slow_strategy_is_told_delayed_and_live_again() -> None:
    splice = live_splice()
    for minute in (5, 6, 7):
        splice.live(bar(minute), (minute + 1) * M)
    assert story(splice) == ["DELAYED", (5, "live"), (6, "live"), (7, "live")]
    assert splice.settle(8 * M) == Notice(Status.LIVE)


def test_a_bar_that_waited_for_a_busy_strategy_is_not_handed_over_under_live() -> None:
    splice = live_splice()
    splice.live(bar(5), 9 * M)
    assert story(splice) == ["DELAYED", (5, "live")]


def test_the_end_of_the_asked_range_ends_the_stream() -> None:
    splice = make(until=3 * M)
    ask = splice.ask(5 * M)
    assert ask is not None
    splice.answered(ask, ask.span, bars(0, 5), 5 * M, done=True)
    assert story(splice) == ["DELAYED", (0, "history"), (1, "history"), (2, "history"), "DISCONNECTED"]


def test_a_long_history_is_asked_in_pieces() -> None:
    splice = make(now=25 * M, policy=SplicePolicy(ask_bars=10))
    ask = splice.ask(25 * M)
    assert ask is not None and ask.span == TimeRange(0, 10 * M)
    splice.answered(ask, ask.span, bars(0, 10), 25 * M, done=True)
    ask = splice.ask(25 * M)
    assert ask is not None and ask.span == TimeRange(10 * M, 20 * M)


def test_a_late_answer_to_an_older_question_changes_nothing() -> None:
    splice = make()
    ask = splice.ask(5 * M)
    assert ask is not None
    splice.answered(ask, ask.span, bars(0, 5), 5 * M, done=True)
    story(splice)
    splice.answered(ask, TimeRange(5 * M, 9 * M), bars(5, 9), 9 * M, done=True)
    assert story(splice) == []


def test_without_backfill_a_hole_is_declared_and_stepped_over() -> None:
    splice = make(None, backfill=False)
    splice.connected(5 * M)
    splice.live(bar(5), 6 * M)
    splice.live(bar(8), 9 * M)
    assert story(splice) == ["DELAYED", (5, "live"), "UNKNOWN", (8, "live")]
    assert splice.happenings == [monitor.GapDeclared("", "x", 6 * M, 8 * M, 2, "history is not asked")]
    assert splice.ask(20 * M) is None


def test_without_backfill_the_first_history_is_asked_for_all_the_same() -> None:
    splice = make(0, backfill=False)
    splice.connected(5 * M + 1_000)
    ask = splice.ask(5 * M + 1_000)
    assert ask is not None and ask.span == TimeRange(0, 5 * M)
    splice.answered(ask, ask.span, bars(0, 5), 5 * M + 1_100, done=True)
    assert [item for item in story(splice) if isinstance(item, tuple)] == [(m, "history") for m in range(5)]
    assert splice.settle(5 * M + 1_200) == Notice(Status.LIVE)
    splice.broken()
    splice.connected(8 * M + 100)
    assert splice.ask(8 * M + 200) is None
    splice.live(bar(8), 9 * M)
    assert story(splice) == ["CONNBROKEN", "UNKNOWN", "CONNECTED", "DELAYED", (8, "live")]


def test_too_many_waiting_bars_are_let_go_and_asked_for() -> None:
    splice = live_splice(policy=SplicePolicy(held_bars=3))
    for minute in range(6, 12):
        splice.live(bar(minute), (minute + 1) * M)
    ask = splice.ask(12 * M)
    assert ask is not None
    splice.answered(ask, ask.span, bars(5, 12), 12 * M, done=True)
    assert [item for item in story(splice) if isinstance(item, tuple)] == [
        (5, "backfill"),
        (6, "backfill"),
        (7, "backfill"),
        (8, "backfill"),
        (9, "backfill"),
        (10, "live"),
        (11, "live"),
    ] or splice.due == 12 * M


@pytest.mark.parametrize("seed", range(20))
def test_every_story_is_a_word_of_the_automaton_and_each_bar_comes_once(seed: int) -> None:
    import random

    chance = random.Random(seed)
    splice = make(now=3 * M)
    now, minute = 3 * M, 2
    words: list[Status] = []
    got: list[int] = []

    def drain() -> None:
        while (item := splice.take(0)) is not None:
            if isinstance(item, Delivery):
                got.append(item.bar.open_time // M)
            else:
                words.append(item.status)
        if (word := splice.settle(now)) is not None:
            words.append(word.status)

    for _ in range(200):
        now += chance.choice((500, 10_000, 30_000))
        while (minute + 1) * M + M <= now:
            minute += 1
            if splice.online and chance.random() < 0.8:
                splice.live(bar(minute), now)
        choice = chance.random()
        if choice < 0.1:
            splice.broken("cut")
        elif choice < 0.3:
            splice.connected(now)
        elif (ask := splice.ask(now)) is not None:
            if chance.random() < 0.2:
                splice.refused(ask, NetworkError("x"), now)
            else:
                known = [bar(m) for m in range(ask.span.start // M, min(ask.span.end // M, minute + 1))]
                splice.answered(ask, ask.span, known, now, done=True)
        drain()
    assert got == list(range(got[0], got[0] + len(got))) and got[0] == 0 and len(got) > 20
    before = None
    for word in words:
        assert allowed(before, word), words
        before = word


def gap_of_minute_six(gaps: str) -> Splice:
    """A venue with a row for every bar lacks minute 6 after a break."""
    splice = live_splice(omits_empty=False, gaps=gaps)
    splice.broken()
    splice.connected(8 * M + 100)
    story(splice)
    ask = splice.ask(8 * M + 100)
    assert ask is not None
    splice.answered(ask, ask.span, [bar(5), bar(7)], 8 * M + 150, done=True)
    return splice


def test_a_marked_gap_is_told_in_its_place_and_to_the_monitor() -> None:
    splice = gap_of_minute_six("mark")
    got = []
    while (item := splice.take()) is not None:
        got.append(item)
    assert [i.bar.open_time // M for i in got if isinstance(i, Delivery)] == [5, 7]
    assert got[1] == Notice(Status.UNKNOWN, "gap", Gap(6 * M, 7 * M, "the venue has no bars here"))
    declared = [event for event in splice.happenings if isinstance(event, monitor.GapDeclared)]
    assert declared == [monitor.GapDeclared("", "x", 6 * M, 7 * M, 1, "the venue has no bars here")]
    assert splice.summary.declared == 1


def test_filled_gaps_are_flat_bars_at_the_last_close_and_told_before() -> None:
    splice = gap_of_minute_six("fill")
    assert story(splice) == [(5, "backfill"), "UNKNOWN", (6, "filled"), (7, "backfill")]


def test_fill_also_fills_minutes_without_trades_and_declares_nothing() -> None:
    splice = live_splice(gaps="fill")
    splice.live(bar(7), 8 * M + 10)
    ask = splice.ask(8 * M + 10)
    assert ask is not None
    splice.answered(ask, ask.span, [bar(7)], 8 * M + 60, done=True)
    told = []
    while (item := splice.take()) is not None:
        told.append(item)
    filled = [item.bar for item in told if isinstance(item, Delivery) and item.source == "filled"]
    assert filled == [Bar(minute * M, 1.5, 1.5, 1.5, 1.5, 0.0, 0) for minute in (5, 6)]
    assert [item.status for item in told if isinstance(item, Notice)] == [Status.DELAYED]
    assert splice.summary.no_trade == 2 and splice.summary.declared == 0


def test_a_bar_that_turns_up_behind_its_filling_is_told_as_a_correction() -> None:
    splice = gap_of_minute_six("fill")
    story(splice)
    splice.live(bar(6), 8 * M + 200)
    notice = splice.take()
    assert isinstance(notice, Notice) and isinstance(notice.payload, Correction)
    assert notice.payload.before.volume == 0 and notice.payload.after == bar(6)


def test_nothing_is_filled_or_declared_behind_the_end_of_the_asked_range() -> None:
    splice = make(now=20 * M, omits_empty=False, gaps="fill", until=8 * M)
    ask = splice.ask(20 * M)
    assert ask is not None
    splice.answered(ask, ask.span, bars(0, 6), 20 * M, done=True)
    got = []
    while (item := splice.take()) is not None:
        got.append(item.bar.open_time // M if isinstance(item, Delivery) else item.payload)
    assert got == [None, 0, 1, 2, 3, 4, 5, Gap(6 * M, 8 * M, "the venue has no bars here"), 6, 7, None]


def test_a_held_gap_waits_and_asks_again() -> None:
    splice = gap_of_minute_six("hold")
    assert [i for i in story(splice) if isinstance(i, tuple)] == [(5, "backfill")]
    again = splice.ask(8 * M + 1_200)
    assert again is not None and again.span.start == 6 * M
    splice.answered(again, again.span, [bar(6), bar(7)], 8 * M + 1_300, done=True)
    assert story(splice) == [(6, "backfill"), (7, "backfill")]


def test_asked_in_vain_no_more_is_asked_for_than_what_is_missing_and_the_bar_that_would_prove_it() -> None:
    splice = live_splice(omits_empty=False, gaps="hold")
    for minute in (6, 7, 8, 9):
        splice.live(bar(minute), (minute + 1) * M)
    ask = splice.ask(10 * M + 1_000)
    assert ask is not None and ask.span == TimeRange(5 * M, 10 * M), "there may be more than one hole"
    splice.answered(ask, ask.span, bars(6, 10), 10 * M + 1_100, done=True)
    again = splice.ask(10 * M + 2_100)
    assert again is not None and again.span == TimeRange(5 * M, 7 * M)
    splice.answered(again, again.span, bars(5, 7), 10 * M + 2_200, done=True)
    assert [item for item in story(splice) if isinstance(item, tuple)] == [
        (5, "backfill"), (6, "live"), (7, "live"), (8, "live"), (9, "live"),
    ]  # fmt: skip


def test_while_a_gap_is_held_open_the_word_is_delayed() -> None:
    splice = live_splice(omits_empty=False, gaps="hold")
    now = 6 * M + 12_000  # minute 5 is long overdue, and history has not got it
    ask = splice.ask(now)
    assert ask is not None and ask.reason == "overdue"
    splice.answered(ask, ask.span, [], now, done=True)
    assert story(splice) == ["DELAYED"] and splice.settle(now + 500) is None
    splice.live(bar(6), 7 * M + 50)
    assert story(splice) == [] and splice.settle(7 * M + 60) is None
    splice.live(bar(5), 7 * M + 100)
    assert story(splice) == [(5, "live"), (6, "live")]
    assert splice.settle(7 * M + 200) == Notice(Status.LIVE)


def test_a_gap_stops_the_feed_where_asked() -> None:
    splice = gap_of_minute_six("stop")
    assert story(splice) == [(5, "backfill"), "UNKNOWN", "NOTSUBSCRIBED", "DISCONNECTED"]
    assert splice.error is not None and splice.error.line().startswith("x: the venue has no bars for")
    assert splice.summary.backfilled == 1, "what lies behind the gap was not taken"


def test_a_gap_before_the_first_bar_of_the_venue_stops_and_holds_nothing() -> None:
    for gaps in ("stop", "hold", "fill"):
        splice = make(omits_empty=False, gaps=gaps)
        ask = splice.ask(5 * M + 1_000)
        assert ask is not None
        splice.answered(ask, ask.span, bars(3, 5), 5 * M + 1_000, done=True)
        assert story(splice) == ["DELAYED", "UNKNOWN", (3, "history"), (4, "history")]


def test_an_earlier_run_is_continued_behind_its_last_bar() -> None:
    splice = Splice(MINUTE, 0, name="x", after=bar(7), omits_empty=False, gaps="fill")
    splice.begin(12 * M)
    ask = splice.ask(12 * M)
    assert ask is not None and ask.span == TimeRange(8 * M, 12 * M)
    splice.answered(ask, ask.span, [bar(10)], 12 * M, done=True)
    assert story(splice) == ["DELAYED", "UNKNOWN", (8, "filled"), (9, "filled"), (10, "history")]


def test_minutes_that_the_stream_proves_quiet_need_no_history() -> None:
    splice = live_splice()
    due = splice.due or 0
    splice.quiet(TimeRange(due, due + 3 * M), due + 3 * M)
    assert splice.due == due + 3 * M and splice.summary.no_trade == 3
    assert splice.ask(due + 3 * M + 1_000) is None


def test_a_busy_strategy_gets_the_filling_of_quiet_minutes_late_and_not_under_live() -> None:
    splice = live_splice(gaps="fill")
    splice.quiet(TimeRange(5 * M, 7 * M), 11 * M)
    assert story(splice) == ["DELAYED", (5, "filled"), (6, "filled")]


def test_quiet_minutes_behind_a_missing_bar_are_stepped_over_once_history_gave_it() -> None:
    splice = live_splice()
    due = splice.due or 0
    splice.quiet(TimeRange(due + M, due + 2 * M), due + 2 * M)
    splice.quiet(TimeRange(due + 2 * M, due + 3 * M), due + 3 * M)
    assert splice.due == due
    ask = splice.ask(due + M + 30_000)
    assert ask is not None
    splice.answered(ask, ask.span, [bar(due // M)], due + M + 30_000, done=True)
    assert splice.due == due + 3 * M
