"""What the strategy meets where the venue itself has no bars, under each gap policy, and when a bar is corrected."""

from __future__ import annotations

from typing import Any

import pytest

import btfeeds
from btfeeds import monitor
from btfeeds.errors import ConfigError, HistoryIncomplete
from btfeeds.live.items import Correction, Gap
from btfeeds.market import Bar, iso
from btfeeds.simulator import serve
from tests.e2e.helpers import MINUTE, START, Diary, accepted, feed, market, rows, run
from tests.virtual.hosted import judge_hosted
from tests.virtual.schedule import Fault, Schedule

HISTORY, LIVE = 30, 24
ALL = market(HISTORY + LIVE + 60)
OLD, NEW = range(10, 13), range(HISTORY + 8, HISTORY + 10)  # minutes the venue lacks: in its past, and while we listen
HOLED = [bar for minute, bar in enumerate(ALL) if minute not in OLD and minute not in NEW]
GAPS = [(START + part[0] * MINUTE, START + (part[-1] + 1) * MINUTE) for part in (OLD, NEW)]


class Told(Diary):
    """Writes down payloads, and `filled`."""

    def __init__(self) -> None:
        super().__init__()
        self.payloads: list[tuple[int, object]] = []  # after how many bars, what
        self.filled: list[int] = []

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        super().notify_data(data, status, *args, **kwargs)
        if status == data.UNKNOWN:
            self.payloads.append((len(self.rows[data._name]), args[1]))

    def next(self) -> None:
        super().next()
        if self.data.filled[0]:
            self.filled.append(self.data.open_time())


def holed(gaps: str, **params: Any) -> tuple[Any, list[monitor.Happening], Any]:
    """A run over the gaps; returns the strategy, what the monitor was told, and the feed."""
    told: list[monitor.Happening] = []
    sink = monitor.add(told.append)
    try:
        with serve("binance", HOLED, history=HISTORY - len(OLD), speed=450.0, quiet="flat") as sim:
            data = feed(sim, gaps=gaps, todate=iso(START + (HISTORY + LIVE) * MINUTE))
            return run(data, strategy=Told, **params), told, data
    finally:
        monitor.remove(sink)


def test_marked_gaps_are_told_in_their_places_and_to_the_monitor() -> None:
    met, told, _ = holed("mark")
    assert met.rows["BTC/USDT"] == rows([bar for bar in HOLED if bar.open_time < START + (HISTORY + LIVE) * MINUTE])
    spans: dict[int, list[Gap]] = {}
    for after, payload in met.payloads:
        assert isinstance(payload, Gap)
        spans.setdefault(after, []).append(payload)
    assert {after: (gaps[0].start, gaps[-1].end) for after, gaps in spans.items()} == {
        10: GAPS[0],
        HISTORY + 8 - len(OLD): GAPS[1],
    }
    declared = [event for event in told if isinstance(event, monitor.GapDeclared)]
    assert [(event.start, event.end) for event in declared] == [(p.start, p.end) for _, p in met.payloads]  # type: ignore[attr-defined]
    assert accepted(met.words["BTC/USDT"]) and not met.filled


def test_filled_gaps_hold_flat_bars_that_are_marked() -> None:
    met, _, _ = holed("fill")
    expected = []
    for minute, bar in enumerate(ALL[: HISTORY + LIVE]):
        if minute in OLD or minute in NEW:
            price = expected[-1].close
            bar = Bar(bar.open_time, price, price, price, price, 0.0)
        expected.append(bar)
    assert met.rows["BTC/USDT"] == rows(expected)
    assert met.filled == [START + minute * MINUTE for minute in (*OLD, *NEW)]
    assert accepted(met.words["BTC/USDT"])


def test_a_gap_that_is_held_open_keeps_later_bars_and_the_word_live_back() -> None:
    met, _, _ = holed("hold", seconds=3.0)
    assert met.rows["BTC/USDT"] == rows(HOLED[:10])
    assert met.words["BTC/USDT"] == ["DELAYED", "DISCONNECTED"] and not met.payloads


def test_a_gap_stops_the_feed_with_an_error_where_asked() -> None:
    met, _, data = holed("stop")
    assert met.rows["BTC/USDT"] == rows(HOLED[:10])
    assert met.words["BTC/USDT"] == ["DELAYED", "UNKNOWN", "NOTSUBSCRIBED", "DISCONNECTED"]
    assert isinstance(data.error, HistoryIncomplete) and data.error.missing == (GAPS[0],)


def test_a_backtest_of_the_same_script_is_filled_too() -> None:
    with serve("binance", HOLED, history=HISTORY, speed=1.0) as sim:
        data = feed(sim, gaps="fill", historical=True, todate=iso(START + 20 * MINUTE))
        met = run(data, strategy=Told)
    assert met.filled == [START + minute * MINUTE for minute in OLD] and len(met.rows["BTC/USDT"]) == 20


def test_without_repairs_a_break_is_declared_and_the_history_is_there() -> None:
    bars = market(HISTORY + 90)
    with serve("binance", bars, history=HISTORY, speed=450.0, faults=["cut@8m"], quiet="flat") as sim:
        met = run(feed(sim, backfill=False, todate=iso(START + (HISTORY + 40) * MINUTE)), strategy=Told)
    times = [row[0] for row in met.rows["BTC/USDT"]]
    absent = [bar.open_time for bar in bars[: HISTORY + 40] if bar.open_time not in times]
    declared = [time for _, gap in met.payloads for time in range(gap.start, gap.end, MINUTE)]
    assert times[:HISTORY] == [bar.open_time for bar in bars[:HISTORY]]
    assert set(absent) <= set(declared) and not set(declared) & set(times)


def test_what_cannot_be_meant_is_refused() -> None:
    for wrong in ({"gaps": "hold", "backfill": False}, {"gaps": "maybe"}, {"resume": 3}):
        with pytest.raises(ConfigError):
            btfeeds.live("binance", "BTC/USDT", "1m", **wrong)


def test_a_corrected_bar_is_told_and_never_comes_again() -> None:
    told: list[monitor.Happening] = []
    payloads: list[object] = []
    sink = monitor.add(told.append)
    plan = Schedule(1, True, 0, 0.0, 4_096, (), (Fault("correction", 10 * MINUTE, 5 * MINUTE),))
    try:
        world, wrong = judge_hosted(plan, payloads.append)
    finally:
        monitor.remove(sink)
    assert wrong == []
    corrected = [event for event in told if isinstance(event, monitor.BarCorrected)]
    corrections = [payload for payload in payloads if isinstance(payload, Correction)]
    assert len(corrections) == len(corrected) == world.stream.summary.corrected >= 4
    for correction in corrections:
        assert correction.after.volume == pytest.approx(correction.before.volume + 1.0)
