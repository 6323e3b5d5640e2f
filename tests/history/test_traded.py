"""Bars made of trades: when all trades of a span are there, and which price a quiet minute has."""

from __future__ import annotations

from typing import Any

import pytest

from btfeeds.errors import BadFrame, BtfeedsError, VenueUnavailable
from btfeeds.history.answers import Page
from btfeeds.history.traded import Seam, Traded
from btfeeds.market import Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.base import HttpRequest, HttpResponse
from btfeeds.venues.binance import Binance

M = 60_000
T0 = 1_709_294_400_000
MINUTE = Timeframe(1, "m")
BTC = Symbol("BTC/USDT")


def trade(second: int, number: int, price: float = 10.0) -> Trade:
    return Trade(T0 + 1_000 * second, price, 1.0, number)


class Answers:
    """In the place of an Asker: one list of trades, or an error, after the other; then none."""

    def __init__(self, *answers: Any, now: int = T0 + 600 * M) -> None:
        self.answers = list(answers)
        self.now = now
        self.asked: list[HttpRequest] = []

    def parsed(self, request: HttpRequest, parse: object, gone: object) -> tuple[HttpResponse, list[Trade]]:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, BtfeedsError):
            raise answer
        return HttpResponse(200, b""), answer

    def venue_now(self, response: HttpResponse, date: int) -> int:
        return self.now


def loaded(answers: Answers, minutes: int, failures: list[TimeRange] | None = None, **options: Any) -> list[Page]:
    def failed(span: TimeRange, error: BtfeedsError) -> None:
        if failures is None:
            raise error
        failures.append(span)

    span = TimeRange(T0, T0 + minutes * M)
    traded = Traded(Binance("binanceus"), answers)  # type: ignore[arg-type]
    if options:
        return list(traded.flat_pages(BTC, MINUTE, span, lambda: False, failed, **options))
    return list(traded.pages(BTC, MINUTE, span, lambda: False, failed))


def counts(pages: list[Page]) -> list[int]:
    return [bar.trades for page in pages for bar in page.bars]


def test_a_page_that_shows_a_trade_behind_the_span_is_the_last_one() -> None:
    answers = Answers([trade(1, 1), trade(61, 2), trade(120, 3)])
    assert counts(loaded(answers, 2)) == [1, 1] and len(answers.asked) == 1


def test_a_page_that_is_not_full_is_no_end() -> None:
    answers = Answers([trade(1, 1), trade(2, 2)], [trade(61, 3)], [])
    assert counts(loaded(answers, 2)) == [2, 1]
    assert [request.params.get("fromId") for request in answers.asked] == [None, 3, 4]


def test_one_answer_without_trades_is_asked_for_again() -> None:
    answers = Answers([], [trade(1, 1), trade(61, 2), trade(120, 3)])
    assert counts(loaded(answers, 2)) == [1, 1]


def test_a_full_page_without_a_new_trade_is_no_end_but_an_error() -> None:
    same = [trade(1, number) for number in range(1, 1_001)]
    with pytest.raises(BadFrame, match="the same 1000 trades again"):
        loaded(Answers(same, same), 2)


def test_trades_behind_an_hour_are_asked_for_again_with_the_next_one() -> None:
    answers = Answers([trade(1, 1), trade(3_601, 2)], [trade(3_601, 2), trade(7_200, 3)])
    assert counts(loaded(answers, 120)) == [1, 1] and len(answers.asked) == 2


# --- flat bars --------------------------------------------------------------------------------------------------------


def test_the_price_before_a_span_is_looked_for_farther_and_farther_back() -> None:
    here = [trade(61, 5, 20.0), trade(200, 6)]
    answers = Answers(here, here, here, [trade(-9_000, 3, 7.0), trade(-8_000, 4, 8.0), *here])
    seam = Seam()
    (page,) = loaded(answers, 2, seam=seam)
    assert [(bar.open_time - T0, bar.close, bar.volume) for bar in page.bars] == [(0, 8.0, 0.0), (M, 20.0, 1.0)]
    assert [(T0 - int(request.params["startTime"])) // M for request in answers.asked[1:]] == [10, 40, 160]
    assert (seam.end, seam.close) == (T0 + 2 * M, 20.0)


def test_where_nobody_has_traded_yet_there_are_no_flat_bars() -> None:
    here = [trade(61, 5, 20.0), trade(200, 6)]
    answers = Answers(*[here] * 30)
    (page,) = loaded(answers, 3, seam=Seam())
    assert [bar.open_time - T0 for bar in page.bars] == [M, 2 * M]
    assert len(answers.asked) < 16


def test_the_last_price_is_handed_on_to_what_follows() -> None:
    answers = Answers([trade(61, 5, 20.0), trade(200, 6)])
    (page,) = loaded(answers, 2, seam=Seam(T0, 9.0))
    assert page.bars[0].close == 9.0 and len(answers.asked) == 1


def test_where_the_price_before_cannot_be_had_the_piece_has_failed() -> None:
    here = [trade(61, 5, 20.0), trade(200, 6)]
    failures: list[TimeRange] = []
    assert loaded(Answers(here, VenueUnavailable("down", "")), 2, failures, seam=Seam()) == []
    assert failures == [TimeRange(T0, T0 + 2 * M)]


class Market(Answers):
    """All of `trades` from the time that is asked for on, up to `most` of them."""

    def __init__(self, *trades: Trade, most: int = 1_000) -> None:
        super().__init__()
        self.trades, self.most = trades, most

    def parsed(self, request: HttpRequest, parse: object, gone: object) -> tuple[HttpResponse, list[Trade]]:
        self.asked.append(request)
        later = [one for one in self.trades if one.time >= int(request.params["startTime"])]
        return HttpResponse(200, b""), later[: self.most]


def close_before(market: Market) -> float:
    return Traded(Binance("binanceus"), market)._close_before(BTC, T0, lambda: False)  # type: ignore[arg-type]


def test_in_a_market_without_a_later_trade_the_last_price_is_believed_when_it_was_said_twice() -> None:
    market = Market(trade(-300, 1, 7.0), trade(-200, 2, 8.0))
    assert (close_before(market), len(market.asked)) == (8.0, 2)
    assert [T0 - int(request.params["startTime"]) for request in market.asked] == [600_000, 200_000]


def test_a_page_with_fewer_trades_than_asked_for_is_followed_to_the_last_one() -> None:
    market = Market(*(trade(-300 + number, number, 1.0 + number) for number in range(10)), most=4)
    assert close_before(market) == 10.0


def test_pages_that_are_full_are_leapt_over_to_the_last_trade() -> None:
    market = Market(*(Trade(T0 - 590_000 + 100 * number, 1.0 + number, 1.0, number) for number in range(5_000)))
    assert close_before(market) == 5_000.0
    assert len(market.asked) <= 6
