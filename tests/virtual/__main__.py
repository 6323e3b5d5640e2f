"""Command line of the simulation; see the package's text."""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import signal
import sys
import time
from functools import partial
from pathlib import Path

from tests.virtual.hosted import judge_hosted
from tests.virtual.schedule import KINDS, Schedule, dense, schedule
from tests.virtual.soak import ALL_MUTANTS, Report, judge, kills, soak
from tests.virtual.speech import RULES

_BATCH = 200


def _leave_interrupts() -> None:
    """Ctrl+C is for the process that counts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _batch(share: tuple[str, int, int], dense_ones: bool) -> Report:
    rule, first, count = share
    return soak(range(first, first + count), speaker=RULES[rule], make=dense if dense_ones else schedule)


def batches(count: int, first: int, rules: list[str]) -> list[tuple[str, int, int]]:
    """The seeds from `first` on, `count` schedules in all, as (rule, first seed, how many): each rule has its share."""
    shares = [(rule, count // len(rules) + (number < count % len(rules))) for number, rule in enumerate(rules)]
    most = max(share for _, share in shares)
    return [
        (rule, first + done, min(_BATCH, share - done))
        for done in range(0, most, _BATCH)
        for rule, share in shares
        if done < share
    ]


def run_soak(count: int, first: int, seconds: float, workers: int, rules: list[str], dense_ones: bool) -> int:
    """Run `count` schedules, at most `seconds` long; prints counters as it goes."""
    begin = time.monotonic()
    total = Report()
    failed: dict[str, list[str]] = {}
    with multiprocessing.Pool(workers, _leave_interrupts) as pool:  # which ends its processes when it is left
        shares = batches(count, first, rules)
        reports = pool.imap(partial(_batch, dense_ones=dense_ones), shares)
        try:
            for rule, _, _ in shares:
                report = reports.next(max(0.0, begin + seconds - time.monotonic()))
                total.runs += report.runs
                total.bars += report.bars
                total.hit.update(report.hit)
                for seed, wrong in report.failures.items():
                    failed[f"--rule {rule} --seed {seed}{' --dense' * dense_ones}"] = wrong
                    print(f"\r{rule} seed {seed}: {wrong[0]}", file=sys.stderr)
                rate = total.runs / (time.monotonic() - begin)
                print(
                    f"\r{total.runs:,} schedules, {total.bars:,} bars, {rate:.0f}/s, {len(failed)} failures ",
                    end="", file=sys.stderr, flush=True,
                )  # fmt: skip
        except (multiprocessing.TimeoutError, KeyboardInterrupt) as over:
            why = "interrupted" if isinstance(over, KeyboardInterrupt) else f"the time of {seconds:.0f} s is over"
            print(f"\n{why}: what follows counts whole batches", file=sys.stderr)
    print(file=sys.stderr)
    print(json.dumps({"schedules": total.runs, "bars": total.bars, "failures": failed, "hit": total.hit}))
    for which, wrong in list(failed.items())[:10]:
        print(f"{wrong[0]}\n  python -m tests.virtual replay {which}", file=sys.stderr)
    return 1 if failed else 0


def run_replay(plan: Schedule, hosted: bool) -> int:
    """Print the schedule, the log and the verdict of one run."""
    logging.disable(logging.CRITICAL)
    world, wrong = judge_hosted(plan) if hosted else judge(plan)
    print(plan.to_json())
    print(world.text())
    print("\n".join(wrong) or "nothing is wrong")
    return 1 if wrong else 0


def run_mutants(seeds: int) -> int:
    """Every planted bug against the checker."""
    survivors = 0
    for name in ALL_MUTANTS:
        wrong, runs = kills(name, seeds)
        survivors += not wrong
        print(f"{name:56} {'killed' if wrong else 'SURVIVED'} after {runs:3} schedules  {wrong[:90]}")
    print(f"{len(ALL_MUTANTS) - survivors} of {len(ALL_MUTANTS)} killed")
    return 1 if survivors else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.virtual")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("soak", help="many seeds")
    one.add_argument("count", type=int)
    one.add_argument("--first", type=int, default=0)
    one.add_argument("--seconds", type=float, default=4 * 3600)
    one.add_argument("--workers", type=int, default=2)
    one.add_argument("--rule", choices=RULES, help="only this way in which bars become final; by default all")
    one.add_argument("--dense", action="store_true", help="many short faults around the ends of bars")
    one = commands.add_parser("replay", help="one seed, or a schedule from a file")
    one.add_argument("--seed", type=int)
    one.add_argument("--rule", choices=RULES, default="flag")
    one.add_argument("--dense", action="store_true")
    one.add_argument("--schedule", type=Path)
    one.add_argument("--cerebro", action="store_true")
    one.add_argument("--save", type=Path, help="write the schedule here, to be edited and replayed")
    one = commands.add_parser("mutants", help="planted bugs")
    one.add_argument("--seeds", type=int, default=400)
    commands.add_parser("kinds", help="the kinds of fault")
    given = parser.parse_args()
    if given.command == "soak":
        rules = [given.rule] if given.rule else list(RULES)
        return run_soak(given.count, given.first, given.seconds, given.workers, rules, given.dense)
    if given.command == "mutants":
        return run_mutants(given.seeds)
    if given.command == "kinds":
        print("\n".join(KINDS))
        return 0
    if given.schedule is None and given.seed is None:
        parser.error("replay needs --seed or --schedule")
    make = dense if given.dense else schedule
    plan = Schedule.from_json(given.schedule.read_text()) if given.schedule else make(given.seed, RULES[given.rule])
    if given.save:
        given.save.write_text(plan.to_json())
    return run_replay(plan, given.cerebro)


if __name__ == "__main__":
    sys.exit(main())
