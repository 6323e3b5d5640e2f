"""The ring is bounded in bars, keeps everything else, and keeps the order."""

from __future__ import annotations

import threading

from btfeeds.live.ring import Down, Ring, Up
from btfeeds.market import Bar


def bar(minute: int) -> Bar:
    return Bar(minute * 60_000, 1.0, 2.0, 0.5, 1.5, 1.0)


def drain(ring: Ring) -> list[object]:
    got = []
    while (entry := ring.get()) is not None:
        got.append(entry)
    return got


def test_entries_leave_in_the_order_they_came() -> None:
    ring = Ring(10, threading.Lock())
    ring.put(Up(1))
    ring.put_bar(bar(1))
    ring.put(Down("cut"))
    assert drain(ring) == [Up(1), bar(1), Down("cut")]


def test_when_full_the_oldest_bar_makes_room_and_the_rest_stays() -> None:
    ring = Ring(2, threading.Lock())
    ring.put(Up(1))
    assert ring.put_bar(bar(1)) and ring.put_bar(bar(2))
    assert not ring.put_bar(bar(3))
    assert ring.overflows == 1 and ring.bars == 2
    assert drain(ring) == [Up(1), bar(2), bar(3)]
    assert ring.bars == 0


def test_breaks_that_nobody_looked_at_are_one_break() -> None:
    ring = Ring(2, threading.Lock())
    for _ in range(1_000):
        ring.put(Down("cut"))
        ring.put(Up(5))
    ring.put(Down("cut"))
    ring.put(Down("still"))
    assert drain(ring) == [Down("cut")]


def test_a_break_between_bars_is_kept() -> None:
    ring = Ring(9, threading.Lock())
    ring.put(Down("one"))
    ring.put(Up(5))
    ring.put_bar(bar(1))
    ring.put(Down("two"))
    assert drain(ring) == [Down("one"), Up(5), bar(1), Down("two")]


def test_a_thread_that_puts_and_one_that_gets_lose_nothing() -> None:
    ring = Ring(100_000, threading.Lock())
    got: list[object] = []

    def put() -> None:
        for minute in range(5_000):
            ring.put_bar(bar(minute))

    thread = threading.Thread(target=put)
    thread.start()
    while len(got) < 5_000:
        entry = ring.get()
        if entry is not None:
            got.append(entry)
    thread.join()
    assert got == [bar(minute) for minute in range(5_000)]
