"""What becomes of bars that are added."""

from __future__ import annotations

from pathlib import Path

import pytest

from btfeeds.clock import ManualClock
from btfeeds.market import Bar, TimeRange
from btfeeds.warehouse import Added, Warehouse
from tests.warehouse.bars import APRIL, DAY, HOUR, MARCH, MINUTE, SERIES, bars

EVER = TimeRange(0, 2**60)
TEN = TimeRange(MARCH, MARCH + 10 * MINUTE)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "w", clock=ManualClock(MARCH + DAY))


def test_what_is_not_over_is_not_answered(warehouse: Warehouse) -> None:
    now = MARCH + DAY
    warehouse.add(SERIES, [], provider="binance", span=TimeRange(now - MINUTE, now + HOUR))
    assert warehouse.covered(SERIES, EVER) == [TimeRange(now - MINUTE, now)]


def test_the_venues_time_counts_where_our_clock_is_behind_it(warehouse: Warehouse) -> None:
    later = bars(1, first=3 * 24 * 60)[0]
    assert warehouse.add(SERIES, [later], provider="binance") == Added(rejected=1)
    assert warehouse.add(SERIES, [later], provider="binance", venue_time=MARCH + 4 * DAY) == Added(new=1)


def test_what_cannot_be_a_bar_is_a_dead_letter_and_its_time_is_still_missing(warehouse: Warehouse) -> None:
    bad = Bar(MARCH + MINUTE, 1.0, 0.5, 1.0, 1.0, 1.0)
    added = warehouse.add(SERIES, [bars(1)[0], bad, bars(1, first=2)[0]], provider="binance", span=TEN)
    assert added == Added(new=2, rejected=1)
    assert warehouse.missing(SERIES, TEN) == [TimeRange(MARCH + MINUTE, MARCH + 2 * MINUTE)]
    (letter,) = warehouse.dead_letters()
    assert (letter.reason, letter.open_time, letter.provider) == ("high_low", MARCH + MINUTE, "binance")
    assert "high=0.5" in letter.raw
    warehouse.reject(SERIES, "malformed", "<html>", provider="kraken")
    assert [one.raw for one in warehouse.dead_letters(SERIES, limit=1)] == ["<html>"]


def test_the_newest_word_wins_and_the_older_ones_are_kept(warehouse: Warehouse) -> None:
    first, second, third = (Bar(MARCH, 1.0, high, 0.5, 1.0, 1.0, 3) for high in (2.0, 3.0, 4.0))
    warehouse.add(SERIES, [first], provider="binance")
    assert warehouse.add(SERIES, [second], provider="kraken") == Added(revised=1)
    assert not warehouse.revise(SERIES, second, provider="binance")
    assert warehouse.revise(SERIES, third, provider="binance")
    assert warehouse.bars(SERIES, EVER) == [third]
    assert [(one.before, one.provider, one.by) for one in warehouse.revisions(SERIES)] == [
        (first, "binance", "kraken"), (second, "kraken", "binance"),
    ]  # fmt: skip


def test_what_is_in_a_file_already_is_compared_with_it(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with Warehouse(tmp_path / "w", clock=ManualClock(APRIL)) as warehouse:
        warehouse.add(SERIES, bars(5), provider="binance", span=TimeRange(MARCH, APRIL))
        assert len(warehouse.files()) == 1
        corrected = Bar(MARCH + MINUTE, 1.0, 2.0, 0.5, 1.0, 1.0, 3)
        added = warehouse.add(SERIES, [*bars(1), corrected, *bars(1, first=9)], provider="kraken")
        assert added == Added(new=1, same=1, revised=1)
        assert warehouse.bars(SERIES, EVER) == [*bars(1), corrected, *bars(3, first=2), *bars(1, first=9)]


def test_what_many_single_bars_complete_is_looked_for_once(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("btfeeds.warehouse.layout.complete", lambda one, covered: bool(asked.append(one.label)))
    january = MARCH - 60 * DAY  # 2024-01-01
    lonely = [bar for minute in range(0, 60 * 1_440, 7) for bar in bars(1, first=minute, start=january)]
    warehouse.add(SERIES, lonely, provider="import")
    assert asked == ["2024-01", "2024-02"]
    assert len(warehouse.covered(SERIES, EVER)) == len(lonely) == 12_343
