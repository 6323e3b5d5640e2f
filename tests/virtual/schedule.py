"""From a seed to a schedule of faults, and to and from JSON."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, replace

MINUTE = 60_000
START = 1_700_000_040_000 - 1_700_000_040_000 % MINUTE  # a minute boundary in 2023
LIVE_MINUTES = 120
HISTORY_MINUTES = 5
IDLE_MS, PONG_MS = 70_000, 10_000  # a link that says nothing is pinged, then given up: later than in life, for speed
HEAL_AT = 100 * MINUTE  # no fault is active after this, counted from the first live minute

# kind → (how often it is drawn, longest duration in ms)
KINDS: dict[str, tuple[int, int]] = {
    "cut": (8, 0),
    "close": (4, 0),
    "half_open": (3, 4 * MINUTE),
    "refuse": (3, 6 * MINUTE),
    "blackhole": (2, 5 * MINUTE),
    "flap": (2, 6 * MINUTE),
    "http_429": (2, 3 * MINUTE),
    "mute": (4, 9 * MINUTE),
    "drop_frame": (4, 3 * MINUTE),
    "duplicate": (4, 8 * MINUTE),
    "reorder": (3, 6 * MINUTE),
    "unfinished": (4, 8 * MINUTE),
    "delay": (3, 8 * MINUTE),
    "malformed": (3, 2 * MINUTE),
    "future": (2, 3 * MINUTE),
    "ack_lost": (2, 4 * MINUTE),
    "nack": (1, 2 * MINUTE),
    "notice": (3, 0),
    "correction": (3, 6 * MINUTE),
    "rest_lag": (4, 6 * MINUTE),
    "rest_down": (3, 6 * MINUTE),
    "rest_429": (2, 3 * MINUTE),
    "rest_503": (3, 5 * MINUTE),
    "rest_garbage": (2, 4 * MINUTE),
    "rest_short": (2, 6 * MINUTE),
    "slow": (3, 12 * MINUTE),
}
BEGINS_AT = -5_000  # the feed, counted from the first live minute
FAR = (7 * MINUTE, 120 * MINUTE, -30 * MINUTE)  # a clock that was never set, or that takes UTC for local time
LASTING = {kind for kind, (_, longest) in KINDS.items() if longest}


# speaker → what its venue cannot show. Who omits minutes without trades has no minutes that are lost.
IMPOSSIBLE: dict[str, tuple[set[str], bool]] = {
    "binance": (set(), False),
    "okx": (set(), True),
    # Updates are sent over TCP, none is lost alone; a stream that is mute for a while is the fault "mute".
    "kraken": ({"drop_frame"}, False),
    "bitfinex": ({"drop_frame"}, True),
    "alpaca": (set(), True),
    "halves": (set(), True),
    "coinbase": (set(), True),
    "bitstamp": ({"drop_frame"}, True),
}

# (speaker, kind) → how long it lasts at least. Where trades are not counted, a stream that is mute inside a bar only,
# and goes on by itself, leaves no trace; where bars roll over, one that is mute for a moment at a bar's end does not.
LEAST: dict[tuple[str, str], int] = {
    ("bitstamp", "mute"): MINUTE + 1_000,  # and some trades are as late as that
    ("kraken", "mute"): 5_500,
    ("bitfinex", "mute"): 5_500,
}

# A venue that never confirms a symbol which nothing else has proven refuses it: that is right, and ends a feed.
_NOT_AT_FIRST = {"ack_lost", "nack", "half_open", "blackhole"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something goes wrong `at` ms after the first live minute opened (at the earliest when the feed begins), for
    `lasts` ms (0: an instant).
    """

    kind: str
    at: int
    lasts: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that makes one run: `seed` feeds the small dice (latencies, prices), the rest is listed."""

    seed: int
    history: bool
    skew_ms: int  # our clock minus the venue's
    quiet: float  # share of minutes without trades
    capacity: int  # of the ring
    lost_minutes: tuple[int, ...]  # minutes the venue itself has no bars for
    faults: tuple[Fault, ...]
    gaps: str = "mark"  # the feed's policy; with "hold" the venue finds its lost minutes again at HEAL_AT
    speaker: str = "binance"  # the venue

    @property
    def healed(self) -> int:
        """When nothing is wrong any more (ms after the first live minute opened): a notice has its end, too."""
        ends = [fault.at + (60_000 if fault.kind == "notice" else fault.lasts) for fault in self.faults]
        return HEAL_AT if self.lost_minutes and self.gaps == "hold" else max(ends, default=0)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        data = json.loads(text)
        data["faults"] = tuple(Fault(**fault) for fault in data["faults"])
        data["lost_minutes"] = tuple(data["lost_minutes"])
        return cls(**data)


def schedule(seed: int, speaker: str = "binance") -> Schedule:
    """The schedule of a seed: the same faults for every venue, but for those that it cannot show."""
    dice = random.Random(f"schedule {seed}")
    kinds = list(KINDS)
    weights = [KINDS[kind][0] for kind in kinds]
    faults = []
    for _ in range(dice.choice((0, 1, 2, 3, 4, 6, 8, 12))):
        kind = dice.choices(kinds, weights)[0]
        at = dice.randrange(0, HEAL_AT - MINUTE)
        if faults and dice.random() < 0.3:
            at = faults[-1].at + dice.choice((0, 400, 3_000))  # what goes wrong together has one cause, often
        elif dice.random() < 0.3:
            at -= at % MINUTE - dice.choice((-30, 0, 10, 40, 900))  # just around a close
        if kind in _NOT_AT_FIRST:
            at = max(at, MINUTE)
        longest = KINDS[kind][1]
        lasts = dice.randrange(1, longest + 1) if longest else 0
        if longest and dice.random() < 0.2:
            lasts += MINUTE - (at + lasts) % MINUTE + dice.choice((-30, 0, 300, 1_500, 4_000))  # as the beginning
        lasts = min(lasts, HEAL_AT - at)
        faults.append(Fault(kind, max(0, at), lasts))
    early = random.Random(f"early {seed}")
    if early.random() < 0.15:  # history does not answer when the feed begins
        kind = early.choice(("rest_down", "rest_503", "rest_429"))
        faults.append(Fault(kind, BEGINS_AT, early.randrange(10 * MINUTE)))
    lost = ()
    if dice.random() < 0.2:
        first = dice.randrange(2, 90)
        lost = tuple(range(first, first + dice.randrange(1, 6)))
    plan = Schedule(
        seed=seed,
        history=dice.random() < 0.8,
        skew_ms=early.choice(FAR)
        if early.random() < 0.05
        else dice.choice((0, 0, 0, 0, -200, 300, -3_000, 2_500, 20_000, -70_000, 90_000)),
        quiet=dice.choice((0.0, 0.0, 0.05, 0.25)),
        capacity=dice.choice((4_096, 4_096, 3)),
        lost_minutes=lost,
        faults=tuple(sorted(faults, key=lambda fault: (fault.at, fault.kind))),
        gaps=dice.choice(("mark", "fill", "hold")),
    )
    if plan.skew_ms <= -MINUTE and plan.faults and plan.faults[0].at == BEGINS_AT:
        plan = replace(plan, skew_ms=0)  # nobody says what time it is, and by ours nothing is missing
    never, omits = IMPOSSIBLE[speaker]
    kept = tuple(
        replace(fault, lasts=max(fault.lasts, LEAST.get((speaker, fault.kind), 0)))
        for fault in plan.faults
        if fault.kind not in never
    )
    if omits:
        plan = replace(plan, lost_minutes=(), gaps="mark" if plan.gaps == "hold" else plan.gaps)
    return replace(plan, faults=kept, speaker=speaker)


# What may happen to one of two sockets only, while a new one takes over from an old one.
OF_TWO = ("old_silent", "new_cut")


def dense(seed: int, speaker: str = "binance") -> Schedule:
    """Another schedule of a seed: dozens of short faults of a few kinds, most of them just around the end of a bar.

    In some the venue often tells to leave, and one of the two sockets that there are then has a fault of its own.
    """
    dice = random.Random(f"dense {seed}")
    leaving = dice.random() < 0.25
    never, _ = IMPOSSIBLE[speaker]
    few = dice.sample([kind for kind in KINDS if kind not in never], dice.choice((1, 2, 3, 6)))
    faults, minute = [], 2
    while minute < 97:
        kind = dice.choice(few)
        near = (dice.randrange(-300, 300), dice.randrange(-2_000, 4_000), dice.randrange(MINUTE))
        at = minute * MINUTE + dice.choice(near)
        lasts = 0
        if longest := KINDS[kind][1]:
            to_an_end = max(1, MINUTE - at % MINUTE + dice.randrange(-300, 2_500))
            some = (dice.randrange(1, 1_500), dice.randrange(1, 4_000), dice.randrange(1, min(longest, MINUTE)))
            lasts = max(dice.choice((*some, to_an_end)), LEAST.get((speaker, kind), 0))
        if leaving:
            kind, lasts = "notice", 0
            faults.append(Fault(dice.choice(OF_TWO), at + dice.randrange(1_500), 0))
        faults.append(Fault(kind, at, lasts))
        minute += dice.choice((1, 2, 3, 5, 8))
    faults.sort(key=lambda fault: (fault.at, fault.kind))
    return replace(schedule(seed, speaker), lost_minutes=(), gaps="mark", faults=tuple(faults))
