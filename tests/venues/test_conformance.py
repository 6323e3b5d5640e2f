"""What every venue must do, over every registered host, driven by its folder of payloads (payloads/README.md).

A good message means what the folder's `expect.json` says; a damaged one means an error with a name, or less, and
never another bar.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from btfeeds import errors, venues
from btfeeds.errors import BadFrame, BtfeedsError, ConfigError, RateLimited, UnknownSymbol
from btfeeds.live.budget import Budget
from btfeeds.live.connection import Connection
from btfeeds.live.effects import Send
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.base import (
    BarRevised,
    BarUpdate,
    ClosingRule,
    Event,
    HttpRequest,
    HttpResponse,
    Provider,
    Ready,
    TradeUpdate,
    Venue,
)
from tests.venues.corruption import LOSSES, spoiled, spoiled_file
from tests.venues.model import ModelServer

PAYLOADS = Path(__file__).parent / "payloads"
MINUTE = Timeframe.parse("1m")
NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC
LATEST = 100_000_000_000_000  # as ms that is the year 5138: no market's time
COUNTS_TO = 2**53


def folder(host: str) -> Path:
    """Where a host's payloads are: under its own name, or its dialect's."""
    own = PAYLOADS / host
    return own if own.is_dir() else PAYLOADS / venues._REGISTRY[host].module


@lru_cache
def made(host: str) -> Provider:
    return venues.provider(host, key="key", secret="secret")


@lru_cache
def expected(host: str) -> dict[str, Any]:
    return dict(json.loads((folder(host) / "expect.json").read_text(encoding="utf-8")))


def cases(prefix: str, *, streaming: bool = False) -> list[Any]:
    return [
        pytest.param(host, path, id=f"{host}-{path.stem}")
        for host in venues.names()
        for path in sorted(folder(host).glob(f"{prefix}*"))
        if not streaming or isinstance(made(host), Venue)
    ]


HOSTS = list(venues.names())
STREAMING = [host for host in HOSTS if isinstance(made(host), Venue)]
FRAMES = cases("frame_", streaming=True)
NO_MESSAGES = [b"", b"\xff\xfe", b"<html>", b"{", b"[" * 100_000, b'{"a":' * 100_000, "\ud800", b"nul"]
STRANGE = ["{}", "[]", "7", '"x"', "null", '{"event":"new"}', '[{"T":"new"}]', "[1,2,3]", "[7,[]]"]
BARS, TRADES, REFUSALS = cases("rest_bars"), cases("rest_trades"), cases("rest_error_")


def stream(host: str) -> Venue:
    venue = made(host)
    assert isinstance(venue, Venue)
    return venue


def good(body: bytes | str) -> HttpResponse:
    return HttpResponse(200, body.encode() if isinstance(body, str) else body, {"content-type": "application/json"})


def refusal(path: Path) -> HttpResponse:
    said = json.loads(path.read_text(encoding="utf-8"))
    body = said["body"] if isinstance(said["body"], str) else json.dumps(said["body"])
    return HttpResponse(said["status"], body.encode(), {k.lower(): v for k, v in said.get("headers", {}).items()})


def bars_of(events: list[Event]) -> list[tuple[Bar, bool]]:
    kinds = (BarUpdate, BarRevised)
    return [(event.bar, getattr(event, "closed", True)) for event in events if isinstance(event, kinds)]


def trades_of(events: list[Event]) -> list[Trade]:
    return [trade for event in events if isinstance(event, TradeUpdate) for trade in event.trades]


# --- the folder -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", HOSTS)
def test_every_host_has_a_folder_of_payloads(host: str) -> None:
    names = {path.stem for path in folder(host).glob("*.*")}
    assert "expect" in names, f"{host} has no payloads: see tests/venues/payloads/README.md"
    payloads = {name for name in names if name.startswith(("frame_", "rest_"))}
    assert payloads == {name for name in expected(host) if name.startswith(("frame_", "rest_"))}
    said = [expected(host)[name] for name in payloads]
    assert any(name.startswith("rest_bars") for name in payloads), "an answer with bars"
    assert "RateLimited" in said, "a refusal of too many requests"
    assert {"symbols", "server"} <= expected(host).keys()
    if isinstance(made(host), Venue):
        events = [event for events in said if isinstance(events, list) for event in events if isinstance(event, dict)]
        kinds = {kind for event in events for kind in event}
        assert {"BarUpdate", "TradeUpdate"} & kinds and "Alive" in kinds, "frames with data, and a sign of life"
        assert {"channels", "subscribe"} <= expected(host).keys()


# --- what frames mean -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "path"), FRAMES)
def test_a_documented_frame_means_what_is_expected(host: str, path: Path) -> None:
    wanted = expected(host)[path.stem]
    frame = path.read_bytes().rstrip()
    if isinstance(wanted, str):
        with pytest.raises(BtfeedsError) as caught:
            list(stream(host).parse_frame(frame))
        assert type(caught.value).__name__ == wanted
        return
    events = list(stream(host).parse_frame(frame))
    assert [type(event).__name__ for event in events] == [kind for event in wanted for kind in event]
    for event, (fields,) in zip(events, (event.values() for event in wanted), strict=True):
        for name, value in fields.items():
            assert _said(getattr(event, name), value) == value, name
    assert list(stream(host).parse_frame(frame.decode())) == events or any("TurnedAway" in event for event in wanted)


def _said(value: Any, as_long_as: Any) -> Any:
    """A field of an event as expect.json writes it."""
    if isinstance(value, BtfeedsError):
        return type(value).__name__
    if isinstance(value, Bar | Trade):
        return list(msgspec.structs.astuple(value))[: len(as_long_as)]
    if isinstance(value, tuple):
        return [_said(one, other) for one, other in zip(value, as_long_as, strict=True)]
    return value


@pytest.mark.parametrize(("host", "path"), FRAMES)
def test_every_channel_in_a_frame_is_one_that_is_subscribed(host: str, path: Path) -> None:
    wanted = expected(host)[path.stem]
    events = [] if isinstance(wanted, str) else list(stream(host).parse_frame(path.read_bytes().rstrip()))
    carried = {e.channel for e in events if isinstance(e, BarUpdate | BarRevised | TradeUpdate)}
    known = {*expected(host)["channels"].values(), *expected(host).get("strangers", [])}
    assert {expected(host).get("aliases", {}).get(channel, channel) for channel in carried} <= known


@pytest.mark.parametrize(("host", "path"), FRAMES)
def test_bars_and_trades_of_a_frame_are_in_order_and_on_the_grid(host: str, path: Path) -> None:
    wanted = expected(host)[path.stem]
    events = [] if isinstance(wanted, str) else list(stream(host).parse_frame(path.read_bytes().rstrip()))
    opens: dict[str, int] = {}
    for event in events:
        if isinstance(event, BarUpdate):
            assert event.bar.fault() == "" and event.bar.open_time % 1000 == 0
            assert opens.get(event.channel, -1) < event.bar.open_time
            opens[event.channel] = event.bar.open_time
            assert not event.time or NOON - 10 * 31_622_400_000 < event.time < LATEST, "an event time is in ms"
    times = [(trade.time, trade.id) for trade in trades_of(events)]
    assert times == sorted(times) and all(10**12 < time < LATEST for time, _ in times)


@pytest.mark.parametrize(("host", "path"), FRAMES)
def test_a_frame_cut_anywhere_brings_nothing(host: str, path: Path) -> None:
    frame = path.read_bytes().rstrip()
    for length in range(len(frame)):
        events = outcome(stream(host), frame[:length])
        assert not bars_of(events) and not trades_of(events)


@pytest.mark.parametrize(("host", "path"), FRAMES)
def test_a_frame_with_one_field_broken_brings_no_wrong_bar(host: str, path: Path) -> None:
    if path.suffix != ".json" or isinstance(expected(host)[path.stem], str):
        return
    whole = list(stream(host).parse_frame(path.read_bytes().rstrip()))
    bars, trades = bars_of(whole), trades_of(whole)
    finer = expected(host).get("finer", [])
    for kind, where, frame in spoiled(json.loads(path.read_bytes())):
        if kind in ("missing", "null") and where.rpartition("/")[2] in finer:
            continue
        for text in (frame, frame.encode()):
            events = outcome(stream(host), text)
            for bar, closed in bars_of(events):
                assert _near(bar, [one for one, final in bars if final or not closed], kind), (kind, where, bar, closed)
            for trade in trades_of(events):
                assert _near(trade, trades, kind), (kind, where, trade)


@pytest.mark.parametrize("host", STREAMING)
@pytest.mark.parametrize("frame", NO_MESSAGES)
def test_what_is_no_message_is_a_bad_frame(host: str, frame: bytes | str) -> None:
    with pytest.raises(BadFrame):
        list(stream(host).parse_frame(frame))


@pytest.mark.parametrize("host", STREAMING)
@pytest.mark.parametrize("frame", STRANGE)
def test_a_message_nobody_documents_brings_no_data(host: str, frame: str) -> None:
    events = outcome(stream(host), frame)
    assert not bars_of(events) and not trades_of(events)


def outcome(venue: Venue, frame: bytes | str) -> list[Event]:
    """The events of a frame; none for one that is rejected by name. Anything else that is raised fails the test."""
    try:
        return list(venue.parse_frame(frame))
    except BadFrame as error:
        assert error.reason
        return []


def _near(made: Bar | Trade, originals: list[Any], kind: str) -> bool:
    """Whether this is one of the originals, or one with a single other value that may stand there."""
    for original in originals:
        changed = {
            field
            for field in made.__struct_fields__
            if getattr(made, field) != getattr(original, field) and field != "key"  # it only tells trades apart
        }
        if not changed:
            return True
        if len(changed) == 1 and _legal(made):
            unknown = {"trades": -1, "id": -1, "count": 1}  # what stands for "the venue does not say"
            (field,) = changed
            if kind not in LOSSES or (field in unknown and getattr(made, field) == unknown[field]):
                return True
            # a condition that nobody knows moves less; that a list lacks one nobody can tell
            if field == "moves" and (kind == "missing" or made.moves < original.moves):
                return True
    return False


def _legal(made: Bar | Trade) -> bool:
    if isinstance(made, Bar):
        return made.fault() == "" and 0 <= made.open_time < LATEST and -1 <= made.trades < COUNTS_TO
    as_bar = Bar(made.time, made.price, made.price, made.price, made.price, made.quantity)
    return as_bar.fault() == "" and made.quantity > 0 and 0 <= made.time < LATEST and made.count > 0


# --- what answers mean ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "path"), BARS)
def test_a_documented_answer_holds_the_bars_expected(host: str, path: Path) -> None:
    wanted, response = expected(host)[path.stem], good(path.read_bytes())
    made(host).check(response)
    bars = made(host).parse_bars(response, Timeframe.parse(wanted["timeframe"]))
    assert [_said(bar, row) for bar, row in zip(bars, wanted["bars"], strict=True)] == wanted["bars"]
    opens = [bar.open_time for bar in bars]
    assert opens == sorted(set(opens)), "ascending, none twice"
    assert all(Timeframe.parse(wanted["timeframe"]).aligned(time) for time in opens)


@pytest.mark.parametrize(("host", "path"), TRADES)
def test_a_documented_answer_holds_the_trades_expected(host: str, path: Path) -> None:
    made(host).check(good(path.read_bytes()))
    trades, wanted = made(host).parse_trades(good(path.read_bytes())), expected(host)[path.stem]
    assert [_said(trade, row) for trade, row in zip(trades, wanted, strict=True)] == wanted
    times = [(trade.time, trade.id) for trade in trades]
    assert times == sorted(times)


@pytest.mark.parametrize(("host", "path"), BARS + TRADES)
def test_an_answer_cut_anywhere_is_rejected(host: str, path: Path) -> None:
    body, wanted = path.read_bytes().rstrip(), expected(host)[path.stem]
    for length in range(len(body)):
        if path.suffix == ".csv" and body[:length].endswith(b"\n"):  # a table says nowhere how long it is; HTTP does
            whole = _read(made(host), path, good(path.read_bytes()), wanted)
            assert _read(made(host), path, good(body[:length]), wanted) == whole[: body[:length].count(b"\n") - 1]
            continue
        with pytest.raises(BtfeedsError) as caught:
            _read(made(host), path, good(body[:length]), wanted)
        assert not caught.value.fatal, f"cut behind {length} bytes, it ends the feed: {caught.value}"


@pytest.mark.parametrize(("host", "path"), BARS + TRADES)
def test_an_answer_with_one_field_broken_holds_no_wrong_bar(host: str, path: Path) -> None:
    wanted = expected(host)[path.stem]
    whole = _read(made(host), path, good(path.read_bytes()), wanted)
    for kind, where, body in spoiled_file(path):
        try:
            found = _read(made(host), path, good(body), wanted)
        except BtfeedsError as error:
            assert not error.fatal, f"{kind} {where}: one damaged answer ends the feed: {error}"
            continue
        for one in found:
            assert _near(one, whole, kind), (kind, where, one)


def _read(provider: Provider, path: Path, response: HttpResponse, wanted: Any) -> list[Any]:
    """The answer's bars or trades, as far as a Downloader would use them."""
    provider.check(response)
    if path.stem.startswith("rest_trades"):
        return list(provider.parse_trades(response))
    timeframe = Timeframe.parse(wanted["timeframe"])
    times = [row[0] for row in wanted["bars"]]
    inside = TimeRange(times[0], timeframe.close(times[-1])) if times else TimeRange(0, 0)
    bars = provider.parse_bars(response, timeframe)
    return [bar for bar in bars if not bar.fault() and timeframe.aligned(bar.open_time) and bar.open_time in inside]


@pytest.mark.parametrize(("host", "path"), REFUSALS)
def test_every_no_has_its_name_and_three_lines(host: str, path: Path) -> None:
    with pytest.raises(BtfeedsError) as caught:
        made(host).check(refusal(path))
    error = caught.value
    assert type(error).__name__ == expected(host)[path.stem]
    assert type(error).__module__ == errors.__name__
    assert len(str(error).splitlines()) == 3
    assert not isinstance(error, RateLimited) or error.retry_after > 0
    assert "secret" not in str(error)


@pytest.mark.parametrize(("host", "path"), REFUSALS)
def test_a_refusal_never_reads_as_bars(host: str, path: Path) -> None:
    with pytest.raises(BadFrame):
        made(host).parse_bars(refusal(path), MINUTE)


@pytest.mark.parametrize(("host", "path"), REFUSALS)
def test_a_refusal_damaged_anywhere_is_still_a_no(host: str, path: Path) -> None:
    response = refusal(path)
    bodies = [response.body[:length] for length in range(len(response.body))]
    with contextlib.suppress(ValueError):  # some are pages of text
        bodies += [text.encode() for _, _, text in spoiled(json.loads(response.body))]
    for body in bodies:
        damaged = dataclasses.replace(response, body=body)
        with pytest.raises(BtfeedsError):
            made(host).check(damaged)
            assert not made(host).parse_bars(damaged, MINUTE), body
            raise BadFrame("nothing is in it")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 451, 500, 502, 503, 520])
@pytest.mark.parametrize("body", [b"", b"<html><body>an error page</body></html>", b"{}", b"[]", b"null", b"\xff"])
def test_no_status_but_good_ones_pass(host: str, status: int, body: bytes) -> None:
    with pytest.raises(BtfeedsError) as caught:
        made(host).check(HttpResponse(status, body))
    if status == 429:
        assert isinstance(caught.value, RateLimited) and caught.value.retry_after > 0
    if status >= 500:
        assert not caught.value.fatal
    if status in (400, 404):
        assert caught.value.fatal


@pytest.mark.parametrize("host", HOSTS)
def test_a_wait_that_the_venue_names_is_kept(host: str) -> None:
    with pytest.raises(RateLimited) as caught:
        made(host).check(HttpResponse(429, b"{}", {"retry-after": "17"}))
    assert caught.value.retry_after == 17


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", HOSTS)
def test_symbols_and_timeframes_are_spelled_one_way(host: str) -> None:
    provider, wanted = made(host), expected(host)
    assert {s: provider.native_symbol(Symbol(s)) for s in wanted["symbols"]} == wanted["symbols"]
    assert len(set(provider.timeframes.values())) == len(provider.timeframes) > 0
    for timeframe in provider.timeframes:
        assert Timeframe.parse(str(timeframe)) == timeframe
        assert provider.base_timeframe(timeframe) == timeframe


@pytest.mark.parametrize("host", HOSTS)
def test_a_symbol_of_the_venue_is_read_back(host: str) -> None:
    provider, wanted = made(host), expected(host)
    for symbol, native in wanted["symbols"].items():
        unified = provider.unified_symbol(native)
        assert provider.native_symbol(unified) == native
        # one market may have two names with us: only one of them can come back
        assert unified == Symbol(symbol) or symbol in wanted.get("synonyms", [])
    for stranger in ("", "?", "no such market", native[1:-1] + "/" + native + "/"):
        with pytest.raises(UnknownSymbol):
            provider.unified_symbol(stranger)


@pytest.mark.parametrize("host", STREAMING)
def test_every_timeframe_has_a_channel_of_its_own(host: str) -> None:
    venue, wanted = stream(host), expected(host)
    for text, channel in wanted["channels"].items():
        symbol, timeframe = text.split()
        assert venue.channel(Subscription(host, Symbol(symbol), Timeframe.parse(timeframe))) == channel
    symbol = Symbol(next(iter(wanted["symbols"])))
    channels = [venue.channel(Subscription(host, symbol, timeframe)) for timeframe in venue.streamed]
    assert len(set(channels)) == len(channels)


@pytest.mark.parametrize("host", STREAMING)
def test_subscriptions_are_written_as_the_venue_documents(host: str) -> None:
    venue, wanted = stream(host), expected(host)
    channels, messages = wanted["subscribe"]
    assert list(map(_json, venue.subscribe(channels, 7))) == list(map(_json, messages))
    aliases = {channel: alias for alias, channel in wanted.get("aliases", {}).items()}
    assert bool(aliases) == venue.aliases
    ended = venue.unsubscribe([aliases.get(channel, channel) for channel in channels], 8)
    assert ended and not set(ended) & set(messages), "what is subscribed can be ended"
    assert list(map(_json, venue.login())) == list(map(_json, wanted.get("login", [])))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.mark.parametrize("host", STREAMING)
def test_messages_keep_the_pace_the_venue_allows(host: str) -> None:
    venue, wanted = stream(host), expected(host)
    limits = venue.limits
    timeframe = next(iter(venue.streamed)) if venue.streamed else MINUTE
    symbols = [_other(Symbol(next(iter(wanted["symbols"]))), number) for number in range(400)]
    channels = [venue.channel(Subscription(host, s, timeframe)) for s in symbols][: limits.streams_per_connection]
    connection = Connection(venue, Budget(30, 300_000, threading.Lock()), jitter=lambda: 0.0)
    connection.want(channels, 0)
    connection.start(0)
    sent = [0 for effect in connection.opened(0) if isinstance(effect, Send)]
    if venue.greets:
        sent += [0 for effect in connection.received([Ready()], 0) if isinstance(effect, Send)]
    for now in range(10, 20_000, 10):
        if now % 1000 == 0:
            connection.heard(now)
        sent += [now for effect in connection.tick(now) if isinstance(effect, Send)]
    allowed = max(1.0, limits.messages_per_second)
    for at in sent:
        assert sum(at <= other < at + 1000 for other in sent) <= allowed
    whole = -(-len(channels) // limits.streams_per_message)
    assert len(sent) >= min(whole, int(limits.messages_per_second * 15))


def _other(symbol: Symbol, number: int) -> Symbol:
    letters = "".join(chr(65 + number // 26**place % 26) for place in range(3))
    return Symbol(symbol.replace(symbol.base, f"{symbol.base[:1]}{letters}", 1))


@pytest.mark.parametrize("host", STREAMING)
def test_a_message_names_no_more_channels_than_the_venue_takes(host: str) -> None:
    venue, wanted = stream(host), expected(host)
    timeframe = next(iter(venue.streamed)) if venue.streamed else MINUTE
    symbols = [_other(Symbol(next(iter(wanted["symbols"]))), number) for number in range(30)]
    channels = [venue.channel(Subscription(host, symbol, timeframe)) for symbol in symbols]
    size = venue.limits.streams_per_message
    for text in venue.subscribe(channels, 1):
        named = sum(_native(venue, symbol) in text for symbol in symbols)
        assert 0 < named <= size


def _native(venue: Venue, symbol: Symbol) -> str:
    channel = venue.channel(Subscription(venue.name, symbol, next(iter(venue.streamed), MINUTE)))
    return next(text for text in (venue.native_symbol(symbol), venue.native_symbol(symbol).lower()) if text in channel)


@pytest.mark.parametrize("host", STREAMING)
def test_heartbeat_and_closing_rule_are_declared(host: str) -> None:
    venue = stream(host)
    assert isinstance(venue.closing, ClosingRule)
    assert venue.heartbeat.idle_ms > 0 and venue.heartbeat.timeout_ms > 0
    assert venue.grace_ms > 0 and venue.limits.bars_per_request > 0 and venue.limits.weight_per_minute > 0
    assert bool(venue.streamed) == (venue.closing is not ClosingRule.FROM_TRADES)
    for timeframe in venue.streamed:
        assert venue.closing_rule(Subscription(host, Symbol(next(iter(expected(host)["symbols"]))), timeframe)) is (
            venue.closing
        )


@pytest.mark.parametrize("host", STREAMING)
def test_an_endpoint_is_a_websocket(host: str) -> None:
    venue, wanted = stream(host), expected(host)
    request = venue.ticket_request()
    assert (request is None) == ("rest_ticket" not in wanted)
    ticket = None
    if request is not None:
        assert isinstance(request, HttpRequest) and request.path.startswith("/")
        ticket = good((folder(host) / "rest_ticket.json").read_bytes())
        venue.check(ticket)
    url = venue.endpoint(list(wanted["channels"].values())[:1], ticket)
    assert url.startswith("wss://")
    assert ticket is None or url == wanted["rest_ticket"]


@pytest.mark.parametrize("host", [host for host in HOSTS if made(host).needs_key])
def test_a_missing_key_is_noticed_before_anything_is_asked(host: str) -> None:
    with pytest.raises(ConfigError, match=f"BTFEEDS_{host.upper()}_API_KEY"):
        venues.provider(host)


# --- paging: the model of a server that reads requests as the venue does ----------------------------------------------


def _bounds(host: str) -> list[str]:
    """How the venue reads the bounds of a span: where it is not documented, both ways must do."""
    rules = expected(host)["server"]
    both = any(rules[which] and rules[which][2] == "either" for which in ("start", "end"))
    return ["inclusive", "exclusive"] if both else [""]


def _model(
    host: str, bars: int, *, forming: bool = False, holes: bool = False, bounds: str = ""
) -> tuple[ModelServer, list[Bar], Timeframe]:
    """A server with so many closed bars behind it (and one under way); some have no trades."""
    provider, rules = made(host), dict(expected(host)["server"])
    for which in ("start", "end"):
        if rules[which] and rules[which][2] == "either":
            rules[which] = [*rules[which][:2], bounds or "inclusive"]
    timeframe = MINUTE if MINUTE in provider.timeframes else next(iter(provider.timeframes))
    first = timeframe.floor(NOON)
    opens = [first + number * timeframe.ms for number in range(bars + forming)]
    if holes and not rules.get("empty"):
        opens = [time for number, time in enumerate(opens) if number % 7 not in (3, 4)]
    truth = [Bar(time, 10.0 + number % 50, 70.0, 5.0, 20.0, 1.0 + number % 9) for number, time in enumerate(opens)]
    lag = max(provider.lag_ms, _late(host)) + 60_000
    now = first + bars * timeframe.ms + (timeframe.ms // 2 if forming else lag)
    return ModelServer(provider, rules, truth, now), truth, timeframe


def _late(host: str) -> int:
    """How long a bar may be closed before it is published."""
    return int(expected(host)["server"].get("late_ms", max(made(host).delay_ms, made(host).late_ms)))


def _sizes(host: str) -> list[int]:
    rules, page = expected(host)["server"], made(host).limits.bars_per_request
    longest = (rules.get("reach") or made(host).bars_reach or 10**9) - 5
    return sorted({min(size, longest) for size in (1, 2, page - 1, page, page + 1, 2 * page + page // 2)})


@pytest.mark.parametrize("host", HOSTS)
def test_any_span_is_loaded_whole_and_nothing_beside_it(host: str) -> None:
    symbol = next(iter(expected(host)["symbols"]))
    for size, holes, bounds in itertools.product(_sizes(host), (False, True), _bounds(host)):
        server, truth, timeframe = _model(host, size, holes=holes, bounds=bounds)
        with server.downloader() as downloader:
            span = TimeRange(timeframe.floor(NOON), timeframe.floor(NOON) + size * timeframe.ms)
            found = downloader.bars(symbol, timeframe, span)
        assert [bar.open_time for bar in found] == [bar.open_time for bar in truth], (size, holes, bounds)
        pages = size // made(host).limits.bars_per_request + 3
        assert server.requests <= pages * expected(host)["server"].get("asks", 1), "paging ends"


@pytest.mark.parametrize("host", HOSTS)
def test_a_span_in_the_midst_has_its_start_and_not_its_end(host: str) -> None:
    symbol = next(iter(expected(host)["symbols"]))
    for bounds in _bounds(host):
        server, truth, timeframe = _model(host, 12, bounds=bounds)
        with server.downloader() as downloader:
            for start, end in ((3, 4), (3, 8), (0, 1), (5, 11)):
                span = TimeRange(truth[start].open_time, truth[end].open_time)
                assert downloader.bars(symbol, timeframe, span) == truth[start:end]


@pytest.mark.parametrize("host", HOSTS)
def test_the_bar_under_way_is_no_bar_yet(host: str) -> None:
    _, _, timeframe = _model(host, 1)
    server, truth, _ = _model(host, 5 + _late(host) // timeframe.ms, forming=True)
    with server.downloader() as downloader:
        span = TimeRange(truth[0].open_time, truth[-1].open_time + 10 * timeframe.ms)
        found = downloader.bars(next(iter(expected(host)["symbols"])), timeframe, span)
    assert found and found == truth[: len(found)] and len(found) < len(truth)


@pytest.mark.parametrize("host", HOSTS)
def test_an_empty_span_ends_at_once(host: str) -> None:
    server, _, timeframe = _model(host, 3)
    server.bars = []
    with server.downloader() as downloader:
        start = timeframe.floor(NOON)
        span = TimeRange(start, start + 3 * timeframe.ms)
        found = downloader.bars(next(iter(expected(host)["symbols"])), timeframe, span)
    assert found == [] and server.requests <= 3


@pytest.mark.parametrize("host", HOSTS)
def test_every_timeframe_can_be_asked_for(host: str) -> None:
    symbol = Symbol(next(iter(expected(host)["symbols"])))
    for timeframe in made(host).timeframes:
        start = timeframe.floor(NOON)
        request = made(host).bars_request(symbol, timeframe, TimeRange(start, timeframe.close(start)))
        assert request.path.startswith("/") and request.weight > 0
        assert "secret" not in request.path and "secret" not in str(dict(request.params))
