"""Bars, timeframes, spans, symbols and times."""

from __future__ import annotations

import datetime as dt
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btfeeds.errors import ConfigError
from btfeeds.market import TICK, Bar, Subscription, Symbol, Timeframe, TimeRange, iso, to_ms

NOON = 1_709_294_400_000  # 2024-03-01T12:00Z, a Friday
TIMES = st.integers(0, 4_000_000_000_000)
TIMEFRAMES = st.sampled_from(["1s", "1m", "5m", "15m", "1h", "4h", "1d", "3d", "1w", "1M", "3M"]).map(Timeframe.parse)


@pytest.mark.parametrize(
    ("bar", "fault"),
    [
        (Bar(0, 2.0, 3.0, 1.0, 2.0, 0.0), ""),
        (Bar(0, 2.0, 2.0, 2.0, 2.0, 0.0), ""),
        (Bar(0, 2.0, math.nan, 1.0, 2.0, 0.0), "not_finite"),
        (Bar(0, 2.0, 3.0, 1.0, 2.0, math.inf), "not_finite"),
        (Bar(0, 2.0, 3.0, 0.0, 2.0, 0.0), "price_not_positive"),
        (Bar(0, 2.0, 3.0, 1.0, 2.0, -1.0), "volume_negative"),
        (Bar(0, 2.0, 1.5, 1.0, 2.0, 0.0), "high_low"),
        (Bar(0, 2.0, 3.0, 2.5, 2.6, 0.0), "high_low"),
    ],
)
def test_a_bar_names_what_is_wrong_with_it(bar: Bar, fault: str) -> None:
    assert bar.fault() == fault


def test_a_bar_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Bar(0, 2.0, 3.0, 1.0, 2.0, 0.0).close = 5.0  # type: ignore[misc]


def test_a_range_excludes_its_end() -> None:
    span = TimeRange(10, 20)
    assert 10 in span and 19 in span
    assert 9 not in span and 20 not in span


def test_a_range_that_ends_where_it_starts_is_empty() -> None:
    assert TimeRange(10, 11)
    assert not TimeRange(10, 10)
    assert not TimeRange(11, 10)


@pytest.mark.parametrize(
    ("text", "same"), [("60s", "1m"), ("60m", "1h"), ("90m", "90m"), ("24h", "1d"), ("7d", "7d"), (" 1m ", "1m")]
)
def test_a_timeframe_has_one_spelling(text: str, same: str) -> None:
    assert str(Timeframe.parse(text)) == same


@pytest.mark.parametrize("text", ["", "m", "0m", "-1m", "1x", "1 m", "1.5h", "01m", "1mm", "1H", "123456m"])
def test_what_is_no_timeframe_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a timeframe"):
        Timeframe.parse(text)


def test_a_timeframe_beyond_the_calendar_is_refused() -> None:
    assert Timeframe.parse("1000M").floor(0) < 0
    for text in ("99999M", "99999w", "40000d"):
        with pytest.raises(ConfigError, match="longer than a hundred years"):
            Timeframe.parse(text)


def test_m_is_minutes_and_capital_m_is_months() -> None:
    assert Timeframe.parse("1m").ms == 60_000
    assert Timeframe.parse("1M").ms == 31 * 86_400_000


@pytest.mark.parametrize(
    ("text", "opens", "closes"),
    [
        ("1m", "2024-03-01T12:34:00Z", "2024-03-01T12:35:00Z"),
        ("5m", "2024-03-01T12:30:00Z", "2024-03-01T12:35:00Z"),
        ("4h", "2024-03-01T12:00:00Z", "2024-03-01T16:00:00Z"),
        ("1d", "2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z"),
        ("1w", "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"),
        ("1M", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"),
        ("3M", "2024-01-01T00:00:00Z", "2024-04-01T00:00:00Z"),
    ],
)
def test_a_bar_opens_and_closes_on_the_grid(text: str, opens: str, closes: str) -> None:
    timeframe = Timeframe.parse(text)
    opened = timeframe.floor(to_ms("2024-03-01T12:34:56Z"))
    assert (iso(opened), iso(timeframe.close(opened))) == (opens, closes)


def test_a_month_closes_after_its_own_number_of_days() -> None:
    february = to_ms("2024-02-01")
    assert Timeframe.parse("1M").close(february) - february == 29 * 86_400_000


@given(TIMEFRAMES, TIMES)
def test_every_instant_lies_in_the_bar_that_floor_names(timeframe: Timeframe, time: int) -> None:
    opened = timeframe.floor(time)
    assert opened <= time < timeframe.close(opened)
    assert timeframe.aligned(opened)


@given(TIMEFRAMES, TIMES, st.integers(0, 50))
def test_going_back_and_forth_ends_where_it_began(timeframe: Timeframe, time: int, bars: int) -> None:
    opened = timeframe.floor(time)
    back = timeframe.back(opened, bars)
    for _ in range(bars):
        back = timeframe.close(back)
    assert back == opened


def test_the_opens_of_a_range_begin_inside_it() -> None:
    minute = Timeframe.parse("1m")
    assert list(minute.opens(TimeRange(NOON - 1, NOON + 120_000))) == [NOON, NOON + 60_000]
    assert list(minute.opens(TimeRange(NOON + 1, NOON + 60_000))) == []


@pytest.mark.parametrize(
    ("larger", "smaller", "holds"),
    [
        ("1h", "1m", True),
        ("1h", "7m", False),
        ("90m", "1h", False),
        ("1d", "4h", True),
        ("1w", "1d", True),
        ("1w", "3d", False),
        ("1M", "1d", True),
        ("1M", "1w", False),
        ("3M", "1M", True),
        ("1d", "1M", False),
        ("1d", "1w", False),
    ],
)
def test_a_timeframe_knows_what_it_can_be_made_of(larger: str, smaller: str, holds: bool) -> None:
    assert Timeframe.parse(larger).holds(Timeframe.parse(smaller)) is holds


def test_a_tick_opens_and_closes_in_one_instant_and_is_a_part_of_every_bar() -> None:
    assert [TICK.floor(17), TICK.close(17), TICK.back(17, 3), TICK.ceil(17)] == [17] * 4
    assert str(TICK) == "tick" and Timeframe.parse(TICK) is TICK
    assert all(Timeframe.parse(larger).holds(TICK) for larger in ("1s", "7m", "1d", "1w", "1M"))
    assert not TICK.holds(TICK) and not TICK.holds(Timeframe.parse("1s"))
    assert TICK not in {Timeframe.parse("1s")} and pickle.loads(pickle.dumps(TICK)) == TICK
    with pytest.raises(ConfigError):
        Timeframe.parse("tick")


def test_a_symbol_has_parts() -> None:
    future = Symbol("btc/usdt:usdt")
    assert (future, future.base, future.quote) == ("BTC/USDT:USDT", "BTC", "USDT")
    assert (Symbol("AAPL").base, Symbol("AAPL").quote) == ("AAPL", "")


@pytest.mark.parametrize("text", ["", "/", "BTC/", "/USDT", "BTC USDT", "BTC/USDT/EUR", "BTC/USDT:", "A" * 33])
def test_what_is_no_symbol_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a symbol"):
        Symbol(text)


def test_a_subscription_reads_like_what_it_is() -> None:
    assert str(Subscription("binance", Symbol("BTC/USDT"), Timeframe.parse("1m"))) == "binance BTC/USDT 1m"


@pytest.mark.parametrize(
    "moment",
    [
        "2024-03-01T12:00:00Z",
        "2024-03-01T12:00",
        "2024-03-01 13:00:00+01:00",
        dt.datetime(2024, 3, 1, 12),
        dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC),
        1_709_294_400,
        1_709_294_400.0,
        1_709_294_400_000,
        1_709_294_400_000_000,
        1_709_294_400_000_000_000,
        "1709294400000",
    ],
)
def test_a_time_may_be_written_in_many_ways(moment: dt.datetime | str | float) -> None:
    assert to_ms(moment) == NOON


def test_a_date_means_its_midnight_utc() -> None:
    assert to_ms(dt.date(2024, 3, 1)) == to_ms("2024-03-01") == NOON - 12 * 3_600_000


@pytest.mark.parametrize("moment", ["", "yesterday", "12:00", True, None, "2024-13-01"])
def test_what_is_no_time_is_refused(moment: str) -> None:
    with pytest.raises(ConfigError, match="is not a time"):
        to_ms(moment)


def test_milliseconds_are_shown_where_there_are_any() -> None:
    assert iso(NOON) == "2024-03-01T12:00:00Z"
    assert iso(NOON + 7) == "2024-03-01T12:00:00.007Z"
    assert str(TimeRange(NOON, NOON + 60_000)) == "2024-03-01T12:00:00Z .. 2024-03-01T12:01:00Z"
