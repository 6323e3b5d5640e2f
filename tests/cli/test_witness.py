"""The strategy that writes down what it meets."""

from __future__ import annotations

from typing import Any

from btfeeds.cli.witness import Met, Teller, Witness, patience
from btfeeds.clock import ManualClock
from btfeeds.live.items import Correction, Gap, Notice, Summary
from btfeeds.live.status import Status
from btfeeds.market import Bar, Timeframe
from tests.fakes import DELAYED, END, LIVE, MINUTE, NOON, FakeFeed, FakeStream, bar, feed, run


class Told(Teller):
    def __init__(self) -> None:
        self.told: list[Any] = []

    def bar(self, met: Met, bar: Bar, source: str) -> None:
        self.told.append((met.symbol, (bar.open_time - NOON) // MINUTE, source))

    def status(self, met: Met, word: Status, reason: str, time: int) -> None:
        self.told.append((met.symbol, word.name, reason))

    def gap(self, met: Met, gap: Gap) -> None:
        self.told.append((met.symbol, "gap", gap.start, gap.end))


def minute(number: int) -> Bar:
    return bar(NOON + number * MINUTE)


def test_bars_and_words_are_told_in_their_places() -> None:
    teller = Told()
    run(feed(DELAYED, minute(-3), LIVE, minute(-2), END), strategy=_with(teller))
    assert teller.told == [
        ("BTC/USDT", "DELAYED", ""),
        ("BTC/USDT", -3, "history"),
        ("BTC/USDT", "LIVE", ""),
        ("BTC/USDT", -2, "live"),
        ("BTC/USDT", "DISCONNECTED", "the end"),
    ]


def test_a_declared_gap_is_told_and_audited() -> None:
    teller = Told()
    gap = Notice(Status.UNKNOWN, "gap", Gap(NOON - 2 * MINUTE, NOON - MINUTE, "no bars"))
    met = run(summed(DELAYED, minute(-3), gap, minute(-1), END), strategy=_with(teller)).met[0]
    assert ("BTC/USDT", "gap", NOON - 2 * MINUTE, NOON - MINUTE) in teller.told
    assert (met.gaps, met.missing, met.word) == (1, 0, "DISCONNECTED")


def test_a_correction_is_told_as_unknown() -> None:
    teller = Told()
    correction = Notice(Status.UNKNOWN, "correction", Correction(minute(-3), minute(-3)))
    run(feed(DELAYED, minute(-3), correction, END), strategy=_with(teller))
    assert ("BTC/USDT", "UNKNOWN", "correction") in teller.told


def test_a_hole_is_missing_and_breaks_the_promise() -> None:
    met = run(summed(DELAYED, minute(-5), minute(-3), END), strategy=_with(Told())).met[0]
    assert (met.missing, met.kept) == (1, False)


def test_a_hole_without_trades_is_not_missing() -> None:
    met = run(summed(DELAYED, minute(-5), minute(-3), END, no_trade=1), strategy=_with(Told())).met[0]
    assert (met.missing, met.kept) == (0, True)


def test_the_run_ends_when_every_feed_gave_its_bars() -> None:
    teller = Told()
    bars = [minute(number) for number in range(-9, -1)]
    feeds = [feed(DELAYED, *bars, symbol=symbol) for symbol in ("BTC/USDT", "ETH/USDT")]
    strategy = run(*feeds, strategy=_with(teller, bars=3))
    assert min(met.audit.delivered for met in strategy.met) == 3


def test_a_feed_that_has_ended_is_not_waited_for() -> None:
    refused = Notice(Status.NOTSUBSCRIBED, "unknown symbol")
    bars = [minute(number) for number in range(-9, 0)]
    feeds = [feed(DELAYED, *bars, END), feed(DELAYED, refused, END, symbol="DOGE/USDT")]
    strategy = run(*feeds, strategy=_with(Told(), bars=3))
    assert [met.audit.delivered for met in strategy.met] == [3, 0]


def test_the_last_feed_that_is_refused_ends_the_run_when_the_others_have_given_their_bars() -> None:
    whole, late = FakeStream([DELAYED, *(minute(number) for number in range(-9, -6))]), FakeStream([DELAYED])
    feeds = [FakeFeed(dataname=name, stream=stream, clock=ManualClock(NOON)) for name, stream in
             (("BTC/USDT", whole), ("DOGE/USDT", late))]  # fmt: skip

    class Refuses(Told):
        def bar(self, met: Met, bar: Bar, source: str) -> None:
            super().bar(met, bar, source)
            if bar.open_time == minute(-7).open_time:
                late.push(Notice(Status.NOTSUBSCRIBED, "unknown symbol"), END)

    strategy = run(*feeds, strategy=_with(Refuses(), bars=3))
    assert [met.audit.delivered for met in strategy.met] == [3, 0]


def test_a_run_that_is_over_before_it_begins_meets_nothing() -> None:
    class Over(Witness):
        params = (("over", lambda: True),)

    strategy = run(feed(DELAYED, LIVE), strategy=Over)
    assert strategy.met[0].audit.delivered == 0


def test_a_timeframe_is_read_back_from_the_feed() -> None:
    strategy = run(feed(DELAYED, END, timeframe="4h"), strategy=_with(Told()))
    assert strategy.met[0].timeframe == Timeframe.parse("4h")


def test_patience_grows_with_the_speed_of_the_clock() -> None:
    assert patience(Timeframe(1, "m"), 1.0) == 95_000
    assert patience(Timeframe(1, "m"), 60.0) == 390_000


def summed(*items: Any, no_trade: int = 0) -> Any:
    """A feed whose stream has counted."""
    made = feed(*items)
    made.p.stream.summary = Summary(no_trade=no_trade)
    return made


def _with(teller: Teller, bars: int = 0) -> Any:
    class Bound(Witness):
        params = (("teller", teller), ("bars", bars))

    return Bound
