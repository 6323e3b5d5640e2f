"""Massive's oddities; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import pytest

from btfeeds.errors import BadFrame, RateLimited, UnsupportedTimeframe
from btfeeds.market import HIGH_LOW, PRICES, Bar, Subscription, Symbol, Timeframe, TimeRange, Trade, to_ms
from btfeeds.venues.base import Alive, BarUpdate, HttpResponse, TradeUpdate, TurnedAway
from btfeeds.venues.massive import Massive
from tests.shared import shared

APPLE = Symbol("AAPL")
TRADE = '[{"ev":"T","sym":"AAPL","x":4,"i":"71675","z":3,"p":189.5,"s":12CONDITIONS,"t":1700000100061,"q":3681329}]'
MINUTE = Timeframe.parse("1m")


def massive(name: str = "massive") -> Massive:
    return Massive(name, key="a-key")


def test_the_key_travels_in_a_header_and_never_in_the_url() -> None:
    request = massive().bars_request(APPLE, MINUTE, TimeRange(1_700_000_100_000, 1_700_000_280_000))
    assert request.path == "/v2/aggs/ticker/AAPL/range/1/minute/1700000100000/1700000279999"
    assert request.headers == {"Authorization": "Bearer a-key"} and "a-key" not in str(dict(request.params))


def test_longer_bars_are_made_of_minutes_because_the_limit_counts_those() -> None:
    assert massive().base_timeframe(Timeframe.parse("1h")) == MINUTE


@pytest.mark.parametrize("timeframe", ["1d", "1w", "1M"])
def test_days_which_open_in_new_york_are_refused(timeframe: str) -> None:
    with pytest.raises(UnsupportedTimeframe):
        massive().base_timeframe(Timeframe.parse(timeframe))


@pytest.mark.parametrize(
    ("timeframe", "channel", "base"), [("5m", "AM.AAPL", "1m"), ("7m", "AM.AAPL", "1m"), ("45s", "T.AAPL", "1s")]
)
def test_a_timeframe_that_is_not_streamed_is_made_of_minutes_or_trades_and_history_has_it_too(
    timeframe: str, channel: str, base: str
) -> None:
    wanted = Timeframe.parse(timeframe)
    assert massive().channel(Subscription("massive", APPLE, wanted)) == channel
    assert massive().base_timeframe(wanted) == Timeframe.parse(base)


@pytest.mark.parametrize(
    ("conditions", "moves"),
    [
        ("", PRICES),
        (',"c":[]', PRICES),
        (',"c":[0,12]', PRICES),
        (',"c":[14,37,41]', 0),
        (',"c":[10,41]', HIGH_LOW),
        (',"c":[99]', 0),
    ],
)
def test_conditions_say_what_a_trade_moves(conditions: str, moves: int) -> None:
    [event] = massive().parse_frame(TRADE.replace("CONDITIONS", conditions))
    trade = Trade(1_700_000_100_061, 189.5, 12.0, key="4:71675", moves=moves)
    assert event == TradeUpdate("T.AAPL", (trade,))


@pytest.mark.parametrize("report", [',"c":[15]', ',"c":[0,16]', ',"c":[38]', ',"c":[8]'])
def test_the_report_of_a_price_is_no_trade(report: str) -> None:
    assert list(massive().parse_frame(TRADE.replace("CONDITIONS", report))) == [Alive()]
    nothing = TRADE.replace("CONDITIONS", "").replace('"s":12', '"s":0')
    assert list(massive().parse_frame(nothing)) == [Alive()]
    assert list(massive().parse_frame(nothing.replace('"s":0', '"s":0,"ds":"0"'))) == [Alive()]


def test_one_connection_too_many_is_tried_again_a_little_later() -> None:
    frame = '[{"ev":"status","status":"max_connections","message":"Maximum number of websocket connections exceeded."}]'
    [event] = massive().parse_frame(frame)
    assert isinstance(event, TurnedAway) and isinstance(event.error, RateLimited) and event.error.retry_after == 15
    assert not massive().overlaps


def test_what_comes_late_is_not_missed_too_early() -> None:
    delayed = massive("massivedelayed")
    assert delayed.grace_ms == delayed.lag_ms == delayed.late_ms == 16 * 60_000 > delayed.behind_ms == 15 * 60_000
    assert (massive().grace_ms, massive().lag_ms, massive().late_ms, massive().behind_ms) == (32_000, 30_000, 30_000, 0)


@pytest.mark.parametrize(
    ("said", "quantity"), [('"0.5"', 0.5), ("0.5", 0.5), ('"12.25"', 12.25), ("null", 12.0), ('"12"', 12.0)]
)
def test_fractions_of_a_share_count(said: str, quantity: float) -> None:
    whole = int(quantity)
    frame = TRADE.replace("CONDITIONS", "").replace('"s":12', f'"s":{whole},"ds":{said}')
    [event] = massive().parse_frame(frame)
    assert isinstance(event, TradeUpdate) and event.trades[0].quantity == quantity
    bar = '[{"ev":"AM","sym":"AAPL","v":%d,"dv":%s,"o":189.4,"c":189.5,"h":189.6,"l":189.3,"s":1700000100000,'
    [update] = massive().parse_frame(bar % (whole, said) + '"e":1700000160000}]')
    assert isinstance(update, BarUpdate) and update.bar.volume == quantity


@pytest.mark.parametrize("said", ['"some"', '"NaN"', '"-1"', "[]"])
def test_a_fraction_that_is_none_is_not_used(said: str) -> None:
    with pytest.raises(BadFrame):
        list(massive().parse_frame(TRADE.replace("CONDITIONS", f',"ds":{said}')))


def test_form_t_moves_prices_out_of_hours_only() -> None:
    evening, noon = 1_700_000_100_061, to_ms("2023-11-14T17:00Z")
    for time, moves in ((evening, PRICES), (noon, 0)):
        [event] = massive().parse_frame(TRADE.replace("CONDITIONS", ',"c":[12]').replace(str(evening), str(time)))
        assert isinstance(event, TradeUpdate) and event.trades[0].moves == moves


def test_one_trade_without_a_list_of_conditions_does_not_cost_the_others() -> None:
    frame = TRADE.replace("CONDITIONS", ',"c":null')[:-1] + "," + TRADE.replace("CONDITIONS", ',"c":[37]')[1:]
    moved = [event.trades[0].moves for event in massive().parse_frame(frame) if isinstance(event, TradeUpdate)]
    assert moved == [PRICES, 0]


def test_an_answer_that_lost_its_results_is_not_empty() -> None:
    with pytest.raises(BadFrame):
        massive().parse_bars(HttpResponse(200, b'{"status":"OK"}'), MINUTE)


def test_the_documented_example_is_read() -> None:
    body = shared("polygon/client-python/aggs_AAPL_1day_2005-04-01.json").read_bytes()
    massive().check(HttpResponse(200, body))
    bars = massive().parse_bars(HttpResponse(200, body), Timeframe.parse("1d"))
    assert bars[0] == Bar(1_112_331_600_000, 1.5032, 1.5064, 1.4489, 1.4604, 642_646_396.0, 82132)


def test_a_bar_that_lasts_longer_than_its_channel_says_is_none() -> None:
    frame = (
        '[{"ev":"AM","sym":"AAPL","v":10,"o":189.4,"c":189.5,"h":189.6,"l":189.3,'
        '"s":1700000100000,"e":1700000220000}]'
    )
    with pytest.raises(BadFrame, match="lasts 120000 ms"):
        list(massive().parse_frame(frame))


@pytest.mark.parametrize("name", ["massive", "massivedelayed"])
def test_in_the_night_nothing_is_due_and_nothing_is_asked(name: str) -> None:
    night = to_ms("2024-03-01T07:00Z")  # two o'clock in New York
    assert massive(name).next_open(APPLE, night) == to_ms("2024-03-01T09:00Z")
