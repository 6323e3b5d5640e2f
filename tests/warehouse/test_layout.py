"""Which file a bar belongs to, and names that no file system confuses."""

from __future__ import annotations

import pytest

from btfeeds.market import Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.warehouse import layout
from tests.warehouse.bars import APRIL, DAY, MARCH


def series(venue: str = "binance", symbol: str = "BTC/USDT", timeframe: str = "1m") -> Subscription:
    return Subscription(venue, Symbol(symbol), Timeframe.parse(timeframe))


@pytest.mark.parametrize(
    ("timeframe", "label", "start", "end"),
    [
        ("1s", "2024-03", "2024-03-01", "2024-04-01"),
        ("1m", "2024-03", "2024-03-01", "2024-04-01"),
        ("3m", "2024", "2024-01-01", "2025-01-01"),
        ("5m", "2024", "2024-01-01", "2025-01-01"),
        ("1h", "2024", "2024-01-01", "2025-01-01"),
        ("4h", "2024", "2024-01-01", "2025-01-01"),
    ],
)
def test_a_file_holds_a_month_up_to_a_minute_and_a_year_up_to_a_day(
    timeframe: str, label: str, start: str, end: str
) -> None:
    span = TimeRange(to_ms(start), to_ms(end))
    assert layout.period(Timeframe.parse(timeframe), to_ms("2024-03-31T23:59:59")) == layout.Period(label, span)


@pytest.mark.parametrize("timeframe", ["1d", "1w", "1M"])
def test_one_file_holds_all_days(timeframe: str) -> None:
    one = layout.period(Timeframe.parse(timeframe), MARCH)
    assert (one.label, to_ms("1928-01-03") in one.span, to_ms("2200-01-01") in one.span) == ("all", True, True)


def test_december_ends_with_the_year() -> None:
    one = layout.period(Timeframe.parse("1m"), to_ms("2023-12-31"))
    assert (one.label, one.span.end) == ("2023-12", to_ms("2024-01-01"))


def test_the_periods_of_a_span_are_those_it_touches() -> None:
    labels = [one.label for one in layout.periods(Timeframe.parse("1m"), TimeRange(MARCH - 1, APRIL))]
    assert labels == ["2024-02", "2024-03"]


MARCH_PERIOD = layout.Period("2024-03", TimeRange(MARCH, APRIL))


@pytest.mark.parametrize(
    ("covered", "now", "due"),
    [
        ([TimeRange(MARCH, APRIL)], APRIL, True),
        ([TimeRange(MARCH, APRIL)], APRIL - 1, False),
        ([TimeRange(MARCH, APRIL - 1)], APRIL, False),
        ([TimeRange(MARCH, APRIL - 1)], APRIL + 7 * DAY, True),
        ([], APRIL + 7 * DAY - 1, False),
    ],
)
def test_a_period_is_due_when_it_is_closed_and_whole_or_old(covered: list[TimeRange], now: int, due: bool) -> None:
    assert layout.due(MARCH_PERIOD, covered, now) is due


@pytest.mark.parametrize(
    ("subscription", "folder"),
    [
        (series(), "binance/BTC~2FUSDT/1m"),
        (series(symbol="BTC/USDT:USDT"), "binance/BTC~2FUSDT~3AUSDT/1m"),
        (series("yahoo", "^GSPC", "1M"), "yahoo/~5EGSPC/1mo"),
        (series("yahoo", "EURUSD=X", "1d"), "yahoo/EURUSD~3DX/1d"),
        (series("alpaca", "BRK.B", "1w"), "alpaca/BRK.B/1w"),
        (series("alpaca", "PRN", "1d"), "alpaca/~50RN/1d"),
        (series("alpaca", "AUX.L", "1d"), "alpaca/~41UX.L/1d"),
        (series("alpaca", "BRK.", "1d"), "alpaca/BRK~2E/1d"),
        (series("My Venüe", "A", "1d"), "~4Dy~20~56en~C3~BCe/A/1d"),
    ],
)
def test_a_folder_is_named_after_the_series_and_tells_it_again(subscription: Subscription, folder: str) -> None:
    assert layout.folder(subscription) == folder
    assert layout.subscription(folder) == subscription


def test_no_two_series_share_a_folder_where_case_does_not_count() -> None:
    minutes, months = series(timeframe="1m"), series(timeframe="1M")
    assert layout.folder(minutes).lower() != layout.folder(months).lower()
    assert layout.folder(series("Binance")).lower() != layout.folder(series("binance")).lower()


def test_the_name_of_a_file_changes_with_its_content() -> None:
    assert layout.file_name(MARCH_PERIOD, "0123456789abcdef99") == "2024-03.0123456789abcdef.parquet"


def test_a_month_that_many_spans_touch_is_named_once() -> None:
    days = [(1, 2), (3, 5), (30, 32), (40, 41), (95, 96)]  # of 2024: January, January to February, February, April
    start = to_ms("2024-01-01")
    spans = [TimeRange(start + first * 86_400_000, start + behind * 86_400_000) for first, behind in days]
    found = layout.touched(Timeframe.parse("1m"), spans)
    assert [one.label for one in found] == ["2024-01", "2024-02", "2024-04"]
    assert layout.touched(Timeframe.parse("1m"), []) == []
