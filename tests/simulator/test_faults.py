"""Faults by name: what is understood, and what is refused with the list."""

from __future__ import annotations

import pytest

from btfeeds.errors import SimulatorError
from btfeeds.simulator.faults import FAULTS, FOREVER, Fault, parse


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cut@60s", Fault("cut", 60_000)),
        ("cut@1500ms:fin", Fault("cut", 1_500, way="fin")),
        ("close@5m:1012", Fault("close", 300_000, code=1012)),
        ("close@5", Fault("close", 5_000, code=1001)),
        ("mute@150s:BTC/USDT", Fault("mute", 150_000, FOREVER, "BTC/USDT")),
        ("mute@1h:BTC/USDT,10m", Fault("mute", 3_600_000, 600_000, "BTC/USDT")),
        ("mute@0s", Fault("mute", 0)),
        ("rest_lag@0s:5s", Fault("rest_lag", 0, 5_000)),
        ("ban@1s:30", Fault("ban", 1_000, 30_000)),
        ("ban@1s", Fault("ban", 1_000, 120_000)),
        ("silence@1s", Fault("silence", 1_000, FOREVER)),
    ],
)
def test_a_fault_is_a_name_a_time_and_an_argument(text: str, fault: Fault) -> None:
    assert parse(text) == fault


@pytest.mark.parametrize("name", FAULTS)
def test_every_name_can_be_scheduled_without_an_argument(name: str) -> None:
    assert (parse(f"{name}@2s").name, parse(f"{name}@2s").when) == (name, 2_000)


def test_a_fault_for_now_has_no_time() -> None:
    assert parse("close:1012", scheduled=False) == Fault("close", code=1012)


@pytest.mark.parametrize(
    "text",
    ["explode@1s", "cut", "cut@", "cut@soon", "cut@1s:", "cut@1s:hard", "close@1s:1006", "duplicate@1s:2",
     "delay@1s:long", "mute@1s:BTC/USDT,", ""],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_the_list_of_names(text: str) -> None:
    with pytest.raises(SimulatorError) as refused:
        parse(text)
    assert len(str(refused.value).splitlines()) == 3
    assert all(name in refused.value.advice for name in FAULTS)


def test_a_fault_for_now_cannot_be_for_later() -> None:
    with pytest.raises(SimulatorError):
        parse("cut@5s", scheduled=False)
