"""What dialects share in reading answers: decoding, the checks every bar and trade must pass, refusals by HTTP status.

Whatever the bytes are, decoding raises BadFrame and nothing else. A venue's own codes come first; what it has no code
for is told by the HTTP status.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec

from btfeeds import errors
from btfeeds.market import Bar, Timeframe, Trade
from btfeeds.venues.base import HttpResponse, Provider, retry_after

NOT_USED = "It was not used; the bar is asked for over REST."
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]  # what counts, numbers, or is a time in ms
Seconds = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)  # a frame can be nested deeply, or be no text
_EARLIEST, _LATEST = 100_000_000_000, 10_000_000_000_000  # ms from 1973 to 2286: other units lie outside
_EPOCH, _MS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.timedelta(milliseconds=1)
_WAIT_S, _BAN_S, _QUOTA_S = 60.0, 120.0, 3_600.0  # where the venue does not say
NEW_YORK, _UTC = ZoneInfo("America/New_York"), ZoneInfo("UTC")
# Currencies of states: a pair of two of them is one of FX, every other pair one of crypto.
_FIAT = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS INR JPY KRW MXN NOK NZD PLN SEK SGD TRY USD ZAR"
FIAT = frozenset(_FIAT.split())


def decode(decoder: msgspec.json.Decoder[Any], data: bytes | str) -> Any:
    """What the decoder makes of the data. Raises BadFrame."""
    try:
        return decoder.decode(data)
    except _UNREADABLE as error:
        raise unreadable(error) from None


def read(kind: Any, data: bytes | str) -> Any:
    """The data as `kind`, exactly as it is typed. Raises BadFrame."""
    return decode(_decoder(kind, True), data)


def lenient(kind: Any, data: bytes | str) -> Any:
    """The data as `kind`, where numbers may be written as texts. Raises BadFrame."""
    return decode(_decoder(kind, False), data)


def attempt(kind: Any, data: bytes | str) -> Any:
    """The data as `kind`, or an empty one where it is something else: the venue's words about an error, if any."""
    try:
        return lenient(kind, data)
    except errors.BadFrame:
        return kind()


@cache
def _decoder(kind: Any, strict: bool) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=strict)


def unreadable(error: Exception) -> errors.BadFrame:
    """The BadFrame for an error of decoding."""
    text = str(error)[:200]
    if not isinstance(error, msgspec.ValidationError):
        return errors.BadFrame(f"It is not JSON: {text}", NOT_USED)
    reason = "not_finite" if "out of range" in text else "schema"
    return errors.BadFrame(f"It is not what the venue documents: {text}", NOT_USED, reason=reason)


def schema(what: str) -> errors.BadFrame:
    """The BadFrame for something that is readable and cannot be meant."""
    return errors.BadFrame(what, NOT_USED, reason="schema")


def checked(bar: Bar, timeframe: Timeframe, channel: str) -> Bar:
    """The bar, when it can be one of this timeframe. Raises BadFrame."""
    reason = bar.fault()
    if not reason and not (_EARLIEST <= bar.open_time < _LATEST and timeframe.aligned(bar.open_time)):
        reason = "off_grid"
    if reason:
        raise errors.BadFrame(f"A bar of {channel} cannot be one: {bar}", NOT_USED, reason=reason)
    return bar


def checked_trade(trade: Trade, channel: str) -> Trade:
    """The trade, when it can be one. Raises BadFrame."""
    price = trade.price
    reason = Bar(trade.time, price, price, price, price, trade.quantity).fault()
    if not reason and not (_EARLIEST <= trade.time < _LATEST and trade.count > 0 < trade.quantity):
        reason = "schema"
    if reason:
        raise errors.BadFrame(f"A trade of {channel} cannot be one: {trade}", NOT_USED, reason=reason)
    return trade


def instant(text: str) -> int:
    """Epoch ms of an RFC 3339 time with any number of digits, cut and never rounded: a bar ends before its end.

    Raises BadFrame.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
        return (moment - _EPOCH) // _MS
    except (ValueError, TypeError, OverflowError):  # TypeError: it names no time zone
        raise schema(f"{text[:40]!r} is not a time.") from None


def local(text: str, zone: ZoneInfo) -> int:
    """Epoch ms of a wall clock's time, "2024-01-31 19:59:00", in a zone. Raises BadFrame.

    Of the hour that comes twice in autumn the first is meant: no exchange of equities is open in it.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return (moment.replace(tzinfo=zone) - _EPOCH) // _MS
    except (ValueError, OverflowError):
        pass
    raise schema(f"{text[:40]!r} is not a time of day in {zone}.")


def day(text: str) -> int:
    """Epoch ms of midnight UTC of a date, "2024-01-31". Raises BadFrame.

    A day of an exchange is named so, wherever the exchange is: it is the only name on the grid of days.
    """
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise schema(f"{text[:40]!r} is not a date.")
    return local(text, _UTC)


def date(time: int, zone: ZoneInfo | None = None) -> dt.date:
    """The date at an instant, in UTC or in a zone."""
    return (_EPOCH + dt.timedelta(milliseconds=time)).astimezone(zone or dt.UTC).date()


def timeframes(names: str) -> Mapping[Timeframe, str]:
    """The timeframes of "1m=1min 5m=5min 1s": ours, and the venue's name where it is another."""
    pairs = (name.partition("=") for name in names.split())
    return {Timeframe.parse(ours): native or ours for ours, _, native in pairs}


def days(numbers: str) -> Mapping[Timeframe, int]:
    """The days of "1m=30 1h=730", by timeframe."""
    pairs = (name.partition("=") for name in numbers.split())
    return {Timeframe.parse(timeframe): int(number) for timeframe, _, number in pairs}


def messages(channels: Sequence[str], size: int) -> list[list[str]]:
    """The channels in parts of at most `size`."""
    return [list(channels[at : at + size]) for at in range(0, len(channels), size)]


def text(message: object) -> str:
    """A message as the JSON text that is sent."""
    return msgspec.json.encode(message).decode()


# --- refusals --------------------------------------------------------------------------------------------------------


def refusal(
    provider: Provider, response: HttpResponse, said: str = "", kind: str = "", *, symbol: str = "", wait: float = 0.0
) -> errors.BtfeedsError:
    """What an answer that is no good means.

    `said` are the venue's own words, if it has any. `kind` is what the venue's own code says: "rate", "ban", "quota",
    "region", "key", "symbol", "timeframe", "down", "request"; without one the HTTP status tells, and of 200 it tells
    that the answer came damaged: it is asked for again. `wait` in seconds, where known.
    """
    name, host = provider.title, provider.name.upper()
    words = said or f"{response.status} {plain(response.body)}".strip()
    kind = kind or _kind(response, words)
    seconds = wait or retry_after(response)
    did, advice = "It is not asked again.", ""
    match kind:
        case "rate":
            seconds = _WAIT_S if seconds is None else seconds
            did = f"All requests to it wait for {seconds:.0f} s."
            advice = "Nothing needs to be done, unless other programs share this address."
            return errors.RateLimited(f"{name} wants fewer requests ({words}).", did, advice, retry_after=seconds)
        case "ban":
            seconds = _BAN_S if seconds is None else seconds
            did, advice = "No request goes to it until then.", "Run fewer programs: going on makes the ban longer."
            what = f"{name} has banned this address for {seconds:.0f} s ({words})."
            return errors.Banned(what, did, advice, retry_after=seconds)
        case "quota":
            seconds = seconds or _QUOTA_S
            what = f"{name} has answered as often as its plan allows for now ({words})."
            did, advice = f"No request goes to it for {seconds:.0f} s.", "Wait, or choose a plan that allows more."
            return errors.Banned(what, did, advice, retry_after=seconds)
        case "region":
            what = f"{name} does not serve the region of this address ({words})."
            advice = f"Name a host you may use in BTFEEDS_{host}_REST_URL and BTFEEDS_{host}_STREAM_URL."
            return errors.RegionBlocked(what, did, advice)
        case "key":
            advice = f"Check BTFEEDS_{host}_API_KEY and BTFEEDS_{host}_API_SECRET, and what the key may do."
            return errors.ConfigError(f"{name} does not accept the key ({words}).", did, advice)
        case "symbol":
            return unknown_symbol(provider, symbol, words)
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


def _kind(response: HttpResponse, words: str) -> str:
    status = response.status
    if status == 451 or (status == 403 and re.search(r"restricted (location|region)|your (country|region)", words)):
        return "region"
    return {200: "damaged", 401: "key", 418: "ban", 429: "rate"}.get(status, "down" if status >= 500 else "request")


def unknown_symbol(provider: Provider, symbol: str, said: str = "") -> errors.UnknownSymbol:
    """The venue does not list the symbol, or cannot."""
    what = f"{provider.title} does not list {symbol or 'this symbol'}{f' ({said})' if said else ''}."
    advice = "Check the spelling; symbols are written like BTC/USDT, plain tickers like AAPL."
    return errors.UnknownSymbol(what, "Nothing was subscribed or loaded.", advice)


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


def plain(body: bytes, most: int = 200) -> str:
    """The first words of a body, without the marks of HTML."""
    return " ".join(re.sub(r"<[^>]*>", " ", body[:2_000].decode("utf-8", "replace")).split())[:most]
