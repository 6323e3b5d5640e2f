"""Ticks from end to end: a real socket, history from a stand-in, pulled as a strategy would."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from btfeeds import monitor, venues
from btfeeds.clock import ManualClock
from btfeeds.errors import NetworkError, UnknownSymbol
from btfeeds.history.downloader import Page
from btfeeds.live.items import Ask, Delivery, Gap
from btfeeds.live.ring import Answer, Failure
from btfeeds.live.skew import Skew
from btfeeds.live.stream import Stream
from btfeeds.live.ticks import TickStream, TickTap
from btfeeds.market import TICK, Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.base import TradeUpdate
from tests.live.scripted import Bell, Peer, Scripted
from tests.live.toy import Toy

M = 60_000
NOW = 100 * M + 1_000


class Trading(Toy):
    """The toy venue has trades."""

    lag_ms = 10_000

    def channel(self, subscription: Subscription) -> str:
        return f"{self.native_symbol(subscription.symbol)}@trades@"


class Minutes:
    """History without bars, or with an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[TimeRange] = []

    def pages(
        self, symbol: str, timeframe: Timeframe, span: TimeRange, cancelled: Callable[[], bool]
    ) -> Iterator[Page]:
        self.asked.append(span)
        if self.error:
            raise self.error
        yield Page(span, [])

    def close(self) -> None:
        pass


class Reader:
    def __init__(self, stream: TickStream, bell: Bell) -> None:
        self.stream, self.bell = stream, bell
        self.got: list[Any] = []

    def read(self) -> list[Any]:
        while (item := self.stream.pull()) is not None:
            if isinstance(item, Delivery):
                self.got.append(item.bar.open_time - NOW)
            elif isinstance(item.payload, Gap):
                self.got.append((item.payload.start - NOW, item.payload.end - NOW))
            else:
                self.got.append(item.status.name)
        return self.got

    def until(self, last: object) -> list[Any]:
        self.bell.until(lambda: last in self.read())
        return self.got


@contextmanager
def reading(
    script: Callable[[Peer], None], history: Minutes | None = None, **settings: Any
) -> Iterator[tuple[Reader, ManualClock]]:
    clock, bell = ManualClock(NOW), Bell()
    minutes = history or Minutes()
    with Scripted(script) as server:
        stream = TickStream(
            Trading(stream_url=server.url),
            Subscription("toy", Symbol("BTC/USDT"), TICK),
            clock=clock,
            downloader=lambda: minutes,  # type: ignore[arg-type,return-value]
            backoff_ms=(0,),
            **settings,
        )
        stream.open(bell.ring)
        try:
            yield Reader(stream, bell), clock
        finally:
            stream.close()


def say(peer: Peer, channel: str, number: int, time: int | None = None) -> None:
    peer.say(trade=[channel, NOW + (number if time is None else time), 100.0, 0.5, number])


@contextmanager
def told() -> Iterator[list[Any]]:
    heard: list[Any] = []
    sink = monitor.add(heard.append)
    try:
        yield heard
    finally:
        monitor.remove(sink)


def test_every_trade_comes_once_it_is_live() -> None:
    go = threading.Event()

    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        go.wait(10)
        for number in (1, 2, 2, 3):
            say(peer, channel, number, number // 3)
        peer.stay()

    history = Minutes()
    with reading(script, history) as (reader, _):
        assert reader.until("LIVE") == ["DELAYED", "LIVE"]
        assert reader.stream.live and reader.stream.backlog == 0
        go.set()
        assert reader.until(1) == ["DELAYED", "LIVE", 0, 0, 1]
        assert history.asked == [TimeRange(99 * M, 100 * M)], "one minute was asked for, to check the symbol"
        assert reader.stream.summary.delivered == 3


def test_a_cut_is_told_and_what_it_cost_is_declared() -> None:
    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        if peer.number == 1:
            say(peer, channel, 1)
            peer.hear()  # nothing: it waits here for the cut
        for number in (5, 6):
            say(peer, channel, number)
        peer.stay()

    with told() as heard, reading(script) as (reader, _):
        reader.until(1)
        reader.bell.until(lambda: reader.read() and reader.stream.live)
        reader.stream._hub._shards[0]._workers[0].ask(_cut)  # type: ignore[union-attr]
        got = reader.until(6)
        reader.bell.until(lambda: reader.read() and reader.stream.live)
    words = [item for item in got if isinstance(item, str)]
    assert words[:2] == ["DELAYED", "LIVE"] and words[-4:] == ["CONNBROKEN", "CONNECTED", "DELAYED", "LIVE"]
    assert [item for item in got if not isinstance(item, str)] == [1, (1, 5), 5, 6]
    assert [one for one in heard if isinstance(one, monitor.GapDeclared)] == [
        monitor.GapDeclared("toy", "toy BTC/USDT tick", NOW + 1, NOW + 5, 3, "break")
    ]


def _cut(connection: Any, now: int) -> Any:
    from btfeeds.live.effects import Loss

    return connection.lost(Loss("reset", "cut by the test"), now)


def test_an_unknown_symbol_ends_with_an_error_to_read() -> None:
    error = UnknownSymbol("no such symbol")
    with reading(Peer.stay, Minutes(error=error)) as (reader, _):
        assert reader.until("DISCONNECTED") == ["DELAYED", "NOTSUBSCRIBED", "DISCONNECTED"]
        assert reader.stream.error is error and reader.stream.finished and not reader.stream.waiting


def test_a_history_that_does_not_answer_is_asked_again_until_the_symbol_is_known() -> None:
    history = Minutes(error=NetworkError("no answer"))
    with told() as heard, reading(Peer.stay, history) as (reader, clock):
        reader.bell.until(lambda: reader.read() and heard and any(isinstance(x, monitor.BackfillFailed) for x in heard))
        assert reader.stream.deadline == NOW + 1_000
        history.error = None
        clock.advance(1_000)
        reader.until("LIVE")
    assert len(history.asked) == 2


class StillHub:
    """A hub without sockets; history answers when the test says so."""

    def __init__(self) -> None:
        self.clock, self.skew, self.backfill = ManualClock(NOW), Skew(), self
        self.asked: list[TimeRange] = []
        self.done: list[str] = []
        self.tap: Any = None

    def attach(self, tap: Any) -> bool:
        self.tap = tap
        return True

    def abandon(self, leave: Any) -> None:
        self.done.append("abandoned")

    def detach(self, tap: Any) -> None:
        self.done.append("detach")

    def now(self) -> int:
        return self.clock.now() + self.skew.value

    def ask(self, subscription: Subscription, ask: Ask, reply: Any, cancelled: Any) -> None:
        assert str(subscription) == "toy BTC/USDT 1m"
        self.asked.append(ask.span)
        self.reply = lambda *minutes: reply(
            Answer(ask, ask.span, tuple(Bar(m * M, 1.0, 1.0, 1.0, 1.0, 2.0) for m in minutes), True)
        )

        self.fail = lambda: reply(Failure(ask, NetworkError("no answer")))

    def prove(self, channel: str) -> None:
        self.done.append("prove")

    def renew(self, channel: str) -> None:
        self.done.append("renew")

    def reconnect(self, channel: str) -> None:
        self.done.append("reconnect")


def still() -> tuple[StillHub, Reader]:
    """A stream that is LIVE at NOW."""
    hub = StillHub()
    subscription = Subscription("toy", Symbol("BTC/USDT"), TICK)
    stream = TickStream(Trading(), subscription, clock=hub.clock, hub=hub)  # type: ignore[arg-type]
    stream.open(lambda: None)
    reader = Reader(stream, Bell())
    hub.tap.up(NOW)
    hub.reply(99)
    assert reader.read() == ["DELAYED", "LIVE"] and hub.done == ["prove"]
    return hub, reader


def trade(number: int, time: int) -> TradeUpdate:
    return TradeUpdate("x", (Trade(time, 100.0, 0.5, number),))


def test_a_silence_over_which_nobody_traded_is_one_of_the_market() -> None:
    hub, reader = still()
    assert reader.stream.deadline == 102 * M + 10_000
    hub.clock.set(102 * M + 10_000)
    reader.read()
    assert hub.asked[1:] == [TimeRange(101 * M, 102 * M)]
    assert reader.stream.settled == 102 * M + 5_000
    hub.reply()
    reader.read()
    assert hub.done == ["prove"] and reader.stream.deadline == 103 * M + 10_000


def test_a_clock_that_was_an_hour_ahead_is_believed_no_longer() -> None:
    hub = StillHub()
    subscription = Subscription("toy", Symbol("BTC/USDT"), TICK)
    stream = TickStream(Trading(), subscription, clock=hub.clock, hub=hub)  # type: ignore[arg-type]
    stream.open(lambda: None)
    reader = Reader(stream, Bell())
    hub.tap.up(NOW)
    now = NOW - 60 * M  # by the venue's clock
    hub.tap.trades("toy", trade(1, now))
    assert reader.read() == ["DELAYED", -60 * M, "LIVE"]
    assert stream.settled == NOW - 5_000, "as far as anyone knows"
    hub.skew.value = -60 * M
    hub.tap.trades("toy", trade(2, now + 100))
    assert reader.read()[3:] == [-60 * M + 100], "on time"
    assert stream.settled == now + 100
    hub.reply()
    reader.read()
    assert stream.deadline == 102 * M + 10_000, "when the first whole minute without trades can be asked about"


def test_a_pause_stays_as_long_as_it_is_when_another_stream_sets_the_clock_right() -> None:
    hub = StillHub()
    subscription = Subscription("toy", Symbol("BTC/USDT"), TICK)
    stream = TickStream(Trading(), subscription, clock=hub.clock, hub=hub)  # type: ignore[arg-type]
    stream.open(lambda: None)
    hub.fail()
    assert Reader(stream, Bell()).read() == ["DELAYED"] and stream.deadline == NOW + 1_000
    hub.skew.value = -60 * M
    assert stream.deadline == NOW + 1_000


def test_what_is_over_has_nothing_to_look_at_although_the_venue_goes_on() -> None:
    hub, reader = still()
    reader.stream.close()
    assert reader.read()[-1] == "DISCONNECTED"
    hub.tap.trades("toy", trade(1, NOW))
    assert not reader.stream.waiting


def test_a_closed_market_is_not_asked_about() -> None:
    hub, reader = still()
    reader.stream.venue.next_open = lambda symbol, time: time if time < 102 * M else 500 * M  # type: ignore[method-assign]
    hub.clock.set(102 * M + 10_000)
    reader.read()
    assert hub.asked[1:] == [TimeRange(101 * M, 102 * M)]
    hub.reply()
    for minute in range(103, 502, 3):
        hub.clock.set(minute * M)
        reader.read()
    assert len(hub.asked) == 2 and reader.stream.deadline == 501 * M + 10_000
    hub.clock.set(501 * M + 10_000)
    reader.read()
    assert hub.asked[2:] == [TimeRange(500 * M, 501 * M)]


def test_a_mute_subscription_is_made_anew_and_then_the_connection() -> None:
    hub, reader = still()
    hub.tap.trades("toy", trade(1, NOW))
    for minute in (102, 103):
        hub.clock.set(minute * M + 10_000)
        reader.read()
        hub.reply(minute - 1)
        reader.read()
    assert hub.done == ["prove", "renew", "reconnect"]
    assert reader.stream.settled == NOW, "of a mute stream time settles nothing"
    hub.tap.trades("toy", trade(4, 103 * M + 11_000))
    assert reader.read()[-2:] == [(0, 3 * M + 10_000), 3 * M + 10_000]


def test_minutes_in_which_trades_came_prove_nothing() -> None:
    hub, reader = still()
    hub.tap.trades("toy", trade(1, 101 * M + 5))
    reader.read()
    assert reader.stream.deadline == 103 * M + 10_000
    hub.clock.set(103 * M + 10_000)
    reader.read()
    assert hub.asked[1:] == [TimeRange(102 * M, 103 * M)]
    hub.tap.trades("toy", trade(2, 102 * M + 59_000))
    hub.reply(102)
    reader.read()
    assert hub.done == ["prove"]


def test_during_a_break_history_is_not_asked_about_a_silence() -> None:
    hub, reader = still()
    hub.tap.down("reset")
    reader.read()
    assert reader.stream.deadline is None


def test_todate_ends_it() -> None:
    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        for number in (1, 2, 3):
            say(peer, channel, number)
        peer.stay()

    with reading(script, until=NOW + 2) as (reader, _):
        assert reader.until("DISCONNECTED")[-1] == "DISCONNECTED"
        assert [item for item in reader.got if isinstance(item, int)] == [1, 2]


@pytest.mark.parametrize(("venue", "start"), [("gemini", None), ("alpaca", 0), ("massive", 0), ("binance", 0)])
def test_without_a_stream_of_trades_or_with_history_it_is_refused_at_once(
    venue: str, start: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbol = "AAPL" if venue in ("alpaca", "massive") else "BTC/USDT"
    made = venues.venue(venue, key="k", secret="s")
    if start is None:
        monkeypatch.setattr(type(made), "trades_channel", "")
    stream = TickStream(made, Subscription(venue, Symbol(symbol), TICK), clock=ManualClock(NOW), start=start)
    stream.open(lambda: None)
    reader = Reader(stream, Bell())
    assert reader.read() == ["NOTSUPPORTED_TF", "DISCONNECTED"]
    assert len(str(stream.error).splitlines()) == 3 and "tick" in str(stream.error)
    stream.close()


def test_bars_and_ticks_of_one_symbol_share_the_subscription() -> None:
    go, more = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        for number, told in ((1, go), (2, more)):
            told.wait(10)
            say(peer, channel, number)
        peer.stay()

    with reading(script) as (reader, clock):
        reader.until("LIVE")
        hub = reader.stream._hub
        bars = Stream(
            reader.stream.venue, Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse("7m")), clock=clock,
            start=None, hub=hub,
        )  # fmt: skip
        bars.open(reader.bell.ring)
        go.set()
        reader.until(1)
        assert hub is not None and len(hub.taps("BTCUSDT@trades@")) == 2
        bars.close()
        more.set()
        assert reader.until(2)[-1] == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_after_a_fork_is_told() -> None:
    with reading(Peer.stay) as (reader, _):
        reader.until("LIVE")
        reader.stream._line._lock.acquire()  # type: ignore[attr-defined]
        child = os.fork()
        if child == 0:
            reader.got.clear()
            words = reader.read()
            reader.stream.close()
            os._exit(0 if words[-1] == "DISCONNECTED" and "forked" in str(reader.stream.error) else 1)
        reader.stream._line._lock.release()  # type: ignore[attr-defined]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_trade_that_is_taken_back_was_handed_out_and_stays() -> None:
    class Line:
        name = "toy BTC/USDT tick"

        def add(self, trades: tuple[Trade, ...], arrived: int) -> list[monitor.Happening]:
            came.extend(trades)
            return []

    came: list[Trade] = []
    tap = TickTap("x", Line(), ManualClock(NOW), lambda: None)  # type: ignore[arg-type]
    once, now = Trade(NOW, 1.0, 1.0, key="V7"), Trade(NOW, 2.0, 1.0, key="V8")
    with told() as heard:
        tap.trades("toy", TradeUpdate("x", (once,)))
        tap.trades("toy", TradeUpdate("x", (now,), revoked=once))
        tap.trades("toy", TradeUpdate("x", (), revoked=once))
    assert came == [once]
    assert heard == [monitor.FrameRejected("toy", "revoked", f"toy BTC/USDT tick {once}")] * 2
