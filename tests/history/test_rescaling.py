"""A split changes the whole past of a series: what is on disk is not continued in another scale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from btfeeds import monitor, venues
from btfeeds.clock import ManualClock
from btfeeds.errors import NetworkError
from btfeeds.history.derived import Derived
from btfeeds.history.rescaling import Rescaling, adjusts, factor
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.warehouse import Warehouse

DAY = 86_400_000
HOUR = 3_600_000
JUNE = to_ms("2024-06-03")
SERIES = Subscription("yahoo", Symbol("NVDA"), Timeframe.parse("1d"))
CLOCK = ManualClock(JUNE + 5 * DAY)
YAHOO = venues.provider("yahoo")


def bar(day: int, price: float = 1200.0) -> Bar:
    return Bar(JUNE + day * DAY, price, price + price / 100, price - price / 100, price, 1.0)


def days(start: int, end: int) -> TimeRange:
    return TimeRange(JUNE + start * DAY, JUNE + end * DAY)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "bars", clock=CLOCK) as made:
        made.add(SERIES, [bar(n) for n in range(5)], provider="yahoo", span=days(0, 5), adjusted=True)
        yield made


@pytest.fixture
def told() -> Iterator[list[monitor.Happening]]:
    heard: list[monitor.Happening] = []
    sink = monitor.add(heard.append)
    yield heard
    monitor.remove(sink)


class Asked:
    """The provider, with one price for every day."""

    def __init__(self, price: float) -> None:
        self.price = price
        self.spans: list[TimeRange] = []

    def __call__(self, span: TimeRange) -> list[Bar]:
        self.spans.append(span)
        return [bar((time - JUNE) // DAY, self.price) for time in SERIES.timeframe.opens(span)]


def check(warehouse: Warehouse, asked: Asked, *, day: float = 10, reach: int | None = None) -> bool:
    return Rescaling(warehouse, YAHOO).check(SERIES, JUNE + int(day * DAY), reach, asked)


def test_bars_of_before_a_split_are_to_be_asked_for_again_and_that_is_told(
    warehouse: Warehouse, told: list[monitor.Happening]
) -> None:
    asked = Asked(120.0)
    assert check(warehouse, asked)
    assert asked.spans == [days(4, 5)]
    assert warehouse.missing(SERIES, days(0, 5)) == [days(0, 5)]
    assert told == [monitor.PricesRescaled("yahoo", "yahoo NVDA 1d", 0.1, JUNE, JUNE + 5 * DAY, 0)]


def test_a_series_whose_scale_is_the_same_stays_and_is_looked_at_once_a_day(warehouse: Warehouse) -> None:
    asked, looks = Asked(1200.0), Rescaling(warehouse, YAHOO)
    for hours in (240, 250, 263, 264):
        assert not looks.check(SERIES, JUNE + hours * 3_600_000, None, asked)
    assert asked.spans == [days(4, 5)] * 2  # at 240 and at 264
    assert warehouse.missing(SERIES, days(0, 5)) == []


def test_what_was_fetched_today_is_not_looked_at(warehouse: Warehouse) -> None:
    asked = Asked(120.0)
    assert not check(warehouse, asked, day=5.9)
    assert asked.spans == []


def test_a_split_is_noticed_although_every_hour_a_bar_is_added(
    tmp_path: Path, told: list[monitor.Happening]
) -> None:
    clock, series = ManualClock(JUNE), Subscription("yahoo", Symbol("NVDA"), Timeframe.parse("1h"))

    def priced(span: TimeRange) -> list[Bar]:  # since hour 30 there are ten new shares for one
        price = 1200.0 if clock.now() < JUNE + 30 * HOUR else 120.0
        return [Bar(time, price, price, price, price, 1.0) for time in series.timeframe.opens(span)]

    noticed = []
    with Warehouse(tmp_path / "hours", clock=clock) as hours:
        for hour in range(1, 60):
            clock.set(JUNE + hour * HOUR)
            if Rescaling(hours, YAHOO).check(series, clock.now(), None, priced):  # as a new process each time
                noticed.append(hour)
            for lacking in hours.missing(series, TimeRange(JUNE, clock.now())):
                hours.add(series, priced(lacking), provider="yahoo", span=lacking, adjusted=True)
        assert {one.close for one in hours.bars(series, days(0, 3))} == {120.0}
    assert noticed == [49]  # the first bar was fetched at 1, so that it was looked at 25 and 49
    assert [one.factor for one in told if isinstance(one, monitor.PricesRescaled)] == [0.1]


def test_a_look_that_was_not_answered_is_still_to_be_taken(warehouse: Warehouse) -> None:
    def down(_: TimeRange) -> list[Bar]:
        raise NetworkError("It cannot be reached.")

    with pytest.raises(NetworkError):
        Rescaling(warehouse, YAHOO).check(SERIES, JUNE + 10 * DAY, None, down)
    assert check(warehouse, Asked(120.0))


def test_a_bar_that_the_provider_has_no_more_is_followed_by_the_one_before_it(warehouse: Warehouse) -> None:
    asked = Asked(120.0)
    assert Rescaling(warehouse, YAHOO).check(
        SERIES, JUNE + 10 * DAY, None, lambda span: [one for one in asked(span) if one.open_time < JUNE + 4 * DAY]
    )
    assert asked.spans == [days(4, 5), days(3, 4)]


def test_where_the_provider_has_none_of_the_bars_it_was_no_look(warehouse: Warehouse) -> None:
    assert not Rescaling(warehouse, YAHOO).check(SERIES, JUNE + 10 * DAY, None, lambda _: [])
    assert check(warehouse, Asked(120.0))


def test_a_look_of_a_clock_that_was_ahead_does_not_count(warehouse: Warehouse) -> None:
    assert not check(warehouse, Asked(1200.0), day=9_999)
    assert check(warehouse, Asked(120.0))


def test_a_series_that_was_imported_is_asked_of_nobody(warehouse: Warehouse) -> None:
    warehouse.forget(SERIES, days(0, 5))
    warehouse.add(SERIES, [bar(1), bar(2)], provider="import mine.csv")
    asked = Asked(120.0)
    assert not check(warehouse, asked)
    assert asked.spans == []


def test_bars_that_the_provider_has_no_more_keep_their_prices(
    warehouse: Warehouse, told: list[monitor.Happening]
) -> None:
    assert check(warehouse, Asked(120.0), reach=JUNE + 2 * DAY)
    assert [one.open_time for one in warehouse.bars(SERIES, days(0, 9))] == [JUNE, JUNE + DAY]
    assert [(one.start, one.older) for one in told if isinstance(one, monitor.PricesRescaled)] == [(JUNE + 2 * DAY, 2)]
    warehouse.forget(SERIES, days(2, 9))
    assert not check(warehouse, Asked(120.0), reach=JUNE + 3 * DAY)  # nothing to compare with is left


def test_bars_that_were_imported_are_not_thrown_away(warehouse: Warehouse) -> None:
    warehouse.forget(SERIES, days(1, 2))
    warehouse.add(SERIES, [bar(1)], provider="import mine.csv")
    assert check(warehouse, Asked(120.0))
    assert [one.open_time for one in warehouse.bars(SERIES, days(0, 9))] == [JUNE + DAY]


def test_in_a_warehouse_that_is_only_read_it_is_remembered_which_bars_do_not_count(
    warehouse: Warehouse, told: list[monitor.Happening]
) -> None:
    asked = Asked(120.0)
    with Warehouse(warehouse.root, clock=CLOCK, readonly=True) as read:
        looks = Rescaling(read, YAHOO)
        assert looks.check(SERIES, JUNE + 10 * DAY, None, asked)
        assert not looks.check(SERIES, JUNE + 10 * DAY + HOUR, None, asked)
        assert looks.former(SERIES) == [days(0, 5)]
        assert len(read.bars(SERIES, days(0, 5))) == 5
        assert told == [monitor.PricesRescaled("yahoo", "yahoo NVDA 1d", 0.1, JUNE, JUNE + 5 * DAY, 0)]
        assert check(warehouse, asked, day=10.5)  # another process, which can forget them, and has them anew
        warehouse.add(SERIES, asked(days(0, 5)), provider="yahoo", span=days(0, 5), adjusted=True)
        assert not looks.check(SERIES, JUNE + 11 * DAY, None, asked)
        assert looks.former(SERIES) == []
    assert asked.spans == [days(4, 5), days(4, 5), days(0, 5)]


def test_larger_bars_that_were_made_here_are_as_old_as_their_minutes(
    tmp_path: Path, told: list[monitor.Happening]
) -> None:
    clock = ManualClock(JUNE + DAY)
    minutes, hours = (Subscription("yahoo", Symbol("NVDA"), Timeframe.parse(text)) for text in ("1m", "1h"))
    times = minutes.timeframe.opens(days(0, 1))
    with Warehouse(tmp_path / "hours", clock=clock) as made:
        made.add(minutes, [Bar(time, *[1200.0] * 4, 1.0) for time in times], provider="yahoo", adjusted=True)
        clock.set(JUNE + 10 * DAY)
        Derived(made).make(hours, [days(0, 1)])
        fresh = Bar(JUNE + 23 * HOUR, *[120.0] * 4, 60.0)
        assert Rescaling(made, YAHOO).check(hours, clock.now(), None, lambda _: [fresh])
        assert made.missing(hours, days(0, 1)) == [days(0, 1)]


@pytest.mark.parametrize("giver", ["yahoo", "yahoo 1m"])
def test_bars_of_which_a_former_version_did_not_say_that_splits_are_in_are_looked_at_and_forgotten(
    warehouse: Warehouse, giver: str
) -> None:
    warehouse.forget(SERIES, days(0, 5))
    warehouse.add(SERIES, [bar(n) for n in range(5)], provider=giver, span=days(0, 5))
    assert check(warehouse, Asked(120.0))
    assert warehouse.missing(SERIES, days(0, 5)) == [days(0, 5)]


def test_where_a_provider_does_not_say_whether_splits_are_in_only_its_shares_are_taken_to_have_them() -> None:
    share, pair, coin = Symbol("NVDA"), Symbol("EUR/USD"), Symbol("BTCUSDT")  # a plain word may be a share
    assert [adjusts(venues.provider("stooq"), one) for one in (share, pair)] == [True, False]
    assert not adjusts(venues.provider("binance"), coin)
    assert not adjusts(venues.provider("alphavantage", key="k"), share)
    assert adjusts(YAHOO, share)


def test_a_correction_of_one_price_is_no_split() -> None:
    assert factor(bar(0), bar(0, 120.0)) == 0.1
    assert factor(bar(0), bar(0, 2400.0)) == 2.0
    assert factor(bar(0), bar(0, 1201.0)) == 1.0
    assert factor(bar(0), Bar(JUNE, 1200.0, 2400.0, 1188.0, 2300.0, 1.0)) == 1.0
    assert factor(bar(0), bar(1, 120.0)) == 1.0
