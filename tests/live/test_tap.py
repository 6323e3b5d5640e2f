"""A tap takes only what is final."""

from __future__ import annotations

import threading

import pytest

from btfeeds import monitor
from btfeeds.live.ring import Doubted, Down, Quiet, Revised, Ring, Up
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.alpaca import Alpaca
from btfeeds.venues.base import BarUpdate, ClosingRule, TradeUpdate, Venue
from btfeeds.venues.bitfinex import Bitfinex
from btfeeds.venues.bitstamp import Bitstamp
from btfeeds.venues.bybit import Bybit
from btfeeds.venues.coinbase import Coinbase
from btfeeds.venues.kucoin import KuCoin
from btfeeds.venues.massive import Massive
from btfeeds.venues.okx import OKX
from tests.live.toy import Toy

M = 60_000
BAR = Bar(M, 1.0, 2.0, 0.5, 1.5, 1.0)


def make(timeframe: str = "1m", capacity: int = 10) -> tuple[Tap, list[int]]:
    rings: list[int] = []
    subscription = Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse(timeframe))
    tap = Tap(Toy(), subscription, Ring(capacity, threading.Lock()), lambda: rings.append(1))
    return tap, rings


def test_a_closed_bar_goes_into_the_ring_and_wakes() -> None:
    tap, rings = make()
    tap.bar("toy", BarUpdate("x", BAR, True, 2 * M))
    assert tap.ring.get() == BAR and rings == [1]


def test_a_forming_bar_does_not() -> None:
    tap, rings = make()
    tap.bar("toy", BarUpdate("x", BAR, False, 2 * M))
    assert tap.ring.get() is None and rings == []


def test_a_bar_that_says_closed_before_its_time_does_not() -> None:
    tap, _ = make()
    tap.bar("toy", BarUpdate("x", BAR, True, 2 * M - 1))
    assert tap.ring.get() is None


def test_where_frames_do_not_tell_the_time_our_idea_of_it_has_to_be_well_before_the_close() -> None:
    tap, _ = make()
    tap.bar("toy", BarUpdate("x", BAR, True), 2 * M - 2_001)
    assert tap.ring.get() is None
    tap.bar("toy", BarUpdate("x", BAR, True), 2 * M - 2_000)
    assert tap.ring.get() == BAR


def test_trades_without_numbers_are_not_trusted_over_a_change_of_sockets() -> None:
    def bars(first: int, step: int) -> list[object]:
        tap, _ = make("7m")
        for number, minute in enumerate((1, 7, 8)):
            tap.trades("toy", TradeUpdate("x", (Trade(minute * M, 10.0, 1.0, first + number * step),)))
        tap.seam()
        for number, minute in enumerate((9, 14), 3):
            tap.trades("toy", TradeUpdate("x", (Trade(minute * M, 10.0, 1.0, first + number * step),)))
        return [entry.open_time // M for entry in iter(tap.ring.get, None) if isinstance(entry, Bar)]

    assert bars(-1, 0) == []
    assert bars(100, 1) == [7]


def test_a_break_makes_bars_built_from_trades_start_over() -> None:
    tap, _ = make("7m")
    for number, minute in enumerate((1, 7, 8)):
        tap.trades("toy", TradeUpdate("x", (Trade(minute * M, 10.0, 1.0, number),)))
    tap.down("cut")
    tap.up(9 * M)
    tap.trades("toy", TradeUpdate("x", (Trade(14 * M, 10.0, 1.0, 3),)))
    assert [tap.ring.get() for _ in range(3)] == [Down("cut"), Up(9 * M), None]


def test_a_frame_that_could_not_be_read_makes_what_rolls_over_start_over() -> None:
    class Rolling(Toy):
        closing = ClosingRule.ROLL_OVER

    subscription = Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse("1m"))
    tap = Tap(Rolling(), subscription, Ring(10, threading.Lock()), lambda: None)
    tap.bar("toy", BarUpdate("x", BAR, False))
    tap.doubt()
    tap.doubt()
    tap.bar("toy", BarUpdate("x", Bar(2 * M, 1.0, 2.0, 0.5, 1.5, 1.0), False))
    assert [tap.ring.get(), tap.ring.get()] == [Doubted(), None], "said once, and no bar"


def test_a_row_from_behind_its_frames_own_time_closes_nothing_and_is_not_kept() -> None:
    class Rolling(Toy):
        closing = ClosingRule.ROLL_OVER

    subscription = Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse("1m"))
    tap = Tap(Rolling(), subscription, Ring(10, threading.Lock()), lambda: None)
    for minute, second in ((1, 90), (2, 91), (4, 92), (1, 119), (2, 121)):
        tap.bar("toy", BarUpdate("x", Bar(minute * M, 1.0, 2.0, 0.5, 1.5, float(second)), False, second * 1_000))
    assert [tap.ring.get(), tap.ring.get()] == [Bar(M, 1.0, 2.0, 0.5, 1.5, 119.0), None] and tap.seen == 2 * M


def test_a_late_trade_changes_its_bar_and_numbers_prove_quiet_minutes() -> None:
    tap, _ = make("7m")
    for minute, number in ((1, 1), (7, 2), (14, 3), (13, 4), (29, 5)):
        tap.trades("toy", TradeUpdate("x", (Trade(minute * M, 10.0, 1.0, number),)))
    assert list(iter(tap.ring.get, None)) == [
        Bar(7 * M, 10.0, 10.0, 10.0, 10.0, 1.0, 1),
        Revised(Bar(7 * M, 10.0, 10.0, 10.0, 10.0, 2.0, 2)),
        Bar(14 * M, 10.0, 10.0, 10.0, 10.0, 1.0, 1),
        Quiet(TimeRange(21 * M, 28 * M)),
    ]


def of_trades(venue: Venue, timeframe: str, *trades: tuple[float, int]) -> list[object]:
    """What a tap makes known of trades made at these seconds and numbered so."""
    subscription = Subscription(venue.name, Symbol("BTC/USDT"), Timeframe.parse(timeframe))
    tap = Tap(venue, subscription, Ring(100, threading.Lock()), lambda: None)
    for second, number in trades:
        tap.trades(venue.name, TradeUpdate("x", (Trade(int(second * 1000), 10.0, 1.0, number),)))
    return [entry.open_time // 1000 if isinstance(entry, Bar) else entry for entry in iter(tap.ring.get, None)]


@pytest.mark.parametrize("venue", [Bitstamp(), Bitfinex(), KuCoin(), Bybit()], ids=lambda venue: venue.name)
def test_a_silence_is_doubted_where_trades_are_not_counted_and_history_can_tell(venue: Venue) -> None:
    silent = [(second, -1 if venue.name == "bybit" else 7 * second) for second in (419, 421, 830, 850, 1260, 1261)]
    assert of_trades(venue, "7m", *silent) == [], "from 830 to 850, and from 850 to 1260, nobody was heard"
    busy = [(second, number) for second, (_, number) in zip((419, 421, 600, 838, 841, 842), silent, strict=True)]
    assert of_trades(venue, "7m", *busy) == [420]


def test_what_only_the_stream_has_is_given_however_quiet_it_was() -> None:
    assert of_trades(Bitstamp(), "45s", (40, 1), (60, 2), (100, 3)) == [45]


def test_nobodys_trades_are_a_proof_only_where_history_is_known_to_leave_such_bars_out() -> None:
    trades = ((40, 1), (60, 2), (200, 3))
    assert of_trades(Coinbase(), "45s", *trades) == [45, Quiet(TimeRange(90_000, 180_000))]
    assert of_trades(OKX(), "45s", *trades) == [45]


# --- trades with conditions, and trades that are taken back ---


def of_shares(venue: Venue, timeframe: str) -> Tap:
    subscription = Subscription(venue.name, Symbol("AAPL"), Timeframe.parse(timeframe))
    return Tap(venue, subscription, Ring(100, threading.Lock()), lambda: None)


def sold(second: float, price: float, moves: int = 3, key: str = "") -> Trade:
    return Trade(int(second * 1000), price, 1.0, key=key or f"V{second}", moves=moves)


def say(tap: Tap, *trades: Trade, revoked: Trade | None = None) -> list[object]:
    tap.trades("toy", TradeUpdate("x", trades, revoked=revoked))
    return list(iter(tap.ring.get, None))


SHORT = (sold(44, 9), sold(46, 10), sold(47, 10), sold(60.5, 99, 0), sold(88, 10), sold(90, 9))


@pytest.mark.parametrize(
    ("venue", "volume"),
    [
        (Massive(key="k"), 3.0),  # of second 60 it has no bar
        (Alpaca(key="k"), 4.0),  # where it has no smaller ones, this one is all there is
    ],
)
def test_a_bar_of_trades_is_made_of_those_that_the_venue_has_itself(venue: Venue, volume: float) -> None:
    tap = of_shares(venue, "45s")
    assert say(tap, *SHORT[:-1]) == []
    [bar] = say(tap, SHORT[-1])
    assert isinstance(bar, Bar) and (bar.high, bar.volume) == (10.0, volume)


def test_what_is_taken_back_behind_its_bar_changes_it_and_what_is_unknown_is_told() -> None:
    tap, heard = of_shares(Alpaca(key="k"), "45s"), list[monitor.Happening]()
    sink = monitor.add(heard.append)
    try:
        say(tap, sold(44, 9.0), sold(46, 10.0), sold(47, 99.0, key="V7"), sold(48, 11.0), sold(91, 9.0))
        late = sold(95, 99.0, key="V7")
        assert say(tap, revoked=late) == [Revised(Bar(45_000, 10.0, 11.0, 10.0, 11.0, 2.0, 2))]
        assert heard == []
        assert say(tap, sold(96, 5.0), revoked=late) == []
        assert heard == [monitor.FrameRejected("toy", "late", "alpaca AAPL 45s 95000")]
    finally:
        monitor.remove(sink)


def test_bars_of_the_venue_itself_take_no_notice_of_trades() -> None:
    tap = of_shares(Alpaca(key="k"), "1m")
    assert say(tap, sold(61, 10.0)) == say(tap, revoked=sold(61, 10.0)) == []


# --- when trades come ---


@pytest.mark.parametrize("break_in", ["doubt", "seam", "distrust", "unreadable", "unknown"])
def test_a_late_trade_does_not_end_a_doubt(break_in: str) -> None:
    def bars(*, lost: bool) -> list[int]:
        tap = of_shares(Alpaca(key="k"), "45s")
        for made, came in ((1, 1), (46, 46), (88, 88)):
            tap.trades("toy", TradeUpdate("x", (sold(made, 9.0),)), came * 1000)
        if lost and break_in == "distrust":
            tap.distrust(93_000)
        elif lost and break_in == "unknown":  # a trade that the venue does not tell in full
            tap.trades("toy", TradeUpdate("x", ()), 93_000)
        elif lost:
            tap.seam() if break_in == "seam" else tap.doubt()
        for made, came in ((89, 93), (94, 94), (136, 136), (181, 181)):
            tap.trades("toy", TradeUpdate("x", (sold(made, 9.0),)), came * 1000)
        return [entry.open_time // 1000 for entry in iter(tap.ring.get, None) if isinstance(entry, Bar)]

    assert bars(lost=False) == [45, 90, 135]
    assert bars(lost=True) == [135]


def test_a_trade_that_is_not_told_in_full_is_told_as_a_doubt() -> None:
    tap = of_shares(Alpaca(key="k"), "45s")
    assert say(tap) == [Doubted()]


def test_what_a_stream_says_late_by_design_is_not_late() -> None:
    quarter = 15 * 60
    tap = of_shares(Massive("massivedelayed", key="k"), "45s")
    for second in (42, 46, 50, 70, 87, 91):
        tap.trades("toy", TradeUpdate("x", (sold(second, 9.0),)), (second + quarter) * 1000)
    assert [entry.open_time for entry in iter(tap.ring.get, None) if isinstance(entry, Bar)] == [45_000]


def test_what_is_left_of_no_trade_is_told_to_be_gone() -> None:
    tap = of_shares(Alpaca(key="k"), "45s")
    say(tap, sold(1, 9.0), sold(46, 10.0), sold(91, 9.0))
    nothing = Bar(45_000, 10.0, 10.0, 10.0, 10.0, 0.0, 0)
    assert say(tap, revoked=sold(95, 10.0, key="V46")) == [Revised(nothing, gone=True)]


# --- larger bars of the venue's own ---


def minute(number: int, close: float = 2.0) -> Bar:
    return Bar(number * M, 1.0, close, 1.0, close, 1.0, 2)


@pytest.mark.parametrize("venue", [Alpaca(key="k"), Massive(key="k"), Massive("massivedelayed", key="k")])
def test_minutes_of_shares_are_put_together_and_their_corrections_too(venue: Venue) -> None:
    tap, heard = of_shares(venue, "3m"), list[monitor.Happening]()
    for number in (3, 4, 5):
        tap.bar("toy", BarUpdate("x", minute(number), True), (number + 1) * M)
        assert tap.seen == 3 * M
    assert tap.ring.get() == Bar(3 * M, 1.0, 2.0, 1.0, 2.0, 3.0, 6)
    tap.again("toy", minute(4, 5.0))
    assert tap.ring.get() == Revised(Bar(3 * M, 1.0, 5.0, 1.0, 2.0, 3.0, 6))
    tap.bar("toy", BarUpdate("x", minute(90), True), 91 * M)
    tap.bar("toy", BarUpdate("x", minute(180), True), 181 * M)
    sink = monitor.add(heard.append)
    try:
        tap.again("toy", minute(4, 6.0))
    finally:
        monitor.remove(sink)
    told = [] if venue.name == "massivedelayed" else [monitor.FrameRejected("toy", "late", "alpaca AAPL 3m 240000")]
    assert [f"{one}".replace("massive AAPL", "alpaca AAPL") for one in heard] == [f"{one}" for one in told]


def test_a_minute_that_is_told_before_its_end_is_no_piece() -> None:
    tap = of_shares(Alpaca(key="k"), "3m")
    for number in (3, 4, 5):
        tap.bar("toy", BarUpdate("x", minute(number), True), 6 * M - 2_001)
    assert tap.ring.get() is None
    tap.bar("toy", BarUpdate("x", minute(5), True), 6 * M)
    assert tap.ring.get() == Bar(3 * M, 1.0, 2.0, 1.0, 2.0, 3.0, 6)


def test_trades_of_a_subscription_that_was_ended_in_between_make_no_bar_whole() -> None:
    tap = of_shares(Alpaca(key="k"), "45s")
    tap.up(0)
    assert say(tap, sold(1, 9.0), sold(46, 10.0), sold(91, 9.0))[1:] == [Bar(45_000, 10.0, 10.0, 10.0, 10.0, 1.0, 1)]
    say(tap, sold(100, 9.0))
    tap.up(110_000)
    assert say(tap, sold(130, 9.0), sold(136, 9.0))[1:] == []
