"""What the gap policy does to a backtest's bars."""

from __future__ import annotations

import pandas as pd
import pytest

from btfeeds.cerebro.filling import settle
from btfeeds.errors import HistoryIncomplete
from btfeeds.history.downloader import frame
from btfeeds.market import Bar, Timeframe

M = 60_000
MINUTE = Timeframe.parse("1m")
HOLED = frame([Bar(minute * M, 1.0, 2.0, 0.5, 1.5, 3.0, 4) for minute in (0, 1, 4)])


def settled(gaps: str, bars: pd.DataFrame = HOLED, omits_empty: bool = False) -> pd.DataFrame:
    return settle(bars, MINUTE, gaps, name="x", omits_empty=omits_empty)


def test_fill_puts_marked_flat_bars_between_the_bars() -> None:
    made = settled("fill", omits_empty=True)
    assert made["filled"].tolist() == [0, 0, 1, 1, 0]
    assert made[["open", "high", "low", "close", "volume", "trades"]].iloc[2].tolist() == [1.5, 1.5, 1.5, 1.5, 0, 0]
    assert made.drop(columns="filled").loc[HOLED.index].equals(HOLED)
    assert made.index.name == "datetime" and made.index.dtype == HOLED.index.dtype


@pytest.mark.parametrize("gaps", ["mark", "hold"])
def test_otherwise_the_bars_stay_as_they_are(gaps: str) -> None:
    assert settled(gaps) is HOLED


def test_stop_names_the_first_hole() -> None:
    with pytest.raises(HistoryIncomplete) as caught:
        settled("stop")
    assert caught.value.missing == ((2 * M, 4 * M),)


def test_stop_takes_minutes_without_trades_for_granted() -> None:
    assert settled("stop", omits_empty=True) is HOLED
    assert settled("stop", HOLED.iloc[:2]).equals(HOLED.iloc[:2])


def test_no_bars_have_no_gaps() -> None:
    assert settled("fill", HOLED.iloc[:0]).empty
