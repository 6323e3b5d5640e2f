from __future__ import annotations

import datetime as dt
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from btfeeds.cerebro.bulk import BulkPandasData


def frame(rows: int = 300, *, tz: str | None = None, unit: str = "ns", seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.date_range("2023-03-01", periods=rows, freq="61s", tz=tz).as_unit(unit)
    close = 100 + rng.normal(0, 1, rows).cumsum()
    return pd.DataFrame(
        {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": rng.random(rows)}, index=index
    )


def lines(cls: Any, data: pd.DataFrame, *, row_by_row: bool = False, lookahead: int = 0, **params: Any) -> list[bytes]:
    """Every line of a run, as bytes."""

    filters = params.pop("filters", ())
    feed = cls(dataname=data, **params)
    for a_filter in filters:
        feed.addfilter(a_filter)
    cerebro = bt.Cerebro(stdstats=False, preload=not row_by_row, lookahead=lookahead)
    cerebro.adddata(feed)
    cerebro.run()
    return [line.array.tobytes() for line in feed.lines]


def holes(data: pd.DataFrame) -> pd.DataFrame:
    return data.where(np.arange(len(data) * 5).reshape(-1, 5) % 7 != 0)


def drop_odd(data: Any) -> bool:
    """A filter that takes bars out."""
    odd = round(data.volume[0] * 1000) % 2 == 1
    if odd:
        data.backwards()
    return odd


CASES: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {
    "plain": (frame(), {}),
    "zoned index": (frame(tz="America/New_York"), {}),
    "seconds": (frame(unit="s"), {}),
    "milliseconds": (frame(unit="ms"), {}),
    "microseconds": (frame(unit="us"), {}),
    "holes": (holes(frame()), {}),
    "whole numbers": (frame().astype({"volume": "int64"}), {}),
    "float32": (frame().astype("float32"), {}),
    "text column left out": (frame().assign(note="x"), {}),
    "open interest": (frame().assign(openinterest=5), {}),
    "upper case": (frame().rename(columns=str.upper), {}),
    "columns by number": (frame(), {"open": 0, "high": 1, "low": 2, "close": 3, "volume": None}),
    "time in a column": (frame().rename_axis("when").reset_index(), {"datetime": "when"}),
    "from": (frame(), {"fromdate": dt.datetime(2023, 3, 1, 1)}),
    "to": (frame(), {"todate": dt.datetime(2023, 3, 1, 3)}),
    "from and to": (frame(), {"fromdate": dt.datetime(2023, 3, 1, 1), "todate": dt.datetime(2023, 3, 1, 3)}),
    "nothing left": (frame(), {"fromdate": dt.datetime(2024, 3, 1)}),
    "shuffled": (frame().sample(frac=1, random_state=3), {"todate": dt.datetime(2023, 3, 1, 4)}),
    "empty": (frame(0), {}),
    "output zone": (frame(), {"tz": bt.utils.date.UTC, "fromdate": dt.datetime(2023, 3, 1, 1)}),
    "input zone": (frame(), {"tzinput": bt.utils.date.TZLocal}),
    "filter": (frame(), {"filters": (drop_odd,)}),
    "python objects": (frame().astype({"volume": "object"}), {}),
    "nullable numbers": (frame().astype({"volume": "Float64"}), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_preloaded_lines_are_those_of_pandasdata(case: str) -> None:
    data, params = CASES[case]
    assert lines(BulkPandasData, data, **params) == lines(bt.feeds.PandasData, data, **params)


@pytest.mark.parametrize("case", CASES)
def test_lines_loaded_row_by_row_are_those_of_pandasdata(case: str) -> None:
    data, params = CASES[case]
    bulk = lines(BulkPandasData, data, row_by_row=True, **params)
    assert bulk == lines(bt.feeds.PandasData, data, row_by_row=True, **params)


def test_room_for_lookahead_is_kept() -> None:
    assert lines(BulkPandasData, frame(), lookahead=3) == lines(bt.feeds.PandasData, frame(), lookahead=3)


def test_nanoseconds_are_cut_as_pandasdata_cuts_them() -> None:
    data = frame(20)
    data.index = data.index + pd.Timedelta(999, "ns")
    with pytest.warns(UserWarning, match="nanoseconds"):
        stock = lines(bt.feeds.PandasData, data)
    assert lines(BulkPandasData, data) == stock


@pytest.mark.parametrize("column", [["a"] * 20, [pd.NA] * 20])
def test_what_pandasdata_refuses_is_refused(column: list[Any]) -> None:
    with pytest.raises(TypeError):
        lines(BulkPandasData, frame(20).assign(volume=column))


def test_a_time_that_is_none_is_refused() -> None:
    data = frame(20)
    data.index = data.index.where(np.arange(20) != 4)
    with pytest.raises(ValueError, match="NaT"):
        lines(BulkPandasData, data)


def test_a_second_run_has_the_same_lines() -> None:
    feed = BulkPandasData(dataname=frame())
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed)
    cerebro.run()
    first = [line.array.tobytes() for line in feed.lines]
    cerebro.run()
    assert [line.array.tobytes() for line in feed.lines] == first
