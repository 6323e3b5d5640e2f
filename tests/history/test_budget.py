"""Whose turn it is at a host: budgets by address or key, deadlines of other processes, and the circuit."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from btfeeds import bans, monitor
from btfeeds.clock import Clock, ManualClock, ScaledClock, SystemClock
from btfeeds.errors import (
    BadFrame,
    Banned,
    NetworkError,
    RateLimited,
    TlsError,
    UnknownSymbol,
    VenueUnavailable,
)
from btfeeds.history.budget import Budgets, others_can_be_asked
from btfeeds.monitor import CircuitClosed, CircuitOpened, Happening
from btfeeds.venues.base import Provider
from btfeeds.venues.binance import Binance

DOWN = VenueUnavailable("Binance answers 503.")


def provider(key: str = "", url: str = "https://venue.test:8443", **limits: float) -> Provider:
    made = Binance(rest_url=url, key=key)
    made.limits = dataclasses.replace(made.limits, **limits)  # type: ignore[arg-type, misc]
    return made


def end(budgets: Budgets, asked: Provider, error: BaseException | None) -> None:
    """A request ends so."""
    if error is None:
        with budgets.asked(asked):
            return
    with pytest.raises(type(error)), budgets.asked(asked):
        raise error


def opened(clock: Clock, asked: Provider) -> Budgets:
    budgets = Budgets(clock)
    for _ in range(15):
        assert budgets.turn(asked, 1) == 0
        end(budgets, asked, DOWN)
    return budgets


@pytest.fixture
def happened() -> Iterator[list[Happening]]:
    told: list[Happening] = []
    sink = monitor.add(told.append)
    yield told
    monitor.remove(sink)


# --- budgets ---------------------------------------------------------------------------------------------------------


def test_clients_on_the_machine_s_clock_share_a_day_s_requests() -> None:
    one, other, asked = Budgets(SystemClock()), Budgets(SystemClock()), provider(requests_per_day=2)
    assert one.turn(asked, 1) == other.turn(asked, 1) == 0
    for budgets in (one, other):
        with pytest.raises(RateLimited) as caught:
            budgets.turn(asked, 1)
        assert 86_000 < caught.value.retry_after <= 86_400
    assert str(caught.value).splitlines() == [
        "The 2 requests a day of Binance are spent.",
        "No request was sent.",
        "Ask again in 24.0 hours, or another provider.",
    ]


@pytest.mark.parametrize("clock", [ManualClock(), ScaledClock(0, 60.0)])
def test_simulated_time_shares_nothing_and_leaves_nothing_on_disk(clock: Clock, state_of_its_own: Path) -> None:
    one, other, asked = Budgets(clock), Budgets(clock), provider(requests_per_day=1)
    assert one.turn(asked, 1) == other.turn(asked, 1) == 0
    one.learn(asked, 100)
    assert list(state_of_its_own.iterdir()) == []


def test_keys_have_budgets_of_their_own() -> None:
    clock = ManualClock()
    budgets, limits = Budgets(clock), {"requests_per_day": 1}
    assert budgets.turn(provider("first", **limits), 1) == 0
    assert budgets.turn(provider("second", **limits), 1) == 0
    assert budgets.turn(provider("", **limits), 1) == 0
    with pytest.raises(RateLimited):
        budgets.turn(provider("first", **limits), 1)


def test_no_credential_is_written_to_the_file(state_of_its_own: Path) -> None:
    asked = provider("cAnArY-key", "https://user:cAnArY-word@venue.test")
    Budgets(SystemClock()).turn(asked, 1)
    (file,) = [path for path in state_of_its_own.iterdir() if path.suffix == ".db"]
    written = file.read_bytes()
    assert b"venue.test" in written
    assert b"cAnArY" not in written and b"user" not in written


def test_a_request_too_many_in_a_second_waits() -> None:
    budgets, asked = Budgets(ManualClock()), provider(requests_per_second=2.0)
    assert [budgets.turn(asked, 1) for _ in range(3)] == [0, 0, 1_000]


# --- deadlines -------------------------------------------------------------------------------------------------------


def test_a_deadline_said_to_another_process_is_heeded_in_the_middle_of_a_run() -> None:
    clock, asked = SystemClock(), provider()
    budgets = Budgets(clock)
    assert budgets.turn(asked, 1) == 0
    bans.remember("venue.test:8443", 55_000, clock)  # as another process does
    assert 0 < budgets.turn(asked, 1) <= 55_000
    bans.remember("venue.test:8443", 7_200_000, clock)
    with pytest.raises(Banned):
        budgets.turn(asked, 1)


def test_a_long_deadline_of_our_own_is_waited_for_though_it_is_written_down() -> None:
    clock, asked = SystemClock(), provider()
    budgets = Budgets(clock)
    budgets.hold(asked, RateLimited("slow down", retry_after=90))
    bans.remember("venue.test:8443", 90_500, clock)  # as on a machine that was slow in writing it down
    assert 0 < budgets.turn(asked, 1) <= 90_000
    assert bans.left("venue.test:8443", clock) > 0


def test_a_far_deadline_is_told_where_somebody_else_can_be_asked() -> None:
    clock, asked = SystemClock(), provider()
    budgets = Budgets(clock)
    budgets.hold(asked, RateLimited("slow down", retry_after=3_600))
    with others_can_be_asked(), pytest.raises(RateLimited) as caught:
        budgets.turn(asked, 1)
    assert not isinstance(caught.value, Banned)
    assert caught.value.retry_after > 3_500
    assert budgets.turn(asked, 1) > 3_500_000  # alone it is waited for


def test_what_one_key_has_spent_shuts_out_no_other_key() -> None:
    clock, first, second = SystemClock(), provider("first"), provider("second")
    spent = Banned("as many as its plan allows", retry_after=3_600, of_key=True)
    Budgets(clock).hold(first, spent)
    assert Budgets(clock).turn(second, 1) == Budgets(clock).turn(provider(), 1) == 0
    with pytest.raises(Banned) as caught:
        Budgets(clock).turn(first, 1)
    assert str(caught.value).splitlines()[0].startswith("Binance takes no request for 3600 s more")


def test_an_address_that_is_banned_is_banned_with_every_key() -> None:
    clock = SystemClock()
    Budgets(clock).hold(provider("first"), Banned("out", retry_after=3_600))
    for key in ("first", "second", ""):
        with pytest.raises(Banned):
            Budgets(clock).turn(provider(key), 1)


def test_no_credential_is_written_to_the_file_of_deadlines(state_of_its_own: Path) -> None:
    spent = Banned("as many as its plan allows", retry_after=3_600, of_key=True)
    Budgets(SystemClock()).hold(provider("cAnArY-key", "https://user:cAnArY-word@venue.test"), spent)
    written = (state_of_its_own / "closed.json").read_text(encoding="utf-8")
    assert "venue.test" in written and "cAnArY" not in written and "user" not in written


# --- the circuit -----------------------------------------------------------------------------------------------------


def test_while_it_is_open_every_request_is_refused_and_told_when_to_come_back(happened: list[Happening]) -> None:
    clock, asked = ManualClock(), provider()
    budgets = opened(clock, asked)
    assert budgets.resting(asked)
    clock.advance(1_500)
    with pytest.raises(VenueUnavailable) as caught:
        budgets.turn(asked, 1)
    assert str(caught.value).splitlines() == [
        "Binance has not answered 15 times in a row.",
        "No request was sent; it is tried again in 4 s.",
        "Check the network and the venue's status page.",
    ]
    assert happened == [CircuitOpened("binance", 15, 5_000, "Binance answers 503.")]


def test_a_refused_request_costs_nothing_of_the_budget() -> None:
    clock, asked = ManualClock(), provider(requests_per_day=16)
    budgets = opened(clock, asked)
    for _ in range(5):
        with pytest.raises(VenueUnavailable):
            budgets.turn(asked, 1)
    clock.advance(5_000)
    assert budgets.turn(asked, 1) == 0


def test_one_request_tries_the_host_and_the_others_wait_for_it(happened: list[Happening]) -> None:
    clock, asked = ManualClock(), provider()
    budgets = opened(clock, asked)
    clock.advance(5_000)
    assert budgets.turn(asked, 1) == 0
    assert [budgets.turn(asked, 1), budgets.turn(asked, 1)] == [50, 50]
    clock.advance(700)
    end(budgets, asked, None)
    assert budgets.turn(asked, 1) == 0
    assert happened[1:] == [CircuitClosed("binance", 5_700)]


def test_one_that_fails_opens_it_for_longer(happened: list[Happening]) -> None:
    clock, asked = ManualClock(), provider()
    budgets = opened(clock, asked)
    clock.advance(5_000)
    budgets.turn(asked, 1)
    end(budgets, asked, NetworkError("Binance cannot be reached."))
    assert budgets.resting(asked)
    with pytest.raises(VenueUnavailable, match=r"16 times .*\n.* in 10 s"):
        budgets.turn(asked, 1)
    assert happened[1:] == [CircuitOpened("binance", 16, 10_000, "Binance cannot be reached.")]


def test_a_try_that_is_broken_off_holds_nobody_up() -> None:
    clock, asked = ManualClock(), provider()
    budgets = opened(clock, asked)
    clock.advance(5_000)
    budgets.turn(asked, 1)
    end(budgets, asked, KeyboardInterrupt())
    clock.advance(10_000)
    assert budgets.turn(asked, 1) == 0


def test_a_deadline_passes_before_the_host_is_tried() -> None:
    clock, asked = ManualClock(), provider()
    budgets = opened(clock, asked)
    budgets.hold(asked, RateLimited("slow down", retry_after=8))
    clock.advance(5_000)
    assert budgets.turn(asked, 1) == 3_000
    clock.advance(3_000)
    assert budgets.turn(asked, 1) == 0


def test_hosts_have_circuits_of_their_own() -> None:
    clock = ManualClock()
    budgets = opened(clock, provider())
    assert budgets.turn(provider(url="https://other.test"), 1) == 0


def test_clients_of_one_process_share_the_circuit_of_a_host(happened: list[Happening]) -> None:
    opened(SystemClock(), provider())
    other = Budgets(SystemClock())
    with pytest.raises(VenueUnavailable, match="has not answered 15 times"):
        other.turn(provider(), 1)
    assert other.turn(provider(url="https://other.test"), 1) == 0
    assert [type(one) for one in happened] == [CircuitOpened]  # told once, not by each


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system knows no fork")
def test_a_child_finds_out_by_itself_how_a_host_fares() -> None:
    opened(SystemClock(), provider())
    child = os.fork()
    if not child:
        os._exit(int(Budgets(SystemClock()).resting(provider())))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_requests_that_were_given_up_say_nothing_about_the_host() -> None:
    clock, asked = ManualClock(), provider()
    budgets = Budgets(clock)
    for _ in range(20):
        assert budgets.turn(asked, 1) == 0
        with pytest.raises(NetworkError), budgets.asked(asked, lambda: True):
            raise NetworkError("The connection was closed by another thread.")
    assert not budgets.resting(asked)


def test_a_try_that_was_given_up_makes_room_for_another_at_once() -> None:
    clock, asked = ManualClock(), provider()
    budgets = opened(clock, asked)
    clock.advance(5_000)
    assert budgets.turn(asked, 1) == 0
    with pytest.raises(NetworkError), budgets.asked(asked, lambda: True):
        raise NetworkError("Nobody waits for it any more.")
    assert [budgets.turn(asked, 1), budgets.turn(asked, 1)] == [0, 50]


@pytest.mark.parametrize("no", [UnknownSymbol("no"), RateLimited("slow"), Banned("out"), BadFrame("what?"), None])
def test_a_no_is_an_answer(no: BaseException | None) -> None:
    clock, asked = ManualClock(), provider()
    budgets = Budgets(clock)
    for error in [*[DOWN] * 14, no, *[DOWN] * 14]:
        assert budgets.turn(asked, 1) == 0
        end(budgets, asked, error)
    assert not budgets.resting(asked)


@pytest.mark.parametrize("error", [NetworkError("gone"), TlsError("not theirs"), DOWN, ValueError("a bug")])
def test_no_answer_is_none(error: BaseException) -> None:
    clock, asked = ManualClock(), provider()
    budgets = Budgets(clock)
    for _ in range(15):
        end(budgets, asked, error)
    assert budgets.resting(asked)
