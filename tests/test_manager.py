"""Any bar, one way: the warehouse first, then who can give what is missing, and nothing silently."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pandas as pd
import pytest

from btfeeds import monitor, venues
from btfeeds.clock import ManualClock
from btfeeds.errors import (
    Banned,
    BtfeedsError,
    ConfigError,
    HistoryIncomplete,
    NetworkError,
    VenueError,
    WarehouseUnwritable,
)
from btfeeds.history.paging import Page
from btfeeds.manager import DataManager
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse
from tests.history.venue import NOON, Change, FakeVenue, M, Row

BTC = "BTC/USDT"


def span(start: int, end: int) -> TimeRange:
    """Minutes from noon."""
    return TimeRange(NOON + start * M, NOON + end * M)


class World:
    """Stand-ins by the provider's name, and a manager that asks them."""

    def __init__(self, folder: Path) -> None:
        self.venues: dict[str, FakeVenue] = {}
        self.warehouse = Warehouse(folder)
        self.told: list[monitor.Happening] = []

    def venue(self, name: str, minutes: int = 2_500, change: Change | None = None) -> FakeVenue:
        self.venues[name] = FakeVenue(minutes, change=change)
        return self.venues[name]

    def manager(self, *, kept: bool = True) -> DataManager:
        """It asks the stand-ins in the order in which they were made. All speak Binance's dialect."""
        rules = f"crypto={','.join(self.venues)}"
        clock = next(iter(self.venues.values())).clock
        return DataManager(
            self.warehouse if kept else None, rules=rules, clock=clock,
            create=lambda name: self.venues[name].downloader(venues.provider(name)),
        )  # fmt: skip

    @property
    def changes(self) -> list[monitor.ProviderChanged]:
        return [one for one in self.told if isinstance(one, monitor.ProviderChanged)]

    def asked(self, name: str) -> list[int]:
        return [(int(request["startTime"]) - NOON) // M for request in self.venues[name].requests]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "bars")
    sink = monitor.add(made.told.append)
    yield made
    monitor.remove(sink)
    made.warehouse.close()


def down_from(minute: int, status: int = 503) -> Change:
    def change(params: dict[str, str], rows: list[Row]) -> Any:
        return httpx2.Response(status) if int(params["startTime"]) >= NOON + minute * M else rows

    return change


def given(pages: Iterator[Any]) -> list[tuple[str, int, int]]:
    """Who gave which minutes."""
    return [(had.provider, (had.page.span.start - NOON) // M, (had.page.span.end - NOON) // M) for had in pages]


def test_fetching_again_what_is_there_asks_nobody(world: World) -> None:
    venue = world.venue("binance")
    with world.manager() as manager:
        first = manager.download(BTC, "1m", NOON, NOON + 2_500 * M)
        asked = len(venue.requests)
        again = manager.download(BTC, "1m", NOON, NOON + 2_500 * M)
    assert (len(first), asked, len(venue.requests)) == (2_500, 3, 3)
    assert again.equals(first)
    assert again.attrs["origin"] == ((NOON, NOON + 2_500 * M, "binance"),)


def test_the_next_process_asks_nobody_either(world: World) -> None:
    venue = world.venue("binance")
    with world.manager() as manager:
        list(manager.fill("binance", BTC, "1m", span(0, 2_500)))
    asked = len(venue.requests)
    with world.manager() as manager:
        assert manager.missing("auto", BTC, "1m", span(0, 2_500)) == []
        assert list(manager.fill("auto", BTC, "1m", span(0, 2_500))) == []
    assert len(venue.requests) == asked


def test_who_fails_is_followed_by_the_next_and_that_is_told(world: World) -> None:
    world.venue("binance", change=down_from(1_000))
    world.venue("binanceus")
    with world.manager() as manager:
        frame = manager.download(BTC, "1m", NOON, NOON + 2_500 * M)
    assert len(frame) == 2_500
    assert frame.attrs["origin"] == (
        (NOON, NOON + 1_000 * M, "binance"), (NOON + 1_000 * M, NOON + 2_500 * M, "binanceus"),
    )  # fmt: skip
    [change] = world.changes
    assert (change.venue, change.to, change.start, change.feed) == (
        "binance", "binanceus", NOON + 1_000 * M, "BTC/USDT 1m",
    )  # fmt: skip
    assert "503" in change.reason


def test_the_bars_of_each_are_kept_apart(world: World) -> None:
    world.venue("binance", change=down_from(1_000))
    world.venue("binanceus")
    with world.manager() as manager:
        manager.download(BTC, "1m", NOON, NOON + 2_500 * M)
    assert [(str(one.subscription), one.rows) for one in world.warehouse.series()] == [
        ("binance BTC/USDT 1m", 1_000), ("binanceus BTC/USDT 1m", 1_500),
    ]  # fmt: skip


def test_bars_on_disk_count_whichever_candidate_gave_them(world: World) -> None:
    world.venue("binance")
    world.venue("binanceus")
    with world.manager() as manager:
        list(manager.fill("binanceus", BTC, "1m", span(100, 200)))
        world.venues["binanceus"].requests.clear()
        assert given(manager.pages("auto", BTC, "1m", span(0, 300))) == [
            ("binance", 0, 100), ("binanceus", 100, 200), ("binance", 200, 300),
        ]  # fmt: skip
    assert (world.asked("binance"), world.asked("binanceus")) == ([0, 200], [])


def test_who_keeps_no_bars_of_that_time_is_asked_from_where_it_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.venue("binance", 3_000)
    world.venue("binanceus", 3_000)
    reach = NOON + 1_562 * M
    with world.manager() as manager:
        monkeypatch.setattr(manager.history("binance"), "reach", lambda _: reach)
        assert given(manager.pages("auto", BTC, "1m", span(1_000, 3_000))) == [
            ("binanceus", 1_000, 1_562), ("binance", 1_562, 2_562), ("binance", 2_562, 3_000),
        ]  # fmt: skip
    assert [(one.venue, one.to, one.start) for one in world.changes] == [("binanceus", "binance", reach)]


def test_a_provider_that_was_named_is_not_replaced(world: World) -> None:
    world.venue("binance", change=down_from(0))
    world.venue("binanceus")
    with world.manager() as manager, pytest.raises(VenueError):
        list(manager.fill("binance", BTC, "1m", span(0, 10)))
    assert world.asked("binanceus") == []


def test_the_only_provider_is_asked_again_a_few_times(world: World) -> None:
    failures = [1] * 12  # each question is repeated five times by the door to HTTP

    def shaky(params: dict[str, str], rows: list[Row]) -> Any:
        return httpx2.Response(503) if failures and failures.pop() else rows

    world.venue("binance", change=shaky)
    with world.manager() as manager:
        assert len(manager.download(BTC, "1m", NOON, NOON + 10 * M, provider="binance")) == 10


def test_a_ban_is_not_argued_with(world: World) -> None:
    world.venue("binance", change=lambda *_: httpx2.Response(418, headers={"Retry-After": "7200"}))
    with world.manager() as manager, pytest.raises(Banned):
        list(manager.fill("binance", BTC, "1m", span(0, 10)))
    assert world.asked("binance") == [0]


def test_when_all_fail_the_last_error_is_told(world: World) -> None:
    world.venue("binance", change=down_from(0))
    world.venue("binanceus", change=down_from(5, 451))
    with world.manager() as manager, pytest.raises(VenueError, match="451"):
        manager.download(BTC, "1m", NOON + 5 * M, NOON + 10 * M)
    assert [(one.venue, one.to) for one in world.changes] == [("binance", "binanceus")]


def test_who_failed_is_asked_last_the_next_time(world: World) -> None:
    world.venue("binance", change=down_from(0))
    world.venue("binanceus")
    with world.manager() as manager:
        manager.download(BTC, "1m", NOON, NOON + 10 * M)
        assert manager.candidates("auto", BTC, "1m") == ["binanceus", "binance"]


def test_a_partial_answer_names_what_was_missing_before_its_provider_failed(world: World) -> None:
    def damaged(params: dict[str, str], rows: list[Row]) -> Any:
        if int(params["startTime"]) >= NOON + 1_000 * M:
            return httpx2.Response(503)
        return [[*row[:2], "1", "999999", *row[4:]] if row[0] == NOON + 10 * M else row for row in rows]

    world.venue("binance", change=damaged)
    with world.manager(kept=False) as manager:
        frame = manager.download(BTC, "1m", NOON, NOON + 2_400 * M, provider="binance", partial=True)
    assert len(frame) == 999
    lacking = [((start - NOON) // M, (end - NOON) // M) for start, end in frame.attrs["missing"]]
    assert lacking == [(10, 11), (1_000, 2_400)]


def test_a_partial_answer_names_what_is_missing(world: World) -> None:
    world.venue("binance", change=down_from(1_000))
    with world.manager() as manager:
        frame = manager.download(BTC, "1m", NOON, NOON + 2_500 * M, provider="binance", partial=True)
    assert len(frame) == 1_000
    assert frame.attrs["missing"] == ((NOON + 1_000 * M, NOON + 2_500 * M),)


def test_single_bars_that_cannot_be_had_are_named_at_the_end(world: World) -> None:
    world.venue("binance", change=spoilt_at(3))
    with world.manager() as manager:
        with pytest.raises(HistoryIncomplete) as told:
            list(manager.fill("binance", BTC, "1m", span(0, 2_500)))
        assert told.value.missing == ((NOON + 3 * M, NOON + 4 * M),)
        assert manager.missing("binance", BTC, "1m", span(0, 2_500)) == [span(3, 4)]


def spoilt_at(*minutes: int) -> Change:
    """Bars whose high is below their low."""
    bad = {NOON + minute * M for minute in minutes}
    return lambda params, rows: [[*row[:2], "1", *row[3:]] if row[0] in bad else row for row in rows]


def test_a_bar_that_one_cannot_give_is_had_from_the_next_and_that_is_told(world: World) -> None:
    world.venue("binance", change=spoilt_at(3))
    world.venue("binanceus")
    with world.manager() as manager:
        frame = manager.download(BTC, "1m", NOON, NOON + 1_500 * M)
        assert manager.missing("auto", BTC, "1m", span(0, 1_500)) == []
    assert (len(frame), frame.index.is_monotonic_increasing) == (1_500, True)
    at = [NOON, NOON + 3 * M, NOON + 4 * M, NOON + 1_500 * M]
    names = ["binance", "binanceus", "binance"]
    assert frame.attrs == {"origin": tuple(zip(at, at[1:], names, strict=False))}
    assert world.asked("binanceus") == [3]
    assert [(one.venue, one.to, one.start) for one in world.changes] == [("binance", "binanceus", NOON + 3 * M)]
    assert [(str(one.subscription), one.rows) for one in world.warehouse.series()] == [
        ("binance BTC/USDT 1m", 1_499), ("binanceus BTC/USDT 1m", 1)
    ]  # fmt: skip


def test_a_bar_that_nobody_can_give_is_named(world: World) -> None:
    world.venue("binance", change=spoilt_at(3, 7))
    world.venue("binanceus", change=spoilt_at(7))
    with world.manager() as manager:
        with pytest.raises(HistoryIncomplete) as told:
            list(manager.fill("auto", BTC, "1m", span(0, 20)))
        assert told.value.missing == ((NOON + 7 * M, NOON + 8 * M),)
        assert manager.missing("auto", BTC, "1m", span(0, 20)) == [span(7, 8)]


def test_a_bar_stays_missing_when_the_next_does_not_answer(world: World) -> None:
    world.venue("binance", change=spoilt_at(3))
    world.venue("binanceus", change=down_from(0))
    with world.manager() as manager:
        frame = manager.download(BTC, "1m", NOON, NOON + 20 * M, partial=True)
    assert (len(frame), frame.attrs["missing"]) == (19, ((NOON + 3 * M, NOON + 4 * M),))


def test_a_disk_that_is_full_is_no_reason_to_ask_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise WarehouseUnwritable("The disk is full.")

    world.venue("binance")
    other = world.venue("binanceus")
    monkeypatch.setattr(world.warehouse, "add", full)
    with world.manager() as manager, pytest.raises(WarehouseUnwritable):
        list(manager.fill("auto", BTC, "1m", span(0, 20)))
    assert (other.requests, world.changes) == ([], [])


def test_without_a_warehouse_bars_are_had_all_the_same(world: World) -> None:
    world.venue("binance")
    with world.manager(kept=False) as manager:
        assert len(manager.download(BTC, "1m", NOON, NOON + 10 * M)) == 10
    assert world.warehouse.series() == []


def test_larger_bars_of_minutes_on_disk_ask_nobody(world: World) -> None:
    venue = world.venue("binance")
    with world.manager() as manager:
        list(manager.fill("binance", BTC, "1m", span(0, 240)))
        venue.requests.clear()
        frame = manager.download(BTC, "1h", NOON, NOON + 240 * M)
    assert (len(frame), venue.requests) == (4, [])
    assert frame["volume"].tolist() == [90.0, 90.0, 90.0, 90.0]  # 60 minutes of 1.5


def test_interactive_brokers_is_asked_when_it_is_named_or_a_rule_says_so(tmp_path: Path) -> None:
    pytest.importorskip("ib_async")
    from tests.history.test_ibkr import MORNING, made, recorded

    ib, downloader, clock = made(recorded())
    with Warehouse(tmp_path / "bars") as warehouse:
        start, end = MORNING - 9 * 3_600_000, MORNING + 15 * 3_600_000
        with DataManager(warehouse, rules="AAPL=ib", clock=clock, create=lambda _: downloader) as manager:
            assert manager.candidates("auto", "AAPL", "1m") == ["ibkr"]
            first = manager.download("AAPL", "1m", start, end, provider="Interactive Brokers")
            again = manager.download("AAPL", "1m", start, end)  # by the rule
        assert (len(first), len(ib.asked)) == (405, 1)
        pd.testing.assert_frame_equal(first, again)
        assert first.attrs["origin"] == ((start, end, "ibkr"),)
        [one] = warehouse.series()
        assert str(one.subscription) == "ibkr AAPL 1m"
        [(_, origin), *_] = warehouse.origin(one.subscription, TimeRange(start, end))
        assert (origin.provider, origin.adjusted) == ("ibkr", True)


def test_no_time_is_refused(world: World) -> None:
    world.venue("binance")
    with world.manager() as manager, pytest.raises(ConfigError, match="there is no time"):
        manager.download(BTC, "1m", NOON, NOON)


def test_the_folder_of_the_settings_is_opened_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_WAREHOUSE", str(tmp_path / "kept"))
    with DataManager() as manager:
        assert manager.warehouse is not None
        assert manager.warehouse.root == tmp_path / "kept"
    monkeypatch.delenv("BTFEEDS_WAREHOUSE")
    with DataManager() as manager:
        assert manager.warehouse is None


# --- shares, and their splits ----------------------------------------------------------------------------------------

DAY = 86_400_000
JUNE = 1_717_372_800_000  # 2024-06-03 00:00 UTC


class Days:
    """A provider of days of shares, each at the price of now; down when it has an `error`.

    It has nothing of before `oldest`.
    """

    def __init__(self, name: str, clock: ManualClock) -> None:
        self.provider = venues.provider(name)
        self.clock = clock
        self.price = 1200.0
        self.error: BtfeedsError | None = None
        self.oldest = 0
        self.asked: list[tuple[int, int]] = []

    def pages(self, symbol: Symbol, timeframe: Timeframe, asked: TimeRange, *, cancelled: Any = None) -> Iterator[Page]:
        self.asked.append(((asked.start - JUNE) // DAY, (asked.end - JUNE) // DAY))
        if self.error is not None:
            raise self.error
        closed = TimeRange(max(asked.start, self.oldest), min(asked.end, self.clock.now()))
        prices = (self.price, self.price * 1.01, self.price * 0.99, self.price)
        yield Page(closed, [Bar(time, *prices, 1.0) for time in timeframe.opens(closed)])
        if asked.start < self.oldest:
            raise HistoryIncomplete("It has no older bars.", missing=((asked.start, self.oldest),))

    def close(self) -> None: ...


class Split:
    """Yahoo has given five days at 1200, Stooq what `stooq` names; now, at day 9, there are ten new shares for one."""

    def __init__(self, folder: Path, *, stooq: TimeRange | None = None) -> None:
        clock = ManualClock(JUNE + 7 * DAY)
        self.warehouse = Warehouse(folder, clock=clock)
        self.yahoo, self.stooq = Days("yahoo", clock), Days("stooq", clock)
        given = {"yahoo": self.yahoo, "stooq": self.stooq}
        self.manager = DataManager(
            self.warehouse, rules="NVDA=yahoo,stooq", clock=clock, create=given.__getitem__
        )
        list(self.manager.fill("yahoo", "NVDA", "1d", days(0, 5)))
        if stooq is not None:
            list(self.manager.fill("stooq", "NVDA", "1d", stooq))
        clock.advance(2 * DAY)
        for one in given.values():
            one.price = 120.0
            one.asked.clear()

    def closes(self, end: int) -> tuple[list[float], list[tuple[str, int, int]]]:
        """What a download from day 0 gives, and who gave which days."""
        frame = self.manager.download("NVDA", "1d", JUNE, JUNE + end * DAY)
        origin = [(name, (start - JUNE) // DAY, (till - JUNE) // DAY) for start, till, name in frame.attrs["origin"]]
        return frame["close"].tolist(), origin


def days(start: int, end: int) -> TimeRange:
    return TimeRange(JUNE + start * DAY, JUNE + end * DAY)


@pytest.fixture
def split(tmp_path: Path) -> Iterator[Split]:
    made = Split(tmp_path / "bars")
    yield made
    made.manager.close()
    made.warehouse.close()


def test_after_a_split_what_several_may_give_comes_in_one_scale(split: Split) -> None:
    assert split.closes(7) == ([120.0] * 7, [("yahoo", 0, 7)])
    assert split.yahoo.asked == [(4, 5), (0, 7)]


def test_what_a_split_has_thrown_out_is_had_again_although_others_may_be_asked(split: Split) -> None:
    list(split.manager.fill("auto", "NVDA", "1d", days(0, 7)))
    assert split.manager.missing("auto", "NVDA", "1d", days(0, 7)) == []
    assert [(str(one.subscription), one.rows) for one in split.warehouse.series()] == [("yahoo NVDA 1d", 7)]


def test_bars_of_a_provider_that_cannot_say_their_scale_are_not_continued_by_another(
    split: Split, world: World
) -> None:
    split.yahoo.error = NetworkError("It cannot be reached.")
    assert split.closes(7) == ([120.0] * 7, [("stooq", 0, 7)])
    assert split.yahoo.asked == [(4, 5)]
    assert [(one.venue, one.to, one.start, one.reason) for one in world.changes] == [
        ("yahoo", "stooq", JUNE, "It cannot be reached.")
    ]


def test_where_nobody_says_which_scale_the_bars_on_disk_have_nothing_is_handed_out(tmp_path: Path) -> None:
    both = Split(tmp_path / "bars", stooq=days(5, 6))
    both.yahoo.error = both.stooq.error = NetworkError("It cannot be reached.")
    with pytest.raises(NetworkError):
        next(both.manager.pages("auto", "NVDA", "1d", days(0, 7)))
    both.warehouse.close()


def test_in_a_warehouse_that_is_only_read_bars_of_before_a_split_are_asked_for_instead(
    split: Split, tmp_path: Path
) -> None:
    given = {"yahoo": split.yahoo, "stooq": split.stooq}
    with Warehouse(tmp_path / "bars", clock=split.yahoo.clock, readonly=True) as read:
        manager = DataManager(read, rules="NVDA=yahoo,stooq", clock=split.yahoo.clock, create=given.__getitem__)
        frame = manager.download("NVDA", "1d", JUNE, JUNE + 7 * DAY)
    assert frame["close"].tolist() == [120.0] * 7
    assert split.yahoo.asked == [(4, 5), (0, 7)]
    assert [one.rows for one in split.warehouse.series()] == [5]


def test_bars_on_disk_of_two_are_looked_at_before_they_make_one_answer(tmp_path: Path) -> None:
    both = Split(tmp_path / "bars", stooq=days(5, 7))
    list(both.manager.fill("yahoo", "NVDA", "1d", days(-1, 5)))  # Yahoo's are had anew, Stooq's are as they were
    both.yahoo.asked.clear()
    assert both.closes(7) == ([120.0] * 7, [("yahoo", 0, 7)])
    assert (both.yahoo.asked, both.stooq.asked) == ([(5, 7)], [(6, 7)])
    both.warehouse.close()


def test_who_has_all_of_it_on_disk_gives_it_alone_and_is_not_looked_at(tmp_path: Path) -> None:
    both = Split(tmp_path / "bars", stooq=days(0, 7))  # Yahoo, who comes first, has five of them
    assert both.closes(7) == ([1200.0] * 7, [("stooq", 0, 7)])
    assert (both.yahoo.asked, both.stooq.asked) == ([], [])
    both.warehouse.close()


def test_what_was_had_of_another_is_not_joined_to_bars_of_another_scale_the_next_time(split: Split) -> None:
    split.yahoo.error = NetworkError("It cannot be reached.")
    for _ in range(2):
        assert split.closes(7) == ([120.0] * 7, [("stooq", 0, 7)])
    assert split.stooq.asked == [(0, 7)]


def test_bars_on_disk_of_two_are_not_joined_while_one_of_them_does_not_answer(tmp_path: Path) -> None:
    both = Split(tmp_path / "bars", stooq=days(5, 7))
    both.yahoo.error = NetworkError("It cannot be reached.")
    assert both.closes(7) == ([120.0] * 7, [("stooq", 0, 7)])
    both.warehouse.close()


def test_bars_that_come_in_for_those_of_one_who_does_not_answer_are_looked_at_too(tmp_path: Path) -> None:
    both = Split(tmp_path / "bars", stooq=days(0, 4))  # on disk twice: Yahoo's come first
    both.yahoo.error = NetworkError("It cannot be reached.")
    assert both.closes(7) == ([120.0] * 7, [("stooq", 0, 7)])
    assert both.stooq.asked == [(3, 4), (0, 7)]
    both.warehouse.close()


def test_bars_on_disk_of_two_are_an_error_while_nobody_says_their_scale_but_each_ones_can_be_had(
    tmp_path: Path,
) -> None:
    both = Split(tmp_path / "bars", stooq=days(5, 7))
    both.yahoo.error = both.stooq.error = NetworkError("It cannot be reached.")
    with pytest.raises(NetworkError):
        both.closes(7)
    some = both.manager.download("NVDA", "1d", JUNE, JUNE + 7 * DAY, partial=True)
    assert (some["close"].tolist(), some.attrs["missing"]) == ([1200.0] * 5, ((JUNE + 5 * DAY, JUNE + 7 * DAY),))
    assert some.attrs["origin"] == ((JUNE, JUNE + 5 * DAY, "yahoo"),)
    two = both.manager.download("NVDA", "1d", JUNE + 5 * DAY, JUNE + 7 * DAY, provider="stooq")
    assert two["close"].tolist() == [1200.0] * 2
    both.warehouse.close()


def test_what_is_all_on_disk_need_not_be_looked_at_to_be_filled(tmp_path: Path) -> None:
    both = Split(tmp_path / "bars", stooq=days(5, 7))
    assert list(both.manager.fill("auto", "NVDA", "1d", days(0, 7))) == []
    assert (both.yahoo.asked, both.stooq.asked) == ([], [])
    both.warehouse.close()


def test_what_others_cannot_give_is_the_fault_of_who_did_not_say_its_scale(split: Split) -> None:
    split.yahoo.error = NetworkError("It cannot be reached.")
    split.stooq.oldest = JUNE + 3 * DAY
    with pytest.raises(NetworkError):
        split.closes(7)
    some = split.manager.download("NVDA", "1d", JUNE, JUNE + 7 * DAY, partial=True)
    assert (some["close"].tolist(), some.attrs["missing"]) == ([1200.0] * 5, ((JUNE + 5 * DAY, JUNE + 7 * DAY),))


def test_a_partial_answer_of_one_that_does_not_answer_is_what_is_on_disk(split: Split) -> None:
    split.yahoo.error = NetworkError("It cannot be reached.")
    some = split.manager.download("NVDA", "1d", JUNE, JUNE + 7 * DAY, provider="yahoo", partial=True)
    assert (some["close"].tolist(), some.attrs["missing"]) == ([1200.0] * 5, ((JUNE + 5 * DAY, JUNE + 7 * DAY),))
