"""Two providers' word on the same bars."""

from __future__ import annotations

import json

import pytest

from btfeeds.columns import Columns
from btfeeds.market import Bar
from btfeeds.warehouse.crosscheck import CrossCheck, Deviation, compare
from btfeeds.warehouse.findings import Report

M = 60_000


def bar(minute: int, close: float = 100.0, volume: float = 5.0) -> Bar:
    return Bar(minute * M, 100.0, 110.0, 90.0, close, volume)


def check(first: list[Bar], second: list[Bar], **tolerance: float) -> CrossCheck:
    return compare(Columns.from_bars(first), Columns.from_bars(second), **tolerance)


def test_the_same_bars_agree() -> None:
    result = check([bar(1), bar(2)], [bar(1), bar(2)])
    assert (result.common, result.equal, result.share, result.differing) == (2, 2, 1.0, ())
    assert result.largest["close"] == Deviation(0.0, M)


def test_a_price_beyond_the_tolerance_names_its_bar() -> None:
    ours = [bar(1), bar(2), bar(3), bar(4)]
    result = check(ours, [bar(1), bar(2, 100.05), bar(3, 80.0), bar(4)])
    assert (result.common, result.equal, result.share) == (4, 2, 0.5)
    assert result.differing == (3 * M,)
    assert result.largest["close"] == Deviation(0.2, 3 * M)
    assert result.largest["open"].relative == 0.0


def test_a_deviation_of_exactly_the_tolerance_is_within_it() -> None:
    assert check([bar(1)], [bar(1, 80.0)], price=0.2).differing == ()
    assert check([bar(1)], [bar(1, 80.0)], price=0.1999).differing == (M,)


def test_volumes_are_judged_only_when_asked_for() -> None:
    assert check([bar(1)], [bar(1, volume=4.0)]).differing == ()
    assert check([bar(1)], [bar(1, volume=4.0)], volume=0.1).differing == (M,)
    assert check([bar(1)], [bar(1, volume=4.0)]).largest["volume"] == Deviation(0.2, M)
    assert check([bar(1, volume=0.0)], [bar(1, volume=0.0)]).equal == 1


def test_bars_that_only_one_has_are_named() -> None:
    result = check([bar(1), bar(2), bar(4)], [bar(2), bar(3)])
    assert (result.common, result.only_first, result.only_second) == (1, (M, 4 * M), (3 * M,))


@pytest.mark.parametrize(("first", "second"), [([], []), ([bar(1)], []), ([bar(1)], [bar(2)])])
def test_series_without_common_bars_do_not_differ(first: list[Bar], second: list[Bar]) -> None:
    result = check(first, second)
    assert (result.common, result.share, result.differing, dict(result.largest)) == (0, 1.0, (), {})


def test_the_differing_bars_join_a_report() -> None:
    result = check([bar(1), bar(2)], [bar(1, 80.0), bar(2, 80.0)])
    report = Report.of(40, M, 40 * M, ()).joined(result.finding())
    assert (report.count("differing"), report.score) == (2, 80)  # 5 % of the bars: half of 40 points
    assert Report.of(40, M, 40 * M, ()).joined(check([], []).finding()).findings == ()


def test_a_check_can_be_read_by_a_program() -> None:
    said = json.loads(json.dumps(check([bar(1), bar(2)], [bar(1, 80.0)]).json()))
    assert said["largest"]["close"] == {"relative": 0.2, "open_time": M}
    del said["largest"]
    assert said == {"common": 1, "equal": 0, "share": 0.0, "differing": [M], "only_first": 1, "only_second": 0}
