"""The hub spreads channels over real sockets."""

from __future__ import annotations

import threading

import pytest

from btfeeds.clock import Clock, ManualClock, SystemClock
from btfeeds.live.backfill import Backfill
from btfeeds.live.hub import Hub, hub_for
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.ring import Ring, Up
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.base import BarRevised, BarUpdate, TradesSeen, TradeUpdate
from tests.faults.rig import Rig
from tests.live.scripted import Bell, Peer, Scripted
from tests.live.toy import Toy
from tests.live.toyhub import QUICK, M, NoHistory, entries, hub, tap


def test_channels_share_one_socket_and_each_tap_gets_its_own_bars() -> None:
    def script(peer: Peer) -> None:
        channels: list[str] = []
        while len(channels) < 3:
            channels += peer.acknowledge()
        for index, channel in enumerate(sorted(channels)):
            peer.say(bar=[channel, index * M, 1, 2, 0.5, 1.5, 1])
        peer.stay()

    bell = Bell()
    with hub(script) as (made, server):
        taps = [tap(made, bell, symbol) for symbol in ("AAA/X", "BBB/X", "CCC/X")]
        bell.until(lambda: all(attached.ring.bars for attached in taps))
        assert server.connects == 1
        for index, attached in enumerate(taps):
            assert [entry for entry in entries(attached) if isinstance(entry, Bar)] == [
                Bar(index * M, 1, 2, 0.5, 1.5, 1)
            ]


def test_the_venues_stream_limit_opens_a_second_socket() -> None:
    bell = Bell()
    with hub(Peer.stay) as (made, server):
        taps = [tap(made, bell, f"A{index}/X") for index in range(5)]
        bell.until(lambda: all(any(isinstance(e, Up) for e in entries(attached)) for attached in taps))
        assert server.connects == 2


def test_a_bar_said_closed_before_its_time_is_over_is_not_taken() -> None:
    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        peer.say(bar=[channel, M, 1, 2, 0.5, 1.5, 1], time=2 * M - 1)
        peer.say(bar=[channel, M, 1, 2, 0.5, 1.75, 2], time=2 * M)
        peer.stay()

    bell = Bell()
    with hub(script) as (made, _):
        attached = tap(made, bell)
        bell.until(lambda: attached.ring.bars)
        assert [e for e in entries(attached) if isinstance(e, Bar)] == [Bar(M, 1, 2, 0.5, 1.75, 2)]


def test_forming_bars_are_not_put_into_the_ring() -> None:
    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        peer.say(bar=[channel, M, 1, 2, 0.5, 1.5, 1], closed=False)
        peer.say(bar=[channel, 2 * M, 1, 2, 0.5, 1.5, 1])
        peer.stay()

    bell = Bell()
    with hub(script) as (made, _):
        attached = tap(made, bell)
        bell.until(lambda: attached.ring.bars)
        assert [e.open_time for e in entries(attached) if isinstance(e, Bar)] == [2 * M]


def test_a_timeframe_the_venue_lacks_is_built_from_trades() -> None:
    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        for number, second in enumerate((100, 420, 500, 840)):
            peer.say(trade=[channel, second * 1000, 10.0 + number, 1.0, number])
        peer.stay()

    bell = Bell()
    with hub(script) as (made, _):
        attached = tap(made, bell, timeframe="7m")
        bell.until(lambda: attached.ring.bars)
        assert [e for e in entries(attached) if isinstance(e, Bar)] == [Bar(420_000, 11.0, 12.0, 11.0, 12.0, 2.0, 2)]


def test_the_last_tap_ends_sockets_and_threads() -> None:
    bell = Bell()
    with Scripted(Peer.stay) as server:
        made = hub_for(Toy(stream_url=server.url), SystemClock(), QUICK, lambda: Backfill(NoHistory()), None)  # type: ignore[arg-type]
        attached = tap(made, bell)
        bell.until(lambda: entries(attached))
        made.detach(attached)
        bell.until(lambda: not any(thread.name.startswith("btfeeds-toy") for thread in threading.enumerate()))


def test_a_hub_whose_last_stream_has_left_takes_no_other_and_is_replaced() -> None:
    def of() -> Hub:
        return hub_for(Toy(), clock, QUICK, lambda: Backfill(NoHistory()), None)  # type: ignore[arg-type]

    bell, clock = Bell(), ManualClock()
    made = of()
    attached = tap(made, bell)
    made.detach(attached)
    assert made.attach(attached) is False
    assert of() is not made


def test_a_stream_that_meets_a_closing_hub_goes_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    attach, refused = Hub.attach, []

    def closing_once(self: Hub, attached: Tap) -> bool:
        if not refused:
            refused.append(self)
            self.closed = True
        return attach(self, attached)

    monkeypatch.setattr(Hub, "attach", closing_once)
    with Scripted(Peer.stay) as server, Rig(server.url) as rig:
        rig.until_live()
        assert refused and rig.stream._hub is not refused[0]


def test_feeds_with_a_system_clock_each_share_a_hub_and_other_clocks_have_their_own() -> None:
    def of(clock: Clock) -> Hub:
        return hub_for(Toy(), clock, QUICK, lambda: Backfill(NoHistory()), None)  # type: ignore[arg-type]

    shared, own = of(SystemClock()), of(ManualClock())
    assert of(SystemClock()) is shared
    assert own is not shared and of(ManualClock()) is not own


def test_stopping_while_nobody_answers_the_dial_is_prompt() -> None:
    bell = Bell()
    made = Hub(Toy(stream_url="ws://127.0.0.1:9"), SystemClock(), Backfill(NoHistory()), ConnectionPolicy())  # type: ignore[arg-type]
    attached = tap(made, bell)
    bell.until(lambda: entries(attached))
    made.stop()
    assert not any(thread.name.startswith("btfeeds-toy") for thread in threading.enumerate())


def test_a_trade_or_a_row_from_the_venues_future_is_not_used_and_the_bar_under_way_goes_on() -> None:
    clock = ManualClock(100 * M)
    made = Hub(Toy(), clock, Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
    made.skew.sample_date(100 * M, TimeRange(100 * M, 100 * M + 1))
    trades = Tap(made.venue, Subscription("toy", Symbol("A/X"), Timeframe.parse("7m")), ring(), lambda: None)
    rows = Tap(made.venue, Subscription("toy", Symbol("A/X"), Timeframe.parse("1m")), ring(), lambda: None)
    made._taps = {"t": (trades,), "r": (rows,)}
    for number, time in enumerate((97 * M, 98 * M, 99 * M, 105 * M), 1):
        made.data(TradeUpdate("t", (Trade(time, 1.0, 1.0, number),)))
    made.data(BarUpdate("r", Bar(103 * M, 1.0, 2.0, 0.5, 1.5, 1.0), True))
    assert entries(trades) == entries(rows) == [] and rows.seen == -1
    clock.set(105 * M)
    made.data(TradeUpdate("t", (Trade(105 * M, 1.0, 1.0, 4),)))
    assert entries(trades) == [Bar(98 * M, 1.0, 1.0, 1.0, 1.0, 2.0, 2)], "number 4 is the next one all the same"


def test_a_heartbeat_tells_the_venues_time_and_closes_a_bar_of_trades() -> None:
    clock = ManualClock(98 * M)
    made = Hub(Toy(), clock, Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
    tap = Tap(made.venue, Subscription("toy", Symbol("A/X"), Timeframe.parse("7m")), ring(), lambda: None)
    made._taps = {"t": (tap,)}
    for number, time in enumerate((97 * M, 98 * M), 1):
        made.data(TradeUpdate("t", (Trade(time, 1.0, 1.0, number),)))
    clock.set(104 * M)
    made.data(TradesSeen("t", 2, 105 * M + 1_000))
    assert entries(tap) == [] and made.skew.value == 0, "a minute's leap is no time of the venue's"
    clock.set(105 * M)
    made.data(TradesSeen("t", 2, 105 * M + 1_000))
    assert entries(tap) == [Bar(98 * M, 1.0, 1.0, 1.0, 1.0, 1.0, 1)] and made.skew.value == 1_000


def ring() -> Ring:
    return Ring(100, threading.Lock())


def test_a_minute_that_comes_as_a_correction_only_is_a_minute() -> None:
    with hub(Peer.stay) as (made, _):
        attached, late = tap(made, Bell()), Bar(60_000, 1.0, 2.0, 0.5, 1.5, 7.0)
        made.data(BarRevised(attached.channel, late))
        assert late in list(iter(attached.ring.get, None))
        made.detach(attached)


class Listening(Tap):
    """A tap that notes when it is told of trades."""

    def trades(self, venue: str, event: TradeUpdate, now: int = 0) -> None:
        times.append(now)


times: list[int] = []


def test_taps_are_told_when_trades_came_by_the_venues_clock() -> None:
    clock, subscription = ManualClock(10 * M), Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse("7m"))
    made = Hub(Toy(), clock, Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
    attached = Listening(made.venue, subscription, Ring(100, threading.Lock()), lambda: None)
    made._taps[attached.channel] = (attached,)
    try:
        for made_at in (10 * M - 9_000, 10 * M + 2_000):  # a late trade; one that tells that our clock is behind
            made.data(TradeUpdate(attached.channel, (Trade(made_at, 10.0, 1.0),)))
    finally:
        made.stop()
    assert times == [10 * M, 10 * M + 2_000]


def test_what_finalizers_leave_is_done_by_the_next_who_comes_where_there_is_no_worker() -> None:
    made = Hub(Toy(), SystemClock(), Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
    left: list[str] = []
    made.abandon(lambda: left.append("x"))
    assert left == []
    tap(made, Bell())
    try:
        assert left == ["x"]
    finally:
        made.stop()
