"""A bar of trades that move what their conditions let them, and of trades that are taken back."""

from __future__ import annotations

import math
import random

import msgspec
import pytest

from btfeeds.live.forming import Forming, _Piece, begun
from btfeeds.market import HIGH_LOW, PRICES, Bar, Timeframe, Trade

MINUTE, SEVEN = Timeframe.parse("1m"), Timeframe.parse("7m")
M = 60_000


def trade(second: float, price: float, size: float = 1.0, moves: int = PRICES, key: str = "") -> Trade:
    return Trade(int(second * 1000), price, size, key=key, moves=moves)


def made(*trades: Trade, timeframe: Timeframe = MINUTE, piece: Timeframe = MINUTE, remembers: bool = False) -> Forming:
    forming = begun(timeframe, 0, piece, remember_ms=60_000 if remembers else 0)
    for one in trades:
        forming.add(one)
    return forming


def test_where_everything_moves_everything_both_kinds_agree() -> None:
    trades = [trade(1, 10), trade(2, 12), trade(2, 11.5, 0.1), trade(0.5, 9, 0.2), trade(3, 11)]
    plain = begun(MINUTE, 0, None)
    for one in trades:
        plain.add(one)
    assert plain.bar() == made(*trades).bar() == Bar(0, 9.0, 12.0, 9.0, 11.0, 3.3, 5)


def test_what_moves_volume_only_moves_no_price() -> None:
    odd = trade(30, 99.0, 5.0, 0)
    assert made(trade(1, 10), odd, trade(2, 11)).bar() == Bar(0, 10.0, 11.0, 10.0, 11.0, 7.0, 3)


def test_what_comes_before_the_first_price_counts_with_it() -> None:
    assert made(trade(1, 99, 5, 0), trade(2, 10), trade(3, 10)).bar() == Bar(0, 10.0, 10.0, 10.0, 10.0, 7.0, 3)


def test_what_moves_high_and_low_opens_and_closes_nothing() -> None:
    bar = made(trade(1, 8, 1, HIGH_LOW), trade(2, 10), trade(3, 12, 1, HIGH_LOW)).bar()
    assert bar == Bar(0, 10.0, 12.0, 8.0, 10.0, 3.0, 3)


@pytest.mark.parametrize("moves", [0, HIGH_LOW])
def test_without_a_trade_that_opens_it_there_is_no_bar(moves: int) -> None:
    assert made(trade(1, 10, 1, moves), trade(2, 11, 1, moves)).count == 0


def test_a_larger_bar_is_made_of_the_venues_own_and_a_minute_that_is_none_adds_nothing() -> None:
    odd = (trade(61, 50, 7, 0), trade(62, 1, 7, HIGH_LOW))  # all of minute 1
    forming = made(trade(1, 10), *odd, trade(121, 12, 2), trade(122, 99, 3, 0), timeframe=SEVEN)
    assert forming.bar() == Bar(0, 10.0, 12.0, 10.0, 12.0, 6.0, 3)
    forming.add(trade(100, 11))  # late, it makes a bar of that minute
    assert forming.bar() == Bar(0, 10.0, 12.0, 1.0, 12.0, 21.0, 6)


def test_a_trade_that_is_taken_back_leaves_the_bar_as_if_it_had_not_been() -> None:
    forming = made(trade(1, 10, key="A"), trade(2, 99, key="B"), trade(3, 11, key="C"), remembers=True)
    assert forming.correct(trade(50, 99, key="B"), None)
    assert forming.bar() == Bar(0, 10.0, 11.0, 10.0, 11.0, 2.0, 2)
    assert not forming.correct(trade(50, 99, key="B"), None), "it is gone"


def test_a_trade_that_is_corrected_stays_where_it_was() -> None:
    forming = made(trade(1, 10, key="A"), trade(2, 11, key="B"), remembers=True)
    assert forming.correct(trade(58, 10, key="A"), trade(58, 12, 4, key="A2"))
    assert forming.bar() == Bar(0, 12.0, 12.0, 11.0, 11.0, 5.0, 2)
    assert forming.correct(trade(59, 12, 4, key="A2"), trade(59, 12, 4, 0, key="A3"))
    assert forming.bar() == Bar(0, 11.0, 11.0, 11.0, 11.0, 5.0, 2), "its conditions were wrong"


def test_of_trades_with_one_key_the_one_with_that_price_and_size_is_meant() -> None:
    forming = made(trade(1, 10, 1, key="D7"), trade(2, 11, 2, key="D7"), trade(3, 11, 3, key="D7"), remembers=True)
    assert not forming.correct(trade(9, 10, 2, key="D7"), None)
    assert forming.correct(trade(9, 11, 2, key="D7"), None)
    assert forming.bar() == Bar(0, 10.0, 11.0, 10.0, 11.0, 4.0, 2)


def test_a_bar_can_lose_its_only_trade() -> None:
    forming = made(trade(1, 10, key="A"), trade(2, 10, 5, 0, key="B"), remembers=True)
    assert forming.correct(trade(1, 10, key="A"), None) and forming.count == 0
    forming.add(trade(3, 11, key="C"))
    assert forming.bar() == Bar(0, 11.0, 11.0, 11.0, 11.0, 6.0, 2)


@pytest.mark.parametrize("forming", [begun(MINUTE, 0, None), begun(MINUTE, 0, MINUTE)])
def test_where_nothing_is_taken_back_nothing_is_remembered(forming: Forming) -> None:
    forming.add(trade(1, 10, key="A"))
    assert not forming.correct(trade(1, 10, key="A"), None)
    assert forming.bar().volume == 1.0 and math.isfinite(forming.bar().low)


def test_trades_are_remembered_for_so_long_behind_the_venues_bar_and_no_longer() -> None:
    forming = begun(SEVEN, 0, MINUTE, remember_ms=30_000)
    for second in (1, 61, 89, 121):
        forming.add(trade(second, 10, key=f"V{second}"))
    assert forming.forgot, "minute 0 ended 61 seconds ago"
    assert not forming.correct(trade(125, 10, key="V1"), None)
    assert forming.correct(trade(125, 10, key="V61"), None), "minute 1 a second ago"
    assert forming.bar() == Bar(0, 10.0, 10.0, 10.0, 10.0, 3.0, 3)
    forming.add(trade(59, 12))
    assert forming.bar() == Bar(0, 10.0, 12.0, 10.0, 10.0, 4.0, 4), "and a late one is added all the same"


def test_of_a_bar_that_is_corrected_only_the_venues_own_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    forming = begun(SEVEN, 0, MINUTE, remember_ms=SEVEN.ms)
    for second in range(200):
        forming.add(trade(second, 10, key=f"V{second}"))
    counted: list[Trade] = []
    add = _Piece.add
    monkeypatch.setattr(_Piece, "add", lambda self, one: (counted.append(one), add(self, one))[1])
    assert forming.correct(trade(300, 10, key="V190"), None)
    assert len(counted) == 19 and forming.bar().trades == 199


def naive(trades: list[Trade], piece_ms: int) -> Bar | None:
    """The bar as Alpaca's page says that it is made, minute by minute."""
    whole: list[tuple[Trade, bool]] = []
    for piece in sorted({one.time // piece_ms for one in trades}):
        inside = [one for one in trades if one.time // piece_ms == piece]
        if any(one.moves == PRICES for one in inside):
            whole += [(one, one.moves == PRICES) for one in inside]
    priced = sorted((one for one, opens in whole if opens), key=lambda one: one.time)
    if not priced:
        return None
    moved = [one.price for one, _ in whole if one.moves]
    volume = round(sum(one.quantity for one, _ in whole), 6)
    return Bar(0, priced[0].price, max(moved), min(moved), priced[-1].price, volume, len(whole))


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_late_or_is_taken_back_the_bar_is_that_of_the_trades_that_are_left(seed: int) -> None:
    dice = random.Random(seed)
    forming, left = begun(SEVEN, 0, MINUTE, remember_ms=SEVEN.ms), list[Trade]()
    for number in range(dice.randrange(1, 60)):
        if left and dice.random() < 0.2:
            gone = left.pop(dice.randrange(len(left)))
            assert forming.correct(msgspec.structs.replace(gone, time=SEVEN.ms - 1), None)
        else:  # no two at one time: which of them closes is the order in which they came
            time = dice.randrange(7) * M + dice.randrange(600) * 100 + number
            moves = dice.choice((PRICES, 0, 0, HIGH_LOW))
            price, size = dice.randrange(90, 110), (1 + number) / 4  # no two are the same in all that is said
            left.append(Trade(time, price, size, key=f"V{number % 5}", moves=moves))
            forming.add(left[-1])
        wanted = naive(left, M)
        assert (forming.bar() if forming.count else None) == wanted
