"""Who can be asked, and who first."""

from __future__ import annotations

import pytest

from btfeeds.clock import ManualClock
from btfeeds.errors import ConfigError
from btfeeds.history.reliability import Reliability
from btfeeds.history.selection import Selection, assigned, turn
from btfeeds.market import Symbol, Timeframe, TimeRange


def candidates(symbol: str, timeframe: str = "1m", *, rules: str = "", bad: tuple[str, ...] = ()) -> list[str]:
    known = Reliability(ManualClock(0))
    for name in bad:
        known.answered(name, good=False, ms=1)
    return Selection(known, rules).candidates(Symbol(symbol), Timeframe.parse(timeframe))


def spans(*edges: tuple[int, int]) -> list[TimeRange]:
    return [TimeRange(*edge) for edge in edges]


def test_coins_are_asked_of_venues_without_a_key() -> None:
    assert candidates("BTC/USDT")[:2] == ["binance", "okx"]


def test_who_needs_a_key_is_asked_once_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert candidates("AAPL", rules="AAPL=massive,binance") == ["binance"]
    monkeypatch.setenv("BTFEEDS_MASSIVE_API_KEY", "k")
    assert candidates("AAPL", rules="AAPL=massive,binance") == ["massive", "binance"]


def test_who_has_no_such_bars_is_passed_over() -> None:
    assert candidates("BTC/USD", "1s", rules="crypto=gemini,kraken") == ["kraken"]


def test_shares_with_and_without_splits_worked_in_are_not_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_MASSIVE_API_KEY", "k")  # raw
    monkeypatch.setenv("BTFEEDS_TWELVEDATA_API_KEY", "k")  # with splits, as Yahoo
    assert candidates("AAPL", "1m", rules="AAPL=massive,yahoo,twelvedata") == ["massive"]
    assert candidates("AAPL", "1m", rules="AAPL=yahoo,massive,twelvedata") == ["yahoo", "twelvedata"]
    assert candidates("EUR/USD", "1d", rules="fx=yahoo,binance,twelvedata")[0] == "yahoo"


def test_who_mostly_failed_is_asked_behind_the_others() -> None:
    assert candidates("BTC/USDT", rules="crypto=binance,okx", bad=("binance",)) == ["okx", "binance"]


def test_rules_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_PROVIDERS", "crypto=kraken")
    assert candidates("BTC/USDT") == ["kraken"]
    assert candidates("BTC/USDT", rules="crypto=okx") == ["okx"]


def test_where_nobody_is_left_the_reasons_are_told() -> None:
    with pytest.raises(ConfigError, match=r"Nobody can be asked for AAPL 1m \(equity\): Massive needs a key"):
        candidates("AAPL", rules="AAPL=massive")


def test_bars_on_disk_belong_to_the_first_who_has_them() -> None:
    held = [("a", spans((2, 4), (6, 7))), ("b", spans((3, 5), (9, 10)))]
    assert list(assigned(TimeRange(0, 10), held)) == [
        (TimeRange(0, 2), ""), (TimeRange(2, 4), "a"), (TimeRange(4, 5), "b"), (TimeRange(5, 6), ""),
        (TimeRange(6, 7), "a"), (TimeRange(7, 9), ""), (TimeRange(9, 10), "b"),
    ]  # fmt: skip
    assert list(assigned(TimeRange(0, 10), [("a", [])])) == [(TimeRange(0, 10), "")]


def test_the_first_who_reaches_back_so_far_is_asked_until_a_better_one_does() -> None:
    reach = {"a": 50, "b": 20}
    assert turn(["a", "b", "c"], reach, 60, 100) == ("a", 100)
    assert turn(["a", "b", "c"], reach, 30, 100) == ("b", 50)
    assert turn(["a", "b", "c"], reach, 10, 100) == ("c", 20)
    assert turn(["a", "b"], reach, 10, 100) == ("a", 100)  # nobody: the first one says so
