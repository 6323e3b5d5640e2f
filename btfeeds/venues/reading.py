"""What dialects share in reading answers: decoding, the checks every bar and trade must pass, times and names.

Whatever the bytes are, decoding raises BadFrame and nothing else. What an answer that is no good means is in
refusals.py, and rows of bars as most venues have them are in rows.py.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import inf as _INF
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec

from btfeeds import errors
from btfeeds.market import Bar, Timeframe, Trade
from btfeeds.venues.messages import Alive, HttpResponse, TradeUpdate
from btfeeds.venues.refusals import (
    CROWDED,
    live_only,
    not_streamed,
    plain,
    refusal,
    too_long,
    turned_away,
    unknown_symbol,
)

__all__ = [
    "CROWDED", "EARLIEST", "FIAT", "NEW_YORK", "NOT_USED", "UNREADABLE", "UTC", "Count", "Seconds", "alive",
    "ascending", "attempt", "checked", "checked_trade", "checked_trades", "converted", "corrected", "date", "dated",
    "day", "days", "decode", "inside", "instant", "lenient", "live_only", "local", "messages", "milliseconds",
    "named", "not_streamed", "number", "plain", "read", "refusal", "said", "schema", "text", "timeframes",
    "too_long", "traded", "traded_apart", "turned_away", "unknown_symbol", "unreadable", "whole",
]  # fmt: skip

NOT_USED = "It was not used; the bar is asked for over REST."
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]  # what counts, numbers, or is a time in ms
Seconds = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)  # a frame can be nested deeply, or be no text
EARLIEST, _LATEST = 100_000_000_000, 10_000_000_000_000  # ms from 1973 to 2286: other units lie outside
_EPOCH, _MS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.timedelta(milliseconds=1)
_MICROSECONDS_FROM = 100_000_000_000_000  # as ms that is the year 5138
NEW_YORK, UTC = ZoneInfo("America/New_York"), ZoneInfo("UTC")
# Currencies of states: a pair of two of them is one of FX, every other pair one of crypto.
_FIAT = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS INR JPY KRW MXN NOK NZD PLN SEK SGD TRY USD ZAR"
FIAT = frozenset(_FIAT.split())


def decode(decoder: msgspec.json.Decoder[Any], data: bytes | str | msgspec.Raw) -> Any:
    """What the decoder makes of the data. Raises BadFrame."""
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise unreadable(error) from None


def read(kind: Any, data: bytes | str | msgspec.Raw) -> Any:
    """The data as `kind`, exactly as it is typed. Raises BadFrame."""
    return decode(_decoder(kind, True), data)


def lenient(kind: Any, data: bytes | str | msgspec.Raw) -> Any:
    """The data as `kind`, where numbers may be written as texts. Raises BadFrame."""
    return decode(_decoder(kind, False), data)


def attempt(kind: Any, data: bytes | str | msgspec.Raw) -> Any:
    """The data as `kind`, or an empty one where it is something else: the venue's words about an error, if any."""
    try:
        return lenient(kind, data)
    except errors.BadFrame:
        return kind()


def whole(kind: Any, response: HttpResponse) -> Any:
    """As `attempt`, but what was cut off raises BadFrame: the next one may be whole."""
    try:
        return lenient(kind, response.body)
    except errors.BadFrame:
        if response.status == 200 and response.body[:1] == b"{":
            raise
        return kind()


def inside(kind: Any, body: bytes, *names: str) -> Any:
    """As `lenient`, what an answer holds in objects inside each other, under the last of these names."""
    data: bytes | msgspec.Raw = body
    for name in names:
        fields: dict[str, msgspec.Raw] = lenient(dict[str, msgspec.Raw], data)
        if name not in fields:
            raise schema(f"The answer holds no {name}.")
        data = fields[name]
    return lenient(kind, data)


def said(body: bytes | str, *names: str) -> list[str]:
    """What an answer says under these names, as texts: "" where there is nothing, or no text and no whole number."""
    fields: dict[str, msgspec.Raw] = attempt(dict[str, msgspec.Raw], body)
    return [_word(fields.get(name, b'""')) for name in names]


def _word(raw: bytes | msgspec.Raw) -> str:
    try:
        return str(decode(_decoder(str | int, True), raw)).strip()
    except errors.BadFrame:
        return ""


def converted(kind: Any, data: object, *, strict: bool = True) -> Any:
    """What was read already, as `kind`; not `strict`: numbers may be written as texts. Raises BadFrame."""
    try:
        return msgspec.convert(data, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise unreadable(error) from None


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


def checked(bar: Bar, timeframe: Timeframe, channel: str, earliest: int = EARLIEST) -> Bar:
    """The bar, when it can be one of this timeframe, and opens at `earliest` or later. Raises BadFrame."""
    low, high = bar.low, bar.high
    # the comparisons say what Bar.fault() says, at a third of its price; NaN fails every one of them
    sound = 0.0 < low <= bar.open <= high < _INF and low <= bar.close <= high and 0.0 <= bar.volume < _INF
    # … and this what Timeframe.aligned() says, of all but weeks and months
    time, even = bar.open_time, timeframe.unit in "smhd"
    if sound and earliest <= time < _LATEST and (time % timeframe.ms == 0 if even else timeframe.aligned(time)):
        return bar
    reason = bar.fault() or "off_grid"
    raise errors.BadFrame(f"A bar of {channel} cannot be one: {bar}", NOT_USED, reason=reason)


def checked_trade(trade: Trade, channel: str, earliest: int = EARLIEST) -> Trade:
    """The trade, when it can be one, and was made at `earliest` or later. Raises BadFrame."""
    price, quantity = trade.price, trade.quantity
    if 0.0 < price < _INF and 0.0 < quantity < _INF and earliest <= trade.time < _LATEST and trade.count > 0:
        return trade
    # a bar of this one trade has the same fault, unless numbers or time are wrong
    reason = Bar(trade.time, price, price, price, price, quantity).fault() or "schema"
    raise errors.BadFrame(f"A trade of {channel} cannot be one: {trade}", NOT_USED, reason=reason)


def checked_trades(trades: Iterable[Trade], channel: str = "history", earliest: int = EARLIEST) -> list[Trade]:
    """The trades by their numbers, when each of them can be one. Raises BadFrame."""
    return sorted((checked_trade(trade, channel, earliest) for trade in trades), key=lambda trade: trade.id)


def traded(channel: str, trades: Sequence[Trade], time: int = 0, earliest: int = EARLIEST) -> TradeUpdate:
    """The event of trades of a channel, by their numbers. Raises BadFrame when one of them cannot be a trade."""
    if len(trades) == 1:  # mostly
        return TradeUpdate(channel, (checked_trade(trades[0], channel, earliest),), time)
    return TradeUpdate(channel, tuple(checked_trades(trades, channel, earliest)), time)


def corrected(channel: str, now: Trade | None, before: Trade | None = None) -> TradeUpdate | Alive:
    """The event of a trade that is `now` what it was not `before` (None: no trade). Raises BadFrame."""
    if before is not None:
        trades = () if now is None else (checked_trade(now, channel),)
        return TradeUpdate(channel, trades, revoked=checked_trade(before, channel))
    return Alive() if now is None else traded(channel, (now,))


def traded_apart(trades: Iterable[tuple[str, Trade]]) -> list[TradeUpdate]:
    """As `traded`, of trades each of which comes with its channel: an event for each channel."""
    apart: dict[str, list[Trade]] = {}
    for channel, trade in sorted(trades, key=lambda pair: pair[1].id):
        apart.setdefault(channel, []).append(trade)
    return [traded(channel, those) for channel, those in apart.items()]


def ascending(bars: Iterable[Bar]) -> list[Bar]:
    """The bars by their opening times."""
    return sorted(bars, key=lambda bar: bar.open_time)


def alive(channel: str, data: bytes | msgspec.Raw) -> Alive:
    """A frame of no channel we know. Raises BadFrame when it holds data and does not say of which channel."""
    if not channel and bytes(data)[:1] == b"[":
        raise schema("Data came without a channel.")
    return Alive()


def number(text: str) -> int | None:
    """The number of a request, as the venue repeats it in a text; None: it does not."""
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


# --- times ------------------------------------------------------------------------------------------------------------


def milliseconds(time: int) -> int:
    """ms from ms, µs or ns, told by their size."""
    if time < _MICROSECONDS_FROM:
        return time
    return time // 1_000 if time < _MICROSECONDS_FROM * 1_000 else time // 1_000_000


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
    return local(text, UTC)


def named(text: str, timeframe: Timeframe, zone: ZoneInfo) -> int:
    """When the bar opens that is named so: a day by its date, others by the clock of a zone. Raises BadFrame."""
    return day(text) if timeframe.unit == "d" else local(text, zone)


def dated(time: int, zone: ZoneInfo) -> int:
    """When the day opens that has the date of an instant in a zone: see `day`."""
    return day(str(date(time, zone)))


def date(time: int, zone: ZoneInfo | None = None) -> dt.date:
    """The date at an instant, in UTC or in a zone."""
    return (_EPOCH + dt.timedelta(milliseconds=time)).astimezone(zone or dt.UTC).date()


# --- names and messages -----------------------------------------------------------------------------------------------


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
