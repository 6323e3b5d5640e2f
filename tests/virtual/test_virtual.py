"""The promise under fire: thousands of schedules of faults, in virtual time, judged by an independent checker."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest

from btfeeds.live.stream import Stream
from tests.virtual.__main__ import batches
from tests.virtual.checker import violations
from tests.virtual.hosted import judge_hosted
from tests.virtual.schedule import KINDS, MINUTE, START, Fault, Schedule, dense, schedule
from tests.virtual.soak import ALL_MUTANTS, END, judge, kills, soak
from tests.virtual.speech import RULES
from tests.virtual.world import World

BATCHES, BATCH = 20, 100  # 2,000 seeds, in pieces that several processes can share


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_schedule_of_faults_loses_repeats_or_invents_a_bar(batch: int) -> None:
    report = soak(range(batch * BATCH, (batch + 1) * BATCH))
    assert report.failures == {}, f"python -m tests.virtual replay --seed {next(iter(report.failures))}"
    assert report.runs == BATCH and report.bars > 10_000


@pytest.mark.parametrize("batch", range(5))
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "flag"])
def test_the_same_holds_however_bars_become_final(rule: str, batch: int) -> None:
    report = soak(range(batch * 30, (batch + 1) * 30), speaker=RULES[rule])
    assert report.failures == {}, f"python -m tests.virtual replay --rule {rule} --seed {next(iter(report.failures))}"
    assert report.runs == 30 and report.bars > 3_000


@pytest.mark.parametrize("rule", RULES)
def test_the_same_holds_when_faults_fall_on_the_ends_of_bars(rule: str) -> None:
    report = soak(range(30), speaker=RULES[rule], make=dense)
    assert report.failures == {}, f"… replay --dense --rule {rule} --seed {next(iter(report.failures))}"
    assert report.runs == 30 and report.bars > 3_000


@pytest.mark.parametrize("batch", range(4))
def test_the_same_holds_inside_a_real_cerebro(batch: int) -> None:
    for seed in range(batch * 25, (batch + 1) * 25):
        _, wrong = judge_hosted(schedule(seed))
        assert wrong == [], f"python -m tests.virtual replay --cerebro --seed {seed}"


def test_every_kind_of_fault_and_every_branch_is_reached() -> None:
    report = soak(range(50_000, 50_300))
    assert set(KINDS) <= set(report.hit)
    assert {"unreadable", "NetworkError", "RateLimited", "VenueUnavailable", "BadFrame"} <= set(report.hit)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [0, 7, 31, 207, 2_076])
def test_the_same_seed_gives_the_same_log_byte_for_byte(seed: int, rule: str) -> None:
    first, second = (World(schedule(seed, RULES[rule])).run() for _ in range(2))
    assert first.text() == second.text() and len(first.text()) > 1_000


def test_a_schedule_survives_json() -> None:
    for seed in range(50):
        for speaker in RULES.values():
            assert Schedule.from_json(schedule(seed, speaker).to_json()) == schedule(seed, speaker)


def test_many_schedules_are_shared_by_all_rules() -> None:
    assert batches(602, 7, ["flag", "roll-over"]) == [
        ("flag", 7, 200),
        ("roll-over", 7, 200),
        ("flag", 207, 101),
        ("roll-over", 207, 101),
    ]
    assert batches(3, 0, ["flag", "roll-over"]) == [("flag", 0, 2), ("roll-over", 0, 1)]


@pytest.mark.parametrize("name", ALL_MUTANTS)
def test_a_planted_bug_is_found(name: str) -> None:
    wrong, _ = kills(name, 400)
    assert wrong[:1] == "I", "the checker has to name a violation of the invariant"


def quiet(*faults: Fault, quiet: float = 0.0) -> Schedule:
    return Schedule(1, True, 0, quiet, 4_096, (), faults)


def words(world: World) -> list[object]:
    return [line[2] for line in world.log if line[1] == "status"]


def test_without_faults_every_bar_of_the_stream_comes_live_and_one_question_is_asked() -> None:
    world, wrong = judge(quiet())
    assert wrong == [] and words(world) == ["DELAYED", "LIVE"]
    assert {line[8] for line in world.log if line[1] == "bar" and line[2] >= START} == {"live"}  # type: ignore[operator]
    assert len(world.venue.requests) == 1


def test_a_notice_of_leaving_is_not_seen_by_the_strategy() -> None:
    world, wrong = judge(quiet(*(Fault("notice", at * 10 * MINUTE - 30, 0) for at in range(1, 9))))
    assert wrong == [] and words(world) == ["DELAYED", "LIVE"]
    assert {line[8] for line in world.log if line[1] == "bar" and line[2] >= START} == {"live"}  # type: ignore[operator]
    assert len(world.venue.connects) == 9


def test_a_quiet_market_causes_no_reconnection() -> None:
    for seed in range(20):
        world, wrong = judge(Schedule(seed, True, 0, 0.9, 4_096, (), ()))
        assert wrong == [] and len(world.venue.connects) == 1
        assert words(world) == ["DELAYED", "LIVE"]


def test_a_bar_that_waits_for_its_last_word_when_the_stream_breaks_comes_from_history() -> None:
    cuts = tuple(Fault("cut", minute * MINUTE + 700, 0) for minute in range(3, 95, 3))
    for seed in range(8):
        world, wrong = judge(replace(quiet(*cuts), seed=seed, speaker="bitfinex"))
        assert wrong == [] and world.stream.summary.corrected == 0, "what was held is not said, not even too late"


def test_a_bar_whose_last_word_is_lost_on_a_dying_link_is_not_given_without_it() -> None:
    trusting = 0
    for seed in range(40):
        moments = (minute * MINUTE + 20 + (37 * seed + 61 * minute) % 900 for minute in range(4, 95, 6))
        plan = replace(quiet(*(Fault("half_open", moment, 100) for moment in moments)), seed=seed, speaker="bitfinex")
        world, wrong = judge(plan)
        assert wrong == [] and world.stream.summary.corrected == 0
        with mock.patch.object(Stream, "_heard", lambda self: self.clock.monotonic()):
            trusting += bool(judge(plan)[1])
    assert trusting, "with trust in a link that nobody has heard of it was"


def test_a_mute_subscription_is_noticed_within_the_grace_and_one_question() -> None:
    world, wrong = judge(quiet(Fault("mute", 10 * MINUTE, 9 * MINUTE)))
    late = [int(line[0]) - int(line[2]) - MINUTE for line in world.log if line[1] == "bar" and line[8] == "backfill"]  # type: ignore[call-overload]
    assert wrong == [] and late and max(late) < 5_000 + 1_000


def test_accept_then_close_connects_thirty_times_in_five_minutes_at_most() -> None:
    world, wrong = judge(quiet(Fault("flap", MINUTE, 90 * MINUTE)))
    connects = world.venue.connects
    assert wrong == []
    assert all(sum(1 for other in connects if 0 <= other - at < 5 * MINUTE) <= 30 for at in connects)


# --- the checker itself -----------------------------------------------------------------------------------------------


def judged(log: list[list[object]], **facts: object) -> list[str]:
    """Three bars exist: the minutes 0, 1 and 2 of the epoch."""
    allowed = {minute * MINUTE: [(1.0, 2.0, 0.5, 1.5, 1.0)] for minute in range(3)}
    given = {"start": 0, "end": 3 * MINUTE + 30_000, "connects": [], "early_requests": 0} | facts
    return violations(log, allowed, **given)  # type: ignore[arg-type]


def line(minute: int, late: int = 0, close: float = 1.5) -> list[object]:
    return [(minute + 1) * MINUTE + late, "bar", minute * MINUTE, 1.0, 2.0, 0.5, close, 1.0, "live"]


GOOD: list[list[object]] = [[0, "status", "DELAYED"], [0, "status", "LIVE"], line(0), line(1), line(2)]


def test_the_checker_accepts_a_good_log() -> None:
    assert judged(GOOD) == []


@pytest.mark.parametrize(
    ("log", "finding"),
    [
        (GOOD[:3] + GOOD[4:], "I1: missing"),
        ([*GOOD, line(2)], "I1: bar"),
        ([*GOOD[:4], line(1)], "I1: repeated"),
        ([*GOOD[:4], line(2, close=1.6)], "I1: bar"),
        ([*GOOD[:4], line(2, late=-1)], "I1': bar"),
        (GOOD[:4], "I4: bar"),
        ([*GOOD, [9, "status", "CONNBROKEN"]], "I4: at the end"),
        ([*GOOD[:2], [0, "status", "CONNECTED"], *GOOD[2:]], "I3: CONNECTED"),
        ([*GOOD, [9, "gap", MINUTE, 2 * MINUTE]], "I2: a gap"),
    ],
)
def test_the_checker_finds_what_is_wrong(log: list[list[object]], finding: str) -> None:
    assert any(wrong.startswith(finding) for wrong in judged(log))


def test_the_checker_counts_connects_and_requests() -> None:
    assert judged(GOOD, connects=[*range(31)])[0].startswith("I5: 31 connects")
    assert judged(GOOD, early_requests=1)[0].startswith("I5: 1 requests")


def test_the_checker_wants_live_155_seconds_after_the_last_fault() -> None:
    log = [[0, "status", "DELAYED"], line(0), line(1), [155_000, "status", "LIVE"], line(2)]
    assert judged(log, healed=0) == []
    assert judged([*log[:3], [155_001, "status", "LIVE"], line(2)], healed=0)[0].startswith("I4: 155000 ms after")


def test_the_end_of_a_run_lies_behind_the_last_fault() -> None:
    for seed in range(200):
        for made in (schedule(seed), dense(seed)):
            assert all(fault.at + fault.lasts <= END - START - 19 * MINUTE for fault in made.faults)
