"""Single trades, as they were recorded, as a strategy in a real Cerebro meets them; and larger bars of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import backtrader as bt
import pandas as pd
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

import btfeeds
from btfeeds import monitor, venues
from btfeeds.cerebro.stamps import ms_of
from btfeeds.clock import ScaledClock
from btfeeds.errors import ConfigError, UnsupportedTimeframe
from btfeeds.live.items import Gap
from btfeeds.live.status import Status
from btfeeds.market import iso
from btfeeds.simulator import serve as simulate
from tests.e2e import helpers
from tests.e2e.helpers import accepted, ours
from tests.shared import shared

FILE = "binance/lasota/test_positive_binance_trade_stream_spot_trxusdt_04-03-2025.csv.gz"
START = 1_741_046_400_000  # 2025-03-04T00:00Z
MINUTE = 60_000
SPEED = 200.0
TICKS, SECONDS, MINUTES = bt.TimeFrame.Ticks, bt.TimeFrame.Seconds, bt.TimeFrame.Minutes
TRX = "TRX/USDT"


@pytest.fixture(scope="module")
def recorded() -> pd.DataFrame:
    """The trades of the first minutes: time (ms), id, price and quantity as text."""
    frame = pd.read_csv(shared(FILE), dtype={"Price": str, "Quantity": str})
    times = frame["TransactionTime"].astype("int64") // 1000
    made = pd.DataFrame({"time": times, "id": frame["TradeId"], "price": frame["Price"], "quantity": frame["Quantity"]})
    return made[made["time"] < START + 6 * MINUTE]


class Venue:
    """Sends recorded trades when their time has come, those behind a break as others would hear them."""

    def __init__(self, trades: pd.DataFrame, clock: ScaledClock, cut_at: int | None = None, away_ms: int = 0) -> None:
        self._trades, self._clock = list(trades.itertuples(index=False)), clock
        self._cut_at, self._away_ms = cut_at, away_ms
        self._gone = threading.Event()
        self._connects = 0
        self.held_after: int | None = None  # how many trades go out before somebody sets `go`
        self.go, self.four_minutes_out = threading.Event(), threading.Event()
        self.heard_until = self.heard_from = 0  # numbers of the last trade before the cut, of the first behind it

    def rest(self, connection: ServerConnection, request: Any) -> Any:
        if "Upgrade" in request.headers:
            return None
        answer = connection.respond(200, "[]")
        del answer.headers["Date"]
        answer.headers["Date"] = formatdate(self._clock.now() / 1000, usegmt=True)
        return answer

    def stream(self, connection: ServerConnection) -> None:
        self._connects += 1
        cut_at = self._cut_at if self._connects == 1 else None
        try:
            said = json.loads(connection.recv(timeout=10))
            connection.send(json.dumps({"result": None, "id": said["id"]}))
            [channel] = said["params"]
            assert channel == "trxusdt@aggTrade"
            since = 0 if self._connects == 1 else max(self._clock.now(), (self._cut_at or 0) + self._away_ms)
            for number, trade in enumerate(self._trades):
                if trade.time < since:
                    continue
                if number == self.held_after:
                    self.go.wait(30)
                if trade.time >= START + 4 * MINUTE:
                    self.four_minutes_out.set()
                if cut_at is not None and trade.time >= cut_at:
                    connection.socket.close()
                    return
                wait = (trade.time - self._clock.now()) / 1000 / SPEED
                if wait > 0.002 and self._gone.wait(wait):
                    return
                if self._connects == 1:
                    self.heard_until = trade.id
                elif not self.heard_from:
                    self.heard_from = trade.id
                same = {"a": trade.id, "p": trade.price, "q": trade.quantity, "T": trade.time, "f": trade.id}
                event = {"e": "aggTrade", "E": trade.time, "s": "TRXUSDT", "m": True, "M": True, "l": trade.id, **same}
                frame = json.dumps({"stream": channel, "data": event})
                for _ in range(1 + (trade.id % 10 == 0)):  # some come twice
                    connection.send(frame)
            self._gone.wait(10)
        except (ConnectionClosed, OSError):
            pass  # the feed has what it wanted

    @contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        server = serve(self.stream, "127.0.0.1", 0, process_request=self.rest, close_timeout=0.2, ping_interval=None)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host = f"127.0.0.1:{server.socket.getsockname()[1]}"
        try:
            yield {"rest_url": f"http://{host}", "stream_url": f"ws://{host}"}
        finally:
            self._gone.set()
            server.shutdown()
            thread.join(2)


class Diary(bt.Strategy):  # type: ignore[misc]
    """Bars by their stamps in epoch ms, and words, of every data."""

    params = (("act", None),)

    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {data._name: [] for data in self.datas}
        self.words: list[str] = []
        self.gaps: list[Gap] = []
        self.order: list[str] = []  # of trades and gaps
        self._lengths = [0] * len(self.datas)

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        self.words.append(Status(status).name)
        if args and isinstance(args[-1], Gap):
            self.gaps.append(args[-1])
            self.order.append("gap")

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        for number, data in enumerate(self.datas):
            if len(data) != self._lengths[number]:
                assert len(data) == self._lengths[number] + 1
                self._lengths[number] += 1
                stamp = ms_of(data.datetime[0])
                self.rows[data._name].append(
                    (stamp, data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0])
                )
                self.order.append(data._name)
        if self.p.act is not None:
            self.p.act(self)


def met(feed: Any, *targets: tuple[int, int], plain: bool = True, replay: bool = False, **options: Any) -> Any:
    cerebro = bt.Cerebro(stdstats=False)
    if plain:
        cerebro.adddata(feed)
    for number, compression in targets:
        put = cerebro.replaydata if replay else cerebro.resampledata
        put(feed, timeframe=number, compression=compression)
    cerebro.addstrategy(Diary, **options)
    timer = threading.Timer(60, cerebro.runstop)
    timer.start()
    try:
        return cerebro.run()[0]
    finally:
        timer.cancel()


def as_bars(trades: pd.DataFrame) -> list[Any]:
    """Each trade as a bar of its own."""
    return [(t.time, *[float(t.price)] * 4, float(t.quantity)) for t in trades.itertuples(index=False)]


def grouped(trades: pd.DataFrame, ms: int) -> list[Any]:
    """Bars of these trades made by hand, stamped with their close; volumes summed as decimal numbers."""
    rows: list[Any] = []
    for bucket, group in trades.groupby(trades["time"] // ms):
        prices = [float(price) for price in group["price"]]
        volume = float(sum(Decimal(quantity) for quantity in group["quantity"]))
        rows.append(((bucket + 1) * ms, prices[0], max(prices), min(prices), prices[-1], volume))
    return rows


def feed(clock: Any, hosts: dict[str, str], venue: str = "binance", symbol: str = TRX, **params: Any) -> Any:
    """A feed of ticks that gives trades three seconds of the wall before time closes a larger bar without them."""
    patient = venues.venue(venue, **hosts)
    patient.grace_ms = round(3_000 * SPEED)
    return btfeeds.BaseLiveDataFeed(dataname=symbol, venue=patient, timeframe="tick", clock=clock, **params)


@pytest.mark.parametrize("stamp", ["close", "open"])
def test_every_trade_is_a_bar_and_larger_ones_are_exact(recorded: pd.DataFrame, stamp: str) -> None:
    clock = ScaledClock(START, SPEED)
    end = START + 4 * MINUTE
    with Venue(recorded, clock).serving() as hosts:
        strategy = met(feed(clock, hosts, todate=iso(end), stamp=stamp), (SECONDS, 15), (MINUTES, 1))
    wanted = recorded[recorded["time"] <= end]
    assert strategy.rows[TRX] == as_bars(wanted)
    assert len({row[0] for row in strategy.rows[TRX]}) < len(wanted), "several trades have one time"
    # of the first bar nobody can know that its first trades were heard
    over = wanted[wanted["time"] < end]
    assert strategy.rows[f"{TRX} 15s"] == grouped(over, 15_000)[1:]
    assert strategy.rows[f"{TRX} 1m"] == grouped(over, MINUTE)[1:]
    assert accepted(strategy.words) and strategy.gaps == []
    assert ours() == []


def test_backtraders_own_pair_names_ticks() -> None:
    data = btfeeds.BinanceLiveDataFeed(dataname="BTC/USDT", timeframe=TICKS, compression=1)
    same = btfeeds.live("binance", "BTC/USDT", "tick")
    assert (data._timeframe, data._compression) == (same._timeframe, same._compression) == (TICKS, 1)


def test_larger_bars_alone_do(recorded: pd.DataFrame) -> None:
    clock = ScaledClock(START, SPEED)
    end = START + 2 * MINUTE
    with Venue(recorded, clock).serving() as hosts:
        data = feed(clock, hosts, todate=iso(end))
        strategy = met(data, (SECONDS, 5), plain=False)
    assert strategy.rows[TRX] == grouped(recorded[recorded["time"] < end], 5_000)[1:]


def test_a_cut_costs_what_is_declared_and_no_larger_bar_hides_it(recorded: pd.DataFrame) -> None:
    clock = ScaledClock(START, SPEED)
    end = START + 4 * MINUTE
    venue = Venue(recorded, clock, cut_at=START + 80_000, away_ms=10_000)
    with venue.serving() as hosts:
        strategy = met(feed(clock, hosts, todate=iso(end)), (SECONDS, 15))
    before = recorded[recorded["id"] <= venue.heard_until]
    behind = recorded[(recorded["id"] >= venue.heard_from) & (recorded["time"] <= end)]
    assert venue.heard_from > venue.heard_until + 1
    assert strategy.rows[TRX] == as_bars(pd.concat([before, behind]))
    lost = Gap(int(before["time"].iloc[-1]), int(behind["time"].iloc[0]), "break")
    assert strategy.gaps == [lost]
    place = strategy.order.index("gap")
    assert strategy.order[:place].count(TRX) == len(before)
    whole = [
        row
        for row in grouped(recorded[recorded["time"] < end], 15_000)[1:]
        if not (lost.start < row[0] and lost.end >= row[0] - 15_000)
    ]
    assert strategy.rows[f"{TRX} 15s"] == whole
    words = [word for word in strategy.words if word != "UNKNOWN"]
    assert accepted(words)
    cut = words.index("CONNBROKEN")
    assert words[cut : cut + 3] == ["CONNBROKEN", "CONNECTED", "DELAYED"]


def test_a_slow_strategy_is_behind_and_what_it_lost_is_declared(recorded: pd.DataFrame) -> None:
    clock = ScaledClock(START, SPEED)
    end = START + 5 * MINUTE
    venue, overflowed = Venue(recorded, clock), threading.Event()
    venue.held_after = 60  # fewer than may wait, whenever the strategy begins to take them

    def sink(happening: monitor.Happening) -> None:
        if isinstance(happening, monitor.RingOverflowed):
            overflowed.set()

    def act(strategy: Any) -> None:
        if len(strategy.data) == 20:
            venue.go.set()
            assert venue.four_minutes_out.wait(30) and overflowed.wait(30)

    monitor.add(sink)
    try:
        with venue.serving() as hosts:
            data = feed(clock, hosts, todate=iso(end), buffer=100)
            strategy = met(data, (SECONDS, 15), act=act)
    finally:
        monitor.remove(sink)
    rows = strategy.rows[TRX]
    expected = as_bars(recorded[recorded["time"] <= end])
    assert rows[:20] == expected[:20] and len(rows) < len(expected)
    assert data.summary.declared == len(expected) - len(rows)
    # what is there is in order, and each run of what is not was declared; a busy machine may add another
    place, jumps = -1, []
    for number, row in enumerate(rows):
        found = expected.index(row, place + 1)
        if number and found > place + 1:
            jumps.append((rows[number - 1][0], row[0]))
        place = found
    assert jumps[0][0] == rows[19][0]
    assert [(gap.start, gap.end) for gap in strategy.gaps] == jumps
    assert strategy.words[strategy.words.index("UNKNOWN") - 1] == "DELAYED"
    assert accepted(strategy.words)
    larger = grouped(recorded[recorded["time"] < end], 15_000)
    assert set(strategy.rows[f"{TRX} 15s"]) < set(larger), "whole ones only"


def test_in_a_quiet_market_time_closes_larger_bars(recorded: pd.DataFrame) -> None:
    some = recorded[recorded["time"] < START + 20_000]
    clock = ScaledClock(START, SPEED)
    seen: list[int] = []

    def act(strategy: Any) -> None:
        if strategy.rows[f"{TRX} 5s"] and strategy.rows[f"{TRX} 5s"][-1][0] == START + 20_000:
            seen.append(clock.now())
            strategy.env.runstop()

    with Venue(some, clock).serving() as hosts:
        strategy = met(feed(clock, hosts, qcheck=0.02), (SECONDS, 5), act=act)
    assert strategy.rows[f"{TRX} 5s"] == grouped(some, 5_000)[1:]
    assert seen and seen[0] >= START + 20_000 + 3_000 * SPEED


def test_replayed_bars_grow_with_each_trade_and_end_exact(recorded: pd.DataFrame) -> None:
    class Final(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            self.bars: dict[int, Any] = {}
            self.steps = 0

        def next(self) -> None:
            data = self.data
            self.steps += 1
            self.bars[len(data)] = (data.open[0], data.high[0], data.low[0], data.close[0], round(data.volume[0], 6))

    clock = ScaledClock(START, SPEED)
    end = START + 4 * MINUTE
    wanted = recorded[recorded["time"] <= end]
    cerebro = bt.Cerebro(stdstats=False)
    with Venue(recorded, clock).serving() as hosts:
        cerebro.replaydata(feed(clock, hosts, todate=iso(end)), timeframe=MINUTES, compression=1)
        cerebro.addstrategy(Final)
        [strategy] = cerebro.run()
    assert strategy.steps == len(wanted)
    assert list(strategy.bars.values()) == [row[1:] for row in grouped(wanted, MINUTE)]


# numbered without holes; by numbers that go on over the cut; with older trades at first; without numbers
@pytest.mark.parametrize("venue", ["binance", "coinbase", "coinbaseadvanced", "kraken", "bybit"])
def test_minutes_of_ticks_are_the_venues_own_over_a_cut(venue: str) -> None:
    symbol = "BTC/USDT" if venue in ("binance", "bybit") else "BTC/USD"
    bars = helpers.market(40, symbol=symbol)
    end = helpers.START + 20 * MINUTE
    cuts: list[int] = []

    def act(strategy: Any) -> None:
        if not cuts and len(strategy.rows[f"{symbol} 1m"]) == 1:
            cuts.append(sim.clock.now())
            sim.fault("cut:fin")

    with simulate(venue, bars, symbol=symbol, history=10, speed=SPEED) as sim:
        hosts = {"rest_url": sim.rest_url, "stream_url": sim.stream_url}
        strategy = met(feed(sim.clock, hosts, venue, symbol, todate=iso(end)), (MINUTES, 1), act=act)
    met_bars = [(row[0] - MINUTE, *row[1:]) for row in strategy.rows[f"{symbol} 1m"]]
    first = met_bars[0][0]
    # the first whole minute; older trades, with which a venue begins, may tell of one or two that are not
    assert first <= strategy.rows[symbol][0][0] // MINUTE * MINUTE + 2 * MINUTE and len(met_bars) > 2
    assert met_bars == [
        row
        for row in helpers.rows(bars)
        if first <= row[0] < end
        and not any(gap.start < row[0] + MINUTE and gap.end >= row[0] for gap in strategy.gaps)
    ]
    assert "CONNBROKEN" in strategy.words
    assert accepted(strategy.words)


@pytest.mark.parametrize(
    "params",
    [{"history": "1h"}, {"history": 500}, {"fromdate": "2024-03-01"}, {"historical": True, "fromdate": "2024-03-01"},
     {"historical": True}, {"warehouse": "bars"}, {"warehouse": True}, {"resume": "state.json"},
     {"backfill_from": "a feed"}, {"gaps": "fill"}, {"gaps": "hold"}, {"align": 1.0}, {"compression": 5}],
    ids=str,
)  # fmt: skip
def test_what_ticks_do_not_have_is_refused_before_anything_starts(params: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        btfeeds.BinanceLiveDataFeed(dataname="BTC/USDT", timeframe=TICKS, **params)
    assert len(str(error.value).splitlines()) == 3
    assert any(name in str(error.value).splitlines()[0] for name in params)


def test_a_venue_without_trades_does_not_support_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(venues.venue("gemini")), "trades_channel", "")
    data = btfeeds.live("gemini", "BTC/USD", "tick")
    assert met(data).words == ["NOTSUPPORTED_TF", "DISCONNECTED"]
    assert isinstance(data.error, UnsupportedTimeframe) and len(str(data.error).splitlines()) == 3
