"""What a feed delivers flows into a warehouse, without the feed ever waiting for a disk."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from btfeeds import monitor
from btfeeds.clock import ManualClock
from btfeeds.errors import ConfigError, WarehouseUnwritable
from btfeeds.history.paging import Page
from btfeeds.live import stored
from btfeeds.live.backfill import Backfill
from btfeeds.live.items import Ask, Correction, Delivery, Gap, Notice
from btfeeds.live.status import Status
from btfeeds.live.stored import Stored, claim
from btfeeds.live.stream import Stream
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.venues.base import BarUpdate
from btfeeds.warehouse import Added, Warehouse
from tests.live.scripted import Bell
from tests.live.toy import Toy

M = 60_000
NOON = 1_709_294_400_000
CLOCK = ManualClock(NOON + 100 * M)
SERIES = Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse("1m"))
ALL = TimeRange(NOON, NOON + 1_000_000 * M)


def bar(minute: int, price: float = 1.0) -> Bar:
    return Bar(NOON + minute * M, price, price, price, price, 1.0)


def live(minute: int, price: float = 1.0) -> Delivery:
    return Delivery(bar(minute, price), "live")


def minutes(warehouse: Warehouse) -> list[int]:
    return [(bar.open_time - NOON) // M for bar in warehouse.bars(SERIES, ALL)]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "bars") as made:
        yield made


@pytest.fixture
def told() -> Iterator[list[monitor.Happening]]:
    heard: list[monitor.Happening] = []
    sink = monitor.add(heard.append)
    yield heard
    monitor.remove(sink)


def share(warehouse: Any) -> Stored:
    return claim(warehouse, Toy(), SERIES, CLOCK)


def test_live_bars_are_kept_with_where_they_come_from(warehouse: Warehouse) -> None:
    one = share(warehouse)
    one.keep(live(1))
    one.keep(live(2))
    one.close()
    assert minutes(warehouse) == [1, 2]
    assert [origin.provider for _, origin in warehouse.origin(SERIES, ALL)] == ["toy live"]
    assert warehouse.covered(SERIES, TimeRange(NOON, NOON + 10 * M)) == [TimeRange(NOON + M, NOON + 3 * M)]


def test_bars_of_test_hosts_are_a_series_of_their_own(warehouse: Warehouse) -> None:
    venue = Toy()
    venue.bars_of = "toy sandbox"
    one = claim(warehouse, venue, SERIES, CLOCK)
    one.keep(live(1))
    one.close()
    assert [str(series.subscription) for series in warehouse.series()] == ["toy sandbox BTC/USDT 1m"]
    assert one.through(Downloads()).missing("BTC/USDT", "1m", TimeRange(NOON, NOON + 3 * M)) == [
        TimeRange(NOON, NOON + M), TimeRange(NOON + 2 * M, NOON + 3 * M),
    ]  # fmt: skip


def test_what_is_not_the_streams_own_is_not_kept_again(warehouse: Warehouse) -> None:
    one = share(warehouse)
    for source in ("history", "backfill", "filled"):
        one.keep(Delivery(bar(1), source))
    one.keep(Notice(Status.LIVE))
    one.keep(Notice(Status.UNKNOWN, "gap", Gap(NOON, NOON + 5 * M, "history is not asked")))
    one.close()
    assert minutes(warehouse) == []
    assert warehouse.missing(SERIES, TimeRange(NOON, NOON + 5 * M)) == [TimeRange(NOON, NOON + 5 * M)]


def test_a_correction_becomes_a_revision(warehouse: Warehouse) -> None:
    one = share(warehouse)
    one.keep(live(1))
    one.keep(Notice(Status.UNKNOWN, "correction", Correction(bar(1), bar(1, 2.0))))
    one.close()
    assert warehouse.bars(SERIES, ALL) == [bar(1, 2.0)]
    assert [revision.before for revision in warehouse.revisions(SERIES)] == [bar(1)]


def test_a_bar_that_the_venue_took_back_is_forgotten_and_asked_for_again(warehouse: Warehouse) -> None:
    one = share(warehouse)
    one.keep(live(1))
    one.keep(live(2))
    nothing = Bar(NOON + M, 1.0, 1.0, 1.0, 1.0, 0.0, 0)
    one.keep(Notice(Status.UNKNOWN, "correction", Correction(bar(1), nothing)))
    one.keep(live(3))
    one.close()
    assert minutes(warehouse) == [2, 3]
    assert warehouse.missing(SERIES, TimeRange(NOON + M, NOON + 4 * M)) == [TimeRange(NOON + M, NOON + 2 * M)]


class LateToy(Toy):
    """Makes each bar again within half a minute."""

    late_ms = 30_000


def test_the_first_version_of_a_bar_that_is_made_again_is_not_kept_as_final(warehouse: Warehouse) -> None:
    clock = ManualClock(NOON + 2 * M)
    one = claim(warehouse, LateToy(), SERIES, clock)
    one.keep(live(1))
    clock.advance(10_000)
    one.keep(Notice(Status.UNKNOWN, "correction", Correction(bar(1), bar(1, 2.0))))
    clock.advance(20_000)
    one.keep(live(2))  # the one before is 30 s old by now
    clock.advance(29_999)
    one.close()
    assert warehouse.bars(SERIES, ALL) == [bar(1, 2.0)]
    assert warehouse.missing(SERIES, TimeRange(NOON + M, NOON + 3 * M)) == [TimeRange(NOON + 2 * M, NOON + 3 * M)]


def test_the_correction_of_a_bar_that_is_not_final_waits_with_it(warehouse: Warehouse) -> None:
    clock = ManualClock(NOON + 2 * M)
    one = claim(warehouse, LateToy(), SERIES, clock)
    one.keep(live(1))
    clock.advance(10_000)
    one.keep(Notice(Status.UNKNOWN, "correction", Correction(bar(1), bar(1, 2.0))))
    one.close()
    assert minutes(warehouse) == []


def test_a_correction_of_a_bar_that_is_on_disk_does_not_wait(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, [bar(1)], provider="toy")
    one = claim(warehouse, LateToy(), SERIES, ManualClock(NOON + 10 * M))
    one.keep(Notice(Status.UNKNOWN, "correction", Correction(bar(1), bar(1, 2.0))))
    one.close()
    assert warehouse.bars(SERIES, ALL) == [bar(1, 2.0)]


def test_live_bars_are_kept_although_our_clock_is_hours_behind(tmp_path: Path) -> None:
    clock = ManualClock(NOON - 120 * M)
    with Warehouse(tmp_path / "bars", clock=clock) as late:
        one = claim(late, Toy(), SERIES, clock)
        one.keep(live(1))
        one.close()
        assert minutes(late) == [1]
        assert late.dead_letters() == []


class Disk:
    """Stands before a warehouse's `add`, which it can fail or hold up."""

    def __init__(self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.tries = 0
        self.free = threading.Event()
        self.free.set()
        self.bell = Bell()
        self._add = warehouse.add
        monkeypatch.setattr(warehouse, "add", self.add)

    def add(self, *args: Any, **options: Any) -> Added:
        self.tries += 1
        self.bell.ring()
        assert self.free.wait(10)
        if self.full:
            raise WarehouseUnwritable("The disk is full.", "Nothing was written.")
        added = self._add(*args, **options)
        self.bell.ring()
        return added


def test_a_disk_that_hangs_holds_nobody_up(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(warehouse, monkeypatch)
    disk.free.clear()
    one = share(warehouse)
    for minute in range(50):
        one.keep(live(minute))  # on this thread: it would never return
    disk.free.set()
    one.close()
    assert minutes(warehouse) == list(range(50))


def test_a_full_disk_is_told_once_and_nothing_is_lost_when_it_has_room_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, told: list[monitor.Happening]
) -> None:
    monkeypatch.setattr(stored, "_RETRY_S", 0.01)
    disk = Disk(warehouse, monkeypatch)
    disk.full = True
    one = share(warehouse)
    one.keep(live(1))
    disk.bell.until(lambda: disk.tries >= 3)
    one.keep(live(2))
    disk.full = False
    disk.bell.until(lambda: minutes(warehouse) == [1, 2])
    one.close()
    assert [type(one).__name__ for one in told] == ["WarehouseOut", "WarehouseBack"]


def test_when_too_many_wait_the_oldest_are_let_go_and_stay_uncovered(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_WAITING", 3)
    disk = Disk(warehouse, monkeypatch)
    disk.free.clear()
    one = share(warehouse)
    one.keep(live(0))
    disk.bell.until(lambda: disk.tries == 1)  # the first one is being written
    for minute in range(1, 6):
        one.keep(live(minute))
    disk.free.set()
    one.close()
    assert minutes(warehouse) == [0, 3, 4, 5]
    span = TimeRange(NOON, NOON + 6 * M)
    assert warehouse.missing(SERIES, span) == [TimeRange(NOON + M, NOON + 3 * M)]


def test_feeds_of_one_folder_share_a_thread_and_the_last_one_closes_it(tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    one, other = share(folder), share(str(folder))
    assert [thread.name for thread in threading.enumerate()].count("btfeeds-warehouse") == 1
    one.close()
    other.keep(live(1))
    other.close()
    other.keep(live(2))  # the feed has left
    assert "btfeeds-warehouse" not in [thread.name for thread in threading.enumerate()]
    with Warehouse(folder) as warehouse:
        assert minutes(warehouse) == [1]


def test_a_warehouse_that_was_handed_in_stays_open(warehouse: Warehouse) -> None:
    share(warehouse).close()
    assert warehouse.series() == []


def test_the_settings_can_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="No warehouse is named"):
        share(True)
    monkeypatch.setenv("BTFEEDS_WAREHOUSE", str(tmp_path / "kept"))
    share(True).close()
    assert (tmp_path / "kept").is_dir()


def test_a_corrected_minute_corrects_the_larger_bars_made_of_it(warehouse: Warehouse) -> None:
    fives = Subscription("toy", SERIES.symbol, Timeframe.parse("5m"))
    warehouse.add(SERIES, [bar(n) for n in range(5)], provider="toy", span=TimeRange(NOON, NOON + 5 * M))
    warehouse.add(fives, [Bar(NOON, 1.0, 1.0, 1.0, 1.0, 5.0)], provider="toy 1m")
    one = share(warehouse)
    one.keep(Notice(Status.UNKNOWN, "correction", Correction(bar(3), bar(3, 2.0))))
    one.close()
    assert warehouse.bars(fives, ALL) == [Bar(NOON, 1.0, 2.0, 1.0, 1.0, 5.0)]


def hours(warehouse: Warehouse) -> list[tuple[float, float]]:
    """(high, volume) of the hour at noon, if it is there."""
    return [(one.high, one.volume) for one in warehouse.bars(HOURS, TimeRange(NOON, NOON + 60 * M))]


HOURS = Subscription("toy", SERIES.symbol, Timeframe.parse("1h"))


def made_hour(warehouse: Warehouse, *, leave_out: int = -1) -> None:
    """The hour at noon made of its minutes; the newest hour is the venue's own."""
    some = [bar(minute) for minute in range(60) if minute != leave_out]
    warehouse.add(SERIES, some, provider="toy", span=TimeRange(NOON, NOON + 60 * M))
    warehouse.add(HOURS, [Bar(NOON, 1.0, 1.0, 1.0, 1.0, float(len(some)))], provider="toy 1m")
    warehouse.add(HOURS, [Bar(NOON + 60 * M, 1.0, 1.0, 1.0, 1.0, 60.0)], provider="toy live")


def test_a_minute_told_late_is_in_the_larger_bar_made_before(warehouse: Warehouse) -> None:
    made_hour(warehouse, leave_out=30)
    assert hours(warehouse) == [(1.0, 59.0)]
    one = share(warehouse)
    one.keep(live(30, 2.0))
    one.close()
    assert hours(warehouse) == [(2.0, 60.0)]


def test_larger_bars_that_were_made_of_minutes_are_continued_while_these_come_live(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, [bar(minute) for minute in range(60)], provider="toy", span=TimeRange(NOON, NOON + 60 * M))
    warehouse.add(HOURS, [Bar(NOON, 1.0, 1.0, 1.0, 1.0, 60.0)], provider="toy 1m")
    one = share(warehouse)
    for minute in range(60, 200):
        one.keep(live(minute))
    one.close()
    assert [(bar.open_time - NOON) // M for bar in warehouse.bars(HOURS, ALL)] == [0, 60, 120]


def test_a_larger_bar_whose_minute_was_taken_back_is_to_be_asked_for_again(warehouse: Warehouse) -> None:
    made_hour(warehouse)
    one = share(warehouse)
    one.keep(Notice(Status.UNKNOWN, "correction", Correction(bar(30), Bar(NOON + 30 * M, 1.0, 1.0, 1.0, 1.0, 0.0, 0))))
    one.close()
    assert hours(warehouse) == []
    noon = TimeRange(NOON, NOON + 120 * M)
    assert warehouse.missing(HOURS, noon) == [TimeRange(NOON, NOON + 60 * M)]  # not the venue's own


class Downloads:
    """A downloader that has every minute."""

    def pages(self, symbol: str, timeframe: Timeframe, span: TimeRange, *, cancelled: Any = None) -> Iterator[Page]:
        yield Page(span, [Bar(time, 1.0, 1.0, 1.0, 1.0, 1.0) for time in timeframe.opens(span)])

    def close(self) -> None:
        pass


def test_an_answer_from_disk_alone_says_nothing_about_the_venue(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, [bar(0)], provider="toy", span=TimeRange(NOON, NOON + 3 * M))
    backfill = Backfill(Downloads())  # type: ignore[arg-type]
    one = share(warehouse)

    def answers(behind: int) -> list[tuple[int, bool, bool]]:
        """(bars, done, whether the venue was asked) of each answer."""
        replies: queue.Queue[Any] = queue.Queue()
        ask = Ask(1, TimeRange(NOON, NOON + behind * M), "history")
        backfill.ask(SERIES, ask, replies.put, lambda: False, one)
        got = []
        while not got or not got[-1][1]:
            answer = replies.get(timeout=10)
            got.append((len(answer.bars), answer.done, answer.asked))
        return got

    assert answers(3) == [(1, False, False), (0, True, False)]
    assert answers(5) == [(1, False, False), (2, False, True), (0, True, True)]
    assert answers(5) == [(3, False, False), (0, True, False)]
    backfill.close()
    one.close()


class Unplugged(Stream):
    """A stream without a socket: the test says what a socket's thread would."""

    def open(self, wake: Any) -> None:
        self.plug = Tap(self.venue, self.subscription, self._ring, wake)
        self._splice.begin(self.clock.now())

    def read(self) -> list[Any]:
        """What a strategy would get now."""
        got = []
        while (item := self.pull()) is not None:
            got.append((item.bar.open_time - NOON) // M if isinstance(item, Delivery) else item.status.name)
        return got


def test_a_gap_that_nobody_was_asked_about_is_not_covered(warehouse: Warehouse) -> None:
    clock = ManualClock(NOON + 500)
    shared = claim(warehouse, Toy(), SERIES, clock)
    stream = Unplugged(Toy(), SERIES, clock=clock, start=None, backfill=False, stored=shared)
    stream.open(lambda: None)
    got = []

    def later(minute: int, what: Any) -> None:
        clock.set(NOON + minute * M + 500)
        what()
        got.extend(stream.read())
        clock.advance(20_000)  # longer than anything is waited for
        got.extend(stream.read())

    def says(minute: int) -> Any:
        return lambda: stream.plug.bar("toy", BarUpdate(stream.plug.channel, bar(minute), True))

    later(0, lambda: stream.plug.up(clock.now()))
    later(1, says(0))
    later(2, lambda: stream.plug.down("cut"))
    later(5, lambda: stream.plug.up(clock.now()))
    later(6, says(5))
    stream.close()
    assert [item for item in got if isinstance(item, int)] == [0, 5]
    assert "UNKNOWN" in got  # the gap was declared
    assert minutes(warehouse) == [0, 5]
    span = TimeRange(NOON, NOON + 6 * M)
    assert warehouse.missing(SERIES, span) == [TimeRange(NOON + M, NOON + 5 * M)]


def test_a_program_that_ends_without_closing_its_feeds_leaves_what_was_delivered_on_the_disk(tmp_path: Path) -> None:
    script = f"""
from btfeeds import venues
from btfeeds.clock import SystemClock
from btfeeds.live.items import Delivery
from btfeeds.live.stored import claim
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
kept = claim({str(tmp_path)!r}, venues.provider("binance"), Subscription("binance", Symbol("BTC/USDT"),
             Timeframe.parse("1m")), SystemClock())
for minute in range(500):
    kept.keep(Delivery(Bar(1_700_000_040_000 + minute * 60_000, 1.0, 2.0, 0.5, 1.5, 1.0), "live"))
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    with Warehouse(tmp_path) as warehouse:
        assert len(warehouse.read("binance", "BTC/USDT", "1m", "2023-11-14", "2023-11-16")) == 500
