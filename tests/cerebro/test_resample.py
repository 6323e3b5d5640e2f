"""Larger bars: right groups, in the same next() as the bar that completes them, in history and live, never early."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from btfeeds.cerebro.stamps import ms_of
from btfeeds.clock import ManualClock
from btfeeds.errors import ConfigError
from btfeeds.feeds import BaseLiveDataFeed
from btfeeds.live.items import Gap, Notice
from btfeeds.live.status import Status
from btfeeds.market import TICK, Bar, to_ms
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, Diary, FakeFeed, FakeStream, bar, feed

MONDAY = to_ms("2024-02-26T00:00Z")
MIN, DAY, WEEK, MONTH = bt.TimeFrame.Minutes, bt.TimeFrame.Days, bt.TimeFrame.Weeks, bt.TimeFrame.Months


def bars(start: int, end: int) -> list[Bar]:
    return [bar(time, price=100 + (time // MINUTE) % 50) for time in range(start, end, MINUTE)]


def resampled(data: Any, *targets: tuple[int, int], plain: bool = True, strategy: Any = Diary) -> Any:
    cerebro = bt.Cerebro(stdstats=False)
    if plain:
        cerebro.adddata(data)
    for number, compression in targets:
        cerebro.resampledata(data, timeframe=number, compression=compression)
    cerebro.addstrategy(strategy)
    return cerebro.run()[0]


def rounds(strategy: Any) -> list[Any]:
    return [page for page in strategy.pages if isinstance(page, dict)]


def tally(strategy: Any) -> Counter[tuple[str, float]]:
    """How many bars of which volume came under which name."""
    return Counter((name, volume) for page in rounds(strategy) for name, (_, volume) in page.items())


def live_feed(source: list[Bar], split: int, **params: Any) -> FakeFeed:
    """`split` bars come as history, the rest live."""
    return feed(DELAYED, *source[:split], LIVE, *source[split:], END, settled=source[0].open_time, **params)


def frame(source: list[Bar]) -> pd.DataFrame:
    rows = [(one.open, one.high, one.low, one.close, one.volume) for one in source]
    index = pd.DatetimeIndex(pd.to_datetime([one.open_time for one in source], unit="ms", utc=True), name="datetime")
    return pd.DataFrame(rows, columns=["open", "high", "low", "close", "volume"], index=index)


@pytest.mark.parametrize("split", [0, 700, 1440])
@pytest.mark.parametrize("stamp", ["close", "open"])
def test_a_day_of_minutes_gives_whole_bars_of_every_size(split: int, stamp: str) -> None:
    data = live_feed(bars(MONDAY, MONDAY + 1440 * MINUTE), split, stamp=stamp)
    count = tally(resampled(data, (MIN, 5), (MIN, 15), (MIN, 60), (MIN, 240), (DAY, 1)))
    assert count == {
        ("BTC/USDT", 1): 1440,
        ("BTC/USDT 5m", 5): 288,
        ("BTC/USDT 15m", 15): 96,
        ("BTC/USDT 1h", 60): 24,
        ("BTC/USDT 4h", 240): 6,
        ("BTC/USDT 1d", 1440): 1,
    }


def test_weeks_and_months_are_whole_too() -> None:
    hours = [bar(time) for time in range(to_ms("2024-02-01"), to_ms("2024-03-04"), 60 * MINUTE)]
    data = live_feed(hours, 300, timeframe="1h")
    count = tally(resampled(data, (DAY, 1), (WEEK, 1), (MONTH, 1)))
    # 1 February was a Thursday: that first week lacks its beginning
    assert count["BTC/USDT 1w", 7 * 24] == 4
    assert count["BTC/USDT 1M", 29 * 24] == 1
    assert count["BTC/USDT 1d", 24] == 32
    assert len(count) == 4


@pytest.mark.parametrize("split", [0, 1440])
def test_the_midnight_bar_belongs_to_the_day_it_opened_in(split: int) -> None:
    data = live_feed(bars(MONDAY, MONDAY + 1445 * MINUTE), split)
    page = next(page for page in rounds(resampled(data, (MIN, 5), (DAY, 1))) if "BTC/USDT 1d" in page)
    assert page == {
        "BTC/USDT": ("27 00:00", 1),
        "BTC/USDT 5m": ("27 00:00", 5),
        "BTC/USDT 1d": ("27 00:00", 1440),
    }


def test_a_larger_bar_holds_what_its_bars_hold() -> None:
    source = [
        Bar(NOON, 10, 12, 9, 11, 1.5),
        Bar(NOON + MINUTE, 11, 15, 10, 14, 2.5),
        Bar(NOON + 2 * MINUTE, 14, 14, 7, 8, 4.0),
    ]

    class Last(bt.Strategy):
        def next(self) -> None:
            data = self.data1
            self.seen = (data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0], data.opened())

    seen = resampled(live_feed(source, 1), (MIN, 3), strategy=Last).seen
    assert seen == (10, 15, 7, 8, 8.0, dt.datetime(2024, 3, 1, 12))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(9, 9, 9, 9, 0), (5, 6, 4, 5, 2), (5, 5, 5, 5, 0)], (5, 6, 4, 5, 2)),
        ([(9, 9, 9, 9, 0), (9, 9, 9, 9, 0), (9, 9, 9, 9, 0)], (9, 9, 9, 9, 0)),
        ([(5, 6, 4, 5, 0), (6, 8, 6, 7, 0), (7, 7, 3, 3, 0)], (5, 8, 3, 3, 0)),  # an index: prices, but no volume
        ([(5, 5, 5, 5, 0), (6, 8, 6, 7, 0), (7, 7, 7, 7, 0)], (5, 8, 5, 7, 0)),
        ([(5, 5, 5, 5, 0), (5, 5, 5, 5, 0), (6, 6, 6, 6, 0)], (5, 6, 5, 6, 0)),
        ([(9, 9, 9, 9, 0), (7, 7, 7, 7, 0), (5, 6, 4, 5, 2)], (7, 7, 4, 5, 2)),  # a price of its own, and no volume
    ],
    ids=["traded in the middle", "never traded", "no volumes at all", "quiet at first", "quiet", "an odd lot"],
)
def test_minutes_without_trades_have_no_say_in_a_larger_bar(rows: list[Any], expected: tuple[float, ...]) -> None:
    class Last(bt.Strategy):
        def next(self) -> None:
            data = self.data1
            self.seen = (data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0])

    source = [Bar(NOON + n * MINUTE, *row) for n, row in enumerate(rows)]
    assert resampled(live_feed(source, 1), (MIN, 3), strategy=Last).seen == expected


@pytest.mark.parametrize("split", [0, 10, 25])
def test_a_larger_bar_comes_in_the_same_next_as_the_bar_that_completes_it(split: int) -> None:
    pages = rounds(resampled(live_feed(bars(NOON, NOON + 25 * MINUTE), split), (MIN, 5)))
    assert [list(page) for page in pages] == ([["BTC/USDT"]] * 4 + [["BTC/USDT", "BTC/USDT 5m"]]) * 5


def test_a_resampled_feed_alone_works() -> None:
    pages = rounds(resampled(live_feed(bars(NOON, NOON + 12 * MINUTE), 7), (MIN, 5), plain=False))
    assert pages == [{"BTC/USDT": ("01 12:05", 5)}, {"BTC/USDT": ("01 12:10", 5)}]


def test_one_resampled_feed_can_be_the_source_of_a_larger_one() -> None:
    data = live_feed(bars(NOON, NOON + 30 * MINUTE), 7)
    count = tally(resampled(data, (MIN, 5), (MIN, 15), plain=False))
    assert count == {("BTC/USDT", 5): 6, ("BTC/USDT 15m", 15): 2}


def test_a_smaller_timeframe_than_the_source_is_refused() -> None:
    with pytest.raises(ConfigError, match="Bars of 5m cannot be made of bars of 15m"):
        resampled(live_feed(bars(NOON, NOON + MINUTE), 0), (MIN, 15), (MIN, 5), plain=False)


def test_an_option_that_would_shift_the_groups_is_refused() -> None:
    with pytest.raises(ConfigError, match="boundoff"):
        feed().resample(timeframe=MIN, compression=5, boundoff=1)


def test_mixing_plain_and_resampled_live_feeds_survives_a_quiet_market() -> None:
    data = feed(DELAYED, bar(NOON), bar(NOON + MINUTE), LIVE, settled=NOON)
    stream = data.p.stream
    nobody_traded = lambda: setattr(stream, "settled", NOON + 5 * MINUTE)  # noqa: E731
    stream.items.extend([nobody_traded, lambda: None, bar(NOON + 7 * MINUTE), END])
    assert rounds(resampled(data, (MIN, 5))) == [
        {"BTC/USDT": ("01 12:01", 1)},
        {"BTC/USDT": ("01 12:02", 1)},
        {"BTC/USDT 5m": ("01 12:05", 2)},
        {"BTC/USDT": ("01 12:08", 1)},
    ]


def test_a_larger_bar_does_not_close_by_the_wall_clock() -> None:
    data = feed(DELAYED, bar(NOON), LIVE, *[lambda: None] * 5, bar(NOON + 4 * MINUTE), END, settled=NOON)
    data._feed_clock.advance(60 * MINUTE)
    assert rounds(resampled(data, (MIN, 5)))[-1] == {"BTC/USDT": ("01 12:05", 1), "BTC/USDT 5m": ("01 12:05", 2)}


def test_after_a_hole_the_older_larger_bar_comes_first_and_alone() -> None:
    source = [*bars(NOON, NOON + 2 * MINUTE), bar(NOON + 9 * MINUTE)]
    assert rounds(resampled(live_feed(source, 3), (MIN, 5)))[2:] == [
        {"BTC/USDT 5m": ("01 12:05", 2)},
        {"BTC/USDT": ("01 12:10", 1), "BTC/USDT 5m": ("01 12:10", 1)},
    ]


def test_an_unfinished_larger_bar_is_never_delivered() -> None:
    assert tally(resampled(live_feed(bars(NOON, NOON + 9 * MINUTE), 3), (MIN, 5)))["BTC/USDT 5m", 5] == 1


def test_a_larger_bar_known_to_be_complete_is_delivered_at_the_end() -> None:
    data = feed(DELAYED, *bars(NOON, NOON + 3 * MINUTE), LIVE, settled=NOON)
    stream = data.p.stream
    stream.items.extend([lambda: setattr(stream, "settled", NOON + 5 * MINUTE), END])
    assert rounds(resampled(data, (MIN, 5)))[-1] == {"BTC/USDT 5m": ("01 12:05", 3)}


def test_a_first_larger_bar_without_its_beginning_is_left_out() -> None:
    source = bars(NOON + 3 * MINUTE, NOON + 10 * MINUTE)
    assert tally(resampled(live_feed(source, 3), (MIN, 5))) == {("BTC/USDT", 1): 7, ("BTC/USDT 5m", 5): 1}


def test_a_first_larger_bar_is_whole_when_nobody_traded_at_its_beginning() -> None:
    source = bars(NOON + 3 * MINUTE, NOON + 5 * MINUTE)
    data = live_feed(source, 1, fromdate=dt.datetime(2024, 3, 1, 12))
    assert tally(resampled(data, (MIN, 5)))["BTC/USDT 5m", 2] == 1


@pytest.mark.parametrize("stamp", [None, "open", "close"])
def test_a_dataframe_groups_as_the_live_feed_does(stamp: str | None) -> None:
    source = bars(MONDAY, MONDAY + 1500 * MINUTE)
    data = BaseLiveDataFeed(dataname=frame(source), timeframe="1m", name="BTC/USDT", stamp=stamp)
    count = tally(resampled(data, (MIN, 5), (MIN, 60), (DAY, 1)))
    assert count == {("BTC/USDT", 1): 1500, ("BTC/USDT 5m", 5): 300, ("BTC/USDT 1h", 60): 25, ("BTC/USDT 1d", 1440): 1}


def test_days_begin_at_midnight_of_the_feeds_zone() -> None:
    start = to_ms("2024-03-30T23:00Z")  # midnight in Berlin; the day has 23 hours
    source = [bar(time) for time in range(start, start + 47 * 60 * MINUTE, 60 * MINUTE)]

    class Opened(Diary):
        def next(self) -> None:
            self.opened = self.data1.opened() if len(self.data1) else None
            super().next()

    data = feed(DELAYED, *source, LIVE, END, timeframe="1h", tz="Europe/Berlin", settled=start)
    strategy = resampled(data, (DAY, 1), strategy=Opened)
    days = [page["BTC/USDT 1d"] for page in rounds(strategy) if "BTC/USDT 1d" in page]
    assert days == [("01 00:00", 23), ("02 00:00", 24)]
    assert strategy.opened == dt.datetime(2024, 3, 31, 22)


def test_a_second_run_groups_as_the_first_did() -> None:
    source = bars(NOON, NOON + 13 * MINUTE)
    data = live_feed(source, 5)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(data)
    cerebro.resampledata(data, timeframe=MIN, compression=5)
    cerebro.addstrategy(Diary)
    first = cerebro.run()[0].pages
    data.p.stream = live_feed(source, 5).p.stream
    assert cerebro.run()[0].pages == first


def test_replay_shows_each_larger_bar_growing() -> None:
    class Growing(bt.Strategy):
        def __init__(self) -> None:
            self.seen: list[tuple[int, float]] = []

        def next(self) -> None:
            self.seen.append((len(self), self.data.volume[0]))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.replaydata(live_feed(bars(NOON, NOON + 10 * MINUTE), 4), timeframe=MIN, compression=5)
    cerebro.addstrategy(Growing)
    assert cerebro.run()[0].seen == [(1, v) for v in (1, 2, 3, 4, 5)] + [(2, v) for v in (1, 2, 3, 4, 5)]


# --- days of a zone --------------------------------------------------------------------------------------------------


class Made(bt.Strategy):
    """Writes down of each larger bar when it opened, and how many bars it was made of."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, float]] = []

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        data = self.datas[-1]
        if len(data) > len(self.seen):
            self.seen.append((data.opened().strftime("%d %H:%M"), data.volume[0]))


@pytest.mark.parametrize("tz", [None, "Europe/London", "America/New_York", "Asia/Tokyo"])
def test_weeks_of_days_are_the_venues_weeks_whatever_zone_they_are_shown_in(tz: str | None) -> None:
    days = [bar(time) for time in range(to_ms("2024-03-18"), to_ms("2024-04-08"), 1440 * MINUTE)]
    data = feed(DELAYED, *days, LIVE, END, timeframe="1d", tz=tz, settled=days[0].open_time)
    seen = resampled(data, (WEEK, 1), strategy=Made).seen
    assert seen == [("18 00:00", 7), ("25 00:00", 7), ("01 00:00", 7)]


def test_weeks_of_a_dataframe_of_days_begin_at_midnight_of_its_own_zone() -> None:
    index = pd.date_range("2024-03-18", "2024-04-07", tz="Asia/Tokyo")
    data = BaseLiveDataFeed(dataname=frame([bar(0)] * 21).set_axis(index), name="N225", tz="Asia/Tokyo")
    seen = resampled(data, (WEEK, 1), strategy=Made).seen
    assert seen == [("17 15:00", 7), ("24 15:00", 7), ("31 15:00", 7)]


def test_weeks_of_days_that_were_made_in_a_zone_begin_there_too() -> None:
    start = to_ms("2024-02-26T05:00Z")  # Monday's midnight in New York; summer time begins on 10 March
    hours = [bar(time) for time in range(start, to_ms("2024-03-11T04:00Z"), 60 * MINUTE)]
    data = feed(DELAYED, *hours, LIVE, END, timeframe="1h", tz="America/New_York", settled=start)
    assert resampled(data, (DAY, 1), (WEEK, 1), plain=False, strategy=Made).seen == [
        ("26 05:00", 24 * 7),
        ("04 05:00", 24 * 7 - 1),
    ]


@pytest.mark.parametrize(("tz", "timeframe"), [("Europe/Berlin", "4h"), ("Asia/Kolkata", "1h")])
def test_days_whose_midnight_lies_within_a_bar_are_refused(tz: str, timeframe: str) -> None:
    with pytest.raises(ConfigError, match=f"Bars of 1d in the zone {tz} cannot be made of bars of {timeframe}"):
        resampled(feed(timeframe=timeframe, tz=tz), (DAY, 1))


# --- larger bars of single trades ------------------------------------------------------------------------------------


def ticks(*items: Any, settled: int = 0) -> FakeFeed:
    """A feed of trades, each (ms after NOON, price, quantity); anything else is an item of the stream."""
    made = [
        Bar(NOON + item[0], item[1], item[1], item[1], item[1], item[2], 1) if isinstance(item, tuple) else item
        for item in items
    ]
    stream = FakeStream([DELAYED, LIVE, *made], settled=settled)
    stream.timeframe = TICK
    return FakeFeed(dataname="BTC/USDT", stream=stream, timeframe="tick", clock=ManualClock(NOON))


def quarters(data: FakeFeed, plain: bool = True) -> list[Any]:
    """The bars of 15 seconds: the stamp (ms after NOON), open, high, low, close, volume, and when they opened."""

    class Quarters(bt.Strategy):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def prenext(self) -> None:
            self.next()

        def next(self) -> None:
            data = self.datas[-1]
            if len(data) > len(self.seen):
                prices = (data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0])
                self.seen.append((ms_of(data.datetime[0]) - NOON, *prices, data.open_time() - NOON))

    return resampled(data, (bt.TimeFrame.Seconds, 15), plain=plain, strategy=Quarters).seen  # type: ignore[no-any-return]


@pytest.mark.parametrize("plain", [True, False])
def test_trades_are_grouped_by_their_time_and_volumes_are_exact(plain: bool) -> None:
    trades = [(14_999, 9.0, 9.0), (15_000, 10.0, 0.1), (15_000, 12.0, 0.2), (29_999, 8.0, 0.3), (29_999, 11.0, 0.4)]
    data = ticks(*trades, (30_000, 7.0, 1.0), (46_000, 6.0, 1.0), END)
    assert quarters(data, plain) == [
        (30_000, 10.0, 12.0, 8.0, 11.0, 1.0, 15_000),
        (45_000, 7.0, 7.0, 7.0, 7.0, 1.0, 30_000),
    ]


def test_the_first_bar_of_trades_is_never_whole() -> None:
    # trades of the same instant may have come before the first one that was heard
    assert quarters(ticks((15_000, 10.0, 1.0), (30_000, 7.0, 1.0), (45_000, 6.0, 1.0), END)) == [
        (45_000, 7.0, 7.0, 7.0, 7.0, 1.0, 30_000)
    ]


@pytest.mark.parametrize(
    ("gap", "whole"),
    [
        ((17_000, 18_000), [45_000, 60_000]),
        ((29_000, 30_000), [60_000]),
        ((29_000, 31_000), [60_000]),
        ((29_000, 46_000), []),
        ((44_999, 45_000), [30_000]),
        ((58_000, 61_000), [30_000, 45_000]),
    ],
)
def test_a_bar_that_lacks_trades_is_left_out(gap: tuple[int, int], whole: list[int]) -> None:
    lost = Notice(Status.UNKNOWN, "gap", Gap(NOON + gap[0], NOON + gap[1], "break"))
    around = sorted({14_000, 16_000, 31_500, 46_500, 61_500, *gap})
    heard = [(time, 1.0, 1.0) for time in around if time in gap or not gap[0] < time < gap[1]]
    place = heard.index((gap[1], 1.0, 1.0))
    assert [row[0] for row in quarters(ticks(*heard[:place], lost, *heard[place:], END))] == whole


def test_what_time_has_closed_a_late_trade_does_not_open_again() -> None:
    data = ticks((14_000, 9.0, 1.0), (16_000, 10.0, 1.0))
    stream = data.p.stream

    def passes() -> None:
        stream.settled = NOON + 30_000

    stream.items.extend([passes, lambda: None, lambda: None])
    late = [(29_000, 99.0, 5.0), (31_000, 7.0, 1.0), (45_000, 6.0, 1.0)]
    stream.items.extend([Bar(NOON + time, p, p, p, p, q, 1) for time, p, q in late] + [END])
    assert quarters(data) == [
        (30_000, 10.0, 10.0, 10.0, 10.0, 1.0, 15_000),
        (45_000, 7.0, 7.0, 7.0, 7.0, 1.0, 30_000),
    ]


def test_ticks_are_made_of_nothing_smaller() -> None:
    with pytest.raises(ConfigError, match="Bars of tick cannot be made of bars of"):
        resampled(live_feed(bars(NOON, NOON + MINUTE), 0), (bt.TimeFrame.Ticks, 1))
    with pytest.raises(ConfigError, match="Bars of tick cannot be made of bars of tick"):
        resampled(ticks(END), (bt.TimeFrame.Ticks, 1))
