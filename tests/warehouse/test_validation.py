"""Whether a series is one: every rule, tables of all kinds, and real data."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from btfeeds import barfile
from btfeeds.columns import Columns
from btfeeds.market import Bar, Timeframe, iso
from btfeeds.warehouse.strange import Policy
from btfeeds.warehouse.validation import Report, validate
from tests.shared import shared

M = 60_000
MINUTE = Timeframe.parse("1m")


def bars(count: int = 10) -> list[Bar]:
    return [Bar(n * M, 100.0, 101.0 + n % 50 / 100, 99.0, 100.5, 5.0, n) for n in range(1, count + 1)]


def rules(report: Report) -> dict[str, tuple[int, ...]]:
    """The minutes that each rule names."""
    return {finding.rule: tuple(time // M for time in finding.examples) for finding in report.findings}


def test_a_clean_series_has_a_hundred_and_no_findings() -> None:
    report = validate(bars(), MINUTE)
    assert (report.rows, report.first, report.last, report.score, report.findings) == (10, M, 10 * M, 100, ())


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"high": float("nan")}, "not_finite"),
        ({"volume": float("inf")}, "not_finite"),
        ({"low": 0.0}, "price_not_positive"),
        ({"low": -1.0}, "price_not_positive"),
        ({"volume": -0.1}, "volume_negative"),
        ({"high": 100.4}, "high_low"),
        ({"low": 100.1}, "high_low"),
        ({"trades": -2}, "trades_negative"),
        ({"open_time": 4 * M + 1}, "off_grid"),
        ({"open_time": 9 * M}, "disorder"),
        ({"volume": 0.0, "open": 100.5, "high": 100.5, "low": 100.5}, "no_trade"),
        ({"high": 400.0}, "outlier"),
    ],
)
def test_each_rule_finds_its_bar(change: dict[str, float], rule: str) -> None:
    series = bars(40)
    series[3] = msgspec.structs.replace(series[3], **change)
    report = validate(series, MINUTE)
    at = change.get("open_time", 4 * M)
    if rule == "disorder":
        assert rules(report) == {"disorder": (5,), "conflict": (9,)}  # the next one comes behind it
    else:
        assert [(finding.rule, finding.count, finding.first) for finding in report.findings] == [(rule, 1, at)]
    assert report.sound == (rule in ("no_trade", "outlier"))


def test_the_same_bar_twice_is_a_duplicate_and_another_one_a_conflict() -> None:
    series = bars()
    series.insert(4, series[3])
    series.insert(8, msgspec.structs.replace(series[7], volume=6.0))
    assert rules(validate(series, MINUTE)) == {"duplicate": (4,), "conflict": (7,)}


def test_a_bar_that_is_no_number_twice_is_a_duplicate() -> None:
    broken = Bar(M, float("nan"), 1.0, 1.0, 1.0, 1.0)
    assert rules(validate([broken, broken], MINUTE)) == {"not_finite": (1, 1), "duplicate": (1,)}


def test_what_cannot_be_a_bar_does_not_make_its_neighbours_strange() -> None:
    series = bars(40)
    series[20] = msgspec.structs.replace(series[20], open=1e9, close=1e9, high=1e-9)
    assert rules(validate(series, MINUTE)) == {"high_low": (21,)}


def test_stuck_prices_are_flagged_and_cost_little() -> None:
    series = [msgspec.structs.replace(bar, high=101.0) if bar.open_time <= 12 * M else bar for bar in bars(1000)]
    report = validate(series, MINUTE)
    assert report.count("stuck") == 12
    assert (report.sound, report.score) == (True, 97)  # 1.2 % of bars: 2.4 points


def test_the_policy_says_what_is_strange() -> None:
    series = [msgspec.structs.replace(bar, high=101.0) for bar in bars(5)]
    assert validate(series, MINUTE).count("stuck") == 0
    assert validate(series, MINUTE, replace(Policy(), stuck=5)).count("stuck") == 5


def test_no_bars_are_no_series() -> None:
    report = validate([], MINUTE)
    assert ([finding.rule for finding in report.findings], report.score) == (["empty"], 0)


# --- tables ----------------------------------------------------------------------------------------------------------


def table(**changes: Any) -> pd.DataFrame:
    frame = Columns.from_bars(bars(3)).frame()
    return frame.assign(**changes)


def test_a_frame_as_a_download_gives_it_is_read() -> None:
    report = validate(table(), MINUTE)
    assert (report.rows, report.first, report.last, report.findings) == (3, M, 3 * M, ())
    assert validate(table().reset_index(), MINUTE) == validate(table().tz_localize(None), MINUTE) == report


def test_a_column_that_is_not_there_is_said() -> None:
    report = validate(table().drop(columns=["high", "volume"]), MINUTE)
    assert [(finding.rule, finding.detail) for finding in report.findings] == [("column", "high"), ("column", "volume")]
    assert report.score == 0


def test_trades_may_be_absent() -> None:
    assert validate(table().drop(columns="trades"), MINUTE).findings == ()


@pytest.mark.parametrize("values", [["1", "2", "3"], [True, False, True], [1 + 2j, 1j, 2j]])
def test_a_column_without_numbers_is_said(values: list[Any]) -> None:
    report = validate(table(close=values), MINUTE)
    assert [(finding.rule, finding.count) for finding in report.findings] == [("type", 3)]
    assert report.findings[0].detail.startswith("close is ")


def test_times_that_are_none_are_said() -> None:
    report = validate(table().reset_index(drop=True).assign(datetime=["a", "b", "c"]), MINUTE)
    assert [finding.rule for finding in report.findings] == ["type"]


def test_whole_numbers_are_numbers() -> None:
    assert validate(table(open=[100, 100, 100]), MINUTE).findings == ()


def test_a_null_is_found_apart_from_what_is_not_a_number() -> None:
    null = table(volume=pd.array([5.0, None, 5.0], dtype="Float64"))
    assert [(f.rule, f.count, f.first) for f in validate(null, MINUTE).findings] == [("null", 1, 2 * M)]
    nan = table(volume=[5.0, np.nan, 5.0])
    assert [(f.rule, f.count, f.first) for f in validate(nan, MINUTE).findings] == [("not_finite", 1, 2 * M)]


def test_a_row_without_a_time_is_a_null() -> None:
    frame = table().reset_index()
    frame.loc[1, "datetime"] = pd.NaT
    report = validate(frame, MINUTE)
    assert [(f.rule, f.count) for f in report.findings] == [("null", 1)]
    assert report.rows == 3


def test_an_arrow_table_keeps_its_nulls() -> None:
    pa = pytest.importorskip("pyarrow")
    columns = {
        "open_time": pa.array([M * 1000, 2 * M * 1000], pa.timestamp("us")),
        "open": pa.array([1.0, 1.0]), "high": pa.array([1.0, None]), "low": pa.array([1.0, 1.0]),
        "close": pa.array([1.0, 1.0]), "volume": pa.array([1.0, float("nan")]), "trades": pa.array([None, 4]),
    }  # fmt: skip
    report = validate(pa.table(columns), MINUTE)
    assert [(f.rule, f.count) for f in report.findings] == [("null", 1)]
    columns["high"] = pa.array([1.0, 1.0])
    report = validate(pa.table(columns), MINUTE)
    assert [(f.rule, f.count, f.first) for f in report.findings] == [("not_finite", 1, 2 * M)]


# --- real data -------------------------------------------------------------------------------------------------------


def test_three_weeks_of_binance_us_are_clean_with_their_minutes_without_trades() -> None:
    source = barfile.read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz"))
    report = validate(source.bars, source.timeframe)
    assert (report.rows, report.score, report.losses) == (30_240, 100, ())
    assert [(finding.rule, finding.count) for finding in report.findings] == [("no_trade", 658)]


@pytest.mark.parametrize(("name", "rows", "score"), [("BTCUSD", 293_230, 99), ("ETHUSD", 85_818, 92)])
def test_a_year_of_bitfinex_is_sound_and_has_its_wild_days(name: str, rows: int, score: int) -> None:
    with gzip.open(shared(f"bitfinex/zombie3000/{name}_1m_2016.csv.gz")) as file:
        names = ["open_time", "open", "close", "high", "low", "volume"]
        report = validate(Columns.of(pd.read_csv(file, header=None, names=names)), MINUTE)
    assert report.sound
    assert (report.rows, report.score) == (rows, score)
    assert {loss.rule for loss in report.losses} == {"stuck", "outlier"}


def test_kraken_minutes_are_sound_and_half_of_them_flat() -> None:
    rows = json.loads(shared("kraken/nautilus/http_ohlc.json").read_text())["result"]["XBTUSDT"]
    series = [Bar(row[0] * 1000, *map(float, row[1:5]), float(row[6]), row[7]) for row in rows]
    report = validate(series, MINUTE)
    assert report.sound
    assert (len(series), report.count("no_trade")) == (721, sum(row[7] == 0 for row in rows))
    assert iso(report.first) == "2025-11-10T12:17:00Z"
