"""Trades with conditions, late, wrong, taken back: bars and ticks of Alpaca, against what was worked out by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

import btfeeds
from btfeeds.clock import ScaledClock
from btfeeds.live.items import Correction
from btfeeds.market import Bar, Symbol, Timeframe, iso
from btfeeds.simulator import serve as simulate
from btfeeds.simulator.market import Market
from btfeeds.venues.alpaca import Alpaca
from tests.e2e.helpers import MINUTE, START, Row, accepted, market, run
from tests.e2e.streaming import heard

SPEED = 100.0
AAPL = "AAPL"


class OnlyTrades(Alpaca):
    """Alpaca as if it had no bars of its own and no history: every bar here is one made of trades."""

    streams: Mapping[Timeframe, str] = {}

    def has_history(self, symbol: Symbol, timeframe: Timeframe) -> bool:
        return False


# --- a few trades, by hand ---


def sold(second: float, name: str, price: float, size: float, *letters: str) -> dict[str, Any]:
    return {"T": "t", "S": AAPL, "i": int(name[1:]), "x": name[0], "p": price, "s": size,
            "t": iso(START + int(second * 1000)), "c": letters or ["@"], "z": "C"}  # fmt: skip


def corrected(second: float, once: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    said = {f"{prefix}{name}": trade[name] for prefix, trade in (("o", once), ("c", now)) for name in "ipsc"}
    return {"T": "c", "S": AAPL, "x": once["x"], "z": "C", "t": iso(START + int(second * 1000)), **said}


FIRST, WRONG = sold(46, "V1", 100, 10), sold(60, "V3", 300, 7, "@", "F")
NEVER, TWICE = sold(72, "D5", 500, 3), sold(50, "Q2", 101, 20)
LATE = sold(80.5, "D9", 98, 4)
SAID: list[tuple[float, list[dict[str, Any]]]] = [  # when, and what
    (5, [sold(5, "D7", 10, 1)]),
    (46, [FIRST]),
    (50, [sold(50, "V2", 150, 5, "@", "I"), TWICE]),  # an odd lot; another exchange's number 2
    (51, [TWICE]),
    (60, [WRONG]),
    (61, [sold(61, "Q4", 1, 0, "@", "M"), sold(61, "Q5", 2, 900, "Q")]),  # reports of prices
    (70, [corrected(70, WRONG, sold(70, "V4", 99, 8))]),
    (72, [NEVER]),
    (73, [{**NEVER, "T": "x", "a": "C"}]),
    (89, [sold(89, "V6", 102, 1, "@", "T")]),
    (91, [sold(91, "V8", 103, 2), LATE]),
    (100, [sold(100, "V9", 50, 50, "@", "W")]),  # an average price
    (120, [corrected(120, FIRST, sold(120, "V11", 97, 10))]),
    (136, [sold(136, "V12", 104, 1)]),
    (181, [sold(181, "V13", 105, 1)]),
]


class Server:
    """Says it, each when its time has come."""

    def __init__(self, clock: ScaledClock, said: Sequence[tuple[float, list[dict[str, Any]]]] = ()) -> None:
        self._clock, self._gone, self._said = clock, threading.Event(), said or SAID

    def rest(self, connection: ServerConnection, request: Any) -> Any:
        if "Upgrade" in request.headers:
            return None
        answer = connection.respond(200, '{"bars":{},"next_page_token":null}')
        del answer.headers["Date"]
        answer.headers["Date"] = formatdate(self._clock.now() / 1000, usegmt=True)
        return answer

    def stream(self, connection: ServerConnection) -> None:
        try:
            connection.send('[{"T":"success","msg":"connected"}]')
            connection.recv(timeout=10)
            connection.send('[{"T":"success","msg":"authenticated"}]')
            assert json.loads(connection.recv(timeout=10)) == {"action": "subscribe", "trades": [AAPL]}
            connection.send('[{"T":"subscription","trades":["AAPL"],"bars":[],"corrections":["AAPL"]}]')
            for second, messages in self._said:
                if self._gone.wait(max(0.0, (START + second * 1000 - self._clock.now()) / 1000 / self._clock.speed)):
                    return
                connection.send(json.dumps(messages))
            self._gone.wait(10)
        except ConnectionClosed:
            pass  # it has what it wanted

    @contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        server = serve(self.stream, "127.0.0.1", 0, process_request=self.rest, close_timeout=0.2, ping_interval=None)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host = f"127.0.0.1:{server.socket.getsockname()[1]}"
        try:
            yield {"rest_url": f"http://{host}", "stream_url": f"ws://{host}", "key": "key", "secret": "secret"}
        finally:
            self._gone.set()
            server.shutdown()
            thread.join(2)


def test_bars_that_the_venue_has_not_are_made_of_the_trades_that_count() -> None:
    clock = ScaledClock(START, SPEED)
    with Server(clock).serving() as hosts:
        met = heard(Alpaca("alpaca", **hosts), clock, AAPL, "45s", until=START + 135_000)
    first = Bar(START + 45_000, 100.0, 102.0, 98.0, 102.0, 48.0, 6)
    assert met.bars == [first, Bar(START + 90_000, 103.0, 103.0, 103.0, 103.0, 52.0, 2)]
    assert set(met.sources) == {"live"}
    changed = Bar(START + 45_000, 97.0, 102.0, 97.0, 102.0, 48.0, 6)
    assert met.corrections == [Correction(first, changed)]


def test_a_late_trade_first_does_not_make_the_bar_under_way_whole_and_one_taken_back_leaves_no_bar() -> None:
    only = sold(136, "V4", 104, 1)
    said: list[tuple[float, list[dict[str, Any]]]] = [
        (53, [sold(44, "D1", 100, 1)]),  # the first that is heard: from before 45, told at 53
        (54, [sold(54, "V2", 101, 1)]),
        (91, [sold(91, "V3", 102, 1)]),  # closes 45, of which nobody knows what was before 53
        (136, [only]),  # closes 90
        (181, [sold(181, "V5", 105, 1)]),  # closes 135
        (200, [{**only, "T": "x", "a": "C"}]),
        (226, [sold(226, "V6", 106, 1)]),  # closes 180
        (271, [sold(271, "V7", 107, 1)]),
    ]
    clock = ScaledClock(START, SPEED / 2)  # the bar has to be given before its trade is taken back
    with Server(clock, said).serving() as hosts:
        met = heard(Alpaca("alpaca", **hosts), clock, AAPL, "45s", until=START + 225_000)
    given = ((90, 102.0), (135, 104.0), (180, 105.0))
    bars = [Bar(START + second * 1000, *[price] * 4, 1.0, 1) for second, price in given]
    assert met.bars == bars
    gone = Bar(START + 135_000, *[104.0] * 4, 0.0, 0)
    assert met.corrections == [Correction(bars[1], gone)] and met.corrections[0].gone


def test_every_trade_is_a_tick_as_it_came_and_a_report_is_none() -> None:
    clock = ScaledClock(START, SPEED)
    with Server(clock).serving() as hosts:
        data = btfeeds.BaseLiveDataFeed(
            dataname=AAPL, venue=Alpaca("alpaca", **hosts), timeframe="tick", clock=clock, todate=iso(START + 150_000)
        )
        met = run(data)
    ticks = [(5, 10, 1), (46, 100, 10), (50, 150, 5), (50, 101, 20), (60, 300, 7), (72, 500, 3), (89, 102, 1),
             (91, 103, 2), (80.5, 98, 4), (100, 50, 50), (136, 104, 1)]  # fmt: skip
    assert met.rows[AAPL] == [(START + int(second * 1000), *[float(price)] * 4, size) for second, price, size in ticks]
    assert accepted(met.words[AAPL])


# --- many, on the simulator ---


@contextmanager
def simulated(bars: Sequence[Bar], speed: float = 300, **settings: Any) -> Iterator[tuple[Any, dict[str, str]]]:
    with simulate("alpaca", bars, symbol=AAPL, history=20, speed=speed, **settings) as sim:
        yield sim, {"rest_url": sim.rest_url, "stream_url": sim.stream_url, "key": "key", "secret": "secret"}


def traded(bars: Sequence[Bar], first: int, until: int) -> list[Bar]:
    """The venue's own: of a minute without trades it has none."""
    return [bar for bar in bars if bar.volume and first <= bar.open_time < until]


@pytest.mark.parametrize("faults", [[], ["duplicate@150s", "duplicate@310s"]], ids=["calm", "twice"])
def test_minutes_of_trades_are_the_venues_own_to_the_last_digit(faults: list[str]) -> None:
    bars, until = list(market(60, symbol=AAPL, price=190.0)), START + 34 * MINUTE
    with simulated(bars, faults=faults) as (sim, hosts):
        met = heard(OnlyTrades("alpaca", **hosts), sim.clock, AAPL, "1m", until=until)
    assert met.bars[0].open_time <= START + 22 * MINUTE
    assert met.bars == traded(bars, met.bars[0].open_time, until), "trades are counted as there, too"
    assert met.corrections == [] and set(met.sources) == {"live"}


def test_minutes_that_a_cut_left_whole_are_the_venues_own() -> None:
    bars, until = list(market(60, symbol=AAPL, price=190.0)), START + 40 * MINUTE
    with simulated(bars, faults=["cut@310s:fin"]) as (sim, hosts):
        met = heard(OnlyTrades("alpaca", **hosts), sim.clock, AAPL, "1m", until=until)
    truth = traded(bars, met.bars[0].open_time, until)
    assert [bar for bar in truth if bar in met.bars] == met.bars, "none is another than the venue's"
    lost = [place for place, bar in enumerate(truth) if bar not in met.bars]
    assert lost == list(range(lost[0], lost[0] + len(lost))), "of one break"
    assert truth[lost[0]].open_time >= START + 24 * MINUTE


def grouped(bars: Sequence[Bar], ms: int, first: int, until: int) -> list[Row]:
    """Bars of so many ms, of the trades that the simulator makes these minutes of; in whole units, by hand."""
    made = Market(Symbol(AAPL), bars, Timeframe.parse("1m"))
    groups: dict[int, list[Any]] = {}
    for tick in made.ticks_between(first, until):
        groups.setdefault(tick.time // ms * ms, []).append(tick)
    price, volume = 10**made.price_digits, 10**made.volume_digits
    return [
        (time, ticks[0].price / price, max(tick.price for tick in ticks) / price,
         min(tick.price for tick in ticks) / price, ticks[-1].price / price,
         sum(tick.quantity for tick in ticks) / volume)
        for time, ticks in sorted(groups.items())
    ]  # fmt: skip


@pytest.mark.parametrize(("timeframe", "ms", "minutes"), [("45s", 45_000, 24), ("7m", 420_000, 36)])
@pytest.mark.parametrize("dialect", [Alpaca, OnlyTrades])
def test_a_feed_of_a_timeframe_that_the_venue_has_not(
    timeframe: str, ms: int, minutes: int, dialect: type[Alpaca]
) -> None:
    bars, until = list(market(80, symbol=AAPL, price=190.0)), START + (20 + minutes) * MINUTE
    until -= until % ms
    with simulated(bars, speed=600) as (sim, hosts):
        data = btfeeds.BaseLiveDataFeed(
            dataname=AAPL, venue=dialect("alpaca", **hosts), timeframe=timeframe, clock=sim.clock, todate=iso(until)
        )
        met = run(data)
    got = met.rows[AAPL]
    assert len(got) > 2
    assert got == grouped(bars, ms, got[0][0], until)
    assert accepted(met.words[AAPL])


def test_minutes_and_what_is_put_together_from_them_come_of_one_channel() -> None:
    bars, until = list(market(120, symbol=AAPL, price=190.0)), START + 75 * MINUTE
    with simulated(bars, speed=600, faults=["cut@1500s:fin"]) as (sim, hosts):
        venue = Alpaca("alpaca", **hosts)
        feeds = [
            btfeeds.BaseLiveDataFeed(
                dataname=AAPL, venue=venue, timeframe=timeframe, clock=sim.clock, todate=iso(until), name=timeframe
            )
            for timeframe in ("1m", "5m", "15m")
        ]
        met = run(*feeds)
        said = [entry.detail for entry in sim.log if entry.what == "message" and "subscribe" in entry.detail]
    for name, minutes in (("1m", 1), ("5m", 5), ("15m", 15)):
        got = met.rows[name]
        assert got == grouped(bars, minutes * MINUTE, got[0][0], until), name
        assert accepted(met.words[name])
    assert said and not any("trades" in detail for detail in said)
