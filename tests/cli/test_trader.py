"""The strategy of the demo: orders only while LIVE, and a diary of everything."""

from __future__ import annotations

from typing import Any

import pytest

from btfeeds.cli.tellers import Told
from btfeeds.cli.trader import Trader
from btfeeds.market import Bar
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, feed, run


class Listener(Told):
    def __init__(self) -> None:
        super().__init__("binance")
        self.orders: list[str] = []

    def order(self, text: str) -> None:
        self.orders.append(text)


def bars(*closes: float, first: int = -60) -> list[Bar]:
    times = range(NOON + first * MINUTE, NOON + (first + len(closes)) * MINUTE, MINUTE)
    return [Bar(time, close, close, close, close, 1.0) for time, close in zip(times, closes, strict=True)]


FALL, RISE = [100.0 - n for n in range(12)], [90.0 + 2 * n for n in range(8)]


def _run(*items: Any, last: int = 0) -> tuple[Any, Listener]:
    listener = Listener()

    class Bound(Trader):
        params = (("teller", listener), ("last", last or NOON))

        def start(self) -> None:
            self.broker.setcash(100_000.0)

    return run(feed(*items), strategy=Bound), listener


def test_it_buys_when_the_averages_cross_while_live() -> None:
    strategy, listener = _run(DELAYED, *bars(*FALL), LIVE, *bars(*RISE, first=-48), END)
    assert [(side, symbol) for _, symbol, side, *_ in strategy.trades] == [("buy", "BTC/USDT")]
    assert len(listener.orders) == 1


def test_it_makes_no_order_while_delayed() -> None:
    strategy, _ = _run(DELAYED, *bars(*FALL, *RISE), END)
    assert strategy.trades == []


def test_it_sells_when_they_cross_back() -> None:
    strategy, _ = _run(DELAYED, *bars(*FALL), LIVE, *bars(*RISE, *FALL, first=-48), END)
    assert [side for _, _, side, *_ in strategy.trades] == ["buy", "sell"]


def test_everything_is_written_down() -> None:
    strategy, _ = _run(DELAYED, *bars(*FALL[:3]), LIVE, *bars(5.0, first=-57), END)
    assert [(row.symbol, row.bar.close, row.source) for row in strategy.rows] == [
        ("BTC/USDT", 100.0, "history"), ("BTC/USDT", 99.0, "history"), ("BTC/USDT", 98.0, "history"),
        ("BTC/USDT", 5.0, "live"),
    ]  # fmt: skip
    assert [word for _, _, word, _ in strategy.words] == ["DELAYED", "LIVE", "DISCONNECTED"]


@pytest.mark.parametrize("minutes", [13, 16])
def test_the_run_ends_with_the_last_bar_that_is_wanted(minutes: int) -> None:
    last = NOON + (minutes - 61) * MINUTE
    strategy, _ = _run(DELAYED, *bars(*FALL, *RISE), END, last=last)
    assert strategy.rows[-1].bar.open_time == last
