"""What a connection remembers: pings that are always due, and the names that a venue gives to channels."""

from __future__ import annotations

import pytest

from btfeeds.errors import BadFrame
from btfeeds.live.channels import Aliases, Beat
from btfeeds.market import Bar
from btfeeds.venues.base import Accepted, Alive, BarUpdate, Heartbeat
from btfeeds.venues.bitfinex import Bitfinex

MINUTES, FIVES = "trade:1m:tBTCUSD", "trade:5m:tBTCUSD"
AT_SEVEN = Bar(1_700_000_220_000, 10.0, 12.0, 9.0, 11.0, 3.0)  # 22:17:00, no bar of five minutes opens there


def bar(alias: str) -> BarUpdate:
    return BarUpdate(alias, AT_SEVEN, False)


def test_a_steady_ping_is_due_again_and_again_whatever_is_heard() -> None:
    beat, heartbeat = Beat(), Heartbeat(idle_ms=15_000, ping="ping", steady=True)
    beat.start(heartbeat, 1_000)
    assert [now for now in range(0, 60_000, 1_000) if beat.due(heartbeat, now)] == [16_000, 31_000, 46_000]


def test_a_ping_for_idle_links_only_is_never_due_by_itself() -> None:
    beat, heartbeat = Beat(), Heartbeat(ping="ping")
    beat.start(heartbeat, 0)
    assert not any(beat.due(heartbeat, now) for now in range(0, 600_000, 1_000))


def test_an_alias_stands_for_the_channel_of_its_confirmation() -> None:
    aliases, venue = Aliases(), Bitfinex()
    events = [Alive(), bar("17"), Accepted(None, (MINUTES,), alias="17"), bar("17"), bar("18")]
    assert list(aliases.named(events, venue)) == [events[0], events[2], bar(MINUTES)]
    assert aliases.of([MINUTES, FIVES]) == ["17", FIVES]


def test_a_new_connection_knows_no_alias_of_the_old_one() -> None:
    aliases, venue = Aliases(), Bitfinex()
    list(aliases.named([Accepted(None, (MINUTES,), alias="17")], venue))
    aliases.clear()
    assert list(aliases.named([bar("17")], venue)) == []


def test_the_newest_number_of_a_channel_is_the_one_that_ends_it() -> None:
    aliases, venue = Aliases(), Bitfinex()
    list(aliases.named([Accepted(None, (MINUTES,), alias=number) for number in ("17", "19")], venue))
    assert aliases.of([MINUTES]) == ["19"]
    assert list(aliases.named([bar("17")], venue)) == [bar(MINUTES)], "what is under way comes to its channel"


def test_a_bar_off_the_grid_of_its_channel_is_rejected() -> None:
    aliases, venue = Aliases(), Bitfinex()
    with pytest.raises(BadFrame) as caught:
        list(aliases.named([Accepted(None, (FIVES,), alias="17"), bar("17")], venue))
    assert caught.value.reason == "off_grid"


def test_a_trade_never_comes_as_a_bar() -> None:
    aliases, venue = Aliases(), Bitfinex()
    with pytest.raises(BadFrame):
        list(aliases.named([Accepted(None, ("trades:tBTCUSD",), alias="17"), bar("17")], venue))
