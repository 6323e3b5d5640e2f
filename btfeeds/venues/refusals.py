"""What an answer that is no good means: an error with a name, told by the venue's own words and the HTTP status.

The kinds: "rate" (too many requests), "ban", "quota" (as many as its plan allows), "busy" (the one connection there may
be is taken), "region", "key", "symbol", "timeframe", "down" (its own fault), "damaged" (asked for again) and "request"
(what was asked is wrong). A dialect says in `problems` which words mean which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from btfeeds import errors
from btfeeds.market import Timeframe
from btfeeds.venues.messages import HttpResponse, TurnedAway, retry_after

if TYPE_CHECKING:
    from btfeeds.venues.base import Provider, Venue

_WAIT_S, _BAN_S, _QUOTA_S = 60.0, 120.0, 3_600.0  # where the venue does not say
_BUSY_S = 15.0  # so long a connection that broke may still count as the one there may be
_MOST = 200  # characters of what a venue says
# Problems of a venue whose HTTP 403 means that an address asks too much.
CROWDED: Mapping[str, str] = {"^403 .*(country|region)": "region", "^403 ": "rate"}


def refusal(
    provider: Provider, response: HttpResponse, said: str = "", kind: str = "", *, symbol: str = "", wait: float = 0.0
) -> errors.BtfeedsError:
    """What an answer that is no good means.

    `said` are the venue's own words, its code first, if it has any. `kind` is what they say (see above); without one
    the provider's `problems` tell, then the HTTP status, and of 200 it tells that the answer came damaged: it is asked
    for again. `symbol` is the one that was asked for, where `asked_symbol` does not find it; `wait` in seconds, where
    known. The key never stands in an error.
    """
    name, host, status = provider.title, provider.name.upper(), response.status
    said = " ".join(said.split())
    words = said or plain(response.body, 2_000)
    words = words if f"{words} ".startswith(f"{status} ") else f"{status} {words}".strip()
    kind = kind or _kind(provider, status, words)
    said, words = (_masked(text, provider.key)[:_MOST] for text in (said, words.removeprefix("200 ")))
    seconds = wait or retry_after(response)
    did, advice = "It is not asked again.", ""
    match kind:
        case "rate":
            seconds = _WAIT_S if seconds is None else seconds
            did = f"All requests to it wait for {seconds:.0f} s."
            advice = "Nothing needs to be done, unless other programs share this address."
            return errors.RateLimited(f"{name} wants fewer requests ({words}).", did, advice, retry_after=seconds)
        case "busy":
            what = f"{name} has another connection with this key ({words})."
            did, advice = "It is tried again.", "A key may have one: end the other program, or use another key."
            return errors.RateLimited(what, did, advice, retry_after=seconds or _BUSY_S, of_key=True)
        case "ban":
            seconds = _BAN_S if seconds is None else seconds
            did, advice = "No request goes to it until then.", "Run fewer programs: going on makes the ban longer."
            what = f"{name} has banned this address for {seconds:.0f} s ({words})."
            return errors.Banned(what, did, advice, retry_after=seconds)
        case "quota":
            seconds = seconds or _QUOTA_S
            what = f"{name} has answered as often as its plan allows for now ({words})."
            did, advice = f"No request goes to it for {seconds:.0f} s.", "Wait, or choose a plan that allows more."
            return errors.Banned(what, did, advice, retry_after=seconds, of_key=True)
        case "region":
            what = f"{name} does not serve the region of this address ({words})."
            advice = f"Name a host you may use in BTFEEDS_{host}_REST_URL and BTFEEDS_{host}_STREAM_URL."
            return errors.RegionBlocked(what, did, f"{provider.elsewhere} {advice}".strip())
        case "key":
            advice = f"Check BTFEEDS_{host}_API_KEY and BTFEEDS_{host}_API_SECRET, and what the key may do."
            return errors.ConfigError(f"{name} does not accept the key ({words}).", did, advice)
        case "symbol":
            found = re.search(provider.asked_symbol, response.url) if provider.asked_symbol else None
            return unknown_symbol(provider, symbol or (found[1].replace("%2F", "/") if found else ""), words)
        case "timeframe":
            advice = f"It has: {', '.join(map(str, provider.timeframes))}."
            return errors.UnsupportedTimeframe(f"{name} does not know this timeframe ({words}).", did, advice)
        case "down":
            what, advice = f"{name} has an error of its own ({words}).", "See the venue's status page if it lasts."
            return errors.VenueUnavailable(what, "It is asked again later.", advice)
        case "damaged":
            what = f"{name} answered something that is not an answer{f' ({said})' if said else ''}."
            advice = "If a proxy or a login page of a network stands in between, pass it first."
            return errors.BadFrame(what, "The answer was not used.", advice)
    advice = "Check symbol and times; if they are right, the venue has changed."
    return errors.BadRequest(f"{name} rejects the request ({words}).", "It is not repeated.", advice)


def turned_away(provider: Provider, said: str, kind: str) -> TurnedAway:
    """The venue ends a connection before it began, in these words."""
    return TurnedAway(refusal(provider, HttpResponse(200, b""), said, kind))


def _kind(provider: Provider, status: int, words: str) -> str:
    for pattern, kind in provider.problems.items():
        if re.search(pattern, f"{words} "):
            return kind
    if status == 451 or (status == 403 and re.search(r"restricted (location|region)|your (country|region)", words)):
        return "region"
    return {200: "damaged", 401: "key", 418: "ban", 429: "rate"}.get(status, "down" if status >= 500 else "request")


def _masked(text: str, key: str) -> str:
    """The text without the key: some say "We have detected your API key as …"."""
    text = re.sub(r"(API key as) \S+", r"\1 ***", text)
    return re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", "***", text) if key else text


def unknown_symbol(provider: Provider, symbol: str, said: str = "") -> errors.UnknownSymbol:
    """The venue does not list the symbol, or cannot."""
    what = f"{provider.title} does not list {symbol or 'this symbol'}{f' ({said})' if said else ''}."
    advice = f"Check the spelling; {provider.written}."
    return errors.UnknownSymbol(what, "Nothing was subscribed or loaded.", advice)


def not_streamed(venue: Venue, timeframe: Timeframe) -> errors.UnsupportedTimeframe:
    """The venue streams no such bars, nor trades that they could be made of."""
    what = f"{venue.title} streams no bars of {timeframe}, and none are made of its trades."
    advice = f"Choose one of {', '.join(map(str, venue.streamed or venue.timeframes))}; "
    advice += "cerebro.resampledata(feed, …) makes larger ones of them."
    return errors.UnsupportedTimeframe(what, "Nothing was subscribed.", advice)


def too_long(provider: Provider, timeframe: Timeframe) -> errors.UnsupportedTimeframe:
    """The venue streams no such bars, and nobody hears all trades of days."""
    what = f"{provider.title} streams no bars of {timeframe}, and none of days or longer are made from trades."
    advice = f"Choose one of {', '.join(map(str, provider.timeframes))}, or resample in backtrader."
    return errors.UnsupportedTimeframe(what, "Nothing was subscribed.", advice)


def live_only(provider: Provider, timeframe: Timeframe) -> errors.UnsupportedTimeframe:
    """The venue has no history of these bars, nor trades of the past, and history was wanted."""
    what = f"{provider.title} has no history of {timeframe}, nor anything that it could be made from."
    multiples = ", ".join(map(str, provider.timeframes))
    advice = f"Take history=None: live ones are made of its trades. Or choose a multiple of one of {multiples}."
    return errors.UnsupportedTimeframe(what, "Nothing was subscribed.", advice)


def plain(body: bytes, most: int = _MOST) -> str:
    """The first words of a body, without the marks of HTML."""
    return " ".join(re.sub(r"<[^>]*>", " ", body[:2_000].decode("utf-8", "replace")).split())[:most]
