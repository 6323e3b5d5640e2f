"""The same world in the hands of Hypothesis, which looks for the shortest story that breaks the promise."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.virtual.checker import violations
from tests.virtual.mutants import MUTANTS
from tests.virtual.schedule import KINDS, LIVE_MINUTES, MINUTE, START, Schedule
from tests.virtual.world import World

MACHINES, STEPS = 500, 16
LAST_STEP = START + 90 * MINUTE
LASTING = sorted(kind for kind, (_, longest) in KINDS.items() if longest)
INSTANT = sorted(kind for kind, (_, longest) in KINDS.items() if not longest)


class Promise(RuleBasedStateMachine):
    """Faults come and go as Hypothesis likes; at the end all are over, and everything has to be well."""

    world: World | None = None

    @initialize(
        seed=st.integers(0, 9),
        history=st.booleans(),
        skew=st.sampled_from((0, -3_000, 2_500, 90_000)),
        quiet=st.sampled_from((0.0, 0.5)),
        capacity=st.sampled_from((4_096, 3)),
        lost=st.sampled_from(((), (5,), (20, 21, 22))),
        gaps=st.sampled_from(("mark", "fill", "hold")),
    )
    def begin(self, seed: int, history: bool, skew: int, quiet: float, capacity: int, lost: Any, gaps: str) -> None:
        self.active: list[str] = []
        self.stood = False
        self.world = World(Schedule(seed, history, skew, quiet, capacity, lost, (), gaps))
        self.world.stream.open(self.world.wake)
        self.world.wake()
        self.pass_time(START)  # a symbol that was never confirmed may be given up for good, and rightly

    def pass_time(self, until: int) -> None:
        assert self.world is not None
        while self.world.step(until):
            pass

    @precondition(lambda self: self.world is not None and self.world.now < LAST_STEP)
    @rule(ms=st.sampled_from((50, 900, 5_200, 29_970, MINUTE, 3 * MINUTE, 7 * MINUTE)))
    def time_passes(self, ms: int) -> None:
        assert self.world is not None
        self.pass_time(self.world.now + ms)

    @precondition(lambda self: self.world is not None and self.world.now < LAST_STEP)
    @rule()
    def a_minute_is_nearly_over(self) -> None:
        assert self.world is not None
        self.pass_time(self.world.now - self.world.now % MINUTE + MINUTE - 10)

    @rule(kind=st.sampled_from(INSTANT))
    def something_breaks(self, kind: str) -> None:
        assert self.world is not None
        self.world.venue.begin(kind)

    @rule(kind=st.sampled_from(LASTING))
    def a_fault_begins(self, kind: str) -> None:
        assert self.world is not None
        if kind not in self.active:
            self.active.append(kind)
            self.stood = self.stood or kind == "slow"
            self.world.venue.begin(kind)

    @precondition(lambda self: self.world is not None and self.active)
    @rule(number=st.integers(0, 30))
    def a_fault_ends(self, number: int) -> None:
        assert self.world is not None
        self.world.venue.end(self.active.pop(number % len(self.active)))

    def teardown(self) -> None:
        world = self.world
        if world is None:
            return
        for kind in self.active:
            world.venue.end(kind)
        if world.plan.gaps == "hold":
            world.venue.find_lost()
        end = min(world.now + 20 * MINUTE, START + LIVE_MINUTES * MINUTE)
        self.pass_time(end)
        wrong = violations(
            world.log,
            world.venue.allowed,
            start=world.start,
            end=end,
            connects=world.venue.connects,
            early_requests=world.venue.early_requests,
            breaks=world.venue.breaks,
            naked=world.venue.naked,
            slow=self.stood,
            gaps=world.plan.gaps,
        )
        assert wrong == []


def hunt(*phases: Phase) -> None:
    """Let Hypothesis look for a story that breaks the promise; raises when there is one."""
    logging.disable(logging.CRITICAL)
    try:
        run_state_machine_as_test(
            Promise,
            settings=settings(
                max_examples=MACHINES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                phases=phases,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        logging.disable(logging.NOTSET)


def test_no_story_of_faults_breaks_the_promise() -> None:
    hunt(Phase.generate, Phase.shrink)


@pytest.mark.parametrize("name", ["duplicates_are_delivered", "a_held_gap_is_stepped_over"])
def test_a_planted_bug_is_found(name: str) -> None:
    with MUTANTS[name](), pytest.raises(AssertionError, match=r"I[12]:"):
        hunt(Phase.generate)
