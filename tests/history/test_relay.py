"""One provider after the other, until somebody gives the bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from btfeeds import monitor
from btfeeds.errors import (
    BtfeedsError,
    HistoryIncomplete,
    NetworkError,
    RateLimited,
    UnknownSymbol,
    WarehouseUnwritable,
)
from btfeeds.history import budget
from btfeeds.history.paging import Gone, Page
from btfeeds.history.ranges import subtract
from btfeeds.history.relay import Relay
from btfeeds.market import Symbol, Timeframe, TimeRange

M = 60_000
MINUTE = Timeframe.parse("1m")
DOWN = NetworkError("It cannot be reached.")


class Provider:
    """Gives pages of ten minutes (of 1 ms each) from its `reach` on; what it has not got are its `holes`; from
    `fails` on it fails with `error`."""

    def __init__(
        self, *holes: tuple[int, int], reach: int | None = None, fails: int = 10**9, error: BtfeedsError = DOWN
    ) -> None:
        self.holes, self.reached, self.fails, self.error = holes, reach, fails, error
        self.asked: list[tuple[int, int]] = []

    def reach(self, _: Timeframe) -> int | None:
        return self.reached

    def fill(self, _: Symbol, __: Timeframe, span: TimeRange, *, cancelled: Gone) -> Iterator[Page]:
        self.asked.append((span.start, span.end))
        lacking = [(max(start, span.start), min(end, span.end)) for start, end in self.holes
                   if start < span.end and end > span.start]  # fmt: skip
        for start in range(span.start, span.end, 10):
            if start >= self.fails:
                raise self.error
            if start not in [first for first, _ in lacking]:
                yield Page(TimeRange(start, min(start + 10, span.end)), [])
        if lacking:
            raise HistoryIncomplete("Some bars cannot be bars.", missing=tuple(lacking))

    pages = fill


class Closed(Provider):
    """Takes no request for so many `seconds`: it is waited for, unless somebody else can be asked."""

    def __init__(self, seconds: float = 3_600.0, **more: Any) -> None:
        super().__init__(**more)
        self.seconds = seconds

    def fill(self, _: Symbol, __: Timeframe, span: TimeRange, *, cancelled: Gone) -> Iterator[Page]:
        if getattr(budget._thread, "others", False):
            self.asked.append((span.start, span.end))
            raise RateLimited("It takes no request yet.", retry_after=self.seconds)
        yield from super().fill(_, __, span, cancelled=cancelled)

    pages = fill


@pytest.fixture
def changes() -> Iterator[list[monitor.Happening]]:
    told: list[monitor.Happening] = []
    sink = monitor.add(told.append)
    yield told
    monitor.remove(sink)


def relay(given: Mapping[str, Provider | Skipping], gone: Gone = lambda: False) -> Relay:
    return Relay(given.__getitem__, Symbol("BTC/USDT"), MINUTE, gone, read=False)  # type: ignore[arg-type]


def test_who_takes_no_request_for_long_is_waited_for_only_where_nobody_else_is_left() -> None:
    assert had(relay({"one": Closed(), "other": Provider()}), "one other") == [("other", 0, 50)]
    assert had(relay({"one": Closed()}), "one") == [("one", 0, 50)]
    assert had(relay({"one": Provider(fails=0), "other": Closed()}), "one other") == [("other", 0, 50)]
    assert not getattr(budget._thread, "others", False)


NOT_LISTED = UnknownSymbol("It has no BTC/USDT.")


def test_who_takes_no_request_for_long_is_waited_for_when_the_others_fail(changes: list[monitor.Happening]) -> None:
    given = {"one": Closed(), "b": Provider(fails=0, error=NOT_LISTED), "c": Provider(fails=20, error=DOWN)}
    assert had(relay(given), "one b c") == [("c", 0, 20), ("one", 20, 50)]
    assert [(one.venue, one.to, one.reason) for one in changes if isinstance(one, monitor.ProviderChanged)] == [
        ("one", "b", "It takes no request yet."),
        ("b", "c", "It has no BTC/USDT."),
        ("c", "one", "It cannot be reached."),
    ]


def test_of_two_that_take_no_request_the_one_that_does_so_sooner_is_waited_for() -> None:
    assert had(relay({"a": Closed(90.0), "b": Closed(3_600.0)}), "a b") == [("a", 0, 50)]
    assert had(relay({"a": Closed(3_600.0), "b": Closed(90.0)}), "a b") == [("b", 0, 50)]
    given = {"a": Closed(3_600.0), "b": Closed(90.0, fails=20, error=NOT_LISTED)}
    assert had(relay(given), "a b") == [("b", 0, 20), ("a", 20, 50)]


def test_who_takes_no_request_for_long_is_still_there_for_the_next_piece() -> None:
    given, names = {"a": Closed(90.0), "b": Provider(fails=30, error=NOT_LISTED)}, ["a", "b"]
    made = relay(given)
    pieces = [[one.provider for one in made.pages(names, TimeRange(*span))] for span in ((0, 10), (30, 40))]
    assert (pieces, names) == ([["b"], ["a"]], ["a"])


def test_who_takes_no_request_for_long_is_asked_for_a_hole_of_another() -> None:
    made = relay({"a": Closed(90.0), "b": Provider((20, 30))})
    assert had(made, "a b") == [("b", 0, 20), ("b", 30, 50), ("a", 20, 30)]
    assert made.lacking() is None


def test_when_who_was_waited_for_fails_too_its_error_is_told() -> None:
    given = {"a": Closed(fails=0, error=DOWN), "b": Provider(fails=0, error=NOT_LISTED)}
    with pytest.raises(NetworkError):
        had(relay(given), "a b")
    assert given["a"].asked == [(0, 50)] * 4 and given["b"].asked == [(0, 50)]


def had(made: Relay, names: str, start: int = 0, end: int = 50) -> list[tuple[str, int, int]]:
    """Who gave what, the pages of one in a row as one."""
    runs: list[tuple[str, int, int]] = []
    for one in made.pages(names.split(), TimeRange(start, end)):
        span = one.page.span
        if runs and runs[-1][::2] == (one.provider, span.start):
            runs[-1] = (one.provider, runs[-1][1], span.end)
        else:
            runs.append((one.provider, span.start, span.end))
    return runs


def test_the_first_gives_everything_and_nobody_else_is_asked(changes: list[monitor.Happening]) -> None:
    given = {"a": Provider(), "b": Provider()}
    assert had(relay(given), "a b") == [("a", 0, 50)]
    assert (given["b"].asked, changes) == ([], [])


def test_who_fails_is_followed_where_it_failed(changes: list[monitor.Happening]) -> None:
    given = {"a": Provider(fails=20), "b": Provider()}
    assert had(relay(given), "a b") == [("a", 0, 20), ("b", 20, 50)]
    assert changes == [monitor.ProviderChanged("a", "BTC/USDT 1m", "b", 20, "It cannot be reached.")]


def test_who_reaches_further_back_gives_the_beginning(changes: list[monitor.Happening]) -> None:
    given = {"a": Provider(reach=30), "b": Provider()}
    assert had(relay(given), "a b") == [("b", 0, 30), ("a", 30, 50)]
    assert changes == [monitor.ProviderChanged("b", "BTC/USDT 1m", "a", 30, "it has the bars from here on")]


def test_a_hole_is_filled_by_the_next_behind_the_rest(changes: list[monitor.Happening]) -> None:
    given = {"a": Provider((20, 30)), "b": Provider((20, 30)), "c": Provider()}
    made = relay(given)
    assert had(made, "a b c") == [("a", 0, 20), ("a", 30, 50), ("c", 20, 30)]
    assert made.lacking() is None
    assert [(one.venue, one.to, one.start) for one in changes if isinstance(one, monitor.ProviderChanged)] == [
        ("a", "b", 20), ("b", "c", 20)
    ]  # fmt: skip


def test_holes_that_nobody_fills_are_named_together() -> None:
    made = relay({"a": Provider((10, 20), (40, 50)), "b": Provider((10, 20), fails=40)})
    assert had(made, "a b") == [("a", 0, 10), ("a", 20, 40)]
    lacking = made.lacking()
    assert lacking is not None
    assert (lacking.missing, lacking.what) == (((10, 20), (40, 50)), "It cannot be reached.")


def test_the_only_one_is_asked_three_times_in_a_row() -> None:
    given = {"a": Provider(fails=20)}
    with pytest.raises(NetworkError):
        had(relay(given), "a")
    assert given["a"].asked == [(0, 50), (20, 50), (20, 50)]


def test_the_last_one_is_asked_three_times_however_many_have_failed_before() -> None:
    given = {"a": Provider(fails=0), "b": Provider(fails=0), "c": Provider(fails=20)}
    with pytest.raises(NetworkError):
        had(relay(given), "a b c")
    assert given["c"].asked == [(0, 50), (20, 50), (20, 50)]


class Skipping:
    """Gives five pages of ten minutes but those at `skipped`, of which `on_disk` are on the disk; at minute `fails` it
    fails, once. What it has skipped it tells at the end, where it is one that `tells`."""

    def __init__(self, *skipped: int, on_disk: tuple[int, ...] = (), fails: int = -1, tells: bool = True) -> None:
        self.skipped, self.on_disk, self.fails, self.tells = skipped, on_disk, fails, tells

    def reach(self, _: Timeframe) -> int | None:
        return None

    def fill(self, _: Symbol, __: Timeframe, span: TimeRange, *, cancelled: Gone) -> Iterator[Page]:
        lacking = []
        for minute in range(span.start // M, span.end // M, 10):
            piece = TimeRange(minute * M, minute * M + 10 * M)
            if minute == self.fails:
                self.fails = -1
                raise DOWN
            if minute not in self.skipped:
                yield Page(piece, [])
            elif minute not in self.on_disk:
                lacking.append((piece.start, piece.end))
        if lacking and self.tells:
            raise HistoryIncomplete("Some bars cannot be bars.", missing=tuple(lacking))

    def missing(self, _: Symbol, __: Timeframe, span: TimeRange) -> list[TimeRange]:
        return subtract([span], [TimeRange(minute * M, minute * M + 10 * M) for minute in self.on_disk])

    pages = fill


def given_by(made: Relay, names: str) -> list[tuple[str, int, int]]:
    """As `had`, in minutes, of an hour but ten minutes."""
    return [(name, start // M, end // M) for name, start, end in had(made, names, 0, 50 * M)]


def lacking_of(made: Relay) -> tuple[tuple[int, int], ...]:
    lacking = made.lacking()
    return tuple((start // M, end // M) for start, end in lacking.missing) if lacking else ()


def test_what_was_left_out_before_a_failure_is_lacking() -> None:
    made = relay({"a": Skipping(0, 20, fails=40)})
    assert given_by(made, "a") == [("a", 10, 20), ("a", 30, 50)]
    assert lacking_of(made) == ((0, 10), (20, 30))
    assert made.lacking().what == (  # type: ignore[union-attr]
        "a has given no bars of BTC/USDT 1m of 1970-01-01T00:20:00Z .. 1970-01-01T00:30:00Z: "
        "why is not known, it failed behind them: It cannot be reached."
    )


def test_what_was_left_out_before_a_failure_another_is_asked_for() -> None:
    made = relay({"a": Skipping(20, fails=40), "b": Skipping()})
    assert given_by(made, "a b") == [("a", 0, 20), ("a", 30, 40), ("b", 40, 50), ("b", 20, 30)]
    assert lacking_of(made) == ()


def test_what_is_not_told_of_between_two_pages_is_lacking() -> None:
    made = relay({"a": Skipping(20, tells=False)})
    assert given_by(made, "a") == [("a", 0, 20), ("a", 30, 50)]
    assert lacking_of(made) == ((20, 30),)


def test_what_lies_on_the_disk_between_two_pages_is_not_lacking() -> None:
    for source in (Skipping(10, 20, on_disk=(10, 20), fails=40), Skipping(10, 20, on_disk=(10, 20))):
        made = relay({"a": source})
        assert given_by(made, "a") == [("a", 0, 10), ("a", 30, 50)]
        assert lacking_of(made) == ()


def test_what_is_lacking_is_told_in_the_words_of_who_has_not_got_it() -> None:
    made = relay({"a": Skipping(20)})
    assert given_by(made, "a") == [("a", 0, 20), ("a", 30, 50)]
    assert (lacking_of(made), made.lacking().what) == (((20, 30),), "Some bars cannot be bars.")  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [UnknownSymbol("No such symbol."), WarehouseUnwritable("The disk is full.")])
def test_what_cannot_get_better_is_told_at_once(error: BtfeedsError) -> None:
    given = {"a": Provider(fails=20, error=error)}
    with pytest.raises(type(error)):
        had(relay(given), "a")
    assert given["a"].asked == [(0, 50)]


@pytest.mark.parametrize("first", [Provider(fails=20, error=WarehouseUnwritable("The disk is full.")),
                                   Provider((20, 30))])  # fmt: skip
def test_a_full_disk_is_no_providers_fault(first: Provider, changes: list[monitor.Happening]) -> None:
    given = {"a": first, "b": Provider(fails=0, error=WarehouseUnwritable("The disk is full.")), "c": Provider()}
    with pytest.raises(WarehouseUnwritable):
        had(relay(given), "a b c")
    assert given["c"].asked == []


def test_who_is_not_waited_for_any_more_hears_of_it() -> None:
    given = {"a": Provider((20, 30)), "b": Provider(fails=0)}
    with pytest.raises(NetworkError):
        had(relay(given, lambda: True), "a b")
