"""Judges the log of a run by the invariant. Shares no code with the product: only the truth and the log are known.

I1 safety, I1' causality, I2 declared gaps are the venue's own, I3 the status words, I4 convergence after the faults,
I5 the budget of connects and the venue's Retry-After.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MINUTE = 60_000
_NOTICED = 85_000  # so long (ms) it may take to notice that a link is dead
_CONVERGED = _NOTICED + 60_000 + 10_000  # after the last fault: to notice it, the longest backoff, and history

# state → word → state, as in the catalogue of faults
_MACHINE = {
    "q0": {"DELAYED": "D", "LIVE": "L", "CONNBROKEN": "B", "NOTSUBSCRIBED": "N", "NOTSUPPORTED_TF": "N"},
    "D": {"LIVE": "L", "CONNBROKEN": "B", "NOTSUBSCRIBED": "N", "DISCONNECTED": "X"},
    "L": {"DELAYED": "D", "CONNBROKEN": "B", "NOTSUBSCRIBED": "N", "DISCONNECTED": "X"},
    "B": {"CONNECTED": "C", "DISCONNECTED": "X"},
    "C": {"DELAYED": "D", "CONNBROKEN": "B", "DISCONNECTED": "X"},
    "N": {"DISCONNECTED": "X"},
    "X": {},
}  # fmt: skip


def violations(
    log: Sequence[Sequence[object]],
    allowed: Mapping[int, Sequence[tuple[float, ...]]],
    *,
    start: int | None,
    end: int,
    connects: Sequence[int],
    early_requests: int,
    breaks: Sequence[int] = (),
    naked: Sequence[int] = (),
    slow: bool = False,
    gaps: str = "mark",
    omits: bool = False,
    patience: int = 0,
    healed: int | None = None,
) -> list[str]:
    """What is wrong with a run that ended at `end`; nothing when all is well.

    `allowed` has for every bar of the venue its contents (more than one where the venue corrected itself); `breaks`
    are the times when the last confirmed socket broke, `naked` those when the client itself closed its last one;
    `slow`: the strategy stood still at times, so that words may come late. `gaps` is the feed's policy; `omits`: a
    bar that the venue does not have is nothing to be declared. `patience`: a bar may be so much later (ms)
    than elsewhere, because the venue's history lags or its frames come late. `healed` is when the last fault was over.
    """
    wrong: list[str] = []
    bars = [line for line in log if line[1] == "bar"]
    told = [(int(line[2]), int(line[3])) for line in log if line[1] == "gap"]  # type: ignore[call-overload]
    wrong += _filled(bars, allowed, gaps)
    wrong += _conserved(bars, told, omits)
    wrong += _bars([line for line in bars if line[8] != "filled"], allowed, start, end, patience)
    wrong += _declared(told, allowed)
    wrong += _words([str(line[2]) for line in log if line[1] == "status"])
    wrong += _live_behind(log, allowed, patience)
    wrong += _late_under_live(log, patience)
    if not slow:
        wrong += _untold_breaks(log, breaks, end)
    if naked:
        wrong.append(f"I3: the client left itself without a stream at {naked[0]}")
    if _last_word(log) != "LIVE":
        wrong.append(f"I4: at the end the status is {_last_word(log)}")
    for index in range(30, len(connects)):
        if connects[index] - connects[index - 30] < 5 * MINUTE:
            wrong.append(f"I5: 31 connects within {connects[index] - connects[index - 30]} ms")
            break
    if healed is not None and (late := healed + _CONVERGED + patience) <= end and _last_word(log, late) != "LIVE":
        wrong.append(f"I4: {late - healed} ms after the last fault the status is {_last_word(log, late)}")
    if early_requests:
        wrong.append(f"I5: {early_requests} requests before the venue's Retry-After was over")
    return wrong


def _bars(bars, allowed, start, end, patience) -> list[str]:  # type: ignore[no-untyped-def]
    wrong: list[str] = []
    if not bars:
        return ["I1: no bar at all"]
    first = start if start is not None else int(bars[0][2])
    expected = sorted(time for time in allowed if time >= first)
    position = 0
    for line in bars:
        met, opens, values = int(line[0]), int(line[2]), tuple(line[3:8])
        if position >= len(expected):
            return [*wrong, f"I1: bar {opens} does not exist"]
        if opens != expected[position]:
            known = opens in allowed
            kind = (
                "missing before"
                if opens > expected[position] and known
                else "repeated or out of order:"
                if known
                else "invented:"
            )
            return [*wrong, f"I1: {kind} {opens} (due was {expected[position]})"]
        if values not in allowed[opens]:
            wrong.append(f"I1: bar {opens} has other content than the venue's: {values}")
        if met < opens + MINUTE:
            wrong.append(f"I1': bar {opens} was met {opens + MINUTE - met} ms before its close")
        position += 1
    # I4: whatever closed well before the end has been delivered
    grace = 20_000 + patience
    for opens in expected[position:]:
        if opens + MINUTE + grace <= end:
            wrong.append(f"I4: bar {opens} is missing at the end")
            break
    return wrong


def _filled(bars, allowed, gaps) -> list[str]:  # type: ignore[no-untyped-def]
    """A bar that is marked as filled stands flat where the venue has none, and only where that was asked for."""
    before = None
    for line in bars:
        opens, values = int(line[2]), tuple(line[3:8])
        if line[8] == "filled":
            if gaps != "fill" or opens in allowed or before is None:
                return [f"I2: bar {opens} was filled"]
            if values != (before,) * 4 + (0.0,):
                return [f"I2: the filled bar {opens} is not flat at {before}: {values}"]
        before = line[6]
    return []


def _conserved(bars, told, omits) -> list[str]:  # type: ignore[no-untyped-def]
    """Between the first bar and the last one every minute was met or declared."""
    met = {int(line[2]) for line in bars}
    declared = {time for begin, finish in told for time in range(begin, finish, MINUTE)}
    for time in range(min(met, default=0), max(met, default=0), MINUTE):
        if time not in met and time not in declared and not omits:
            return [f"I2: {time} was neither met nor declared"]
    return []


def _declared(gaps, allowed) -> list[str]:  # type: ignore[no-untyped-def]
    return [
        f"I2: a gap is declared over bar {time}, which the venue has"
        for begin, finish in gaps
        for time in allowed
        if begin <= time < finish
    ][:1]


def _words(words: Sequence[str]) -> list[str]:
    state = "q0"
    for index, word in enumerate(words):
        if word == "UNKNOWN":
            continue
        following = _MACHINE[state].get(word)
        if following is None:
            return [f"I3: {word} after {' '.join(words[max(0, index - 4) : index])}"]
        state = following
    return []


def _live_behind(log, allowed, patience) -> list[str]:  # type: ignore[no-untyped-def]
    """LIVE must not be said while a bar that closed long ago has not been delivered."""
    delivered: set[int] = set()
    newest: int | None = None
    times = sorted(allowed)
    for line in log:
        if line[1] == "bar":
            newest = int(line[2])
            delivered.add(newest)
        elif line[1] == "status" and line[2] == "LIVE" and newest is not None:
            behind = [t for t in times if newest < t and t + MINUTE + 15_000 + patience <= int(line[0])]
            if behind:
                return [f"I3: LIVE was said at {line[0]} with {len(behind)} closed bars missing, from {behind[0]}"]
    return []


def _late_under_live(log, patience) -> list[str]:  # type: ignore[no-untyped-def]
    """With a backlog the status is not LIVE."""
    word = ""
    for line in log:
        if line[1] == "status":
            word = str(line[2])
        elif line[1] == "bar" and word == "LIVE" and int(line[0]) - int(line[2]) > 3 * MINUTE + 20_000 + patience:
            late = int(line[0]) - int(line[2]) - MINUTE
            return [f"I3: bar {line[2]} was handed over under LIVE, {late} ms after its close"]
    return []


def _untold_breaks(log, breaks, end) -> list[str]:  # type: ignore[no-untyped-def]
    """A break is told within the time it takes to notice it, unless the strategy knows of one already."""
    words = [(int(line[0]), str(line[2])) for line in log if line[1] == "status" and line[2] != "UNKNOWN"]
    for at in breaks:
        before = [word for time, word in words if time <= at]
        told = any(word == "CONNBROKEN" and at <= time <= at + _NOTICED for time, word in words)
        if at + _NOTICED < end and not told and (not before or before[-1] != "CONNBROKEN"):
            return [f"I3: the break at {at} was not told"]
    return []


def _last_word(log: Sequence[Sequence[object]], until: int = 1 << 62) -> str:
    words = [
        str(line[2])
        for line in log
        if line[1] == "status" and line[2] != "UNKNOWN" and int(line[0]) <= until  # type: ignore[call-overload]
    ]
    return words[-1] if words else "nothing"
