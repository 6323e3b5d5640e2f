"""How well providers have answered decides who is asked first, and outlives the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from btfeeds.clock import ManualClock, SystemClock
from btfeeds.history.reliability import Reliability, Standing, after, ordered

HOUR = 3_600_000
NOW = 1_709_294_400_000


def test_the_first_answers_are_a_mean_and_later_ones_count_a_twentieth() -> None:
    one = after(Standing(), good=True, ms=100, now=NOW)
    two = after(one, good=False, ms=300, now=NOW)
    assert (two.asked, two.failed, two.success, two.ms) == (2, 1, 0.5, 200)
    many = after(Standing(asked=99, success=1.0, ms=100, time=NOW), good=False, ms=300, now=NOW)
    assert (many.success, many.ms) == (0.95, 110)


def test_failures_are_forgiven_by_half_with_every_hour() -> None:
    one = Standing(asked=1, failed=1, success=0.0, time=NOW)
    assert [one.at(NOW + hours * HOUR) for hours in (0, 1, 2)] == [0.0, 0.5, 0.75]


def test_the_order_of_the_rules_stands_as_long_as_all_answer() -> None:
    known = {"b": Standing(asked=5, ms=80, time=NOW), "a": Standing(asked=5, success=0.6, ms=300, time=NOW)}
    assert ordered(["c", "a", "b"], known, NOW) == ["c", "a", "b"]


def test_who_mostly_fails_is_asked_last_until_it_is_forgiven() -> None:
    known = {"a": Standing(asked=5, success=0.2, ms=10, time=NOW)}
    assert ordered(["a", "b"], known, NOW) == ["b", "a"]
    assert ordered(["a", "b"], known, NOW + HOUR) == ["a", "b"]


def test_who_is_far_slower_than_the_quickest_is_asked_behind_it() -> None:
    known = {"a": Standing(asked=5, ms=2_500, time=NOW), "b": Standing(asked=5, ms=600, time=NOW)}
    assert ordered(["a", "b"], known, NOW) == ["b", "a"]
    known["b"] = Standing(asked=5, ms=700, time=NOW)
    assert ordered(["a", "b"], known, NOW) == ["a", "b"]


def test_what_was_learned_is_there_in_the_next_process() -> None:
    first, second = Reliability(SystemClock()), Reliability(SystemClock())
    first.answered("binance", good=False, ms=100)
    second.answered("kraken", good=True, ms=50)
    first.save()
    second.save()
    known = Reliability(SystemClock())
    assert {name: one.failed for name, one in known.standings().items()} == {"binance": 1, "kraken": 0}
    assert known.ordered(["binance", "kraken"]) == ["kraken", "binance"]


def test_simulated_time_leaves_nothing_on_disk(state_of_its_own: Path) -> None:
    one = Reliability(ManualClock(NOW))
    one.answered("binance", good=False, ms=1)
    one.save()
    assert one.ordered(["binance", "kraken"]) == ["kraken", "binance"]
    assert list(state_of_its_own.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"binance": 3}', '{"binance": {"asked": "often"}}'])
def test_a_damaged_file_says_nothing_and_is_replaced(state_of_its_own: Path, text: str) -> None:
    (state_of_its_own / "providers.json").write_text(text, encoding="utf-8")
    one = Reliability(SystemClock())
    assert one.standings() == {}
    one.answered("binance", good=True, ms=1)
    one.save()
    assert list(Reliability(SystemClock()).standings()) == ["binance"]


def test_a_folder_that_cannot_be_written_does_no_harm(state_of_its_own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state_of_its_own / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("BTFEEDS_STATE", str(state_of_its_own / "file" / "below"))
    one = Reliability(SystemClock())
    one.answered("binance", good=True, ms=1)
    one.save()
    assert list(one.standings()) == ["binance"]
