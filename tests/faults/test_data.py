"""Damaged and unusual data on real sockets: rows D01 to D23 of the fault table, as far as not shown elsewhere.

The dialect is Binance's; a frame that cannot be right is rejected with its reason, and history gives the bar.
"""

from __future__ import annotations

import json

import pytest

from btfeeds.live.items import Correction
from btfeeds.venues.base import Heartbeat
from btfeeds.venues.binance import Binance
from tests.faults.rig import M, Rig, bar
from tests.live.scripted import Peer, Scripted

CHANNEL = "btcusdt@kline_1m"


class Calm(Binance):
    heartbeat = Heartbeat(idle_ms=10**12)


def kline(minute: int, **changed: object) -> str:
    """The closed bar of a minute as Binance says it; `changed` are raw values, None leaves the field out."""
    true = bar(minute)
    k = {"t": true.open_time, "T": true.open_time + M - 1, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 9,
         "o": str(true.open), "c": str(true.close), "h": str(true.high), "l": str(true.low), "v": str(true.volume),
         "n": 9, "x": True, "q": "1", "V": "1", "Q": "1", "B": "0"}  # fmt: skip
    event = changed.pop("E", true.open_time + M + 20)
    for name, value in changed.items():
        k[name] = value  # type: ignore[assignment]
        if value is None:
            del k[name]
    return json.dumps({"stream": CHANNEL, "data": {"e": "kline", "E": event, "s": "BTCUSDT", "k": k}})


def script(peer: Peer) -> None:
    while True:
        peer.connection.send(json.dumps({"result": None, "id": peer.hear()["id"]}))


def rig(server: Scripted) -> Rig:
    return Rig(server.url, venue=Calm(stream_url=server.url))


WHOLE = kline(100)
BAD = {
    "D01 truncated": (WHOLE[: len(WHOLE) // 2], "malformed"),
    "D01 not JSON": ("<html>busy</html>", "malformed"),
    "D02 a field is missing": (kline(100, c=None), "schema"),
    "D02 null": (WHOLE.replace('"o": "110.0"', '"o": null'), "schema"),
    "D02 a wrong type": (kline(100, x="perhaps"), "schema"),
    "D03 NaN": (kline(100, h="NaN"), "not_finite"),
    "D03 infinity": (kline(100, h="Infinity"), "not_finite"),
    "D03 1e999": (kline(100, h="1e999"), "not_finite"),
    "D04 a price of zero": (kline(100, l="0"), "price_not_positive"),
    "D04 a negative volume": (kline(100, v="-1"), "volume_negative"),
    "D05 high below low": (kline(100, h="1"), "high_low"),
    "D13 from the future": (kline(100, t=200 * M, E=201 * M), "future"),
    "D17 a renamed field": (WHOLE.replace('"o"', '"open"'), "schema"),
    "D18 seconds for ms": (kline(100, t=100 * 60 + 1), "off_grid"),
    "D18 off the grid": (kline(100, t=100 * M + 7), "off_grid"),
}


@pytest.mark.parametrize("row", BAD)
def test_what_cannot_be_right_is_rejected_and_history_gives_the_bar(row: str) -> None:
    text, reason = BAD[row]
    with Scripted(script) as server, rig(server) as met:
        met.until_live()
        met.advance_to(101)
        server.peers[0].connection.send(text)
        met.until(met.rejected)
        met.advance(met.stream.venue.grace_ms)
        met.until_minute(100)
        assert server.connects == 1
    assert met.proven(97, 100)
    assert len(met.rejected()) == 1
    assert met.rejected()[0] in (reason, "not_finite" if row.startswith("D03") else reason, *_ALSO.get(row, ()))


_ALSO = {"D03 NaN": ("schema", "high_low"), "D03 infinity": ("schema", "high_low")}

GOOD = {
    "D17 a new field": kline(100, Z="new"),
    "D19 numbers for text": kline(100, o=110.0, c=111, h=112.0, l=108, v=101),
    "D19 an exponent": kline(100, o="1.1e2"),
    "D19 twenty digits": kline(100, o="110.00000000000000000"),
}


@pytest.mark.parametrize("row", GOOD)
def test_what_is_only_unusual_is_understood(row: str) -> None:
    with Scripted(script) as server, rig(server) as met:
        met.until_live()
        met.advance_to(101)
        server.peers[0].connection.send(GOOD[row])
        met.until_minute(100)
        assert met.rejected() == []
    assert met.proven(97, 100)


def test_d06_d07_bars_out_of_order_and_twice_leave_in_order_and_once() -> None:
    with Scripted(script) as server, rig(server) as met:
        met.until_live()
        met.advance_to(103)
        for minute in (101, 100, 101, 102, 100):
            server.peers[0].connection.send(kline(minute, E=103 * M + 20))
        met.until_minute(102)
        assert server.connects == 1
    assert met.proven(97, 102)


def test_d08_a_corrected_bar_is_told_and_never_delivered_again() -> None:
    with Scripted(script) as server, rig(server) as met:
        met.until_live()
        met.advance_to(101)
        server.peers[0].connection.send(kline(100))
        met.until_minute(100)
        server.peers[0].connection.send(kline(100, v="999"))
        met.until(lambda: "UNKNOWN" in met.words)
    assert met.proven(97, 100)
    (payload,) = [payload for payload in met.payloads if isinstance(payload, Correction)]
    assert (payload.before.volume, payload.after.volume) == (101.0, 999.0)


def test_d09_a_bar_that_says_closed_before_its_time_is_not_believed() -> None:
    with Scripted(script) as server, rig(server) as met:
        met.until_live()
        met.advance_to(100.5)
        server.peers[0].connection.send(kline(100, v="50", E=100 * M + 30_020))
        met.until(met.rejected)
        met.advance_to(101)
        server.peers[0].connection.send(kline(100))
        met.until_minute(100)
    assert met.rejected() == ["unfinished"]
    assert met.proven(97, 100)


def test_d23_in_a_burst_of_ten_thousand_frames_no_closed_bar_is_dropped() -> None:
    with Scripted(script) as server, rig(server) as met:
        met.until_live()
        for minute in range(100, 110):
            met.advance_to(minute + 1)
            forming = kline(minute, x=False, E=minute * M + 59_000)
            for _ in range(999):
                server.peers[0].connection.send(forming)
            server.peers[0].connection.send(kline(minute))
        most = len(met.stream._ring)
        met.until_minute(109)
        assert server.connects == 1
    assert most <= 64, "forming bars are not kept"
    assert met.proven(97, 109)
