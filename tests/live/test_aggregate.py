"""Bars from trades: which trade belongs where, and which bar can be trusted."""

from __future__ import annotations

import pytest

from btfeeds.history.ranges import merge
from btfeeds.live.aggregate import TradeBars, bars_from_trades
from btfeeds.live.ring import Quiet, Revised
from btfeeds.market import HIGH_LOW, PRICES, Bar, Timeframe, TimeRange, Trade

MINUTE = Timeframe.parse("1m")


def given(bars: TradeBars, trade: Trade) -> Bar | None:
    """The bar that a trade closes."""
    return next((told for told in bars.add(trade) if isinstance(told, Bar)), None)


def feed(*trades: Trade) -> list[Bar]:
    bars = TradeBars(MINUTE)
    return [bar for trade in trades if (bar := given(bars, trade))]


def test_the_first_trade_of_a_later_minute_closes_the_one_before() -> None:
    assert feed(
        Trade(59_000, 9.0, 1.0, 1),
        Trade(60_000, 10.0, 0.1, 2),
        Trade(61_000, 12.0, 0.2, 3, 4),
        Trade(119_999, 11.0, 0.3, 4),
        Trade(120_000, 7.0, 1.0, 5),
    ) == [Bar(60_000, 10.0, 12.0, 10.0, 11.0, 0.6, 6)]


def test_the_bar_under_way_at_the_beginning_is_left_out() -> None:
    assert feed(Trade(30_000, 9.0, 1.0, 1), Trade(60_000, 10.0, 1.0, 2)) == []


def test_a_minute_without_trades_gives_no_bar() -> None:
    got = feed(Trade(1, 9.0, 1.0, 1), Trade(60_000, 10.0, 1.0, 2), Trade(240_000, 11.0, 1.0, 3))
    assert [bar.open_time for bar in got] == [60_000]


def test_after_a_break_the_bars_under_way_are_not_trusted() -> None:
    bars = TradeBars(MINUTE)
    for trade in (Trade(1, 9.0, 1.0, 1), Trade(60_000, 10.0, 1.0, 2)):
        assert given(bars, trade) is None
    bars.broken()
    assert given(bars, Trade(125_000, 10.0, 1.0, 9)) is None, "minute 1 lacks its end"
    assert given(bars, Trade(180_000, 10.0, 1.0, 10)) is None, "minute 2 may lack its beginning"
    assert given(bars, Trade(240_000, 10.0, 1.0, 11)) == Bar(180_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)


def test_a_jump_in_the_numbering_distrusts_the_bars_on_both_sides() -> None:
    bars = TradeBars(MINUTE)
    got = [
        given(bars, trade)
        for trade in (
            Trade(1, 9.0, 1.0, 1),
            Trade(60_000, 9.0, 1.0, 2),
            Trade(120_000, 9.0, 1.0, 4),
            Trade(180_000, 9.0, 1.0, 5),
            Trade(240_000, 9.0, 1.0, 6),
        )
    ]
    assert [bar.open_time if bar else None for bar in got] == [None, None, None, None, 180_000]
    assert bars.lost == 1


def test_the_venues_last_number_tells_of_a_lost_trade() -> None:
    bars = TradeBars(MINUTE)
    for trade in (Trade(1, 9.0, 1.0, 1), Trade(60_000, 9.0, 1.0, 2)):
        given(bars, trade)
    bars.seen(2)
    bars.seen(3)
    assert bars.lost == 1
    assert given(bars, Trade(120_000, 9.0, 1.0, 4)) is None, "minute 1 lacks trade 3"


def test_a_trade_that_comes_twice_counts_once() -> None:
    got = feed(
        Trade(1, 9.0, 1.0, 1), Trade(60_000, 9.0, 1.0, 2), Trade(60_000, 9.0, 1.0, 2), Trade(120_000, 9.0, 1.0, 3)
    )
    assert got[0].volume == 1.0


def test_a_trade_that_comes_behind_its_bar_changes_it_and_no_other() -> None:
    bars = TradeBars(MINUTE)
    for time in (1, 60_000, 70_000, 120_000):
        bars.add(Trade(time, 9.0, 1.0))
    assert bars.add(Trade(119_000, 11.0, 0.5)) == (Revised(Bar(60_000, 9.0, 11.0, 9.0, 11.0, 2.5, 3)),)
    assert given(bars, Trade(180_000, 9.0, 1.0)) == Bar(120_000, 9.0, 9.0, 9.0, 9.0, 1.0, 1)


def test_a_late_trade_stands_where_its_number_or_its_time_says() -> None:
    for numbers in ((1, 2, 4, 3), (-1, -1, -1, -1)):
        bars = TradeBars(MINUTE, counted=False)
        for time, price, number in zip((1, 60_000, 120_000, 119_000), (9.0, 9.0, 7.0, 11.0), numbers, strict=True):
            told = bars.add(Trade(time, price, 1.0, number))
        assert told == (Revised(Bar(60_000, 9.0, 11.0, 9.0, 11.0, 2.0, 2)),)
        assert bars.add(Trade(59_999, 5.0, 1.0, -1 if numbers[0] < 0 else 0)) == (), "of that minute nothing was given"


def test_a_trade_of_a_bar_that_is_forgotten_is_late() -> None:
    bars = TradeBars(MINUTE)
    for minute in range(5):
        bars.add(Trade(minute * 60_000, 9.0, 1.0))
    assert bars.add(Trade(60_500, 99.0, 1.0)) == () and bars.late == 1


def test_a_missing_trade_that_comes_out_of_order_makes_both_its_bars_whole() -> None:
    bars = TradeBars(MINUTE)
    for time, number in ((1, 1), (60_000, 2), (110_000, 3), (120_500, 5), (180_000, 6)):
        assert not bars.add(Trade(time, 9.0, 1.0, number)), "number 4 may belong to either minute"
    assert bars.add(Trade(119_000, 12.0, 1.0, 4)) == [
        Bar(60_000, 9.0, 12.0, 9.0, 12.0, 3.0, 3),
        Bar(120_000, 9.0, 9.0, 9.0, 9.0, 1.0, 1),
    ]
    assert bars.add(Trade(119_000, 12.0, 1.0, 4)) == (), "it comes twice"


def test_numbers_without_a_hole_prove_that_nobody_traded_in_between() -> None:
    bars = TradeBars(MINUTE)
    bars.add(Trade(1, 9.0, 1.0, 1))
    assert bars.add(Trade(180_000, 9.0, 1.0, 2)) == [Quiet(TimeRange(60_000, 180_000))]
    bars.add(Trade(200_000, 9.0, 1.0, 4))
    assert bars.add(Trade(360_000, 9.0, 1.0, 5)) == [Quiet(TimeRange(240_000, 360_000))], "3 lies before 4"
    assert bars.add(Trade(480_000, 9.0, 1.0, 7)) == [], "6 may lie in between"


def test_where_numbers_have_holes_or_are_not_there_nothing_proves_that_nobody_traded() -> None:
    for bars, number in ((TradeBars(MINUTE, counted=False), 1), (TradeBars(MINUTE), -1)):
        bars.add(Trade(1, 9.0, 1.0, number))
        assert bars.add(Trade(180_000, 9.0, 1.0, abs(number) * 2 * number)) == []


def test_the_venues_last_number_closes_a_bar_once_it_is_over_and_proves_quiet_minutes() -> None:
    bars = TradeBars(MINUTE)
    for time, number in ((1, 1), (60_000, 2)):
        bars.add(Trade(time, 9.0, 1.0, number))
    assert bars.seen(2, 120_999) == (), "a trade of 119.999 s may be on its way"
    assert bars.seen(2, 121_000) == [Bar(60_000, 9.0, 9.0, 9.0, 9.0, 1.0, 1)]
    assert bars.seen(2, 179_000) == ()
    assert bars.seen(2, 241_000) == [Quiet(TimeRange(120_000, 240_000))]
    assert bars.add(Trade(300_000, 9.0, 1.0, 3)) == [Quiet(TimeRange(240_000, 300_000))]
    assert bars.seen(3, 361_000) == [Bar(300_000, 9.0, 9.0, 9.0, 9.0, 1.0, 1)], "it was heard from its first trade on"


def test_a_last_number_that_we_have_not_heard_or_have_passed_closes_nothing() -> None:
    bars = TradeBars(MINUTE)
    for time, number in ((1, 1), (60_000, 2)):
        bars.add(Trade(time, 9.0, 1.0, number))
    assert bars.seen(3, 130_000) == () and bars.seen(3, 190_000) == (), "number 3 is not here"
    assert bars.seen(1, 130_000) == (), "said before number 2"
    assert bars.add(Trade(190_500, 9.0, 1.0, 4)) == [], "3 may be of minute 1, 2 or 3"
    assert bars.add(Trade(250_000, 9.0, 1.0, 5)) == [], "minute 3, too"
    assert bars.add(Trade(310_000, 9.0, 1.0, 6)) == [Bar(240_000, 9.0, 9.0, 9.0, 9.0, 1.0, 1)]


def test_volumes_add_up_as_decimals_do() -> None:
    trades = [Trade(60_000 + i, 1.0, 0.1) for i in range(10)]
    assert bars_from_trades(trades, MINUTE)[0].volume == 1.0


def test_history_of_trades_gives_every_bucket() -> None:
    trades = [Trade(30_000, 1.0, 1.0), Trade(60_000, 2.0, 1.0), Trade(61_000, 3.0, 1.0)]
    assert bars_from_trades(trades, MINUTE) == [
        Bar(0, 1.0, 1.0, 1.0, 1.0, 1.0, 1),
        Bar(60_000, 2.0, 3.0, 2.0, 3.0, 2.0, 2),
    ]


def test_seven_minute_bars_lie_on_the_epochs_grid() -> None:
    seven = Timeframe.parse("7m")
    assert [bar.open_time for bar in bars_from_trades([Trade(419_999, 1.0, 1.0), Trade(420_000, 1.0, 1.0)], seven)] == [
        0,
        420_000,
    ]


def test_behind_a_frame_that_could_not_be_read_trades_without_numbers_are_not_trusted() -> None:
    bars = TradeBars(Timeframe.parse("1m"))
    trades = [Trade(minute * 60_000, 10.0, 1.0) for minute in range(5)]
    assert [given(bars, trade) for trade in trades[:3]] == [None, None, Bar(60_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)]
    bars.doubt()
    assert [given(bars, trade) for trade in trades[3:]] == [None, None]
    assert given(bars, Trade(300_000, 10.0, 1.0)) == Bar(240_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)


def test_behind_a_frame_that_could_not_be_read_the_next_number_tells_whether_a_trade_is_lost() -> None:
    bars = TradeBars(Timeframe.parse("1m"))
    for number in range(2):
        given(bars, Trade(number * 60_000, 10.0, 1.0, number))
    bars.doubt()
    assert given(bars, Trade(120_000, 10.0, 1.0, 2)) == Bar(60_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)


def test_where_numbers_have_holes_a_jump_is_no_loss_and_what_comes_twice_counts_once() -> None:
    bars = TradeBars(Timeframe.parse("1m"), counted=False)
    trades = [Trade(0, 10.0, 1.0, 5), Trade(60_000, 10.0, 1.0, 90), Trade(60_500, 12.0, 2.0, 410)]
    assert [given(bars, trade) for trade in [*trades, *trades]] == [None] * 6
    assert given(bars, Trade(120_000, 11.0, 1.0, 411)) == Bar(60_000, 10.0, 12.0, 10.0, 12.0, 3.0, 2)
    assert bars.lost == 0


@pytest.mark.parametrize(("timeframe", "opens"), [("45s", [45_000, 90_000]), ("7m", [420_000, 840_000])])
def test_timeframes_no_venue_has_are_made_of_trades(timeframe: str, opens: list[int]) -> None:
    bars = TradeBars(Timeframe.parse(timeframe))
    step = opens[0]
    made = [given(bars, Trade(number * step // 3, 10.0 + number % 3, 0.1, number)) for number in range(10)]
    assert [bar for bar in made if bar] == [Bar(time, 10.0, 12.0, 10.0, 12.0, 0.3, 3) for time in opens]


@pytest.mark.parametrize("timeframe", ["45s", "7m", "90s"])
def test_bars_of_trades_equal_those_that_history_merges_from_seconds(timeframe: str) -> None:
    frame = Timeframe.parse(timeframe)
    trades = [Trade(n * 700, 100.0 + n * 7 % 13 / 10, 0.1 + n % 3 / 10, n) for n in range(1, 3_000)]
    made = TradeBars(frame)
    streamed = [bar for trade in trades if (bar := given(made, trade))]
    span = TimeRange(streamed[0].open_time, frame.close(streamed[-1].open_time))
    assert streamed == merge(bars_from_trades(trades, Timeframe.parse("1s")), frame, span)


# --- a silence over the end of a bar, where nothing is proved by numbers ---


def opened(*seconds: float, counted: bool = False, silence_ms: int = 5_000) -> list[int]:
    """The minutes of the bars that are given, of trades made at these seconds."""
    bars = TradeBars(MINUTE, counted=counted, silence_ms=silence_ms)
    got = [given(bars, Trade(int(second * 1000), 10.0, 1.0, number)) for number, second in enumerate(seconds)]
    return [bar.open_time // 60_000 for bar in got if bar]


def test_bars_are_given_where_somebody_traded_about_their_ends() -> None:
    assert opened(58, 61, 90, 119, 122, 170, 178, 181) == [1, 2]


def test_behind_a_silence_over_the_end_of_a_bar_neither_side_is_trusted() -> None:
    assert opened(58, 61, 110, 122, 178, 182, 239, 241) == [3], "from 110 to 122 the stream may have been mute"


def test_a_silence_inside_a_bar_tells_nothing() -> None:
    assert opened(58, 61, 118, 121) == [1]


def test_where_trades_are_numbered_without_holes_a_silence_is_no_doubt() -> None:
    assert opened(50, 70, 130, 190, counted=True) == [1, 2]


def test_where_history_has_nothing_no_silence_is_doubted() -> None:
    assert opened(50, 70, 130, 190, silence_ms=0) == [1, 2]


# --- trades with conditions, that come late or are taken back ---

SECOND = Timeframe.parse("1s")


def sold(second: float, price: float, size: float = 1.0, moves: int = PRICES, key: str = "") -> Trade:
    return Trade(int(second * 1000), price, size, key=key or f"V{second}", moves=moves)


def shares(timeframe: Timeframe = MINUTE, piece: Timeframe = MINUTE, late_ms: int = 30_000) -> TradeBars:
    """What Alpaca's trades are made into."""
    return TradeBars(timeframe, counted=False, late_ms=late_ms, piece=piece, corrects=True)


def told(bars: TradeBars, *trades: Trade) -> list[Bar | Revised | Quiet]:
    return [entry for trade in trades for entry in bars.add(trade)]


def test_a_minute_that_no_trade_opens_is_no_bar_until_a_late_one_does() -> None:
    bars = shares()
    assert told(bars, sold(1, 9), sold(61, 50, 1, 0), sold(62, 51, 1, HIGH_LOW), sold(121, 9)) == []
    assert bars.add(sold(100, 10)) == (Bar(60_000, 10.0, 51.0, 10.0, 10.0, 3.0, 3),)
    assert bars.add(sold(101, 11)) == (Revised(Bar(60_000, 10.0, 51.0, 10.0, 11.0, 4.0, 4)),)


def test_history_of_trades_with_conditions_has_no_bar_that_none_opens() -> None:
    trades = [sold(1, 9), sold(61, 50, 1, 0), sold(121, 9, 2), sold(122, 99, 3, 0)]
    assert bars_from_trades(trades, MINUTE, MINUTE) == [
        Bar(0, 9.0, 9.0, 9.0, 9.0, 1.0, 1),
        Bar(120_000, 9.0, 9.0, 9.0, 9.0, 5.0, 2),
    ]
    assert bars_from_trades(trades[1:2], MINUTE, MINUTE) == []
    [large] = bars_from_trades(trades, Timeframe.parse("7m"), MINUTE)
    assert large == Bar(0, 9.0, 9.0, 9.0, 9.0, 6.0, 3), "minute 1 is not at the venue, either"


def test_trades_of_one_key_are_told_apart_by_what_else_is_said_of_them() -> None:
    bars = shares()
    same = sold(61, 10, 1, key="D7")
    others = (sold(61, 10, 2, key="D7"), sold(61.5, 10, 1, key="D7"), sold(61, 10, 1, key="Q7"))
    told(bars, sold(1, 9), same, same, *others, same, *others)
    assert bars.add(sold(121, 9)) == [Bar(60_000, 10.0, 10.0, 10.0, 10.0, 5.0, 4)]


def test_late_trades_are_new_however_many_came_meanwhile() -> None:
    bars = shares()
    told(bars, sold(1, 9), *(sold(60 + n / 100, 10, key=f"V{n}") for n in range(5_000)))
    bars.add(sold(130, 9))
    assert bars.add(sold(61.005, 12, key="D3")) == (Revised(Bar(60_000, 10.0, 12.0, 10.0, 10.0, 5_001.0, 5_001)),)


def test_short_bars_are_kept_as_long_as_trades_may_be_late() -> None:
    bars = shares(SECOND, SECOND)
    told(bars, *(sold(second, 10) for second in range(60)))
    assert bars.add(sold(29.5, 11)) == (Revised(Bar(29_000, 10.0, 11.0, 10.0, 11.0, 2.0, 2)),)
    assert bars.add(sold(10.5, 11)) == () and bars.late == 1
    few = TradeBars(SECOND, counted=False)
    told(few, *(sold(second, 10) for second in range(60)))
    assert few.add(sold(29.5, 11)) == () and few.late == 1


def test_a_trade_taken_back_in_time_is_in_no_bar() -> None:
    bars = shares()
    told(bars, sold(1, 9), sold(61, 10), sold(62, 99, key="V1"))
    assert bars.correct(sold(63, 99, key="V1"), None) == ()
    assert bars.add(sold(121, 9)) == [Bar(60_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)]


def test_a_correction_behind_its_bar_changes_it_and_is_told() -> None:
    bars = shares()
    told(bars, sold(1, 9), sold(61, 10), sold(62, 99, key="V1"), sold(121, 9))
    assert bars.correct(sold(125, 99, key="V1"), sold(125, 11, 2, key="V2")) == (
        Revised(Bar(60_000, 10.0, 11.0, 10.0, 11.0, 3.0, 2)),
    )
    assert bars.correct(sold(126, 11, 2, key="V2"), None) == (Revised(Bar(60_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)),)
    assert bars.late == 0


def test_a_bar_that_lost_its_only_trade_is_told_to_be_none_and_comes_back_with_a_late_one() -> None:
    bars = shares()
    told(bars, sold(1, 9), sold(61, 10), sold(62, 12, key="V1"))
    assert bars.correct(sold(63, 12, key="V1"), None) == ()
    assert bars.add(sold(121, 9)) == [Bar(60_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)]
    assert bars.correct(sold(125, 10, key="V61"), None) == (
        Revised(Bar(60_000, 10.0, 10.0, 10.0, 10.0, 0.0, 0), gone=True),
    )
    assert bars.add(sold(90, 11)) == (Revised(Bar(60_000, 11.0, 11.0, 11.0, 11.0, 1.0, 1)),)


def test_a_bar_that_lost_its_only_trade_before_it_was_given_is_none() -> None:
    bars = shares()
    told(bars, sold(1, 9), sold(61, 10))
    assert bars.correct(sold(63, 10, key="V61"), None) == ()
    assert bars.add(sold(121, 9)) == []


def test_a_bar_whose_beginning_was_not_heard_is_left_to_history_whatever_is_corrected() -> None:
    bars = shares()
    told(bars, sold(1, 9, key="V1"), sold(61, 10))
    assert bars.correct(sold(62, 9, key="V1"), sold(62, 8, key="V2")) == ()
    bars.broken()
    assert bars.correct(sold(62, 10, key="V61"), None) == () and bars.late == 1


def test_a_correction_of_a_trade_that_nobody_heard_or_remembers_is_late() -> None:
    bars = shares()
    told(bars, *(sold(minute * 60, 10) for minute in range(6)))
    assert bars.correct(sold(301, 10, key="V999"), None) == ()
    assert bars.correct(sold(301, 10, key="V60"), None) == ()
    assert bars.late == 2


def test_a_correction_that_may_be_of_a_trade_not_remembered_any_more_leaves_the_bar_to_history() -> None:
    def made(minutes: range, revoked: Trade) -> list[Bar | Revised | Quiet]:
        bars = shares(SEVEN)
        told(bars, sold(1, 9), *(sold(minute * 60 + 1, 10) for minute in minutes))
        assert bars.correct(revoked, None) == ()
        return told(bars, sold(14 * 60, 9))

    right = Bar(420_000, 10.0, 10.0, 10.0, 10.0, 6.0, 6)
    assert made(range(7, 14), sold(800, 10, key="V781")) == [right], "of the last minute all is known"
    assert made(range(7, 14), sold(800, 10, key="V421")) == [], "of the first one nothing is, any more"
    assert made(range(13, 14), sold(800, 10, key="V421")) == [Bar(420_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)]


# --- when a trade was heard, where nothing is proved by numbers ---

SEVEN = Timeframe.parse("7m")


def heard(bars: TradeBars, *trades: tuple[float, float]) -> list[int]:
    """The bars that are given, in seconds, of trades made and come at these seconds."""
    entries = [entry for made, came in trades for entry in bars.add(sold(made, 10), round(came * 1000))]
    return [entry.open_time // 1000 for entry in entries if isinstance(entry, Bar)]


@pytest.mark.parametrize("timeframe", ["45s", "1m", "7m"])
def test_a_late_trade_does_not_prove_that_the_stream_was_heard_before_a_bars_beginning(timeframe: str) -> None:
    frame = Timeframe.parse(timeframe)
    begin, length = 20 * frame.ms / 1000, frame.ms / 1000
    bars = TradeBars(frame, counted=False)  # it is confirmed three seconds after a bar's beginning
    late = [(begin - 1, begin + 3.1), (begin + 3.2, begin + 3.2), (begin + length + 3, begin + length + 3)]
    assert heard(bars, *late) == []
    assert heard(bars, (begin + 2 * length, begin + 2 * length)) == [begin + length]


def test_clocks_differ_so_a_bar_that_begins_just_behind_the_first_trade_is_not_known_to_be_heard() -> None:
    for came, given in ((57.9, [60]), (58.0, [60]), (58.1, [])):
        assert heard(TradeBars(MINUTE, counted=False), (57, came), (61, 61), (121, 121)) == given


def test_a_doubt_is_not_over_with_a_late_trade() -> None:
    bars = TradeBars(MINUTE, counted=False)
    assert heard(bars, (1, 1), (61, 61), (118, 118)) == []
    bars.doubt()  # at 123
    assert heard(bars, (119, 123), (123.2, 123.2), (181, 181)) == [], "a trade of 122 may be lost"
    assert heard(bars, (241, 241)) == [180]


def test_a_late_trade_does_not_hide_a_silence() -> None:
    bars = TradeBars(MINUTE, counted=False, silence_ms=5_000)
    assert heard(bars, (1, 1), (61, 61), (116, 116), (119.5, 124), (124.1, 124.1), (178, 178), (181, 181)) == []
    assert heard(bars, (238, 238), (241, 241)) == [180]


def test_a_silence_inside_a_bar_still_tells_nothing_but_one_that_may_reach_its_end_does() -> None:
    def given(last: float) -> list[int]:
        bars = TradeBars(MINUTE, counted=False, silence_ms=5_000)
        return heard(bars, (58, 58), (61, 61), (last, last), (121, 121))

    assert given(118) == [60] and given(118.5) == []


def test_a_clock_that_was_wrong_does_not_keep_bars_back_for_long() -> None:
    bars = TradeBars(MINUTE, counted=False)
    assert heard(bars, (1, 3_600), (2, 2.5), (61, 61), (121, 121)) == [60]


def test_where_numbers_prove_it_nobody_asks_when_a_trade_came() -> None:
    bars = TradeBars(MINUTE)
    came = [(59_000, 1), (61_000, 2), (121_000, 3)]
    entries = [entry for time, number in came for entry in bars.add(Trade(time, 9.0, 1.0, number), time + 9_000)]
    assert entries == [Bar(60_000, 9.0, 9.0, 9.0, 9.0, 1.0, 1)]
