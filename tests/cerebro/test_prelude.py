from __future__ import annotations

from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from btfeeds.cerebro.prelude import Prelude
from btfeeds.feeds import BaseLiveDataFeed
from btfeeds.live.items import Delivery
from btfeeds.market import Bar, Timeframe
from tests.fakes import MINUTE, NOON


def frame(first: str = "2024-03-01 12:00", count: int = 2, **columns: list[float]) -> pd.DataFrame:
    index = pd.date_range(first, periods=count, freq="min")
    values: dict[str, Any] = {name: 5.0 for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({**values, **columns}, index=index)


def prelude(inner: Any, *, stamps_close: bool = True) -> Prelude:
    return Prelude(inner, bt.Cerebro(), Timeframe.parse("1m"), stamps_close=stamps_close)


def five(open_time: int) -> Delivery:
    return Delivery(Bar(open_time, 5.0, 5.0, 5.0, 5.0, 5.0), "history")


def test_bars_come_one_by_one_until_there_are_no_more() -> None:
    stream = prelude(bt.feeds.PandasData(dataname=frame("2024-03-01 12:01")))
    assert (stream.waiting, stream.settled) == (True, 0)
    assert stream.pull() == five(NOON)
    assert stream.settled == NOON + MINUTE
    assert stream.pull() == five(NOON + MINUTE)
    assert stream.waiting
    assert stream.pull() is None
    assert not stream.waiting


@pytest.mark.parametrize("stamp", ["open", "close"])
@pytest.mark.parametrize("outer", [True, False])
def test_a_feed_of_ours_knows_when_its_bars_open(stamp: str, outer: bool) -> None:
    inner = BaseLiveDataFeed(dataname=frame(), timeframe="1m", stamp=stamp)
    assert prelude(inner, stamps_close=outer).pull() == five(NOON)


@pytest.mark.parametrize(("stamps_close", "opened"), [(True, NOON - MINUTE), (False, NOON)])
def test_the_stamps_of_any_other_feed_are_taken_for_what_the_feed_itself_has(stamps_close: bool, opened: int) -> None:
    inner = bt.feeds.PandasData(dataname=frame())
    assert prelude(inner, stamps_close=stamps_close).pull() == five(opened)


def test_only_lines_that_both_feeds_have_are_copied() -> None:
    class Priced(bt.feeds.PandasData):  # type: ignore[misc]
        lines = ("vwap",)
        params = (("vwap", -1),)

    stream = prelude(Priced(dataname=frame(vwap=[7.0, 7.0], openinterest=[3.0, 4.0])))
    stream.pull()
    outer = BaseLiveDataFeed(dataname=frame(), timeframe="1m")
    outer.forward()
    stream.copy(outer.lines)
    assert outer.lines.openinterest[0] == 3.0
    assert outer.lines.datetime[0] != stream.inner.lines.datetime[0]


def test_a_closed_prelude_has_nothing_more() -> None:
    stream = prelude(bt.feeds.PandasData(dataname=frame()))
    stream.close()
    assert not stream.waiting
    assert stream.pull() is None
