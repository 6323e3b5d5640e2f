"""What becomes of trades: each once, in order; what is missing is declared. Times are small numbers of ms."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from btfeeds import monitor
from btfeeds.errors import UnknownSymbol, UnsupportedTimeframe
from btfeeds.live.items import Delivery, Gap
from btfeeds.live.status import Status, allowed
from btfeeds.live.tickline import TickLine
from btfeeds.market import Bar, Trade

T = 1_700_000_000_000


def line(**settings: Any) -> TickLine:
    return TickLine(contextlib.nullcontext(), name="toy BTC/USDT tick", venue="toy", **settings)


def trade(number: int, time: int | None = None) -> Trade:
    return Trade(T + (number if time is None else time), 100.0 + number, 0.5, number)


def unnumbered(time: int) -> Trade:
    return Trade(T + time, 100.0 + time, 0.5)


def taken(made: TickLine, now: int = 0, instant: int = 0) -> list[Any]:
    """Times of trades (after T), words, and spans of gaps."""
    told: list[Any] = []
    while (item := made.take(T + now, instant)) is not None:
        if isinstance(item, Delivery):
            told.append(item.bar.open_time - T)
        elif isinstance(item.payload, Gap):
            told.append((item.payload.start - T, item.payload.end - T))
        else:
            told.append(item.status.name)
    return told


def live(*trades: Trade, **settings: Any) -> TickLine:
    """A line that is LIVE and has handed out these."""
    made = line(**settings)
    made.up(T)
    made.prove()
    made.add(trades, 0)
    taken(made)
    assert made.live
    return made


# --- trades ----------------------------------------------------------------------------------------------------------


def test_a_trade_is_a_bar_of_one_price() -> None:
    made = live()
    made.add([Trade(T + 7, 101.5, 0.25, 3, 2)], 0)
    assert made.take(T, 0) == Delivery(Bar(T + 7, 101.5, 101.5, 101.5, 101.5, 0.25, 2), "live")


def test_trades_of_one_instant_are_several_bars() -> None:
    made = live(trade(1, 5))
    made.add([trade(2, 5), trade(3, 5)], 0)
    assert taken(made) == [5, 5]


@pytest.mark.parametrize("counted", [True, False])
def test_a_trade_that_comes_twice_is_handed_out_once(counted: bool) -> None:
    made = live(trade(1), trade(2), counted=counted)
    made.add([trade(2), trade(3)], 0)
    made.add([trade(3), trade(1), trade(4)], 0)
    assert taken(made) == [3, 4]
    assert made.summary.dropped_duplicates == 3


def test_trades_without_numbers_are_taken_as_they_come() -> None:
    made = live()
    made.add([unnumbered(3), unnumbered(3), unnumbered(2)], 0)
    assert taken(made) == [3, 3, 2], "which socket counts is the shard's to say"


def test_trades_with_keys_are_taken_as_they_come_and_each_once() -> None:
    made = live(counted=False)
    one, other = (Trade(T + time, 100.0, 1.0, key="D7") for time in (3, 2))
    made.add([one, one, other], 0)
    made.add([other, one], 0)
    assert taken(made) == [3, 2] and made.summary.dropped_duplicates == 3


def test_a_trade_that_was_stepped_over_takes_its_place_before_a_later_one_went() -> None:
    made = live(trade(1))
    made.add([trade(4), trade(5)], 0)
    made.add([trade(3), trade(2)], 0)
    assert taken(made) == [2, 3, 4, 5]


@pytest.mark.parametrize(("counted", "gaps"), [(True, [(1, 3)]), (False, [])])
def test_a_trade_that_comes_behind_a_later_one_is_told_and_not_handed_out(counted: bool, gaps: list[Any]) -> None:
    made = live(trade(1), counted=counted)
    made.add([trade(3)], 0)
    assert taken(made) == [*gaps, 3]
    assert made.add([trade(2), trade(4)], 0) == [monitor.FrameRejected("toy", "late", f"toy BTC/USDT tick {T + 2}")]
    assert made.add([trade(2)], 0) == [], "it came before"
    assert taken(made) == [4]


def test_a_venue_that_counts_anew_is_followed() -> None:
    made = live(trade(7_000_000, 1))
    made.add([trade(1, 60_002), trade(2, 60_003)], 0)
    assert taken(made) == [(1, 60_002), 60_002, 60_003]


def test_a_new_count_is_told_from_old_trades_that_still_wait() -> None:
    made = live(trade(7_000_000, 1))
    made.add([trade(7_000_001, 2), trade(1, 60_003), trade(2, 60_004)], 0)
    assert taken(made)[-3:] == [(2, 60_003), 60_003, 60_004]
    made.add([trade(2, 60_004), trade(3, 60_005)], 0)
    assert taken(made) == [60_005]


# --- words -----------------------------------------------------------------------------------------------------------


def test_live_when_it_is_confirmed_and_the_symbol_is_known() -> None:
    made = line()
    assert taken(made) == ["DELAYED"]
    made.up(T)
    assert taken(made) == []
    made.prove()
    assert taken(made) == ["LIVE"]


def test_a_trade_proves_the_symbol() -> None:
    made = line()
    made.up(T)
    made.add([trade(1)], 0)
    assert taken(made) == ["DELAYED", 1, "LIVE"]


def test_words_stand_in_their_places() -> None:
    made = live(trade(1))
    made.add([trade(2)], 0)
    made.down("reset")
    made.up(T)
    made.add([trade(3)], 0)
    assert taken(made) == [2, "CONNBROKEN", "CONNECTED", "DELAYED", 3, "LIVE"]
    assert made.summary.reconnects == 1


def test_a_break_before_anything_was_confirmed_is_told_too() -> None:
    made = line()
    made.down("refused")
    assert taken(made) == ["DELAYED", "CONNBROKEN"]
    made.up(T)
    made.prove()
    assert taken(made) == ["CONNECTED", "DELAYED", "LIVE"]


def test_breaks_that_nobody_saw_are_one_break() -> None:
    made = live(trade(1))
    for _ in range(50):
        made.down("reset")
        made.up(T)
    made.down("reset")
    made.down("reset")
    assert taken(made) == ["CONNBROKEN"]


def test_the_words_are_those_of_the_automaton() -> None:
    made = line(capacity=3, until=T + 500)
    words: list[Status] = []

    def read(instant: int = 0) -> None:
        while (item := made.take(T, instant)) is not None:
            if not isinstance(item, Delivery):
                assert allowed(words[-1] if words else None, item.status)
                if item.status is not Status.UNKNOWN:
                    words.append(item.status)

    for number in range(1, 400):
        made.add([trade(number)], 0)
        if number % 7 == 0:
            made.down("reset")
        if number % 11 == 0:
            made.up(T)
        if number % 5 == 0:
            read(number * 100)
    made.add([trade(501)], 0)
    read()
    assert words[-1] is Status.DISCONNECTED and set(words) == {
        Status.DELAYED, Status.LIVE, Status.CONNBROKEN, Status.CONNECTED, Status.DISCONNECTED,
    }  # fmt: skip


# --- gaps ------------------------------------------------------------------------------------------------------------


def test_a_break_over_which_the_numbers_go_on_costs_nothing() -> None:
    made = live(trade(1))
    made.down("reset")
    made.up(T)
    made.add([trade(2, 900)], 0)
    assert taken(made)[-2:] == [900, "LIVE"]
    assert made.happenings == [] and made.summary.declared == 0


def test_what_a_break_cost_is_declared_before_the_trade_behind_it() -> None:
    made = live(trade(1))
    made.down("reset")
    made.up(T)
    assert taken(made) == ["CONNBROKEN", "CONNECTED", "DELAYED", "LIVE"]
    made.add([trade(5, 900)], 0)
    assert taken(made) == [(1, 900), 900]
    assert made.happenings == [monitor.GapDeclared("toy", "toy BTC/USDT tick", T + 1, T + 900, 3, "break")]
    assert made.summary.declared == 3


def test_where_trades_are_not_counted_a_break_is_always_declared() -> None:
    for one, other in ((trade(1), trade(2)), (unnumbered(1), unnumbered(2))):
        made = live(one, counted=False)
        made.down("reset")
        made.up(T)
        made.add([other], 0)
        assert taken(made)[-3:] == [(1, 2), 2, "LIVE"]


def test_a_hole_in_the_numbers_is_declared_without_a_break() -> None:
    made = live(trade(1))
    made.add([trade(4)], 0)
    assert taken(made) == [(1, 4), 4]


def test_where_numbers_have_holes_they_mean_nothing() -> None:
    made = live(trade(1), counted=False)
    made.add([trade(400)], 0)
    assert taken(made) == [400]


@pytest.mark.parametrize(("counted", "expected"), [(True, [2]), (False, [(1, 2), 2])])
def test_a_frame_that_nobody_could_read_may_have_held_trades(counted: bool, expected: list[Any]) -> None:
    made = live(trade(1), counted=counted)
    made.doubt()
    made.add([trade(2)], 0)
    assert taken(made) == expected


def test_before_the_first_trade_nothing_is_missing() -> None:
    made = line(counted=False)
    made.up(T)
    made.down("reset")
    made.doubt()
    made.up(T)
    made.add([trade(9)], 0)
    assert taken(made) == ["DELAYED", "CONNBROKEN", "CONNECTED", "DELAYED", 9, "LIVE"]


# --- a slow strategy -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counted", [True, False])
def test_of_too_many_the_oldest_make_room_and_are_declared(counted: bool) -> None:
    made = live(trade(1), capacity=3, counted=counted)
    told = made.add([trade(number) for number in range(2, 10)], 0)
    assert told == [monitor.RingOverflowed("toy", "toy BTC/USDT tick")], "once"
    assert made.backlog == 3
    assert taken(made) == ["DELAYED", (1, 7), 7, 8, 9, "LIVE"]


def test_what_made_room_before_anything_was_handed_out_is_declared_too() -> None:
    made = line(capacity=2)
    made.up(T)
    made.add([trade(number) for number in range(1, 6)], 0)
    assert taken(made) == ["DELAYED", (1, 4), 4, 5, "LIVE"]


def test_breaks_between_trades_that_made_room_become_one() -> None:
    made = live(trade(1), capacity=2)
    for number in range(2, 400):
        made.add([trade(number)], 0)
        made.down("reset")
        made.up(T)
    assert len(made._line) < 10
    assert taken(made) == [
        "CONNBROKEN", "CONNECTED", "DELAYED", (1, 398), 398,
        "CONNBROKEN", "CONNECTED", "DELAYED", 399,
        "CONNBROKEN", "CONNECTED", "DELAYED", "LIVE",
    ]  # fmt: skip


def test_a_trade_that_waited_too_long_is_not_live() -> None:
    made = live(trade(1))
    made.add([trade(2), trade(3)], 50)
    assert taken(made, instant=1_050) == [2, 3]
    made.add([trade(4), trade(5)], 50)
    assert taken(made, instant=1_051) == ["DELAYED", 4, 5, "LIVE"]


def test_a_burst_is_not_behind() -> None:
    made = live(trade(1))
    made.add([trade(number) for number in range(2, 1_000)], 0)
    assert taken(made, instant=900) == list(range(2, 1_000))


# --- what larger bars go by ------------------------------------------------------------------------------------------


def test_what_was_handed_out_is_settled() -> None:
    made = live(trade(1))
    made.add([trade(9), trade(10)], 0)
    assert made.settled(T) - T == 1
    made.take(T, 0), made.take(T, 0)
    assert made.settled(T) - T == 9


def test_in_a_quiet_market_time_settles() -> None:
    made = live(trade(1), grace_ms=5_000)
    assert made.settled(T + 65_000) - T == 60_000
    made.add([trade(2, 63_000)], 0)
    assert made.settled(T + 70_000) - T == 60_000, "it waits"
    taken(made)
    assert made.settled(T + 64_000) - T == 63_000


@pytest.mark.parametrize("what", ["down", "down and up", "doubt", "owed"])
def test_time_settles_nothing_while_trades_may_be_missing(what: str) -> None:
    made = live(trade(1), grace_ms=5_000)
    if "down" in what:
        made.down("reset")
    if "up" in what:
        made.up(T)
    if what == "doubt":
        made.doubt()
    if what == "owed":
        made.seen(2)
    taken(made)
    assert made.settled(T + 65_000) - T == 1
    made.add([trade(2, 70_000)], 0)
    taken(made)
    assert made.settled(T + 71_000) - T == 70_000
    assert made.settled(T + 90_000) - T == (70_000 if what == "down" else 85_000)


def test_before_the_first_trade_nothing_can_be_missing_and_time_settles() -> None:
    made = live()
    made.doubt()
    assert made.settled(T + 65_000) - T == 60_000


def test_a_trade_from_before_the_settled_time_was_late_and_comes_all_the_same() -> None:
    made = live(trade(1), grace_ms=5_000)
    assert made.settled(T + 65_000) - T == 60_000
    made.add([trade(2, 59_999)], 0)
    assert taken(made) == ["DELAYED", 59_999, "LIVE"]
    made.add([trade(3, 60_005), trade(4, 60_004)], 0)
    assert taken(made) == [60_005, 60_004], "the venue's own order is no lateness"


# --- the end ---------------------------------------------------------------------------------------------------------


def test_a_trade_behind_the_last_instant_ends_it() -> None:
    made = live(trade(1), until=T + 10)
    made.add([trade(2, 10), trade(3, 10), trade(4, 11), trade(5, 12)], 0)
    assert taken(made) == [10, 10, "DISCONNECTED"]
    assert made.finished and not made.waiting and made.settled(T) == T + 11
    assert made.add([trade(6)], 0) == [] and taken(made) == []


def test_without_a_trade_time_ends_it() -> None:
    made = live(trade(1), until=T + 10, grace_ms=100)
    assert made.deadline() == T + 111
    assert taken(made, now=110) == []
    assert taken(made, now=111) == ["DISCONNECTED"]
    assert made.deadline() is None


def test_an_end_in_a_break_declares_what_was_not_heard() -> None:
    made = live(trade(1), until=T + 10, grace_ms=100)
    made.down("reset")
    assert taken(made, now=111) == ["CONNBROKEN", (1, 10), "DISCONNECTED"]


def test_an_unknown_symbol_is_not_subscribed() -> None:
    error = UnknownSymbol("no such symbol")
    made = line()
    made.refused(error)
    assert taken(made) == ["DELAYED", "NOTSUBSCRIBED", "DISCONNECTED"]
    assert made.error is error


def test_a_refusal_during_a_break_is_the_end() -> None:
    made = live(trade(1))
    made.down("reset")
    made.refused(UnknownSymbol("delisted"))
    assert taken(made) == ["CONNBROKEN", "DISCONNECTED"]


def test_a_venue_without_trades_is_told_at_once() -> None:
    made = line()
    made.refuse(UnsupportedTimeframe("no trades"))
    assert taken(made) == ["NOTSUPPORTED_TF", "DISCONNECTED"]


def test_stop_leaves_what_waits() -> None:
    made = live(trade(1))
    made.add([trade(2)], 0)
    made.stop("closed")
    assert taken(made) == ["DISCONNECTED"]
    made.up(T)
    made.down("reset")
    assert taken(made) == [] and not made.waiting
