"""The simulated market: one truth, from the file, for bars and trades of any timeframe at any instant."""

from __future__ import annotations

from itertools import pairwise

from btfeeds import barfile
from btfeeds.market import Bar, Timeframe, TimeRange
from tests.shared import shared
from tests.simulator.helpers import MINUTE, START, market, minutes

ONE, FIVE = Timeframe.parse("1m"), Timeframe.parse("5m")


def test_closed_bars_are_those_of_the_file() -> None:
    bars = minutes(20, quiet=(3,))
    assert market(bars).closed(ONE, START + 20 * MINUTE) == bars


def test_a_bar_is_closed_from_the_instant_of_its_close() -> None:
    there = market(minutes(5))
    assert len(there.closed(ONE, START + 2 * MINUTE - 1)) == 1
    assert len(there.closed(ONE, START + 2 * MINUTE)) == 2


def test_larger_bars_are_made_of_smaller_ones() -> None:
    there = market(minutes(10))
    first = Bar(START, 100.0, 106.0, 99.0, 105.0, 12.5, 100)
    second = Bar(START + 5 * MINUTE, 105.0, 111.0, 104.0, 110.0, 12.5, 100)
    assert there.closed(FIVE, START + 10 * MINUTE) == [first, second]


def test_a_bar_is_flat_at_the_last_price_until_it_trades() -> None:
    row = market(minutes(5)).bar(ONE, START + 2 * MINUTE, START + 2 * MINUTE)
    assert row and (row.open, row.high, row.low, row.close, row.volume) == (10200, 10200, 10200, 10200, 0)


def test_no_bar_is_where_the_file_has_none_or_none_yet() -> None:
    bars = minutes(5)
    there = market([*bars[:2], *bars[3:]])
    assert there.bar(ONE, START + 2 * MINUTE, START + 5 * MINUTE) is None
    assert there.bar(ONE, START + 4 * MINUTE, START + 4 * MINUTE - 1) is None


def test_the_oldest_or_the_newest_of_a_span_are_given() -> None:
    there = market(minutes(10))
    span = TimeRange(START + 2 * MINUTE, START + 8 * MINUTE)
    now = START + 20 * MINUTE
    oldest = [row.open_time for row in there.bars(ONE, span, now, 2)]
    newest = [row.open_time for row in there.bars(ONE, span, now, 2, newest=True)]
    assert oldest == [START + 2 * MINUTE, START + 3 * MINUTE]
    assert newest == [START + 6 * MINUTE, START + 7 * MINUTE]


def test_trades_rebuild_every_real_minute_exactly() -> None:
    content = barfile.read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz"))
    there = market(list(content.bars[2500:3500]))
    for number, bar in enumerate(content.bars[2500:3500]):
        ticks = there.ticks(number)
        if bar.volume == 0:
            assert ticks == ()
            continue
        values = [tick.price / 100 for tick in ticks]
        assert (values[0], max(values), min(values), values[-1]) == (bar.open, bar.high, bar.low, bar.close)
        assert sum(tick.quantity for tick in ticks) / 10**8 == bar.volume


def test_a_bar_has_as_many_trades_as_the_file_says() -> None:
    assert sum(tick.count for tick in market(minutes(3, trades=3199)).ticks(1)) == 3199


def test_a_bar_has_the_trades_it_needs_even_if_the_file_counts_fewer() -> None:
    assert sum(tick.count for tick in market(minutes(3, trades=1)).ticks(1)) == 4


def test_ids_of_trades_and_groups_count_on_without_a_gap() -> None:
    ticks = list(market(minutes(10, quiet=(4,))).ticks_after(0))
    assert all(b.first_id == a.last_id + 1 and b.group == a.group + 1 for a, b in pairwise(ticks))


def test_the_same_seed_gives_the_same_trades_and_another_gives_others() -> None:
    bars = minutes(3)
    assert market(bars).ticks(1) == market(bars).ticks(1)
    assert market(bars).ticks(1) != market(bars, seed=1).ticks(1)


def test_trades_are_found_by_time_and_by_id() -> None:
    there = market(minutes(10))
    every = list(there.ticks_after(0))
    assert list(there.ticks_between(every[5].time, every[9].time)) == every[5:9]
    assert next(there.ticks_from(group=every[30].group)) == every[30]
    assert next(there.ticks_from(trade=every[30].last_id)) == every[30]
    assert there.groups_until(every[30].time) == every[31].group
    assert there.groups_until(START - 1) == every[0].group


def test_a_forming_bar_holds_the_trades_so_far() -> None:
    there = market(minutes(3))
    third = there.ticks(1)[2]
    row = there.bar(FIVE, START, third.time)
    assert row
    assert row.close == third.price
    assert row.trades == 20 + sum(tick.count for tick in there.ticks(1)[:3])
    assert (row.first_id, row.last_id) == (there.ticks(0)[0].first_id, third.last_id)


def test_numbers_keep_every_digit_as_text() -> None:
    there = market([Bar(START, 0.00001234, 0.00001234, 0.00001234, 0.00001234, 0.1234567891, 1)])
    row = there.bar(ONE, START, START + MINUTE)
    assert row
    assert (there.price_text(row.close, 8), there.volume_text(row.volume, 8)) == ("0.00001234", "0.1234567891")
    assert there.turnover_text(row.turnover, 8) == "0.000001523456777494"
    assert market(minutes(1)).price_text(10000, 8) == "100.00000000"
    assert market(minutes(1)).volume_text(250000000) == "2.5"


def test_the_number_of_the_next_trade_counts_those_that_have_happened() -> None:
    made = market(minutes(3, quiet=(1,)))
    first = made.trades_until(START - 1)
    assert made.trades_until(START + MINUTE) == made.trades_until(START + 2 * MINUTE) == first + 20
    ticks = made.ticks(2)
    assert made.trades_until(ticks[3].time) == ticks[4].first_id == made.trades_until(ticks[4].time - 1)
    assert made.trades_until(START + 9 * MINUTE) == first + 40
