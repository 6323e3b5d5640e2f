"""Taking stock of a series, on real data: gaps that are the source's own are told from those nobody was asked about."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from btfeeds import inventory
from btfeeds.errors import MissingExtra
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.gapreport import Cause
from tests.shared import shared

M = 60_000
MINUTE = Timeframe.parse("1m")
NOON = 1_709_294_400_000


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "bars") as made:
        yield made


def series(venue: str, symbol: str, timeframe: str = "1m") -> Subscription:
    return Subscription(venue, Symbol(symbol), Timeframe.parse(timeframe))


def real(name: str, count: int, order: str = "ohlcv") -> list[Bar]:
    """The first rows of a recorded file; `order` says what stands behind the time."""
    with gzip.open(shared(name), "rt", encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.reader(lines) if row[0] != "open_time"][:count]
    return [Bar(to_ms(row[0]), *(float(row[1 + order.index(letter)]) for letter in "ohlcv")) for row in rows]


def test_a_complete_file_of_a_venue_with_a_row_for_every_minute_has_no_gap(warehouse: Warehouse) -> None:
    one = series("binanceus", "BTC/USDT")
    bars = real("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz", 30_240)
    span = TimeRange(to_ms("2023-03-01"), to_ms("2023-03-22"))
    warehouse.add(one, bars, provider="binanceus", span=span)
    assert inventory.extent(warehouse, one) == span
    report = inventory.gaps(warehouse, one, span)
    assert (report.present, report.gaps) == (30_240, ())
    checked = inventory.validated(warehouse, one, span)
    assert (checked.rows, checked.sound, checked.score >= 90) == (30_240, True, True)


def test_minutes_that_bitfinex_leaves_out_are_its_own_and_not_missing(warehouse: Warehouse) -> None:
    one = series("bitfinex", "BTC/USD")
    bars = real("bitfinex/zombie3000/BTCUSD_1m_2016.csv.gz", 1_000, "ochlv")
    span = TimeRange(to_ms("2016-01-01"), bars[-1].open_time + M)
    minutes = (span.end - span.start) // M
    warehouse.add(one, bars, provider="bitfinex", span=span)
    report = inventory.gaps(warehouse, one, span)
    assert minutes > 1_000
    assert report.bars(Cause.NO_TRADE) == minutes - 1_000
    assert report.bars(Cause.NEVER_ASKED) == report.bars(Cause.SOURCE) == 0
    warehouse.forget(one, TimeRange(span.start, span.start + 60 * M))
    report = inventory.gaps(warehouse, one, span)
    assert report.bars(Cause.NEVER_ASKED) == 60


def test_a_series_is_looked_at_in_pieces(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "_PIECE", 7)
    one = series("kraken", "BTC/USD")
    bars = [Bar(NOON + minute * M, 1.0, 1.0, 1.0, 1.0, 1.0) for minute in range(20) if minute != 8]
    span = TimeRange(NOON, NOON + 20 * M)
    warehouse.add(one, bars, provider="kraken", span=span)
    assert [len(piece) for piece in inventory.pieces(warehouse, one, span)] == [7, 6, 6]
    assert inventory.validated(warehouse, one, span).rows == 19
    [gap] = inventory.gaps(warehouse, one, span).gaps
    assert (gap.bars, gap.cause) == (1, Cause.SOURCE)  # Kraken has a row for every minute


def test_what_is_strange_at_the_edge_of_a_piece_is_found(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "_PIECE", 50)
    one = series("kraken", "BTC/USD")
    prices = [100.0 + (0.0, 0.1, 0.05, -0.05)[minute % 4] for minute in range(205)]
    prices[50] = 1_000.0  # the first of its piece: only the bar before shows it
    prices[99] = 10.0  # the last of its piece: that the way back is none is to be seen in the next
    prices[144:157] = [100.0] * 13  # stuck over an edge, with six of them before it
    prices[202] = 1_000.0  # in a piece of five, where nothing is ordinary by itself
    bars = [Bar(NOON + minute * M, *[price] * 4, 1.0) for minute, price in enumerate(prices)]
    span = TimeRange(NOON, NOON + 205 * M)
    warehouse.add(one, bars, provider="kraken", span=span)
    report = inventory.validated(warehouse, one, span)
    said = {one.rule: [(time - NOON) // M for time in one.examples] for one in report.findings}
    assert said == {"outlier": [50, 99, 202], "stuck": [144, 145, 146, 147, 148]}
    assert (report.rows, report.count("stuck"), report.first, report.last) == (205, 13, NOON, NOON + 204 * M)


def test_an_empty_series_is_empty(warehouse: Warehouse) -> None:
    one = series("kraken", "BTC/USD")
    assert inventory.extent(warehouse, one) is None
    report = inventory.validated(warehouse, one, TimeRange(NOON, NOON + M))
    assert (report.rows, report.score) == (0, 0)


def test_another_series_is_compared_bar_by_bar(warehouse: Warehouse) -> None:
    span = TimeRange(NOON, NOON + 3 * M)
    for venue, price in (("binance", 1.0), ("kraken", 1.1)):
        bars = [Bar(NOON, 1.0, 1.0, 1.0, 1.0, 1.0), Bar(NOON + M, price, price, price, price, 1.0)]
        warehouse.add(series(venue, "BTC/USD"), bars, provider=venue, span=span)
    check = inventory.compared(warehouse, series("binance", "BTC/USD"), series("kraken", "BTC/USD"), span)
    assert (check.common, check.equal, check.differing) == (2, 1, (NOON + M,))


@pytest.mark.parametrize(
    ("symbol", "timeframe", "calendar"),
    [("BTC/USDT", "1m", "24/7"), ("BTC/USDT:USDT", "1d", "24/7"), ("EUR/USD", "1h", "fx"), ("AAPL", "1m", "us"),
     ("AAPL", "1d", "XNYS"), ("^GSPC", "1m", "XNYS"), ("VOD.L", "1d", "XLON"), ("X.JO", "1d", "XNYS"),
     ("ES=F", "1m", "CMES")],
)  # fmt: skip
def test_the_symbol_tells_the_calendar(symbol: str, timeframe: str, calendar: str) -> None:
    assert inventory.fitting(series("yahoo", symbol, timeframe)) == calendar


def test_without_the_calendars_weekdays_have_to_do_unless_one_was_named(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = inventory.report

    def missing(*args: Any, calendar: str, **facts: Any) -> Any:
        if calendar == "XNYS":
            raise MissingExtra("exchange_calendars", "calendars", "This")
        return real(*args, calendar=calendar, **facts)

    monkeypatch.setattr(inventory, "report", missing)
    one = series("yahoo", "AAPL", "1d")
    span = TimeRange(to_ms("2024-03-02"), to_ms("2024-03-05"))  # Saturday to Monday
    report = inventory.gaps(warehouse, one, span)
    assert report.bars(Cause.NEVER_ASKED) >= 1
    with pytest.raises(MissingExtra):
        inventory.gaps(warehouse, one, span, "XNYS")


def test_who_leaves_out_empty_bars_is_known_for_our_venues() -> None:
    assert not inventory.omits(series("kraken", "BTC/USD"))
    assert inventory.omits(series("kraken", "BTC/USD", "1s"))  # made of trades
    assert inventory.omits(series("bitfinex", "BTC/USD"))
    assert inventory.omits(series("my own file", "BTC/USD"))
