"""What a no means: by the venue's words, by the HTTP status, and without the key in it."""

from __future__ import annotations

import pytest

from btfeeds import errors
from btfeeds.market import Timeframe
from btfeeds.venues import refusals
from btfeeds.venues.base import Host, HttpResponse, Limits, Provider
from btfeeds.venues.bybit import Bybit
from btfeeds.venues.gemini import Gemini


class Choosy(Provider):
    """One that has words for everything."""

    hosts = {"choosy": Host("Choosy", "https://choosy", "")}
    timeframes = {Timeframe.parse("1m"): "1"}
    limits = Limits(1, 1)
    problems = {
        **refusals.CROWDED,
        " 7 .*per day": "quota",
        " 7 ": "rate",
        "^400 .*name": "symbol",
    }
    written = "symbols are written like X"
    elsewhere = "Ask next door."


def told(status: int, said: str, body: bytes = b"", url: str = "") -> errors.BtfeedsError:
    return refusals.refusal(Choosy(key="k3y"), HttpResponse(status, body, url=url), said)


def test_a_timeframe_that_no_history_has_is_offered_without_history() -> None:
    refused = refusals.live_only(Bybit(), Timeframe.parse("45s"))
    assert "no history of 45s" in refused.what and "history=None" in refused.advice


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.BadRequest), (401, errors.ConfigError), (418, errors.Banned), (429, errors.RateLimited),
        (451, errors.RegionBlocked), (500, errors.VenueUnavailable), (503, errors.VenueUnavailable),
        (200, errors.BadFrame),
    ],
)  # fmt: skip
def test_a_status_has_its_error_in_three_lines(status: int, error: type[errors.BtfeedsError]) -> None:
    made = refusals.refusal(Bybit(), HttpResponse(status, b"<html><b>words</b></html>"))
    assert type(made) is error and len(str(made).splitlines()) == 3
    assert "<" not in str(made)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate", errors.RateLimited), ("ban", errors.Banned), ("region", errors.RegionBlocked),
        ("key", errors.ConfigError), ("symbol", errors.UnknownSymbol), ("timeframe", errors.UnsupportedTimeframe),
        ("down", errors.VenueUnavailable), ("quota", errors.Banned),
    ],
)  # fmt: skip
def test_the_venues_own_code_comes_before_the_status(kind: str, error: type[errors.BtfeedsError]) -> None:
    assert type(refusals.refusal(Bybit(), HttpResponse(200, b"{}"), "said", kind)) is error


@pytest.mark.parametrize(("body", "said"), [(b"", ""), (b"{}", ""), (b'{"code":"0","da', ""), (b'{"code":7}', "7 ?")])
def test_a_200_that_no_code_explains_came_damaged_and_is_asked_for_again(body: bytes, said: str) -> None:
    made = refusals.refusal(Bybit(), HttpResponse(200, body), said)
    assert isinstance(made, errors.BadFrame) and not made.fatal and said in made.what


def test_a_wait_that_is_told_is_kept() -> None:
    limited = refusals.refusal(Bybit(), HttpResponse(429, b"", {"retry-after": "7"}))
    assert isinstance(limited, errors.RateLimited) and limited.retry_after == 7


def test_requests_that_are_used_up_come_back_in_an_hour_where_nobody_says() -> None:
    spent = refusals.refusal(Bybit(), HttpResponse(200, b"{}"), "25 requests per day", "quota")
    assert isinstance(spent, errors.Banned) and spent.retry_after == 3_600
    assert "25 requests per day" in spent.what and "plan" in spent.advice


@pytest.mark.parametrize(("kind", "of_key"), [("quota", True), ("busy", True), ("rate", False), ("ban", False)])
def test_a_plan_is_the_keys_and_a_ban_the_addresss(kind: str, of_key: bool) -> None:
    made = refusals.refusal(Bybit(), HttpResponse(200, b"{}"), "said", kind)
    assert isinstance(made, errors.RateLimited) and made.of_key is of_key


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (200, "7 too many", errors.RateLimited),
        (200, "7 as many as there are per day", errors.Banned),  # the first pattern that is found counts
        (500, "7", errors.RateLimited),
        (500, "17 lucky", errors.VenueUnavailable),
        (400, "8 no such name", errors.UnknownSymbol),
        (404, "8 no such name", errors.BadRequest),
        (403, "", errors.RateLimited),
        (403, "not in your country", errors.RegionBlocked),
    ],
)
def test_the_words_a_venue_documents_come_before_the_status(status: int, said: str, error: type[Exception]) -> None:
    assert type(told(status, said)) is error


def test_a_page_is_searched_for_words_too() -> None:
    assert isinstance(told(403, "", b"<html>not in this <b>region</b></html>"), errors.RegionBlocked)


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (400, "8 a name", "(400 8 a name)"),
        (400, "", "(400 a page)"),
        (200, "7 too  many", "(7 too many)"),
        (429, "429 too many", "(429 too many)"),
    ],
)
def test_an_error_repeats_the_status_once_and_the_words_in_one_line(status: int, said: str, words: str) -> None:
    assert words in told(status, said, b"<p>a\npage</p>").what


@pytest.mark.parametrize("said", ["8 the key k3y is none", "8 We have detected your API key as another", "k3y"])
def test_a_key_that_is_repeated_is_masked(said: str) -> None:
    what = told(500, said).what
    assert "***" in what and "k3y" not in what and "another" not in what


def test_a_key_is_masked_before_the_words_are_cut() -> None:
    assert "k3" not in told(500, "x" * 193 + " k3y").what


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://choosy/bars?symbol=BTCUSDX&limit=1", "does not list BTCUSDX"),
        ("https://choosy/bars?limit=1&symbols=BTC%2FUSDX", "does not list BTC/USDX"),
        ("https://choosy/bars", "does not list this symbol"),
    ],
)
def test_the_symbol_that_was_asked_for_is_named(url: str, named: str) -> None:
    refused = told(400, "a name", url=url)
    assert named in refused.what and "symbols are written like X" in refused.advice


def test_who_is_in_the_wrong_region_is_told_the_way() -> None:
    refused = told(451, "")
    assert refused.advice.startswith("Ask next door. Name a host") and "BTFEEDS_CHOOSY_REST_URL" in refused.advice


def test_a_connection_that_is_taken_is_tried_again_soon() -> None:
    event = refusals.turned_away(Choosy(), "406 connection limit exceeded", "busy")
    assert isinstance(event.error, errors.RateLimited) and event.error.retry_after == 15
    assert "406 connection limit exceeded" in event.error.what and not event.error.fatal


def test_bars_that_are_neither_streamed_nor_made_are_refused_with_those_there_are() -> None:
    refused = refusals.not_streamed(Gemini(), Timeframe.parse("7m"))
    assert "streams no bars of 7m" in refused.what and "1m, 5m" in refused.advice and "resampledata" in refused.advice


def test_a_page_is_told_without_its_marks() -> None:
    assert refusals.plain(b"<html><b>503</b> Service\n Unavailable</html>") == "503 Service Unavailable"
    assert refusals.plain(b"abc \xff", 3) == "abc"
