"""What the name of a file says."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from btfeeds.errors import ConfigError
from btfeeds.formats.kinds import Kind, freqtrade_name, kind_of, named
from btfeeds.market import Symbol, Timeframe


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bars.csv", Kind.CSV),
        ("bars.CSV", Kind.CSV),
        ("bars.csv.gz", Kind.CSV),
        ("bars.parquet", Kind.PARQUET),
        ("bars.pq", Kind.PARQUET),
        ("BTC_USDT-1m.feather", Kind.FEATHER),
    ],
)
def test_the_suffix_tells_the_kind(name: str, kind: Kind) -> None:
    assert kind_of(PurePath(name)) is kind


def test_a_kind_that_is_named_counts_more_than_the_suffix() -> None:
    assert kind_of(PurePath("bars.csv"), "backtrader") is Kind.BACKTRADER
    assert kind_of(PurePath("bars"), "parquet") is Kind.PARQUET


def test_a_suffix_nobody_knows_takes_the_default() -> None:
    assert kind_of(PurePath("bars.txt"), default=Kind.CSV) is Kind.CSV


@pytest.mark.parametrize(("name", "kind"), [("bars.xlsx", ""), ("bars", ""), ("bars.csv", "excel")])
def test_what_names_no_kind_is_said_in_three_lines(name: str, kind: str) -> None:
    with pytest.raises(ConfigError, match="does not name a format") as unknown:
        kind_of(PurePath(name), kind)
    assert len(str(unknown.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("symbol", "timeframe", "name"),
    [
        ("BTC/USDT", "1m", "BTC_USDT-1m.feather"),
        ("BTC/USDT", "1M", "BTC_USDT-1Mo.feather"),
        ("BTC/USDT:USDT", "4h", "BTC_USDT_USDT-4h-futures.feather"),
        ("AAPL", "1d", "AAPL-1d.feather"),
    ],
)
def test_freqtrades_names_lead_to_the_series_and_back(symbol: str, timeframe: str, name: str) -> None:
    series = Symbol(symbol), Timeframe.parse(timeframe)
    assert freqtrade_name(*series) == name
    assert named(PurePath("data") / name) == series


@pytest.mark.parametrize("name", ["bars.csv", "A_B_C_D-1m.feather", "BTC_USDT-1x.feather", "BTC_USDT-0m.feather", ""])
def test_other_names_tell_nothing(name: str) -> None:
    assert named(PurePath(name)) is None
