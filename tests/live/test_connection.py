"""The connection decides; the tests play the wire and the clock (monotonic ms, from 0)."""

from __future__ import annotations

import json
import threading

import pytest

from btfeeds.errors import RateLimited, RegionBlocked, TlsError
from btfeeds.live.budget import Budget
from btfeeds.live.connection import Connection
from btfeeds.live.effects import Covered, Dial, Doubt, Effect, HangUp, Loss, Lost, Ping, Refused, Relieve, Send
from btfeeds.live.patience import ConnectionPolicy
from btfeeds.live.states import TABLE, Input, State
from btfeeds.market import Bar, Subscription, Symbol, Timeframe
from btfeeds.venues.alpaca import Alpaca
from btfeeds.venues.base import Accepted, BarUpdate, Leaving, Limits, Pinged, Rejected, TurnedAway, Venue
from btfeeds.venues.bitfinex import Bitfinex
from btfeeds.venues.kraken import Kraken
from btfeeds.venues.kucoin import KuCoin
from btfeeds.venues.massive import Massive
from tests.live.toy import Toy

CHANNEL = "BTCUSDT@bars@1m"
DATA = BarUpdate(CHANNEL, Bar(0, 1.0, 2.0, 0.5, 1.5, 1.0), True)


def make(*, jitter: float = 1.0, limit: int = 30, **rules: object) -> Connection:
    budget = Budget(limit, 300_000, threading.Lock())
    return Connection(Toy(), budget, jitter=lambda: jitter, policy=ConnectionPolicy(**rules))  # type: ignore[arg-type]


def opened(connection: Connection | None = None, now: int = 0) -> Connection:
    connection = connection or make()
    connection.want([CHANNEL], now)
    connection.start(now)
    connection.opened(now)
    return connection


def streaming(connection: Connection | None = None, now: int = 0) -> Connection:
    connection = opened(connection, now)
    assert connection.received([Accepted(1)], now) == [Covered((CHANNEL,))]
    return connection


def kinds(effects: list[Effect]) -> list[type]:
    return [type(effect) for effect in effects]


def test_start_dials_at_once_and_opened_subscribes() -> None:
    connection = make()
    assert connection.want([CHANNEL], 0) == []
    assert connection.start(0) == [Dial((CHANNEL,))]
    assert connection.opened(10) == [Send('{"sub": ["BTCUSDT@bars@1m"], "id": 1}')]
    assert connection.state is State.SUBSCRIBING
    assert connection.received([Accepted(1)], 20) == [Covered((CHANNEL,))]
    assert connection.state is State.STREAMING and connection.complete


def test_every_state_can_be_stopped_and_only_closed_is_final() -> None:
    assert all(TABLE[state, Input.STOP] is State.CLOSED for state in State)
    assert not any((State.CLOSED, what) in TABLE for what in Input if what is not Input.STOP)


def test_stop_hangs_up() -> None:
    connection = streaming()
    assert connection.stop() == [HangUp()]
    assert connection.state is State.CLOSED and connection.tick(10**9) == []


def test_control_messages_are_paced_to_the_venues_limit() -> None:
    connection = make()
    connection.want(["a", "b", "c", "d"], 0)
    connection.start(0)
    assert kinds(connection.opened(0)) == [Send], "two messages of two channels, two per second: one now"
    assert connection.tick(499) == []
    assert connection.deadline() == 500
    assert connection.tick(500) == [Send('{"sub": ["c", "d"], "id": 2}')]


def test_channels_that_wait_for_their_turn_go_out_in_one_message() -> None:
    connection = streaming()
    assert connection.want(["a"], 0) == connection.want(["b"], 0) == []
    assert connection.deadline() == 500
    assert connection.tick(500) == [Send('{"sub": ["a", "b"], "id": 2}')]
    assert connection.received([Accepted(2)], 600) == [Covered(("a", "b"))]


def test_a_channel_given_up_before_its_turn_is_never_asked_for() -> None:
    connection = streaming()
    connection.want(["a", "b"], 0)
    connection.unwant(["a"], 0)
    sent = connection.tick(500) + connection.tick(1_000)
    assert Send('{"sub": ["b"], "id": 3}') in sent


def test_backoff_doubles_up_to_a_minute() -> None:
    connection = make(limit=1_000)
    connection.start(0)
    waits, now = [], 0
    for _ in range(7):
        effects = connection.lost(Loss("refused"), now)
        waits.append(next(effect.retry_in_ms for effect in effects if isinstance(effect, Lost)))
        now += waits[-1]
        assert connection.tick(now - 1) == []
        assert kinds(connection.tick(now)) == [Dial]
    assert waits == [5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]


def test_full_jitter_shortens_the_wait() -> None:
    connection = make(jitter=0.25)
    connection.start(0)
    assert Lost(Loss("refused"), 1_250) in connection.lost(Loss("refused"), 0)


def test_backoff_starts_over_only_after_a_minute_of_data() -> None:
    connection = make()
    now = 0
    for healthy, expected in ((59_999, 10_000), (60_000, 5_000)):
        connection = make()
        opened(connection)
        connection.lost(Loss("reset"), 0)
        now = 5_000
        connection.tick(now)
        connection.opened(now)
        connection.received([Accepted(connection._requests.pending[CHANNEL])], now)
        connection.received([DATA], now)
        connection.received([DATA], now + healthy)
        lost = connection.lost(Loss("reset"), now + healthy)
        assert lost == [HangUp(), Lost(Loss("reset"), expected)]


def test_accept_then_close_connects_thirty_times_in_five_minutes_at_most() -> None:
    connection = make(jitter=0.0)
    now, dials = 0, 0
    effects = connection.start(now)
    while now < 300_000:
        dials += kinds(effects).count(Dial)
        if kinds(effects)[-1:] == [Dial]:
            connection.opened(now)
            connection.lost(Loss("close_code", "1013"), now)
        deadline = connection.deadline()
        assert deadline is not None
        now = max(deadline, now + 1)
        effects = connection.tick(now)
    assert dials == 30


def test_the_budget_is_shared_by_all_connections_of_a_host() -> None:
    budget = Budget(2, 300_000, threading.Lock())
    assert [budget.reserve(0), budget.reserve(10), budget.reserve(20), budget.reserve(30)] == [0, 10, 300_000, 300_010]


def test_the_venues_wish_to_stay_away_is_kept() -> None:
    connection = opened()
    assert Lost(Loss("http", "HTTP 429", 90_000), 90_000) in connection.lost(Loss("http", "HTTP 429", 90_000), 0)


def test_a_region_block_ends_the_connection_for_good() -> None:
    connection = opened()
    error = RegionBlocked("no")
    assert connection.lost(Loss("http", error=error), 0) == [HangUp(), Refused((CHANNEL,), error)]
    assert connection.state is State.CLOSED


def test_a_certificate_refused_three_times_ends_it() -> None:
    connection, error, now = opened(), TlsError("bad"), 0
    for attempt in range(3):
        effects = connection.lost(Loss("tls", "bad", 60_000, error), now)
        if attempt < 2:
            assert Lost in kinds(effects)
            now += 60_000
            connection.tick(now)
    assert Refused((CHANNEL,), error) in effects


def test_silence_is_pinged_and_an_unanswered_ping_is_a_loss() -> None:
    connection = streaming()
    assert connection.tick(14_999) == []
    assert connection.tick(15_000) == [Ping()]
    assert connection.deadline() == 25_000
    effects = connection.tick(25_000)
    assert kinds(effects) == [HangUp, Lost]
    assert connection.state is State.WAITING


def test_a_venue_that_is_to_say_something_is_pinged_once_and_lost_when_it_does_not() -> None:
    connection = streaming()
    assert connection.prod(2_000) == [Ping()] and connection.prod(2_100) == []
    assert connection.deadline() == 12_000 and connection.tick(11_999) == []
    assert kinds(connection.tick(12_000)) == [HangUp, Lost], "although 15 s of silence would not be over yet"
    assert connection.prod(12_001) == [], "there is nobody to ask"


def test_a_ping_in_words_keeps_to_the_pace_of_messages() -> None:
    kucoin = KuCoin()
    connection = Connection(kucoin, Budget(30, 300_000, threading.Lock()), jitter=lambda: 0.0)
    connection.want(["/market/candles:BTC-USDT_1min"], 0)
    connection.start(0)
    connection.opened(0)
    connection.received(kucoin.parse_frame('{"id":"1","type":"welcome"}'), 0)
    assert connection.prod(10) == [], "a message has just gone"
    assert connection.tick(1_000)[0] == Send(KuCoin.heartbeat.ping)


def test_a_venue_that_was_made_to_say_something_may_be_silent_again() -> None:
    connection = streaming()
    connection.prod(2_000)
    connection.heard(2_050)
    assert connection.tick(17_049) == [] and connection.tick(17_050) == [Ping()]


def test_anything_heard_puts_the_ping_off() -> None:
    connection = streaming()
    connection.tick(15_000)
    connection.heard(16_000)
    assert connection.tick(30_999) == []
    assert connection.tick(31_000) == [Ping()]


def test_on_a_fast_clock_an_answer_is_awaited_for_at_least_the_floor() -> None:
    connection = streaming(make(floor_ms=60_000))
    connection.tick(15_000)
    assert connection.tick(74_999) == []
    assert HangUp in kinds(connection.tick(75_000))


def test_an_unconfirmed_subscription_is_asked_again_and_then_given_up() -> None:
    connection = opened()
    effects: list[Effect] = []
    for second in range(34):
        connection.heard(second * 1_000)
        effects += connection.tick(second * 1_000)
    assert kinds(effects) == [Send, Send, Refused], "two more tries after the first, then it is refused"
    assert connection.channels == ()


def test_a_channel_that_was_confirmed_before_is_not_given_up_but_asked_of_a_new_connection() -> None:
    connection = make()
    connection.want([CHANNEL], 0, proven=[CHANNEL])
    connection.start(0)
    connection.opened(0)
    effects: list[Effect] = []
    for second in range(60):
        connection.heard(second * 1_000)
        effects += connection.tick(second * 1_000)
    assert kinds(effects) == [Send, Send, Relieve, Send, Send, Send]
    assert connection.channels == (CHANNEL,)


def test_a_channel_that_history_knows_is_not_given_up_either() -> None:
    connection = opened()
    assert connection.prove(CHANNEL) == []
    effects: list[Effect] = []
    for second in range(60):
        connection.heard(second * 1_000)
        effects += connection.tick(second * 1_000)
    assert Refused not in kinds(effects) and kinds(effects).count(Relieve) == 1


def test_data_proves_a_subscription_whose_confirmation_is_lost() -> None:
    connection = opened()
    assert connection.received([DATA], 50) == [Covered((CHANNEL,)), DATA]
    assert connection.tick(10_000) == []


def test_a_fatal_refusal_gives_up_only_the_refused_channels() -> None:
    connection = make()
    connection.want(["a", "b"], 0)
    connection.start(0)
    connection.opened(0)
    connection.want(["c"], 500)
    effects = connection.received([Rejected("unknown", 2, fatal=True)], 600)
    assert [effect.channels for effect in effects if isinstance(effect, Refused)] == [("c",)]
    assert connection.received([Accepted(1)], 700) == [Covered(("a", "b"))]


def test_data_of_a_channel_nobody_wants_is_dropped() -> None:
    connection = streaming()
    connection.unwant([CHANNEL], 10)
    assert connection.received([DATA], 20) == []


def test_a_mute_channel_is_ended_and_asked_for_again() -> None:
    connection = streaming()
    texts = [e.text for e in connection.renew(CHANNEL, 1_000) + connection.tick(2_000) if isinstance(e, Send)]
    assert texts == ['{"unsub": ["BTCUSDT@bars@1m"], "id": 2}', '{"sub": ["BTCUSDT@bars@1m"], "id": 3}']


def test_what_comes_of_a_channel_that_was_ended_counts_when_it_is_confirmed_anew() -> None:
    """It is of the old subscription, and behind it there is a hole."""
    connection = streaming()
    connection.renew(CHANNEL, 1_000)
    connection.tick(2_000)
    assert connection.received([DATA], 2_100) == [] and not connection.complete
    assert connection.received([Accepted(3)], 2_200) == [Covered((CHANNEL,))] and connection.complete
    assert connection.received([DATA], 2_300) == [DATA]


def test_a_feed_that_comes_back_to_a_channel_is_told_of_it_when_it_is_confirmed() -> None:
    connection = streaming()
    connection.unwant([CHANNEL], 1_000)
    connection.want([CHANNEL], 1_001)
    assert connection.received([DATA], 1_100) == []
    connection.tick(2_000)
    assert connection.received([Accepted(3)], 2_200) == [Covered((CHANNEL,))]


def test_where_no_confirmation_comes_a_channel_proves_itself_at_the_second_try() -> None:
    connection = streaming()
    connection.renew(CHANNEL, 1_000)
    late = connection.deadline()
    while CHANNEL in connection._requests.returning:
        assert late is not None and late < 60_000
        connection.tick(late)
        late = connection.deadline()
    assert connection.received([DATA], late or 0)[0] == Covered((CHANNEL,))


def test_five_unreadable_frames_in_a_row_hang_up() -> None:
    connection = streaming()
    for _ in range(4):
        assert connection.unreadable("x", 10) == [Doubt((CHANNEL,))]
    connection.received([DATA], 20)
    for _ in range(4):
        assert kinds(connection.unreadable("x", 30)) == [Doubt]
    assert kinds(connection.unreadable("x", 40)) == [HangUp, Lost]


def test_a_notice_of_leaving_asks_for_a_successor_once() -> None:
    connection = streaming()
    assert connection.received([Leaving("maintenance")], 10) == [Relieve("maintenance")]
    assert connection.received([Leaving("maintenance")], 20) == []


def test_a_connection_with_a_successor_stays_for_what_is_under_way() -> None:
    connection = streaming()
    assert connection.retire(500) == [] and connection.deadline() == 1_500
    assert connection.received([DATA], 1_400) == [DATA] and connection.tick(1_499) == []
    assert connection.tick(1_500) == [HangUp()] and connection.state is State.CLOSED


def test_a_connection_whose_successor_is_lost_stays() -> None:
    connection = streaming()
    connection.retire(500)
    assert connection.stay() == [] and connection.tick(1_500) == [] and connection.state is State.STREAMING


def test_a_connection_with_a_successor_is_not_dialled_again() -> None:
    connection = streaming()
    connection.retire(500)
    assert connection.lost(Loss("reset"), 600) == [HangUp()] and connection.state is State.CLOSED
    waiting = streaming()
    waiting.lost(Loss("reset"), 400)
    assert waiting.retire(500) == [] and waiting.state is State.CLOSED


def test_the_successor_is_asked_for_before_the_venues_limit() -> None:
    connection = make()
    connection.venue.limits = Limits(100, 1_000, connection_life_ms=86_400_000)
    streaming(connection)
    at = 86_400_000 - 600_000
    connection.heard(at)
    assert connection.tick(at - 1) == []
    assert connection.tick(at) == [Relieve("scheduled")]


def test_an_application_ping_is_answered() -> None:
    connection = streaming()
    connection.received([Pinged("pong!")], 1_000)
    assert connection.tick(1_000) == [Send("pong!")]


def test_losing_what_is_lost_already_changes_nothing() -> None:
    connection = streaming()
    connection.lost(Loss("reset"), 0)
    assert connection.lost(Loss("reset"), 1) == []


@pytest.mark.parametrize("state", [State.IDLE, State.WAITING, State.CLOSED])
def test_a_socket_that_opens_when_nobody_dialled_is_hung_up(state: State) -> None:
    connection = make()
    connection.state = state
    assert connection.opened(0) == [HangUp()]


def test_on_a_fast_clock_messages_are_spread_by_the_walls_time_too() -> None:
    connection = make(floor_ms=100_000)
    connection.want(["a", "b", "c", "d"], 0)
    connection.start(0)
    connection.opened(0)
    assert connection.deadline() == 2_000, "20 ms of the wall at a hundred times its speed"


def _bitfinex() -> Connection:
    return Connection(Bitfinex(), Budget(30, 300_000, threading.Lock()), jitter=lambda: 0.0)


def test_frames_that_only_have_a_number_reach_the_channel_of_that_number() -> None:
    connection, candles = _bitfinex(), "trade:1m:tBTCUSD"
    connection.want([candles], 0)
    connection.start(0)
    connection.opened(0)
    parse = connection.venue.parse_frame
    early = connection.received(parse("[17,[1700000100000,1,2,3,0.5,9]]"), 1)
    assert early == [], "before its confirmation a number means nothing"
    said = '{"event":"subscribed","channel":"candles","chanId":17,"key":"trade:1m:tBTCUSD"}'
    assert connection.received(parse(said), 2) == [Covered((candles,))]
    [event] = connection.received(parse("[17,[1700000100000,1,2,3,0.5,9]]"), 3)
    assert event == BarUpdate(candles, Bar(1_700_000_100_000, 1.0, 3.0, 0.5, 2.0, 9.0), False)
    assert connection.unwant([candles], 1_000) == [Send('{"event":"unsubscribe","chanId":17}')]


def test_a_number_of_the_old_connection_means_nothing_on_the_new_one() -> None:
    connection, candles = _bitfinex(), "trade:1m:tBTCUSD"
    connection.want([candles], 0)
    connection.start(0)
    connection.opened(0)
    parse = connection.venue.parse_frame
    connection.received(parse('{"event":"subscribed","channel":"candles","chanId":17,"key":"trade:1m:tBTCUSD"}'), 2)
    connection.lost(Loss("reset"), 3)
    connection.tick(60_000)
    connection.opened(60_000)
    assert connection.received(parse("[17,[1700000100000,1,2,3,0.5,9]]"), 60_001) == []


def test_a_venue_that_counts_our_pings_gets_them_while_data_flows() -> None:
    connection = Connection(KuCoin(), Budget(30, 300_000, threading.Lock()), jitter=lambda: 0.0)
    connection.start(0)
    connection.opened(0)
    connection.received(KuCoin().parse_frame('{"id":"btfeeds","type":"welcome"}'), 0)
    pings = []
    for now in range(0, 61_000, 500):
        connection.heard(now)
        assert connection.deadline() is not None
        pings += [now for effect in connection.tick(now) if effect == Send(KuCoin.heartbeat.ping)]
    assert pings == [15_000, 30_000, 45_000, 60_000]


def test_who_is_turned_away_for_a_while_waits_that_long() -> None:
    connection = opened(make(jitter=0.0))
    busy = TurnedAway(RateLimited("another connection", retry_after=15.0))
    effects = connection.received([busy], 100)
    assert kinds(effects) == [HangUp, Lost]
    assert connection.deadline() == 15_100


@pytest.mark.parametrize(
    ("venue", "frame"),
    [
        (Alpaca, '[{"T":"error","code":406,"msg":"connection limit exceeded"}]'),
        (Alpaca, '[{"T":"error","code":407,"msg":"slow client"}]'),
        (Alpaca, '[{"T":"error","code":500,"msg":"internal error"}]'),
        (Massive, '[{"ev":"status","status":"max_connections","message":"Maximum number of connections exceeded."}]'),
        (Massive, '[{"ev":"status","status":"auth_timeout","message":"auth timeout"}]'),
    ],
)
def test_what_passes_is_tried_again_however_often_the_venue_says_it(venue: type[Venue], frame: str) -> None:
    made = venue(key="k", secret="s")
    connection = Connection(made, Budget(30, 300_000, threading.Lock()), jitter=lambda: 1.0)
    connection.want([made.channel(Subscription(made.name, Symbol("AAPL"), Timeframe.parse("1m")))], 0)
    connection.start(0)
    for attempt in range(8):
        now = attempt * 120_000
        connection.tick(now)
        connection.opened(now)
        assert kinds(connection.received(made.parse_frame(frame), now)) == [HangUp, Lost], attempt


def test_a_wrong_key_ends_it_at_once() -> None:
    alpaca = Alpaca(key="k", secret="s")
    connection = opened()
    effects = connection.received(alpaca.parse_frame('[{"T":"error","code":402,"msg":"auth failed"}]'), 0)
    assert kinds(effects) == [HangUp, Refused]


def test_a_refusal_that_names_nothing_is_told_when_the_channel_is_given_up() -> None:
    alpaca = Alpaca(key="k", secret="s")
    connection = Connection(alpaca, Budget(30, 300_000, threading.Lock()), jitter=lambda: 0.0)
    connection.want([alpaca.channel(Subscription("alpaca", Symbol("AAPL"), Timeframe.parse("1m")))], 0)
    connection.start(0)
    connection.opened(0)
    connection.received(alpaca.parse_frame('[{"T":"success","msg":"authenticated"}]'), 0)
    effects: list[Effect] = []
    for now in range(1_000, 60_000, 1_000):
        if now % 10_000 == 1_000:
            frame = '[{"T":"error","code":405,"msg":"symbol limit exceeded"}]'
            effects += connection.received(alpaca.parse_frame(frame), now)
        connection.heard(now)
        effects += connection.tick(now)
    assert ["405 symbol limit exceeded" in e.error.what for e in effects if isinstance(e, Refused)] == [True]


def test_alpacas_limit_of_symbols_costs_only_the_symbol_that_is_one_too_many() -> None:
    """It refuses the whole message then, says not about which symbol, and what was subscribed before stays so."""
    alpaca = Alpaca(key="k", secret="s")
    connection = Connection(alpaca, Budget(30, 300_000, threading.Lock()), jitter=lambda: 0.0)
    connection.want(["bars:NVDA", "trades:A", "trades:B", "trades:C"], 0, proven=["bars:NVDA", "trades:A", "trades:C"])
    connection.start(0)
    connection.opened(0)
    has: dict[str, list[str]] = {"bars": [], "trades": []}
    effects = list(connection.received(alpaca.parse_frame('[{"T":"success","msg":"authenticated"}]'), 0))
    covered, refused, asked = [], [], 0
    for now in range(0, 5_000, 100):
        for effect in [effect for effect in effects if isinstance(effect, Send)]:
            said, asked = json.loads(effect.text), asked + 1
            wanted = {kind: has[kind] + said.get(kind, []) for kind in has}
            if len(wanted["trades"]) > 2:
                frame = '[{"T":"error","code":405,"msg":"symbol limit exceeded"}]'
            else:
                has = wanted
                frame = json.dumps([{"T": "subscription", **has}])
            effects += connection.received(alpaca.parse_frame(frame), now)
        covered += [name for effect in effects if isinstance(effect, Covered) for name in effect.channels]
        refused += [(effect.channels, effect.error.what) for effect in effects if isinstance(effect, Refused)]
        effects = list(connection.tick(now + 100))
    assert covered == ["bars:NVDA", "trades:A", "trades:B"] and asked == 5
    assert refused == [(("trades:C",), "Alpaca IEX refuses trades:C: 405 symbol limit exceeded")]
    assert connection.complete and connection.state is State.STREAMING


def test_krakens_already_subscribed_says_nothing_about_the_other_symbols_of_the_message() -> None:
    kraken = Kraken()
    connection = Connection(kraken, Budget(30, 300_000, threading.Lock()), jitter=lambda: 0.0)
    connection.want(["ohlc-1:BTC/USD", "ohlc-1:ETH/USD"], 0)
    connection.start(0)
    connection.opened(0)
    again = '{"error":"Already subscribed","method":"subscribe","req_id":1,"success":false,"symbol":"BTC/USD"}'
    assert connection.received(kraken.parse_frame(again), 10) == [Covered(("ohlc-1:BTC/USD",))]
    sent = [effect.text for effect in connection.tick(10_000) if isinstance(effect, Send)]
    assert len(sent) == 1 and "ETH/USD" in sent[0] and "BTC/USD" not in sent[0]
