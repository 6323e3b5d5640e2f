"""What every venue can say. A venue is a dialect: it says what to send and what an answer means, and does neither.

    Provider   history only: how bars are asked for over REST and how the answer reads
    Venue      a Provider with a stream: how to subscribe and what a frame means

A class is a dialect; an instance is a host ("binance", "binanceus", the simulator on localhost). Instances hold no
state: the same call gives the same answer. Nothing here opens a socket, reads a clock or sleeps.
"""

from __future__ import annotations

import contextlib
import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import ClassVar
from zoneinfo import ZoneInfo

import msgspec

from btfeeds.errors import ConfigError, UnknownSymbol, UnsupportedTimeframe
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.offer import Offer
from btfeeds.sessions import Sessions
from btfeeds.venues import reading
from btfeeds.venues.messages import (
    Accepted,
    Alive,
    BarRevised,
    BarUpdate,
    Event,
    HttpRequest,
    HttpResponse,
    Leaving,
    Pinged,
    Ready,
    Rejected,
    TradesSeen,
    TradeUpdate,
    TurnedAway,
    retry_after,
)

__all__ = [
    "Accepted", "Alive", "BarRevised", "BarUpdate", "ClosingRule", "Event", "Heartbeat", "Host", "HttpRequest",
    "HttpResponse", "Leaving", "Limits", "Paging", "Pinged", "Provider", "Ready", "Rejected", "TradeUpdate",
    "TradesSeen", "TurnedAway", "Venue", "retry_after",
]  # fmt: skip

# --- facts about a venue --------------------------------------------------------------------------------------------


class ClosingRule(enum.Enum):
    """How one knows that a bar is finished."""

    FLAG = "flag"  # the frame says so
    ROLL_OVER = "roll-over"  # the first update of a later bar says so
    CLOSED_ONLY = "closed-only"  # only finished bars are sent
    FROM_TRADES = "from trades"  # btfeeds builds the bars in exchange time


class Paging(enum.Enum):
    """Which bars a venue returns when a span holds more than fit into one answer."""

    FORWARD = "forward"  # the oldest ones: continue behind the last
    WINDOW = "window"  # undefined or the newest ones: never ask for more than fit


@dataclass(frozen=True, slots=True)
class Limits:
    """What the venue tolerates; each number has its source in the venue's module."""

    bars_per_request: int
    weight_per_minute: int
    streams_per_connection: int = 100
    messages_per_second: float = 4.0  # control messages we send, pongs included
    streams_per_message: int = 100
    connects_per_5_minutes: int = 30
    connection_life_ms: int = 0  # 0: unlimited
    requests_per_second: float = 0.0  # 0: no such limit
    requests_per_day: int = 0  # 0: no such limit


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How a dead link is noticed: after `idle_ms` without any byte we ping; after `timeout_ms` more we hang up.

    `ping` is the text to send where the venue wants an application ping; "" means a WebSocket ping frame. `steady`: it
    is sent every `idle_ms` even while data flows, because the venue hangs up on who does not send it.
    """

    idle_ms: int = 15_000
    timeout_ms: int = 10_000
    ping: str = ""
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """Where one instance of a dialect lives: bases without path, and what differs there."""

    title: str
    rest_url: str
    stream_url: str
    facts: Mapping[str, object] = field(default_factory=dict)


# --- the dialects ---------------------------------------------------------------------------------------------------


class Provider(Offer):
    """A venue that gives history. Attributes first, as on a data sheet; then the few methods."""

    hosts: ClassVar[Mapping[str, Host]]  # the first is the default
    timeframes: Mapping[Timeframe, str]
    limits: Limits
    paging: ClassVar[Paging] = Paging.FORWARD
    earliest: ClassVar[int] = reading.EARLIEST  # what lies before is in another unit of time
    omits_empty_bars: ClassVar[bool] = True  # history has no row for a bar without trades
    # `bars_request` goes back so many bars only (0: no limit known); older ones from `archive_request`, or from trades
    bars_reach: ClassVar[int] = 0
    whole_window: ClassVar[bool] = False  # history answers with all it has, whatever span is asked for
    lag_ms: ClassVar[int] = 10_000  # history may show the market as it was so long ago
    # So long after a bar's close trades of it come as a matter of course, or are taken back. Until then history, too,
    # has only a first version of the bar, or none yet.
    late_ms: ClassVar[int] = 0
    trades_window_ms: ClassVar[int] = 3_600_000  # the longest span of trades that is asked for at once
    symbols: str = r"[A-Z0-9]+/[A-Z0-9]+"  # which unified symbols it can have
    spelling: str = "{base}{quote}"  # how it spells them; of a plain ticker the base is all there is
    written: ClassVar[str] = "symbols are written like BTC/USDT, plain tickers like AAPL"
    # What symbols end with where nothing separates the quote currency, the likelier first.
    quotes: str = "USDT USDC FDUSD TUSD BUSD USDE USD BTC ETH BNB EUR GBP TRY BRL JPY AUD PLN MXN ARS ZAR SGD DAI"
    # What its words about an error mean: patterns in "<HTTP status> <code> <words> ", of which the first that is found
    # counts, and the kinds of refusals.py. Where none is found the HTTP status tells.
    problems: Mapping[str, str] = {}
    says: ClassVar[Sequence[str]] = ()  # the names under which an answer says its code and its words
    good: ClassVar[Sequence[str]] = ()  # the codes of a good answer, the first of `says`; (): a good one has none
    begins: ClassVar[bytes] = b"{"  # how a good answer begins, where it has no code
    asked_symbol: ClassVar[str] = r"[?&]symbols?=([\w.%/-]+)"  # where a request's URL names the symbol
    elsewhere: ClassVar[str] = ""  # advice for who is in a region that it does not serve
    dates_of: ClassVar[ZoneInfo | None] = None  # where its days are named by the dates of a zone
    trades_back: ClassVar[bool] = False  # `trades_request` knows no times, and goes back from `after`, or from now

    def __init__(self, name: str | None = None, *, rest_url: str = "", key: str = "", secret: str = "") -> None:
        self.name = name or next(iter(self.hosts))
        if self.name not in self.hosts:
            raise ConfigError(
                f"{type(self).__name__} has no host {self.name!r}.",
                "Nothing was started.",
                f"Choose one of: {', '.join(self.hosts)}.",
            )
        self.host = self.hosts[self.name]
        self.title = self.host.title
        self.rest_url = (rest_url or self.host.rest_url).rstrip("/")
        self.key = key
        self.secret = secret
        for fact, value in self.host.facts.items():
            setattr(self, fact, value)

    def native_symbol(self, symbol: Symbol) -> str:
        """The venue's own spelling of a unified symbol. Raises UnknownSymbol for one that it cannot have."""
        if not re.fullmatch(self.symbols, symbol):
            raise reading.unknown_symbol(self, symbol)
        return self.spelling.format(base=symbol.base, quote=symbol.quote)

    def unified_symbol(self, native: str) -> Symbol:
        """The symbol that the venue spells `native`: of several the likeliest. Raises UnknownSymbol."""
        for text in self.readings(native):
            with contextlib.suppress(ConfigError, UnknownSymbol):  # it cannot be a symbol, or not one of this venue
                if self.native_symbol(symbol := Symbol(text)) == native:
                    return symbol
        raise UnknownSymbol(
            f"{self.title} spells no symbol {native!r}.",
            "Nothing was translated.",
            "Write it as the venue's own pages do, capitals included.",
        )

    def readings(self, native: str) -> Iterable[str]:
        """What `native` may be in unified spelling, the likeliest first; what is not spelled so is passed over."""
        text = native.upper()
        if "-" in text:
            yield text.replace("-", "/", 1)
        yield from (f"{text.removesuffix(quote)}/{quote}" for quote in self.quotes.split() if text.endswith(quote))
        yield text

    def bars_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest:
        """The request whose answer holds the bars that open in `span`, or the first page of them (see `paging`).

        Raises UnsupportedTimeframe for a timeframe that is not in `timeframes`.
        """
        raise NotImplementedError

    def page(self, timeframe: Timeframe, span: TimeRange, now: int) -> TimeRange:
        """The first piece of `span` (whole bars) that one request can be made for; empty: the rest is not there yet."""
        end = min(span.end, timeframe.back(span.start, -self.limits.bars_per_request))
        if self.dates_of is not None and timeframe.unit == "d":
            end = min(end, reading.dated(now, self.dates_of))  # midnight there is later than midnight UTC
        return TimeRange(span.start, end)

    def parse_bars(self, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        """The bars of a good answer, ascending, exactly as the venue sent them: the forming bar is still there.

        Raises BadFrame when the answer is not what the venue documents.
        """
        raise NotImplementedError

    def archive_request(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> HttpRequest | None:
        """As `bars_request`, where bars older than `bars_reach` have a place of their own; None: they have not."""
        return None

    def next_page(self, request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
        """What asks on where a good answer of bars broke off (None: it is whole), or of trades (None: by `after`)."""
        return None

    def trades_request(self, symbol: Symbol, span: TimeRange, after: Trade | None = None) -> HttpRequest | None:
        """The request for the trades of `span` (behind the trade `after`, when given); None: not offered.

        A param "limit" or "count" says how many come at most. With `trades_back`: the newest ones below `after.id`.
        """
        return None

    def parse_trades(self, response: HttpResponse) -> list[Trade]:
        """The trades of a good answer, ascending. Raises BadFrame."""
        raise NotImplementedError

    def check(self, response: HttpResponse) -> None:
        """Return when the answer is good. Raises RateLimited, Banned, UnknownSymbol, RegionBlocked, … otherwise."""
        words = reading.said(response.body, *self.says)
        fine = words[0] in self.good if self.good else response.body.lstrip().startswith(self.begins)
        if response.status != 200 or not fine:
            raise reading.refusal(self, response, " ".join(words))

    def used_weight(self, response: HttpResponse) -> int | None:
        """How much of `limits.weight_per_minute` the venue says is used, where it says so."""
        return None

    def base_timeframe(self, timeframe: Timeframe) -> Timeframe:
        """The native timeframe that history of `timeframe` is made from: itself, or the largest that fits.

        Raises UnsupportedTimeframe when there is none.
        """
        if timeframe in self.timeframes:
            return timeframe
        fitting = [native for native in self.timeframes if timeframe.holds(native)]
        if not fitting:
            raise UnsupportedTimeframe(
                f"{self.title} has no bars of {timeframe}, nor any that they could be made from.",
                "Nothing was subscribed.",
                f"Choose one of {', '.join(map(str, self.timeframes))}, or a multiple of one.",
            )
        return max(fitting, key=lambda native: native.ms)

    def has_history(self, symbol: Symbol, timeframe: Timeframe) -> bool:
        """Whether bars of the past can be had: the venue's own, made of smaller ones, or made of its trades."""
        try:
            return bool(self.base_timeframe(timeframe))
        except UnsupportedTimeframe:
            return self.trades_request(symbol, TimeRange(0, timeframe.ms)) is not None

    def _native_timeframe(self, timeframe: Timeframe) -> str:
        native = self.timeframes.get(timeframe)
        if native is None:
            raise UnsupportedTimeframe(
                f"{self.title} has no bars of {timeframe}.",
                "Nothing was asked of the venue.",
                f"It has: {', '.join(map(str, self.timeframes))}.",
            )
        return native


class Venue(Provider):
    """A provider with a stream.

    A *channel* is the venue's own name for one stream of one symbol ("btcusdt@kline_1m"); it is what is subscribed,
    and what every event carries.
    """

    heartbeat: Heartbeat = Heartbeat()
    closing: ClosingRule
    # How long after a bar's close its closed frame may take before REST is asked (see PROTOCOLS: up to 2 s on Binance).
    grace_ms: int = 5_000
    # So long after a bar's close its last word, or its last trades, may come behind the first of the next bar. Where
    # trades are numbered without holes their numbers tell, and nothing is waited for.
    settles_ms: int = 0

    streams: Mapping[Timeframe, str] | None = None  # as bars, where these are fewer than history has
    stream_path: str = ""  # what follows the host in the URL to dial
    bars_channel: ClassVar[str] = ""  # how channels are named: "kline_{timeframe}:{symbol}", in the venue's spelling
    trades_channel: ClassVar[str] = ""  # "trade:{symbol}"; "": bars are not made of trades here
    merges: ClassVar[str] = ""  # which of the streamed bars larger ones are put together from; "": they come of trades
    one_kind: ClassVar[bool] = False  # a message names channels of one kind: what stands before the ":" is the same
    sessions: Sessions | None = None  # of the market; None: around the clock
    greets: ClassVar[bool] = False  # subscriptions wait for the event Ready
    # Frames name a stream as its confirmation said (a number, mostly): events carry that as their channel, the
    # connection knows which channel it stands for, and `unsubscribe` gets it, too.
    aliases: ClassVar[bool] = False
    counts_trades: ClassVar[bool] = True  # the trades of a symbol are numbered without holes
    conditions: ClassVar[bool] = False  # trades have conditions, which say what of a bar they move
    corrects_trades: ClassVar[bool] = False  # it takes trades back, or puts others in their place
    behind_ms: ClassVar[int] = 0  # so much later than the market its stream is by design
    quiet_omits: ClassVar[bool] = True  # that nobody traded proves that history has no row; False: who knows
    overlaps: ClassVar[bool] = True  # a second connection may be opened before the first is closed

    def __init__(
        self, name: str | None = None, *, rest_url: str = "", stream_url: str = "", key: str = "", secret: str = ""
    ) -> None:
        super().__init__(name, rest_url=rest_url, key=key, secret=secret)
        self.stream_url = (stream_url or self.host.stream_url).rstrip("/")
        self._streaming = {native: timeframe for timeframe, native in self.streamed.items()}

    @property
    def streamed(self) -> Mapping[Timeframe, str]:
        """The timeframes the venue streams as bars; the others are built from trades. History may have more."""
        native = {} if self.closing is ClosingRule.FROM_TRADES else self.timeframes
        return native if self.streams is None else self.streams

    def next_open(self, symbol: Symbol, time: int) -> int:
        """The first instant at or behind `time` at which the market is open; before it no bar is due."""
        return time if self.sessions is None else self.sessions.next_open(time)

    def ticket_request(self) -> HttpRequest | None:
        """A request whose answer `endpoint` needs, where a connection has to be applied for over REST."""
        return None

    def endpoint(self, channels: Sequence[str], ticket: HttpResponse | None = None) -> str:
        """The URL to dial for a connection that will carry `channels`."""
        return f"{self.stream_url}{self.stream_path}"

    def login(self) -> list[str]:
        """What is sent first on a new connection."""
        return []

    def channel(self, subscription: Subscription) -> str:
        """The channel that feeds a subscription: bars where the venue streams them or their pieces, else trades.

        Raises UnsupportedTimeframe when neither can.
        """
        symbol, timeframe = self.streamed_symbol(subscription.symbol), subscription.timeframe
        native = self.streamed.get(timeframe)
        if native is None:
            if timeframe.unit in "dwM" and (timeframe not in self.timeframes or self.dates_of is not None):
                raise reading.not_streamed(self, timeframe)
            native = self.merges if self.piece(timeframe) else None
        if native is not None:
            return self.bars_channel.format(symbol=symbol, timeframe=native)
        if not self.trades_channel:
            raise reading.not_streamed(self, timeframe)
        return self.trades_channel.format(symbol=symbol)

    def piece(self, timeframe: Timeframe) -> Timeframe | None:
        """Which streamed bars those of `timeframe` are put together from; None: from none, or it is streamed itself."""
        part = self._streaming.get(self.merges)
        return part if part and timeframe not in self.streamed and timeframe.holds(part) else None

    def streamed_symbol(self, symbol: Symbol) -> str:
        """How the names of channels spell a symbol."""
        return self.native_symbol(symbol)

    def closing_rule(self, subscription: Subscription) -> ClosingRule:
        """How the bars of this subscription become final."""
        timeframe = subscription.timeframe
        own = timeframe in self.streamed or self.piece(timeframe) is not None
        return self.closing if own else ClosingRule.FROM_TRADES

    def subscribe(self, channels: Sequence[str], request: int) -> list[str]:
        """The messages that subscribe `channels`; `request` numbers the first, the next ones count on."""
        return self.control("subscribe", channels, request)

    def unsubscribe(self, channels: Sequence[str], request: int) -> list[str]:
        """The messages that end `channels` (their aliases, where they have any)."""
        return self.control("unsubscribe", channels, request)

    def control(self, action: str, channels: Sequence[str], request: int) -> list[str]:
        """Both of them, where they differ in the word only: `action` is "subscribe" or "unsubscribe"."""
        groups = [list(channels)]
        if self.one_kind:
            groups = [list(group) for _, group in groupby(sorted(channels), key=lambda name: name.partition(":")[0])]
        parts = [part for group in groups for part in reading.messages(group, self.limits.streams_per_message)]
        return [reading.text(self.message(action, part, request + n)) for n, part in enumerate(parts)]

    def message(self, action: str, channels: Sequence[str], request: int) -> object:
        """One of these messages, for so many channels as go into one: a value that becomes JSON."""
        raise NotImplementedError

    def bar_update(self, channel: str, native: str, bar: Bar, closed: bool, time: int = 0) -> BarUpdate:
        """The event of a bar of the timeframe that streams as `native`. Raises BadFrame when it cannot be one."""
        timeframe = self._streaming.get(native)
        if timeframe is None:
            raise reading.schema(f"{channel[:60]!r} is no channel of bars.")
        return BarUpdate(channel, reading.checked(bar, timeframe, channel, self.earliest), closed, time)

    def resolved(self, event: BarUpdate | TradeUpdate, channel: str) -> BarUpdate | TradeUpdate:
        """The event of an alias as one of its channel. Raises BadFrame when it cannot be one."""
        return msgspec.structs.replace(event, channel=channel)

    def parse_frame(self, frame: bytes | str) -> Iterable[Event]:
        """What a frame means. Raises BadFrame for one that cannot be understood, never anything else."""
        raise NotImplementedError
