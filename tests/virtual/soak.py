"""Runs seeds and judges them."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.virtual.checker import violations
from tests.virtual.mutants import MUTANTS
from tests.virtual.rule_mutants import RULE_MUTANTS
from tests.virtual.schedule import LIVE_MINUTES, MINUTE, START, Schedule, dense, schedule
from tests.virtual.speech import RULES
from tests.virtual.world import World

END = START + LIVE_MINUTES * MINUTE
ALL_MUTANTS = {name: ("flag", patch) for name, patch in MUTANTS.items()} | RULE_MUTANTS  # name → rule, patch


@dataclass
class Report:
    """What many runs showed."""

    runs: int = 0
    bars: int = 0
    failures: dict[int, list[str]] = field(default_factory=dict)
    hit: Counter[str] = field(default_factory=Counter)


def judge(plan: Schedule) -> tuple[World, list[str]]:
    """Run one schedule; returns the world and what is wrong."""
    world = World(plan).run(END)
    world.stream.close()  # an open one is kept by its hub, and keeps its world
    dialect = world.dialect
    healed = START + plan.healed
    if dialect.omits_empty_bars:  # what was missed in a quiet market is known with the next trade
        healed = MINUTE + min(time for time in world.venue.truth if time >= healed)
    wrong = violations(
        world.log,
        world.venue.allowed,
        start=world.start,
        end=END,
        connects=world.venue.connects,
        early_requests=world.venue.early_requests,
        breaks=world.venue.breaks,
        naked=world.venue.naked if dialect.overlaps else (),
        slow=any(fault.kind == "slow" for fault in plan.faults),
        gaps=plan.gaps,
        omits=dialect.omits_empty_bars,
        patience=dialect.lag_ms - 10_000 + dialect.grace_ms - 5_000,
        healed=healed,
    )
    return world, wrong


def soak(
    seeds: Iterable[int],
    stop_after: int = 10,
    speaker: str = "binance",
    make: Callable[[int, str], Schedule] = schedule,
) -> Report:
    """Run the schedules that `make` makes of seeds; ends early after `stop_after` failures."""
    report = Report()
    with undisturbed():
        for seed in seeds:
            plan = make(seed, speaker)
            world, wrong = judge(plan)
            report.runs += 1
            report.bars += world.stream.summary.delivered
            report.hit.update({fault.kind for fault in plan.faults} | world.seen)
            if wrong:
                report.failures[seed] = wrong
                if len(report.failures) >= stop_after:
                    break
    return report


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without logging, which writes too much, and with less looking for garbage: a run leaves none before its end."""
    disabled, often = logging.root.manager.disable, gc.get_threshold()
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, *often[1:])
    try:
        yield
    finally:
        gc.set_threshold(*often)
        gc.collect()
        gc.unfreeze()
        logging.disable(disabled)


def kills(name: str, seeds: int) -> tuple[str, int]:
    """Plant one bug; returns the first violation the checker names ("" if it survives) and how many runs it took."""
    rule, patch = ALL_MUTANTS[name]
    make = schedule if rule == "flag" else dense  # how bars become final is a matter of their ends
    with patch():
        report = soak(range(seeds), stop_after=1, speaker=RULES[rule], make=make)
    return next((wrong[0] for wrong in report.failures.values()), ""), report.runs
