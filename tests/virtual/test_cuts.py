"""The socket is cut behind every message of a run, and inside every one, for each way in which bars become final.

The venue is back at once, or lets nobody in for more than a minute.
"""

from __future__ import annotations

import pytest

from tests.virtual.schedule import MINUTE, START, Schedule
from tests.virtual.speech import RULES
from tests.virtual.venue import Link
from tests.virtual.world import World

MINUTES = 8
END = START + MINUTES * MINUTE
AFTER = 4 * MINUTE  # so much longer a run goes on, for what was cut in its last message


class Cut:
    """Counts the venue's messages; cuts the link at the one with this number (0: none), for so long (ms)."""

    def __init__(self, number: int, *, inside: bool, away: int = 0) -> None:
        self.number, self.inside, self.away, self.count = number, inside, away, 0
        self.arrive = Link._arrive

    def __call__(self, link: Link, text: str, confirms: set[str] | None) -> None:
        if link.venue.world.now >= END or not link.open:
            self.arrive(link, text, confirms)
            return
        self.count += 1
        if self.count != self.number or not self.inside:
            self.arrive(link, text, confirms)
        if self.count == self.number:
            if self.away:
                link.venue.begin("refuse")
                link.venue.world.at(link.venue.world.now + self.away, lambda: link.venue.end("refuse"))
            link.cut("reset", "cut here")


def bars_of(rule: str, cut: Cut, monkeypatch: pytest.MonkeyPatch) -> tuple[World, list[list[object]]]:
    """What the strategy got of the minutes before END."""
    with monkeypatch.context() as patch:
        patch.setattr(Link, "_arrive", lambda link, text, confirms: cut(link, text, confirms))
        world = World(Schedule(3, True, 0, 0.1, 4_096, (), (), speaker=RULES[rule])).run(END + AFTER)
    return world, [line[2:8] for line in world.log if line[1] == "bar" and line[2] < END]  # type: ignore[operator]


@pytest.mark.parametrize("away", [0, 70_000], ids=["back at once", "away"])
@pytest.mark.parametrize("inside", [False, True], ids=["after", "inside"])
@pytest.mark.parametrize("rule", RULES)
def test_a_cut_at_any_message_changes_no_bar(
    rule: str, inside: bool, away: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    uncut = Cut(0, inside=inside)
    world, bars = bars_of(rule, uncut, monkeypatch)
    truth = {time: values for time, values in world.venue.truth.items() if (world.start or 0) <= time < END}
    assert bars == [[time, *values] for time, values in sorted(truth.items())]
    assert uncut.count > MINUTES
    for number in range(1, uncut.count + 1):
        world, got = bars_of(rule, Cut(number, inside=inside, away=away), monkeypatch)
        assert got == bars, f"message {number} of {uncut.count}"
        assert [line[2] for line in world.log if line[1] == "status"][-1] == "LIVE"
        assert len(world.venue.connects) >= 2
