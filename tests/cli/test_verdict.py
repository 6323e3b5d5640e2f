"""What was met against what is true."""

from __future__ import annotations

import pytest

from btfeeds.cli.verdict import Verdict, compare, total
from btfeeds.market import Bar


def bar(minute: int, close: float = 1.0) -> Bar:
    return Bar(minute * 60_000, 1.0, 2.0, 1.0, close, 5.0, 3)


TRUTH = [bar(0), bar(1), bar(2)]


@pytest.mark.parametrize(
    ("met", "verdict"),
    [
        ([bar(0), bar(1), bar(2)], (3, 3, 0, 0, 0)),
        ([bar(0), bar(2)], (3, 2, 1, 0, 0)),
        ([bar(0), bar(1), bar(1), bar(2)], (3, 4, 0, 1, 0)),
        ([bar(0), bar(2), bar(1)], (3, 3, 0, 1, 0)),
        ([bar(0), bar(1, 1.5), bar(2)], (3, 3, 0, 0, 1)),
        ([bar(0), bar(1), bar(2), bar(3)], (3, 4, 0, 0, 1)),
        ([], (3, 0, 3, 0, 0)),
    ],
)
def test_bars_are_held_against_the_truth(met: list[Bar], verdict: tuple[int, ...]) -> None:
    made = compare("X", met, TRUTH)
    assert (made.venue, made.delivered, made.missing, made.duplicate, made.unfinished) == verdict
    assert made.good is (met == TRUTH)


def test_how_many_trades_a_bar_had_is_not_compared() -> None:
    assert compare("X", [Bar(0, 1.0, 2.0, 1.0, 1.0, 5.0)], TRUTH[:1]).good


def test_all_symbols_together_are_summed() -> None:
    assert total([Verdict("A", 3, 3, 0, 0, 0), Verdict("B", 4, 5, 1, 2, 3)]) == Verdict("VERDICT", 7, 8, 1, 2, 3)


def test_the_verdict_is_a_line() -> None:
    assert Verdict("VERDICT", 1_500, 1_500, 0, 0, 0).line() == (
        "VERDICT  venue bars 1,500 = delivered 1,500 · missing 0 · duplicate 0 · unfinished 0 · OK"
    )
    assert Verdict("X", 3, 2, 1, 0, 0).line().endswith("venue bars 3 ≠ delivered 2 · missing 1 · duplicate 0 · "
                                                       "unfinished 0 · BROKEN")  # fmt: skip
