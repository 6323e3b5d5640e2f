"""What happens at the simulated venue, instant by instant; no socket, no wall clock."""

from __future__ import annotations

import json

import pytest

from btfeeds.errors import SimulatorError
from btfeeds.simulator.faults import parse
from tests.simulator.helpers import MINUTE, START, Scene, klines, minutes


def _subscribe(scene: Scene, peer: object, *channels: str) -> None:
    text = json.dumps({"method": "SUBSCRIBE", "params": channels, "id": 1})
    scene.engine.message(peer, text, scene.engine.now)  # type: ignore[arg-type]


def test_a_bar_forms_in_eight_updates_and_closes_27_ms_behind_its_end() -> None:
    scene = Scene(minutes(20))
    _, wire = scene.client()
    scene.run(MINUTE + 26)
    assert klines(wire) == [(10, False)] * 8
    scene.run(1)
    assert klines(wire)[8:] == [(10, True)]
    assert json.loads(wire.texts[-1])["E"] == START + 11 * MINUTE + 27


def test_closed_bars_are_sent_later_with_a_longer_delay() -> None:
    scene = Scene(minutes(20), delay=2000)
    _, wire = scene.client()
    scene.run(MINUTE + 1999)
    assert klines(wire, closed=True) == []
    scene.run(1)
    assert klines(wire, closed=True) == [(10, True)]


def test_a_minute_without_trades_is_not_streamed() -> None:
    scene = Scene(minutes(20, quiet=(11,)))
    _, wire = scene.client()
    scene.run(3 * MINUTE + 100)
    assert klines(wire, closed=True) == [(10, True), (12, True)]


def test_a_minute_without_trades_is_streamed_flat_when_asked() -> None:
    scene = Scene(minutes(20, quiet=(11,)), quiet="flat")
    _, wire = scene.client()
    scene.run(2 * MINUTE + 100)
    assert klines(wire)[-1] == (11, True)
    bar = json.loads(wire.texts[-1])["k"]
    assert (bar["f"], bar["L"], bar["n"], bar["v"]) == (-1, -1, 0, "0.00000000")


def test_larger_bars_close_with_the_last_minute_in_them() -> None:
    scene = Scene(minutes(30))
    _, wire = scene.client("/ws/btcusdt@kline_5m")
    scene.run(10 * MINUTE + 100)
    assert klines(wire, closed=True) == [(10, True), (15, True)]


def test_a_larger_bar_closes_even_if_the_file_ends_within_it() -> None:
    scene = Scene(minutes(13))
    _, wire = scene.client("/ws/btcusdt@kline_5m")
    scene.run(10 * MINUTE)
    assert klines(wire, closed=True) == [(10, True)]
    assert json.loads(wire.texts[-1])["E"] == START + 15 * MINUTE + 27


def test_updates_are_thinned_out_when_time_flies() -> None:
    scene = Scene(minutes(20), speed=60_000)  # 8,000 updates in a second of the wall
    _, wire = scene.client()
    scene.run(MINUTE + 100)
    assert klines(wire) == [(10, False)] * 2 + [(10, True)]


def test_trades_are_sent_with_their_bar() -> None:
    scene = Scene(minutes(20))
    _, wire = scene.client("/ws/btcusdt@aggTrade")
    scene.run(MINUTE)
    trades = [json.loads(text) for text in wire.texts]
    assert (trades[0]["p"], trades[-1]["p"]) == ("110.00000000", "111.00000000")
    assert sum(trade["l"] - trade["f"] + 1 for trade in trades) == 20


def test_what_is_no_longer_subscribed_is_no_longer_sent() -> None:
    scene = Scene(minutes(20))
    peer, wire = scene.client()
    scene.engine.message(peer, '{"method":"UNSUBSCRIBE","params":["btcusdt@kline_1m"],"id":1}', scene.engine.now)
    scene.run(MINUTE + 100)
    assert wire.texts == ['{"result":null,"id":1}']


def test_a_symbol_that_is_not_listed_is_confirmed_and_silent() -> None:
    scene = Scene(minutes(20))
    peer, wire = scene.client("/ws")
    _subscribe(scene, peer, "nonesuch@kline_1m")
    scene.run(2 * MINUTE)
    assert wire.texts == ['{"result":null,"id":1}']


def test_the_server_pings_every_20_s_and_an_echo_keeps_the_connection() -> None:
    scene = Scene(minutes(20))
    scene.echo = False
    peer, wire = scene.client("/ws")
    for _ in range(6):
        scene.run(20_000)
        scene.engine.heard(peer, "pong", wire.pings[-1], scene.engine.now)
    assert (len(wire.pings), wire.done) == (6, [])


def test_a_client_that_does_not_echo_is_dropped_after_60_s() -> None:
    scene = Scene(minutes(20))
    scene.echo = False
    peer, wire = scene.client("/ws")
    scene.run(20_000)
    scene.engine.heard(peer, "pong", b"something else", scene.engine.now)
    scene.run(59_999)
    assert wire.done == []
    scene.run(1)
    assert wire.done == [("close", 1008, "Pong timeout")]
    assert scene.engine.peers == set()


def test_the_echo_of_a_later_ping_answers_the_earlier_ones() -> None:
    scene = Scene(minutes(20))
    scene.echo = False
    peer, wire = scene.client("/ws")
    scene.run(40_000)
    scene.engine.heard(peer, "pong", wire.pings[1], scene.engine.now)
    scene.run(79_999)  # the ping of the 60th second has until the 120th
    assert wire.done == []
    scene.run(1)
    assert wire.done == [("close", 1008, "Pong timeout")]


def test_an_echo_of_something_else_answers_nothing() -> None:
    scene = Scene(minutes(20))
    scene.echo = False
    peer, _ = scene.client("/ws")
    scene.run(20_000)
    scene.engine.heard(peer, "pong", b"something else", scene.engine.now)
    assert len(peer.pings) == 1


def test_a_sixth_message_in_a_second_closes_with_1008() -> None:
    scene = Scene(minutes(20))
    peer, wire = scene.client("/ws")
    for number in range(6):
        scene.engine.message(peer, json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}), scene.engine.now)
    assert len(wire.texts) == 5
    assert wire.done == [("close", 1008, "Too many requests")]


def test_a_connection_lives_24_hours() -> None:
    scene = Scene(minutes(20))
    _, wire = scene.client("/ws")
    scene.run(24 * 60 * MINUTE - 1)
    assert wire.done == []
    scene.run(1)
    assert wire.done == [("close", 1001, "24 hours are over")]


# --- faults ---------------------------------------------------------------------------------------------------------


def _struck(text: str, *, bars: int = 30) -> Scene:
    scene = Scene(minutes(bars))
    scene.engine.schedule(parse(text))
    return scene


@pytest.mark.parametrize(
    ("text", "done"),
    [("cut@30s", ("cut", "rst")), ("cut@30s:fin", ("cut", "fin")), ("close@30s:1012", ("close", 1012, ""))],
)
def test_a_connection_ends_at_the_time_and_in_the_way_that_was_asked(text: str, done: tuple[object, ...]) -> None:
    scene = _struck(text)
    _, wire = scene.client()
    scene.run(29_999)
    assert wire.done == []
    scene.run(MINUTE)
    assert wire.done == [done]
    assert klines(wire, closed=True) == []


def test_a_silent_connection_stays_open_and_a_new_one_works() -> None:
    scene = _struck("silence@30s")
    old, silent = scene.client()
    scene.run(30_000)
    before = len(silent.texts)
    _, new = scene.client()
    scene.run(10 * MINUTE)
    assert (len(silent.texts), silent.done, old in scene.engine.peers) == (before, [("read", False)], True)
    assert klines(new, closed=True)[0] == (10, True)


def test_a_silence_can_end() -> None:
    scene = _struck("silence@30s:60s")
    _, wire = scene.client()
    scene.run(3 * MINUTE)
    assert wire.done == [("read", False), ("read", True)]
    assert klines(wire, closed=True) == [(11, True)]


def test_a_muted_subscription_is_dead_until_it_is_made_anew() -> None:
    scene = _struck("mute@30s:BTC/USDT")
    peer, wire = scene.client()
    scene.run(2 * MINUTE + 100)
    assert klines(wire, closed=True) == []
    _subscribe(scene, peer, "btcusdt@kline_1m")
    scene.run(MINUTE)
    assert klines(wire, closed=True) == [(12, True)]


def test_a_symbol_muted_for_a_time_is_mute_for_everybody_until_then() -> None:
    scene = _struck("mute@30s:BTCUSDT,60s")
    scene.run(40_000)
    _, wire = scene.client()
    scene.run(MINUTE)
    assert klines(wire, closed=True) == []
    scene.run(MINUTE)
    assert klines(wire, closed=True) == [(11, True)]


def test_a_symbol_that_is_not_served_cannot_be_muted() -> None:
    with pytest.raises(SimulatorError, match="ETH/USDT"):
        _struck("mute@30s:ETH/USDT")


def test_a_duplicate_is_sent_once_more_and_only_once() -> None:
    scene = _struck("duplicate@30s")
    _, wire = scene.client()
    scene.run(2 * MINUTE + 100)
    assert klines(wire, closed=True) == [(10, True), (10, True), (11, True)]


def test_a_reordered_bar_comes_behind_the_next() -> None:
    scene = _struck("reorder@30s")
    _, wire = scene.client()
    scene.run(3 * MINUTE + 100)
    assert klines(wire, closed=True) == [(11, True), (10, True), (12, True)]


def test_an_unfinished_bar_is_flagged_early_and_its_true_end_follows() -> None:
    scene = _struck("unfinished@30s")
    _, wire = scene.client()
    scene.run(MINUTE + 100)
    lie, truth = [f for f in map(json.loads, wire.texts) if f["k"]["x"]]
    assert lie["k"]["t"] == truth["k"]["t"]
    assert lie["E"] < lie["k"]["T"] < truth["E"]
    assert lie["k"]["n"] < truth["k"]["n"] == 20


def test_what_is_flagged_too_early_is_never_the_whole_bar() -> None:
    scene = Scene(minutes(30))
    _, wire = scene.client()
    scene.run(scene.market.ticks(10)[6].time - scene.engine.now)
    scene.engine.strike(parse("unfinished", scheduled=False))
    scene.run(2 * MINUTE)
    assert klines(wire, closed=True) == [(10, True), (11, True), (11, True)]


def test_a_delayed_bar_comes_behind_updates_of_the_next() -> None:
    scene = _struck("delay@30s:20s")
    _, wire = scene.client()
    scene.run(2 * MINUTE + 100)
    seen = klines(wire)
    assert seen.index((10, True)) > seen.index((11, False))
    assert klines(wire, closed=True) == [(10, True), (11, True)]


def test_a_malformed_frame_takes_the_place_of_a_closed_bar() -> None:
    scene = _struck("malformed@30s")
    _, wire = scene.client()
    scene.run(MINUTE + 100)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(wire.texts[-1])
    scene.run(MINUTE)
    assert json.loads(wire.texts[-1])["k"]["x"] is True


def test_bytes_drip_for_a_while_and_then_flow() -> None:
    scene = _struck("drip@30s:1s")
    _, wire = scene.client()
    scene.run(MINUTE)
    assert wire.done == [("drip", True), *[("drop", 8)] * 4, ("drip", False)]


def test_a_shutdown_is_announced_and_then_happens() -> None:
    scene = _struck("shutdown_notice@30s:10s")
    _, raw = scene.client()
    _, combined = scene.client("/stream", "streams=btcusdt@kline_1m")
    scene.run(30_000)
    said = {"e": "serverShutdown", "E": START + 10 * MINUTE + 30_000}
    assert json.loads(raw.texts[-1]) == said
    assert json.loads(combined.texts[-1]) == {"stream": "!serverShutdown", "data": said}
    assert raw.done == []
    scene.run(10_000)
    assert raw.done == combined.done == [("close", 1001, "shutdown")]


def _newest(scene: Scene) -> int:
    query = {"symbol": "BTCUSDT", "interval": "1m", "limit": "1"}
    return (json.loads(scene.engine.ask("/api/v3/klines", query, scene.engine.now).body)[0][0] - START) // MINUTE


def test_rest_lags_until_it_is_told_not_to() -> None:
    scene = _struck("rest_lag@0s:5s")
    scene.engine.schedule(parse("rest_lag@4s:0s"))
    scene.run(3_000)
    assert _newest(scene) == 9
    scene.run(1_000)
    assert _newest(scene) == 10


@pytest.mark.parametrize(
    ("text", "status", "retry_after"),
    [("rate_limit@0s:30s", 429, "28"), ("ban@0s:30s", 418, "28"), ("unavailable@0s:30s", 503, None)],
)
def test_requests_are_refused_for_a_time(text: str, status: int, retry_after: str | None) -> None:
    scene = _struck(text)
    scene.run(2_000)
    reply = scene.engine.ask("/api/v3/time", {}, scene.engine.now)
    assert (reply.status, reply.headers.get("Retry-After")) == (status, retry_after)
    scene.run(28_000)
    assert scene.engine.ask("/api/v3/time", {}, scene.engine.now).status == 200


def test_for_a_time_every_answer_is_a_page_of_html() -> None:
    scene = _struck("html@0s:5s")
    scene.run(1_000)
    reply = scene.engine.ask("/api/v3/time", {}, scene.engine.now)
    assert (reply.status, reply.headers["Content-Type"], reply.body[:6]) == (502, "text/html", "<html>")
    scene.run(4_000)
    assert scene.engine.ask("/api/v3/time", {}, scene.engine.now).status == 200


@pytest.mark.parametrize(
    ("fault", "opened"), [("", range(3, 9)), ("short_pages@0s", range(3, 5)), ("overlap@0s", range(2, 9))]
)
def test_an_answer_may_be_short_or_begin_too_early(fault: str, opened: range) -> None:
    scene = _struck(fault) if fault else Scene(minutes(30))
    scene.run(1_000)
    query = {"symbol": "BTCUSDT", "interval": "1m", "startTime": str(START + 3 * MINUTE), "limit": "6"}
    rows = json.loads(scene.engine.ask("/api/v3/klines", query, scene.engine.now).body)
    assert [(row[0] - START) // MINUTE for row in rows] == list(opened)


@pytest.mark.parametrize(("name", "refused"), [("rate_limit", False), ("ban", True), ("region_block", True)])
def test_new_connections_are_refused_but_not_by_a_rate_limit(name: str, refused: bool) -> None:
    scene = _struck(f"{name}@0s")
    scene.run(0)
    assert (scene.engine.refusal(scene.engine.now) is not None) == refused


def test_a_region_block_lasts() -> None:
    scene = _struck("region_block@0s")
    scene.run(10 * MINUTE)
    assert scene.engine.ask("/api/v3/time", {}, scene.engine.now).status == 451


def test_the_log_tells_what_was_asked_and_what_became_of_it() -> None:
    scene = _struck("cut@30s")
    scene.engine.ask("/api/v3/time", {"a": "1"}, scene.engine.now)
    peer, _ = scene.client("/ws")
    _subscribe(scene, peer, "btcusdt@kline_1m")
    scene.run(MINUTE)
    assert [(entry.what, entry.connection) for entry in scene.engine.log] == [
        ("rest", 0), ("connect", 1), ("message", 1), ("fault", 0), ("disconnect", 1),
    ]  # fmt: skip
    assert scene.engine.log[0].detail == "200 /api/v3/time?a=1"
