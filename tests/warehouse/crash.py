"""`python -m tests.warehouse.crash kill|full|broken [EVERY [KIND …]]`: system calls of every kind of write, gone wrong.

One process imports everything and forks a child for each point; strace, attached to the child, kills it at its n-th
call of a kind, or lets the call fail (ENOSPC from there on; EIO once). The warehouse is then opened: it must be sound,
hold what was acknowledged and nothing that was not written, and take the same write again. Prints one JSON line.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from btfeeds.clock import ManualClock
from btfeeds.errors import WarehouseError
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.backup import restore
from tests.warehouse.bars import GOLDEN, MARCH, MINUTE, SERIES, bars

CALLS = ("openat", "close", "write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate", "mkdir")
FAILING = ("openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "ftruncate", "mkdir")
INJECTIONS = {
    "kill": (CALLS, "signal=KILL:when={}"),
    "full": (FAILING, "error=ENOSPC:when={}+"),
    "broken": (FAILING, "error=EIO:when={}"),
}
EVER = TimeRange(0, 2**60)
FIRST = bars(10)
LATER = MARCH + 40 * 24 * 60 * MINUTE  # when March is over for long

Acknowledge = Callable[[int], None]


@dataclass
class Kind:
    """One kind of write. `prepare` fills a folder; `write` is what is interrupted, and tells what is done so far.

    `before` are the bars that were there, `written` those that each acknowledgement stands for.
    """

    write: Callable[[Path, Acknowledge], None]
    before: list[Bar] = field(default_factory=lambda: list(FIRST))
    written: list[list[Bar]] = field(default_factory=list)
    prepare: Callable[[Path], None] = lambda folder: _first(folder)
    series: Subscription = SERIES
    check: Callable[[Path, int], list[str]] = lambda folder, done: []


def opened(folder: Path) -> Warehouse:
    return Warehouse(folder / "w", clock=ManualClock(LATER))


def _first(folder: Path) -> None:
    with opened(folder) as warehouse:
        warehouse.add(SERIES, FIRST, provider="binance")


def _sealed(folder: Path) -> None:
    _first(folder)
    with opened(folder) as warehouse:
        warehouse.seal()


def _golden(folder: Path) -> None:
    (folder / "w").mkdir()
    shutil.copy(GOLDEN / "v1.sqlite", folder / "w" / "catalogue.sqlite")


LIVE = bars(3, first=10)
PAGE = bars(30, first=10)
CORRECTED = Bar(FIRST[2].open_time, 100.0, 107.0, 99.0, 101.0, 4.5, 3)


def _live(folder: Path, done: Acknowledge) -> None:
    with opened(folder) as warehouse:
        for number, bar in enumerate(LIVE, 1):
            warehouse.add(SERIES, [bar], provider="binance")
            done(number)


def _create(folder: Path, done: Acknowledge) -> None:
    with opened(folder) as warehouse:
        warehouse.add(SERIES, FIRST, provider="binance")
        done(1)


def _page(folder: Path, done: Acknowledge) -> None:
    with opened(folder) as warehouse:
        warehouse.add(SERIES, PAGE, provider="binance", span=TimeRange(MARCH, MARCH + 60 * MINUTE))
        done(1)


def _revise(folder: Path, done: Acknowledge) -> None:
    with opened(folder) as warehouse:
        warehouse.revise(SERIES, CORRECTED, provider="kraken")
        done(1)


def _seal(folder: Path, done: Acknowledge) -> None:
    with opened(folder) as warehouse:
        warehouse.seal(SERIES)
        done(1)


def _reseal(folder: Path, done: Acknowledge) -> None:
    with opened(folder) as warehouse:
        warehouse.revise(SERIES, CORRECTED, provider="kraken")
        done(1)
        warehouse.seal(SERIES)
        done(2)


def _forget(folder: Path, done: Acknowledge) -> None:
    with opened(folder) as warehouse:
        warehouse.forget(SERIES, TimeRange(MARCH + 3 * MINUTE, MARCH + 5 * MINUTE))
        done(1)


def _migrate(folder: Path, done: Acknowledge) -> None:
    opened(folder).close()
    done(1)


def _backup(folder: Path, done: Acknowledge) -> None:
    with opened(folder) as warehouse:
        warehouse.backup(folder / "copy")
        done(1)


def _copied(folder: Path, done: int) -> list[str]:
    """A copy is whole, or not there; after the acknowledgement it is there."""
    if not (folder / "copy").exists():
        return ["the copy is not there"] if done else []
    restore(folder / "copy", folder / "restored")
    with Warehouse(folder / "restored") as warehouse:
        return [] if warehouse.bars(SERIES, EVER) == FIRST else ["the copy has other bars"]


KINDS = {
    "create": Kind(_create, [], [FIRST], prepare=lambda folder: None),
    "live": Kind(_live, written=[[bar] for bar in LIVE]),
    "page": Kind(_page, written=[PAGE]),
    "revise": Kind(_revise, written=[[CORRECTED]]),
    "seal": Kind(_seal, written=[[]]),
    "reseal": Kind(_reseal, written=[[CORRECTED], []], prepare=_sealed),
    "forget": Kind(_forget, written=[[]], prepare=_sealed),
    "migrate": Kind(_migrate, bars(118 + 2)[:7] + bars(120)[9:], [[]], prepare=_golden),
    "backup": Kind(_backup, written=[[]], prepare=_sealed, check=_copied),
}
GOLDEN_SERIES = Subscription("binance", Symbol("BTC/USDT:USDT"), Timeframe.parse("1m"))


def judge(name: str, folder: Path, done: int) -> list[str]:
    """What is wrong with the warehouse after a write that was interrupted when `done` was acknowledged."""
    kind = KINDS[name]
    wrong = kind.check(folder, done)
    with opened(folder) as warehouse:
        wrong += [str(finding) for finding in warehouse.verify()]
        if name == "migrate":
            return wrong + golden_faults(warehouse)
        held = {bar.open_time: bar for bar in warehouse.bars(SERIES, EVER)}
        certain = {bar.open_time: bar for bar in kind.before}
        possible = {time: {bar} for time, bar in certain.items()}
        for number, written in enumerate(kind.written, 1):
            for bar in written:
                possible.setdefault(bar.open_time, set()).add(bar)
                if number <= done:
                    certain[bar.open_time] = bar
                    possible[bar.open_time] = {bar}
        gone = {MARCH + 3 * MINUTE, MARCH + 4 * MINUTE} if name == "forget" else set()
        wrong += [f"lost: {bar}" for time, bar in certain.items() if time not in held and time not in gone]
        wrong += [f"invented: {bar}" for time, bar in held.items() if bar not in possible.get(time, ())]
        if gone and done and gone & held.keys():
            wrong.append("what was forgotten is there")
        if gone and len(gone & held.keys()) == 1:
            wrong.append("half was forgotten")
        missing = warehouse.missing(SERIES, TimeRange(MARCH, MARCH + 60 * MINUTE))
        wrong += [f"covered but lost: {t}" for t in sorted(certain.keys() - held.keys())
                  if not any(t in span for span in missing)]  # fmt: skip
    return wrong


def golden_faults(warehouse: Warehouse) -> list[str]:
    held = warehouse.bars(GOLDEN_SERIES, EVER)
    return [] if len(held) == 118 and held[1].high == 104.0 and held[-1].close == 220.0 else [f"{len(held)} bars"]


# --- one point -------------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """`reached`: there was such a call. `code` is -1 for a killed child. `done`: the last acknowledgement."""

    reached: bool
    code: int
    done: int
    said: str


def interrupted(name: str, folder: Path, call: str, injection: str) -> Outcome:
    """Write in a child with an injection."""
    shared = mmap.mmap(-1, 4_096)  # what the child tells must not be a call that fails
    go_read, go_write = os.pipe()
    child = os.fork()
    if child == 0:
        _child(name, folder, shared, go_read)
    os.close(go_read)
    log = folder.with_suffix(".log")
    command = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={call}", "-e", f"inject={call}:{injection}",
               "-p", str(child)]  # fmt: skip
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _attached(child, tracer)
    except PermissionError:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.write(go_write, b"x")
        _, status = os.waitpid(child, 0)
        tracer.wait(10)
        os.close(go_write)
    killed = os.WIFSIGNALED(status)
    reached = killed or "(INJECTED)" in log.read_text(encoding="utf-8", errors="replace")
    said = bytes(shared[1:]).rstrip(b"\0").decode(errors="replace")
    return Outcome(reached, -1 if killed else os.WEXITSTATUS(status), shared[0], said)


def _child(name: str, folder: Path, shared: mmap.mmap, go: int) -> NoReturn:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(2**64 - 1), 0, 0, 0)  # strace is no parent of ours
    os.read(go, 1)
    code, said = 0, b""
    try:
        KINDS[name].write(folder, lambda number: shared.__setitem__(0, number))
    except WarehouseError as error:
        code, said = 3, error.line().encode()
    except BaseException as error:
        code, said = 1, repr(error).encode()
    shared[1 : 1 + len(said[:4_000])] = said[:4_000]
    os._exit(code)


def _attached(child: int, tracer: subprocess.Popen[bytes]) -> None:
    status = Path(f"/proc/{child}/status")
    while "TracerPid:\t0\n" in status.read_text(encoding="ascii"):
        if tracer.poll() is not None:
            raise PermissionError("strace cannot attach to a process here")


def points(name: str, mode: str, every: int, root: Path) -> Iterator[tuple[str, list[str]]]:
    """Every point of one kind of write (or one in `every`) and what was wrong there."""
    kind = KINDS[name]
    template = root / f"{name}.template"
    template.mkdir()
    kind.prepare(template)
    calls, injection = INJECTIONS[mode]
    for call in calls:
        for number in itertools.count(1, every):
            folder = root / f"{name}.{call}.{number}"
            shutil.copytree(template, folder)
            outcome = interrupted(name, folder, call, injection.format(number))
            wrong = judge(name, folder, outcome.done)
            if outcome.code == 1:
                wrong.append(f"an error without a name: {outcome.said}")
            wrong = wrong or again(name, folder)
            shutil.rmtree(folder)
            if not outcome.reached and not wrong:
                break  # there is no such call any more
            yield f"{name} {call} {number}", wrong


def again(name: str, folder: Path) -> list[str]:
    """The same write, undisturbed."""
    shutil.rmtree(folder / "copy", ignore_errors=True)
    shutil.rmtree(folder / "restored", ignore_errors=True)
    KINDS[name].write(folder, lambda number: None)
    return [f"written again: {text}" for text in judge(name, folder, len(KINDS[name].written))]


def main(mode: str, every: int, names: list[str]) -> int:
    total, failures = 0, {}
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # the same calls, and no disk to wait for
    with tempfile.TemporaryDirectory(dir=memory) as made:
        for name in names or KINDS:
            for point, wrong in points(name, mode, every, Path(made)):
                total += 1
                if wrong:
                    failures[point] = wrong[:3]
    print(json.dumps({"mode": mode, "points": total, "failures": failures}))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int((sys.argv[2:3] or ["1"])[0]), sys.argv[3:]))
