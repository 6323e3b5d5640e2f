"""The hub spreads channels over real sockets and keeps them covered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from btfeeds.clock import Clock, ManualClock, SystemClock
from btfeeds.live.backfill import Backfill
from btfeeds.live.hub import Hub, hub_for
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.ring import Down, Refusal, Ring, Up
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.base import BarRevised, BarUpdate, TradesSeen, TradeUpdate
from tests.faults.rig import Rig
from tests.live.scripted import Bell, Peer, Scripted
from tests.live.toy import Toy

QUICK = ConnectionPolicy(backoff_ms=(0,))
M = 60_000


class NoHistory:
    """A downloader that is never asked."""

    def close(self) -> None:
        pass


@contextmanager
def hub(script: Callable[[Peer], None]) -> Iterator[tuple[Hub, Scripted]]:
    with Scripted(script) as server:
        made = Hub(Toy(stream_url=server.url), SystemClock(), Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
        try:
            yield made, server
        finally:
            made.stop()


def tap(made: Hub, bell: Bell, symbol: str = "BTC/USDT", timeframe: str = "1m") -> Tap:
    subscription = Subscription("toy", Symbol(symbol), Timeframe.parse(timeframe))
    attached = Tap(made.venue, subscription, Ring(100, threading.Lock()), bell.ring)
    made.attach(attached)
    return attached


def entries(attached: Tap) -> list[object]:
    return list(attached.ring._entries)


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


def test_a_cut_is_told_as_down_and_up() -> None:
    def script(peer: Peer) -> None:
        peer.acknowledge()
        if peer.number == 1:
            peer.cut()
        peer.stay()

    bell = Bell()
    with hub(script) as (made, _):
        attached = tap(made, bell)
        bell.until(lambda: len(entries(attached)) >= 3)
        assert [type(entry) for entry in entries(attached)] == [Up, Down, Up]


def test_a_successor_covers_before_the_old_socket_ends() -> None:
    second = threading.Event()

    def script(peer: Peer) -> None:
        channels = peer.acknowledge()
        if peer.number == 1:
            peer.say(bye=1)
            second.wait(10)
            peer.stay()
        peer.say(bar=[channels[0], M, 1, 2, 0.5, 1.5, 1])
        second.set()
        peer.stay()

    bell = Bell()
    with hub(script) as (made, server):
        attached = tap(made, bell)
        bell.until(lambda: attached.ring.bars)
        shard = made._shards[0]
        bell.until(lambda: len(shard._workers) == 1 and shard._workers[0].number == 2)
        assert server.connects == 2
        assert [type(entry) for entry in entries(attached)] == [Up, Bar], "no break is told"


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


def test_a_refused_channel_is_told_to_its_taps_only() -> None:
    def script(peer: Peer) -> None:
        while True:
            said = peer.hear()
            if said.get("sub") == ["BADX@bars@1m"]:
                peer.say(nack=said["id"], fatal=True)
            else:
                peer.say(ack=said["id"])

    bell = Bell()
    with hub(script) as (made, _):
        good = tap(made, bell, "GOOD/X")
        bell.until(lambda: entries(good))
        bad = tap(made, bell, "BAD/X")
        bell.until(lambda: entries(bad))
        assert [type(entry) for entry in entries(bad)] == [Refusal]
        assert [type(entry) for entry in entries(good)] == [Up]


def test_the_last_tap_ends_sockets_and_threads() -> None:
    bell = Bell()
    with Scripted(Peer.stay) as server:
        made = hub_for(
            Toy(stream_url=server.url), SystemClock(), QUICK, lambda: Backfill(NoHistory()), None
        )  # type: ignore[arg-type]
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


def test_a_successor_that_is_refused_leaves_the_old_socket_in_service() -> None:
    def script(peer: Peer) -> None:
        said = peer.hear()
        if peer.number == 1:
            peer.say(ack=said["id"])
            peer.server.first = peer  # type: ignore[attr-defined]
            peer.stay()
        peer.say(nack=said["id"], fatal=True)
        peer.stay()

    bell = Bell()
    with hub(script) as (made, server):
        attached = tap(made, bell)
        bell.until(lambda: entries(attached))
        made.reconnect(attached.channel)
        bell.until(lambda: server.connects == 2 and len(made._shards[0]._workers) == 1)
        server.first.say(bar=[attached.channel, M, 1, 2, 0.5, 1.5, 1])  # type: ignore[attr-defined]
        bell.until(lambda: len(entries(attached)) == 2)
        assert [type(entry) for entry in entries(attached)] == [Up, Bar]


def test_a_connection_is_replaced_while_the_hub_is_busy() -> None:
    """A shard's lock is held here; who holds the hub's may wait for it, so taking that one, too, could be the end."""

    def script(peer: Peer) -> None:
        peer.acknowledge()
        peer.stay()

    bell = Bell()
    with hub(script) as (made, server):
        attached = tap(made, bell)
        bell.until(lambda: entries(attached))
        replacing = threading.Thread(target=made._shards[0].replace, args=("silent",), daemon=True)
        with made._lock:
            replacing.start()
            replacing.join(10)
            assert not replacing.is_alive()
        bell.until(lambda: server.connects == 2)


def test_feeds_with_a_system_clock_each_share_a_hub_and_other_clocks_have_their_own() -> None:
    def of(clock: Clock) -> Hub:
        return hub_for(Toy(), clock, QUICK, lambda: Backfill(NoHistory()), None)  # type: ignore[arg-type]

    shared, own = of(SystemClock()), of(ManualClock())
    assert of(SystemClock()) is shared
    assert own is not shared and of(ManualClock()) is not own


def test_stopping_while_nobody_answers_the_dial_is_prompt() -> None:
    bell = Bell()
    made = Hub(
        Toy(stream_url="ws://127.0.0.1:9"), SystemClock(), Backfill(NoHistory()), ConnectionPolicy()
    )  # type: ignore[arg-type]
    attached = tap(made, bell)
    bell.until(lambda: entries(attached))
    made.stop()
    assert not any(thread.name.startswith("btfeeds-toy") for thread in threading.enumerate())


def test_where_a_venue_allows_one_connection_the_old_one_goes_first() -> None:
    class Single(Toy):
        overlaps = False

    def script(peer: Peer) -> None:
        peer.acknowledge()
        peer.say(bar=["BTCUSDT@bars@1m", peer.number * M, 1, 2, 0.5, 1.5, 1])
        peer.stay()

    bell = Bell()
    with Scripted(script) as server:
        made = Hub(Single(stream_url=server.url), SystemClock(), Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
        try:
            attached = tap(made, bell)
            bell.until(lambda: any(isinstance(entry, Bar) for entry in entries(attached)))
            made.reconnect(attached.channel)
            bell.until(lambda: sum(isinstance(entry, Bar) for entry in entries(attached)) == 2)
            assert [type(entry).__name__ for entry in entries(attached)] == ["Up", "Bar", "Down", "Up", "Bar"]
        finally:
            made.stop()


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
