"""A shard keeps its channels covered: through cuts, reliefs and refusals."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from btfeeds import monitor
from btfeeds.clock import SystemClock
from btfeeds.errors import UnknownSymbol, VenueUnavailable
from btfeeds.live.backfill import Backfill
from btfeeds.live.effects import Loss, Lost, Refused
from btfeeds.live.hub import Hub
from btfeeds.live.ring import Down, Refusal, Ring, Up
from btfeeds.live.shard import Shard
from btfeeds.live.tap import Tap
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, Trade
from btfeeds.venues.base import BarUpdate, TradeUpdate
from tests.live.scripted import Bell, Peer, Scripted
from tests.live.toy import Toy
from tests.live.toyhub import QUICK, M, NoHistory, entries, hub, tap


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


class Two:
    """A shard between two workers that only remember what they are asked."""

    def __init__(self) -> None:
        made = Hub(Toy(), SystemClock(), Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
        subscription = Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse("1m"))
        self.tap = Tap(made.venue, subscription, Ring(9, threading.Lock()), lambda: None)
        channel = self.tap.channel
        made._taps = {channel: (self.tap,)}
        self.shard = Shard(made)
        self.asked: list[tuple[int, str]] = []
        self.old, self.new = (self._worker(number) for number in (1, 2))
        self.shard.channels, self.shard._workers = {channel}, [self.old, self.new]
        for worker in (self.old, self.new):
            self.shard.covered(worker, (channel,))

    def _worker(self, number: int) -> Any:
        def ask(command: Any) -> None:
            names = ("want", "unwant", "retire", "stay", "prod", "renew")
            connection = SimpleNamespace(**{name: lambda *_, name=name, **__: [name] for name in names})
            self.asked += [(number, what) for what in command(connection, 0)]

        return SimpleNamespace(
            number=number, ask=ask, connection=SimpleNamespace(complete=True), alive=True, stop=lambda: None
        )

    def told(self) -> list[type]:
        return [type(entry) for entry in entries(self.tap)]


def test_what_an_old_socket_says_behind_its_end_is_not_taken_for_cover() -> None:
    """Else the next break would not be told, and LIVE would stay."""
    two = Two()
    two.shard.ended(two.old)
    two.shard.covered(two.old, (two.tap.channel,))
    two.shard.lost(two.new, Lost(Loss("reset"), 0))
    assert two.asked == [(1, "retire")] and two.told() == [Up, Down]


def test_a_successor_that_is_lost_at_once_leaves_the_old_socket_in_service() -> None:
    two = Two()
    two.shard.lost(two.new, Lost(Loss("reset"), 0))
    assert two.asked == [(1, "retire"), (1, "stay"), (1, "prod")] and two.told() == [Up]
    two.shard.covered(two.new, (two.tap.channel,))
    two.shard.ended(two.old)
    assert two.asked[3:] == [(1, "retire")] and two.told() == [Up]


def test_a_successor_that_is_told_to_leave_while_the_old_socket_lingers_gets_one_itself() -> None:
    two = Two()
    wanted: list[str] = []
    two.shard.replace = wanted.append  # type: ignore[method-assign]
    two.shard.relieve(two.new, "bye")
    assert wanted == []
    two.shard.ended(two.old)
    assert wanted == ["bye"]


def test_a_relief_that_waited_for_a_channel_which_is_not_wanted_any_more_is_over() -> None:
    two = Two()
    two.asked.clear()
    two.shard.channels.add("y")
    two.shard.unwant("y")
    assert two.asked == [(1, "unwant"), (2, "unwant"), (1, "retire")]


def test_a_channel_that_comes_during_a_relief_keeps_the_old_socket_until_the_new_one_has_it_too() -> None:
    two = Two()
    two.shard.want("y")
    assert two.asked[1:] == [(1, "want"), (2, "want"), (1, "stay"), (1, "prod")]
    two.shard.covered(two.new, ("y",))
    assert two.asked[-1] == (1, "retire")


def test_trades_without_numbers_count_from_the_new_socket_when_the_old_one_is_cut() -> None:
    two = Two()
    heard: list[str] = []
    two.shard._hub.data = lambda event: heard.append(event.channel)  # type: ignore[method-assign]
    two.tap.seam = lambda: heard.append("seam")  # type: ignore[method-assign]
    trades = TradeUpdate(two.tap.channel, (Trade(1, 1.0, 1.0, -1),))
    two.shard.data(two.new, trades)
    assert heard == [], "the old one says the same"
    two.shard.lost(two.old, Lost(Loss("reset"), 0))
    two.shard.data(two.new, trades)
    assert heard == ["seam", two.tap.channel]
    two.shard.covered(two.old, (two.tap.channel,))
    two.shard.data(two.new, trades)
    assert heard == ["seam", two.tap.channel, "seam"]
    two.shard.data(two.old, trades)
    assert heard[3:] == [two.tap.channel]


def test_what_is_confirmed_when_nobody_wants_it_any_more_leaves_no_trace() -> None:
    """Else the next feed of that channel would never be told that it is up."""
    two = Two()
    two.shard.covered(two.old, ("y",))
    two.shard._hub._taps["y"] = (two.tap,)
    two.shard.want("y")
    two.shard.covered(two.new, ("y",))
    assert two.told() == [Up, Up]


def test_a_mute_channel_that_is_asked_for_anew_is_not_carried_before_it_is_confirmed() -> None:
    two = Two()
    two.shard.renew(two.tap.channel)
    two.shard.covered(two.new, (two.tap.channel,))
    assert two.told() == [Up], "the strategy does not see it"
    two.shard.lost(two.new, Lost(Loss("close_code"), 0))
    assert two.told() == [Up, Down]


def test_a_break_while_a_mute_channel_is_asked_for_anew_is_told() -> None:
    two = Two()
    two.shard.renew(two.tap.channel)
    two.shard.lost(two.old, Lost(Loss("ping"), 0))
    assert two.told() == [Up, Down], "the new one has not got it either"


def test_a_relief_is_over_when_what_it_waited_for_is_refused() -> None:
    two = Two()
    two.shard.want("bad")
    error = UnknownSymbol("Toy refuses bad.")
    two.asked.clear()
    two.shard.refused(two.new, Refused(("bad",), error))
    assert two.asked == [(1, "retire")]


def test_a_socket_whose_last_channel_has_gone_is_closed_and_the_next_one_gets_another() -> None:
    two = Two()
    stopped: list[int] = []
    for worker in (two.old, two.new):
        worker.stop = lambda worker=worker: stopped.append(worker.number)
    two.shard.unwant(two.tap.channel)
    assert stopped == [1, 2] and two.shard._workers == []
    assert two.shard.stop() == [two.old, two.new], "they are waited for at the end"
    spawned: list[str] = []
    two.shard._spawn = lambda: bool(spawned.append("x")) or True  # type: ignore[method-assign, func-returns-value]
    two.shard.want("z")
    assert spawned == ["x"]


class Starved(Hub):
    """A hub of a process that gets no threads, until `fed`."""

    fed = False

    def new_worker(self, shard: Shard) -> Any:
        def start() -> None:
            if not self.fed:
                raise RuntimeError("can't start new thread")

        asked: list[Any] = []
        return SimpleNamespace(number=7, ask=asked.append, start=start, alive=True, stop=lambda: None)


def test_where_no_thread_can_be_started_a_feed_ends_and_the_next_one_begins() -> None:
    made = Starved(Toy(), SystemClock(), Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
    first = tap(made, Bell())
    [refusal] = entries(first)
    assert isinstance(refusal, Refusal) and refusal.error.what == "This process cannot start another thread."
    made.fed = True
    second = tap(made, Bell(), "ETH/USDT")
    assert entries(second) == [] and [worker.number for worker in made._shards[0]._workers] == [7]


def test_a_thread_that_dies_goes_on_until_another_one_can_be_started(caplog: pytest.LogCaptureFixture) -> None:
    made = Starved(Toy(), SystemClock(), Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
    made.fed = True
    attached = tap(made, Bell())
    shard = made._shards[0]
    [dying] = shard._workers
    made.fed = False
    assert shard.ended(dying) is False and shard.ended(dying) is False
    assert [type(entry) for entry in entries(attached)] == [Down]
    made.fed = True
    assert shard.ended(dying) is True and shard._workers != [dying] and len(shard._workers) == 1
    said = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert said == [
        "a connection's thread to toy has died: it is replaced",
        "no connection to toy can be made: can't start new thread",
    ]


def test_a_relief_without_a_thread_leaves_the_old_socket_in_service() -> None:
    made = Starved(Toy(), SystemClock(), Backfill(NoHistory()), QUICK)  # type: ignore[arg-type]
    made.fed = True
    attached = tap(made, Bell())
    made.fed = False
    made.reconnect(attached.channel)
    assert len(made._shards[0]._workers) == 1 and entries(attached) == []
    made.fed = True
    made.reconnect(attached.channel)
    assert len(made._shards[0]._workers) == 2


def test_a_sink_may_close_another_feed() -> None:
    """It runs on a worker's thread: were a lock held meanwhile, two threads could wait for each other."""
    two = Two()
    held: list[bool] = []

    def sink(happening: monitor.Happening) -> None:
        if isinstance(happening, monitor.SubscriptionRefused):
            other = threading.Thread(target=lambda: held.append(two.shard._lock._lock.acquire(timeout=5)))
            other.start()
            other.join(10)

    two.shard._coverage.forget(two.tap.channel)
    monitor.add(sink)
    try:
        two.shard.refused(two.new, Refused((two.tap.channel,), UnknownSymbol("no")))
    finally:
        monitor.remove(sink)
    assert held == [True]


def test_one_tap_hears_one_socket_at_a_time() -> None:
    two = Two()
    inside, most = 0, 0

    def data(event: Any) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.001)
        inside -= 1

    two.shard._hub.data = data  # type: ignore[method-assign]
    event = BarUpdate(two.tap.channel, Bar(0, 1.0, 2.0, 0.5, 1.5, 1.0), True)
    threads = [
        threading.Thread(target=lambda worker=worker: [two.shard.data(worker, event) for _ in range(20)])
        for worker in (two.old, two.new)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_break_is_told_when_the_old_socket_goes_all_the_same() -> None:
    two = Two()
    two.shard.lost(two.new, Lost(Loss("reset"), 0))
    two.shard.ended(two.old)
    assert two.told() == [Up, Down]


def test_a_tap_that_comes_late_hears_of_the_break_behind_the_welcome() -> None:
    """Else it would take itself for connected until the next break."""

    class Slow(Tap):
        def up(self, time: int, skew: int = 0) -> None:
            breaking.start()  # on the worker's thread, between the look and the word
            breaking.join(0.5)
            super().up(time, skew)

    def breaks() -> None:
        shard.lost(shard._workers[0], Lost(Loss("reset"), 0))

    def script(peer: Peer) -> None:
        peer.acknowledge()
        peer.stay()

    bell, breaking = Bell(), threading.Thread(target=breaks)
    with hub(script) as (made, _):
        first = tap(made, bell)
        bell.until(lambda: entries(first))
        shard = made._shards[0]
        subscription = Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse("1m"))
        second = Slow(made.venue, subscription, Ring(100, threading.Lock()), bell.ring)
        made.attach(second)
        breaking.join(10)
        assert [type(entry) for entry in entries(second)] == [Up, Down]


def test_a_venue_that_is_made_to_say_something_is_heard() -> None:
    bell = Bell()
    with hub(Peer.stay) as (made, _):
        attached = tap(made, bell)
        bell.until(lambda: made.heard(attached.channel))
        before = made.heard(attached.channel)
        bell.until(lambda: made.prod(attached.channel) or made.heard(attached.channel) > before)
        assert made.heard("a channel that nobody wants") == 0


def test_what_somebody_has_to_look_at_is_critical(caplog: pytest.LogCaptureFixture) -> None:
    with hub(Peer.stay) as (made, _):
        tap(made, Bell())
        shard = made._shards[0]
        alarm = VenueUnavailable("It is so.", "This was done.", "Do that.")
        shard.lost(shard._workers[0], Lost(Loss("http", alarm=alarm), 0))
    said = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert said == ["It is so.\nThis was done.\nDo that."]


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


def test_what_is_under_way_on_the_old_socket_still_arrives_and_then_it_goes() -> None:
    taken_over, gone = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        channels = peer.acknowledge()
        if peer.number == 2:
            peer.stay()
        peer.say(bye=1)
        taken_over.wait(10)
        peer.say(bar=[channels[0], M, 1, 2, 0.5, 1.5, 1])
        with pytest.raises(ConnectionClosed):
            peer.hear()
        gone.set()

    bell = Bell()
    with hub(script) as (made, _):
        attached = tap(made, bell)
        bell.until(lambda: made._shards and made._shards[0]._coverage.by(attached.channel) == {1, 2})
        taken_over.set()
        bell.until(lambda: attached.ring.bars)
        assert gone.wait(10) and [type(entry) for entry in entries(attached)] == [Up, Bar]
        bell.until(lambda: [worker.number for worker in made._shards[0]._workers] == [2])


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
