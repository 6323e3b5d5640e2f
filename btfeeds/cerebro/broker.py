"""What the paper broker trades on: a bar's prices while it is shown, and nothing but the last price between bars.

The broker looks at `tick_open`, `tick_high`, `tick_low` and `tick_close` of a feed. backtrader leaves a bar's prices
there until the feed's next bar, so an order given behind a bar would be filled on that bar's range as soon as another
feed moves: on prices from before the order. A replayed bar that is taken back, because another feed has an older one,
would even be traded on before it is shown. And it asks what a feed is worth before there is a bar of it.
"""

from __future__ import annotations

from typing import Any

import backtrader as bt

_RANGE = ("tick_open", "tick_high", "tick_low", "tick_close", "tick_last")


def begin(data: Any) -> None:
    """A run begins."""
    data._ticks = [(f"tick_{name}", getattr(data.lines, name)) for name in data.getlinealiases() if name != "datetime"]
    data._held = None  # the prices of a replayed bar that was taken back; they come with it when it is shown again
    data._price = None  # what a replayed bar closed at before its last step
    clear(data)


def fill(data: Any, force: bool = False) -> None:
    """As backtrader's `_tick_fill`, which for every bar finds the lines by their names."""
    first, line = data._ticks[0]
    if force or getattr(data, first, None) is None:
        for name, value in data._ticks:
            setattr(data, name, value[0])
        data.tick_last = line[0]


def clear(data: Any) -> None:
    """As backtrader's `_tick_nullify`."""
    for name, _ in data._ticks:
        setattr(data, name, None)
    data.tick_last = None


def rest(data: Any) -> None:
    """The feed has nothing new. (Before its first bar it has no price: backtrader then looks at the lines.)"""
    price = data._price if data.replaying else data.tick_close
    if price is None and len(data) and len(data.lines[0].array):
        price = data.lines[0][0]  # the first line is the close
    data.tick_open = data.tick_high = data.tick_low = data.tick_close = data.tick_last = price


def remember(data: Any) -> None:
    """Before a replayed bar grows: a step that is taken back leaves no trace of the price before it."""
    if data._held is None:
        data._price = data.tick_close


def take_back(data: Any) -> None:
    """The bar that was loaded is not shown yet."""
    if data.replaying:
        data._held = [getattr(data, name, None) for name in _RANGE]
    rest(data)


def show_again(data: Any) -> None:
    """The bar that was taken back is shown now: with the prices of its last step, not with its whole range."""
    held, data._held = data._held, None
    if held is not None:
        for name, value in zip(_RANGE, held, strict=True):
            setattr(data, name, value)


class Worth:
    """In place of a paper broker's `_get_value`: nobody has a position in a feed without a bar, so it is worth nothing.

    backtrader looks at the price all the same, when a strategy or an analyzer has asked for the position. Its own feeds
    hold a bar then that was put off; a live feed holds nothing.
    """

    def __init__(self, broker: Any) -> None:
        self.broker = broker

    def __call__(self, datas: Any = None, lever: bool = False) -> Any:
        broker, held, value = self.broker, self.broker.positions, type(self.broker)._get_value
        if datas and len(datas) == 1:  # of one the bare value of the position is meant
            return value(broker, datas, lever) if _counts(datas[0], held) else 0.0
        broker.positions = {data: held[data] for data in datas or held if _counts(data, held)}
        try:
            return value(broker, None, lever)
        finally:
            broker.positions = held


def _counts(data: Any, positions: Any) -> bool:
    return bool(len(data) or positions[data].size)


def install(cerebro: Any) -> None:
    """Before a live run. A broker that is not backtrader's own knows the prices itself."""
    broker = cerebro.broker
    if isinstance(broker, bt.brokers.BackBroker) and any(data.islive() for data in cerebro.datas):
        broker._get_value = Worth(broker)
