from __future__ import annotations

import threading
import time

import backtrader as bt

from btfeeds.cerebro.wake import Seat, Wake, wake_of
from btfeeds.clock import ManualClock
from btfeeds.live.items import Delivery, Notice
from btfeeds.live.status import Status
from btfeeds.market import Timeframe
from tests.fakes import MINUTE, NOON, FakeStream, bar


def seat(settled: int = NOON, *, align: float = 0.0, timeframe: str = "1m", live: bool = True) -> Seat:
    stream = FakeStream(settled=settled, timeframe=timeframe)
    stream.live = live
    made = Seat(stream, Timeframe.parse(timeframe), ManualClock(NOON), round(align * 1000))
    made.in_history = not live
    return made


def table(*seats: Seat) -> Wake:
    wake = Wake()
    for one in seats:
        wake.join(one)
    return wake


def never() -> bool:
    return False


def hold(one: Seat, open_time: int) -> None:
    """The seat took a bar from its stream."""
    one.held = Delivery(bar(open_time), "live")
    one.stream.settled = one.timeframe.close(open_time)


def test_only_one_feed_waits_in_a_round() -> None:
    a, b = seat(), seat()
    wake = table(a, b)
    wake.ask(a)
    assert wake.wait(a, 0.0, never)
    wake.ask(b)
    assert not wake.wait(b, 3600, never)


def test_nobody_waits_once_something_was_delivered() -> None:
    a, b = seat(), seat()
    wake = table(a, b)
    wake.ask(a)
    wake.delivered = True
    wake.ask(b)
    assert not wake.wait(b, 3600, never)


def test_a_new_round_begins_with_the_first_feed() -> None:
    a, b = seat(), seat()
    wake = table(a, b)
    assert [wake.ask(one) for one in (a, b, a, b)] == [True, False, True, False]


def test_a_feed_that_takes_another_stream_keeps_its_turn_in_the_round() -> None:
    a, b = seat(), seat()
    wake = table(a, b)
    assert wake.ask(a)
    following = seat()
    wake.join(following, a)
    wake.delivered = True
    assert wake.seats == [following, b]
    assert [wake.ask(one) for one in (b, following, b)] == [False, True, False]


def test_a_feed_that_leaves_in_the_midst_of_a_round_does_not_begin_another() -> None:
    a, b, c = seat(), seat(), seat()
    wake = table(a, b, c)
    assert wake.ask(a)
    wake.delivered = True
    wake.leave(b)
    assert not wake.ask(c)
    assert not wake.wait(c, 3600, never), "what was delivered must not wait"
    assert wake.ask(a)


def test_when_the_first_feed_has_left_rounds_begin_with_the_next() -> None:
    a, b, c = seat(), seat(), seat()
    wake = table(a, b, c)
    wake.ask(a)
    wake.leave(a)
    assert [wake.ask(one) for one in (b, c, b, c)] == [True, False, True, False]


def test_nobody_waits_while_another_feed_has_something() -> None:
    a, b = seat(), seat()
    wake = table(a, b)
    b.stream.items.append(bar(NOON))
    wake.ask(a)
    assert not wake.wait(a, 3600, never)


def test_a_push_ends_the_wait_of_any_feed() -> None:
    a, b = seat(), seat()
    wake = table(a, b)
    wake.ask(a)
    thread = threading.Thread(target=wake.push)
    thread.start()
    assert wake.wait(a, 3600, never)
    thread.join()


def test_a_push_before_the_wait_is_not_lost() -> None:
    a = seat()
    wake = table(a)
    wake.push()
    wake.ask(a)
    assert wake.wait(a, 3600, never)


def test_a_stopped_run_does_not_wait() -> None:
    a = seat()
    wake = table(a)
    wake.ask(a)
    assert wake.wait(a, 3600, lambda: True)


def test_a_deadline_of_any_stream_ends_the_wait() -> None:
    a, b = seat(), seat()
    b.stream.deadline = NOON + 10
    wake = table(a, b)
    wake.ask(a)
    assert wake.wait(a, 3600, never)


def test_the_end_of_a_hold_ends_the_wait() -> None:
    a, b = seat(align=2), seat(align=2)
    a.clock.speed = 1000.0
    wake = table(a, b)
    hold(a, NOON)
    wake.ask(b)
    assert wake.must_hold(a)
    assert wake.wait(b, 3600, never)


def test_a_single_feed_never_holds_its_bars() -> None:
    a = seat(align=2)
    hold(a, NOON)
    assert not table(a).must_hold(a)


def test_without_align_a_live_bar_does_not_wait() -> None:
    a, b = seat(), seat()
    hold(a, NOON)
    assert not table(a, b).must_hold(a)


def test_with_align_a_bar_waits_for_the_bar_of_the_same_instant() -> None:
    a, b = seat(align=2), seat(align=2)
    wake = table(a, b)
    hold(a, NOON)
    assert wake.must_hold(a)
    hold(b, NOON)
    assert not wake.must_hold(a)
    assert not wake.must_hold(b)


def test_with_align_a_bar_waits_no_longer_than_that() -> None:
    a, b = seat(align=2), seat(align=2)
    wake = table(a, b)
    hold(a, NOON)
    assert wake.must_hold(a)
    a.clock.sleep(1_999)
    assert wake.must_hold(a)
    a.clock.sleep(1)
    assert not wake.must_hold(a)


def test_the_bars_of_one_instant_share_one_time_limit() -> None:
    clock = ManualClock(NOON)
    a, b, c = seat(align=2), seat(align=2), seat(align=2)
    a.clock = b.clock = c.clock = clock
    wake = table(a, b, c)
    hold(a, NOON)
    assert wake.must_hold(a)
    clock.advance(1_500)
    hold(b, NOON)
    assert wake.must_hold(b)
    clock.advance(500)
    assert not wake.must_hold(b)


def test_with_align_a_bar_that_will_never_come_is_not_waited_for() -> None:
    a, b = seat(align=2), seat(NOON + MINUTE, align=2)
    hold(a, NOON)
    assert not table(a, b).must_hold(a)


def test_with_align_a_feed_that_is_not_live_is_not_waited_for() -> None:
    a, b = seat(align=2), seat(align=2)
    b.stream.live = False
    hold(a, NOON)
    assert not table(a, b).must_hold(a)


def test_an_hour_is_waited_for_only_where_it_ends() -> None:
    a, b = seat(align=2), seat(NOON, align=2, timeframe="1h")
    wake = table(a, b)
    hold(a, NOON)
    assert not wake.must_hold(a)
    hold(a, NOON + 59 * MINUTE)
    assert wake.must_hold(a)


def test_no_history_runs_ahead_of_another() -> None:
    a, b = seat(live=False), seat(live=False)
    wake = table(a, b)
    hold(a, NOON)
    assert wake.must_hold(a)
    hold(b, NOON)
    assert not wake.must_hold(a)


def test_a_history_that_pulled_a_later_bar_lets_an_older_one_of_another_go_first() -> None:
    a, b = seat(live=False), seat(live=False)
    wake = table(a, b)
    hold(a, NOON)
    hold(b, NOON + MINUTE)  # it was listed later, or nobody traded
    assert not wake.must_hold(a)
    assert wake.must_hold(b)
    a.held = None
    assert wake.must_hold(b), "the next one may belong before it, too"
    hold(a, NOON + MINUTE)
    assert not wake.must_hold(b)


def test_nobody_waits_while_a_bar_that_was_held_may_go() -> None:
    a, b = seat(live=False), seat(live=False)
    wake = table(a, b)
    hold(a, NOON)
    hold(b, NOON + MINUTE)
    wake.ask(a)
    assert not wake.wait(b, 3600, never)


def test_a_held_bar_is_looked_at_again_soon_although_nothing_comes() -> None:
    a, b = seat(live=False), seat(live=False)
    wake = table(a, b)
    hold(a, NOON)
    wake.ask(b)
    begun = time.monotonic()
    assert wake.wait(b, 3600, never)
    assert time.monotonic() - begun < 60


def test_while_a_connection_is_broken_history_goes_on_and_is_waited_for() -> None:
    a, b = seat(live=False), seat(NOON - 9 * MINUTE, live=False)
    wake = table(a, b)
    b.hear(Status.CONNBROKEN)
    hold(a, NOON - 5 * MINUTE)
    assert wake.must_hold(a)
    b.hear(Status.CONNECTED)
    b.hear(Status.DELAYED)
    assert wake.must_hold(a)
    b.hear(Status.LIVE)
    assert not wake.must_hold(a)


def test_what_can_only_come_live_is_not_waited_for_while_the_connection_is_broken() -> None:
    a, b = seat(live=False), seat(NOON, live=False)  # history has given all that was there at noon, when it began
    wake = table(a, b)
    hold(a, NOON)
    assert wake.must_hold(a)
    b.hear(Status.CONNBROKEN)
    assert not wake.must_hold(a)
    b.clock.advance(MINUTE)
    b.hear(Status.CONNECTED)
    assert wake.must_hold(a), "history has the minute that was missed"
    b.hear(Status.CONNBROKEN)
    assert wake.must_hold(a), "and goes on to bring it"


def test_a_larger_bar_may_come_when_the_other_histories_are_beyond_its_end() -> None:
    a, b = seat(live=False), seat(NOON + 5 * MINUTE, live=False)
    wake = table(a, b)
    end = NOON + 5 * MINUTE
    hold(a, NOON + 3 * MINUTE)
    assert wake.behind(end, b)
    hold(a, NOON + 4 * MINUTE)  # it closes together with the larger bar
    assert wake.behind(end, b)
    a.held = None
    assert not wake.behind(end, b)


def repairing(one: Seat) -> None:
    """Its connection was broken, and is there again."""
    one.stream.live = False
    for word in (Status.CONNBROKEN, Status.CONNECTED, Status.DELAYED):
        one.hear(word)


def mend(one: Seat, open_time: int) -> None:
    hold(one, open_time)
    one.held = Delivery(bar(open_time), "backfill")


def test_with_align_the_bars_that_repair_a_break_come_in_step() -> None:
    a, b = seat(align=2), seat(align=2)
    wake = table(a, b)
    repairing(a)
    repairing(b)
    mend(a, NOON)
    assert wake.must_hold(a)
    mend(b, NOON + MINUTE)
    assert not wake.must_hold(a)
    assert wake.must_hold(b)


def test_without_align_the_bars_that_repair_a_break_do_not_wait() -> None:
    a, b = seat(), seat()
    repairing(a)
    repairing(b)
    mend(a, NOON)
    assert not table(a, b).must_hold(a)


def test_with_align_a_feed_whose_connection_is_still_broken_is_not_waited_for() -> None:
    a, b = seat(align=2), seat(align=2)
    repairing(a)
    b.stream.live = False
    b.hear(Status.CONNBROKEN)
    mend(a, NOON)
    assert not table(a, b).must_hold(a)


def test_with_align_a_live_bar_waits_for_a_repair_no_longer_than_asked_for() -> None:
    a, b = seat(align=1), seat(align=1)
    wake = table(a, b)
    repairing(b)
    hold(a, NOON)
    assert wake.must_hold(a)
    a.clock.advance(1_000)
    assert not wake.must_hold(a)


class Wall:
    """Seconds of the wall that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def beginner(wall: Wall, host: str, turn_ms: float = 0.0) -> Seat:
    """A seat whose history has not begun to come."""
    return Seat(FakeStream(settled=NOON), Timeframe.parse("1m"), ManualClock(NOON), 0, host=host, turn_ms=turn_ms,
                wall=wall)  # fmt: skip


def test_a_venue_that_gives_nothing_keeps_the_bars_of_another_for_two_seconds_at_most() -> None:
    wall = Wall()
    up, hangs = beginner(wall, "kraken"), beginner(wall, "coinbase")
    wake = table(up, hangs)
    hold(up, NOON)
    assert wake.must_hold(up)
    wall.seconds += 2.0
    assert wake.must_hold(up)
    wall.seconds += 0.1
    assert not wake.must_hold(up)


def test_a_venue_that_wants_time_between_requests_gets_it() -> None:
    wall = Wall()
    up, slow = beginner(wall, "kraken"), beginner(wall, "massive", turn_ms=12_000)
    hold(up, NOON)
    wake = table(up, slow)
    wall.seconds += 13.9
    assert wake.must_hold(up)
    wall.seconds += 0.2
    assert not wake.must_hold(up)


def test_while_a_venue_answers_the_next_of_its_feeds_is_waited_for() -> None:
    wall = Wall()
    up, first, second = beginner(wall, "kraken"), beginner(wall, "coinbase"), beginner(wall, "coinbase")
    hold(up, NOON)
    wake = table(up, first, second)
    wall.seconds += 1.9
    first.stream.push(bar(NOON + MINUTE))
    first.pull()
    wall.seconds += 1.9
    assert wake.must_hold(up), "coinbase answers, and the second feed has its turn"
    wall.seconds += 0.2
    assert not wake.must_hold(up)


def test_a_history_that_has_begun_is_waited_for_a_minute_when_it_does_not_move() -> None:
    wall = Wall()
    up, slow = beginner(wall, "kraken"), beginner(wall, "coinbase")
    wake = table(up, slow)
    slow.stream.push(bar(NOON))
    slow.pull()
    assert slow.pull() is None
    hold(up, NOON + MINUTE)
    wall.seconds += 60.0
    assert wake.must_hold(up)
    wall.seconds += 0.1
    assert not wake.must_hold(up)


def test_a_feed_that_has_been_live_waits_two_seconds_for_a_history_that_hangs() -> None:
    wall = Wall()
    up, slow = beginner(wall, "kraken"), beginner(wall, "coinbase")
    wake = table(up, slow)
    slow.stream.push(bar(NOON))
    slow.pull()
    slow.pull()
    up.hear(Status.LIVE)
    hold(up, NOON + MINUTE)
    wall.seconds += 2.0
    assert wake.must_hold(up)
    wall.seconds += 0.1
    assert not wake.must_hold(up)


def test_a_live_bar_does_not_wait_for_an_older_one_that_waits_for_a_history_that_hangs() -> None:
    wall = Wall()
    up, begun, slow = beginner(wall, "kraken"), beginner(wall, "okx"), beginner(wall, "coinbase")
    wake = table(up, begun, slow)
    slow.stream.push(bar(NOON))
    slow.pull()
    slow.pull()
    up.hear(Status.LIVE)
    hold(begun, NOON + MINUTE)
    hold(up, NOON + 2 * MINUTE)
    wall.seconds += 2.1
    assert wake.must_hold(begun), "history waits longer"
    assert not wake.must_hold(up)


def test_time_that_the_strategy_takes_is_not_counted_against_a_history() -> None:
    wall = Wall()
    up, other = beginner(wall, "kraken"), beginner(wall, "coinbase")
    wake = table(up, other)
    up.hear(Status.LIVE)
    other.stream.push(bar(NOON))
    other.pull()
    hold(up, NOON + MINUTE)
    wall.seconds += 10.0  # next() of the strategy
    assert wake.must_hold(up), "it has not been asked again yet"
    assert other.pull() is None
    assert wake.must_hold(up), "it has been asked just now"
    wall.seconds += 2.1
    assert not wake.must_hold(up)


def test_a_repair_that_hangs_is_waited_for_two_seconds() -> None:
    wall = Wall()
    up, hangs = beginner(wall, "kraken"), beginner(wall, "coinbase")
    for one in (up, hangs):
        one.align_ms = 2_000
        one.hear(Status.LIVE)
    wall.seconds += 1_000.0
    for one in (up, hangs):
        repairing(one)
    wake = table(up, hangs)
    mend(up, NOON)
    wall.seconds += 2.0
    assert wake.must_hold(up)
    wall.seconds += 0.1
    assert not wake.must_hold(up)


def test_a_history_that_moves_again_is_waited_for_again() -> None:
    wall = Wall()
    up, slow = beginner(wall, "kraken"), beginner(wall, "coinbase")
    wake = table(up, slow)
    hold(up, NOON + 5 * MINUTE)
    wall.seconds += 5.0
    assert not wake.must_hold(up)
    slow.stream.push(bar(NOON))
    slow.pull()
    assert wake.must_hold(up)


def test_a_feed_that_has_ended_is_not_waited_for() -> None:
    a, b = seat(live=False), seat(live=False)
    b.stream.finished = True
    hold(a, NOON)
    assert not table(a, b).must_hold(a)


def test_each_cerebro_has_one_wake() -> None:
    one, other = bt.Cerebro(), bt.Cerebro()
    assert wake_of(one) is wake_of(one)
    assert wake_of(one) is not wake_of(other)


def test_a_stream_that_gave_all_is_left_alone_until_something_comes() -> None:
    quiet = seat()
    assert quiet.pull() is None and quiet.resting
    quiet.stream.push(bar(NOON))
    assert not quiet.resting
    assert quiet.pull() == Delivery(bar(NOON), "live")
    assert not quiet.resting, "LIVE may follow a bar, so one more pull is due"


def test_a_stream_that_gave_all_is_pulled_again_when_its_deadline_has_passed() -> None:
    quiet = seat()
    quiet.stream.deadline = NOON + 5_000
    quiet.pull()
    assert quiet.resting
    quiet.clock.advance(5_000)
    assert not quiet.resting


def test_a_deadline_that_moved_is_noticed_before_the_next_wait() -> None:
    quiet = seat()
    quiet.pull()
    quiet.stream.deadline = NOON
    wake = table(quiet)
    wake.ask(quiet)
    assert wake.wait(quiet, 3600, never), "the passed deadline ends the wait"
    assert not quiet.resting


def test_the_last_live_bar_of_all_waits_for_the_others_too() -> None:
    a, b = seat(align=2.0), seat(align=2.0)
    a.stream.live = False  # its stream has reached the end of the asked range
    hold(a, NOON)
    assert table(a, b).must_hold(a)


def test_handing_over_what_is_at_hand_is_no_movement_of_a_history_that_hangs() -> None:
    wall = Wall()
    one, hanging = beginner(wall, "kraken"), beginner(wall, "kraken")
    wake = table(one, hanging)
    for minute in range(3):
        one.stream.push(bar(NOON + minute * MINUTE))
    one.held = one.pull()  # type: ignore[assignment]
    wall.seconds += 2.1
    assert not wake.must_hold(one)
    one.held = None
    one.held = one.pull()  # type: ignore[assignment]
    assert not wake.must_hold(one), "it is of the same page"


def test_a_link_that_comes_and_goes_is_not_waited_for_without_end() -> None:
    wall = Wall()
    begun, flapping = beginner(wall, "kraken"), beginner(wall, "okx")
    wake = table(begun, flapping)
    flapping.stream.push(bar(NOON))
    flapping.pull()
    flapping.pull()
    begun.moved = True
    hold(begun, NOON + MINUTE)
    held = []
    for _ in range(6):
        flapping.hear(Status.CONNBROKEN)
        flapping.hear(Status.CONNECTED)
        flapping.hear(Status.DELAYED)
        wall.seconds += 30
        held.append(wake.must_hold(begun))
    assert held[0] and not held[-1]


def speak(one: Seat, *words: Status) -> None:
    """The stream says these, and then nothing; the feed passes them on."""
    one.stream.push(*[Notice(word) for word in words])
    while isinstance(item := one.pull(), Notice):
        one.hear(item.status)


def test_words_of_a_link_that_comes_and_goes_are_no_movement_of_a_history_that_has_begun() -> None:
    wall = Wall()
    up, halted = beginner(wall, "kraken"), beginner(wall, "okx")
    wake = table(up, halted)
    halted.stream.push(bar(NOON))
    halted.pull()
    halted.pull()
    hold(up, NOON + MINUTE)
    wall.seconds += 1.0
    kept = []
    for _ in range(4):
        speak(halted, Status.CONNBROKEN)
        speak(halted, Status.CONNECTED, Status.DELAYED)
        wall.seconds += 30.0
        kept.append(wake.must_hold(up))
    assert kept == [True, True, False, False], "a minute since the link was there again for the first time"


def test_words_of_a_venue_whose_history_has_not_begun_are_no_movement() -> None:
    wall = Wall()
    up, down = beginner(wall, "kraken"), beginner(wall, "okx")
    wake = table(up, down)
    hold(up, NOON)
    wall.seconds += 1.5
    speak(down, Status.CONNBROKEN)
    speak(down, Status.CONNECTED, Status.DELAYED)
    assert wake.must_hold(up)
    wall.seconds += 1.0
    assert not wake.must_hold(up)


def test_a_page_that_ends_with_a_word_is_a_movement() -> None:
    wall = Wall()
    up, other = beginner(wall, "kraken"), beginner(wall, "okx")
    wake = table(up, other)
    other.stream.push(bar(NOON), Notice(Status.CONNBROKEN))
    other.pull()
    wall.seconds += 100.0  # next() of the strategy
    speak(other, Status.CONNECTED)
    hold(up, NOON + MINUTE)
    wall.seconds += 59.0
    assert wake.must_hold(up), "the next page was asked for a minute ago at most"


def test_an_empty_page_that_came_while_the_strategy_was_busy_is_a_movement() -> None:
    wall = Wall()
    up, other = beginner(wall, "kraken"), beginner(wall, "okx")
    wake = table(up, other)
    other.stream.push(bar(NOON))
    other.pull()
    wall.seconds += 100.0  # next() of the strategy
    other.stream.push(lambda: setattr(other.stream, "settled", NOON + 5 * MINUTE))
    assert other.pull() is None
    hold(up, NOON + 5 * MINUTE)
    wall.seconds += 59.0
    assert wake.must_hold(up), "the next page was asked for a minute ago at most"


def test_what_a_venue_did_in_an_earlier_run_does_not_shorten_the_wait_of_the_next() -> None:
    wall = Wall()
    wake = table(former := beginner(wall, "okx"))
    wake.leave(former)
    wall.seconds += 1_000.0
    up, down = beginner(wall, "kraken"), beginner(wall, "okx")
    wake.join(up)
    wake.join(down)
    hold(up, NOON)
    wall.seconds += 2.0
    assert wake.must_hold(up)
    wall.seconds += 0.1
    assert not wake.must_hold(up)
