"""A stream from end to end: a real socket, history from a stand-in, pulled as a strategy would."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from btfeeds import venues
from btfeeds.clock import Clock, ManualClock
from btfeeds.errors import UnknownSymbol
from btfeeds.history.downloader import Page
from btfeeds.live.backfill import Backfill
from btfeeds.live.hub import Hub, policy_for
from btfeeds.live.items import Correction, Delivery, Notice
from btfeeds.live.status import Status
from btfeeds.live.stream import Stream, omits_empty, settles_ms
from btfeeds.market import PRICES, Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.alpaca import Alpaca
from btfeeds.venues.base import BarUpdate, ClosingRule, TradeUpdate, Venue
from tests.live.scripted import Bell, Peer, Scripted
from tests.live.toy import Toy

M = 60_000
NOW = 100 * M + 1_000


def bar(minute: int) -> Bar:
    return Bar(minute * M, 1.0, 2.0, 0.5, 1.5, 1.0)


class History:
    """Has every minute that has closed by the clock, or fails with `error`."""

    def __init__(self, clock: Clock, error: Exception | None = None) -> None:
        self.clock = clock
        self.error = error
        self.asked: list[TimeRange] = []
        self.threads: set[str] = set()

    def pages(
        self, symbol: str, timeframe: Timeframe, span: TimeRange, cancelled: Callable[[], bool]
    ) -> Iterator[Page]:
        self.asked.append(span)
        self.threads.add(threading.current_thread().name)
        if self.error:
            raise self.error
        end = min(span.end, timeframe.floor(self.clock.now()))
        yield Page(TimeRange(span.start, end), [bar(time // M) for time in timeframe.opens(TimeRange(span.start, end))])

    def close(self) -> None:
        pass


class Reader:
    """Pulls on the test's thread and remembers what it got."""

    def __init__(self, stream: Stream, bell: Bell) -> None:
        self.stream = stream
        self.bell = bell
        self.got: list[object] = []

    def read(self) -> list[object]:
        while (item := self.stream.pull()) is not None:
            if isinstance(item, Delivery):
                self.got.append((item.bar.open_time // M, item.source))
            else:
                self.got.append(item.status.name)
        return self.got

    def until(self, last: object) -> list[object]:
        self.bell.until(lambda: last in self.read())
        return self.got


@contextmanager
def reading(
    script: Callable[[Peer], None],
    *,
    start: int | None = 97,
    error: Exception | None = None,
    timeframe: str = "1m",
    **settings: object,
) -> Iterator[tuple[Reader, History, ManualClock]]:
    clock, bell = ManualClock(NOW), Bell()
    history = History(clock, error)
    with Scripted(script) as server:
        stream = Stream(
            Toy(stream_url=server.url),
            Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse(timeframe)),
            clock=clock,
            start=None if start is None else start * M,
            downloader=lambda: history,  # type: ignore[arg-type,return-value]
            backoff_ms=(0,),
            **settings,  # type: ignore[arg-type]
        )
        stream.open(bell.ring)
        try:
            yield Reader(stream, bell), history, clock
        finally:
            stream.close()


def say(peer: Peer, channel: str, minute: int) -> None:
    peer.say(bar=[channel, minute * M, 1.0, 2.0, 0.5, 1.5, 1.0])


def test_history_comes_first_then_live_and_the_words_stand_in_their_places() -> None:
    go = threading.Event()

    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        go.wait(10)
        say(peer, channel, 100)
        peer.stay()

    with reading(script) as (reader, _, clock):
        reader.until("LIVE")
        clock.set(101 * M + 50)
        go.set()
        assert reader.until((100, "live")) == [
            "DELAYED", (97, "history"), (98, "history"), (99, "history"), "LIVE", (100, "live"),
        ]  # fmt: skip


def test_after_a_cut_the_missing_bars_come_from_history() -> None:
    cut, again = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        if peer.number > 1:
            again.wait(10)
        peer.acknowledge()
        if peer.number == 1:
            cut.wait(10)
            peer.cut()
        peer.stay()

    with reading(script) as (reader, history, clock):
        reader.until("LIVE")
        cut.set()
        reader.until("CONNBROKEN")
        clock.set(103 * M + 20)
        again.set()
        got = reader.until((102, "backfill"))
        assert got[got.index("CONNBROKEN") :][:6] == [
            "CONNBROKEN", "CONNECTED", "DELAYED", (100, "backfill"), (101, "backfill"), (102, "backfill"),
        ]  # fmt: skip
        assert history.threads == {"btfeeds-toy-history-1"}, "never on the thread that pulls"


def test_without_history_the_bars_begin_with_the_one_under_way() -> None:
    go = threading.Event()

    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        go.wait(10)
        say(peer, channel, 100)
        peer.stay()

    with reading(script, start=None) as (reader, history, clock):
        reader.until("LIVE")
        clock.set(101 * M + 50)
        go.set()
        assert reader.until((100, "live")) == ["DELAYED", "LIVE", (100, "live")]
        assert history.asked == [TimeRange(99 * M, 100 * M)], "one bar was asked for, to check the symbol"


def test_behind_its_end_a_stream_has_nothing_to_look_at_although_its_channel_goes_on() -> None:
    more = threading.Event()

    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        more.wait(10)
        say(peer, channel, 100)
        peer.stay()

    with reading(script, until=100 * M) as (reader, _, clock):
        reader.until("DISCONNECTED")
        clock.set(101 * M + 50)
        more.set()
        reader.bell.until(lambda: reader.stream.backlog)
        assert not reader.stream.waiting and reader.stream.deadline is None


def test_an_unknown_symbol_ends_with_an_error_to_read() -> None:
    error = UnknownSymbol("no such symbol")
    with reading(Peer.stay, error=error) as (reader, _, _clock):
        assert reader.until("DISCONNECTED") == ["DELAYED", "NOTSUBSCRIBED", "DISCONNECTED"]
        assert reader.stream.error is error and reader.stream.finished


def test_a_timeframe_nobody_can_give_is_refused_at_once() -> None:
    with reading(Peer.stay, timeframe="45s") as (reader, _, _clock):
        assert reader.read() == ["NOTSUPPORTED_TF", "DISCONNECTED"]


def test_a_full_ring_loses_nothing() -> None:
    go = threading.Event()

    def script(peer: Peer) -> None:
        channel = peer.acknowledge()[0]
        go.wait(10)
        for minute in range(100, 120):
            say(peer, channel, minute)
        peer.stay()

    with reading(script, capacity=3) as (reader, _, clock):
        reader.until("LIVE")
        clock.set(120 * M + 50)
        go.set()
        reader.bell.until(lambda: reader.stream._ring.overflows == 17)
        got = reader.until((119, "live"))
        assert [item[0] for item in got if isinstance(item, tuple)] == list(range(97, 120))
        assert reader.stream.summary.delivered == 23


def test_close_is_prompt_idempotent_and_leaves_no_thread() -> None:
    with reading(Peer.stay) as (reader, _, _clock):
        reader.until("LIVE")
        reader.stream.close()
        reader.stream.close()
        assert reader.until("DISCONNECTED")[-1] == "DISCONNECTED"
        reader.bell.until(lambda: not any(t.name.startswith("btfeeds-toy") for t in threading.enumerate()))


def test_what_is_closed_on_another_thread_says_its_last_word_on_the_one_that_pulls() -> None:
    """Two threads that put words in line at once could leave the consumer waiting for an end that never comes."""
    with reading(Peer.stay) as (reader, _, _clock):
        reader.until("LIVE")
        closing = threading.Thread(target=reader.stream.close)
        closing.start()
        closing.join()
        splice = reader.stream._splice
        assert splice.word is not Status.DISCONNECTED and reader.stream.waiting and not reader.stream.finished
        assert reader.until("DISCONNECTED")[-1] == "DISCONNECTED"
        assert reader.stream.finished and not reader.stream.waiting


def test_a_stream_that_is_dropped_in_the_midst_of_anything_takes_no_lock_and_leaves_no_socket() -> None:
    """The garbage collector finds it on whatever thread, which may hold a lock that another one waits for."""
    with reading(Peer.stay) as (reader, _, _clock):
        reader.until("LIVE")
        hub = reader.stream._hub
        assert hub is not None
        done = threading.Event()

        def busy() -> None:
            with hub._lock, hub._shards[0]._lock:
                reader.stream.abandon()
                done.wait(10)

        holding = threading.Thread(target=busy)
        holding.start()
        other = threading.Thread(target=reader.stream.abandon)
        other.start()
        other.join(10)
        assert not other.is_alive()
        done.set()
        holding.join()
        reader.bell.until(lambda: not any(t.name.startswith("btfeeds-toy") for t in threading.enumerate()))
        assert hub.closed


def test_settled_tells_which_bars_are_final() -> None:
    with reading(Peer.stay) as (reader, _, _clock):
        assert isinstance(reader.stream.pull(), Notice)
        assert reader.stream.settled == 97 * M
        reader.until("LIVE")
        assert reader.stream.settled == 100 * M and reader.stream.live


def test_two_streams_of_a_venue_share_one_socket() -> None:
    clock, bell = ManualClock(NOW), Bell()
    history = History(clock)
    with Scripted(Peer.stay) as server:
        venue = Toy(stream_url=server.url)
        streams = [
            Stream(
                venue,
                Subscription("toy", Symbol(symbol), Timeframe.parse("1m")),
                clock=clock,
                start=97 * M,
                downloader=lambda: history,  # type: ignore[arg-type,return-value]
            )
            for symbol in ("AAA/X", "BBB/X")
        ]
        readers = [Reader(stream, bell) for stream in streams]
        for stream in streams:
            stream.open(bell.ring)
        readers[0].until("LIVE")
        clock.advance(500)  # the second subscription waits for its turn: two messages a second
        readers[1].until("LIVE")
        assert server.connects == 1
        streams[0].close()
        assert not readers[1].stream.finished
        streams[1].close()


def test_bars_made_of_trades_have_no_rows_for_times_without_trades() -> None:
    venue = Toy()
    venue.omits_empty_bars = False  # type: ignore[misc]
    assert not omits_empty(venue, Timeframe.parse("5m"))
    assert not omits_empty(venue, Timeframe.parse("7m")), "made of rows of 1m"
    assert omits_empty(venue, Timeframe.parse("7s")), "made of trades"
    venue.omits_empty_bars = True  # type: ignore[misc]
    assert omits_empty(venue, Timeframe.parse("5m"))



def test_a_bar_is_held_only_where_its_last_word_may_come_late() -> None:
    def held(venue: str, symbol: str, timeframe: str) -> int:
        subscription = Subscription(venue, Symbol(symbol), Timeframe.parse(timeframe))
        return settles_ms(venues.venue(venue), subscription)

    assert held("bitfinex", "BTC/USD", "1m") == 2_000
    assert held("bitstamp", "BTC/USD", "1m") == held("gemini", "BTC/USD", "7m") == 1_000
    assert held("kraken", "BTC/USD", "1m") == held("coinbase", "BTC/USD", "1m") == held("okx", "BTC/USDT", "1m") == 0


class Resent(Toy):
    """The row of the bar before comes once more behind the first row of the next one."""

    closing = ClosingRule.ROLL_OVER
    settles_ms = 2_000


def test_a_stream_that_came_up_by_a_wrong_clock_begins_by_the_right_one() -> None:
    """The first frame, which tells the venue's time, may come before anybody has looked."""
    with Settled(Toy()) as its:
        behind = NOW - 10 * M  # the venue's time
        its.hub.skew.sample(behind, NOW)
        for minute in (90, 91):
            its.tap.bar("toy", BarUpdate(its.tap.channel, bar(minute), True, (minute + 1) * M))
        its.clock.set(NOW + M)
        bars = [item.bar.open_time // M for item in iter(its.stream.pull, None) if isinstance(item, Delivery)]
    assert bars == [90, 91]


class Settled:
    """A stream on such a venue, whose frames the test says."""

    def __init__(self, venue: Venue | None = None, symbol: str = "BTC/USDT", timeframe: str = "1m") -> None:
        self.clock = ManualClock(NOW)
        self.heard: int | None = None  # up to when the venue was heard; None: it is heard all the time
        self.prods: list[str] = []
        venue = venue or Resent()
        subscription = Subscription(venue.name, Symbol(symbol), Timeframe.parse(timeframe))
        self.hub = Hub(venue, self.clock, Backfill(History(self.clock)), policy_for(self.clock))  # type: ignore[arg-type]
        self.hub.attach = lambda tap: True  # type: ignore[method-assign]
        self.hub.heard = lambda _: self.clock.monotonic() if self.heard is None else self.heard  # type: ignore
        self.hub.prod = self.prods.append  # type: ignore[method-assign]
        self.stream = Stream(venue, subscription, clock=self.clock, start=None, hub=self.hub)

    def __enter__(self) -> Settled:
        self.stream.open(lambda: None)
        assert self.stream._tap is not None
        self.tap = self.stream._tap
        self.tap.up(NOW)
        return self

    def __exit__(self, *args: object) -> None:
        self.hub.stop()

    def say(self, *rows: tuple[int, float, int]) -> None:
        """Rows of a minute, with this volume, at this second behind the hundredth minute."""
        for minute, volume, second in rows:
            self.clock.set(100 * M + second * 1_000)
            bar = Bar(minute * M, 1.0, 2.0, 0.5, 1.5, volume)
            self.tap.bar("toy", BarUpdate(self.tap.channel, bar, False), self.clock.now())

    def given(self, time: int) -> list[float]:
        """The volumes of the bars that the stream gives then."""
        self.clock.set(time)
        return [item.bar.volume for item in iter(self.stream.pull, None) if isinstance(item, Delivery)]


def test_the_last_word_behind_the_next_bars_first_is_in_the_bar() -> None:
    with Settled() as its:
        its.say((100, 1.0, 59), (101, 0.1, 60), (100, 7.0, 61))
        assert its.given(101 * M + 1_000) == []
        assert its.stream.deadline == 101 * M + 3_000, "two seconds from when it was met"
        assert its.given(101 * M + 2_999) == []
        assert its.given(101 * M + 3_000) == [7.0] and its.prods == []
        # a frame that cannot be read may have been the last word: what settles is left to history
        its.say((101, 1.0, 119), (102, 1.0, 120))
        assert its.given(102 * M) == []
        its.tap.doubt()
        assert its.given(102 * M + 4_999) == []


def test_a_bar_whose_last_word_may_be_on_a_dead_link_waits_until_the_venue_is_heard() -> None:
    with Settled() as its:
        its.say((100, 1.0, 59), (101, 0.1, 60))
        its.heard = its.clock.monotonic()
        assert its.given(101 * M) == []
        assert its.given(101 * M + 2_000) == [] and its.prods == []
        assert its.stream.deadline == 101 * M + 2_050
        assert its.given(101 * M + 2_250) == [] and its.prods == [its.tap.channel]
        assert its.given(101 * M + 2_300) == [] and its.prods == [its.tap.channel]
        its.heard = its.clock.monotonic() - 1
        assert its.given(101 * M + 2_500) == [1.0]


def test_what_history_has_given_meanwhile_is_not_taken_for_the_venues_later_word() -> None:
    with Settled() as its:
        its.say((100, 9.0, 59), (101, 0.1, 60))
        its.heard = 0
        assert its.given(101 * M) == []
        its.stream._splice.live(bar(100), its.clock.now())
        its.heard = None
        assert its.given(101 * M + 16_000) == [1.0]
        assert its.stream.summary.corrected == its.stream.summary.dropped_duplicates == 0


# --- bars of shares, whose trades are taken back ---

TWO = 102 * M


def say_trades(its: Settled, *trades: tuple[int, str], revoked: str = "") -> None:
    """Trades of these seconds behind the hundredth minute, with these keys, each when it was made; odd lots are "I"."""
    for second, key in trades:
        its.clock.set(100 * M + second * 1_000)
        trade = Trade(its.clock.now(), 10.0, 1.0, key=key, moves=0 if key[0] == "I" else PRICES)
        its.tap.trades("alpaca", TradeUpdate("x", (trade,)), its.clock.now())
    if revoked:
        its.tap.trades("alpaca", TradeUpdate("x", (), revoked=Trade(NOW, 10.0, 1.0, key=revoked)), its.clock.now())


def test_a_bar_whose_only_trade_is_taken_back_while_it_settles_is_not_given() -> None:
    with Settled(OnlyTrades(key="k"), "AAPL", "2m") as its:
        say_trades(its, (50, "V1"), (118, "V2"), (121, "I1"), (181, "V3"), (238, "V4"), (241, "V5"))
        its.stream._splice.due = its.stream._splice._outset.horizon = TWO  # what is before is history's
        assert its.given(104 * M + 1_500) == []
        say_trades(its, revoked="V4")
        say_trades(its, revoked="V3")
        assert its.given(104 * M + 9_000) == [] and its.stream.summary.corrected == 0
        assert its.stream._splice.due == TWO, "history has the word"


class OnlyTrades(Alpaca):
    """As if it had no minutes."""

    merges = ""


def test_a_bar_whose_only_trade_is_taken_back_afterwards_is_told_to_be_gone() -> None:
    with Settled(OnlyTrades(key="k"), "AAPL", "2m") as its:
        say_trades(its, (50, "V1"), (118, "V2"), (121, "I1"), (181, "V3"), (238, "V4"), (241, "V5"))
        its.stream._splice.due = its.stream._splice._outset.horizon = TWO
        assert its.given(104 * M + 1_500) == []
        assert its.given(104 * M + 2_500) == [2.0]
        say_trades(its, revoked="V3")
        say_trades(its, revoked="V4")
        its.clock.set(104 * M + 9_000)
        payloads = [item.payload for item in iter(its.stream.pull, None) if isinstance(item, Notice) and item.payload]
    before = Bar(TWO, 10.0, 10.0, 10.0, 10.0, 2.0, 2)
    one, none = (Bar(TWO, 10.0, 10.0, 10.0, 10.0, float(left), left) for left in (1, 0))
    assert payloads == [Correction(before, one), Correction(one, none)]
    assert [payload.gone for payload in payloads if isinstance(payload, Correction)] == [False, True]
