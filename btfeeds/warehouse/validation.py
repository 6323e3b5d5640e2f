"""Is this a series of bars? Every rule looks at whole columns. Pure.

A series is one venue, symbol and timeframe, so a duplicate is two rows with the same opening time. Bars that are
strange and may be true are flagged, not dropped (`strange`); what a rule costs says `quality`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from btfeeds import grid
from btfeeds.columns import NAMES, VALUES, Columns, Flags, Times
from btfeeds.market import Bar, Timeframe, TimeRange
from btfeeds.warehouse import strange
from btfeeds.warehouse.findings import Finding, Report
from btfeeds.warehouse.strange import Policy

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    Source: TypeAlias = "Columns | Sequence[Bar] | pd.DataFrame | pa.Table"

_TIMES = ("open_time", "datetime", "timestamp")
_POLICY = Policy()


def validate(
    source: Source, timeframe: Timeframe, policy: Policy = _POLICY, *, within: TimeRange | None = None
) -> Report:
    """What is wrong or strange in `source`, in the order its rows have.

    With `within`, of the columns of a series only what opens in that time is reported; the others are neighbours that
    it is seen beside. `Policy.around` says how many it takes.
    """
    if isinstance(source, Columns):
        return _report(source, timeframe, policy, [], within)
    if hasattr(source, "columns"):
        return _of_table(source, timeframe, policy)
    return _report(Columns.from_bars(source), timeframe, policy, [])


def _report(
    bars: Columns, timeframe: Timeframe, policy: Policy, findings: list[Finding], within: TimeRange | None = None
) -> Report:
    times = bars.open_time
    if not len(bars):
        return Report.of(0, 0, 0, (*findings, Finding("empty", 1)))

    def found(rule: str, at: Times, flags: Flags) -> None:
        own = flags if within is None else flags & (at >= within.start) & (at < within.end)
        findings.append(Finding.at(rule, at, own))

    invalid = np.zeros(len(bars), dtype=np.bool_)
    for rule, flags in bars.faults().items():
        found(rule, times, flags)
        invalid |= flags
    found("trades_negative", times, bars.trades < -1)
    found("off_grid", times, ~grid.aligned(times, timeframe))
    found("disorder", times[1:], np.diff(times) < 0)
    ordered = bars.take(np.argsort(times, kind="stable"))
    again = np.diff(ordered.open_time) == 0
    differs = again & _differs(ordered)
    found("duplicate", ordered.open_time[1:], again & ~differs)
    found("conflict", ordered.open_time[1:], differs)
    if invalid.any() or again.any():  # what cannot be a bar would make its neighbours look strange
        valid = ~invalid[np.argsort(times, kind="stable")]
        ordered = ordered.take(valid & np.concatenate(([True], ~again)))
    found("outlier", ordered.open_time, strange.outliers(ordered, timeframe, policy))
    found("stuck", ordered.open_time, strange.stuck(ordered, policy))
    found("no_trade", ordered.open_time, strange.no_trade(ordered))
    if within is not None:
        times = times[(times >= within.start) & (times < within.end)]
    rows = len(times) + sum(finding.count for finding in findings if finding.rule == "null")
    return Report.of(rows, int(times.min()), int(times.max()), tuple(findings))


def _differs(ordered: Columns) -> Flags:
    """Which rows differ from the row before in any value; NaN equals NaN."""
    changed = np.zeros(max(0, len(ordered) - 1), dtype=np.bool_)
    for name in (*VALUES, "trades"):
        before, after = getattr(ordered, name)[:-1], getattr(ordered, name)[1:]
        changed |= (before != after) & ~(np.isnan(before) & np.isnan(after))
    return changed


# --- tables: columns, types, nulls -----------------------------------------------------------------------------------


def _of_table(table: Any, timeframe: Timeframe, policy: Policy) -> Report:
    import pandas as pd

    if hasattr(table, "to_pandas"):
        table = table.to_pandas(types_mapper=pd.ArrowDtype)  # a null stays a null beside NaN
    if not any(name in table.columns for name in _TIMES):
        table = table.reset_index(names="open_time")
    findings: list[Finding] = []
    columns: dict[str, Any] = {}
    rows = max(1, len(table))
    null = np.zeros(len(table), dtype=np.bool_)
    for name in NAMES:
        held = next((other for other in (_TIMES if name == "open_time" else (name,)) if other in table.columns), None)
        if held is None:
            findings += [Finding("column", rows, detail=name)] * (name != "trades")
            continue
        column = table[held]
        empty = _nulls(column)
        numbers = _moments(column) if name == "open_time" else _numbers(column, name)
        if numbers is None:
            findings.append(Finding("type", rows, detail=f"{name} is {column.dtype}"))
            continue
        columns[name] = numbers
        if name != "trades":  # not known is no fault there
            null |= empty
    if any(finding.rule in ("column", "type") for finding in findings):
        return Report.of(len(table), 0, 0, tuple(findings))
    bars = Columns.of(columns)
    findings.append(Finding.at("null", bars.open_time, null))
    return _report(bars.take(~null), timeframe, policy, findings)


def _nulls(column: pd.Series) -> Flags:
    """Where there is no value at all; in a plain float column NaN is a value that is not a number."""
    if column.dtype.kind == "f" and isinstance(column.dtype, np.dtype):
        return np.zeros(len(column), dtype=np.bool_)
    flags: Flags = column.isna().to_numpy(dtype=np.bool_)
    return flags


def _moments(column: pd.Series) -> Any:
    """Epoch ms; None where the column does not hold times. A null becomes 0."""
    import pandas as pd

    if column.dtype.kind == "M":
        moments = pd.DatetimeIndex(column)
        moments = moments.tz_localize("UTC") if moments.tz is None else moments.tz_convert("UTC")
        return np.where(moments.isna(), 0, moments.as_unit("ms").asi8)
    if column.dtype.kind == "i":
        return column.fillna(0).to_numpy(dtype=np.int64)
    return None


def _numbers(column: pd.Series, name: str) -> Any:
    """The values; None where the column does not hold numbers. A null becomes NaN, or -1 among trades."""
    if column.dtype.kind not in "fiu":
        return None
    if name == "trades":
        return column.fillna(-1).to_numpy(dtype=np.int64)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
